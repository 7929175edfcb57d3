# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""OpenSSH's server: one file of its own, read before the distribution's, with what each control wants. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .. import confirm, lockout, ssh_crypto, ssh_logins
from ..decision import Control, Decision, Facts, Item, Options

SYSCTL: tuple[str, ...] = ()
PROGRAMS: tuple[str, ...] = ()
PATHS: tuple[str, ...] = ()

DROP_IN = "/etc/ssh/sshd_config.d/01-hybridops-fleet-hardening.conf"
"""Read after the file of role access, whose word on logins counts, and before those of cloud-init and the distribution."""
HEAD = "# Written by hybridops.fleet.ssh_hardening; run the role again instead of editing it.\n"
RENAMED = {"KbdInteractiveAuthentication": "ChallengeResponseAuthentication", "PubkeyAcceptedAlgorithms": "PubkeyAcceptedKeyTypes"}
"""Name today -> name in older releases."""
NOT_SHOWN = frozenset({"allowusers", "allowgroups", "denyusers", "denygroups", "port", "listenaddress", "hostkey"})
"""sshd -T tells these only when they are set."""


@dataclasses.dataclass(slots=True)
class Chosen:
    """What one control comes to: sshd's settings, further items, words."""

    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    items: list[Item] = dataclasses.field(default_factory=list)
    why: str = ""
    notes: list[str] = dataclasses.field(default_factory=list)
    apply: bool = True


def decide(facts: Facts, options: Options) -> list[Decision]:
    """One decision a control. Raises FleetError when the settings would shut Ansible out."""
    unread = (facts.get("unread") or {}).get("sshd")
    if unread:
        raise FleetError(f"{options.host}: look at sshd", why=str(unread), code="facts", fix="See what sshd -T says on the node, and run again.")
    if not facts.get("sshd"):
        return [Decision(name, False, "there is no OpenSSH server here") for name in options.controls]
    shown = set((facts["sshd"].get("root") or {}) | (facts["sshd"].get("login") or {}))
    chosen: dict[str, Chosen] = {}
    for name, control in options.controls.items():
        if not control.on:
            chosen[name] = Chosen(apply=False, why=f"{control.by} leaves it out")
            continue
        chosen[name] = _SPECIAL.get(name, _plain)(facts, options, control)
        _fit(chosen[name], shown | {str(word).lower() for word in options.distribution.get("keywords") or []} if shown else shown)
        chosen[name].notes += ssh_logins.others_words(facts, chosen[name].settings, DROP_IN)
    everywhere = chosen.pop("main_file", Chosen(apply=False))
    text, wanted = _text(options, chosen)
    login = lockout.of(facts, by_password=options.connection.by_password, port=options.connection.port)
    other = ssh_logins.another_server(facts)
    # who comes into a container or an image by its engine, works on the spot, or comes by another server, does not come by this one
    by_this = _by_ssh(facts, options) and not other
    shut = lockout.sshd(login, facts["sshd"].get("login") or {}, wanted) if by_this else []
    lockout.refuse(options.host, "ssh_hardening", [*shut, *ssh_logins.disagreement(facts, options)])
    write: Item = {"kind": "sshd", "path": DROP_IN, "content": text, "everywhere": everywhere.apply, "guarded": True, "needed": True,
                   "notify": ["sshd"], "login": dict(facts.get("login") or {}) if by_this else {}}
    if other and "configuration" in chosen:
        chosen["configuration"].notes.append(other)
    decisions = [Decision("main_file", everywhere.apply, everywhere.why, part_of="configuration")] if "main_file" in options.controls else []
    return [_first(chosen, write), *decisions, *(_decision(name, one) for name, one in chosen.items() if name != "configuration")]


def _by_ssh(facts: Facts, options: Options) -> bool:
    """Whether this run depends on the server: Ansible's own connection, or that of who started it on the node."""
    return not confirm.why_no_switch(options.connection.transport) or bool((facts.get("login") or {}).get("address"))


# ---------------------------------------------------------------------------------------------------- putting it together
def _first(chosen: Mapping[str, Chosen], write: Item) -> Decision:
    one = chosen.get("configuration", Chosen())
    return Decision("configuration", True, one.why, (*one.items, write), tuple(one.notes))


def _decision(name: str, one: Chosen) -> Decision:
    items = list(one.items)
    if one.settings and one.apply:
        items.append({"kind": "sshd_value", "path": DROP_IN, "values": dict(one.settings), "notify": ["sshd"]})
    return Decision(name, one.apply, one.why, tuple(items), tuple(one.notes))


def _text(options: Options, chosen: Mapping[str, Chosen]) -> tuple[str, dict[str, str]]:
    """The file, and its settings by keyword in small letters."""
    lines, wanted = [HEAD], dict[str, str]()
    for name, one in chosen.items():
        if not one.apply or not one.settings:
            continue
        lines.append(f"# {options.controls[name].title}\n")
        for keyword, value in one.settings.items():
            wanted[keyword.lower()] = value
            # of these every line counts, and one line holds one value
            parts = value.split() if keyword in ("Port", "ListenAddress") else [value]
            lines += [f"{keyword} {part}\n" for part in parts]
    return "".join(lines), wanted


def _fit(one: Chosen, shown: set[str]) -> None:
    """Settings that this release knows, under the name it knows. shown: what sshd -T tells, empty when it does not."""
    if not shown:
        return
    fitting: dict[str, str] = {}
    for keyword, value in one.settings.items():
        name = keyword if keyword.lower() in shown or keyword.lower() in NOT_SHOWN else RENAMED.get(keyword, keyword)
        if name.lower() in shown or name.lower() in NOT_SHOWN:
            fitting[name] = value
        else:
            one.notes.append(f"this OpenSSH knows no {keyword}")
    if one.settings and not fitting:
        one.apply, one.why = False, "this OpenSSH knows nothing of it"
    one.settings = fitting


# ---------------------------------------------------------------------------------------------------- controls
def _plain(_facts: Facts, _options: Options, control: Control) -> Chosen:
    return Chosen({keyword: _word(value) for keyword, value in (control.values.get("settings") or {}).items() if value is not None})


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _version(facts: Facts) -> ssh_crypto.Version:
    return ssh_crypto.version_of((facts.get("ssh") or {}).get("version") or "")


def _knows(facts: Facts, kind: str) -> list[str]:
    return list((facts["sshd"].get("knows") or {}).get(kind) or [])


def _of_the_system(facts: Facts) -> Chosen | None:
    """Where the system itself decides on algorithms, two that decide would leave none."""
    if facts["sshd"].get("fips"):
        return Chosen(apply=False, why="the system is in FIPS mode, whose own policy decides on algorithms")
    return None


def _key_exchange(facts: Facts, options: Options, control: Control) -> Chosen:
    names, why = ssh_crypto.key_exchange(str(control.values.get("algorithms")), _version(facts), _knows(facts, "kex"),
                                         str(options.variables.get("client_key_exchanges") or "").split())
    notes = [] if why or control.values.get("algorithms") != ssh_crypto.POST_QUANTUM else [
        "clients older than OpenSSH 8.5 (Debian 11, RHEL 8) do not get in; values key_exchange.algorithms: compatible lets them"]
    return _of_the_system(facts) or Chosen({"KexAlgorithms": ",".join(names)}, why=why, notes=notes)


def _ciphers(facts: Facts, _options: Options, _control: Control) -> Chosen:
    return _of_the_system(facts) or Chosen({"Ciphers": ",".join(ssh_crypto.ciphers(_version(facts), _knows(facts, "cipher")))})


def _macs(facts: Facts, _options: Options, _control: Control) -> Chosen:
    return _of_the_system(facts) or Chosen({"MACs": ",".join(ssh_crypto.macs(_version(facts), _knows(facts, "mac")))})


def _host_keys(facts: Facts, _options: Options, control: Control) -> Chosen:
    have = facts["sshd"].get("host_keys") or {}
    path = "/etc/ssh/ssh_host_ed25519_key"
    fips = _of_the_system(facts)
    if fips:
        return fips
    comes = "ed25519" not in have and bool(control.values.get("make"))
    names, why = ssh_crypto.host_key_algorithms(_version(facts), have, comes)
    if not names:
        return Chosen(apply=False, why="there is no host key that would do")
    one = Chosen({"HostKeyAlgorithms": ",".join(names)}, why=why)
    if comes:
        one.items.append({"kind": "host_key", "path": path, "type": "ed25519", "guarded": True, "notify": ["sshd"]})
        # a server with HostKey lines of its own reads no other
        if (facts["sshd"].get("login") or {}).get("hostkey") and path not in facts["sshd"]["login"]["hostkey"]:
            one.settings["HostKey"] = path
    return one


def _moduli(facts: Facts, _options: Options, control: Control) -> Chosen:
    if facts["sshd"].get("moduli") is None:
        return Chosen(apply=False, why="there is no /etc/ssh/moduli")
    return Chosen(items=[{"kind": "moduli", "path": "/etc/ssh/moduli", "minimum": control.values["minimum"]}])


def _permissions(facts: Facts, options: Options, _control: Control) -> Chosen:
    private, public = ["/etc/ssh/ssh_host_*_key"], ["/etc/ssh/ssh_host_*_key.pub"]
    # on Red Hat's systems a group of its own reads the keys, and sshd wants it so
    group: dict[str, Any] = {} if options.distribution.get("host_key_group") else {"group": "root"}
    return Chosen(items=[
        {"kind": "mode", "paths": ["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*.conf"], "mode": "0600", "owner": "root", "group": "root"},
        {"kind": "mode", "paths": private, "mode": "0640" if not group else "0600", "owner": "root", **group},
        {"kind": "mode", "paths": public, "mode": "0644", "owner": "root", "group": "root"}])


def _limits(facts: Facts, options: Options, control: Control) -> Chosen:
    one = _plain(facts, options, control)
    why = options.works_for("bastion")
    if why and "MaxStartups" in one.settings:
        del one.settings["MaxStartups"]
        one.notes.append(f"MaxStartups stays, as many come through here at once ({why})")
    return one


def _forwarding(facts: Facts, options: Options, control: Control) -> Chosen:
    one = _plain(facts, options, control)
    why = options.works_for("bastion")
    if why and one.settings.get("AllowTcpForwarding") in ("no", "remote"):
        one.settings["AllowTcpForwarding"] = "local"
        one.notes.append(f"AllowTcpForwarding is local, or nobody would get through here ({why})")
    return one


def _crypto_policy(facts: Facts, options: Options, _control: Control) -> Chosen:
    """Red Hat's release 8 gives the algorithms on sshd's command line, where no file reaches them."""
    path = options.distribution.get("sshd_environment")
    if not facts["sshd"].get("crypto_policy") or not path:
        return Chosen(apply=False, why="the algorithms are not given on sshd's command line here")
    return Chosen(items=[{"kind": "settings", "path": path, "style": "tight", "values": {"CRYPTO_POLICY": ""}, "create": True, "guarded": True,
                          "notify": ["unit:sshd.service"]}])


def _listen(facts: Facts, options: Options, control: Control) -> Chosen:
    one = _plain(facts, options, control)
    for variable, keyword in (("ports", "Port"), ("listen_addresses", "ListenAddress")):
        values: Sequence[Any] = options.variables.get(variable) or []
        if values:
            one.settings[keyword] = " ".join(str(value) for value in values)
    socket = facts["sshd"].get("socket") or {}
    if {"Port", "ListenAddress"} & set(one.settings) and socket.get("unit") and not socket.get("follows_config"):
        one.items.append(ssh_logins.socket_item(socket["unit"], one.settings))
    elif options.variables.get("listen_addresses") is not None and not options.variables.get("listen_addresses"):
        only = ssh_logins.one_family_only(facts)
        one.notes += [only] if only else []
    return one


_SPECIAL: dict[str, Callable[[Facts, Options, Control], Chosen]] = {
    "key_exchange": _key_exchange, "ciphers": _ciphers, "macs": _macs, "host_keys": _host_keys, "moduli": _moduli, "permissions": _permissions,
    "login_limits": _limits, "forwarding": _forwarding, "crypto_policy": _crypto_policy, "listen": _listen,
    "configuration": lambda _facts, _options, _control: Chosen(), "main_file": lambda _facts, _options, _control: Chosen(),
    "root_login": lambda facts, options, control: Chosen(**ssh_logins.root(facts, options, control)),
    "password_login": lambda facts, options, control: Chosen(**ssh_logins.passwords(facts, options, control)),
    "allowed_accounts": lambda facts, options, control: Chosen(**ssh_logins.allowed(facts, options, control)),
    "denied_accounts": lambda facts, options, control: Chosen(**ssh_logins.denied(facts, options, control)),
}
