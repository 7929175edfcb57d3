# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server that answers as the tests of provider aws tell it, over HTTP on loopback, and notes what it was asked."""
from __future__ import annotations

import dataclasses
import re
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclasses.dataclass
class Answer:
    """One answer. seconds: wait before it; drop: close the connection instead."""

    body: str = ""
    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    drop: bool = False


@dataclasses.dataclass
class Asked:
    """One request: action, region and access key id it was signed for, parameters."""

    action: str
    region: str
    key: str
    parameters: dict[str, str]


class FakeAws:
    """answers: by action, in order; the last one of an action is given again and again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                parameters = dict(urllib.parse.parse_qsl(self.rfile.read(size).decode()))
                key, _day, region, *_rest = re.search(
                    "Credential=([^,]+)", self.headers["Authorization"])[1].split("/")
                answer = fake.take(Asked(parameters["Action"], region, key, parameters))
                time.sleep(answer.seconds)
                if answer.drop:
                    self.close_connection = True
                    return
                body = answer.body.encode()
                self.send_response(answer.status)
                for name, value in {"Content-Type": "text/xml", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *args: object) -> None:
                """A client that has gone away is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            waiting = self.answers[asked.action]
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def count(self, action: str) -> int:
        return sum(asked.action == action for asked in self.asked)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def error(code: str, status: int = 400, message: str = "As told.", **headers: str) -> Answer:
    """An error answer as EC2 gives it."""
    return Answer(f"<?xml version='1.0'?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>"
                  f"</Error></Errors><RequestID>r-1</RequestID></Response>", status, headers)


def instances(*ids: str, token: str = "", image: str = "ami-1") -> Answer:
    """A page of DescribeInstances."""
    items = "".join(
        f"<item><ownerId>111111111111</ownerId><instancesSet><item><instanceId>{name}</instanceId><imageId>{image}</imageId>"
        f"<instanceState><name>running</name></instanceState></item></instancesSet></item>" for name in ids)
    following = f"<nextToken>{token}</nextToken>" if token else ""
    return Answer(f'<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
                  f"<reservationSet>{items}</reservationSet>{following}</DescribeInstancesResponse>")


def regions(**statuses: str) -> Answer:
    """An answer of DescribeRegions; underscores in the names stand for hyphens."""
    items = "".join(
        f"<item><regionName>{name.replace('_', '-')}</regionName><optInStatus>{status}</optInStatus></item>"
        for name, status in statuses.items())
    return Answer(f"<DescribeRegionsResponse><regionInfo>{items}</regionInfo></DescribeRegionsResponse>")


def ordinary() -> dict[str, list[Answer]]:
    """Answers of an account with one instance in each region."""
    enabled = {"us_east_1": "opt-in-not-required", "eu_west_1": "opt-in-not-required", "af_south_1": "not-opted-in"}
    return {
        "DescribeInstances": [instances("i-1")],
        "DescribeSubnets": [Answer("<DescribeSubnetsResponse><subnetSet/></DescribeSubnetsResponse>")],
        "DescribeRouteTables": [Answer("<DescribeRouteTablesResponse><routeTableSet/></DescribeRouteTablesResponse>")],
        "DescribeImages": [Answer(
            "<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><name>debian-12-amd64</name>"
            "<imageOwnerId>136693071363</imageOwnerId></item></imagesSet></DescribeImagesResponse>")],
        "DescribeRegions": [regions(**enabled)],
    }


def answer(action: str, inside: str = "") -> Answer:
    """An answer of any action."""
    return Answer(f"<{action}Response>{inside}</{action}Response>")


def listed(action: str, name: str, *rows: str) -> Answer:
    """The answer of a list: rows are what is inside its items."""
    return answer(action, f"<{name}>{''.join(f'<item>{row}</item>' for row in rows)}</{name}>")


def tagged(**tags: str) -> str:
    """Tags of a resource."""
    return "<tagSet>" + "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags.items()) + "</tagSet>"


def instance(
    name: str, state: str = "running", token: str = "", launched: str = "2026-11-28T04:00:00.000Z", inside: str = "", called: str = "web-1",
) -> str:
    """One instance of a list. called: its Name, besides which it has no tag; unless tags are inside."""
    inside += "" if "<tagSet>" in inside else tagged(Name=called)
    return (f"<instanceId>{name}</instanceId><clientToken>{token}</clientToken><launchTime>{launched}</launchTime>"
            f"<instanceState><name>{state}</name></instanceState>{inside}")


def reservations(*rows: str) -> Answer:
    """A page of DescribeInstances with these instances."""
    return listed("DescribeInstances", "reservationSet", *(f"<instancesSet><item>{row}</item></instancesSet>" for row in rows))


def launched(row: str) -> Answer:
    """An answer of RunInstances."""
    return listed("RunInstances", "instancesSet", row)


def nothing_of_this_machine(monkeypatch: Any, folder: Path) -> None:
    """No AWS settings, credentials or proxy of who runs the tests. folder: for files of settings, which there are none of."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                 "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS", "AWS_ROLE_ARN",
                 "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def a_key(monkeypatch: Any, folder: Path) -> None:
    """One key in the environment, and nothing else."""
    nothing_of_this_machine(monkeypatch, folder)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFIRST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
