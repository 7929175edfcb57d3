# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Faults of the provider gce on the lab, through the whole engine: one node or none, and a clear word."""
from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.powering import bring
from fleetlab.core import Lab

from .gce_project import Place, cloud, living, make_project, settings

PROJECT = f"acme-faults-{secrets.token_hex(3)}"
INSERT = "instances.insert"


@pytest.fixture(scope="module")
def key_file(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(PROJECT, tmp_path_factory.mktemp("gce"))


@pytest.fixture
def place(key_file: Path) -> Iterator[Place]:
    yield from living(PROJECT, key_file)


@pytest.mark.parametrize("trouble", [{"code": 503}, {"code": 500, "reason": "internalError"}, {"drop": True}, {"raw": "<html>", "code": 502}])
def test_an_answer_that_is_lost_after_the_request_was_carried_out(place: Place, trouble: dict[str, Any]) -> None:
    rules = {"allow": [{"port": 22, "from": ["203.0.113.0/24"]}]}
    for match in (INSERT, "firewalls.insert", "instances.setLabels"):
        place.api.fault(match=match, late=True, **trouble)
    outcome = place.make("lost-1", security=rules)
    assert outcome.node, outcome.failure
    again = place.make("lost-1", security=rules, tags={"a": "b"})
    assert again.did == ["tags set: a"]
    assert len([thing for thing in place.api.things() if "/instances/" in thing]) == 1


@pytest.mark.parametrize(("reason", "message", "code"), [
    ("QUOTA_EXCEEDED", "Quota 'CPUS' exceeded.  Limit: 8.0 in region us-central1.", "quota"),
    ("QUOTA_EXCEEDED", "Quota 'IN_USE_ADDRESSES' exceeded.  Limit: 4.0 in region us-central1.", "address_pool"),
    ("INTERNAL_ERROR", "Internal error. Please try again.", "unavailable"),
])
def test_an_operation_that_ends_in_an_error_leaves_nothing(place: Place, reason: str, message: str, code: str) -> None:
    before, name = place.api.things(), f"ends-{code.replace('_', '-')}"
    place.api.fault(match=INSERT, operation=True, reason=reason, message=message)
    outcome = place.make(name, security={"allow": [{"port": 22, "from": ["203.0.113.0/24"]}]})
    assert outcome.failure
    assert (outcome.failure.code, outcome.node) == (code, None)
    assert f"{reason}: {' '.join(message.split())}" in outcome.failure.why
    assert place.api.things() == before
    assert place.make(name).node  # and it is not told again


def test_a_zone_whose_operation_ends_for_want_of_room(place: Place) -> None:
    full = {"match": INSERT, "operation": True, "reason": "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "message": "no room"}
    for letter in "abcf":
        place.api.fault(**full, zone=f"us-central1-{letter}")
    zone, subnetwork = place.made("full-1")
    assert zone.startswith("us-east1-")  # the next one on the continent
    assert subnetwork.endswith(f"/regions/{zone[:-2]}/subnetworks/default")


def test_an_image_that_is_gone_between_choice_and_request(place: Place) -> None:
    gone = "Invalid value for field 'resource.disks[0].initializeParams.sourceImage': 'x'. The referenced image resource cannot be found."
    place.api.fault(match=INSERT, code=400, reason="invalid", message=gone)
    outcome = place.make("image-1", image={"distro": "debian"})
    assert outcome.node, outcome.failure
    assert outcome.choice
    assert outcome.choice.image
    assert outcome.choice.image.item.version == "12"
    place.api.fault(match=INSERT, operation=True, reason="RESOURCE_NOT_FOUND", message="The resource 'projects/x/global/images/y' was not found")
    words = place.refused("image-2", image={"distro": "debian", "version": "12", "arch": "x86_64"})
    assert "(first choice: RESOURCE_NOT_FOUND: " in words
    assert "was there, but is gone" in words


def test_a_withdrawn_image(place: Place) -> None:
    for name, wished, version in (("old-1", {"family": "debian-12"}, "v20261111"), ("old-2", {"name": "debian-12-bookworm-v20261014"}, "v20261014")):
        outcome = place.make(name, image=wished)
        assert outcome.choice, outcome.failure
        assert outcome.choice.image
        assert outcome.choice.image.item.name.endswith(version)


def test_labels_and_keys_that_others_change_meanwhile(place: Place) -> None:
    outcome = place.make("stale-1")
    assert outcome.node
    for match in ("instances.setLabels", "instances.setMetadata"):
        place.api.fault(match=match, times=3, code=412, reason="conditionNotMet", message="Supplied fingerprint does not match")
    assert place.make("stale-1", tags={"role": "web"}).did == ["tags set: role"]


def test_a_start_that_fails(place: Place) -> None:
    outcome = place.make("start-1")
    assert outcome.node
    here, making = cloud(place.key_file, PROJECT), Making(60, 4, settings())
    for state in ("stopped", "started"):
        if state == "started":
            place.api.fault(match="instances.start", operation=True, reason="ZONE_RESOURCE_POOL_EXHAUSTED", message="no room")
        bring(here, [outcome], state, making)
        assert bool(outcome.failure) is (state == "started"), outcome.failure
    assert "ZONE_RESOURCE_POOL_EXHAUSTED: no room" in str(outcome.failure)


def test_external_ipv6_only(place: Place) -> None:
    place.api.do("POST", "global/networks", {"name": "six", "autoCreateSubnetworks": False})
    place.api.do("POST", "regions/europe-west1/subnetworks", {
        "name": "only-six", "network": "global/networks/six", "stackType": "IPV6_ONLY", "ipv6AccessType": "EXTERNAL"})
    try:
        outcome = place.make("six-1", network={"name": "six"}, security={"allow": [{"port": 22, "from": ["2001:db8::/32"]}]})
        assert outcome.node, outcome.failure
        assert (outcome.node.public_ipv4, outcome.node.private_ipv4) == (None, None)
        assert outcome.node.public_ip == outcome.node.public_ipv6
        assert outcome.node.network_role == "public"
        place.remove()
    finally:
        place.api.do("DELETE", "regions/europe-west1/subnetworks/only-six")
        place.api.do("DELETE", "global/networks/six")


def test_os_login_of_the_project(place: Place) -> None:
    def metadata(**items: str) -> None:
        current = place.api.read("")["commonInstanceMetadata"]
        rows = [{"key": key.replace("_", "-"), "value": value} for key, value in items.items()]
        place.api.do("POST", "setCommonInstanceMetadata", {"fingerprint": current["fingerprint"], "items": rows})

    metadata(enable_oslogin="TRUE", ssh_keys="ops:ssh-ed25519 AAAA ops")
    try:
        outcome = place.make("login-1", login_user="first")
        assert outcome.node, outcome.failure
        assert outcome.node.login_user == "first"
    finally:
        metadata()
