# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many inotify instances root may have, which is one number for the whole machine: a host's systemd needs eight or nine, and hangs without.

Raised by the first host of a lab, put back by the last lab that goes: one that goes while others have hosts hands the old number over to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
WANTED = 8192
DAEMON = "fleetlab.hosts.daemon"
_KEPT = "run/hosts/inotify"


def raise_limit(root: Path) -> None:
    """See that there are enough. root: the lab's folder, which keeps the number that was there."""
    now = int(LIMIT.read_text(encoding="ascii"))
    if now < WANTED:
        kept = root / _KEPT
        if not kept.exists():
            kept.write_text(str(now), encoding="ascii")
        LIMIT.write_text(str(WANTED), encoding="ascii")


def put_back(root: Path) -> None:
    """The lab has no hosts any more, and its folder goes afterwards."""
    kept = root / _KEPT
    if not kept.exists():
        return
    others = [other for other in labs() if other != root]
    if not others:
        LIMIT.write_text(kept.read_text(encoding="ascii"), encoding="ascii")
    elif not any((other / _KEPT).exists() for other in others):
        (others[0] / _KEPT).write_text(kept.read_text(encoding="ascii"), encoding="ascii")


def labs(processes: Path = Path("/proc")) -> Iterator[Path]:
    """Folders of all labs on this machine whose daemon of hosts runs."""
    for file in processes.glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        if DAEMON in words and "--state" in words[:-1]:
            yield Path(words[words.index("--state") + 1])
