# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One number of the machine that several labs share."""
from __future__ import annotations

from pathlib import Path

import pytest
from fleetlab.hosts import inotify


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "max_user_instances"
    file.write_text("128\n", encoding="ascii")
    monkeypatch.setattr(inotify, "LIMIT", file)
    return file


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two labs that have hosts."""
    found = [tmp_path / name for name in ("one", "two")]
    for root in found:
        (root / "run/hosts").mkdir(parents=True)
    monkeypatch.setattr(inotify, "labs", lambda: iter(found))
    return found


def test_the_last_lab_puts_the_old_limit_back(limit: Path, running: list[Path]) -> None:
    one, two = running
    for root in (one, two):
        inotify.raise_limit(root)
    assert limit.read_text(encoding="ascii") == "8192"
    inotify.put_back(one)
    assert limit.read_text(encoding="ascii") == "8192", "the other one's hosts need it"
    running.remove(one)
    inotify.put_back(two)
    assert limit.read_text(encoding="ascii") == "128"


def test_who_raised_nothing_puts_nothing_back(limit: Path, running: list[Path]) -> None:
    one, two = running
    inotify.raise_limit(one)
    inotify.raise_limit(two)
    inotify.put_back(two)
    assert limit.read_text(encoding="ascii") == "8192" and not (two / "run/hosts/inotify").exists()


def test_labs_are_known_by_their_daemons(tmp_path: Path) -> None:
    for number, words in (("7", ["python", "-m", inotify.DAEMON, "--state", "/there", ""]), ("8", ["python", "-m", "other", "--state", "/no"]),
                          ("9", ["python", inotify.DAEMON, "--state"])):
        (tmp_path / number).mkdir()
        (tmp_path / number / "cmdline").write_text("\0".join(words), encoding="ascii")
    assert list(inotify.labs(tmp_path)) == [Path("/there")]
