# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The dead man's switch for real, on a tree of its own: its script runs, it fires in time."""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening import switch, switch_script, undo
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.switch import PENDING, Switch
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


class Node:
    """A root folder with a file, a link and a place where nothing is, and the undo entries for them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.system = System(str(root))
        (root / "etc/ssh").mkdir(parents=True)
        self.file = root / "etc/ssh/sshd_config"
        self.file.write_text("Port 22\n# it's $HOME\n")
        self.file.chmod(0o640)
        (root / "etc/link").symlink_to("old target")
        self.entries = [
            {"key": f"path:{path}", "steps": [undo.of_path(self.system, path, lambda data: "")]}
            for path in ("/etc/ssh/sshd_config", "/etc/link", "/etc/ssh/new.conf", "/etc/ssh/it's new")]
        self.entries.append({"key": "command", "steps": [{"do": "command", "words": ["touch", str(root / "it's undone")]}]})

    def change(self) -> None:
        self.file.write_text("Port 2222\n")
        self.file.chmod(0o600)
        (self.root / "etc/link").unlink()
        (self.root / "etc/link").write_text("no link")
        (self.root / "etc/ssh/new.conf").write_text("x")
        (self.root / "etc/ssh/it's new").mkdir()

    def is_as_before(self) -> bool:
        return (self.file.read_text() == "Port 22\n# it's $HOME\n" and self.file.stat().st_mode & 0o777 == 0o640
                and os.path.islink(self.root / "etc/link") and os.readlink(self.root / "etc/link") == "old target"
                and not (self.root / "etc/ssh/new.conf").exists() and not (self.root / "etc/ssh/it's new").exists()
                and (self.root / "it's undone").exists())

    def pending(self) -> bool:
        return (self.root / PENDING[1:]).exists()

    def script(self, *words: str) -> str:
        done = subprocess.run(["sh", str(self.root / PENDING[1:] / "switch.sh"), *words], capture_output=True, text=True, check=False)
        assert not done.stderr
        return done.stdout


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    started: list[str] = []
    start = Switch._start

    def noted(self: Switch) -> str:
        started.append(start(self))
        return started[-1]

    monkeypatch.setattr(Switch, "_start", noted)
    yield Node(tmp_path)
    for group in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(group), signal.SIGKILL)


def armed(node: Node, seconds: int = 60, entries: bool = True) -> Switch:
    made = Switch(node.system, seconds, "n1")
    made.arm(node.entries if entries else [], ["sshd"])
    return made


def wait(node: Node, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while node.pending() and time.monotonic() < end:
        time.sleep(0.05)


def test_what_nobody_confirms_comes_back_by_itself(node: Node) -> None:
    made = armed(node, 1)
    node.change()
    made.settle()
    assert node.script("state") == "FLEET armed n1\n"
    wait(node)
    assert node.is_as_before() and not node.pending()


def test_it_does_not_put_back_what_is_still_being_changed(node: Node) -> None:
    made = armed(node, 1)
    with subprocess.Popen(["sh", str(node.root / PENDING[1:] / "switch.sh"), "wait", "n1"]) as early:
        time.sleep(0.5)
        node.change()
        assert early.poll() is None, "it waits for the run"
        made.settle()
        early.wait(20)
    assert node.is_as_before()


def test_a_confirmed_change_stays_and_nothing_of_the_switch_does(node: Node) -> None:
    made = armed(node, 1)
    node.change()
    made.settle()
    assert node.script("confirm", "another run") == "FLEET gone \n"
    assert node.script("confirm", "n1") == "FLEET confirmed\n"
    time.sleep(1.5)
    assert node.file.read_text() == "Port 2222\n" and not node.pending()
    assert not list((node.root / "var/lib/hybridops-fleet/hardening").iterdir())


def test_a_run_that_died_is_taken_back_by_the_next_one(node: Node) -> None:
    made = armed(node)
    node.change()
    made._release()  # as the end of its process does
    later = Switch(node.system, 60, "n2")
    assert later.take_back_left()
    assert node.is_as_before() and not node.pending()
    assert later.take_back_left() == ""


def test_what_is_not_confirmed_yet_stops_another_run(node: Node) -> None:
    made = armed(node)
    node.change()
    made.settle()
    with pytest.raises(ValueError, match="not confirmed yet"):
        Switch(node.system, 60, "n2").arm(node.entries, [])


def test_a_run_that_is_killed_while_it_changes_things_is_taken_back_at_once(node: Node) -> None:
    made = armed(node, 600)
    node.change()
    assert made._lock is not None
    os.close(made._lock)  # as the end of its process does
    wait(node, 5)
    assert node.is_as_before() and not node.pending()


def test_a_run_that_hangs_does_not_keep_the_switch_for_ever(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "LONGEST", 1)
    with subprocess.Popen(["sleep", "100"]) as hung:
        made = Switch(node.system, 60, "n1")
        monkeypatch.setattr(os, "getpid", lambda: hung.pid)
        made.arm(node.entries, [])
        script = node.root / PENDING[1:] / "switch.sh"
        script.write_text(script.read_text().replace("lock 30; then", "lock 1; then"))
        subprocess.Popen(["sh", str(script), "wait", "n1"], stderr=subprocess.DEVNULL)
        node.change()
        try:
            assert hung.wait(20) == -signal.SIGKILL
        finally:
            hung.kill()
        made._release()
    wait(node)
    assert node.is_as_before() and not node.pending()


def test_who_confirms_in_time_is_waited_for_by_the_next_run(node: Node) -> None:
    made = armed(node, 60)
    node.change()
    made.settle()
    begin = time.monotonic()
    with subprocess.Popen(["sh", "-c", f"sleep 1; exec sh {node.root / PENDING[1:] / 'switch.sh'} confirm n1"], stdout=subprocess.DEVNULL):
        assert Switch(node.system, 60, "n2").take_back_left() == ""
    assert time.monotonic() - begin < 10 and node.file.read_text() == "Port 2222\n"


def test_what_is_due_after_the_confirmation_is_done_then_and_only_then(node: Node) -> None:
    for word, there in (("now", True), ("confirm", False)):
        (node.root / "record").write_text("")
        made = Switch(node.system, 60, "n1")
        made.arm(node.entries, [], [f"rm -f {node.root / 'record'}"])
        made.settle()
        node.script(word, "n1")
        assert (node.root / "record").exists() is there


def test_a_restore_that_is_cut_off_goes_on_at_the_next_boot(node: Node) -> None:
    made = armed(node)
    node.change()
    made._release()
    folder = node.root / PENDING[1:]
    first = next(path for path in folder.iterdir() if path.name.isdigit())
    first.replace(node.file)  # a part of it was done
    node.script("boot")
    assert node.is_as_before() and not node.pending()


def test_two_runs_never_meet(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    made = armed(node)
    os.rename(node.root / PENDING[1:], node.root / "elsewhere")
    monkeypatch.setattr(switch.time, "monotonic", iter(range(0, 1000, 20)).__next__)
    with pytest.raises(ValueError, match="another run is changing this node"):
        Switch(node.system, 60, "n2").arm(node.entries, [])
    made._release()


def test_a_switch_that_cannot_be_armed_leaves_nothing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Switch) -> str:
        raise ValueError("nothing that waits is to be had")

    monkeypatch.setattr(Switch, "_start", fails)
    with pytest.raises(ValueError, match=r"cannot be armed .nothing that waits is to be had., so nothing"):
        armed(node)
    assert not node.pending() and not (node.root / PENDING[1:]).parent.joinpath("pending.new").exists()


def test_every_kind_of_step_has_a_line_that_sh_can_read() -> None:
    common = {"mode": 0o644, "uid": 0, "gid": 5}
    steps = [
        {"do": "path", "path": "/a b", "type": "absent"}, {"do": "path", "path": "/a", "type": "link", "link": "x'y"},
        {"do": "path", "path": "/a", "type": "folder", **common}, {"do": "path", "path": "/a", "type": "file", "blob": "b", **common},
        {"do": "mode", "path": "/a", **common}, {"do": "sysctl", "key": "net.ipv4.conf.eth0/1.rp_filter", "value": "1 2"},
        {"do": "unit", "name": "a.service", "enabled": "masked", "active": False}, {"do": "command", "words": ["usermod", "-U", "a;b"]}]
    lines = [switch_script.step(step, number, lambda path: path) for number, step in enumerate(steps)]
    assert lines == [
        "gone '/a b'", "linked 'x'\"'\"'y' /a", "folder 0644 0:5 /a", "file 3 /a", "moded 0644 0:5 /a",
        "kernel /proc/sys/net/ipv4/conf/eth0.1/rp_filter '1 2'", "unit a.service masked no", "usermod -U 'a;b'"]
    text = switch_script.whole(lines, ["sshd", "systemd", "journald", "auditd", "unit:x.service"], "/s", "/r", "u", "/units")
    subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    assert "systemctl try-restart x.service" in text
