# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what was seen to YES, PARTIAL, NO, with the evidence named in the answer."""
from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.proofs import Proof
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance import addresses, judging
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.judging import Door
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.conformance.samples import (
    CATALOG,
    DEBIAN,
    DIRECT,
    DUAL,
    FLOATING,
    GOLDEN,
    INSIDE,
    OFFICE,
    OUTSIDE,
    SIX,
    SMALL,
    node,
)


@pytest.mark.parametrize(("code", "verdict"), [
    ("quota", "NO"), ("capacity", "NO"), ("node_error", "NO"), ("no_match", "NO"), ("address_pool", "NO"), ("refused", "NO"),
    ("denied", "ERROR"), ("unsupported", "-"),
    ("auth", "ERROR"), ("unreachable", "ERROR"), ("tls", "ERROR"), ("library_missing", "ERROR"), ("timeout", "ERROR")])
def test_a_failure_is_the_clouds_no_or_could_not_be_asked(code: str, verdict: str) -> None:
    assert judging.of_failure(FleetError("make a node", why="because", code=code)) == (verdict, "make a node: because")


def test_waiting_in_vain_is_a_no_where_it_was_waited_for() -> None:
    assert judging.of_failure(FleetError("x", code="timeout"), timeout_is_no=True)[0] == "NO"


def test_a_key() -> None:
    assert judging.add_key("key store", shown=True, fingerprint="aa:bb") == ("YES", "in the key store, fingerprint aa:bb")
    assert judging.add_key("key store", shown=False, fingerprint=None)[0] == "NO"
    assert judging.add_key("instance metadata", shown=True, fingerprint=None)[0] == "PARTIAL"
    assert judging.add_key("", shown=False, fingerprint=None)[0] == "NO"


def test_metadata_is_whole() -> None:
    assert judging.metadata(CATALOG, "openstack", None) == ("YES", "1 images, 2 flavors, 1 networks, 1 zones")


def test_metadata_lacks_a_login_user() -> None:
    own = dataclasses.replace(CATALOG, images=(dataclasses.replace(DEBIAN, public=False), GOLDEN))
    verdict, evidence = judging.metadata(own, "openstack", None)
    assert (verdict, "login user not told for golden-2026.10" in evidence) == ("PARTIAL", True)
    assert judging.metadata(own, "openstack", "ops")[0] == "YES", "the operator has said who logs in"


def test_an_own_image_beside_official_ones_is_no_trait_of_the_cloud() -> None:
    assert judging.metadata(dataclasses.replace(CATALOG, images=(DEBIAN, GOLDEN)), "openstack", None)[0] == "YES"


def test_metadata_lacks_a_role_or_a_size() -> None:
    dark = dataclasses.replace(OUTSIDE, reach={"ipv4": "unknown"})
    assert judging.metadata(dataclasses.replace(CATALOG, networks=(dark,)), "openstack", None)[0] == "PARTIAL"
    sizeless = dataclasses.replace(SMALL, memory_mib=None)
    assert judging.metadata(dataclasses.replace(CATALOG, flavors=(sizeless,)), "openstack", None)[0] == "PARTIAL"


@pytest.mark.parametrize("part", ["images", "flavors", "networks"])
def test_metadata_lacks_a_part(part: str) -> None:
    verdict, evidence = judging.metadata(dataclasses.replace(CATALOG, **{part: ()}), "openstack", None)  # type: ignore[arg-type]
    assert verdict == "NO"
    assert f"no {part} told" in evidence


def test_machines_bring_their_networks_along() -> None:
    machine = dataclasses.replace(SMALL, networks=(OUTSIDE,))
    assert judging.metadata(Catalog(flavors=(machine,)), "metal", None) == ("YES", "0 images, 1 machines with 1 networks")


def test_a_request() -> None:
    assert judging.request(node(), [], 3.14, first="a", taken="a") == ("YES", "n-1 runs after 3.1 s")
    verdict, evidence = judging.request(node(), [], 3.14, first="Debian-12, small", taken="Debian-12, large")
    assert (verdict, "Debian-12, small was not to be had" in evidence) == ("PARTIAL", True)


# ------------------------------------------------------------------------------------------------- addresses
def test_a_public_address_by_default() -> None:
    verdict, evidence = addresses.public_address(node(DIRECT), None)
    assert verdict == "YES"
    assert evidence.startswith("198.51.100.7 by default (")
    verdict, evidence = addresses.default_address(node(DIRECT))
    assert verdict == "YES"
    assert evidence.startswith("198.51.100.7 without being asked for (")


def test_an_address_that_only_the_company_reaches() -> None:
    verdict, evidence = addresses.public_address(node(OFFICE), None)
    assert verdict == "PARTIAL"
    assert evidence.startswith("10.180.0.7 by default (")
    assert evidence.endswith("), which only the outside of the cloud reaches, not the internet")
    assert addresses.public_address(node(INSIDE), node(OFFICE), word="allocated it") == (
        "PARTIAL", "10.180.0.7 when it was asked for (allocated it), which only the outside of the cloud reaches, not the internet")
    assert addresses.default_address(node(OFFICE))[0] == "PARTIAL"


def test_a_floating_address_on_request() -> None:
    """The step is done; that it has to be asked for is a behaviour of its own."""
    answer = addresses.public_address(node(INSIDE), node(INSIDE, FLOATING), word="allocated floating IP 203.0.113.7")
    assert answer == ("YES", "203.0.113.7 when it was asked for (allocated floating IP 203.0.113.7)")
    verdict, evidence = addresses.default_address(node(INSIDE))
    assert verdict == "NO"
    assert evidence.startswith("none unless it is asked for (")


def test_ipv6_by_default_is_not_what_aws_gives() -> None:
    failure = FleetError("attach", why="the pool is empty", code="address_pool")
    verdict, evidence = addresses.public_address(node(INSIDE, SIX), node(INSIDE, SIX), failure=failure)
    assert verdict == "PARTIAL"
    assert evidence == "only IPv6, 2001:db8::7; no IPv4: the pool is empty"
    assert addresses.default_address(node(INSIDE, SIX)) == ("PARTIAL", "only IPv6, 2001:db8::7; no IPv4 unless it is asked for")


def test_no_public_address() -> None:
    failure = FleetError("choose the network", why="nothing leads out", code="no_match")
    assert addresses.public_address(node(INSIDE), None, failure=failure) == ("NO", "none to be had: nothing leads out")


@pytest.mark.parametrize("before", [node(INSIDE), node(INSIDE, SIX)])
def test_an_address_that_could_not_be_asked_for_says_nothing_of_the_cloud(before: Node) -> None:
    failure = FleetError("list floatingips", why="HTTP 503", code="unavailable")
    assert addresses.public_address(before, before, failure=failure) == ("ERROR", "list floatingips: HTTP 503")


def test_a_private_address() -> None:
    assert addresses.private_address(node(INSIDE, FLOATING)) == ("YES", "10.0.0.7")
    assert addresses.private_address(node(INSIDE)) == ("PARTIAL", "10.0.0.7, and no other")
    assert addresses.private_address(node(DIRECT)) == ("NO", "none; the node has 198.51.100.7")


def test_ipv6() -> None:
    assert addresses.ipv6(node(SIX), CATALOG)[0] == "YES"
    assert addresses.ipv6(node(DIRECT), dataclasses.replace(CATALOG, networks=(OUTSIDE, DUAL))) == ("PARTIAL", "none by default; to be had on dual")
    inner = dataclasses.replace(DUAL, reach={"ipv6": "private"})
    assert addresses.ipv6(node(DIRECT), dataclasses.replace(CATALOG, networks=(inner,))) == ("PARTIAL", "none by default; private ones on dual")
    shut = dataclasses.replace(DUAL, usable=False)
    assert addresses.ipv6(node(DIRECT), dataclasses.replace(CATALOG, networks=(shut,))) == ("NO", "no network has IPv6")


def test_addresses_over_stop_and_start() -> None:
    same = node(INSIDE, FLOATING)
    assert addresses.address_stays(same, same)[0] == "YES"
    other = dataclasses.replace(same, public_ipv4="203.0.113.8")
    assert addresses.address_stays(same, other) == ("PARTIAL", "public IPv4 203.0.113.7 became 203.0.113.8; private IPv4 10.0.0.7 stayed")
    lost = dataclasses.replace(same, public_ipv4=None)
    assert addresses.address_stays(same, lost)[0] == "NO"
    moved = dataclasses.replace(same, private_ipv4="10.0.0.9")
    assert addresses.address_stays(same, moved)[0] == "NO"
    only = node(DIRECT)
    assert addresses.address_stays(only, dataclasses.replace(only, public_ipv4="198.51.100.9"))[0] == "NO", "nothing stayed"
    assert addresses.address_stays(node(), node())[0] == "-"


# ---------------------------------------------------------------------------------------------------- around
def test_tags() -> None:
    wanted = {"fleet_conformance": "r1", "Cost": "lab"}
    full = judging.tags(wanted, wanted, {**wanted, "x": "y"}, added={"later": "1"}, later={"later": "1"})
    assert full == ("YES", "Cost, fleet_conformance of the request, and later, set later")
    assert judging.tags(wanted, wanted, {}, added={"later": "1"}, later={})[0] == "NO"
    adapted = {"fleet_conformance": "r1", "cost": "lab"}
    assert judging.tags(wanted, adapted, adapted, added={"later": "1"}, later={"later": "1"}) == ("PARTIAL", "changed: Cost=lab")
    assert judging.tags(wanted, wanted, wanted, added={"later": "1"}, later=wanted) == ("PARTIAL", "not settable on a running node: later")
    assert judging.tags(wanted, wanted, {"Cost": "lab"}, added={"later": "1"}, later={"later": "1"}) == ("PARTIAL", "not kept: fleet_conformance")


def test_a_second_request() -> None:
    assert judging.second_request("n-1", "n-1", ["n-1"]) == ("YES", "answered with n-1")
    assert judging.second_request("n-1", "n-2", ["n-1", "n-2"]) == ("NO", "made n-2 beside n-1")
    assert judging.second_request("n-1", "n-1", ["n-1", "n-2"]) == ("NO", "made n-2 beside n-1")


def test_two_nodes_of_one_name() -> None:
    assert judging.same_name("n-1", "n-1", {}, "web")[0] == "NO"
    assert judging.same_name("n-1", "n-2", {"n-1": "web", "n-2": "web"}, "web")[0] == "YES"
    assert judging.same_name("n-1", "n-2", {"n-1": "web", "n-2": "web-2"}, "web")[0] == "PARTIAL"


def test_host_keys() -> None:
    keys = ("ssh-ed25519 AAAA", "ssh-rsa AAAB")
    assert judging.host_keys(keys, None) == ("YES", "2 keys (ssh-ed25519, ssh-rsa)")
    assert judging.host_keys(None, keys)[0] == "PARTIAL"
    assert judging.host_keys((), None)[0] == "NO"


def test_a_deletion() -> None:
    assert judging.deletion(living=[], left=[], strange=[], removed=["n-1"]) == ("YES", "removed n-1; nothing is left")
    assert judging.deletion(living=[], left=["floating IP 203.0.113.7"], strange=[], removed=["n-1"])[0] == "PARTIAL"
    assert judging.deletion(living=["n-1"], left=[], strange=["x"], removed=[]) == (
        "NO", "still there: n-1 (1 nodes of others came or went meanwhile)")


# ----------------------------------------------------------------------------------------------------- shell
def test_a_login() -> None:
    assert judging.login(Door("debian", "debian", "", "os_distro debian")) == ("YES", "as debian, as the data told (os_distro debian)")
    assert judging.login(Door("debian", "admin", "the host's own answer to root"))[0] == "PARTIAL"
    assert judging.login(Door(None, "admin")) == ("PARTIAL", "admin, which no data told")
    assert judging.login(Door("debian", None, told="debian: permission denied")) == ("NO", "debian: permission denied")


def _proof(fleet: str = "opened", own: str = "refused", password: str = "refused", *failures: str) -> Proof:
    return Proof(fleet, own, password, [], list(failures))


def test_the_fleets_keys() -> None:
    assert judging.fleet_keys(_proof(), ["made fleet"]) == ("YES", "the fleet's key opens, no account is asked for a password (made fleet)")
    assert judging.fleet_keys(_proof(password="offered"), [])[0] == "PARTIAL"
    assert judging.fleet_keys(_proof(password="unproved"), [])[0] == "ERROR"
    assert judging.fleet_keys(_proof("denied", "refused", "refused", "refused it"), []) == ("NO", "refused it")
    assert judging.fleet_keys(_proof("unreachable"), [])[0] == "ERROR", "a dead connection proves nothing"


def test_the_nodes_own_key() -> None:
    assert judging.node_key_removed(_proof(), ["key store"], []) == ("YES", "refused for every account; taken out of key store")
    assert judging.node_key_removed(_proof(), [], ["metadata"]) == ("PARTIAL", "refused by the node, but still in metadata")
    assert judging.node_key_removed(_proof(own="opened"), [], [])[0] == "NO"
    assert judging.node_key_removed(_proof(own="unproved"), [], [])[0] == "ERROR"
    assert judging.key_stays_out(_proof())[0] == "YES"
    assert judging.key_stays_out(_proof(own="opened"))[0] == "NO"
    assert judging.key_stays_out(_proof("denied"))[0] == "PARTIAL"
    assert judging.key_stays_out(_proof(own="unproved"))[0] == "ERROR"
