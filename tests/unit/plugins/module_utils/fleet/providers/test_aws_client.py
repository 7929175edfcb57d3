# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Provider aws against a server that misbehaves: every fault is retried, then an error; never fewer nodes."""
from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import DEFAULT_STATES, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws import spec
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Provider, Run, together
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.aws_server import (
    Answer,
    FakeAws,
    error,
    instance,
    instances,
    listed,
    nothing_of_this_machine,
    ordinary,
    regions,
)

RETRIES = 2
ROLE = "arn:aws:iam::222222222222:role/reader"
Opener = Callable[..., Provider]


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    fake = FakeAws()
    fake.answers = ordinary()
    yield fake
    fake.close()


@pytest.fixture
def told() -> list[str]:
    """What the operator was warned of."""
    return []


@pytest.fixture
def waits() -> list[float]:
    """Seconds that were waited between tries (they pass at once here)."""
    return []


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A shared credentials file with one key, and nothing of the machine's own AWS settings."""
    nothing_of_this_machine(monkeypatch, tmp_path)
    file = tmp_path / "credentials"
    _write_key(file, "AKIAFIRST")
    return file


def _write_key(file: Path, key: str) -> None:
    file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {key}-very-secret\n")


@pytest.fixture
def opened(aws: FakeAws, told: list[str], waits: list[float]) -> Opener:
    def make(seconds: float = 60, environ: dict[str, str] | None = None, states: tuple[str, ...] = DEFAULT_STATES,
             **options: Any) -> Provider:
        entry = {"provider": "aws", "regions": ["us-east-1"], "endpoint_url": aws.url, **options}
        (cloud,) = parse_clouds({"amazon": entry}, "test.nodes.yml")
        patience = Patience(time.monotonic() + seconds, RETRIES, seconds, sleep=waits.append)
        run = Run(patience, frozenset(cloud.filters.states or states), environ=environ or {}, warn=told.append)
        return spec.SPEC.open(cloud, run)
    return make


def _ids(provider: Provider, region: str = "us-east-1") -> list[str]:
    return [node.id for node in provider.evidence(region)]


def _failure(provider: Provider, region: str = "us-east-1") -> FleetError:
    with pytest.raises(FleetError) as caught:
        _ids(provider, region)
    return caught.value


def test_all_pages_are_read_and_each_image_is_asked_for_once(aws: FakeAws, opened: Opener) -> None:
    aws.answers["DescribeInstances"] = [
        instances("i-1", "i-2", token="two"), instances("i-3", token="three", image="ami-2"), instances("i-4")]
    nodes = list(opened().evidence("us-east-1"))
    assert [node.id for node in nodes] == ["i-1", "i-2", "i-3", "i-4"]
    assert [node.image.name for node in nodes] == ["debian-12-amd64", "debian-12-amd64", None, "debian-12-amd64"]
    tokens = [asked.parameters.get("NextToken") for asked in aws.asked if asked.action == "DescribeInstances"]
    assert tokens == [None, "two", "three"]
    assert [asked.parameters["Filter.1.Value.1"] for asked in aws.asked if asked.action == "DescribeImages"] == [
        "ami-1", "ami-2"]


def test_the_body_is_not_walked_by_botocores_parser(
        aws: FakeAws, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.parsers

    def walk(*_args: object) -> None:
        raise AssertionError("botocore's parser walked a successful answer")

    monkeypatch.setattr(botocore.parsers.EC2QueryParser, "parse", walk)
    assert _ids(opened()) == ["i-1"]


HTML = "<!doctype html><html><body>Service Unavailable</body></html>"
FAULTS = {
    "unavailable": (error("Unavailable", 503), "unavailable"),
    "internal": (error("InternalError", 500), "unavailable"),
    "throttled": (error("RequestLimitExceeded", 503), "throttled"),
    "429": (error("Whatever", 429), "throttled"),
    "503 of JSON": (Answer('{"message": "no"}', 503), "unavailable"),
    "503 of HTML": (Answer(HTML, 503), "unavailable"),
    "502 of nothing": (Answer("", 502), "unavailable"),
    "page without items": (Answer("<DescribeResponse><requestId>r</requestId></DescribeResponse>"), "bad_answer"),
    "errors in a 200": (Answer(error("InternalError").body), "bad_answer"),
    "200 of JSON": (Answer('{"reservationSet": []}'), "bad_answer"),
    "200 of HTML": (Answer(HTML), "bad_answer"),
    "200 of nothing": (Answer(""), "bad_answer"),
    "cut off": (Answer(instances("i-1", "i-2").body[:-40]), "bad_answer"),
    "connection closed": (Answer(drop=True), "unreachable"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_passes_costs_a_retry_and_no_node(name: str, aws: FakeAws, opened: Opener) -> None:
    fault, _code = FAULTS[name]
    aws.answers["DescribeInstances"] = [instances("i-1", token="two"), fault, instances("i-2")]
    assert _ids(opened()) == ["i-1", "i-2"]
    assert aws.count("DescribeInstances") == 3


@pytest.mark.parametrize(("action", "name"), [
    *(("DescribeInstances", name) for name in FAULTS),
    ("DescribeSubnets", "503 of HTML"), ("DescribeRouteTables", "page without items"), ("DescribeImages", "cut off"),
])
def test_a_fault_that_stays_is_an_error_after_all_retries(
        action: str, name: str, aws: FakeAws, opened: Opener, told: list[str]) -> None:
    fault, code = FAULTS[name]
    aws.answers[action] = [fault]
    failure = _failure(opened())
    assert (failure.code, bool(failure.what), bool(failure.why), bool(failure.fix)) == (code, True, True, True)
    assert aws.count(action) == RETRIES + 1
    assert told == []


def test_retry_after_is_waited_for(aws: FakeAws, opened: Opener, waits: list[float]) -> None:
    aws.answers["DescribeInstances"] = [error("Throttling", 429, **{"Retry-After": "7"}), instances("i-1")]
    assert _ids(opened()) == ["i-1"]
    assert waits and waits[0] >= 7


def test_a_page_token_that_comes_again_is_an_error(aws: FakeAws, opened: Opener) -> None:
    aws.answers["DescribeInstances"] = [instances("i-1", token="two"), instances("i-2", token="two")]
    assert "already read" in _failure(opened()).why


def test_a_page_token_that_is_refused_is_an_error_at_once(aws: FakeAws, opened: Opener) -> None:
    aws.answers["DescribeInstances"] = [instances("i-1", token="two"), error("InvalidNextToken")]
    failure = _failure(opened())
    assert (failure.code, failure.why) == ("refused", "InvalidNextToken: As told.")
    assert aws.count("DescribeInstances") == 2


def test_nobody_listens(opened: Opener) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # not listening: connections are refused
        failure = _failure(opened(endpoint_url=f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert failure.code == "unreachable"


def test_an_answer_that_does_not_come_ends_with_the_timeout(aws: FakeAws, opened: Opener) -> None:
    aws.answers["DescribeInstances"] = [Answer(seconds=3)]
    began = time.monotonic()
    failure = _failure(opened(seconds=0.5))
    assert failure.code == "timeout"
    assert time.monotonic() - began < 2


def test_credentials_that_expire_are_found_anew_once(aws: FakeAws, opened: Opener, credentials: Path) -> None:
    provider = opened()
    aws.answers["DescribeInstances"] = [instances("i-1", token="two"), error("ExpiredToken"), instances("i-2")]
    _write_key(credentials, "AKIASECOND")
    assert _ids(provider) == ["i-1", "i-2"]
    keys = [asked.key for asked in aws.asked if asked.action == "DescribeInstances"]
    assert keys == ["AKIAFIRST", "AKIAFIRST", "AKIASECOND"]


def test_credentials_that_stay_expired_are_an_error(aws: FakeAws, opened: Opener) -> None:
    aws.answers["DescribeInstances"] = [error("RequestExpired")]
    failure = _failure(opened())
    assert failure.code == "auth" and "aws sso login" in failure.fix
    assert aws.count("DescribeInstances") == 2


def test_what_else_may_not_be_read_is_a_warning_and_costs_no_node(
        aws: FakeAws, opened: Opener, told: list[str]) -> None:
    for action in ("DescribeSubnets", "DescribeRouteTables", "DescribeImages", "DescribeRegions"):
        aws.answers[action] = [error("UnauthorizedOperation", 403)]
    provider = opened(regions=["us-east-1", "eu-west-1"])
    assert _ids(provider, "us-east-1") + _ids(provider, "eu-west-1") == ["i-1", "i-1"]
    assert [text.split("Allow ")[1].split()[0] for text in told] == [
        "ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeImages"]


def test_instances_that_may_not_be_listed_are_an_error(aws: FakeAws, opened: Opener, told: list[str]) -> None:
    refusal = error("UnauthorizedOperation", 403, "You are not. Encoded authorization failure message: AAAABBBB")
    aws.answers = {action: [refusal] for action in aws.answers}
    failure = _failure(opened())
    assert (failure.code, failure.why) == ("denied", "UnauthorizedOperation: You are not.")
    assert failure.fix == "Allow ec2:DescribeInstances in the IAM policy of these credentials."
    assert told == []


@pytest.mark.parametrize(("region", "why"), [
    ("af-south-1", "its opt-in status is not-opted-in"), ("eu-fake-9", "AWS lists no region of that name")])
@pytest.mark.parametrize("answer", [error("AuthFailure", 401), instances()])
def test_a_region_that_is_not_enabled_is_an_error_and_not_empty(
        answer: Answer, region: str, why: str, aws: FakeAws, opened: Opener) -> None:
    aws.answers["DescribeInstances"] = [answer]
    failure = _failure(opened(regions=[region]), region)
    assert (failure.code, failure.what, failure.why) == (
        "region_not_enabled", f"region {region} is not enabled for this account", why)


def test_a_region_that_refuses_even_to_list_regions_is_judged_by_another(aws: FakeAws, opened: Opener) -> None:
    aws.answers["DescribeInstances"] = [error("AuthFailure", 401)]
    aws.answers["DescribeRegions"] = [
        error("AuthFailure", 401), regions(us_east_1="opted-in", af_south_1="not-opted-in")]
    assert _failure(opened(regions=["af-south-1"]), "af-south-1").code == "region_not_enabled"
    assert [asked.region for asked in aws.asked if asked.action == "DescribeRegions"] == ["af-south-1", "us-east-1"]


def test_scopes(aws: FakeAws, opened: Opener) -> None:
    assert opened(regions=["eu-west-1", "us-east-1", "eu-west-1"]).scopes() == ["eu-west-1", "us-east-1"]
    assert opened(regions=[], environ={"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "x"}).scopes() == ["eu-west-1"]
    assert aws.asked == []
    for all_of_them in ({"regions": []}, {"regions": ["all"]}):
        assert opened(**all_of_them).scopes() == ["eu-west-1", "us-east-1"]


def test_filters_are_asked_of_the_api(aws: FakeAws, opened: Opener) -> None:
    _ids(opened(filters={"states": ["running", "error"], "tags": {"role": ["web", "db"]}}))
    asked = next(asked.parameters for asked in aws.asked if asked.action == "DescribeInstances")
    assert {name: value for name, value in asked.items() if name.startswith(("Filter", "Max"))} == {
        "Filter.1.Name": "instance-state-name", "Filter.1.Value.1": "running", "Filter.2.Name": "tag:role",
        "Filter.2.Value.1": "web", "Filter.2.Value.2": "db", "MaxResults": "1000"}
    assert _ids(opened(filters={"states": ["paused"]})) == []


KEYS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
  <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
  <Expiration>2036-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


def test_a_role_is_assumed_once_for_all_regions(aws: FakeAws, opened: Opener) -> None:
    aws.answers["AssumeRole"] = [Answer(HTML, 503), Answer(KEYS)]
    provider = opened(assume_role={"arn": ROLE, "external_id": "shared-secret", "duration": 900})
    results = together(*(lambda region=region: _ids(provider, region) for region in ("us-east-1", "eu-west-1")))
    assert results == [["i-1"], ["i-1"]]
    assumed = [asked for asked in aws.asked if asked.action == "AssumeRole"]
    assert len(assumed) == 2 and {asked.key for asked in assumed} == {"AKIAFIRST"}
    assert assumed[1].parameters.items() >= {
        "RoleArn": ROLE, "ExternalId": "shared-secret", "RoleSessionName": "hybridops-fleet", "DurationSeconds": "900",
    }.items()
    assert {asked.key for asked in aws.asked if asked.action != "AssumeRole"} == {"ASIAROLE"}


def test_a_role_that_is_refused_names_the_role_and_no_secret(aws: FakeAws, opened: Opener) -> None:
    aws.answers["AssumeRole"] = [Answer(
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>No.</Message></Error></ErrorResponse>", 403)]
    with pytest.raises(FleetError) as caught:
        opened(assume_role={"arn": ROLE, "external_id": "shared-secret"})
    text = str(caught.value)
    assert ROLE in text and "external_id" in text and "AccessDenied: No." in text
    assert "shared-secret" not in text and "very-secret" not in text


def test_a_signature_error_does_not_show_what_was_signed(aws: FakeAws, opened: Opener) -> None:
    message = "It differs.\n\nx-amz-security-token:SECRET"
    aws.answers["DescribeInstances"] = [error("SignatureDoesNotMatch", 403, message)]
    assert "SECRET" not in str(_failure(opened()))


def test_no_credentials_and_no_such_profile(credentials: Path, opened: Opener) -> None:
    with pytest.raises(FleetError) as unknown:
        opened(profile="nope")
    credentials.unlink()
    with pytest.raises(FleetError) as missing:
        opened()
    assert (unknown.value.code, missing.value.code) == ("credential_missing", "credential_missing")
    assert "nope" in unknown.value.why and "AWS_PROFILE" in missing.value.fix


def test_without_botocore_the_operator_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "botocore" or name.endswith("aws.client")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "botocore", None)
    (cloud,) = parse_clouds({"amazon": {"provider": "aws"}}, "test.nodes.yml")
    with pytest.raises(FleetError) as caught:
        spec.SPEC.open(cloud, Run(Patience.seconds(1, 0), frozenset()))
    assert caught.value.code == "library_missing" and "pip install boto3" in caught.value.fix


# ------------------------------------------------------------------------------------------------- single nodes
def _interface(vpc: str) -> str:
    return f"<networkInterfaceSet><item><vpcId>{vpc}</vpcId><subnetId>subnet-1</subnetId></item></networkInterfaceSet>"


@pytest.mark.parametrize(("filters", "asked"), [
    ({"names": ["web-1"]}, {"Filter.1.Name": "tag:Name", "Filter.1.Value.1": "web-1"}),
    ({"names": ["web-[*]"]}, {"Filter.1.Name": "tag:Name", "Filter.1.Value.1": "web-\\*"}),
])
def test_one_node_by_its_name_is_no_listing_of_the_cloud(aws: FakeAws, opened: Opener, filters: dict[str, Any], asked: dict[str, str]) -> None:
    states = (*DEFAULT_STATES, "deleting")
    aws.answers["DescribeInstances"] = [listed(
        "DescribeInstances", "reservationSet",
        f"<instancesSet><item>{instance('i-1', inside=_interface('vpc-7'))}</item></instancesSet>")]
    assert [node.id for node in opened(states=states, filters=filters).evidence("us-east-1")] == ["i-1"]
    (question,) = [one.parameters for one in aws.asked if one.action == "DescribeInstances"]
    assert {key: value for key, value in question.items() if key.startswith("Filter")} == asked
    for action in ("DescribeSubnets", "DescribeRouteTables"):
        (question,) = [one.parameters for one in aws.asked if one.action == action]
        assert (question["Filter.1.Name"], question["Filter.1.Value.1"]) == ("vpc-id", "vpc-7")


def test_nothing_is_asked_about_a_region_that_has_no_such_node(aws: FakeAws, opened: Opener) -> None:
    aws.answers["DescribeInstances"] = [instances(token="t"), instances()]  # an empty page is not the end
    provider = opened(filters={"names": ["web-1"]})
    assert list(provider.evidence("us-east-1")) == []
    assert sorted(one.action for one in aws.asked) == ["DescribeInstances", "DescribeInstances", "DescribeRegions"]


def test_what_is_found_on_a_later_page_is_told(aws: FakeAws, opened: Opener) -> None:
    aws.answers["DescribeInstances"] = [instances(token="t"), instances("i-1")]
    assert [node.id for node in opened(filters={"names": ["web-1"]}).evidence("us-east-1")] == ["i-1"]
