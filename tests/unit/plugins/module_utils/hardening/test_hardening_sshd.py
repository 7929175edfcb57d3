# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""sshd's configuration on trees of their own, with a stand-in for sshd that reads it as sshd does: the first value counts, includes in place."""
from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening import sshd_copy
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.engine import Engine
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.kinds import sshd
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.record import Record
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System

DROP_IN = "/etc/ssh/sshd_config.d/01-hybridops-fleet-hardening.conf"
CONTENT = "PermitRootLogin no\nPasswordAuthentication no\nRekeyLimit 1G 1h\n"
DEBIAN = "Include /etc/ssh/sshd_config.d/*.conf\n#Port 22\nUsePAM yes\nSubsystem sftp internal-sftp\n"


class Sshd:
    """The program: -t refuses BadWord, -T tells the first values; Match blocks count for the user they name."""

    def __call__(self, words: Sequence[str], _text: str | None, _seconds: float) -> Ran:
        if not words[0].endswith("sshd"):
            return Ran(0, "", "")
        user = dict(part.split("=", 1) for part in words[words.index("-C") + 1].split(",")).get("user", "") if "-C" in words else ""
        values: dict[str, str] = {"permitrootlogin": "prohibit-password", "passwordauthentication": "yes", "pubkeyauthentication": "yes"}
        found: dict[str, str] = {}
        try:
            self._read(Path(words[words.index("-f") + 1]), user, found, True)
        except ValueError as bad:
            return Ran(255, "", f"Bad configuration option: {bad}")
        if "-T" not in words:
            return Ran(0, "", "")
        told = {**values, **found}
        if told.get("rekeylimit") == "1G 1h":
            told["rekeylimit"] = "1073741824 3600"
        return Ran(0, "".join(f"{name} {value}\n" for name, value in told.items()), "")

    def _read(self, path: Path, user: str, found: dict[str, str], active: bool) -> None:
        for line in path.read_text().splitlines():
            keyword, value = sshd_copy.split(line)
            if keyword == "badword":
                raise ValueError(keyword)
            if keyword == "match":
                active = value.split() == ["User", user] or value == "all"
            elif keyword == "include" and active:
                self._read(Path(value.strip("'")), user, found, active)
            elif keyword and active:
                found.setdefault(keyword, value)


class Node:
    def __init__(self, root: Path, main: str, **files: str) -> None:
        self.root = root
        for path, text in {"/etc/ssh/sshd_config": main, "/usr/sbin/sshd": "", **files}.items():
            place = root / path[1:]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            place.chmod(0o755 if "sbin" in path else 0o644)
        (root / "etc/ssh/sshd_config.d").mkdir(exist_ok=True)

    def items(self, **more: Any) -> list[dict[str, Any]]:
        return [{"kind": "sshd", "path": DROP_IN, "content": CONTENT, "control": "configuration", "needed": True, **more},
                {"kind": "sshd_value", "path": DROP_IN, "values": {"PermitRootLogin": "no"}, "control": "root_login"},
                {"kind": "sshd_value", "path": DROP_IN, "values": {"RekeyLimit": "1G 1h"}, "control": "rekey"}]

    def run(self, check: bool = False, **more: Any) -> dict[str, Any]:
        system = System(str(self.root), Sshd())
        return Engine(system, Record(system, "ssh"), check=check).apply(self.items(**more))

    def restore(self) -> dict[str, Any]:
        system = System(str(self.root), Sshd())
        return Engine(system, Record(system, "ssh")).restore()

    def text(self, path: str = "/etc/ssh/sshd_config") -> str:
        return (self.root / path[1:]).read_text()


def statuses(answer: dict[str, Any]) -> list[str]:
    return [row["status"] for row in answer["items"]]


def test_a_file_of_its_own_where_the_folder_is_read_first(tmp_path: Path) -> None:
    node = Node(tmp_path, DEBIAN)
    assert statuses(node.run(check=True)) == ["would_change"] * 3
    assert statuses(node.run()) == ["changed"] * 3
    assert node.text(DROP_IN) == CONTENT and node.text() == DEBIAN
    assert os.stat(tmp_path / DROP_IN[1:]).st_mode & 0o777 == 0o600
    assert statuses(node.run()) == ["right"] * 3
    assert node.restore()["differs"] == [] and not (tmp_path / DROP_IN[1:]).exists()


@pytest.mark.parametrize("main", ["UsePAM yes\n", "PermitRootLogin yes\nUsePAM yes\n", "Match User bob\n  PasswordAuthentication yes\n"])
def test_a_block_first_of_all_where_the_folder_is_not_read(main: str, tmp_path: Path) -> None:
    node = Node(tmp_path, main)
    assert statuses(node.run()) == ["changed"] * 3
    assert node.text() == sshd.block(CONTENT) + main and not (tmp_path / DROP_IN[1:]).exists()
    assert statuses(node.run()) == ["right"] * 3
    node.restore()
    assert node.text() == main


def test_both_where_the_main_file_has_set_something_before(tmp_path: Path) -> None:
    main = "PermitRootLogin yes\n" + DEBIAN
    node = Node(tmp_path, main)
    assert statuses(node.run()) == ["changed"] * 3
    assert node.text(DROP_IN) == CONTENT and node.text().startswith(sshd.BEGIN)
    node.restore()
    assert node.text() == main


def test_the_word_of_role_access_counts_and_is_named(tmp_path: Path) -> None:
    node = Node(tmp_path, DEBIAN, **{"/etc/ssh/sshd_config.d/00-hybridops-fleet.conf": "PermitRootLogin prohibit-password\n"})
    answer = node.run(everywhere=True)
    assert statuses(answer) == ["changed", "not_possible", "changed"]
    assert answer["items"][1]["why"] == "PermitRootLogin stays prohibit-password: /etc/ssh/sshd_config.d/00-hybridops-fleet.conf line 1 sets it first"
    assert node.text().index("Include") < node.text().index(sshd.BEGIN), "auditors see it, and it beats nobody"
    node.run()
    assert node.text() == DEBIAN


def test_after_the_block_of_role_access(tmp_path: Path) -> None:
    access = "# BEGIN hybridops.fleet.access\nPermitRootLogin no\n# END hybridops.fleet.access\n"
    assert sshd.with_block(access + "UsePAM yes\n", "A b\n", first=True) == access + sshd.block("A b\n") + "UsePAM yes\n"
    assert sshd.with_block("UsePAM yes", "A b\n", first=True) == sshd.block("A b\n") + "UsePAM yes"
    assert sshd.with_block("Include x", "A b\n", first=False) == "Include x\n" + sshd.block("A b\n")


def test_nothing_is_touched_when_it_is_broken_before_or_would_be(tmp_path: Path) -> None:
    node = Node(tmp_path, DEBIAN + "BadWord yes\n")
    answer = node.run()
    assert "does not validate as it is" in answer["items"][0]["why"] and not answer["changed"]
    node = Node(tmp_path / "other", DEBIAN)
    answer = node.run(content="BadWord yes\n")
    assert "sshd refuses the new configuration" in answer["items"][0]["why"] and not answer["changed"]
    assert list((tmp_path / "other/etc/ssh/sshd_config.d").iterdir()) == []


def test_what_sshd_says_of_the_account_of_ansible_counts(tmp_path: Path) -> None:
    node = Node(tmp_path, DEBIAN + "Match User ops\nAuthenticationMethods password\n")
    answer = node.run(login={"user": "ops"})
    assert answer["items"][0]["why"].startswith("it would shut Ansible out: AuthenticationMethods password")
    assert statuses(node.run(login={"user": "other"}))[0] == "changed"
    assert "root may not log in" in sshd.shut_out({}, {"permitrootlogin": ["no"]}, {"user": "root"})
    assert sshd.shut_out({"permitrootlogin": ["no"]}, {"permitrootlogin": ["no"]}, {"user": "root"}) == ""


def test_lines_are_read_in_sshds_order_with_their_places(tmp_path: Path) -> None:
    node = Node(tmp_path, 'Port = 22\nInclude sshd_config.d/*.conf "/etc/ssh/more"\nMatch Address 10.0.0.0/8\n  X11Forwarding yes\n',
                **{"/etc/ssh/sshd_config.d/b.conf": "B 2\n", "/etc/ssh/sshd_config.d/a.conf": "A 1\nMatch User x\nA2 y\n", "/etc/ssh/more": "C 3\n"})
    found = sshd_copy.read(System(str(node.root), Sshd()), "/etc/ssh/sshd_config", {"/etc/ssh/sshd_config.d/ab.conf": "New 1\n"})
    assert [(line.keyword, line.value, line.match) for line in found] == [
        ("port", "22", ""), ("a", "1", ""), ("a2", "y", "User x"), ("new", "1", ""), ("b", "2", ""), ("c", "3", ""),
        ("x11forwarding", "yes", "Address 10.0.0.0/8")]


def test_short_groups_go_out_of_the_moduli_and_come_back(tmp_path: Path) -> None:
    lines = ["# Time Type\n", *(f"20260101000000 2 6 100 {bits} 2 ABC\n" for bits in (2047, 3071, 4095))]
    node = Node(tmp_path, DEBIAN, **{"/etc/ssh/moduli": "".join(lines)})
    system = System(str(node.root), Sshd())
    engine = Engine(system, Record(system, "ssh"))
    item = {"kind": "moduli", "path": "/etc/ssh/moduli", "minimum": 3072}
    assert statuses(engine.apply([item])) == ["changed"]
    assert node.text("/etc/ssh/moduli") == "".join([lines[0], *lines[2:]])
    assert statuses(engine.apply([item])) == ["right"]
    assert statuses(engine.apply([{**item, "minimum": 8192}])) == ["not_possible"]
    engine.restore()
    assert node.text("/etc/ssh/moduli") == "".join(lines)
