# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cloud of each provider for tests of the modules, over HTTP on loopback or in a file, that notes what it is asked."""
from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws import operations
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers import (
    aws_server,
    gce_opened,
    openstack_reader,
    openstack_server,
)
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.aws_server import Answer, FakeAws, answer, listed
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_changes import BASE, ChangingGce
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_server import serving


@dataclasses.dataclass(frozen=True)
class Stand:
    """A cloud with a running node web-1 of ours, and room for another.

    definition: its entry of a fleet file; node: the node's id; changes: what the cloud was asked to change; listings: questions for
    nodes that neither name nor id nor mark narrows down; logins: how often somebody logged in, where that can be seen.
    """

    definition: Mapping[str, Any]
    node: str
    changes: Callable[[], list[Any]]
    listings: Callable[[], list[Any]]
    logins: Callable[[], int] = lambda: 1


@contextlib.contextmanager
def openstack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    with openstack_reader.opening(folder, monkeypatch) as opened:
        fake = opened.fake
        fake.page_size = 100
        fake.lists["servers"] = [openstack_reader.server(1, name="web-1", id="s1", metadata={MARK: "web-1"}, tags=[])]
        fake.lists["flavors"] = [{"id": "f1", "name": "m1.small", "vcpus": 1, "ram": 1024, "disk": 10}]
        fake.lists["images"] = [{
            "id": "i1", "name": "Debian 12", "os_distro": "debian", "os_version": "12", "status": "active", "visibility": "public",
            "architecture": "x86_64", "disk_format": "raw", "container_format": "bare"}]
        fake.lists["networks"] = [{"id": "n1", "name": "inside", "router:external": False, "mtu": 1442, "project_id": "p1", "admin_state_up": True}]
        known = fake.answer

        def told(path: str, query: openstack_server.Query, headers: dict[str, str]) -> tuple[int, Any]:
            if path.endswith("/os-availability-zone"):
                return 200, {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]}
            return known(path, query, headers)

        fake.answer = told  # type: ignore[method-assign]
        fake.change = lambda method, path, body, headers: (200, {"output": ""})
        yield Stand(
            {"provider": "openstack", "cloud": "dream"}, "s1",
            lambda: [one for one in fake.changes if "os-getConsoleOutput" not in json.dumps(one[2])],
            lambda: [query for query in fake.queries("/servers/detail") if "name" not in query and "metadata" not in query], lambda: fake.tokens)


class _Everything(dict[str, list[Answer]]):
    """Empty lists for what nobody has planned."""

    def __missing__(self, action: str) -> list[Answer]:
        lists = {operation.name: operation.items for operation in vars(operations).values() if isinstance(operation, operations.Operation)}
        return [answer(action, f"<{lists[action]}/>" if lists[action] else "")]


@contextlib.contextmanager
def aws(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    aws_server.a_key(monkeypatch, folder)

    class Fake(FakeAws):
        def take(self, asked: aws_server.Asked) -> Answer:
            """Instances as EC2 filters them: ours only when it is asked for."""
            planned = super().take(asked)
            told = set(asked.parameters.values())
            others = asked.action == "DescribeInstances" and told & {"tag:Name", "instance-id"} and not told & {"web-1", "i-1"}
            return aws_server.reservations() if others else planned

    fake = Fake()
    subnet = ("<networkInterfaceSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><privateIpAddress>10.0.0.4</privateIpAddress></item>"
              "</networkInterfaceSet>")
    tags = aws_server.tagged(**{"Name": "web-1", MARK: "web-1"})
    fake.answers = _Everything({
        **aws_server.ordinary(),
        "DescribeInstances": [aws_server.reservations(aws_server.instance("i-1", inside=subnet + tags))],
        "DescribeSubnets": [listed(
            "DescribeSubnets", "subnetSet", "<subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/24</cidrBlock>"
            "<state>available</state><availabilityZone>us-east-1a</availabilityZone>")],
        "DescribeImages": [listed(
            "DescribeImages", "imagesSet", "<imageId>ami-1</imageId><name>debian-12-amd64-20261103-2286</name>"
            "<imageOwnerId>136693071363</imageOwnerId><imageState>available</imageState><architecture>x86_64</architecture>"
            "<creationDate>2026-11-03T08:22:41.000Z</creationDate>"
            "<rootDeviceName>/dev/xvda</rootDeviceName>")],
        "DescribeInstanceTypes": [listed(
            "DescribeInstanceTypes", "instanceTypeSet", "<instanceType>t3.small</instanceType><currentGeneration>true</currentGeneration>"
            "<bareMetal>false</bareMetal><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>2048</sizeInMiB></memoryInfo>"
            "<processorInfo><supportedArchitectures><item>x86_64</item></supportedArchitectures></processorInfo><supportedRootDeviceTypes>"
            "<item>ebs</item></supportedRootDeviceTypes><supportedUsageClasses><item>on-demand</item></supportedUsageClasses>")]})
    try:
        yield Stand(
            {"provider": "aws", "regions": ["us-east-1"], "endpoint_url": fake.url}, "i-1",
            lambda: [one.action for one in fake.asked if not one.action.startswith(("Describe", "Get"))],
            lambda: [one.parameters for one in fake.asked if one.action == "DescribeInstances" and not any(
                value in ("tag:Name", "instance-id", f"tag:{MARK}") for value in one.parameters.values())])
    finally:
        fake.close()


@contextlib.contextmanager
def gce(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(folder / "none"))
    fake = ChangingGce()
    fake.resources |= {
        "zones/europe-west1-b/instances/web-1": {
            "id": "1001", "name": "web-1", "status": "RUNNING", "zone": f"{BASE}/zones/europe-west1-b", "labels": {MARK: "web-1"},
            "labelFingerprint": "f", "metadata": {"fingerprint": "m", "items": []},
            "machineType": f"{BASE}/zones/europe-west1-b/machineTypes/e2-small",
            "networkInterfaces": [{"network": gce_opened.NETWORK, "networkIP": "10.0.0.1"}]},
        "zones/europe-west1-b/machineTypes/e2-small": {
            "name": "e2-small", "guestCpus": 2, "memoryMb": 2048, "zone": f"{BASE}/zones/europe-west1-b"},
        "global/images/debian-12": {
            "id": "7", "name": "debian-12", "status": "READY", "creationTimestamp": "2026-11-11T01:02:03.456-08:00", "diskSizeGb": "10",
            "architecture": "X86_64", "licenses": ["https://x/compute/v1/projects/debian-cloud/global/licenses/debian-12-bookworm"]},
        "global/networks/default": {"id": "3", "name": "default", "selfLink": gce_opened.NETWORK, "mtu": 1460, "autoCreateSubnetworks": True},
        "regions/europe-west1/subnetworks/default": {
            "id": "4", "name": "default", "network": gce_opened.NETWORK, "ipCidrRange": "10.0.0.0/24", "region": f"{BASE}/regions/europe-west1",
            "selfLink": f"{BASE}/regions/europe-west1/subnetworks/default", "purpose": "PRIVATE", "stackType": "IPV4_ONLY"}}
    with serving(fake):
        key = str(gce_opened.write_key(folder, fake))
        narrow = re.compile(rf"\((id|name|labels\.{MARK}) = ")
        yield Stand(
            {"provider": "gce", "endpoint": fake.url, "credentials_file": key, "projects": ["acme-prod"]}, "1001",
            lambda: [(method, path) for method, path, _query, _headers in fake.requests if method != "GET" and not path.endswith("/token")],
            lambda: [query for _method, path, query, _headers in fake.requests
                     if path.endswith("aggregated/instances") and not narrow.search(query.get("filter", ""))],
            lambda: fake.tokens)


@contextlib.contextmanager
def metal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    rack, notes = folder / "rack.yml", folder / "rack.yml.reservations.yml"
    rack.write_text(yaml.safe_dump({"nodes": [
        {"name": f"blade-{number}", "id": f"SN-{number}", "pool": True, "vcpus": 4, "memory_mib": 8192, "disk_gib": 100,
         "image": {"distro": "debian"}, "interfaces": [{"addresses": [f"198.51.100.{number}"]}]} for number in (1, 2, 3)]}), encoding="utf-8")
    notes.write_text(yaml.safe_dump({"machines": {"SN-1": {"node": "web-1", "token": "t", "tags": {MARK: "web-1"}}}}), encoding="utf-8")
    before = (notes.read_bytes(), sorted(path.name for path in folder.iterdir()))
    yield Stand(
        {"provider": "metal", "sources": [{"kind": "file", "path": str(rack)}]}, "SN-1",
        lambda: [] if (notes.read_bytes(), sorted(path.name for path in folder.iterdir())) == before else ["the file"], list)


STANDS = {"openstack": openstack, "aws": aws, "gce": gce, "metal": metal}
