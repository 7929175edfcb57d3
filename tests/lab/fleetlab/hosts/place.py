# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and folders of one lab's hosts. Several labs may run on one machine, so everything outside the folder bears the lab's name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


class Place:
    """Where one lab keeps its hosts."""

    def __init__(self, root: Path) -> None:
        """:param root: the lab's folder."""
        self.root = root
        self.name = f"fl{hashlib.sha256(str(root).encode()).hexdigest()[:6]}"
        self.folder = root / "run" / "hosts"
        self.consoles = self.folder / "consoles"
        self.keys = root / "run" / "keys"

    @property
    def core(self) -> str:
        """Namespace of the controller."""
        return f"{self.name}-c"

    def router(self, number: int) -> str:
        return f"{self.name}-r{number}"

    def host(self, number: int) -> str:
        return f"{self.name}-h{number}"

    def host_folder(self, number: int) -> Path:
        return self.folder / "h" / str(number)

    @property
    def fleet_key(self) -> Path:
        """Private key of the operator of the lab's fleet, for the tour and for trying things."""
        return self.keys / "fleet"

    @property
    def install_key(self) -> Path:
        """Private key with which a metal machine's installer let the lab in."""
        return self.keys / "install"

    @property
    def password(self) -> Path:
        """Password of the one machine that still takes one."""
        return self.keys / "password"


class Numbers:
    """Small numbers for long names, the same ones after a restart."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._known: dict[str, dict[str, int]] = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            self._known = {}

    def of(self, kind: str, name: str) -> int:
        """The number of that name; a new one on first use."""
        known = self._known.setdefault(kind, {})
        if name not in known:
            known[name] = max(known.values(), default=0) + 1
            self._save()
        return known[name]

    def all(self, kind: str) -> dict[str, int]:
        return dict(self._known.get(kind, {}))

    def forget(self, kind: str, name: str) -> None:
        """Give a number back."""
        if self._known.get(kind, {}).pop(name, None) is not None:
            self._save()

    def _save(self) -> None:
        spare = self._file.with_suffix(".new")
        spare.write_text(json.dumps(self._known), encoding="utf-8")
        spare.replace(self._file)
