# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who would be shut out, told before anything is changed. Pure.

Only what is certain is refused; where the data does not tell (a host name in AllowUsers, a key from a directory), the dead man's switch decides.
"""
from __future__ import annotations

import dataclasses
import fnmatch
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

_NOBODY_LOGS_IN = ("nologin", "false")


@dataclasses.dataclass(frozen=True, slots=True)
class Login:
    """How Ansible gets in. user: before it becomes root; address: where it comes from, as the node sees it; keys: how many sshd finds for it;
    other_ways: a command or an authority that tells sshd of more; by_password: Ansible has a password for this connection; locked: the password
    field begins with an exclamation mark; expired: the account is at its end; loose: files of its keys that others can write to."""

    user: str
    address: str = ""
    to_address: str = ""
    port: int = 22
    groups: tuple[str, ...] = ()
    shell: str = ""
    keys: int = 0
    other_ways: tuple[str, ...] = ()
    by_password: bool = False
    locked: bool = False
    expired: bool = False
    loose: tuple[str, ...] = ()


def of(facts: Mapping[str, Any], *, by_password: bool, port: int | None) -> Login:
    """From what harden_facts told of the node."""
    login, access = facts.get("login") or {}, (facts.get("sshd") or {}).get("access") or {}
    user = str(login.get("user") or "root")
    account: Mapping[str, Any] = next((row for row in facts.get("accounts") or [] if row["name"] == user), {})
    today, expires = login.get("today"), account.get("expires")
    return Login(
        user=user, address=str(login.get("address") or ""), to_address=str(login.get("to_address") or ""),
        port=int(login.get("to_port") or port or 22), groups=tuple(account.get("groups") or ()), shell=str(account.get("shell") or ""),
        keys=int(access.get("keys") or 0), other_ways=tuple(access.get("other_ways") or ()), by_password=by_password,
        locked=bool(access.get("locked")), loose=tuple(access.get("loose") or ()),
        expired=bool(today and expires is not None and 0 < expires <= today))


def sshd(login: Login, now: Mapping[str, Sequence[str]], wanted: Mapping[str, str]) -> list[str]:
    """Why the account would be shut out by new settings. now: sshd -T for it, as it is; wanted: keyword in small letters -> value."""
    after = {**{name: " ".join(values) for name, values in now.items()}, **wanted}
    told: list[str] = []
    if login.user == "root" and after.get("permitrootlogin") == "no" and _first(now, "permitrootlogin") != "no":
        told.append("Ansible logs in as root, and PermitRootLogin would be no: run role access for an account of the fleet's admin, or set "
                    "ssh_hardening_root_login to prohibit-password")
    keys_only = login.user == "root" and after.get("permitrootlogin") in ("prohibit-password", "without-password")
    if keys_only and login.by_password and not login.keys:
        told.append("Ansible logs in as root with a password, and root has no key: give root the fleet's key first")
    names = ("passwordauthentication", "kbdinteractiveauthentication", "challengeresponseauthentication")
    off = "yes" in (_first(now, name) for name in names) and "yes" not in (after.get(name) for name in names)
    if off and not login.keys and not login.other_ways:
        told.append(f"{login.user} has no authorized key and would be left without a password login: give it the fleet's key first (role access)")
    if after.get("pubkeyauthentication") == "no" and not login.by_password:
        told.append("PubkeyAuthentication would be no, and Ansible has no password for this host")
    if wanted.get("strictmodes") == "yes" and _first(now, "strictmodes") == "no" and login.loose and not login.other_ways:
        told.append(f"StrictModes would be yes, and sshd then looks at no key of {login.user}, as others can write to {', '.join(login.loose)}: "
                    "take that right away (chmod go-w)")
    told += _lists(login, now, wanted)
    told += _listening(login, wanted)
    if wanted.get("usepam") == "no" and login.locked:
        told.append(f"UsePAM would be no, and sshd then refuses {login.user}, whose password is locked: usermod -p '*' {login.user}")
    if wanted.get("usepam") == "yes" and _first(now, "usepam") == "no" and login.expired:
        told.append(f"UsePAM would be yes, and the account {login.user} is past its end: chage -E -1 {login.user}")
    return told


def sudo(login: Login, *, asks_nothing_now: bool, has_password: bool) -> list[str]:
    """Why Ansible could not become root any more when sudo is to ask for passwords. asks_nothing_now: some rule lets the account in without one;
    has_password: Ansible has the password for sudo."""
    if login.user == "root" or not asks_nothing_now or has_password:
        return []
    return [f"sudo lets {login.user} work without a password, and Ansible has none for it: leave the rule, or set ansible_become_password"]


def source(login: Login, allowed: Sequence[str], what: str) -> list[str]:
    """Why the connection of Ansible would not be let in by a list of addresses and networks."""
    if not login.address or not allowed or any(_address_in(login.address, one) is not False for one in allowed):
        return []
    return [f"Ansible comes from {login.address}, which is not in {what} ({', '.join(allowed)})"]


def refuse(host: str, area: str, told: Sequence[str]) -> None:
    """Raises FleetError when there is anything; nothing has been changed by then."""
    if told:
        raise FleetError(f"{host + ': ' if host else ''}{area} would lock Ansible out, so nothing was changed", why="; ".join(told), code="lockout",
                         fix="Mend that, or leave the control out, and run again.")


def allowed(user: str, groups: Sequence[str], address: str, lists: Mapping[str, Sequence[str]]) -> tuple[bool | None, str]:
    """What sshd's four lists say of an account: (True, ""), (False, the list that shuts it out) or (None, ...) when a name in a list would have to be
    resolved. lists: keyword in small letters -> patterns, those of all lines together."""
    def found(name: str) -> list[bool | None]:
        return [_user(one, user, address) if name.endswith("users") else _group(one, groups) for one in lists.get(name) or ()]

    unsure = ""
    for name in ("denyusers", "denygroups"):
        if True in found(name):
            return False, name
        unsure = unsure or (name if None in found(name) else "")
    for name in ("allowusers", "allowgroups"):
        if lists.get(name) and True not in found(name):
            if None not in found(name):
                return False, name
            unsure = unsure or name
    return (None, unsure) if unsure else (True, "")


# ---------------------------------------------------------------------------------------------------- details
def _lists(login: Login, now: Mapping[str, Sequence[str]], wanted: Mapping[str, str]) -> list[str]:
    names = {"allowusers": "AllowUsers", "allowgroups": "AllowGroups", "denyusers": "DenyUsers", "denygroups": "DenyGroups"}
    if not any(wanted.get(name) for name in names):
        return []
    lists = {name: [*" ".join(now.get(name) or ()).split(), *wanted.get(name, "").split()] for name in names}
    answer, by = allowed(login.user, login.groups, login.address, lists)
    if answer is not False:
        return []
    way = "would not be let in by" if by.startswith("allow") else "would be refused by"
    where = f" from {login.address}" if login.address and "@" in " ".join(lists[by]) else ""
    groups = f" (it is in {', '.join(login.groups) or 'no group'})" if "groups" in by else ""
    return [f"{login.user}{where} {way} {names[by]} {' '.join(lists[by])}{groups}"]


def _listening(login: Login, wanted: Mapping[str, str]) -> list[str]:
    told = []
    ports = wanted.get("port", "").split()
    if ports and str(login.port) not in ports:
        told.append(f"Ansible connects to port {login.port}, and sshd would listen on {', '.join(ports)} only: keep both for this run, "
                    "set ansible_port, then take the old one out")
    addresses = wanted.get("listenaddress", "").split()
    if addresses and login.to_address and not any(_listens(one, login.to_address) for one in addresses):
        told.append(f"Ansible connects to {login.to_address}, and sshd would listen on {', '.join(addresses)} only")
    family = wanted.get("addressfamily")
    if family in ("inet", "inet6") and login.to_address and (":" in login.to_address) != (family == "inet6"):
        told.append(f"Ansible connects to {login.to_address}, and AddressFamily would be {family}")
    return told


def _listens(listen: str, address: str) -> bool:
    host = listen[1:].partition("]")[0] if listen.startswith("[") else listen.partition(":")[0] if listen.count(":") == 1 else listen
    if host in ("*", "0.0.0.0", "::"):  # noqa: S104
        return host == "*" or (":" in host) == (":" in address)
    try:
        return ipaddress.ip_address(host) == ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True  # a name, which is not ours to resolve


def _user(pattern: str, user: str, address: str) -> bool | None:
    name, at, host = pattern.rpartition("@")
    if not at:
        return _name(pattern, user)
    if not _name(name, user):
        return False
    if not address:
        return None
    return _address_in(address, host)


def _group(pattern: str, groups: Sequence[str]) -> bool:
    return any(_name(pattern, group) for group in groups)


def _name(pattern: str, name: str) -> bool:
    """A negated pattern never lets anybody in by itself."""
    return not pattern.startswith("!") and fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _address_in(address: str, pattern: str) -> bool | None:
    """None when the pattern is a name."""
    try:
        mine: Any = ipaddress.ip_address(address.partition("%")[0])
        mine = getattr(mine, "ipv4_mapped", None) or mine
    except ValueError:
        return None
    try:
        return bool(mine in ipaddress.ip_network(pattern, strict=False))
    except ValueError:
        pass
    if set(pattern) <= set("0123456789abcdefABCDEF.:*?"):
        return fnmatch.fnmatchcase(str(mine), pattern)
    return None


def _first(values: Mapping[str, Sequence[str]], name: str) -> str:
    found = values.get(name) or ()
    return str(found[0]) if found else ""
