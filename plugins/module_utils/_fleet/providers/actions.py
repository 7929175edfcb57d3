# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The contract of making nodes: what every provider can do in one scope (region, project, source) of a cloud.

A provider offers small steps, each of which may be repeated; the order of the steps, the waiting, the cleaning up after
a failure and the answer to the operator are in ``making``, once for all providers. Methods raise FleetError, with the
retries of passing errors already done; they are called from several threads.

Every resource that is made for a node carries its mark, in the same request that makes it wherever the cloud can: the
tag (label, metadata, description) ``fleet_node`` with the node's name. So a run that was killed at any moment loses
nothing: the next one finds what there is.
"""
from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..catalog import Catalog, CatalogFlavor, CatalogImage, CatalogNetwork

if TYPE_CHECKING:
    from ..fleet_file import Cloud
    from .base import Run

MARK = "fleet_node"
"""Tag of everything made for a node; its value is the node's name."""


def key_mark(name: str) -> str:
    """Comment of a key that this collection has made: the mark, for clouds that keep no tags of keys."""
    return f"{MARK}={name}"


def part_mark(part: str) -> str:
    """Description of a rule of one part of a node's own rules, for clouds that keep one with each rule."""
    return f"fleet_part={part}"


POWER_ACTIONS = ("start", "stop", "reboot")


@dataclasses.dataclass(frozen=True, slots=True)
class SecurityRule:
    """Traffic to let in. port to last_port of protocol tcp or udp; protocol icmp has no ports. sources: CIDRs."""

    port: int | None
    last_port: int | None
    protocol: str
    sources: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """One node to make, everything chosen.

    name: of the node, unique among the living ones of its cloud. token: stays the same when the same request is sent
    again (client token, requestId). reachable: "public", "private" or "any"; families: those wanted, ("ipv4",), ("ipv6",)
    or both. key_name: in the cloud's key store; public_key: OpenSSH line, for clouds without one. login_user: account
    that public_key is for where the cloud makes accounts from keys (GCE). tags: already with the mark. rules: None leaves
    the cloud's defaults. disk_gib: size of the root disk in GiB where it is chosen with the node, None for the image's.
    zone: None lets the cloud choose.
    """

    name: str
    image: CatalogImage | None
    flavor: CatalogFlavor
    network: CatalogNetwork | None
    token: str
    reachable: str = "any"
    families: tuple[str, ...] = ("ipv4",)
    key_name: str | None = None
    public_key: str | None = None
    login_user: str | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rules: tuple[SecurityRule, ...] | None = None
    user_data: str | None = None
    disk_gib: int | None = None
    zone: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """Where a node stands. state: normalised (shape.STATES); fault: what the cloud says went wrong; doing: what it is busy
    with, for the words of a wait that ended."""

    state: str
    fault: str = ""
    doing: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class StoredKey:
    """A key in the cloud's key store. public_key: OpenSSH line, None when the cloud keeps only a fingerprint. ours: whether it
    carries the mark of that name (``key_mark``), in a tag or in the comment of the line."""

    name: str
    fingerprint: str | None
    public_key: str | None = None
    ours: bool = False


class Actions(abc.ABC):
    """What can be done in one scope of a cloud."""

    key_store = True
    """Whether the cloud keeps SSH keys by name, apart from the nodes."""

    def __init__(self, cloud: Cloud, run: Run, scope: str) -> None:
        self.cloud = cloud
        self.run = run
        self.scope = scope

    # -- step 2: what there is ---------------------------------------------------------------------------------
    @abc.abstractmethod
    def catalog(self, parts: frozenset[str], image_names: Sequence[str] = ()) -> Catalog:
        """What the scope offers, of the parts asked for (catalog.PARTS).

        image_names: words of the image that is wanted (distro, family, name, id; lower case), by which a provider with
        many thousand public images asks for those only; others may be listed too, as selection chooses afterwards.
        """

    # -- steps 1 and 8: keys -----------------------------------------------------------------------------------
    def find_key(self, name: str) -> StoredKey | None:
        """The key of that name in the key store, None when there is none. Not called without key_store."""
        raise NotImplementedError

    def add_key(self, name: str, public_key: str) -> None:
        """Put a key into the key store. A key of the same name and content is no failure; one of other content is
        (FleetError, code key_differs)."""
        raise NotImplementedError

    def remove_key(self, name: str) -> bool:
        """Take a key out of the key store; whether there was one."""
        raise NotImplementedError

    def node_keys(self, node_id: str) -> tuple[str, ...]:
        """SSH keys in the node's own metadata, OpenSSH lines without the user; empty where the cloud keeps none there."""
        return ()

    def add_node_key(self, node_id: str, user: str, public_key: str) -> bool:
        """Put a key into the node's own metadata; whether something changed. Only for clouds without key store."""
        raise NotImplementedError

    def remove_node_key(self, node_id: str, public_key: str) -> bool:
        """Take a key out of the node's own metadata (and of any place from which it would come back after a reboot);
        whether something changed."""
        return False

    # -- steps 4 and 5: nodes ----------------------------------------------------------------------------------
    def check(self, order: Order) -> None:  # noqa: B027  most clouds refuse nothing for sure
        """Raises FleetError for an order that the cloud would refuse whatever it has, such as a name that it does not take.
        Pure; asked for all orders before the first is carried out, also in check mode."""

    @abc.abstractmethod
    def create(self, order: Order) -> str:
        """Ask for the node, with its security group where rules are given; returns its id. One request, sent again with
        the same token when the answer was lost; a node that the same order has made before is returned, not doubled.

        Raises FleetError with code quota, image_gone, capacity, address_pool where that is the cause.
        """

    def confirm(self, order: Order, node_id: str) -> str:
        """The id of the node that counts, when two runs may have made one each; asked once more when the node runs. A
        provider whose cloud has no token of its own removes the surplus one here."""
        return node_id

    @abc.abstractmethod
    def status(self, node_ids: Sequence[str]) -> dict[str, Status]:
        """Where these nodes stand, in as few requests as the cloud allows; those that are gone are left out."""

    @abc.abstractmethod
    def publish(self, order: Order, node_id: str) -> str | None:
        """See that a running node has the public address that its order wants: nothing to do, or reuse a free floating or
        elastic IP, or allocate one (marked, so that ``clean`` releases it) and attach it. Returns a word on what was done,
        None when nothing had to be. Raises FleetError (code address_pool) when there is none to be had.
        """

    @abc.abstractmethod
    def delete(self, node_id: str) -> None:
        """Ask for the end of a node; no failure when it is gone already. ``status`` tells when it is gone."""

    @abc.abstractmethod
    def leftovers(self, name: str) -> list[str]:
        """What still carries the mark of that name, beside nodes, in words ("floating IP 203.0.113.7"). Only reads."""

    @abc.abstractmethod
    def marked(self, prefix: str) -> set[str]:
        """The marks (names of nodes) beginning with that prefix that anything in this scope carries: nodes, what
        ``leftovers`` tells, and keys of the key store, also of nodes that are gone. Only reads. prefix: not empty, as some
        key stores keep no mark, and a key is then taken for one by its name."""

    @abc.abstractmethod
    def clean(self, name: str) -> list[str]:
        """Remove what was made for the node of that name and is marked so: addresses, security groups, volumes. The node
        itself is gone. Returns words of what was removed; removing it again removes nothing."""

    def bring_rules(self, name: str, node_id: str, part: str, rules: Sequence[SecurityRule], *, check: bool = False) -> list[str]:
        """See that one part of the rules of a living node's own security group is these, and leave all others as they are; no rules
        take the part away. part: a word of small letters. Returns what was changed, in words ("lets in udp 51820 from
        192.0.2.7/32"), with ``check`` what would be. Nothing where the cloud filters nothing, or by rules that are not the node's
        own, of which it warns.
        """
        return []

    @abc.abstractmethod
    def power(self, node_id: str, action: str) -> bool:
        """start, stop or reboot a node (POWER_ACTIONS), without waiting; whether something had to be asked for."""

    def adapted_tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The tags as the cloud will show them when they are set (GCE's labels have no capital letters). Raises FleetError
        for one that the cloud cannot keep. Pure."""
        return dict(tags)

    @abc.abstractmethod
    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        """Set tags (labels, metadata) of a node; None removes one. Others stay. Whether something changed."""

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        """SSH host keys ("type base64") where the cloud can tell them (console output, guest attributes), None when it
        tells none yet."""
        return None
