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

SSH = ("ssh", "ansible.builtin.ssh", "ansible.legacy.ssh")
PASSWORDS = ("passwordauthentication", "kbdinteractiveauthentication", "challengeresponseauthentication")


@dataclasses.dataclass(frozen=True, slots=True)
class Login:
    """How Ansible gets in. user: before it becomes root; address: where it comes from, as the node sees it; keys: how many sshd finds for it;
    other_ways: a command or an authority that tells sshd of more; by_password: Ansible has a password for this connection; locked: the password
    field begins with an exclamation mark; expired: the account is at its end; loose: files of its keys that others can write to; aged: its
    password is too old for PAM; method, key, fingerprint: by what this connection was let in, as sshd's log tells; types, rsa_bits: of its keys."""

    user: str
    address: str = ""
    to_address: str = ""
    port: int = 22
    groups: tuple[str, ...] | None = ()
    shell: str = ""
    keys: int = 0
    other_ways: tuple[str, ...] = ()
    by_password: bool = False
    locked: bool = False
    expired: bool = False
    loose: tuple[str, ...] = ()
    aged: bool = False
    method: str = ""
    key: str = ""
    fingerprint: str = ""
    types: tuple[str, ...] = ()
    rsa_bits: Mapping[str, int] = dataclasses.field(default_factory=dict)


def of(facts: Mapping[str, Any], *, by_password: bool, port: int | None, access: Mapping[str, Any] | None = None) -> Login:
    """From what harden_facts told of the node. access: to the account's keys, where it is another than now."""
    login, access = facts.get("login") or {}, access or (facts.get("sshd") or {}).get("access") or {}
    user = str(login.get("user") or "root")
    account: Mapping[str, Any] = next((row for row in facts.get("accounts") or [] if row["name"] == user), {})
    today, expires = login.get("today"), account.get("expires")
    return Login(
        user=user, address=str(login.get("address") or ""), to_address=str(login.get("to_address") or ""),
        port=int(login.get("to_port") or port or 22), groups=_groups(login, account), shell=str(account.get("shell") or ""),
        keys=int(access.get("keys") or 0), other_ways=tuple(access.get("other_ways") or ()), by_password=by_password,
        locked=bool(access.get("locked")), loose=tuple(access.get("loose") or ()),
        expired=bool(today and expires is not None and 0 < expires <= today), aged=bool(access.get("ages", True)) and _aged(account, today),
        method=str(login.get("method") or ""), key=str(login.get("key") or ""), fingerprint=str(login.get("print") or ""),
        types=tuple(access.get("types") or ()), rsa_bits=access.get("rsa_bits") or {})


def _groups(login: Mapping[str, Any], account: Mapping[str, Any]) -> tuple[str, ...] | None:
    """None when it is not known: an account of a directory, whose groups the node does not tell."""
    found = login.get("groups") or account.get("groups")
    return tuple(found) if found else None


def _aged(account: Mapping[str, Any], today: Any) -> bool:
    changed, most = account.get("last_change"), account.get("max_days")
    if changed == 0:
        return True  # to be changed at the next login
    return bool(today and changed is not None and most is not None and most >= 0 and today > changed + most)


def sshd(login: Login, now: Mapping[str, Sequence[str]], wanted: Mapping[str, str]) -> list[str]:
    """Why the account would be shut out by new settings. now: sshd -T for it, as it is; wanted: keyword in small letters -> value."""
    after = {**{name: " ".join(values) for name, values in now.items()}, **wanted}
    told: list[str] = []
    if login.user == "root" and after.get("permitrootlogin") == "no":
        # one that is open already, or a server that has not read its file again, lets root work on in spite of it
        is_or_would = "is" if _first(now, "permitrootlogin") == "no" else "would be"
        told.append(f"Ansible logs in as root, and PermitRootLogin {is_or_would} no: run role access for an account of the fleet's admin, or set "
                    "ssh_hardening_root_login to prohibit-password")
    told += _passwords(login, now, after)
    if after.get("pubkeyauthentication") == "no" and not login.by_password:
        told.append("PubkeyAuthentication would be no, and Ansible has no password for this host")
    told += key_types(login, now, after)
    if after.get("strictmodes") == "yes" and _first(now, "strictmodes") == "no" and login.loose and not login.other_ways:
        told.append(f"StrictModes would be yes, and sshd then looks at no key of {login.user}, as others can write to {', '.join(login.loose)}: "
                    "take that right away (chmod go-w)")
    told += _lists(login, now, wanted)
    told += _listening(login, wanted)
    if wanted.get("usepam") == "no" and login.locked:
        told.append(f"UsePAM would be no, and sshd then refuses {login.user}, whose password is locked: usermod -p '*' {login.user}")
    if after.get("usepam") == "yes" and _first(now, "usepam") == "no":
        if login.expired:
            told.append(f"UsePAM would be yes, and the account {login.user} is past its end: chage -E -1 {login.user}")
        if login.aged:
            told.append(f"UsePAM would be yes, and the password of {login.user} is too old, which shuts its keys out, too: chage -M -1 {login.user}")
    return told


def _passwords(login: Login, now: Mapping[str, Sequence[str]], after: Mapping[str, str]) -> list[str]:
    """Password logins that go off, with nothing else that is known to let the account in."""
    if login.user == "root" and after.get("permitrootlogin") in ("prohibit-password", "without-password") and login.by_password and not login.keys:
        return ["Ansible logs in as root with a password, and root has no key: give root the fleet's key first"]
    if "yes" in (after.get(name) for name in PASSWORDS):
        return []
    if login.method.startswith(("password", "keyboard-interactive")):
        words = f"this very connection of {login.user} was let in by its password: log in with a key"
        return [f"{words} (ansible_ssh_private_key_file; role access brings it) before password logins go off"]
    off = "yes" in (_first(now, name) for name in PASSWORDS)
    if off and not login.keys and not login.other_ways:
        return [f"{login.user} has no authorized key and would be left without a password login: give it the fleet's key first (role access)"]
    return []


def key_types(login: Login, now: Mapping[str, Sequence[str]], after: Mapping[str, str]) -> list[str]:
    """Why the key that let this connection in, or each key of the account where it is not known which, would open nothing any more."""
    if login.method and login.method != "publickey":
        return []
    names = [login.key] if login.key else [_LOGGED.get(kind, kind) for kind in login.types]
    if not names or "cert-authority" in names or (login.other_ways and not login.key):
        return []
    told = []
    keyword = next((word for word in ("pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes") if after.get(word)), "")
    accepted = _algorithms(" ".join(now.get(keyword) or ()), after[keyword]) if keyword else []
    if accepted and not any(_matches(algorithm, accepted) for name in names for algorithm in _ALGORITHMS.get(name, [name])):
        told.append(f"{login.user} logs in by a key of type {', '.join(names)}, and PubkeyAcceptedAlgorithms would not have it: give the account "
                    "another key (ssh-keygen -t ed25519), or leave the control out")
    least, sizes = str(after.get("requiredrsasize") or ""), login.rsa_bits
    bits = sizes.get(login.fingerprint) if login.fingerprint else max(sizes.values(), default=None) if set(names) == {"RSA"} else None
    if least.isdigit() and bits and names[0].startswith("RSA") and bits < int(least):
        told.append(f"{login.user} logs in by an RSA key of {bits} bits, and RequiredRSASize would be {least}: give the account a longer one")
    return told


def refuse(host: str, area: str, told: Sequence[str]) -> None:
    """Raises FleetError when there is anything; nothing has been changed by then."""
    if told:
        raise FleetError(f"{host + ': ' if host else ''}{area} would lock Ansible out, so nothing was changed", why="; ".join(told), code="lockout",
                         fix="Mend that, or leave the control out, and run again.")


def allowed(user: str, groups: Sequence[str] | None, address: str, lists: Mapping[str, Sequence[str]]) -> tuple[bool | None, str]:
    """What sshd's four lists say of an account: (True, ""), (False, the list that shuts it out) or (None, ...) when a name in a list would have to be
    resolved, or its groups are not known. lists: keyword in small letters -> patterns, those of all lines together."""
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
_RSA, _CERT = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"), "-cert-v01@openssh.com"
_ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_ALGORITHMS: Mapping[str, Sequence[str]] = {
    "RSA": _RSA, "RSA-CERT": [name + _CERT for name in _RSA], "ECDSA": _ECDSA, "ECDSA-CERT": [name + _CERT for name in _ECDSA],
    "ED25519": ["ssh-ed25519"], "ED25519-CERT": ["ssh-ed25519" + _CERT], "DSA": ["ssh-dss"], "ED25519-SK": ["sk-ssh-ed25519@openssh.com"],
    "ECDSA-SK": ["sk-ecdsa-sha2-nistp256@openssh.com"]}
"""Type of a key as sshd's log names it -> what it can sign by."""
_LOGGED = {"ssh-rsa": "RSA"}
"""Words of authorized_keys that stand for more than themselves."""


def _algorithms(now: str, wanted: str) -> list[str]:
    """sshd's list with what is added, taken away or put first; names may be patterns."""
    have, words = now.split(","), wanted[1:].split(",")
    if wanted[:1] in ("+", "^"):
        return [*have, *words]
    if wanted[:1] == "-":
        return [name for name in have if not _matches(name, words)]
    return wanted.split(",")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _lists(login: Login, now: Mapping[str, Sequence[str]], wanted: Mapping[str, str]) -> list[str]:
    names = {"allowusers": "AllowUsers", "allowgroups": "AllowGroups", "denyusers": "DenyUsers", "denygroups": "DenyGroups"}
    lists = {name: [*" ".join(now.get(name) or ()).split(), *wanted.get(name, "").split()] for name in names}
    answer, by = allowed(login.user, login.groups, login.address, lists)
    if answer is not False:
        return []
    way = "would not be let in by" if by.startswith("allow") else "would be refused by"
    where = f" from {login.address}" if login.address and "@" in " ".join(lists[by]) else ""
    groups = f" (it is in {', '.join(login.groups or ()) or 'no group'})" if "groups" in by else ""
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


def _group(pattern: str, groups: Sequence[str] | None) -> bool | None:
    return None if groups is None else any(_name(pattern, group) for group in groups)


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
