# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores behind the dead man's switch, for real on a tree of its own, and what is told beforehand of the state they would bring back."""
from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening import former, redo
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.apply import Request, perform
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.facts import accounts, session
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.facts.sshd import key_type
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.record import STATE, Record
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.switch import PENDING
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System

ITEMS = [{"kind": "file", "control": "a", "path": "/etc/issue", "content": "go away\n", "guarded": True},
         {"kind": "file", "control": "a", "path": "/etc/new.d/x.conf", "content": "x\n"},
         {"kind": "sysctl", "control": "b", "values": {"net.ipv4.ip_forward": 0}}]
SWITCH = {"seconds": 60, "nonce": "n1"}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    for folder in ("etc", "run", "proc/sys/net/ipv4"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/issue").write_text("Debian\n")
    (tmp_path / "proc/sys/net/ipv4/ip_forward").write_text("1\n")
    yield tmp_path
    script(tmp_path, "now")


def run(root: Path, state: str, **more: Any) -> dict[str, Any]:
    return perform(System(str(root)), Request("os", state=state, items=ITEMS if state == "present" else [], **more))


def script(root: Path, *words: str) -> str:
    path = root / PENDING[1:] / "switch.sh"
    return subprocess.run(["sh", str(path), *words], capture_output=True, text=True, check=False).stdout if path.exists() else ""


def hardened(root: Path) -> bool:
    return ((root / "etc/issue").read_text(), (root / "etc/new.d/x.conf").exists(),
            (root / "proc/sys/net/ipv4/ip_forward").read_text()) == ("go away\n", True, "0\n")


def test_a_restore_that_nobody_confirms_leaves_the_node_hardened_and_the_record_whole(root: Path) -> None:
    run(root, "present")
    record = (root / STATE[1:] / "os/record.jsonl").read_text()
    answer = run(root, "absent", switch=SWITCH)
    assert answer["armed"] and answer["differs"] == [] and (root / "etc/issue").read_text() == "Debian\n"
    script(root, "now")
    assert hardened(root) and (root / STATE[1:] / "os/record.jsonl").read_text() == record
    assert not (root / PENDING[1:]).exists()
    assert run(root, "absent")["differs"] == [] and not (root / "var/lib/hybridops-fleet").exists()


def test_a_confirmed_restore_ends_the_record_and_leaves_nothing(root: Path) -> None:
    run(root, "present")
    run(root, "absent", switch=SWITCH)
    assert script(root, "confirm", "n1") == "FLEET confirmed\n"
    assert not hardened(root) and not (root / "var/lib/hybridops-fleet").exists()


def test_what_a_restore_could_not_bring_back_stays_in_the_record_once_it_is_confirmed(root: Path) -> None:
    run(root, "present")
    (root / "etc/issue").unlink()
    (root / "etc/issue").mkdir()
    answer = run(root, "absent", switch=SWITCH)
    assert any("/etc/issue" in words for words in answer["differs"])
    script(root, "confirm", "n1")
    assert [entry["key"] for entry in Record(System(str(root)), "os").entries] == ["path:/etc/issue"]
    (root / "etc/issue").rmdir()


def test_what_a_restore_that_was_taken_back_could_not_bring_back_is_no_longer_remembered(root: Path) -> None:
    run(root, "present")
    (root / "etc/issue").unlink()
    (root / "etc/issue").mkdir()
    run(root, "absent", switch=SWITCH)
    script(root, "now")
    (root / "etc/issue").rmdir()
    (root / "etc/issue").write_text("go away\n")
    assert run(root, "absent", switch=SWITCH)["differs"] == []
    script(root, "confirm", "n1")
    assert not (root / "var/lib/hybridops-fleet").exists()


def test_the_other_areas_record_stays(root: Path) -> None:
    run(root, "present")
    perform(System(str(root)), Request("ssh", items=[{"kind": "file", "control": "c", "path": "/etc/motd", "content": "x\n"}]))
    run(root, "absent", switch=SWITCH)
    script(root, "confirm", "n1")
    assert os.listdir(root / STATE[1:]) == ["ssh"]


@pytest.mark.parametrize(("words", "then"), [
    (["usermod", "-s", "/bin/bash", "svc"], [["usermod", "-s", "/usr/sbin/nologin", "svc"]]),
    (["chage", "-M", "90", "svc"], [["chage", "-M", "365", "svc"]]), (["chage", "-I", "7", "svc"], [["chage", "-I", "-1", "svc"]]),
    (["mount", "-o", "remount,dev,suid,exec", "/home"], [["mount", "-o", "remount,nodev,nosuid,exec", "/home"]]),
    (["authselect", "disable-feature", "with-faillock"], [["authselect", "enable-feature", "with-faillock"]]),
    (["usermod", "-U", "svc"], []), (["groupdel", "sugroup"], [])])
def test_each_command_that_takes_something_away_has_a_way_back(words: list[str], then: list[list[str]], tmp_path: Path) -> None:
    for path, text in (("etc/passwd", "svc:x:900:900::/srv:/usr/sbin/nologin\n"), ("etc/shadow", "svc:*:20000:0:365:7:::\n"),
                       ("proc/self/mounts", "tmpfs /home tmpfs rw,nosuid,nodev,relatime 0 0\n")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = redo.entry(System(str(tmp_path)), {"key": "x:y", "steps": [{"do": "command", "words": words}]})
    assert [step["words"] for step in found["steps"]] == then


# ---------------------------------------------------------------------------------------------------- told beforehand
def test_what_was_before_is_asked_what_it_means_for_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"etc/ssh/sshd_config": "AllowUsers ops later\n", "usr/sbin/sshd": "", "etc/pam.d/common-account": "account required pam_unix.so\n",
             "etc/passwd": "later:x:1001:1001::/home/later:/bin/bash\n", "home/later/.ssh/authorized_keys": "ssh-ed25519 AAAA later\n"}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "usr/sbin/sshd").chmod(0o755)
    (tmp_path / "home/later").chmod(0o777)

    def sshd(words: Sequence[str], _text: str | None, _seconds: float) -> Ran:
        if "-T" in words:
            return Ran(0, Path(words[words.index("-f") + 1]).read_text().lower(), "")
        return Ran(0, "", "")

    system = System(str(tmp_path), sshd)
    record = Record(system, "os")
    record.remember("account:later", [{"do": "command", "words": ["usermod", "-s", "/usr/sbin/nologin", "later"]}])
    for path, text in (("/etc/ssh/sshd_config", b"AllowUsers ops\n"), ("/etc/pam.d/common-account", b"account required pam_unix.so\n")):
        record.remember("path:" + path, [{"do": "path", "path": path, "type": "file", "mode": 0o644, "uid": 0, "gid": 0, "blob": record.keep(text)}])
    record.remember("mode:/home/later", [{"do": "mode", "path": "/home/later", "mode": 0o777, "uid": os.getuid(), "gid": 0}])
    (tmp_path / "home/later").chmod(0o750)
    (tmp_path / "etc/pam.d/common-account").write_text("account required pam_unix.so no_pass_expiry\n")
    monkeypatch.setattr(accounts, "login", lambda _system: {"user": "later", "address": "203.0.113.9"})
    told = former.look(system, record)
    assert told["sshd"]["allowusers"] == ["ops"] and told["shell"] == "/usr/sbin/nologin" and told["ages"]
    assert told["access"]["keys"] == 1 and "/home/later" in told["access"]["loose"]


@pytest.mark.parametrize(("line", "method", "key"), [
    ("Accepted publickey for ops from 203.0.113.9 port 5022 ssh2: ED25519 SHA256:abc", "publickey", "ED25519"),
    ("Accepted publickey for ops from 203.0.113.9 port 5022 ssh2: RSA-CERT SHA256:abc ID ops (serial 0) CA RSA SHA256:d", "publickey", "RSA-CERT"),
    ("Accepted password for ops from 203.0.113.9 port 5022 ssh2", "password", ""),
    ("Accepted publickey for ops from 203.0.113.9 port 5023 ssh2: ED25519 SHA256:abc", "", ""),
    ("Accepted publickey for ops from 203.0.113.99 port 5022 ssh2: ED25519 SHA256:abc", "", ""), ("", "", "")])
def test_by_what_a_connection_was_let_in(line: str, method: str, key: str, tmp_path: Path) -> None:
    for log in (True, False):
        (tmp_path / "var/log").mkdir(parents=True, exist_ok=True)
        (tmp_path / "var/log/auth.log").write_text("" if log else f"Nov 28 sshd[7]: {line}\n")
        (tmp_path / "usr/bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / "usr/bin/journalctl").write_text("")
        (tmp_path / "usr/bin/journalctl").chmod(0o755)
        answer: Callable[..., Ran] = lambda words, *_more, log=log: Ran(0, line + "\n" if log and "_PID=7" in words else "", "")  # noqa: E731
        found = session._accepted(System(str(tmp_path), answer), "203.0.113.9", "5022", [7])
        assert (found.get("method", ""), found.get("key", "")) == (method, key)


@pytest.mark.parametrize(("line", "kind"), [
    ("ssh-ed25519 AAAA me", "ssh-ed25519"), ('command="echo \\"ssh-rsa x\\"",no-pty ecdsa-sha2-nistp256 AAAA', "ecdsa-sha2-nistp256"),
    ('cert-authority,principals="ops" ssh-ed25519 AAAA', "cert-authority"), ("sk-ssh-ed25519@openssh.com AAAA", "sk-ssh-ed25519@openssh.com"),
    ('from="10.0.0.0/8" ssh-rsa AAAA', "ssh-rsa"), ("nonsense", "")])
def test_the_type_of_a_key(line: str, kind: str) -> None:
    assert key_type(line) == kind
