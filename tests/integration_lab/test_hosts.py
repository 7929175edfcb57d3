# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's hosts, through the clouds' own APIs: what is launched boots, can be logged in to as its image says, and follows its cloud.

Needs a lab that was brought up with --hosts (FLEET_LAB_STATE), which needs root.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import gce_lab
import openstack
import pytest

STATE = Path(os.environ.get("FLEET_LAB_STATE", "/nonexistent"))
LAB = Path(__file__).parents[1] / "lab"
LOGIN_SECONDS = 120  # a busy machine; a quiet one needs five

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not (STATE / "run/hosts/ready").exists(), reason="needs booted hosts: python3 tests/lab up --hosts, as root on Linux"
)


class Controller:
    """A key of this run, and ssh from where the hosts' addresses lead to the hosts."""

    def __init__(self, folder: Path) -> None:
        self.key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        self.public = self.key.with_suffix(".pub").read_text(encoding="ascii").strip()

    def inside(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(LAB), "--state", str(STATE), "exec", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def ssh(self, target: str, command: str = "id -un", key: Path | None = None) -> subprocess.CompletedProcess[str]:
        options = (
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "ConnectTimeout=2",
            "ServerAliveInterval=2",
            "ServerAliveCountMax=2",
        )
        return self.inside(
            "timeout",
            "20",
            "ssh",
            "-F",
            "none",
            "-i",
            str(key or self.key),
            *(word for option in options for word in ("-o", option)),
            target,
            command,
        )

    def login(self, target: str, command: str = "id -un", key: Path | None = None) -> str:
        """What the command says, as soon as the login works."""
        return until(lambda: (done := self.ssh(target, command, key)).returncode == 0 and (done.stdout.strip() or " "), f"ssh {target}").strip()

    def no_login(self, target: str) -> None:
        until(lambda: self.ssh(target).returncode != 0, f"{target} to be gone", 15)


def until(probe: Callable[[], Any], what: str, seconds: float = LOGIN_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.3)


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[dict[str, str]]:
    """The lab's variables, for the clouds' own libraries."""
    told = subprocess.run([sys.executable, str(LAB), "--state", str(STATE), "env"], check=True, capture_output=True, text=True).stdout
    variables = {name: value for name, value in re.findall(r"^export (\w+)='?(.*?)'?$", told, re.MULTILINE) if name != "PATH"}
    before = dict(os.environ)
    os.environ.update(variables)
    yield variables
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    return Controller(tmp_path_factory.mktemp("controller"))


# -- OpenStack ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def floating() -> Any:
    return openstack.connect(cloud="floating")


@contextlib.contextmanager
def server(cloud: Any, controller: Controller, image: str = "Debian-12", **more: Any) -> Iterator[tuple[Any, Any]]:
    """A server with a floating address of its own: (server, address)."""
    name = f"t-{secrets.token_hex(4)}"
    cloud.compute.create_keypair(name=name, public_key=controller.public)
    made = cloud.compute.create_server(
        name=name,
        image_id=cloud.image.find_image(image).id,
        flavor_id=cloud.compute.find_flavor("m1.tiny").id,
        key_name=name,
        networks=[{"uuid": cloud.network.find_network("private-network").id}],
        **more,
    )
    made = cloud.compute.wait_for_server(made)
    port, *_others = cloud.network.ports(device_id=made.id)
    address = cloud.network.create_ip(floating_network_id=cloud.network.find_network("public").id, port_id=port.id)
    try:
        yield made, address
    finally:
        cloud.compute.delete_server(made)
        cloud.network.delete_ip(address)
        cloud.compute.delete_keypair(name)


def test_openstack_life(floating: Any, controller: Controller) -> None:
    script = base64.b64encode(b"#!/bin/sh\necho ran >/root/user-data-ran\n").decode()
    with server(floating, controller, user_data=script) as (made, address):
        ip = address.floating_ip_address
        assert controller.login(f"debian@{ip}") == "debian"
        assert 'Please login as the user "debian"' in controller.ssh(f"root@{ip}").stdout
        until(lambda: "ran" in controller.ssh(f"debian@{ip}", "sudo cat /root/user-data-ran").stdout, "user data to run")
        shown = controller.login(f"debian@{ip}", "ip -br address show dev eth0")
        port = next(iter(floating.network.ports(device_id=made.id)))
        assert all(fixed["ip_address"] in shown for fixed in port.fixed_ips)
        six = next(fixed["ip_address"] for fixed in port.fixed_ips if ":" in fixed["ip_address"])
        assert controller.login(f"debian@{six}") == "debian"
        keys = {tuple(line.split()[1:3]) for line in controller.inside("ssh-keyscan", "-T", "5", ip).stdout.splitlines()}
        console = until(lambda: "END SSH HOST KEY" in (text := floating.compute.get_server_console_output(made)["output"]) and text, "console")
        block = console.partition("BEGIN SSH HOST KEY KEYS-----")[2].partition("-----END")[0]
        assert {tuple(line.split()[:2]) for line in block.strip().splitlines()} == keys != set()

        floating.network.update_ip(address, port_id=None)
        controller.no_login(f"debian@{ip}")
        floating.network.update_ip(address, port_id=port.id)
        boot = controller.login(f"debian@{ip}", "sudo touch /root/kept; cat /proc/sys/kernel/random/boot_id")

        floating.compute.reboot_server(made, "SOFT")
        until(lambda: controller.login(f"debian@{ip}", "cat /proc/sys/kernel/random/boot_id") != boot, "reboot through the API")
        boot = controller.login(f"debian@{ip}", "cat /proc/sys/kernel/random/boot_id")
        controller.ssh(f"debian@{ip}", "sudo systemctl reboot")
        until(lambda: controller.login(f"debian@{ip}", "cat /proc/sys/kernel/random/boot_id") != boot, "reboot from inside")

        floating.compute.stop_server(made)
        floating.compute.wait_for_server(made, status="SHUTOFF")
        controller.no_login(f"debian@{ip}")
        floating.compute.start_server(made)
        assert controller.login(f"debian@{ip}", "sudo ls /root/kept") == "/root/kept"
        again = {tuple(line.split()[1:3]) for line in controller.inside("ssh-keyscan", "-T", "5", ip).stdout.splitlines()}
        assert again == keys
        floating.compute.delete_server(made)
        controller.no_login(f"debian@{ip}")


def test_ten_hosts_at_once(floating: Any, controller: Controller, record_property: Any) -> None:
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(server(floating, controller, "Ubuntu 24.04 LTS")) for _number in range(10)]
        for _server, address in made:
            assert controller.login(f"ubuntu@{address.floating_ip_address}") == "ubuntu"
        seconds = time.monotonic() - began
        keys = {controller.inside("ssh-keyscan", "-t", "ed25519", address.floating_ip_address).stdout.split()[2] for _server, address in made}
        assert len(keys) == 10
        status = json.loads((STATE / "run/hosts/status.json").read_text(encoding="utf-8"))
        costs = [status.get(f"openstack/{server.id}", {}) for server, _address in made]
    record_property("seconds", seconds)
    print(f"ten hosts in {seconds:.1f} s: {costs}")


# -- EC2 ------------------------------------------------------------------------------------------------------
def test_ec2_life(controller: Controller) -> None:
    ec2 = boto3.client("ec2", region_name="us-east-1")
    name = f"t-{secrets.token_hex(4)}"
    ec2.import_key_pair(KeyName=name, PublicKeyMaterial=controller.public.encode())
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["Rocky-9-*"]}])["Images"][0]["ImageId"]
    subnet = next(item for item in ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["dual"]}])["Subnets"])
    made = ec2.run_instances(
        ImageId=image,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        KeyName=name,
        SubnetId=subnet["SubnetId"],
        UserData="#cloud-config\nruncmd: [touch /root/user-data-ran]\n",
    )["Instances"][0]["InstanceId"]

    def instance() -> Any:
        return ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]

    try:
        first = instance()["PublicIpAddress"]
        assert controller.login(f"rocky@{first}") == "rocky"
        assert 'Please login as the user "rocky"' in controller.ssh(f"root@{first}").stdout
        until(lambda: controller.ssh(f"rocky@{first}", "sudo ls /root/user-data-ran").returncode == 0, "user data to run")
        assert controller.login(f"rocky@{instance()['NetworkInterfaces'][0]['Ipv6Addresses'][0]['Ipv6Address']}") == "rocky"
        refused = controller.login(f"rocky@{first}", "curl -s -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/instance-id")
        assert refused == "401"  # without a token
        scanned = controller.inside("ssh-keyscan", "-t", "ed25519", first).stdout.split()[2]
        until(lambda: scanned in ec2.get_console_output(InstanceId=made).get("Output", ""), "console with the host's key")
        controller.login(f"rocky@{first}", "sudo touch /root/kept")
        ec2.stop_instances(InstanceIds=[made])
        controller.no_login(f"rocky@{first}")
        ec2.start_instances(InstanceIds=[made])
        second = instance()["PublicIpAddress"]
        assert second != first and controller.login(f"rocky@{second}", "sudo ls /root/kept") == "/root/kept"
        elastic = ec2.allocate_address(Domain="vpc")
        ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=made)
        assert controller.login(f"rocky@{elastic['PublicIp']}") == "rocky"
        controller.no_login(f"rocky@{second}")
        ec2.terminate_instances(InstanceIds=[made])
        controller.no_login(f"rocky@{elastic['PublicIp']}")
        ec2.release_address(AllocationId=elastic["AllocationId"])
    finally:
        ec2.terminate_instances(InstanceIds=[made])


# -- Google ---------------------------------------------------------------------------------------------------
def test_google_life(gce_project: gce_lab.Project, controller: Controller) -> None:
    metadata = [{"key": "ssh-keys", "value": f"carol:{controller.public}"}, {"key": "enable-guest-attributes", "value": "TRUE"}]
    vm = gce_project.create("live", metadata={"items": metadata})
    ip = gce_lab.nat(vm)
    assert controller.login(f"carol@{ip}", "sudo id -un") == "root"
    scanned = controller.inside("ssh-keyscan", "-t", "ed25519", str(ip)).stdout.split()[2]
    until(lambda: scanned in gce_project.get(f"{gce_lab.VMS}/live/serialPort")["contents"], "serial port with the host's key")
    attributes = until(
        lambda: (
            (answer := gce_project.send("GET", f"{gce_lab.VMS}/live/getGuestAttributes", queryPath="hostkeys/")).status == 200
            and answer.body["queryValue"]["items"]
        ),
        "guest attributes",
    )
    assert scanned in {item["value"] for item in attributes}

    def change(items: list[dict[str, str]]) -> None:
        now = gce_project.get(f"{gce_lab.VMS}/live")["metadata"]["fingerprint"]
        gce_project.do("POST", f"{gce_lab.VMS}/live/setMetadata", {"fingerprint": now, "items": items})

    change([{"key": "ssh-keys", "value": f"dave:{controller.public}"}])
    assert controller.login(f"dave@{ip}") == "dave"
    until(lambda: controller.ssh(f"carol@{ip}").returncode != 0, "carol's key to go", 10)
    gce_project.do("POST", f"{gce_lab.VMS}/live/deleteAccessConfig", networkInterface="nic0", accessConfig="External NAT")
    controller.no_login(f"dave@{ip}")
    gce_project.do("POST", f"{gce_lab.VMS}/live/addAccessConfig", {"type": "ONE_TO_ONE_NAT", "name": "External NAT"}, networkInterface="nic0")
    ip = gce_lab.nat(gce_project.get(f"{gce_lab.VMS}/live"))
    assert controller.login(f"dave@{ip}") == "dave"
    gce_project.do("DELETE", f"{gce_lab.VMS}/live")
    controller.no_login(f"dave@{ip}")


# -- metal ----------------------------------------------------------------------------------------------------
def test_rack_machines(environment: dict[str, str], controller: Controller) -> None:
    key = Path(environment["FLEET_LAB_INSTALL_KEY"])
    assert controller.login("root@198.51.100.21", key=key) == "root"
    assert controller.login("ubuntu@2001:db8:42::23", key=key) == "ubuntu"
    assert controller.ssh("root@10.42.0.22", key=key).returncode != 0  # a private address of the rack does not lead there from outside
    assert "SSH-2.0" in controller.login("root@198.51.100.21", "nc -w 2 10.42.0.22 22 </dev/null || true", key=key)
