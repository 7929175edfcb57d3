# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of provider aws, what its answers depend on, and what it lets the API filter."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetFileError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import (
    DEFAULT_STATES,
    Filters,
    parse_clouds,
)
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws import filters, partitions, spec

ARN = "arn:aws:iam::222222222222:role/reader"


@pytest.mark.parametrize(("entry", "says"), [
    ({"regions": "us-east-1"}, "Write regions: [us-east-1]"),
    ({"regions": ["us-east-1a"]}, "'us-east-1a' is an availability zone; its region is 'us-east-1'"),
    ({"regions": ["us-west-2-lax-1a"]}, "its region is 'us-west-2'"),
    ({"regions": ["us-east-1-wl1-bos-wlz-1a"]}, "is an availability zone; its region is 'us-east-1'"),
    ({"regions": ["all", "us-east-1"]}, "'all' stands alone"),
    ({"regions": ["http://x"]}, "is not a region's name"),
    ({"assume_role": {}}, "assume_role.arn: is missing"),
    ({"assume_role": {"arn": "reader"}}, "'reader' is not the ARN of a role"),
    ({"assume_role": {"arn": ARN, "duration": 60}}, "60 is not between 900 and 43200 seconds"),
    ({"assume_role": {"arn": ARN, "externalid": "x"}}, "Did you mean 'external_id'?"),
    ({"endpoint_url": "127.0.0.1:5000"}, "is not an address of the form http(s)://host:port"),
    ({"region": "us-east-1"}, "Did you mean 'regions'?"),
])
def test_what_cannot_be_meant_is_said(entry: dict[str, Any], says: str) -> None:
    with pytest.raises(FleetFileError) as caught:
        parse_clouds({"amazon": {"provider": "aws", **entry}}, "fleet.yml")
    assert str(caught.value).startswith("fleet.yml: clouds.amazon") and says in str(caught.value)


def test_the_external_id_is_never_shown() -> None:
    with pytest.raises(FleetFileError) as caught:
        parse_clouds({"a": {"provider": "aws", "assume_role": {"arn": ARN, "external_id": 987654}}}, "fleet.yml")
    assert "external_id" in str(caught.value) and "987654" not in str(caught.value)


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "ap-southeast-7", "eusc-de-east-1", "cn-north-1"])
def test_regions_of_all_partitions_are_accepted(region: str) -> None:
    (cloud,) = parse_clouds({"amazon": {"provider": "aws", "regions": [region], "assume_role": {"arn": ARN}}}, "f.yml")
    assert cloud.options["regions"] == [region]
    assert cloud.options["assume_role"] == {
        "arn": ARN, "external_id": None, "session_name": "hybridops-fleet", "duration": None}


def test_the_identity_changes_with_profile_keys_and_files_and_shows_no_key(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("aws_secret_access_key = one")
    plain = {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_CONFIG_FILE": str(tmp_path / "absent")}

    def identity(**environ: str) -> tuple[str, ...]:
        return tuple(spec.identity({}, {**plain, **environ}))

    seen = [identity(), identity(AWS_PROFILE="prod"), identity(AWS_ACCESS_KEY_ID="AKIAONE"),
            identity(AWS_ACCESS_KEY_ID="AKIATWO"), identity(AWS_ENDPOINT_URL="http://127.0.0.1:1")]
    assert identity() == seen[0]
    file.write_text("aws_secret_access_key = two")
    seen.append(identity())
    assert len(set(seen)) == len(seen)
    assert not any(secret in text for one in seen for text in one for secret in ("AKIA", "secret_access"))


def _filters(names: tuple[str, ...] = (), ids: tuple[str, ...] = (), **tags: tuple[str, ...]) -> Filters:
    return Filters(states=(), tags=tags, names=names, ids=ids)


@pytest.mark.parametrize(("wanted", "pushed"), [
    (_filters(), {}),
    (_filters(role=("web", "db")), {"tag:role": ["web", "db"]}),
    (_filters(role=()), {"tag-key": ["role"]}),
    (_filters(role=("web*",)), {}),
    (_filters(role=("web", "d?")), {}),
    (_filters(role=("[ab]",)), {}),
    (_filters(role=("a\\b",)), {}),
    (_filters(role=("",)), {}),  # a tag without a value
    (_filters(a=(), b=()), {}),  # two filters of one name would not mean "both"
    (_filters(role=tuple(str(number) for number in range(201))), {}),
    (_filters(names=("web-1", "web-2")), {"tag:Name": ["web-1", "web-2"]}),
    (_filters(names=("web-*", "d[ab]-?")), {"tag:Name": ["web-*", "d*"]}),
    (_filters(names=("a[*]b[[]1]", "a?\\*")), {"tag:Name": ["a\\*b[1]", "a*"]}),
    (_filters(names=("web-1", "i-0abc")), {}),  # a node without a Name is named by its id
    (_filters(names=("i*",)), {}),
    (_filters(names=("*-1",)), {}),
    (_filters(names=("i",)), {"tag:Name": ["i"]}),
    (_filters(ids=("i-1", "i-?")), {"instance-id": ["i-1", "i-\\?"]}),
    (_filters(ids=tuple(f"i-{number}" for number in range(201))), {}),
    (_filters(names=("web-1",), Name=("web-1", "web-2")), {"tag:Name": ["web-1", "web-2"]}),
])
def test_only_what_ec2_filters_in_the_same_meaning_is_pushed(wanted: Filters, pushed: dict[str, list[str]]) -> None:
    asked = filters.for_instances(wanted, frozenset({*DEFAULT_STATES, "deleting"}))
    assert asked is not None
    assert {entry["Name"]: entry["Values"] for entry in asked} == pushed


@pytest.mark.parametrize(("states", "values"), [
    (DEFAULT_STATES, ["pending", "running", "stopping", "stopped"]),
    (("running", "deleting"), ["running", "shutting-down", "terminated"]),
    (("running", "paused"), ["running"]),
])
def test_states_are_pushed_in_ec2s_words(states: tuple[str, ...], values: list[str]) -> None:
    assert filters.for_instances(_filters(), frozenset(states)) == [{"Name": "instance-state-name", "Values": values}]


def test_states_that_no_instance_can_have_need_no_request() -> None:
    assert filters.for_instances(_filters(), frozenset({"paused", "error"})) is None


def test_home_regions() -> None:
    assert [partitions.home_region(name) for name in (None, "eu-west-1", "cn-northwest-1", "us-gov-east-1")] == [
        "us-east-1", "us-east-1", "cn-north-1", "us-gov-west-1"]
    assert partitions.home_of_arn("arn:aws-us-gov:iam::222222222222:role/r") == "us-gov-west-1"
    assert partitions.home_of_arn(ARN) == "us-east-1"
