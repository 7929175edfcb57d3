# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fleet's known_hosts file and the keys of users."""
from __future__ import annotations

import multiprocessing
import subprocess
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import keys, known_hosts

ONE = ("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIBxONA/zd/JiMQahXMdZLbmJxaMH+5idWru/9A6ojC6M")
TWO = ("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIJ7Wn8R1bC1b3yqkLlQ0cYB1m8k3vYhE5B1O4d2c7xYz")


def test_lines() -> None:
    lines = ["# note", f"lab/i-1 {ONE[0]} {ONE[1]}", f"192.0.2.1,bastion {TWO[0]} {TWO[1]} note", f"|1|hash= {ONE[0]} {ONE[1]}"]
    assert known_hosts.keys_of(lines, "LAB/i-1") == [ONE]
    assert known_hosts.keys_of(lines, "bastion") == [TWO]
    assert known_hosts.keys_of(lines, "lab/i") == []
    after = known_hosts.replaced(lines, "lab/i-1", [TWO])
    assert known_hosts.keys_of(after, "lab/i-1") == [TWO]
    assert after[0] == "# note"
    assert len(after) == 4


def test_two_machines_at_one_name_are_told() -> None:
    lines = known_hosts.merged([], [("a", ONE), ("a", ONE)])
    assert len(lines) == 1
    with pytest.raises(FleetError, match=r"SHA256:.*SHA256:"):
        known_hosts.merged(lines, [("a", TWO)])


def test_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    (tmp_path / "k").write_text(" ".join(ONE) + "\n")
    told = subprocess.run(["ssh-keygen", "-l", "-f", str(tmp_path / "k")], capture_output=True, text=True, check=True).stdout
    assert known_hosts.fingerprint(ONE) in told


def _add(path: str, number: int) -> None:
    for part in range(10):
        known_hosts.change(path, lambda lines, part=part: known_hosts.merged(lines, [(f"h{number}-{part}", ONE)]))  # type: ignore[misc]


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "known_hosts")
    workers = [multiprocessing.get_context("fork").Process(target=_add, args=(path, number)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(known_hosts.read(path)) == 60
    assert Path(path).stat().st_mode & 0o777 == 0o600


def test_public_keys_are_lines_or_files(tmp_path: Path) -> None:
    line = " ".join(ONE) + " me"
    (tmp_path / "k.pub").write_text("# two\n" + line + "\n" + 'from="192.0.2.0/24" ' + " ".join(TWO) + "\n")
    assert keys.lines([line, str(tmp_path / "k.pub")]) == [line, 'from="192.0.2.0/24" ' + " ".join(TWO)]
    assert keys.blob('command="echo ssh-rsa" ' + line) == ONE[1]
    (tmp_path / "private").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END")
    for wrong in ("/nowhere", str(tmp_path / "private"), "-----BEGIN OPENSSH PRIVATE KEY-----", "ssh-rsa"):
        with pytest.raises(FleetError, match=r"access_authorized_keys\[1\]"):
            keys.lines([line, wrong])
