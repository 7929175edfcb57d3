# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory names: stable, unique, safe."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.names import assign, check_preferences, safe, short_id


def record(name: str | None, node_id: str, created: str | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "id": node_id, "created": created, "cloud": "c", "tags": {}, "public_ip": None, "private_ip": None, **more}


OLD = record("web", "6d1f0cc4-1111-4222-8333-444455556666", "2024-01-01T00:00:00Z")
NEW = record("web", "7e2f0cc4-1111-4222-8333-444455556666", "2025-01-01T00:00:00Z")


def test_the_oldest_twin_keeps_the_name_whatever_the_order() -> None:
    said: list[str] = []
    assert assign([NEW, OLD], ["name"], warn=said.append) == ["web-7e2f0cc4", "web"]
    assert assign([OLD, NEW], ["name"]) == ["web", "web-7e2f0cc4"]
    assert len(said) == 1
    assert "c/6d1f0cc4-1111-4222-8333-444455556666" in said[0]
    assert "web-7e2f0cc4" in said[0]


def test_thousands_of_twins_are_counted_not_told_one_by_one() -> None:
    said: list[str] = []
    assign([record(f"n{number // 2}", str(number)) for number in range(200)], ["name"], warn=said.append)
    assert len(said) == 21
    assert said[-1].startswith("80 more names")


def test_a_twin_of_unknown_age_is_younger() -> None:
    assert assign([record("web", "a1"), OLD], ["name"]) == ["web-a1", "web"]


def test_a_suffixed_name_never_meets_another_machine() -> None:
    other = record("web-7e2f0cc4", "x")
    assert assign([OLD, NEW, other], ["name"]) == ["web", "web-7e2f0cc4-1111-4222-8333-444455556666", "web-7e2f0cc4"]


def test_one_id_in_two_clouds() -> None:
    names = assign([record("n", "1", "2024"), record("n", "1", "2025"), record("n", "1", "2026")], ["name"])
    assert names == ["n", "n-1", "n-1-2"]


def test_twins_may_be_refused() -> None:
    with pytest.raises(FleetError, match="several nodes are named 'web'") as caught:
        assign([OLD, NEW], ["name"], on_duplicate="fail")
    assert "c/7e2f0cc4" in str(caught.value)


def test_a_name_another_source_has_taken_is_not_given_again() -> None:
    said: list[str] = []
    assert assign([OLD], ["name"], taken={"web"}, warn=said.append) == ["web-6d1f0cc4"]
    assert said


@pytest.mark.parametrize("reserved", ["localhost", "all", "ungrouped", "127.0.0.1", "fleet"])
def test_names_with_a_meaning_in_ansible_are_never_given(reserved: str) -> None:
    said: list[str] = []
    assert assign([record(reserved, "i-0123456789abcdef0")], ["name"], warn=said.append) == [f"{reserved}-9abcdef0"]
    assert "meaning" in said[0]


def test_a_machine_named_like_a_group_is_no_group() -> None:
    said: list[str] = []
    nodes = [record("provider_aws", "i-0123456789abcdef0"), record("web", "2")]
    assert assign(nodes, ["name"], groups={"provider_aws", "state_running"}, warn=said.append) == ["provider_aws-9abcdef0", "web"]
    assert len(said) == 1


def test_preferences() -> None:
    nodes = [
        record("a", "1", tags={"Name": "from-tag"}), record("b", "2", public_ip="203.0.113.9"), record("c", "3"), record(None, "i-4")]
    assert assign(nodes, ["tag:Name", "public_ip"]) == ["from-tag", "203.0.113.9", "3", "i-4"]
    assert assign(nodes, ["name"]) == ["a", "b", "c", "i-4"]
    assert assign(nodes, ["id"]) == ["1", "2", "3", "i-4"]


@pytest.mark.parametrize("wrong", ["hostname", "tag:", "public", "tags.Name"])
def test_unknown_preferences(wrong: str) -> None:
    with pytest.raises(FleetError, match="is not possible here"):
        check_preferences(["name", wrong], "f.yml")
    check_preferences(["name", "id", "tag:Name", "private_ipv6"], "f.yml")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web-1.example.com", "web-1.example.com"), ("2001:db8::1", "2001:db8::1"), ("größe", "größe"), ("a b", "a_b"),
        ("{{ lookup('pipe', 'id') }}", "___lookup__pipe____id_____"), ("web[1:3]", "web_1:3_"), ("a,b", "a_b"), ("!x", "_x"), ("-rf", "rf"),
        ("&x", "_x"), ("~x", "_x"), ("*", "_"), ("---", "_"), ("a\nb", "a_b"), ("@file", "file"),
    ],
)
def test_signs_that_mean_something_to_ansible(name: str, expected: str) -> None:
    assert safe(name) == expected


@pytest.mark.parametrize(
    ("node_id", "short"),
    [("6D1F0CC4-1111-4222-8333-444455556666", "6d1f0cc4"), ("i-0123456789abcdef0", "9abcdef0"), ("7218283918273645123", "73645123"), ("SN-1", "SN1")],
)
def test_short_ids(node_id: str, short: str) -> None:
    assert short_id(node_id) == short
