# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Docker Swarm on two hosts before, while and after they are hardened: what is told to members only, the overlay between containers of both.

Services have ``endpoint_mode dnsrr`` and ports of mode host, which need no IP_VS; virtual addresses and the ingress network do, and are tried
where the kernel has it. Needs a running lab with hosts: ``python3 tests/run.py --only hardening`` (as root).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hardened
import pytest
from hardened import CHECKOUT, LAB, answers, changed, playbook

sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.hosts import docker
from fleetlab.hosts.endpoint import inside
from fleetlab.hosts.fresh import Machine, Rack

pytestmark = pytest.mark.skipif(not hardened.RUNNING, reason="there is no running lab with hosts: tests/lab up --only metal --hosts")
FIRST, SECOND, STRANGER = Machine("swarm-1", "bookworm", 21), Machine("swarm-2", "bookworm", 22), Machine("stranger", "bookworm", 23)
STRICT = ["-e", "fleet_hardening_hosts=swarm-*", "-e", "fleet_hardening_profile=strict"]
PORT = 8082
SERVICE = f"""docker service create --quiet --detach --no-resolve-image --name pages --mode global --endpoint-mode dnsrr --network between \
  --publish mode=host,published={PORT},target=80 web /bin/busybox httpd -f -p 80 -h / >/dev/null"""


class Swarm:
    """Two members and a host beside them."""

    def __init__(self, rack: Rack, folder: Path) -> None:
        self.rack, self.folder = rack, folder
        self.inventory = folder / "fleet.nodes.yml"
        self.inventory.write_text(json.dumps({"plugin": "hybridops.fleet.nodes", "clouds": {"metal": {
            "provider": "metal", "sources": [{"kind": "file", "path": str(rack.file)}]}}}), encoding="utf-8")
        (folder / "group_vars").mkdir()
        key = {"ansible_ssh_private_key_file": str(LAB.run / "keys" / "install")}
        (folder / "group_vars" / "all.json").write_text(json.dumps(key), encoding="utf-8")

    def harden(self, *words: str, members: bool = True, ok: bool = True) -> str:
        more = ["-e", json.dumps({"firewall_members": [FIRST.name, SECOND.name]})] if members else []
        return playbook(CHECKOUT / "playbooks" / "harden.yml", self.inventory, *words, *more, "-e", f"fleet_hardening_report={self.folder}/report",
                        ok=ok, cwd=self.folder)

    def root(self, machine: Machine, script: str, check: bool = True) -> str:
        return self.rack.root(machine, script, check=check).stdout.strip()

    def task(self, machine: Machine) -> str:
        """The service's container there."""
        return _soon(lambda: self.root(machine, "docker ps -q -f label=com.docker.swarm.service.name=pages"), f"no task runs on {machine.name}")

    def overlay(self, machine: Machine) -> str:
        """Its address in the overlay."""
        return self.root(machine, "docker inspect -f '{{.NetworkSettings.Networks.between.IPAddress}}' " + self.task(machine))

    def talk(self) -> None:
        """Containers of both hosts reach each other, by address and by name; the outside reaches the port on both. Raises AssertionError."""
        for here, there in ((FIRST, SECOND), (SECOND, FIRST)):
            read = f"timeout 6 docker exec {self.task(here)} busybox wget -q -O - http://{self.overlay(there)}/page"
            assert _soon(lambda read=read, here=here: self.root(here, read, check=False), f"{here.name} gets nothing from {there.name}") == "served"
            names = self.root(here, f"docker exec {self.task(here)} busybox nslookup pages 127.0.0.11", check=False)
            assert {self.overlay(FIRST), self.overlay(SECOND)} <= set(names.split()), names
            assert _page(here, PORT) == "served", f"port {PORT} of {here.name} is shut"

    def ready(self) -> None:
        """Both members see each other."""
        both = "docker node ls --format '{{.Status}}' | grep -c '^Ready'"
        _soon(lambda: "both" if self.root(FIRST, both, check=False) == "2" else "", "the members do not see each other")


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    rack = Rack(LAB, "swarm")
    rack.renew([FIRST, SECOND, STRANGER])
    made = Swarm(rack, tmp_path_factory.mktemp("swarm"))
    for machine in (FIRST, SECOND):
        made.root(machine, docker.SCRIPT)
    made.root(FIRST, f"docker swarm init --advertise-addr {FIRST.private} --default-addr-pool 10.99.0.0/16")
    token = made.root(FIRST, "docker swarm join-token -q worker")
    made.root(SECOND, f"docker swarm join --advertise-addr {SECOND.private} --token {token} {FIRST.private}:2377")
    made.root(FIRST, f"docker network create -d overlay --attachable between >/dev/null; {SERVICE}")
    made.ready()
    yield made
    rack.write(())


@pytest.fixture(scope="module")
def safe(swarm: Swarm) -> Swarm:
    """Hardened, with the members told; it worked before."""
    swarm.talk()
    swarm.harden(*STRICT)
    return swarm


def test_members_that_nobody_told_of_are_a_refusal(swarm: Swarm) -> None:
    out = swarm.harden(*STRICT, "--tags", "firewall", members=False, ok=False)
    assert SECOND.private in out and "swarm" in out
    assert "hybridops_fleet" not in swarm.root(FIRST, "nft list tables")


def test_the_overlay_works_on(safe: Swarm) -> None:
    safe.ready()
    safe.talk()
    assert changed(safe.harden(*STRICT)) == {FIRST.name: 0, SECOND.name: 0}


def test_a_member_comes_back_after_docker_has_been_restarted(safe: Swarm) -> None:
    for machine in (SECOND, FIRST):
        safe.root(machine, "systemctl restart docker")
        safe.ready()
    safe.talk()
    assert _page(FIRST, 8080) == _page(SECOND, 8080) == "served", "the published port of the container beside the swarm"


def test_only_members_reach_the_ports_of_the_swarm(safe: Swarm) -> None:
    def reaches(machine: Machine, port: int) -> bool:
        return safe.root(machine, f"nc -z -w 3 {FIRST.private} {port} && echo open", check=False) == "open"

    for port in (2377, 7946):
        assert reaches(SECOND, port) and not reaches(STRANGER, port), f"port {port}"
        assert not answers(FIRST.ipv4, port), f"port {port} on the public address"
    assert not safe.root(STRANGER, f"ping -c 1 -W 2 {FIRST.private} >/dev/null || echo shut"), "an echo request is answered"


def test_a_member_may_be_added_to_the_hardened_swarm(safe: Swarm) -> None:
    safe.root(SECOND, "docker swarm leave --force")
    safe.root(FIRST, f"docker node rm --force {SECOND.name} >/dev/null")
    token = safe.root(FIRST, "docker swarm join-token -q worker")
    safe.root(SECOND, f"docker swarm join --advertise-addr {SECOND.private} --token {token} {FIRST.private}:2377")
    safe.ready()
    safe.talk()


def test_virtual_addresses_and_the_ingress_network(safe: Swarm) -> None:
    if not Path("/proc/net/ip_vs").exists():
        pytest.skip("this kernel has no IP_VS, which virtual addresses and the ingress network of a swarm need")
    safe.root(FIRST, "docker service create --quiet --detach --no-resolve-image --name ingress --replicas 1 --publish 8083:80 web "
                     "/bin/busybox httpd -f -p 80 -h / >/dev/null")
    for machine in (FIRST, SECOND):
        assert _soon(lambda machine=machine: _page(machine, 8083), f"{machine.name} does not answer") == "served"


def test_the_overlay_works_after_a_restore(safe: Swarm) -> None:
    safe.harden("-e", "fleet_hardening_hosts=swarm-*", "-e", "fleet_hardening_state=absent")
    safe.ready()
    safe.talk()


def _soon(look: Callable[[], str], otherwise: str, seconds: float = 60) -> str:
    """What a look finds as soon as it finds something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, otherwise
        time.sleep(1)
    return found


def _page(machine: Machine, port: int) -> str:
    """A container's page as somebody outside gets it."""
    command = [*inside(LAB), "curl", "-s", "--max-time", "8", f"http://{machine.ipv4}:{port}/page"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
