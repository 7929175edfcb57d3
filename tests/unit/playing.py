# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a play by ansible-playbook, for what only Ansible itself can show. It reaches no machine but this one."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[5]
"""Above ansible_collections."""


def play(folder: Path, plays: Sequence[dict[str, Any]], *options: str, environ: dict[str, str] | None = None) -> str:
    """What a run of these plays from that folder shows, which must succeed."""
    book = folder / "play.yml"
    book.write_text(yaml.safe_dump([{"gather_facts": False, "connection": "local", **one} for one in plays], sort_keys=False), encoding="utf-8")
    environment = {
        **os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"), "ANSIBLE_REMOTE_TEMP": str(folder / "remote"), **(environ or {})}
    done = subprocess.run([sys.executable, "-m", "ansible.cli.playbook", *options, str(book)], env=environment, cwd=folder,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown[-3000:]
    return shown
