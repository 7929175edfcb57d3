# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything this EC2 holds of its instances, of all accounts and regions, for the lab's hosts; and a way to wait for changes."""
from __future__ import annotations

import threading
import time
from typing import Any

_LONGEST_WAIT = 60.0
_READING = ("Describe", "Get", "List", "Assume", "Lookup")


class Changes:
    """Counts calls that may have changed something."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._count = 1

    def note(self, action: str, status: int) -> None:
        if status < 400 and action and not action.startswith(_READING):
            with self._news:
                self._count += 1
                self._news.notify_all()

    def after(self, count: int, seconds: float) -> int:
        """The count, as soon as it differs from the one given or the time is over."""
        deadline = time.monotonic() + min(seconds, _LONGEST_WAIT)
        with self._news:
            while self._count == count and (left := deadline - time.monotonic()) > 0:
                self._news.wait(left)
            return self._count


def dump() -> dict[str, Any]:
    """All instances and their subnets. Reads what the API's answers are made of, without a call per account and region."""
    from moto.ec2.models import ec2_backends

    instances: list[dict[str, Any]] = []
    subnets: dict[str, Any] = {}
    for account, regions in list(ec2_backends.items()):
        for region, backend in list(regions.items()):
            found = [instance for reservation in list(backend.reservations.values()) for instance in reservation.instances]
            for instance in found:
                if instance.state != "terminated":
                    instances.append(_instance(account, region, backend, instance, subnets))
    return {"instances": instances, "subnets": subnets}


def _instance(account: str, region: str, backend: Any, instance: Any, subnets: dict[str, Any]) -> dict[str, Any]:
    key = backend.key_pairs.get(instance.key_name)
    nics = []
    for index, eni in sorted(instance.nics.items()):
        if eni.subnet.id not in subnets:
            subnets[eni.subnet.id] = _subnet(backend, eni.subnet)
        nics.append({
            "index": index, "id": eni.id, "mac": eni.mac_address, "subnet": eni.subnet.id, "public": eni.public_ip, "ipv6": list(eni.ipv6_addresses),
            "ipv4": [item["PrivateIpAddress"] for item in eni.private_ip_addresses or []],
        })
    names, windows = image_names(instance)
    return {
        "account": account, "region": region, "id": instance.id, "state": instance.state, "launched": instance.launch_time.timestamp(),
        "restarted": getattr(instance, "lab_restarted", 0.0), "image": instance.image_id, "image_names": names, "windows": windows,
        "type": instance.instance_type, "zone": instance._placement.zone, "key_name": instance.key_name,
        "public_key": getattr(instance, "lab_public_key", None) or _text(getattr(key, "material_public", "")), "user_data": _text(instance.user_data),
        "dns": instance.private_dns_name, "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()}, "nics": nics,
        "security_groups": [group.name for group in instance.security_groups], "launch_index": int(getattr(instance, "ami_launch_index", 0) or 0),
    }


def image_names(instance: Any) -> tuple[list[str], bool]:
    """Names of the image and of those it was made from, as they were at the launch, newest first; and whether it is Windows."""
    return getattr(instance, "lab_image_names", ([], False))


def _subnet(backend: Any, subnet: Any) -> dict[str, Any]:
    blocks = [item["ipv6CidrBlock"] for item in subnet.ipv6_cidr_block_associations.values() if "ipv6CidrBlock" in item]
    tables = [table for table in backend.route_tables.values() if table.vpc_id == subnet.vpc_id]
    table = next((table for table in tables if subnet.id in getattr(table, "_associations", {}).values()), None)
    table = table or next((table for table in tables if table.main_association_id), None)
    ways = [route for route in (table.routes if table else []) if getattr(route, "destination_ipv6_cidr_block", None) == "::/0"]
    open_v6 = any(getattr(getattr(route, "gateway", None), "id", "").startswith("igw-") for route in ways)
    return {"vpc": subnet.vpc_id, "ipv4": subnet.cidr_block, "ipv6": blocks[0] if blocks else None, "ipv6_open": open_v6}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
