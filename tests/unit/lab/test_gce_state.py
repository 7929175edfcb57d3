# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Memory of the GCE emulator: addresses, fingerprints, operations, faults."""

from __future__ import annotations

import ipaddress
import time

import pytest
from fleetlab.gce.addressing import AddressPlan, Pool
from fleetlab.gce.errors import ApiError, Json
from fleetlab.gce.faults import Faults
from fleetlab.gce.operations import Operations
from fleetlab.gce.store import Store, path_of, scope_of

VM = "projects/p/zones/z-a/instances/vm"


def test_addresses_are_handed_out_in_turn_until_none_is_left() -> None:
    pool = Pool(("192.0.2.0/29",), 32)  # .2 to .5: Google keeps two at each end
    taken = [pool.take() for _number in range(4)]
    assert taken == ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"]
    with pytest.raises(ApiError) as full:
        pool.take()
    assert full.value.reason == "ipSpaceExhausted"
    pool.give_back("192.0.2.4")
    assert pool.take() == "192.0.2.4"


def test_an_address_given_back_is_not_the_next_one() -> None:
    pool = Pool(("192.0.2.0/24",), 32)
    first = pool.take()
    pool.give_back(first)
    assert pool.take() != first


def test_a_chosen_address_is_taken_once_and_only_in_range() -> None:
    pool = Pool(("192.0.2.0/24",), 32)
    assert [pool.take_this("192.0.2.9"), pool.take_this("192.0.2.9"), pool.take_this("198.51.100.1")] == [
        True,
        False,
        False,
    ]


def test_ipv6_prefixes_and_blocks_are_documentation_and_private_ranges() -> None:
    plan = AddressPlan()
    prefixes = [ipaddress.IPv6Network(plan.external_prefix()) for _number in range(3)]
    assert len(set(prefixes)) == 3
    assert all(
        prefix.prefixlen == 64 and prefix.subnet_of(ipaddress.IPv6Network("2001:db8::/32")) for prefix in prefixes
    )
    blocks = plan.ipv6(str(prefixes[0]), "subnet")
    first, second = (ipaddress.IPv6Network(f"{blocks.take()}/96") for _number in range(2))
    assert not first.overlaps(second)
    assert first.subnet_of(prefixes[0])
    private = ipaddress.IPv6Network(plan.ula_range())
    assert private.prefixlen == 48
    assert private.subnet_of(ipaddress.IPv6Network("fd20::/20"))
    assert ipaddress.IPv6Network(plan.ula_prefix(str(private), 3)).subnet_of(private)


def test_of_two_writers_with_one_reading_the_second_is_refused() -> None:
    store = Store()
    new = store.accept(VM, "metadata", "AAAA", "AAAA")
    for supplied in ("AAAA", None, ""):
        with pytest.raises(ApiError) as refused:
            store.accept(VM, "metadata", "AAAA", supplied)
        assert (refused.value.code, refused.value.reason) == (412, "conditionNotMet")
    assert store.accept(VM, "metadata", new, new) != new


def test_a_resource_is_found_by_name_and_by_id() -> None:
    store = Store()
    vm = store.add(VM, "compute#instance", {"name": "vm"})
    assert store.find(VM) is store.find(f"projects/p/zones/z-a/instances/{vm['id']}") is vm
    store.remove(VM)
    with pytest.raises(ApiError) as gone:
        store.get(VM)
    assert gone.value.code == 404


def test_a_claimed_name_is_taken_until_released() -> None:
    store = Store()
    store.claim(VM)
    with pytest.raises(ApiError) as taken:
        store.claim(VM)
    assert (taken.value.code, taken.value.reason) == (409, "alreadyExists")
    store.release(VM)
    store.claim(VM)


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("https://www.googleapis.com/compute/v1/projects/q/global/images/i", "projects/q/global/images/i"),
        ("http://127.0.0.1:1/compute/beta/projects/q/global/images/i", "projects/q/global/images/i"),
        ("projects/q/zones/z/disks/d", "projects/q/zones/z/disks/d"),
        ("zones/z/disks/d", "projects/p/zones/z/disks/d"),
        ("global/networks/n", "projects/p/global/networks/n"),
    ],
)
def test_full_and_partial_urls_mean_the_same_path(reference: str, path: str) -> None:
    assert path_of(reference, "p") == path


def test_words_that_are_no_url_are_refused() -> None:
    with pytest.raises(ApiError):
        path_of("debian-12", "p")


def test_scopes() -> None:
    assert [scope_of(path) for path in (VM, "projects/p/regions/r/addresses/a", "projects/p/global/networks/n")] == [
        "zones/z-a",
        "regions/r",
        "global",
    ]


def test_an_operation_runs_then_is_done_and_its_effect_shows_only_then() -> None:
    store = Store()
    operations = Operations(store, delay=0.1)
    with store.lock:
        vm = store.add(VM, "compute#instance", {"name": "vm"})
        began = time.monotonic()
        operation = operations.begin("stop", VM, "me@example.com", lambda: vm.update(status="TERMINATED"))
        path = path_of(operation["selfLink"], "p")
        assert (operation["status"], "status" in vm, operation["zone"].endswith("projects/p/zones/z-a")) == (
            "RUNNING",
            False,
            True,
        )
        assert operations.wait(path, 0.01)["status"] == "RUNNING"
        done = operations.wait(path, 5)
    assert (done["status"], done["progress"], vm["status"]) == ("DONE", 100, "TERMINATED")
    assert time.monotonic() - began >= 0.1


def test_a_failing_effect_shows_in_its_operation_and_the_next_one_still_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = Store()
    operations = Operations(store, delay=0)

    def refused() -> None:
        raise ApiError(400, "ipSpaceExhausted", "no address left")

    def broken() -> None:
        raise ZeroDivisionError("oops")

    with store.lock:
        finished: list[Json] = [
            operations.wait(path_of(operations.begin("insert", VM, "me", effect)["selfLink"], "p"), 5)
            for effect in (refused, broken, lambda: None)
        ]
    codes = [[error["code"] for error in done.get("error", {}).get("errors", [])] for done in finished]
    assert codes == [["IP_SPACE_EXHAUSTED"], ["INTERNAL_ERROR"], []]
    assert "BROKEN" in capsys.readouterr().err


def test_a_request_id_must_be_a_uuid() -> None:
    operations = Operations(Store(), delay=0)
    for text in ("x", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(ApiError):
            operations.repeated("p", text)
    assert operations.repeated("p", "5f6a1d0e-6f0b-4f7e-8f14-0a4c4d4e5f60") is None


def test_listeners_hear_of_instances_and_a_failing_one_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    store, heard = Store(), []

    def failing(event: str, path: str, instance: Json) -> None:
        raise RuntimeError("no")

    store.instance_hooks += [failing, lambda event, path, instance: heard.append((event, path))]
    store.announce("running", VM, {"id": "1"})
    assert heard == [("running", VM)]
    assert "failed on running" in capsys.readouterr().err


def test_faults_count_skip_and_match() -> None:
    faults = Faults()
    faults.add({"match": "instances.*", "code": 429, "times": 2, "skip": 1, "query": {"project": "p"}})
    asked = [
        ("instances.list", "q"),
        ("disks.list", "p"),
        ("instances.list", "p"),
        ("instances.get", "p"),
        ("instances.list", "p"),
        ("instances.list", "p"),
    ]
    assert [faults.take(method, {"project": project}) is not None for method, project in asked] == [
        False,
        False,
        False,
        True,
        True,
        False,
    ]


def test_a_fault_without_limit_lasts_until_cleared() -> None:
    faults = Faults()
    faults.add({"match": "token", "code": 500, "times": 0})
    assert all(faults.take("token", {}) for _number in range(5))
    faults.clear()
    assert faults.take("token", {}) is None


@pytest.mark.parametrize("order", [{}, {"code": 500}, {"match": "x", "cod": 500}])
def test_a_misspelt_fault_is_refused(order: Json) -> None:
    with pytest.raises(ApiError):
        Faults().add(order)
