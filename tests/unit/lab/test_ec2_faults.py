# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's EC2 middleware: faults, refusals and the log, without moto behind it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from fleetlab.ec2.faults import Desk, Fault, Front
from fleetlab.ec2.regions import refuse_region
from fleetlab.ec2.wire import Call

AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=AKIAX/20261120/{}/ec2/aws4_request, SignedHeaders=host, Signature=00"


def call(action: str = "DescribeInstances", region: str = "us-east-1") -> Call:
    return Call("ec2", region, "AKIAX", action, {"Action": action})


def ask(
    front: Front, method: str = "POST", path: str = "/", body: bytes = b"", region: str = "us-east-1"
) -> tuple[str, bytes]:
    """Status line and body of one request."""
    seen: list[str] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_AUTHORIZATION": AUTHORIZATION.format(region),
    }
    answer = front(environ, lambda status, headers: seen.append(status))
    return seen[0], b"".join(answer)


@pytest.fixture
def front() -> Front:
    def cloud(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"real:" + environ["wsgi.input"].read()]

    return Front(cloud, refuse_region)


def test_fault_hits_as_often_as_told_after_those_it_lets_pass() -> None:
    desk = Desk()
    desk.add(Fault(code="RequestLimitExceeded", times=2, skip=1))
    assert [desk.take(call()) is not None for _number in range(5)] == [False, True, True, False, False]


def test_fault_without_end_lasts_until_cleared() -> None:
    desk = Desk()
    desk.add(Fault(code="InternalError", times=0))
    assert all(desk.take(call()) for _number in range(10))
    desk.clear()
    assert desk.take(call()) is None


@pytest.mark.parametrize("given", [{"action": "RunInstances"}, {"region": "eu-west-1"}, {"access_key": "AKIAY"}])
def test_fault_leaves_other_calls_alone(given: dict[str, str]) -> None:
    desk = Desk()
    desk.add(Fault(code="InternalError", **given))
    assert desk.take(call()) is None


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"actoin": "X", "code": "Y"}, "unknown: actoin"),
        ({"action": "DescribeInstances"}, "say what to do"),
        (["DescribeInstances"], "JSON object"),
    ],
)
def test_wrong_fault_is_refused_with_the_reason(front: Front, given: object, wrong: str) -> None:
    status, body = ask(front, path="/_lab/fault", body=json.dumps(given).encode())
    assert status.startswith("400") and wrong in json.loads(body)["error"]


def test_calls_pass_with_their_body_and_are_logged(front: Front) -> None:
    assert ask(front, body=b"Action=DescribeVpcs&MaxResults=7") == ("200 OK", b"real:Action=DescribeVpcs&MaxResults=7")
    (entry,) = json.loads(ask(front, "GET", "/_lab/requests")[1])
    assert (entry["action"], entry["region"], entry["status"], entry["fault"]) == (
        "DescribeVpcs",
        "us-east-1",
        200,
        False,
    )
    assert entry["params"]["MaxResults"] == "7"


def test_fault_answers_as_ec2_does_and_only_then(front: Front) -> None:
    fault = {"action": "DescribeInstances", "code": "RequestLimitExceeded", "http": 503, "times": 1}
    ask(front, path="/_lab/fault", body=json.dumps(fault).encode())
    status, body = ask(front, body=b"Action=DescribeInstances")
    assert status.startswith("503") and b"<Code>RequestLimitExceeded</Code>" in body
    assert ask(front, body=b"Action=DescribeInstances")[0] == "200 OK"
    assert [entry["status"] for entry in json.loads(ask(front, "GET", "/_lab/requests")[1])] == [503, 200]


def test_raw_fault_is_sent_as_it_is(front: Front) -> None:
    ask(front, path="/_lab/fault", body=json.dumps({"raw": "<html>busy", "http": 200}).encode())
    status, body = ask(front, body=b"Action=DescribeInstances")
    assert (status[:3], body) == ("200", b"<html>busy")


def test_delay_alone_still_gives_the_real_answer(front: Front) -> None:
    ask(front, path="/_lab/fault", body=json.dumps({"delay": 0.01}).encode())
    assert ask(front, body=b"Action=DescribeVpcs")[1] == b"real:Action=DescribeVpcs"


def test_region_that_is_not_enabled_is_refused(front: Front) -> None:
    status, body = ask(front, body=b"Action=DescribeInstances", region="me-south-1")
    assert status.startswith("401") and b"<Code>AuthFailure</Code>" in body


def test_log_holds_no_signature(front: Front) -> None:
    ask(front, body=b"Action=DescribeVpcs&X-Amz-Signature=abc&X-Amz-Security-Token=def&UserData=" + b"x" * 999)
    text = ask(front, "GET", "/_lab/requests")[1].decode()
    assert "abc" not in text and "def" not in text and "x" * 201 not in text
