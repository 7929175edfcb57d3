# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values of the fleet file as Ansible loads them -> plain Python data, templates in them evaluated once."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetFileError


def plain(value: Any) -> Any:
    """The same data in built-in types: no tagged strings, no vault wrappers (decrypted), no YAML subclasses."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return value if value.__class__ is str else "".join(("", value))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "_ciphertext"):  # a !vault string: an object of its own on every ansible-core
        return str(value)
    return value


def templated(value: Any, templar: Any, variables: Mapping[str, Any], source: str, place: str = "clouds") -> Any:
    """The value with every template in its strings evaluated; the operator wrote them, so they are trusted.

    templar: Ansible's; variables: extra variables they may use. Raises FleetFileError naming the place.
    """
    if isinstance(value, Mapping):
        return {plain(key): templated(item, templar, variables, source, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [templated(item, templar, variables, source, f"{place}[{number}]") for number, item in enumerate(value)]
    if not isinstance(value, str) or ("{{" not in value and "{%" not in value):
        return plain(value)
    templar.available_variables = variables
    try:
        return plain(templar.template(value))
    except AnsibleError as failure:
        raise FleetFileError(source, place, f"the template cannot be evaluated: {failure.message}", "Correct it.") from failure
