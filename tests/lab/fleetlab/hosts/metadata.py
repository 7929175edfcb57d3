# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host is told when it asks its metadata service, in the form of its cloud. Pure: a request in, an answer out."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .model import Host

_TOKEN = "bGFi"
_OPENSTACK_VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "latest",
)
_EC2_VERSIONS = ("1.0", "2007-01-19", "2008-02-01", "2009-04-04", "2016-09-02", "2018-09-24", "2020-10-27", "2021-03-23", "latest")


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    kind: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


NOT_FOUND = Answer(404, b"Not Found\n")


def answer(host: Host, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    """Metadata of that host; each cloud's service knows its own paths only."""
    path = "/" + "/".join(part for part in path.split("/") if part)
    if host.cloud == "gce":
        return _gce(host, path, query, headers)
    if host.cloud == "openstack" and path.startswith("/openstack"):
        return _openstack(host, path)
    if host.cloud in ("openstack", "ec2"):
        return _ec2(host, method, path, headers)
    return NOT_FOUND


# -- OpenStack ------------------------------------------------------------------------------------------------
def _openstack(host: Host, path: str) -> Answer:
    parts = path.split("/")[2:]
    if not parts:
        return _text("\n".join(_OPENSTACK_VERSIONS))
    if parts[0] not in _OPENSTACK_VERSIONS:
        return NOT_FOUND
    told = host.metadata
    documents: dict[str, Any] = {
        "meta_data.json": {
            "uuid": told["uuid"],
            "hostname": told["hostname"],
            "name": told["name"],
            "project_id": told["project_id"],
            "launch_index": told["launch_index"],
            "availability_zone": told["availability_zone"],
            "devices": [],
            "random_seed": base64.b64encode(hashlib.sha512(host.key.encode()).digest()).decode(),
            **({"meta": told["meta"]} if told["meta"] else {}),
            **(
                {
                    "public_keys": told["public_keys"],
                    "keys": [{"name": name, "type": "ssh", "data": data} for name, data in told["public_keys"].items()],
                }
                if told["public_keys"]
                else {}
            ),
        },
        "network_data.json": network_data(host),
        "vendor_data.json": {},
        "vendor_data2.json": {},
    }
    user_data = _decoded(told["user_data"])
    if parts[1:] == []:
        return _text("\n".join([*documents, *(["user_data"] if user_data else [])]))
    if parts[1:] == ["user_data"]:
        return Answer(200, user_data, "application/octet-stream") if user_data else NOT_FOUND
    return _json(documents[parts[1]]) if parts[1] in documents and len(parts) == 2 else NOT_FOUND


def network_data(host: Host) -> dict[str, Any]:
    """Nova's network_data.json."""
    links, networks = [], []
    for number, nic in enumerate(host.nics):
        links.append({"id": f"tap{number}", "type": "ovs", "ethernet_mac_address": nic.mac, "mtu": nic.mtu, "vif_id": f"{host.ident}-{number}"})
        for place, address in enumerate(nic.addresses):
            networks.append(
                {
                    "id": f"network{number}-{place}",
                    "link": f"tap{number}",
                    "type": f"ipv{address.version}",
                    "network_id": nic.segment,
                    "ip_address": address.ip,
                    "prefix": address.prefix,
                    "routes": [],
                }
            )
    return {"links": links, "networks": networks, "services": []}


# -- EC2, and OpenStack's imitation of it ---------------------------------------------------------------------
def _ec2(host: Host, method: str, path: str, headers: Mapping[str, str]) -> Answer:
    given = {name.lower(): value for name, value in headers.items()}
    if host.cloud == "ec2":
        if path == "/latest/api/token":
            if method != "PUT" or "x-aws-ec2-metadata-token-ttl-seconds" not in given:
                return Answer(400 if method == "PUT" else 405)
            return Answer(
                200, _token(host).encode(), headers=(("X-aws-ec2-metadata-token-ttl-seconds", given["x-aws-ec2-metadata-token-ttl-seconds"]),)
            )
        if given.get("x-aws-ec2-metadata-token") != _token(host):
            return Answer(401, b"Unauthorized\n")  # version 1 is off, as on every new account
    parts = path.split("/")[1:]
    if parts == [""]:
        return _text("\n".join(_EC2_VERSIONS))
    if parts[0] not in _EC2_VERSIONS:
        return NOT_FOUND
    user_data = _decoded(host.metadata["user_data"])
    if parts[1:] == ["user-data"]:
        return Answer(200, user_data, "application/octet-stream") if user_data else NOT_FOUND
    node: Any = {"dynamic": _dynamic(host), "meta-data": _meta_data(host), **({"user-data": ""} if user_data else {})}
    return _leaf(node, parts[1:])


def _leaf(node: Any, parts: list[str]) -> Answer:
    for part in parts:
        if not isinstance(node, Mapping) or part not in node:
            return NOT_FOUND
        node = node[part]
    if isinstance(node, _Keys):
        return _text("\n".join(f"{number}={name}" for number, name in enumerate(node.names)))
    if isinstance(node, Mapping):
        return _text("\n".join(f"{name}/" if isinstance(value, Mapping) else name for name, value in node.items()))
    return _text(str(node))


class _Keys(dict[str, Any]):
    """public-keys lists itself in a way of its own."""

    names: tuple[str, ...] = ()


def _keys(found: Mapping[str, str]) -> dict[str, Any]:
    keys = _Keys({str(number): {"openssh-key": key.strip()} for number, key in enumerate(found.values())})
    keys.names = tuple(found)
    return {"public-keys": keys} if found else {}


def _dynamic(host: Host) -> dict[str, Any]:
    if host.cloud != "ec2":
        return {}
    told = host.metadata
    document = {
        "accountId": told["account"],
        "region": told["region"],
        "availabilityZone": told["zone"],
        "instanceId": told["id"],
        "imageId": told["image"],
        "instanceType": told["type"],
        "privateIp": _first(host).ip if _first(host) else None,
        "architecture": "x86_64",
        "version": "2017-09-30",
    }
    return {"instance-identity": {"document": json.dumps(document, indent=2)}}


def _first(host: Host) -> Any:
    return next((address for nic in host.nics for address in nic.addresses if address.version == 4), None)


def _meta_data(host: Host) -> dict[str, Any]:
    told, first = host.metadata, _first(host)
    local, public = (first.ip, first.public) if first else ("", None)
    if host.cloud == "openstack":
        return {
            "ami-id": "ami-00000001",
            "ami-launch-index": told["launch_index"],
            "hostname": told["hostname"],
            "local-hostname": told["hostname"],
            "instance-id": f"i-{told['uuid'][:8]}",
            "instance-type": "lab",
            "local-ipv4": local,
            "public-ipv4": public or "",
            "placement": {"availability-zone": told["availability_zone"]},
            **_keys(told["public_keys"]),
        }
    return {
        "ami-id": told["image"],
        "ami-launch-index": told["launch_index"],
        "hostname": told["dns"],
        "local-hostname": told["dns"],
        "instance-id": told["id"],
        "instance-type": told["type"],
        **({"local-ipv4": local} if local else {}),
        "mac": host.nics[0].mac if host.nics else "",
        **({"public-ipv4": public} if public else {}),
        "network": {"interfaces": {"macs": _macs(host)}},
        "placement": {"availability-zone": told["zone"], "region": told["region"]},
        "profile": "default-hvm",
        "security-groups": "\n".join(told["security_groups"]),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
        **_keys({told["key_name"]: told["public_key"]} if told["public_key"] else {}),
    }


def _macs(host: Host) -> dict[str, Any]:
    found = {}
    for number, nic in enumerate(host.nics):
        v4 = [address for address in nic.addresses if address.version == 4]
        v6 = [address.ip for address in nic.addresses if address.version == 6]
        found[nic.mac] = {
            "device-number": str(number),
            "mac": nic.mac,
            "subnet-id": nic.segment,
            **({"local-ipv4s": "\n".join(a.ip for a in v4)} if v4 else {}),
            **({"public-ipv4s": v4[0].public} if v4 and v4[0].public else {}),
            **({"ipv6s": "\n".join(v6)} if v6 else {}),
        }
    return found


def _token(host: Host) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(f"{_TOKEN}{host.key}".encode()).digest()).decode()


# -- Google ---------------------------------------------------------------------------------------------------
FLAVOR = (("Metadata-Flavor", "Google"), ("Server", "Metadata Server for VM"))

# how a path spells what the JSON form calls otherwise
_PATHS = {
    "project-id": "projectId",
    "numeric-project-id": "numericProjectId",
    "service-accounts": "serviceAccounts",
    "machine-type": "machineType",
    "network-interfaces": "networkInterfaces",
    "access-configs": "accessConfigs",
    "external-ip": "externalIp",
    "guest-attributes": "guestAttributes",
}


def etag(host: Host) -> str:
    """Changes with what the host would be told."""
    return hashlib.sha256(json.dumps(host.metadata, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _gce(host: Host, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    given = {name.lower(): value for name, value in headers.items()}
    if path == "/":
        return Answer(200, b"computeMetadata/\n", "application/text", FLAVOR)
    if given.get("metadata-flavor") != "Google":
        return Answer(403, b"Missing Metadata-Flavor:Google header.", "text/html", FLAVOR)
    if not path.startswith("/computeMetadata/v1"):
        return Answer(404, b"", "text/html", FLAVOR)
    node: Any = host.metadata["tree"]
    for part in path.split("/")[3:]:
        name = _PATHS.get(part, part)
        if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, Mapping) and name in node:
            node = node[name]
        else:
            return Answer(404, b"", "text/html", FLAVOR)
    headers_out = (*FLAVOR, ("ETag", etag(host)))
    if isinstance(node, Mapping | list) and query.get("recursive", "").lower() == "true":
        return Answer(200, json.dumps(node).encode(), "application/json", headers_out)
    if isinstance(node, Mapping):
        listed = "".join(f"{name}/\n" if isinstance(value, Mapping | list) else f"{name}\n" for name, value in node.items())
        return Answer(200, listed.encode(), "application/text", headers_out)
    if isinstance(node, list):
        listed = "".join(f"{number}/\n" if isinstance(item, Mapping) else f"{item}\n" for number, item in enumerate(node))
        return Answer(200, listed.encode(), "application/text", headers_out)
    return Answer(200, str(node).encode(), "application/text", headers_out)


# -- shared ---------------------------------------------------------------------------------------------------
def _text(text: str) -> Answer:
    return Answer(200, text.encode())


def _json(content: object) -> Answer:
    return Answer(200, json.dumps(content).encode(), "application/json")


def _decoded(user_data: str) -> bytes:
    """User data as the host gets it; the APIs take it in base64."""
    try:
        return base64.b64decode(user_data, validate=True)
    except (binascii.Error, ValueError):
        return user_data.encode()
