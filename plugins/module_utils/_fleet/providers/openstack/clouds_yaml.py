# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which cloud of clouds.yaml is meant, and what the file says of networks. Pure: what openstacksdk read goes in."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import FleetError


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What openstacksdk found. file: path of clouds.yaml, None without one; clouds: names in it; variables: name of the
    cloud the OS_* variables make, None when they do not tell where Keystone is; os_cloud: value of OS_CLOUD."""

    file: str | None
    clouds: Sequence[str]
    variables: str | None = None
    os_cloud: str | None = None


def choose(named: str | None, found: Found) -> str:
    """The cloud that is meant: the one named, else OS_CLOUD, else that of the OS_* variables, else the only one of the
    file. Raises FleetError (credential_missing) when there is none, or several."""
    file = found.file or "clouds.yaml"
    wanted = named or found.os_cloud
    if wanted:
        if wanted in found.clouds or wanted == found.variables:
            return wanted
        has = f"{file} has: {', '.join(found.clouds)}" if found.clouds else "no clouds.yaml with a cloud was found"
        raise _missing(
            f"there is no cloud '{wanted}'; {has}",
            "Correct 'cloud' (or OS_CLOUD), or set OS_CLIENT_CONFIG_FILE to the file that has it.")
    if found.variables:
        return found.variables
    if len(found.clouds) == 1:
        return found.clouds[0]
    if found.clouds:
        raise _missing(
            f"{file} has several clouds: {', '.join(found.clouds)}", "Name one with 'cloud', or set OS_CLOUD.")
    raise _missing(
        "there is no clouds.yaml and no OS_AUTH_URL",
        "Put a clouds.yaml here or into ~/.config/openstack, or set OS_CLIENT_CONFIG_FILE.")


def _missing(why: str, fix: str) -> FleetError:
    return FleetError("find the credentials", why=why, fix=fix, code="credential_missing")


@dataclasses.dataclass(frozen=True, slots=True)
class Declared:
    """What clouds.yaml says of one network (openstacksdk's "networks"). ipv4, ipv6: whether its addresses are reached
    from outside, None when the file does not say; default: its interface is the one to use first."""

    label: str
    ipv4: bool | None
    ipv6: bool | None
    default: bool

    def role(self, family: int, *, public: bool) -> tuple[str | None, str]:
        """Role of a fixed address on it, with the reason; public: the internet routes addresses of its class."""
        flag = self.ipv4 if family == 4 else self.ipv6
        if flag is None:
            return None, ""
        said = f"clouds.yaml says network '{self.label}'"
        if not flag:
            return "private", f"{said} does not route IPv{family} externally"
        return "public" if public else "external", f"{said} routes IPv{family} externally"


def declarations(entries: Iterable[Mapping[str, Any]]) -> dict[str, Declared]:
    """The networks of clouds.yaml as written there, by name or id.

    openstacksdk turns what the file leaves out into false; here that difference is kept, because "false" is the
    operator's word and silence is not. A flag of one family wins over the one of both.
    """
    found = {}
    for entry in entries:
        both = entry.get("routes_externally")
        flags = {family: entry.get(f"routes_{family}_externally", both) for family in ("ipv4", "ipv6")}
        label = str(entry.get("name"))
        found[label] = Declared(
            label, _flag(flags["ipv4"]), _flag(flags["ipv6"]), default=bool(_flag(entry.get("default_interface"))))
    return found


def _flag(value: Any) -> bool | None:
    return None if value is None else str(value).strip().lower() == "true"
