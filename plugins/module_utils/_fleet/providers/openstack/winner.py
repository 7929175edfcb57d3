# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which server counts when several were made for one order. Pure; ``creation`` says when it is asked and why it is safe."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .request import SETTLED, TOKEN
from .shape import state_of

Server = Mapping[str, Any]


def told(server: Server, key: str) -> str | None:
    """A server's metadata of that key."""
    value = (server.get("metadata") or {}).get(key)
    return None if value is None else str(value)


def candidates(servers: Iterable[Server], token: str) -> list[Server]:
    """The living servers made for that order: neither failed nor on their way out."""
    return [server for server in servers if told(server, TOKEN) == token and state_of(server) not in ("error", "deleting")]


def winner(servers: Iterable[Server]) -> Server | None:
    """The one that counts: one on which runs have agreed before; else the oldest, its id deciding within one second."""
    return min(servers, key=lambda server: (told(server, SETTLED) is None, str(server.get("created")), str(server["id"])), default=None)
