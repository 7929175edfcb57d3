# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a control of the operating system is asked with, and short words for its answers."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from ..decision import Control, Decision, Facts, Item, Options

HEAD = "# Written by hybridops.fleet.os_hardening; run the role again instead of editing it.\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One control on one node."""

    facts: Facts
    options: Options
    control: Control

    @property
    def values(self) -> Mapping[str, Any]:
        return self.control.values

    @property
    def debian(self) -> bool:
        return self.options.distribution.get("family") == "debian"

    @property
    def redhat(self) -> bool:
        return self.options.distribution.get("family") in ("redhat", "amazon")

    @property
    def container(self) -> bool:
        """Whether the kernel is somebody else's. ``os_hardening_machine`` may say otherwise."""
        told = self.options.variables.get("machine", "auto")
        return told == "container" or (told == "auto" and bool((self.facts.get("virtual") or {}).get("container")))

    @property
    def image(self) -> bool:
        """Whether nothing runs here: an image that is being built."""
        return bool((self.facts.get("virtual") or {}).get("image"))

    def packages(self, name: str) -> tuple[str, ...]:
        """What the distribution calls it; empty when it has none."""
        return tuple((self.options.distribution.get("packages") or {}).get(name) or ())

    def unit(self, name: str) -> str:
        return str((self.options.distribution.get("units") or {}).get(name) or "")

    def units(self, name: str) -> list[str]:
        found = (self.options.distribution.get("units") or {}).get(name) or []
        return [found] if isinstance(found, str) else list(found)

    def path(self, name: str) -> Any:
        return (self.options.distribution.get("paths") or {}).get(name)

    def has(self, package: str) -> bool:
        return package in (self.facts.get("packages") or ())

    def state(self, unit: str) -> Mapping[str, Any]:
        return (self.facts.get("units") or {}).get(unit) or {}

    def there(self, path: str) -> bool:
        """Whether a path of ``PATHS`` exists on the node."""
        return path in (self.facts.get("paths") or ())

    # ------------------------------------------------------------------------------------------------ answers
    def do(self, items: Iterable[Item] = (), *, why: str = "", notes: Iterable[str] = (), present: Iterable[str] = (),
           absent: Iterable[str] = (), replaced: Iterable[str] = ()) -> Decision:
        return Decision(self.control.name, True, why, tuple(items), tuple(note for note in notes if note), tuple(present), tuple(absent),
                        tuple(replaced))

    def leave(self, why: str) -> Decision:
        return Decision(self.control.name, False, why)


def file(path: str, content: str, mode: str = "0644", **more: Any) -> Item:
    """A whole file that says who wrote it."""
    return {"kind": "file", "path": path, "content": HEAD + content, "mode": mode, **more}


def plain_file(path: str, content: str, mode: str = "0644", **more: Any) -> Item:
    """A whole file that is shown to people or read by programs that know no comments."""
    return {"kind": "file", "path": path, "content": content, "mode": mode, **more}


def closed(mode: str, *paths: str, **more: Any) -> Item:
    """Paths that have at most these permissions."""
    return {"kind": "mode", "paths": list(paths), "mode": mode, **more}
