# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of a plugin with the collection's own fragments in it, as ansible-doc shows it."""
from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import yaml

OURS = "hybridops.fleet."
PACKAGE = "ansible_collections.hybridops.fleet.plugins.doc_fragments"


def options(plugin: ModuleType) -> dict[str, Any]:
    """The options by name; the plugin's own words go before a fragment's."""
    own = yaml.safe_load(plugin.DOCUMENTATION)
    found: dict[str, Any] = {}
    for name in own.get("extends_documentation_fragment", ()):
        if name.startswith(OURS):
            fragment, _dot, part = name.removeprefix(OURS).partition(".")
            text = getattr(importlib.import_module(f"{PACKAGE}.{fragment}").ModuleDocFragment, part.upper() or "DOCUMENTATION")
            found |= yaml.safe_load(text)["options"]
    return {**found, **own.get("options", {})}
