# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data files of a role: its controls, the profile and what the node's distribution calls things.

``vars/controls/*.yml``: name -> title, refs, values.
``vars/profiles/<profile>.yml``: ``extends``, ``controls`` (name -> true, false, or values that replace those of the control).
``vars/distributions/<id>-<major>.yml``, ``<id>.yml``, ``<family>.yml``, ``default.yml``: the later fill in what the earlier leave out.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .decision import Control

FAMILIES = {"debian": "debian", "ubuntu": "debian", "rhel": "redhat", "rocky": "redhat", "almalinux": "redhat", "centos": "redhat", "ol": "redhat",
            "fedora": "redhat", "amzn": "amazon", "raspbian": "debian", "devuan": "debian"}
Load = Callable[[Path], Any]


def load(path: Path) -> Any:
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file) or {}


def controls(folder: Path, profile: str, switches: Mapping[str, Any], values: Mapping[str, Any], read: Load = load) -> dict[str, Control]:
    """Every control of a role as the profile and the operator want it. switches: control -> on; values: control -> values that the operator
    sets. Raises FleetError for names that do not exist."""
    known = _known(folder, read)
    wanted, names = _profile(folder, profile, read), {"*"} | set(known)
    for what, given in (("profile " + profile, wanted), ("controls", switches), ("values", values)):
        unknown = sorted(set(given) - names)
        if unknown:
            raise FleetError(f"{what}: there is no control {', '.join(unknown)}", code="argument", fix=f"Known are: {', '.join(sorted(known))}.")
    found: dict[str, Control] = {}
    for name, data in known.items():
        told = wanted.get(name, wanted.get("*", False))
        on, by = bool(told) or told == {}, f"profile {profile}"
        merged = {**(data.get("values") or {}), **(told if isinstance(told, Mapping) else {})}
        if name in switches:
            on, by = bool(switches[name]), "the operator"
        given = values.get(name) or {}
        stray = sorted(set(given) - set(data.get("values") or {}))
        if stray:
            raise FleetError(f"control {name} has no value {', '.join(stray)}", code="argument",
                             fix=f"It has: {', '.join(sorted(data.get('values') or {})) or 'none'}.")
        for key, value in given.items():
            mine = merged.get(key)
            merged[key] = {**mine, **value} if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
        found[name] = Control(name, data["title"], on, by, merged, data.get("refs") or {})
    return found


def profiles(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "profiles").glob("*.yml"))


def distribution(folder: Path, system: Mapping[str, Any], read: Load = load) -> dict[str, Any]:
    """Names of packages, paths and units of a release (facts ``os``). ``known`` tells whether the collection has data for it."""
    name, major = str(system.get("id", "")), system.get("major")
    family = FAMILIES.get(name) or next((FAMILIES[like] for like in system.get("like") or [] if like in FAMILIES), "")
    found: dict[str, Any] = {"known": False, "family": family}
    for stem in (f"{name}-{system.get('version')}", f"{name}-{major}", name, family, "default"):
        path = folder / "distributions" / f"{stem}.yml"
        if stem and path.exists():
            data = read(path)
            found = _under(found, data)
            found["known"] = found["known"] or stem != "default"
    return found


# ---------------------------------------------------------------------------------------------------- details
def _known(folder: Path, read: Load) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted((folder / "controls").glob("*.yml")):
        found.update(read(path))
    return found


def _profile(folder: Path, name: str, read: Load, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    path = folder / "profiles" / f"{name}.yml"
    if name in seen or not path.exists():
        raise FleetError(f"there is no profile '{name}'", code="argument", fix=f"Choose one of {', '.join(profiles(folder))}.")
    data = read(path)
    found = _profile(folder, data["extends"], read, (*seen, name)) if data.get("extends") else {}
    for control, told in (data.get("controls") or {}).items():
        mine = found.get(control)
        found[control] = {**mine, **told} if isinstance(mine, Mapping) and isinstance(told, Mapping) else told
    return found


def _under(found: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """What is found already, filled in from data."""
    merged = dict(data)
    for key, value in found.items():
        merged[key] = _under(value, data[key]) if isinstance(value, Mapping) and isinstance(data.get(key), Mapping) else value
    return merged
