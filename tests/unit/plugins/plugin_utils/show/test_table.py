# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of nodes: aligned, complete, readable at any width, and safe for a terminal."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.nodes import fleet_records
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.table import CUT_SHORT, EMPTY, table
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.text import cut, shorten, visible, width, wrap
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.show.fleets import HOSTILE, host, interface, many

FLEET = [
    host("web-1", interfaces=[interface("private-network", ("203.0.113.9", "floating", "10.0.0.5"), ("10.0.0.5", "private"))]),
    host("off-1", "rack", provider="metal", state="stopped", address=None, user=None),
    host("old-1", stale=True, interfaces=[interface("Ext-Net", ("198.51.100.11", "public"))]),
]


def test_every_column_begins_below_its_head() -> None:
    lines = table(fleet_records(FLEET), 140)
    assert lines[0].split() == ["NAME", "CLOUD", "STATE", "ROLE", "ADDRESS", "USER", "WHY"]
    web = next(line for line in lines if line.startswith("web-1"))
    for head, value in (("CLOUD", "dream"), ("STATE", "running"), ("ROLE", "floating"), ("ADDRESS", "203.0.113.9"), ("USER", "debian"),
                        ("WHY", "203.0.113.9 is floating; user: image property os_admin_user")):
        assert web[lines[0].index(head):].startswith(value)


def test_missing_and_old_answers_are_visible() -> None:
    text = "\n".join(table(fleet_records(FLEET), 140))
    assert "(no address)" in text
    assert "(unknown)" in text
    assert "running (stale)" in text


def test_a_summary_of_each_cloud_and_of_all() -> None:
    lines = table(fleet_records(FLEET), 140)
    summary = [" ".join(line.split()) for line in lines[lines.index("") + 1:]]
    assert summary == [
        "CLOUD PROVIDER NODES STATES ROLES",
        "dream openstack 2 2 running (1 stale) 1 public, 1 floating",
        "rack metal 1 1 stopped 1 unknown",
        "all clouds 3 2 running, 1 stopped (1 stale) 1 public, 1 floating, 1 unknown",
    ]


@pytest.mark.parametrize("columns", [66, 80, 100, 150, 250])
def test_no_line_is_longer_than_asked(columns: int) -> None:
    assert max(map(width, table(fleet_records(FLEET), columns))) <= columns


def test_reasons_stand_under_the_nodes_where_there_is_no_room_beside_them() -> None:
    lines = table(fleet_records(FLEET), 66)
    assert "WHY" not in lines[0]
    after = lines[next(number for number, line in enumerate(lines) if line.startswith("web-1")) + 1]
    assert after == "    203.0.113.9 is floating; user: image property os_admin_user"


@pytest.mark.parametrize("columns", [66, 120, 150])
def test_a_long_reason_takes_two_lines_and_the_table_says_where_the_rest_is(columns: int) -> None:
    wordy = host("web-1", interfaces=[interface("n", ("192.0.2.9", "public"))], why={"login_user": "word " * 90, "network_role": "", "public_ip": ""})
    lines = table(fleet_records([wordy]), columns)
    assert sum("word" in line for line in lines) == 2
    assert sum(line.endswith("…") for line in lines) == 1
    assert " ".join(lines[lines.index("", lines.index("") + 1) + 1:]) == CUT_SHORT
    assert max(map(width, lines)) <= columns
    assert CUT_SHORT not in table(fleet_records(FLEET), 200)


def test_an_empty_fleet_says_so() -> None:
    assert table([], 100) == [EMPTY]


def test_hosts_of_other_inventories_are_left_out() -> None:
    assert fleet_records([{"inventory_hostname": "printer", "ansible_host": "192.0.2.1"}]) == []


def test_records_are_sorted_by_inventory_name() -> None:
    assert [record["inventory_hostname"] for record in fleet_records(FLEET)] == ["off-1", "old-1", "web-1"]


def test_the_operator_s_own_settings_are_shown_not_the_inventory_s() -> None:
    record = fleet_records([{**FLEET[0], "ansible_user": "ops", "ansible_host": "10.0.0.5"}])[0]
    line = table([record], 140)[1]
    assert "ops" in line
    assert "private address, 10.0.0.5 is private" in line  # the node's role is that of its best address


def test_text_of_a_cloud_cannot_steer_the_terminal() -> None:
    lines = table(fleet_records([host("evil\x1b[2J\n\u202eeman", user=HOSTILE)]), 200)
    assert "\x1b" not in "".join(lines)
    assert "\u202e" not in "".join(lines)
    assert lines[1].startswith("evil\ufffd[2J\ufffd\ufffdeman")
    assert HOSTILE in lines[1]  # a template stays the text it is


def test_wide_characters_keep_the_columns() -> None:
    lines = table(fleet_records([host("データベース"), host("web-1")]), 140)
    starts = {width(line[:line.index("dream")]) for line in lines[1:3]}
    assert starts == {len("データベース") * 2 + 2}


def test_three_hundred_nodes() -> None:
    lines = table(fleet_records(many(300)), 150)
    assert len([line for line in lines if line.startswith("worker-")]) == 300
    assert "270 running, 30 stopped" in lines[-1]


@pytest.mark.parametrize(("text", "cells", "expected"), [
    ("short", 5, "short"), ("longer", 5, "long…"), ("データ", 5, "デー…"), ("データ", 4, "デ…"),
    ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301")])
def test_cut(text: str, cells: int, expected: str) -> None:
    assert cut(text, cells) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("node-1", "node-1"), ("gke-node-pool-abcdef-3", "gke-nod…f-3"), ("ノード名前の長いもの", "ノード名…の")])
def test_shorten_keeps_both_ends(text: str, expected: str) -> None:
    assert shorten(text, 11) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("", [""]), ("a b", ["a b"]), ("aaa bbb ccc", ["aaa", "bbb", "ccc"]), ("abcdefghij", ["abcde", "fghij"]), ("a bbbbbbb", ["a", "bbbbb", "bb"]),
    ("データベース", ["デー", "タベ", "ース"])])
def test_wrap(text: str, expected: list[str]) -> None:
    assert wrap(text, 5) == expected


def test_nothing_is_visible_of_nothing() -> None:
    assert visible(None) == ""
