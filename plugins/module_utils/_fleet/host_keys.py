# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SSH host keys as a node tells them on its console, where cloud-init prints them. Pure."""
from __future__ import annotations

import re

_BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
_KEY = re.compile(r"((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+) ([A-Za-z0-9+/]{32,}={0,3})")


def from_console(text: str) -> tuple[str, ...]:
    """The keys ("type base64") of the last whole block: a node that booted again may have new ones."""
    blocks = _BLOCK.findall(text)
    if not blocks:
        return ()
    whole = blocks[-1].rpartition("-----BEGIN")[2]  # one that a crash has cut off may stand before it
    return tuple(dict.fromkeys(f"{kind} {key}" for kind, key in _KEY.findall(whole)))
