# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From Nova's server record to evidence. Pure; a record is what ``GET /servers/detail`` lists.

Nothing but "id" is taken for granted: clouds differ in API version and in the extensions they run.
"""
from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...address_class import PUBLIC, classify
from ...shape import AddressEvidence, InterfaceEvidence, LoginEvidence, NodeEvidence
from .images import ImageBook
from .networks import Network, Networks

Record = Mapping[str, Any]

STATUSES = {
    "ACTIVE": "running", "BUILD": "pending", "DELETED": "deleting", "ERROR": "error", "HARD_REBOOT": "running",
    "MIGRATING": "running", "PASSWORD": "running", "PAUSED": "paused", "REBOOT": "running", "REBUILD": "pending",
    "RESCUE": "running", "RESIZE": "pending", "REVERT_RESIZE": "pending", "SHELVED": "stopped",
    "SHELVED_OFFLOADED": "stopped", "SHUTOFF": "stopped", "SOFT_DELETED": "deleting", "SUSPENDED": "paused",
    "UNKNOWN": "unknown", "VERIFY_RESIZE": "running",
}
"""Nova's server status -> normalised state."""

TASKS = {
    "deleting": "deleting", "soft-deleting": "deleting", "powering-off": "stopping", "suspending": "stopping",
    "pausing": "stopping", "shelving": "stopping", "powering-on": "pending", "resuming": "pending",
    "unpausing": "pending", "unshelving": "pending",
}
"""Nova's task_state -> normalised state: what is happening is nearer to the truth than the status before it."""

_SECRETS = ("adminpass", "user_data", "password", "personality")
_FLOATING = "floating IP"


@dataclasses.dataclass(frozen=True, slots=True)
class Knowledge:
    """What is needed of a region to understand its servers. project: id and name the token is for; flavors: names by
    id, for compute API before 2.47; extra: fields of the record to keep."""

    region: str | None
    project: tuple[str | None, str | None]
    networks: Networks
    images: ImageBook
    flavors: Mapping[str, str]
    extra: tuple[str, ...] = ()


def status_for(states: Collection[str]) -> str | None:
    """The Nova status to ask for. "error" is the only state that is one status; any other covers several or depends on
    the task, and asking for one of them would leave nodes out."""
    return "ERROR" if set(states) == {"error"} else None


def is_partial(server: Record) -> bool:
    """Whether Nova could not read this server: since 2.69 it lists servers of a cell that is down with little but their
    id (status UNKNOWN)."""
    return "addresses" not in server and server.get("status", "UNKNOWN") == "UNKNOWN"


def evidence(server: Record, known: Knowledge) -> NodeEvidence:
    """What one server record tells.

    Raises KeyError, TypeError, ValueError or AttributeError when it is not what the compute API promises.
    """
    image = known.images.of(server)
    metadata = {key: str(value) for key, value in (server.get("metadata") or {}).items()}
    project = server.get("tenant_id")
    own_id, own_name = known.project
    return NodeEvidence(
        id=server["id"],
        name=server.get("name") or None,
        state=state_of(server),
        account=(own_name or project) if project in (None, own_id) else project,
        region=known.region,
        zone=server.get("OS-EXT-AZ:availability_zone") or None,
        created=server.get("created") or None,
        flavor=_flavor(server.get("flavor") or {}, known.flavors),
        arch=image.arch,
        image=image.image,
        tags={**dict.fromkeys(server["tags"], ""), **metadata} if server.get("tags") else metadata,
        interfaces=_interfaces(server.get("addresses") or {}, known.networks),
        security_groups=tuple(dict.fromkeys(group["name"] for group in server.get("security_groups") or ())),
        login=LoginEvidence(image_properties=image.properties, metadata=metadata),
        access_ips=tuple(_canonical(ip) for ip in (server.get("accessIPv4"), server.get("accessIPv6")) if ip),
        extra={name: server[name] for name in known.extra if name in server and not _secret(name)},
    )


def _secret(field: str) -> bool:
    folded = field.lower()
    return any(word in folded for word in _SECRETS)


def state_of(server: Record) -> str:
    """Normalised state of a server."""
    task = server.get("OS-EXT-STS:task_state")
    return (TASKS.get(task) if task else None) or STATUSES.get(server.get("status", ""), "unknown")


def _flavor(flavor: Record, names: Mapping[str, str]) -> str | None:
    name = flavor.get("original_name")  # compute API 2.47
    return str(name) if name else names.get(flavor.get("id", ""))


# ------------------------------------------------------------------------------------------------ addresses
def _interfaces(addresses: Mapping[str, Sequence[Record]], networks: Networks) -> tuple[InterfaceEvidence, ...]:
    """Nova's addresses, by network label, as interfaces: those with the same label and MAC belong together."""
    built: list[tuple[bool, InterfaceEvidence]] = []
    for label, entries in addresses.items():
        by_mac: dict[str | None, list[Record]] = {}
        for entry in entries:
            by_mac.setdefault(entry.get("OS-EXT-IPS-MAC:mac_addr"), []).append(entry)
        for mac, own in by_mac.items():
            fixed = [entry["addr"] for entry in own if entry.get("OS-EXT-IPS:type") != "floating"]
            network = networks.find(label, mac, fixed)
            built.append((network.declared is not None and network.declared.default, InterfaceEvidence(
                network=network.name,
                network_id=network.id,
                mac=mac,
                mtu=network.mtu,
                domain=network.domain,
                addresses=_addresses(own, network, entries),
            )))
    if len(built) > 1:
        built.sort(key=lambda pair: not pair[0])  # clouds.yaml's default_interface first, else Nova's order
    return tuple(interface for _first, interface in built)


def _addresses(own: Sequence[Record], network: Network, on_network: Sequence[Record]) -> tuple[AddressEvidence, ...]:
    """The addresses of one interface. on_network: all of the server's entries under the same label."""
    found = []
    inside: str | None = None
    for entry in own:
        if entry.get("OS-EXT-IPS:type") == "floating":
            classify(entry["addr"])  # an address, or ValueError
            if inside is None:
                inside = _first_fixed_v4(own) or _first_fixed_v4(on_network)
            found.append(AddressEvidence(entry["addr"], nat_of=inside, nat_kind=_FLOATING))
        else:
            address = _fixed(entry["addr"], network)
            if address:
                found.append(address)
    return tuple(found)


def _canonical(ip: str) -> str:
    """An address as Nova writes those of ports; whoever set accessIPv6 may have written it otherwise."""
    try:
        return str(ipaddress.ip_address(ip))
    except ValueError:
        return ip


def _first_fixed_v4(entries: Sequence[Record]) -> str | None:
    """The inside of a floating IP: Nova tells its port by the MAC only, and ports with several IPv4 are rare."""
    return next((
        entry["addr"] for entry in entries
        if entry.get("OS-EXT-IPS:type") != "floating" and classify(entry["addr"])[0] == 4), None)


def _fixed(ip: str, network: Network) -> AddressEvidence | None:
    family, kind = classify(ip)
    if kind == "link-local":
        return None
    role, why = network.declared.role(family, public=kind == PUBLIC) if network.declared else (None, "")
    return AddressEvidence(
        ip,
        routed=True if network.external else None,
        routed_why=network.why,
        network_known=network.external is False,
        operator_role=role,
        operator_why=why,
    )
