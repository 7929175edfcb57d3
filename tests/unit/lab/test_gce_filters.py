# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""List filters of the GCE emulator."""

from __future__ import annotations

import pytest
from fleetlab.gce import filters
from fleetlab.gce.errors import ApiError
from fleetlab.gce.schema import SchemaChecker

WEB = {
    "name": "web-1",
    "status": "RUNNING",
    "labels": {"env": "prod", "tier": "web"},
    "canIpForward": False,
    "tags": {"items": ["ssh", "http"]},
    "creationTimestamp": "2026-11-20T11:14:05.049-08:00",
    "networkInterfaces": [{"networkIP": "10.0.0.2"}, {"networkIP": "10.1.0.2"}],
    "cpus": 2,
    "zone": "https://www.googleapis.com/compute/v1/projects/p/zones/us-central1-a",
}
DB = {
    "name": "db-1",
    "status": "TERMINATED",
    "labels": {"env": "dev"},
    "canIpForward": True,
    "tags": {},
    "cpus": 16,
    "creationTimestamp": "2026-11-19T11:14:05.049-08:00",
    "networkInterfaces": [{"networkIP": "10.0.0.3"}],
    "zone": "https://www.googleapis.com/compute/v1/projects/p/zones/europe-west1-b",
}


@pytest.mark.parametrize(
    ("text", "web", "db"),
    [
        ("", True, True),
        ("status = RUNNING", True, False),
        ("status=RUNNING", True, False),
        ('status != "RUNNING"', False, True),
        ("name = web-1", True, False),
        ('name = "web*"', True, False),
        ("name = w.b-1", False, False),
        ("name:b-1", True, True),
        ("name:web", True, False),
        ("labels.env = prod", True, False),
        ("labels.tier:*", True, False),
        ("-labels.tier:*", False, True),
        ("NOT labels.tier:*", False, True),
        ("labels.tier != web", False, True),
        ("labels:tier", True, False),
        ("canIpForward = true", False, True),
        ("tags.items:ssh", True, False),
        ("tags.items = http", True, False),
        ("networkInterfaces.networkIP = 10.1.0.2", True, False),
        ("cpus > 9", False, True),
        ("cpus <= 2", True, False),
        ('creationTimestamp > "2026-11-20T00:00:00Z"', True, False),
        ("zone:us-central1-a", True, False),
        ("status = RUNNING labels.env = dev", False, False),
        ("status = RUNNING AND labels.env = prod", True, False),
        ("status = RUNNING OR labels.env = dev", True, True),
        ("(status = RUNNING) (labels.env = prod)", True, False),
        ("(status = RUNNING OR status = TERMINATED) AND name = db-1", False, True),
        # OR binds tighter than AND (AIP-160)
        ("name = db-1 AND status = RUNNING OR status = TERMINATED", False, True),
        ("status = RUNNING OR status = TERMINATED AND name = db-1", False, True),
        # the older form: whole-field regular expressions
        ("name eq web-.*", True, False),
        ("name eq web", False, False),
        ("name ne .*-1", False, False),
        ("name ne web-1", False, True),
        ('name eq "(web|db)-[0-9]"', True, True),
        ("(status eq RUNNING) (name eq w.*)", True, False),
        ("(name eq (web|db)-1) (status eq 'TERMINATED')", False, True),
        ("labels.env eq prod", True, False),
    ],
)
def test_filter_chooses(text: str, web: bool, db: bool) -> None:
    passes = filters.parse(text, lambda field: True)
    assert (passes(WEB), passes(DB)) == (web, db)


@pytest.mark.parametrize(
    "text",
    [
        "status",
        "status =",
        "= RUNNING",
        "status = RUNNING AND",
        "OR status = RUNNING",
        "(status = RUNNING",
        "status = RUNNING)",
        "status ! RUNNING",
        "()",
        "name eq [",
        "(name eq a) OR (name eq b)",
        "(name eq a",
        "status == RUNNING",
        '"status" = RUNNING',
    ],
)
def test_a_broken_filter_is_refused_as_google_does(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        filters.parse(text, lambda field: True)
    assert (refused.value.code, refused.value.reason) == (400, "invalid")
    assert "Invalid list filter expression" in refused.value.message


def test_fields_come_from_the_schema() -> None:
    checker = SchemaChecker(
        {
            "Thing": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "nics": {"type": "array", "items": {"$ref": "Nic"}},
                },
            },
            "Nic": {"type": "object", "properties": {"ip": {"type": "string"}}},
        }
    )
    known = filters.field_checker({"$ref": "Thing"}, checker)
    assert [known(field) for field in ("name", "labels.anything", "nics.ip", "nics.mac", "nome")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    with pytest.raises(ApiError):
        filters.parse("nome = x", known)
