# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cost guard, choice of checks and wishes, journal, routes, and ending early."""
from __future__ import annotations

import os
import re
import signal
import stat
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog, CatalogImage
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance import files, guard, reach, wishes
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.checks import CHECKS, RANK, YARDSTICK
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.journal import Journal
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.probes import PROBES
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.stop import Interrupted, Stop
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.conformance.samples import CATALOG, DEBIAN, GOLDEN, OUTSIDE, SMALL


def test_every_check_has_a_probe_and_an_answer_of_aws() -> None:
    assert set(PROBES) == {check.id for check in CHECKS}
    assert set(YARDSTICK.values()) <= set(RANK)
    assert [check.step for check in CHECKS if check.step] == [1, 2, 3, 4, 5, 6, 7, 8]
    order = list(PROBES)
    assert all(order.index(needed) < order.index(check.id) for check in CHECKS for needed in (*check.needs, *check.after))


def test_only_brings_what_is_needed_along() -> None:
    assert guard.selected(["public_address"], []) == ["metadata", "pick", "request", "public_address"]
    assert guard.selected([], ["login", "same_name"]) == [check.id for check in CHECKS if check.id not in ("login", "same_name")]
    assert "public_address" in guard.selected(["login"], [])


def test_a_check_that_nobody_knows() -> None:
    with pytest.raises(FleetError, match=r"no check 'adress'.*There are: add_key"):
        guard.selected(["adress"], [])


@pytest.mark.parametrize(("only", "provider", "nodes"), [([], "aws", 2), ([], "metal", 1), (["metadata"], "aws", 0), (["reboot"], "gce", 1)])
def test_nodes_that_checks_need(only: list[str], provider: str, nodes: int) -> None:
    assert guard.nodes_for(guard.selected(only, []), provider) == nodes


def test_the_cost_guard() -> None:
    guard.refuse(4, 4, ["a", "b"])
    with pytest.raises(FleetError, match="would make up to 5 nodes on 2 clouds, 4 are allowed"):
        guard.refuse(5, 4, ["a", "b"])


def test_a_budget_is_never_exceeded() -> None:
    budget = guard.Budget(2)
    budget.take()
    budget.take()
    with pytest.raises(FleetError, match="used up"):
        budget.take()
    assert budget.made == 2


# --------------------------------------------------------------------------------------------------- wishes
def _chosen(catalog: Catalog, **given: object) -> tuple[str | None, str]:
    wish = wishes.wanted("fleet-conformance-r1-1", "r1", given, {}, "openstack")
    _wish, choice, kind = wishes.chosen(wish, catalog, provider="openstack", operator_login=None)
    return choice.image.item.name if choice.image else None, kind


def test_a_known_distribution_is_asked_for_first() -> None:
    rocky = CatalogImage("img-3", "rocky-9", distro="rocky", version="9")
    old = CatalogImage("img-4", "Debian-11", distro="debian", version="11")
    assert _chosen(Catalog((rocky, old, DEBIAN), (SMALL,), (OUTSIDE,))) == ("Debian-12", "known")
    assert _chosen(Catalog((rocky, old), (SMALL,), (OUTSIDE,))) == ("Debian-11", "known")
    assert _chosen(Catalog((GOLDEN, rocky), (SMALL,), (OUTSIDE,))) == ("rocky-9", "known")
    assert _chosen(Catalog((GOLDEN,), (SMALL,), (OUTSIDE,))) == ("golden-2026.10", "any")
    assert _chosen(Catalog((GOLDEN, DEBIAN), (SMALL,), (OUTSIDE,)), image={"name": "golden-*"}) == ("golden-2026.10", "given")


def test_nothing_fits() -> None:
    with pytest.raises(FleetError, match="nothing fits"):
        _chosen(Catalog((DEBIAN,), (SMALL,), (OUTSIDE,)), flavor={"memory_mib": 4096})


def test_a_node_asks_for_no_address_and_carries_the_tag() -> None:
    wish = wishes.wanted("n", "r1", {"network": {"reachable": "public", "name": "net-1"}, "tags": {"cost": "lab"}}, {"team": "ops"}, "openstack")
    assert (wish.network.name, wish.network.reachable) == ("net-1", "any")
    assert wish.tags == {"team": "ops", "cost": "lab", "fleet_conformance": "r1"}
    assert wish.rules is not None
    assert [rule.port for rule in wish.rules] == [22]
    assert wishes.wanted("n", "r1", {}, {}, "gce").network.reachable == "private", "Google gives what the request names"


def test_an_unknown_part_of_a_requirement() -> None:
    with pytest.raises(FleetError, match=r"requirements.dream: unknown key 'imagee'"):
        wishes.checked({"imagee": {}}, "requirements.dream")


def test_names_tell_their_run() -> None:
    assert wishes.run_of(wishes.name_of("ab12", 3)) == "ab12"
    assert wishes.run_of(wishes.twin_of(wishes.name_of("ab12", 3))) == "ab12"
    assert len({wishes.name_of("r", 1), wishes.twin_of(wishes.name_of("r", 1)), wishes.name_of("r", 10), wishes.name_of("r", 101)}) == 4
    for other in ("web-1", "fleet-conformance", "fleet-conformance-", "fleet-conformance-ab12", "my-fleet-conformance-ab12-1", ""):
        assert wishes.run_of(other) is None
    assert CATALOG.images


# -------------------------------------------------------------------------------------------------- journal
def test_a_run_is_noted_until_nothing_is_left(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "state"))
    place = Path(journal.begin("r1", {"dream": ["n-1"], "amazon": ["n-2"]}))
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    (note,) = journal.notes()
    assert (note.run, dict(note.names), note.alive) == ("r1", {"dream": ("n-1",), "amazon": ("n-2",)}, True)
    journal.keep("r1", ["amazon"])
    assert dict(journal.notes()[0].names) == {"amazon": ("n-2",)}
    journal.keep("r1", [])
    assert journal.notes() == []
    assert not place.exists()


def test_a_run_id_is_used_once(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.begin("r1", {})
    with pytest.raises(FleetError, match="there is a run 'r1' already"):
        journal.begin("r1", {})


def test_a_run_whose_process_is_gone_is_not_alive(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    place = Path(journal.begin("r1", {"dream": ["n-1"]}))
    text = (place / "run.json").read_text(encoding="utf-8")
    (place / "run.json").write_text(text.replace(f'"pid": {os.getpid()}', '"pid": 1'), encoding="utf-8")
    assert not journal.notes()[0].alive


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"run": "c"}'), ("d", '{"names": 3}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text, encoding="utf-8")
    assert Journal(str(tmp_path)).notes() == []
    assert Journal(str(tmp_path / "none")).notes() == []


# --------------------------------------------------------------------------------------------------- routes
HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
UPLINK = HEAD + "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\neth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
LAB = HEAD + "r1 076433C6 00000000 0005 0 0 0 FFFFFFFF 0 0 0\n"
LAB6 = "20010db8000000010000000000000007 80 " + "0" * 32 + " 00 " + "0" * 32 + " 00000400 00000000 00000000 00000001       r1\n"


def _reader(**files_: str) -> object:
    names = {"route": "/proc/net/route", "six": "/proc/net/ipv6_route", "own": "/proc/net/fib_trie"}
    return {names[key]: text for key, text in files_.items()}


@pytest.mark.parametrize(("address", "files_", "reached"), [
    ("198.51.100.7", {"route": UPLINK}, False),
    ("192.0.2.9", {"route": UPLINK}, False),  # on the link to the internet, where nobody may have it
    ("198.51.100.7", {"route": LAB}, True),
    ("198.51.100.8", {"route": LAB}, False),
    ("2001:db8:0:1::7", {"six": LAB6}, True),
    ("2001:db8:0:1::8", {"six": LAB6}, False),
    ("8.8.8.8", {}, True),  # whether others are reached is found out by asking them
    ("10.0.0.1", {"route": UPLINK}, True),
    ("host.example.com", {}, True),
])
def test_no_packet_for_addresses_that_are_nobodys(address: str, files_: dict[str, str], reached: bool) -> None:
    found = _reader(**files_)
    assert isinstance(found, dict)
    assert (reach.why_not(address, lambda path: found.get(path, "")) == "") is reached


# ------------------------------------------------------------------------------------------------- ending early
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_only_raises_the_flag(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Stop() as stop:
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted, match=f"ended by {number.name}"):
            stop.sleep(5)
        os.kill(os.getpid(), number)  # the impatient press it twice
        assert stop.asked
    assert signal.getsignal(number) is before


def test_reports_that_cannot_be_written_are_found_out_first(tmp_path: Path) -> None:
    assert files.place(None) is None
    path = files.place(str(tmp_path / "new" / "report.html"))
    assert path
    files.write(path, "text")
    assert Path(path).read_text(encoding="utf-8") == "text"
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FleetError, match="write the report"):
        files.place(str(tmp_path / "file" / "report.html"))
    with pytest.raises(FleetError, match="is a folder"):
        files.place(str(tmp_path))


def test_the_document_tells_every_check_and_every_variable() -> None:
    root = Path(__file__).resolve().parents[5]
    text = (root / "docs" / "conformance.md").read_text(encoding="utf-8")
    for check in CHECKS:
        row = f"| `{check.id}` | {check.label} | {check.yes} | {check.partial or '-'} | {check.no} | {check.aws} |"
        assert row in text, f"write it anew: {row}"
    playbook = (root / "playbooks" / "conformance.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"conformance_(?!result|list|only_list|skip_list)[a-z_]+", playbook))
    assert {name for name in used if f"`{name}`" not in text} <= {"conformance_width"}
