# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The texts of the mesh on a node, and how what the kernel or wireguard-go has compares with them. Pure. Python 3.7 is enough."""
from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from . import record


class Peer(NamedTuple):
    """endpoint: empty where only the peer can begin. keepalive: seconds, 0 for none."""

    name: str
    public_key: str
    ipv4: str
    ipv6: str
    endpoint: str
    keepalive: int

    @property
    def allowed(self) -> str:
        return f"{self.ipv4}/32, {self.ipv6}/128"


class Wanted(NamedTuple):
    """What a node is to have. addresses: with the length of their pool; mtu in bytes."""

    interface: str
    addresses: tuple[str, ...]
    mtu: int
    port: int
    peers: tuple[Peer, ...]


class Live(NamedTuple):
    """What the interface has. peers: public key -> (allowed addresses, keepalive)."""

    public_key: str
    port: int
    peers: dict[str, tuple[frozenset[str], int]]


def unit_name(interface: str) -> str:
    return "hybridops-fleet-mesh.service" if interface == "fleet0" else f"hybridops-fleet-mesh-{interface}.service"


def configuration(wanted: Wanted, private_key: str) -> str:
    """For wg setconf and syncconf. Names of peers go into comments, without what could end a line."""
    lines = ["# Written by role hybridops.fleet.mesh; a change here is overwritten by its next run.", "[Interface]",
             f"ListenPort = {wanted.port}", "PrivateKey = " + private_key]
    for peer in sorted(wanted.peers):
        lines += ["", "# " + "".join(letter if letter.isprintable() else "?" for letter in peer.name), "[Peer]", "PublicKey = " + peer.public_key,
                  "AllowedIPs = " + peer.allowed]
        if peer.endpoint:
            lines.append("Endpoint = " + peer.endpoint)
        if peer.keepalive:
            lines.append(f"PersistentKeepalive = {peer.keepalive}")
    return "\n".join(lines) + "\n"


def unit(wanted: Wanted, programs: dict[str, str], kernel: bool) -> str:
    """The interface from boot to shutdown. What the kernel lacks wireguard-go does, and comes back when it ends. Docker and kubelet start later,
    as they may be told to use the mesh's address."""
    named = any(peer.endpoint and not peer.endpoint[0].isdigit() and not peer.endpoint.startswith("[") for peer in wanted.peers)
    after = "network-online.target nss-lookup.target" if named else "network.target"
    name = wanted.interface
    make = ["Type=oneshot", "RemainAfterExit=yes", "ExecStart={ip} link add dev {name} type wireguard"] if kernel else [
        "Type=forking", "Restart=always", "RestartSec=2", "ExecStart={wireguard_go} {name}"]
    add = ["ExecStartPost={}{{ip}} address add {} dev {{name}}{}".format("-" if ":" in address else "", address, " nodad" if ":" in address else "")
           for address in wanted.addresses]
    lines = [
        "# Written by role hybridops.fleet.mesh; a change here is overwritten by its next run.",
        "[Unit]", "Description=Mesh of the fleet ({name}, WireGuard)", "Documentation=man:wg(8)", "After=" + after,
        *(["Wants=" + after] if named else []), "Before=docker.service containerd.service kubelet.service", "",
        "[Service]", "ExecStartPre=-{ip} link delete dev {name}", *make,
        "ExecStartPost={wg} setconf {name} {file}", *add, f"ExecStartPost={{ip}} link set dev {{name}} mtu {wanted.mtu} up",
        "ExecStop=-{ip} link delete dev {name}", "",
        "[Install]", "WantedBy=multi-user.target", ""]
    return "\n".join(lines).format(name=name, file=configuration_file(name), **programs)


def configuration_file(interface: str) -> str:
    return f"{record.FOLDER}/{interface}.conf"


def parse_dump(text: str) -> Live | None:
    """What ``wg show INTERFACE dump`` says; None when it is not understood. Its first column, the private key, goes no further."""
    rows = [line.split("\t") for line in text.splitlines()]
    if not rows or len(rows[0]) < 4:
        return None
    peers = {}
    for row in rows[1:]:
        if len(row) < 8:
            return None
        keepalive = int(row[7]) if row[7].isdigit() else 0
        peers[row[0]] = (frozenset(row[3].split(",")), keepalive)
    return Live(rows[0][1], int(rows[0][2]) if rows[0][2].isdigit() else 0, peers)


def differs(live: Live, wanted: Wanted, public_key: str) -> list[str]:
    """What has to change in the running interface, in words; [] when nothing has."""
    found = []
    if live.public_key != public_key:
        found.append("key")
    if live.port != wanted.port:
        found.append(f"port {live.port} -> {wanted.port}")
    want = {peer.public_key: peer for peer in wanted.peers}
    found += [f"peer {peer.name} comes" for key, peer in sorted(want.items(), key=lambda row: row[1].name) if key not in live.peers]
    found += [f"peer with key {key[:8]}... goes" for key in sorted(live.peers) if key not in want]
    for key, peer in want.items():
        if key in live.peers and live.peers[key] != (frozenset(peer.allowed.split(", ")), peer.keepalive):
            found.append(f"peer {peer.name} changes")
    return found


def valid_key(key: str) -> bool:
    """Whether it looks like a key of WireGuard: 32 bytes in base64."""
    return len(key) == 44 and key.endswith("=") and all(letter.isalnum() or letter in "+/=" for letter in key)


def wanted_of(values: dict[str, Any], keys: dict[str, str], known: Sequence[dict[str, Any]]) -> Wanted:
    """keys: public key by name of the member, of those that were reached in this run. known: peers that the node has written down; a member that
    could not be reached now keeps its key from there, and one without any key is left out."""
    before = {str(row.get("name")): str(row.get("public_key") or "") for row in known}
    peers = []
    for row in values["peers"]:
        key = keys.get(row["name"]) or before.get(row["name"]) or ""
        if valid_key(key):
            peers.append(Peer(row["name"], key, row["ipv4"], row["ipv6"], row["endpoint"] or "", int(row["keepalive"] or 0)))
    addresses = tuple("{}/{}".format(values[family], values[family + "_pool"].partition("/")[2]) for family in ("ipv4", "ipv6"))
    return Wanted(values["interface"], addresses, values["mtu"], values["port"], tuple(sorted(peers)))
