# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Mark values that come from clouds so that no supported ansible-core ever evaluates them as templates.

Up to ansible-core 2.18 every string is a template unless it is wrapped as unsafe. From 2.19 on no string is one unless
it is trusted, but ``ansible-inventory --export`` writes untrusted strings as ``{"__ansible_unsafe": ...}``, which AWX
stores as it is. So a string that could start a template stays unsafe, and a harmless one is trusted, hence plain.
"""
from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core < 2.19: what is not unsafe is trusted
    from ansible.utils.unsafe_proxy import wrap_var as _unsafe

    def _trusted(text: str) -> str:
        return text

else:
    _trusted = trust_as_template

    def _unsafe(text: str) -> str:
        return text  # a string without a tag is not trusted; ``unsafe_proxy`` is about to be deprecated here


_OVERRIDE_HEADER = "#jinja2:"
"""A string that starts so may bring its own delimiters: no brace is needed to make it a template."""


def might_be_template(value: object) -> bool:
    """Whether a value is a string that some ansible-core could take for a template."""
    return isinstance(value, str) and ("{" in value or "}" in value or value.startswith(_OVERRIDE_HEADER))


def clean(value: Any) -> Any:
    """``value`` rebuilt of plain dicts, lists and scalars, its strings marked harmless or unsafe.

    Dict keys become plain strings: Ansible evaluates no key. Values of other types (dates, for one) stay as they are.
    """
    kind = value.__class__
    if kind is str:  # by far the most; the exact type is asked first, as that is what costs least
        return _clean_text(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is dict or isinstance(value, Mapping):
        return {str.__str__(key) if isinstance(key, str) else key: clean(item) for key, item in value.items()}
    if kind is list or isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    if isinstance(value, str):
        return _clean_text(value)
    return value


# Regions, flavors and tag values repeat over thousands of hosts; marking costs thirty times a look-up.
@lru_cache(maxsize=4096)
def _clean_text(text: str) -> str:
    plain = str.__str__(text)  # no tag and no subclass of an earlier result survives
    if might_be_template(plain):
        return _unsafe(plain)
    return _trusted(plain)
