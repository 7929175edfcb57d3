# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of every cloud: the eight steps and the behaviours around them, as data. Pure.

``aws`` is the answer that AWS gives with nothing but its defaults, the yardstick of the others.
"""
from __future__ import annotations

import dataclasses

YES, PARTIAL, NO, NONE, ERROR = "YES", "PARTIAL", "NO", "-", "ERROR"
VERDICTS = (YES, PARTIAL, NO, NONE, ERROR)
"""The answers. NONE: the question has no meaning here, or was not asked, and the evidence says why. ERROR: it could not be
asked, which says nothing about the cloud."""

RANK = {NO: 0, PARTIAL: 1, YES: 2}
"""How much a cloud does, least first."""


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One question. step: number of the step it is about, None for a behaviour around them. needs: checks without whose
    node or key it cannot be asked; after: checks that it wants to be made before, whatever their answer. ssh: whether it
    logs in. yes, partial, no: what the answers mean, empty for one that is not given."""

    id: str
    step: int | None
    title: str
    yes: str
    partial: str
    no: str
    aws: str
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    ssh: bool = False

    @property
    def label(self) -> str:
        """Its name in tables."""
        return f"{self.step} {self.title}" if self.step else self.title


CHECKS = (
    Check("add_key", 1, "add key", aws=YES,
          yes="the cloud's key store takes a key of the node's own and shows it again",
          partial="there is no key store; the key goes into the node's own metadata",
          no="a key cannot be given to the cloud"),
    Check("metadata", 2, "images, flavors, networks told", aws=YES,
          yes="all are told, with the login user of every image and the role of every network",
          partial="some are not told, or the login user or role of some is not",
          no="images, flavors or networks are not told at all"),
    Check("pick", 3, "pick by requirement", aws=YES, needs=("metadata",),
          yes="a known distribution, a flavor and a network were found without naming any",
          partial="found, but the image only as the first that can be used, whatever it is",
          no="nothing meets the requirement"),
    Check("request", 4, "request the node", aws=YES, needs=("pick",),
          yes="the node runs",
          partial="the node runs, but not from what was chosen first",
          no="the cloud did not make the node, or it did not come to run in time"),
    Check("public_address", 5, "public address", aws=YES, needs=("request",),
          yes="the node has a public IPv4 address, by default or since it was asked for (floating IP, elastic IP, access config)",
          partial="only by IPv6, or only one that the outside of the cloud reaches, but not the internet",
          no="there is none to be had"),
    Check("login", 6, "log in", aws=YES, needs=("request", "add_key"), after=("public_address",), ssh=True,
          yes="the user that the cloud's data tells was let in at the first attempt",
          partial="another user had to be tried, or the host named it",
          no="no user was let in"),
    Check("fleet_keys", 7, "fleet keys in, passwords off", aws=YES, needs=("login",), ssh=True,
          yes="a fresh connection with the fleet's key opens the node, and no password does",
          partial="the fleet's key opens the node, but that passwords are off could not be brought about",
          no="the fleet's key does not open the node"),
    Check("node_key_removed", 8, "node key removed", aws=YES, needs=("fleet_keys",), ssh=True,
          yes="the node's own key is out of key store, metadata and authorized_keys, and is refused",
          partial="it is refused, but the cloud still shows it",
          no="it still opens the node"),
    Check("tags", None, "tags kept and readable", aws=YES, needs=("request",),
          yes="the tags of the request are on the node, and a further one can be set and read",
          partial="the cloud changes them, or keeps only some",
          no="the node has none of them"),
    Check("default_address", None, "public address by default", aws=YES, needs=("request",),
          yes="the node has a public IPv4 address without being asked for one",
          partial="by default it has only IPv6, or only one that the outside of the cloud reaches, but not the internet",
          no="it has none until one is asked for"),
    Check("private_address", None, "private address", aws=YES, needs=("request",),
          yes="the node has a private address beside the public one",
          partial="it has only a private address, and no other",
          no="it has none: what it has is reached from outside"),
    Check("ipv6", None, "IPv6", aws=PARTIAL, needs=("request",),
          yes="the node has a public IPv6 address by default",
          partial="a network with IPv6 is there, but not taken by default, or what the node has is private",
          no="no network of the cloud has IPv6"),
    Check("second_request", None, "second identical request", aws=YES, needs=("request",),
          yes="it makes no second node",
          partial="",
          no="it makes a second node"),
    Check("same_name", None, "two nodes of one name", aws=YES, needs=("request",),
          yes="the cloud takes a second node of the same name, told apart by its id",
          partial="the cloud takes it, but changes the name",
          no="the cloud has one node of a name"),
    Check("host_keys", None, "host keys told", aws=YES, needs=("request",),
          yes="the cloud tells the node's SSH host keys, so that the first login can check them",
          partial="it tells them, but not before the first login",
          no="it does not tell them"),
    Check("stop_start", None, "stop and start", aws=YES, needs=("request",),
          yes="the node stops, and starts again",
          partial="",
          no="the node does not stop, or does not start again"),
    Check("address_stays", None, "address stays over stop and start", aws=PARTIAL, needs=("stop_start",),
          yes="every address is the same afterwards",
          partial="the private address is the same, the public one is another",
          no="the private address is another, too, or one is lost"),
    Check("reboot", None, "reboot", aws=YES, needs=("request",),
          yes="the node runs again after a reboot",
          partial="",
          no="the node cannot be rebooted"),
    Check("key_stays_out", None, "node key stays out", aws=YES, needs=("node_key_removed", "stop_start"), ssh=True,
          yes="after a restart the fleet's key opens the node, and the node's own key is still refused",
          partial="the node's own key is refused, but the fleet's key does not open the node any more",
          no="the node's own key is back"),
    Check("deletion", None, "deletion complete", aws=YES, needs=("request",),
          yes="node, address, security group, disk and key are gone; the cloud lists what it listed before",
          partial="the node is gone, something made for it is not",
          no="the node is still there"),
)

BY_ID = {check.id: check for check in CHECKS}
YARDSTICK = {check.id: check.aws for check in CHECKS}
"""Check -> AWS's own answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A cloud's answer to one question. evidence: why, in words; seconds: how long it took, None when it was not asked."""

    check: str
    verdict: str
    evidence: str
    seconds: float | None = None


def like(verdict: str, reference: str) -> bool | None:
    """Whether an answer is the yardstick's; None where there is nothing to compare."""
    return verdict == reference if verdict in RANK and reference in RANK else None


def worse(verdict: str, reference: str) -> bool:
    """Whether a cloud does not do at all what the yardstick does fully."""
    return verdict == NO and reference == YES
