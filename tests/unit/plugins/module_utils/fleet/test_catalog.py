# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The catalog as plain data."""
from __future__ import annotations

import json

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog, CatalogZone, as_dict
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import LoginEvidence
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import dual, flavor, image, machine, network

CATALOG = Catalog(
    (image(), image("mute", login=LoginEvidence(image_properties={"image_original_user": "none"}))),
    (flavor(zones=("a",)), flavor("out", why_not="sold out"), machine("m0")), (network("ext", extra={"secret": "x"}),), (CatalogZone("a"),))


def test_it_is_plain_and_says_who_logs_in() -> None:
    data = as_dict("openstack", CATALOG)
    assert json.loads(json.dumps(data)) == data
    users = [(row["name"], row["login_user"], row["login_candidates"]) for row in data["images"]]
    assert users == [("debian-12", "debian", ["debian"]), ("mute", None, [])]
    assert "no login user" in data["images"][1]["why"]
    assert [(row["usable"], row["why_not"]) for row in data["flavors"]] == [(True, ""), (False, "sold out"), (True, "")]
    assert data["flavors"][0]["zones"] == ["a"]
    assert data["flavors"][2]["image"] == {"id": "img-installed", "name": "installed"}
    assert data["flavors"][2]["networks"][0]["role"] == "public"
    assert "extra" not in data["networks"][0]
    assert data["zones"] == [{"name": "a", "region": None, "usable": True}]


def test_the_operator_s_word_on_the_login_user() -> None:
    assert {row["login_user"] for row in as_dict("openstack", CATALOG, "ops")["images"]} == {"ops"}


def test_a_network_is_what_its_best_family_is() -> None:
    assert dual("n", ("private", "none"), ("public", "direct")).role == "public"
    assert network("n", reach={}).role == "unknown"
