# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How to get to a node: the options of ssh, through bastions or not, host keys always checked. Pure.

``ProxyJump`` is written out as a ``ProxyCommand``, because ssh hands no ``-o`` option on to the host it jumps through: neither
the fleet's known_hosts file nor the check itself would hold there.
"""
from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Mapping, Sequence

from . import arguments

# What of the operator's own ssh configuration still counts when a node is asked with exactly one key and a clean slate.
_KEPT = (
    "addressfamily", "bindaddress", "bindinterface", "ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes", "casignaturealgorithms", "ipqos", "tcpkeepalive", "compression", "rekeylimit", "identityagent", "globalknownhostsfile",
    "requiredrsasize")
_HOP = re.compile(r"^(?:ssh://)?(?:(?P<user>[^@\s]+)@)?(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:/@\s]+))(?::(?P<port>\d+))?/?$")


@dataclasses.dataclass(frozen=True, slots=True)
class Hop:
    """A host to jump through. host: as the operator wrote it, so that his ssh configuration for it holds."""

    host: str
    user: str | None = None
    port: int | None = None
    identities: tuple[str, ...] = ()
    known_as: str = ""
    known: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """The way to one node.

    alias: the name its host key is kept under, None for its address; resolved: what ``ssh -G`` says of the host;
    hops: outermost first. spare: a file for keys seen for the first time, where that is allowed.
    """

    host: str
    port: int
    known_hosts: str
    alias: str | None = None
    hops: tuple[Hop, ...] = ()
    resolved: Mapping[str, str] = dataclasses.field(default_factory=dict)
    connect_timeout: int = 10
    ssh: str = "ssh"


def parse_resolved(text: str) -> dict[str, str]:
    """Output of ``ssh -G``. Of a setting that stands there several times the values are joined by line breaks."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _sep, value = line.strip().partition(" ")
        if name:
            found[name.lower()] = f"{found[name.lower()]}\n{value}" if name.lower() in found else value
    return found


def hops_of(resolved: Mapping[str, str]) -> list[Hop]:
    """The hosts of a ProxyJump, outermost first; none when there is none or the operator has a ProxyCommand of his own."""
    jump = resolved.get("proxyjump", "none")
    if jump.lower() in ("", "none"):
        return []
    hops = []
    for part in jump.split(","):
        found = _HOP.match(part.strip())
        if not found:
            raise ValueError(part.strip())
        port = found.group("port")
        hops.append(Hop(found.group("v6") or found.group("host"), found.group("user"), int(port) if port else None))
    return hops


def name_in_known_hosts(host: str, port: int) -> str:
    """The name ssh looks a host key up by."""
    return host if port == 22 else f"[{host}]:{port}"


def key_name(route: Route) -> str:
    """The name the node's host key is kept under."""
    return route.alias or name_in_known_hosts(route.resolved.get("hostname", route.host), route.port)


def alias_for(cloud: str | None, node_id: str | None) -> str | None:
    """A name for a host key that stays with the machine when its address moves on to another one."""
    if not cloud or not node_id:
        return None
    return re.sub(r"[^A-Za-z0-9._/-]", "_", f"{cloud}/{node_id}").lower()


def trust(route: Route, *, spare: str | None = None) -> dict[str, str]:
    """The settings by which the node's host key is checked. spare: accept a first key, and write it there."""
    values = {
        "StrictHostKeyChecking": "accept-new" if spare else "yes",
        "UserKnownHostsFile": arguments.files([spare, route.known_hosts] if spare else [route.known_hosts]),
        "UpdateHostKeys": "no",
        "CheckHostIP": "no",
        "HashKnownHosts": "no",
    }
    return {"HostKeyAlias": route.alias, **values} if route.alias else values


def proxy_command(route: Route, *, spare: str | None = None, own_known_hosts: str = "~/.ssh/known_hosts") -> str | None:
    """The ProxyCommand for the hops, None without any."""
    command: str | None = None
    for hop in route.hops:
        accept = spare is not None and not hop.known
        known = [*([spare] if accept and spare else []), route.known_hosts, own_known_hosts]
        words = [
            route.ssh, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={route.connect_timeout}", "-o", "ControlMaster=no",
            "-o", f"StrictHostKeyChecking={'accept-new' if accept else 'yes'}", "-o", f"UserKnownHostsFile={arguments.files(known)}",
            "-o", "UpdateHostKeys=no", "-o", "HashKnownHosts=no", "-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes"]
        for identity in hop.identities:
            words += ["-i", identity]
        if command:
            words += ["-o", f"ProxyCommand={command}"]
        if hop.user:
            words += ["-l", hop.user]
        if hop.port:
            words += ["-p", str(hop.port)]
        # all percent signs but those of the last two words are of an inner level, or of a path
        command = shlex.join(words).replace("%", "%%") + " -W '[%h]:%p' " + shlex.quote(hop.host)
    return command


def command(
    route: Route, user: str, key: str | None, remote: str, *, methods: str = "publickey", spare: str | None = None
) -> list[str]:
    """The client's arguments for one fresh connection that offers exactly one key, or none."""
    values = {
        "BatchMode": "yes", "ConnectTimeout": str(route.connect_timeout), "ConnectionAttempts": "1", "ControlMaster": "no", "ControlPath": "none",
        "IdentitiesOnly": "yes", "PreferredAuthentications": methods, "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no",
        "PubkeyAuthentication": "yes" if key else "no", "GSSAPIAuthentication": "no", "HostbasedAuthentication": "no",
        "NumberOfPasswordPrompts": "0", "ForwardAgent": "no", "ServerAliveInterval": "5", "ServerAliveCountMax": "3",
        **trust(route, spare=spare),
    }
    for name in _KEPT:
        value = route.resolved.get(name)
        if value and value.lower() != "none" and "\n" not in value:
            values[name] = value
    jump = proxy_command(route, spare=spare) or route.resolved.get("proxycommand")
    if jump and jump.lower() != "none":
        values["ProxyCommand"] = jump
    words = [route.ssh, "-v", "-T", "-F", "none", *arguments.options(values)]
    if key:
        words += ["-i", key]
    return [*words, "-p", str(route.port), "-l", user, "--", route.resolved.get("hostname", route.host), remote]


def later_arguments(route: Route, ssh_args: Sequence[str], common: Sequence[str], extra: Sequence[str]) -> dict[str, str]:
    """Variables with which Ansible's own connections take the same way with the same checks: ansible_ssh_args,
    ansible_ssh_common_args, ansible_ssh_extra_args. What the operator gave stays, but what would contradict."""
    ours = arguments.OWN | {"hashknownhosts"}
    jump = proxy_command(route)
    gone = ours | (arguments.JUMPS if jump else frozenset())
    kept = {"ansible_ssh_args": ssh_args, "ansible_ssh_common_args": common, "ansible_ssh_extra_args": extra}
    result = {name: list(arguments.without(words, gone)) for name, words in kept.items()}
    if jump:
        result["ansible_ssh_common_args"] += ["-o", f"ProxyCommand={jump}"]
    result["ansible_ssh_extra_args"] += arguments.options({**trust(route), "IdentitiesOnly": "yes"})
    return {name: arguments.join(words) for name, words in result.items()}
