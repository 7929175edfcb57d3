# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the suite needs of a node's shell: steps 6 to 8. Behind an interface, so that everything else is tested without hosts."""
from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.proofs import Proof

from .judging import Door


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How a node is got into. host: the address to connect to; arguments: of ssh, the bastion among them; predicted: user that
    data tells; host_keys: those that the cloud told; timeout: seconds to wait for an answer; made: whether the node is new."""

    node: Node
    host: str
    port: int
    arguments: Sequence[str]
    key_file: str
    fleet_key_file: str
    fleet_public_key: str
    predicted: str | None
    host_keys: Sequence[str]
    known_hosts: str
    timeout: float


class Shell(Protocol):
    """Raises FleetError: code no_route when this machine cannot reach the node at all, unreachable when it does not answer, login when
    nobody is let in."""

    def login(self, access: Access) -> Door:
        """Step 6: find who is let in with the node's key."""

    def harden(self, access: Access, user: str) -> list[str]:
        """Step 7: the fleet's key in, passwords off; what was done, in words."""

    def take_out(self, access: Access) -> list[str]:
        """Step 8, on the node: the node's own key out of every authorized_keys; what was done, in words."""

    def prove(self, access: Access, users: Sequence[str]) -> Proof:
        """From fresh connections: who is let in with which key, and whether passwords are taken. users: accounts a stranger would try."""
