# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compute Engine's images, machine types and zones in the catalog's one shape."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import image_login
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce import catalog

BASE = "https://www.googleapis.com/compute/v1/projects"


# --------------------------------------------------------------------------------------------------- images
@pytest.mark.parametrize(("words", "projects"), [
    (("debian",), ["acme", "debian-cloud"]),
    (("debian-12", "debian"), ["acme", "debian-cloud"]),
    (("ubuntu-2404-lts-amd64",), ["acme", "ubuntu-os-cloud"]),
    (("rocky",), ["acme", "rocky-linux-cloud"]),
    (("rhel-9",), ["acme", "rhel-cloud"]),
    (("sles-15",), ["acme", "suse-cloud"]),
    (("fedora",), ["acme", "fedora-cloud", "fedora-coreos-cloud"]),
    (("cos-stable",), ["acme", "cos-cloud"]),
    (("projects/golden/global/images/base-1",), ["acme", "golden"]),
    (("https://www.googleapis.com/compute/v1/projects/golden/global/images/base-1", "debian"), ["acme", "golden", "debian-cloud"]),
])
def test_only_projects_that_may_have_it_are_asked(words: tuple[str, ...], projects: list[str]) -> None:
    assert catalog.image_projects("acme", words) == projects


@pytest.mark.parametrize("words", [(), ("base-image",)])
def test_all_are_asked_when_nothing_tells(words: tuple[str, ...]) -> None:
    assert len(catalog.image_projects("acme", words)) == len(catalog.PUBLIC_PROJECTS) + 1


def image(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "status": "READY", "creationTimestamp": "2026-11-11T01:02:03.456-08:00", "diskSizeGb": "10",
            "architecture": "X86_64", "licenses": [f"{BASE}/debian-cloud/global/licenses/debian-12-bookworm"], **changes}


def test_a_public_image() -> None:
    (found,) = catalog.images([image("debian-12-bookworm-v20261111", family="debian-12")], "debian-cloud", "acme")
    assert (found.id, found.family) == ("projects/debian-cloud/global/images/debian-12-bookworm-v20261111", "debian-12")
    assert (found.distro, found.version, found.arch, found.created) == ("debian", "12", "x86_64", "2026-11-11T09:02:03Z")
    assert (found.owner, found.public, found.min_disk_gib, found.usable) == ("debian-cloud", True, 10, True)
    assert image_login("gce", found).value == "fleet"


def test_a_name_is_exact_where_a_public_licence_is_old_but_own_names_may_say_anything() -> None:
    suse = image("opensuse-leap-15-6-v2026", licenses=[f"{BASE}/opensuse-cloud/global/licenses/opensuse-leap-42"])
    (found,) = catalog.images([suse], "opensuse-cloud", "acme")
    assert (found.distro, found.version) == ("opensuse", "15.6")
    (found,) = catalog.images([image("like-ubuntu-2404")], "acme", "acme")
    assert (found.distro, found.version, found.public) == ("debian", "12", False)


def test_withdrawn_images() -> None:
    gone = image("debian-12-old", deprecated={"state": "DEPRECATED", "replacement": f"{BASE}/debian-cloud/global/images/debian-12-new"})
    assert catalog.images([gone], "debian-cloud", "acme") == []
    for found in (catalog.images([gone], "acme", "acme"), catalog.images([gone], "debian-cloud", "acme", ("debian-12-old",))):
        assert [(one.usable, one.legacy, one.why_not) for one in found] == [(False, True, "is DEPRECATED, replaced by debian-12-new")]
    obsolete = image("debian-12-old", family="debian-12", deprecated={"state": "OBSOLETE"})
    (found_by_family,) = catalog.images([obsolete], "debian-cloud", "acme", ("debian-12",))
    assert (found_by_family.usable, found_by_family.legacy, found_by_family.why_not) == (False, False, "is OBSOLETE")
    assert catalog.images([image("x", status="PENDING")], "acme", "acme")[0].why_not == "is PENDING"
    assert catalog.images([image("x", deprecated={"state": "ACTIVE"})], "debian-cloud", "acme")[0].usable


def test_windows_has_no_login() -> None:
    (found,) = catalog.images([image("win", licenses=[], guestOsFeatures=[{"type": "WINDOWS"}], architecture=None)], "acme", "acme")
    assert (found.distro, found.arch) == ("windows", None)
    assert image_login("gce", found).candidates == ()


# -------------------------------------------------------------------------------------------------- flavors
def test_machine_types_of_several_zones() -> None:
    def row(name: str, zone: str, **changes: Any) -> dict[str, Any]:
        return {"name": name, "zone": f"{BASE}/acme/zones/{zone}", "guestCpus": 2, "memoryMb": 4096, **changes}

    found = catalog.flavors([
        row("e2-medium", "us-b"), row("e2-medium", "us-a"), row("t2a-standard-2", "us-a", architecture="ARM64"), row("c4a-highcpu-2", "us-a"),
        row("n1-standard-2", "us-a", deprecated={"state": "DEPRECATED"}), row("a2-highgpu-1g", "us-a")])
    by_name = {flavor.name: flavor for flavor in found}
    assert by_name["e2-medium"].zones == ("us-a", "us-b")
    assert (by_name["e2-medium"].vcpus, by_name["e2-medium"].memory_mib, by_name["e2-medium"].disk_gib) == (2, 4096, None)
    assert [by_name[name].arch for name in ("e2-medium", "t2a-standard-2", "c4a-highcpu-2")] == ["x86_64", "aarch64", "aarch64"]
    assert by_name["n1-standard-2"].why_not == "is DEPRECATED"
    ranks = [by_name[name].price_rank for name in ("e2-medium", "t2a-standard-2", "n1-standard-2", "a2-highgpu-1g")]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 4


# ---------------------------------------------------------------------------------------------------- zones
def test_zones_and_the_region_at_home() -> None:
    rows = [{"name": f"{region}-a", "status": status, "region": f"{BASE}/acme/regions/{region}"}
            for region, status in (("us-east1", "UP"), ("asia-east1", "UP"), ("us-central1", "DOWN"))]
    found = catalog.zones(rows)
    assert [(zone.name, zone.usable) for zone in found] == [("asia-east1-a", True), ("us-central1-a", False), ("us-east1-a", True)]
    assert [zone.name for zone in catalog.zones(rows, ("us-east1-a",))] == ["us-east1-a"]
    usable = [zone for zone in found if zone.usable]
    assert catalog.home_region(found, {}, ()) == "us-central1"
    assert catalog.home_region(usable, {}, ()) == "asia-east1"
    assert catalog.home_region(usable, {"CLOUDSDK_COMPUTE_REGION": "us-east1"}, ()) == "us-east1"
    assert catalog.home_region(usable, {"CLOUDSDK_COMPUTE_ZONE": "us-east1-a"}, ()) == "us-east1"
    assert catalog.home_region(found, {"CLOUDSDK_COMPUTE_REGION": "us-central1"}, ("us-east1-a",)) == "us-east1"
    assert catalog.home_region([], {}, ()) is None
