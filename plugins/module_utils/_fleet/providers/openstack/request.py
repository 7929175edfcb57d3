# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The request for a server, as Nova wants it, and what cannot be asked for. Pure."""
from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import FleetError
from ..actions import Order

TOKEN = "fleet_token"  # noqa: S105 -- no secret: it says which order a server was made for
RUN = "fleet_run"
SETTLED = "fleet_settled"
"""Metadata of a server: the order it was made for, the request that made it, and that runs have agreed on it."""

LONGEST = 255  # characters of a name, of a metadata key and of its value
_USER_DATA = 65535  # bytes, encoded
_KEY = re.compile(r"[A-Za-z0-9_:. -]{1,255}")
_DEFAULT_VOLUME = 20  # GiB, for a flavor without a disk and an image that does not tell its size


def check(order: Order) -> None:
    """Raises FleetError (refused) for an order that Nova would refuse, before anything is made."""
    what = f"make node {order.name}"
    if not 0 < len(order.name) <= LONGEST - len("fleet-") or order.name != order.name.strip() or not order.name.isprintable():
        raise FleetError(what, why=f"OpenStack takes no such name (printable, no spaces around it, at most {LONGEST - len('fleet-')} characters)",
                         fix="Choose another name.", code="refused")
    if order.image is None:
        raise FleetError(what, why="no image was chosen", fix="Name an image.", code="refused")
    adapted_tags(order.tags)
    if order.user_data and len(_encoded(order.user_data)) > _USER_DATA:
        raise FleetError(what, why=f"user_data has more than {_USER_DATA} bytes when encoded",
                         fix="Let user_data fetch the rest, or use a compressed form.", code="refused")


def adapted_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags as metadata. Raises FleetError for one that Nova does not keep."""
    for key, value in tags.items():
        if not _KEY.fullmatch(key):
            raise FleetError("set tags", why=f"'{key}' cannot be a metadata key of OpenStack (letters, digits and _-:. only)",
                             fix="Choose another name for the tag.", code="refused")
        if len(str(value)) > LONGEST:
            raise FleetError("set tags", why=f"the value of tag '{key}' has more than {LONGEST} characters", fix="Shorten it.", code="refused")
    return {key: str(value) for key, value in tags.items()}


def needs_volume(order: Order) -> bool:
    """Whether the root disk must be a volume: the flavor has none, or a smaller one than is wanted."""
    return not order.flavor.disk_gib or (order.disk_gib or 0) > order.flavor.disk_gib


def body(order: Order, run: str, *, minor: int, groups: Sequence[str] | None) -> dict[str, Any]:
    """The body of POST /servers.

    run: word that marks the servers of this request. minor: of the compute API. groups: ids of security groups, None for
    the project's default one.
    """
    if order.image is None:
        raise AssertionError("order.image is known here")
    server: dict[str, Any] = {
        "name": order.name,
        "flavorRef": order.flavor.id,
        "metadata": {**adapted_tags(order.tags), TOKEN: order.token, RUN: run},
    }
    if needs_volume(order):
        # deleted with the server, also when the server never ran
        server["block_device_mapping_v2"] = [{
            "boot_index": 0, "uuid": order.image.id, "source_type": "image", "destination_type": "volume",
            "volume_size": order.disk_gib or max(order.image.min_disk_gib, order.flavor.disk_gib or 0) or _DEFAULT_VOLUME,
            "delete_on_termination": True}]
    else:
        server["imageRef"] = order.image.id
    if order.network:
        server["networks"] = [{"uuid": order.network.id}]
    elif minor >= 37:
        server["networks"] = "auto"
    if order.key_name:
        server["key_name"] = order.key_name
    if order.user_data:
        server["user_data"] = _encoded(order.user_data)
    if order.zone:
        server["availability_zone"] = order.zone
    if groups is not None:
        server["security_groups"] = [{"name": group} for group in groups]  # Nova takes ids here, which are unique
    return {"server": server}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
