# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine on a tree of its own: what check mode tells is what a run does, and a restore gives the tree back byte for byte."""
from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening import record as records
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.apply import Request, perform
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.engine import Engine
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.record import Record
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System

LOGIN_DEFS = "# comment\nPASS_MAX_DAYS\t99999\n#UMASK 022\nPASS_MAX_DAYS 7\nENCRYPT_METHOD SHA512\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("etc", "run", "proc/sys/net/ipv4", "proc/sys/kernel"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/issue").write_text("Debian\n")
    (tmp_path / "etc/login.defs").write_text(LOGIN_DEFS)
    (tmp_path / "etc/shadowy").write_text("secret\n")
    (tmp_path / "etc/shadowy").chmod(0o666)
    (tmp_path / "etc/link").symlink_to("issue")
    (tmp_path / "proc/sys/net/ipv4/ip_forward").write_text("1\n")
    return tmp_path


def items() -> list[dict[str, Any]]:
    return [
        {"kind": "file", "control": "a", "path": "/etc/issue", "content": "go away\n", "mode": "0644"},
        {"kind": "file", "control": "a", "path": "/etc/new.d/deep/x.conf", "content": "x\n", "mode": "0600"},
        {"kind": "absent", "control": "b", "path": "/etc/link"},
        {"kind": "settings", "control": "c", "path": "/etc/login.defs", "style": "tab",
         "values": {"PASS_MAX_DAYS": 365, "UMASK": "027", "ENCRYPT_METHOD": "SHA512"}},
        {"kind": "mode", "control": "d", "paths": ["/etc/shadow*"], "mode": "0640"},
        {"kind": "sysctl", "control": "e", "values": {"net.ipv4.ip_forward": 0, "kernel.not_here": 1}},
        {"kind": "settings", "control": "f", "path": "/etc/missing.conf", "values": {"a": 1}},
    ]


def snapshot(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder) / name
            place = str(path.relative_to(root))
            if place.startswith(("var", "run")):
                continue
            mode = stat.S_IMODE(path.lstat().st_mode)
            found[place] = os.readlink(path) if path.is_symlink() else (mode, path.read_bytes() if path.is_file() else None)
    return found


def run(root: Path, wanted: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return perform(System(str(root)), Request("os", items=list(wanted), **more))


def test_all_kinds_and_the_second_run_changes_nothing(root: Path) -> None:
    answer = run(root, items())
    assert [row["status"] for row in answer["items"]] == ["changed"] * 6 + ["not_possible"]
    assert (root / "etc/issue").read_text() == "go away\n"
    assert (root / "etc/new.d/deep/x.conf").stat().st_mode & 0o777 == 0o600
    assert not (root / "etc/link").exists()
    assert (root / "etc/login.defs").read_text() == "# comment\nPASS_MAX_DAYS\t365\n#UMASK 022\nUMASK\t027\nENCRYPT_METHOD SHA512\n"
    assert (root / "etc/shadowy").stat().st_mode & 0o777 == 0o640
    assert (root / "proc/sys/net/ipv4/ip_forward").read_text() == "0\n"
    assert "kernel.not_here" in answer["items"][5]["why"]
    again = run(root, items())
    assert not again["changed"]
    assert [row["status"] for row in again["items"]] == ["right"] * 5 + ["not_possible"] * 2


def test_check_mode_tells_what_the_run_does_and_touches_nothing(root: Path) -> None:
    before = snapshot(root)
    told = run(root, items(), check=True)
    assert snapshot(root) == before
    assert not (root / "var").exists()
    done = run(root, items())
    assert [row["status"].replace("would_change", "changed") for row in told["items"]] == [row["status"] for row in done["items"]]
    assert told["diff"] == done["diff"]


def test_a_restore_gives_everything_back_and_ends_the_record(root: Path) -> None:
    before = snapshot(root)
    run(root, items())
    run(root, [{"kind": "file", "control": "a", "path": "/etc/issue", "content": "another\n"}])  # the first former state counts
    answer = run(root, [], state="absent")
    assert answer["differs"] == []
    assert snapshot(root) == before
    assert not (root / "var/lib/hybridops-fleet").exists()
    assert not run(root, [], state="absent")["changed"]


def test_a_path_whose_mode_changed_before_its_content_gets_both_back(root: Path) -> None:
    before = snapshot(root)
    run(root, [{"kind": "mode", "control": "m", "path": "/etc/shadowy", "mode": "0600"},
               {"kind": "settings", "control": "s", "path": "/etc/shadowy", "style": "space", "values": {"secret": "x"}}])
    answer = run(root, [], state="absent")
    assert answer["differs"] == []
    assert snapshot(root) == before


def test_a_restore_says_what_it_cannot_bring_back_and_keeps_it_in_the_record(root: Path) -> None:
    run(root, items())
    (root / "etc/issue").unlink()
    (root / "etc/issue").mkdir()
    answer = run(root, [], state="absent")
    assert any("/etc/issue" in words for words in answer["differs"])
    assert [entry["key"] for entry in Record(System(str(root)), "os").entries] == ["path:/etc/issue"]
    (root / "etc/issue").rmdir()
    assert run(root, [], state="absent")["differs"] == []
    assert (root / "etc/issue").read_text() == "Debian\n"


def test_what_was_is_recorded_before_it_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(str(root))

    def write(*_arguments: Any) -> None:
        entries = [json.loads(line) for line in (root / records.STATE.lstrip("/") / "os/record.jsonl").read_text().splitlines()]
        assert [entry["key"] for entry in entries] == ["path:/etc/issue"]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(system, "write", write)
    answer = Engine(system, Record(system, "os")).apply(items()[:1])
    assert answer["items"][0]["status"] == "failed"
    assert "No space left" in answer["items"][0]["why"]


def test_a_line_that_a_killed_run_left_half_written_is_no_entry(root: Path) -> None:
    run(root, items()[:1])
    file = root / records.STATE.lstrip("/") / "os/record.jsonl"
    file.write_bytes(file.read_bytes() + b'{"key": "path:/etc/lo')
    run(root, items())
    before_last = [entry["key"] for entry in Record(System(str(root)), "os").entries]
    assert "path:/etc/login.defs" in before_last
    assert run(root, [], state="absent")["differs"] == []


def test_a_content_that_its_program_refuses_changes_nothing(root: Path) -> None:
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/judge").write_text("")
    (root / "usr/bin/judge").chmod(0o755)
    asked: list[list[str]] = []

    def judge(words: Sequence[str], text: str | None, timeout: float) -> Ran:
        asked.append(list(words))
        return Ran(1, "", words[1] + ": line 1: bad")

    item = {"kind": "file", "control": "a", "path": "/etc/issue", "content": "bad\n", "validate": ["judge", "%s"]}
    system = System(str(root), judge)
    answer = Engine(system, Record(system, "os")).apply([item])
    assert answer["items"][0]["why"] == "judge refuses the new /etc/issue: /etc/issue: line 1: bad"
    assert asked
    assert (root / "etc/issue").read_text() == "Debian\n"


def test_a_failing_item_leaves_the_others(root: Path) -> None:
    (root / "etc/folder").mkdir()
    answer = run(root, [{"kind": "file", "control": "a", "path": "/etc/folder", "content": ""}, {"kind": "nonsense", "control": "b"}, *items()[:1]])
    assert [row["status"] for row in answer["items"]] == ["failed", "failed", "changed"]


def test_two_runs_at_once_are_refused(root: Path) -> None:
    import fcntl
    with open(root / "run/hybridops-fleet-hardening.lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="another hardening run"):
            run(root, items())


def test_check_mode_foretells_what_comes_with_a_package(root: Path) -> None:
    wanted = [{"kind": "settings", "control": "f", "path": "/etc/missing.conf", "values": {"a": 1}, "coming": True},
              {"kind": "mode", "control": "l", "paths": ["/etc/none*"], "mode": "0640", "coming": True}]
    assert [row["status"] for row in run(root, wanted, check=True)["items"]] == ["would_change", "would_change"]


def test_check_mode_says_where_a_package_brings_more_of_the_same(root: Path) -> None:
    (root / "etc/open.log").write_text("x", encoding="utf-8")
    (root / "etc/open.log").chmod(0o644)
    wanted = [{"kind": "mode", "control": "l", "paths": ["/etc/*.log"], "mode": "0640", "coming": True}]
    row = run(root, wanted, check=True)["items"][0]
    assert row["status"] == "would_change" and any("open.log" in words for words in row["details"])
    assert row["details"][-1] == "more, after its package is installed"
