# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reports of a hardening run, on the controller."""
from __future__ import annotations

import fcntl
import json
import os
import re
import time
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import report
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain


class ActionModule(ActionBase):
    """Documented in plugins/modules/harden_report.py."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, checked = self.validate_argument_spec(argument_spec={
            "area": {"type": "str", "choices": ["os", "ssh", "firewall"], "required": True},
            "folder": {"type": "path", "required": True},
            "profile": {"type": "str", "default": ""},
            "rows": {"type": "list", "elements": "dict", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "failure": {"type": "str", "default": ""},
            "guard": {"type": "str", "default": ""},
            "facts": {"type": "dict", "default": {}},
        })
        given: dict[str, Any] = plain(checked)
        host = str(plain((task_vars or {}).get("inventory_hostname", "node")))
        folder = Path(given["folder"]).absolute()
        name = folder / (re.sub(r"[^A-Za-z0-9._-]", "_", host).lstrip(".") + ".json")
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            with open(folder / ".lock", "w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # hosts write at the same time, each in a process of its own
                old = _read(name) or {}
                now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                areas = old.get("areas") or {}
                said = report.Said(given["profile"], given["state"], given["rows"], given["failure"], given["guard"])
                area = report.area(said, areas.get(given["area"]) or {}, check=self._task.check_mode, when=now)
                data = report.host(host, given["facts"], {**areas, given["area"]: area}, old)
                _write(name, json.dumps(data, indent=1, sort_keys=True))
                hosts = [found for path in sorted(folder.glob("*.json")) if (found := _read(path)) and "areas" in found]
                _write(folder / "index.html", report.page(hosts))
        except OSError as failure:
            return {**result, "failed": True, "msg": f"{host}: the report cannot be written to {folder}: {failure.strerror}"}
        return {**result, "changed": False, "json": str(name), "page": str(folder / "index.html")}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
