# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Partial answers of the GCE emulator."""

from __future__ import annotations

from typing import Any

import pytest
from fleetlab.gce import fields
from fleetlab.gce.errors import ApiError
from fleetlab.gce.schema import SchemaChecker

ANSWER: dict[str, Any] = {
    "kind": "list",
    "nextPageToken": "t",
    "items": {
        "zones/a": {
            "instances": [{"name": "x", "id": "1", "disks": [{"boot": True, "mode": "RW"}]}, {"name": "y", "id": "2"}]
        },
        "zones/b": {"warning": {"code": "NO_RESULTS_ON_PAGE"}},
    },
}
CHECKER = SchemaChecker(
    {
        "List": {
            "type": "object",
            "properties": {
                "kind": {"type": "string"},
                "nextPageToken": {"type": "string"},
                "items": {"type": "object", "additionalProperties": {"$ref": "Scoped"}},
            },
        },
        "Scoped": {
            "type": "object",
            "properties": {
                "instances": {"type": "array", "items": {"$ref": "Instance"}},
                "warning": {"type": "object"},
            },
        },
        "Instance": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "id": {"type": "string"},
                "disks": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"boot": {"type": "boolean"}, "mode": {"type": "string"}},
                    },
                },
            },
        },
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind", {"kind": "list"}),
        ("kind,nextPageToken", {"kind": "list", "nextPageToken": "t"}),
        ("*", ANSWER),
        (
            "items/*/instances(name)",
            {"items": {"zones/a": {"instances": [{"name": "x"}, {"name": "y"}]}, "zones/b": {}}},
        ),
        (
            "items/*/instances/name",
            {"items": {"zones/a": {"instances": [{"name": "x"}, {"name": "y"}]}, "zones/b": {}}},
        ),
        (
            "items/*(instances(name,disks/boot),warning/code),nextPageToken",
            {
                "items": {
                    "zones/a": {"instances": [{"name": "x", "disks": [{"boot": True}]}, {"name": "y"}]},
                    "zones/b": {"warning": {"code": "NO_RESULTS_ON_PAGE"}},
                },
                "nextPageToken": "t",
            },
        ),
        (
            "items/*/instances/name,items/*/instances/id",
            {"items": {"zones/a": {"instances": [{"name": "x", "id": "1"}, {"name": "y", "id": "2"}]}, "zones/b": {}}},
        ),
        ("items,items/*/instances/name", {"items": ANSWER["items"]}),
        ("items/*/instances/name,items", {"items": ANSWER["items"]}),
    ],
)
def test_mask_keeps_what_it_names(text: str, expected: object) -> None:
    mask = fields.parse(text)
    if "warning/" not in text:  # the inner names of a warning are not in the small schema
        fields.check(mask, {"$ref": "List"}, CHECKER)
    assert fields.apply(mask, ANSWER) == expected


@pytest.mark.parametrize("text", ["", ",", "a(", "a(b", "a)", "a(b))", "a//b", "a,", "(a)", "a(b,)"])
def test_a_broken_mask_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        fields.parse(text)
    assert (refused.value.code, refused.value.reason) == (400, "invalidParameter")


@pytest.mark.parametrize("text", ["nope", "items/*/instances/nope", "items/*/nope", "kind/x"])
def test_names_the_schema_does_not_have_are_refused(text: str) -> None:
    with pytest.raises(ApiError):
        fields.check(fields.parse(text), {"$ref": "List"}, CHECKER)
