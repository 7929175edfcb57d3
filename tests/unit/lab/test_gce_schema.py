# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema checker of the GCE emulator: lenient with requests as Google is, strict with its own answers."""

from __future__ import annotations

from typing import Any

import pytest
from fleetlab.gce.errors import ApiError
from fleetlab.gce.schema import SchemaChecker

CHECKER = SchemaChecker(
    {
        "Disk": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "pattern": "[a-z]+", "annotations": {"required": ["compute.disks.insert"]}},
                "sizeGb": {"type": "string", "format": "int64"},
                "index": {"type": "integer", "format": "int32"},
                "boot": {"type": "boolean"},
                "mode": {"type": "string", "enum": ["RW", "RO"]},
                "ratio": {"type": "number", "format": "double"},
                "fingerprint": {"type": "string", "format": "byte"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "parts": {"type": "array", "items": {"$ref": "Disk"}},
                "free": {"type": "any"},
            },
        }
    }
)

GOOD: dict[str, Any] = {
    "name": "a",
    "sizeGb": "10",
    "index": 1,
    "boot": True,
    "mode": "RW",
    "ratio": 0.5,
    "fingerprint": "42WmSpB8rSM=",
    "labels": {"any-key": "x"},
    "parts": [{"name": "b"}],
    "free": {"what": ["ever"]},
}


def test_a_right_answer_has_no_problems() -> None:
    assert CHECKER.answer_problems(GOOD, "Disk") == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"sizeGb": 10}, "Disk.sizeGb"),
        ({"sizeGb": "ten"}, "Disk.sizeGb"),
        ({"sizeGb": str(2**63)}, "Disk.sizeGb"),
        ({"index": "1"}, "Disk.index"),
        ({"index": 2**31}, "Disk.index"),
        ({"index": True}, "Disk.index"),
        ({"boot": "true"}, "Disk.boot"),
        ({"mode": "XX"}, "Disk.mode"),
        ({"ratio": "0.5"}, "Disk.ratio"),
        ({"name": "A"}, "Disk.name"),
        ({"name": 1}, "Disk.name"),
        ({"fingerprint": "no base64!"}, "Disk.fingerprint"),
        ({"labels": {"k": 1}}, "Disk.labels.k"),
        ({"labels": []}, "Disk.labels"),
        ({"parts": {}}, "Disk.parts"),
        ({"parts": [{"mode": "XX"}]}, "Disk.parts[0].mode"),
        ({"unknown": 1}, "Disk.unknown"),
        ({"mode": None}, "Disk.mode"),
    ],
)
def test_a_wrong_answer_is_found(change: dict[str, Any], where: str) -> None:
    assert [problem.where for problem in CHECKER.answer_problems(GOOD | change, "Disk")] == [where]


@pytest.mark.parametrize("change", [{"sizeGb": 10}, {"index": "1"}, {"mode": None}])
def test_requests_may_write_numbers_either_way_and_null(change: dict[str, Any]) -> None:
    CHECKER.require_request(GOOD | change, "Disk", "compute.disks.insert")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": "a", "parts": [{"nome": "x"}]}, "Unknown name \"nome\" at 'resource.parts[0]': Cannot find field."),
        ({"name": "a", "nome": "x"}, 'Unknown name "nome": Cannot find field.'),
        ({"name": "A"}, "Invalid value for field 'resource.name': 'A'. Must be a match of regex '[a-z]+'"),
        ({"mode": "RW"}, "'name' must be specified."),
        ({"name": "a", "mode": "XX"}, "must be one of RW, RO"),
        (["name"], "must be an object"),
    ],
)
def test_a_wrong_request_is_refused(body: object, text: str) -> None:
    with pytest.raises(ApiError) as refused:
        CHECKER.require_request(body, "Disk", "compute.disks.insert")
    assert refused.value.code == 400
    assert text in refused.value.message


def test_fields_are_required_by_their_methods_only() -> None:
    CHECKER.require_request({"mode": "RW"}, "Disk", "compute.disks.update")
