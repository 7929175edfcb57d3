# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controls of OpenSSH on who may log in and how. They go on with what role access has decided. Pure."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .decision import Control, Facts, Item, Options

ACCESS_FILE = "/etc/ssh/sshd_config.d/00-hybridops-fleet.conf"
KEEP = "auto"
"""Root keeps its keys where it has had them, and never gets more than it has."""
_RANK = {"no": 0, "forced-commands-only": 1, "prohibit-password": 2, "without-password": 2, "yes": 3}


def root(facts: Facts, options: Options, control: Control) -> dict[str, Any]:
    """PermitRootLogin: what the operator says, else what role access has written, else the profile's; never looser than it is."""
    now = _root_now(facts)
    said, access = _said(options), _access_says(facts, "permitrootlogin")
    profile = str(control.values.get("PermitRootLogin") or KEEP)
    why = ""
    wanted = said or access or profile
    if not said and access and access != profile:
        why = f"role access has decided so ({ACCESS_FILE})"
    if wanted == KEEP:
        wanted = now if _RANK.get(now, 3) <= 2 else "prohibit-password"
        why = "root keeps its keys" if wanted != "no" else ""
    if not said and _RANK.get(now, 3) < _RANK.get(wanted, 3):
        wanted, why = now, f"it is {now} already"
    return {"settings": {"PermitRootLogin": wanted}, "why": why}


def disagreement(facts: Facts, options: Options) -> list[str]:
    """Two roles of ours that say different things would each undo the other's word."""
    said, access = _said(options), _access_says(facts, "permitrootlogin")
    control = options.controls.get("root_login")
    if not said or not access or said == access or control is None or not control.on:
        return []
    words = (f"ssh_hardening_root_login is {said}, and role access has written PermitRootLogin {access} to {ACCESS_FILE}, which is read first: set "
             "access_root_login to the same and run role access, or leave ssh_hardening_root_login out")
    return [words]


def passwords(facts: Facts, options: Options, control: Control) -> dict[str, Any]:
    """Passwords off, but for a second factor that a login asks for beside its key."""
    settings = {name: "no" if value is False else str(value) for name, value in (control.values.get("settings") or {}).items()}
    why = ""
    ways = " ".join((facts["sshd"].get("login") or {}).get("authenticationmethods") or ["any"]).split()
    if any("publickey" in way and "keyboard-interactive" in way for way in ways):
        settings.pop("KbdInteractiveAuthentication", None)
        why = f"KbdInteractiveAuthentication stays, as AuthenticationMethods {' '.join(ways)} asks for it beside the key"
    only = sorted(row["name"] for row in facts.get("accounts") or []
                  if row.get("password") == "set" and not row.get("keys") and not row["shell"].endswith(("nologin", "false")))
    notes = [f"no longer opened over ssh, as they have a password and no key: {', '.join(only)}"] if only else []
    return {"settings": settings, "why": why, "notes": notes}


def allowed(_facts: Facts, options: Options, _control: Control) -> dict[str, Any]:
    """The operator's lists of who may log in. Lists that are there already go on, since sshd adds them up."""
    settings = {keyword: " ".join(str(one) for one in options.variables.get(variable) or [])
                for variable, keyword in (("allow_users", "AllowUsers"), ("allow_groups", "AllowGroups"), ("deny_users", "DenyUsers"),
                                          ("deny_groups", "DenyGroups"))}
    settings = {keyword: value for keyword, value in settings.items() if value}
    if not settings:
        return {"apply": False, "why": "the operator gives no list"}
    return {"settings": settings}


def denied(facts: Facts, options: Options, _control: Control) -> dict[str, Any]:
    """Accounts of the system that nobody logs in to are refused by name, so that a shell or a key that somebody gives them opens nothing."""
    if options.variables.get("deny_users") or any(options.variables.get(name) for name in ("allow_users", "allow_groups")):
        return {"apply": False, "why": "the operator's own lists say who may log in"}
    values = facts["sshd"].get("root") or {}
    elsewhere = [name for name in ("authorizedkeyscommand", "trustedusercakeys") if (values.get(name) or ["none"])[0] not in ("none", "x", "")]
    if elsewhere or any(word.startswith("/") for word in " ".join(values.get("authorizedkeysfile") or []).split()):
        return {"apply": False, "why": "keys of accounts come from elsewhere, so it cannot be seen which of them log in"}
    user = str((facts.get("login") or {}).get("user") or "")
    names = sorted(row["name"] for row in facts.get("accounts") or []
                   if 0 < row["uid"] < 1000 and row["shell"].endswith(("nologin", "false")) and not row.get("keys") and row["name"] != user)
    named = {word for line in facts["sshd"].get("lines") or [] for word in str(line[4]).replace(",", " ").split()}
    names = [name for name in names if name in _OF_THE_SYSTEM and name not in named]
    return {"settings": {"DenyUsers": " ".join(names)}} if names else {"apply": False, "why": "there is no such account"}


_OF_THE_SYSTEM = frozenset({
    "adm", "backup", "bin", "daemon", "games", "gnats", "halt", "irc", "list", "lp", "mail", "man", "messagebus", "news", "nobody", "operator",
    "proxy", "shutdown", "sync", "sys", "systemd-network", "systemd-resolve", "systemd-timesync", "uucp", "www-data"})


def another_server(facts: Facts) -> str:
    """A word when this connection comes through a server that reads another file: it is neither cut by a change here nor a proof of it."""
    config = str((facts.get("login") or {}).get("config") or "")
    return (f"Ansible comes in through another server, which reads {config}: what is changed here cannot shut it out, and its fresh connection does "
            "not prove that logins through the first server work") if config else ""


def others_words(facts: Facts, settings: Mapping[str, str], own: str) -> list[str]:
    """Match blocks that give some a value of their own; they are somebody's decision, and stay."""
    wanted = {keyword.lower(): value for keyword, value in settings.items()}
    return [f"for some it stays {line[3]} (Match {line[4]}, {line[0]} line {line[1]})" for line in facts["sshd"].get("lines") or []
            if line[4] and line[0] != own and line[2] in wanted and str(line[3]).lower() != wanted[line[2]].lower()]


def one_family_only(facts: Facts) -> str:
    """A word when sshd does not listen to both families; somebody has decided so, and it stays."""
    values = facts["sshd"].get("root") or {}
    addresses = [value for value in values.get("listenaddress") or [] if value]
    if not addresses:
        return ""
    v6 = [one for one in addresses if one.startswith("[")]
    if len(v6) in (0, len(addresses)):
        return (f"sshd listens for {'IPv6' if v6 else 'IPv4'} only ({', '.join(addresses)}), as its configuration says; "
                "ssh_hardening_listen_addresses changes it")
    return ""


def socket_item(unit: str, settings: Mapping[str, str]) -> Item:
    """systemd listens in sshd's place and does not read its configuration, so it is told the same."""
    ports = settings.get("Port", "22").split()
    hosts = settings.get("ListenAddress", "").split()
    streams = [_stream(host, port) for host in hosts for port in ports] if hosts else [f"{host}:{port}" for port in ports for host in _EVERYWHERE]
    text = "# Written by hybridops.fleet.ssh_hardening\n[Socket]\nListenStream=\n" + "".join(f"ListenStream={one}\n" for one in streams) + (
        "BindIPv6Only=ipv6-only\n" if not hosts else "") + "FreeBind=yes\n"
    return {"kind": "file", "path": f"/etc/systemd/system/{unit}.d/hybridops-fleet.conf", "content": text, "mode": "0644", "owner": "root",
            "group": "root", "guarded": True, "notify": ["sshd"]}


_EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104


def _stream(host: str, port: str) -> str:
    if host.startswith("["):
        return host if "]:" in host else f"{host}:{port}"
    if host.count(":") > 1:
        return f"[{host}]:{port}"
    return host if ":" in host else f"{host}:{port}"


def _said(options: Options) -> str:
    """The operator's word; YAML makes a truth value of yes and no."""
    word = options.variables.get("root_login")
    return {True: "yes", False: "no", "True": "yes", "False": "no"}.get(word, str(word or ""))


def _root_now(facts: Facts) -> str:
    values = (facts["sshd"].get("root") or {}).get("permitrootlogin") or ["prohibit-password"]
    return str(values[0]).replace("without-password", "prohibit-password")


def _access_says(facts: Facts, keyword: str) -> str:
    """What role access has written, empty when it has not run here."""
    return next((str(line[3]) for line in facts["sshd"].get("lines") or [] if line[0] == ACCESS_FILE and line[2] == keyword), "")
