# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Roles container_engine and docker_swarm on booted, hardened hosts of three networks, through the mesh: a swarm made, used, drained, upgraded,
broken, grown, backed up and restored.

Traffic is sent for real: from containers to containers on other hosts, and from outside to published ports. The tests are one story and go in their
order. Needs a running lab with hosts: ``python3 tests/run.py --only swarm`` (as root).

The lab's kernel has neither IP_VS nor ESP: that the role says so before anybody relies on them is tested, that they work where they are is not.
"""
from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.tests.integration_lab.swarm_lab import (
    CHECKOUT,
    MIRROR,
    NEWER,
    Lab,
    Machine,
    Rack,
    Swarm,
    load,
)
from ansible_collections.hybridops.fleet.tests.integration_lab.watching import Watch, until
from fleetlab.hosts import netns
from fleetlab.hosts.place import Place

LAB = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not netns.exists(Place(LAB.root).core), reason="there is no running lab with hosts: tests/lab up --only metal --hosts")

MANAGERS, WORKERS, LATER = ("m1", "m2", "m3"), ("w1", "w2"), "w3"
CLOUDS = {"m1": "openstack", "m2": "aws", "m3": "metal", "w1": "aws", "w2": "metal", "w3": "openstack"}
HARDEN = """
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.include_role: {name: hybridops.fleet.mesh, tasks_from: members}
    - ansible.builtin.include_role: {name: hybridops.fleet.os_hardening}
    - ansible.builtin.include_role: {name: hybridops.fleet.ssh_hardening}
    - ansible.builtin.include_role: {name: hybridops.fleet.firewall}
"""
STRICT = {"fleet_hardening_profile": "strict", "os_hardening_profile": "strict", "ssh_hardening_profile": "strict", "firewall_profile": "strict",
          "fleet_workloads": ["docker", "swarm"]}
PORTS = [{"name": "web", "port": 8080}]
NETWORK = os.environ.get("FLEET_SWARM_NETWORK", "mesh")
"""By which addresses members use each other; public ones would do here, too."""


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """Three managers and two workers of three infrastructures, hardened before they are anything; one more machine for later."""
    rack = Rack(LAB, "swarm")
    machines = [Machine(name, "bookworm", place) for place, name in enumerate((*MANAGERS, *WORKERS, LATER), 31)]
    rack.renew(machines)
    made = Swarm(LAB, rack, tmp_path_factory.mktemp("swarm"), machines)
    for name in (*MANAGERS, *WORKERS):
        join(made, name, "manager" if name in MANAGERS else "worker")
    made.wait(*made.all)
    made.play(HARDEN, **STRICT, fleet_firewall_rules=PORTS)
    yield made
    rack.write(())


def join(swarm: Swarm, name: str, role: str) -> None:
    """Each infrastructure is a network of its own, so that members cannot use their private addresses."""
    swarm.member(name, role, fleet_provider=CLOUDS[name], fleet_cloud=CLOUDS[name], fleet_region=f"{CLOUDS[name]}-1",
                 fleet_network_domain=f"{CLOUDS[name]}-1/net", fleet_cluster_network=NETWORK)


def whole(swarm: Swarm, workers: int = 2) -> bool:
    """All managers reach each other, everybody is ready and at work."""
    rows = swarm.nodes(next(name for name in MANAGERS if swarm.rack.container(swarm.all[name]).ready()))
    ready = [status for status in rows.values() if status.startswith("Ready Active")]
    return len(rows) == len(ready) == 3 + workers and sum(status.endswith(("Reachable", "Leader")) for status in ready) == 3


# ------------------------------------------------------------------------------------------------- made and used
def test_what_check_mode_says_of_fresh_hosts(swarm: Swarm) -> None:
    out = swarm.play("hybridops.fleet.swarm", "--check")
    assert swarm.changed and "began" not in out
    assert "docker" not in swarm.root("m1", "ls /etc"), "check mode installed something"


def test_a_swarm_is_made_and_a_second_run_changes_nothing(swarm: Swarm) -> None:
    out = swarm.play("hybridops.fleet.swarm")
    assert "the kernel has no IP_VS" in out and "ESP" in out, "what the kernel lacks is not told"
    assert whole(swarm), swarm.nodes("m1")
    for name in MANAGERS + WORKERS:
        told = swarm.root("m1", f"docker node inspect {name} --format '{{{{json .Spec.Labels}}}} {{{{.Status.Addr}}}}'")
        assert f'"provider":"{CLOUDS[name]}"' in told and f'"region":"{CLOUDS[name]}-1"' in told and '"arch":"x86_64"' in told, told
        address = "10.213." if NETWORK == "mesh" else swarm.all[name].ipv4
        assert f" {address}" in told, told
    pool = swarm.root("m1", "docker info --format '{{json .Swarm.Cluster.DefaultAddrPool}}'")
    assert "10.201.0.0/16" in pool, pool
    swarm.play("hybridops.fleet.swarm")
    assert swarm.changed == 0, swarm.changes


def test_no_token_stays_anywhere_on_the_controller(swarm: Swarm) -> None:
    found = [path for path in swarm.folder.rglob("*") if path.is_file() and b"SWMTKN" in path.read_bytes()]
    assert not found


def test_services_answer_across_hosts_and_from_outside(swarm: Swarm) -> None:
    load(swarm, *MANAGERS, *WORKERS)
    swarm.serve("m1", replicas=3)
    until(lambda: len(swarm.answers()) == 3, "the published port answers on three hosts")
    for name in MANAGERS + WORKERS:
        until(lambda name=name: swarm.seen_from(name) == (3, 3), f"all three answer to a container on {name}")  # type: ignore[misc]


def test_a_service_that_relies_on_what_the_kernel_lacks_is_named(swarm: Swarm) -> None:
    swarm.root("m1", "docker service create -d --name balanced --network inner --no-resolve-image web:1 /bin/busybox sleep 100000 >/dev/null")
    out = swarm.play("hybridops.fleet.swarm")
    assert re.search(r"IP_VS.*Services that rely on it: balanced", out)
    out = swarm.play("hybridops.fleet.swarm", ok=False, docker_swarm_needs=["ingress"])
    assert "take it out of docker_swarm_needs" in out
    swarm.root("m1", "docker service rm balanced >/dev/null")


# ------------------------------------------------------------------------------------------------- engines
def test_settings_that_need_a_restart_come_to_one_node_after_another(swarm: Swarm) -> None:
    with Watch(swarm.served) as watch:
        swarm.play("hybridops.fleet.swarm", container_engine_log_files=3)
    assert watch.longest < 6, f"the service did not answer for {watch.longest:.1f} s"
    assert '"max-file":"3"' in swarm.root("w1", "tr -d ' \\n' </etc/docker/daemon.json")
    until(lambda: whole(swarm), "all are at work again")
    swarm.play("hybridops.fleet.swarm", container_engine_log_files=3)
    assert swarm.changed == 0, swarm.changes


def test_an_engine_that_does_not_start_gets_its_settings_back(swarm: Swarm) -> None:
    before = swarm.root("w1", "cat /etc/docker/daemon.json")
    book = "- hosts: w1\n  gather_facts: false\n  roles: [hybridops.fleet.container_engine]\n"
    out = swarm.play(book, ok=False, container_engine_log_files=3, container_engine_settings={"storage-driver": "nonsense"},
                     container_engine_timeout=25)
    assert "w1 belongs to a swarm, and no manager of it" in out
    out = swarm.play(book, ok=False, container_engine_log_files=3, container_engine_settings={"storage-driver": "nonsense"},
                     container_engine_timeout=25, fleet_cluster_through="m1")
    assert "former settings are back and it runs" in out
    assert swarm.root("w1", "cat /etc/docker/daemon.json") == before
    swarm.play("hybridops.fleet.swarm", container_engine_log_files=3)
    until(lambda: whole(swarm), "w1 is at work again")


def test_an_upgrade_goes_through_the_nodes_with_the_leader_last(swarm: Swarm) -> None:
    for name in MANAGERS + WORKERS:
        swarm.root(name, NEWER)
    swarm.play("hybridops.fleet.swarm", container_engine_log_files=3, **MIRROR)
    leader = swarm.leader(*MANAGERS)
    with Watch(swarm.served) as watch:
        out = swarm.play("hybridops.fleet.cluster_upgrade", container_engine_log_files=3, **MIRROR)
    order = re.findall(r"^included: \S+upgrade_node\.yml for .*=> \(item=(\w+)\)", out, re.MULTILINE)
    assert set(order[:2]) == set(WORKERS) and set(order[2:]) == set(MANAGERS) and order[-1] == leader, (order, leader)
    assert watch.longest < 8, f"the service did not answer for {watch.longest:.1f} s"
    for name in MANAGERS + WORKERS:
        assert "fleet2" in swarm.root(name, "dpkg-query -W docker.io"), name
        assert "docker.io" in swarm.root(name, "apt-mark showhold"), name
    until(lambda: whole(swarm), "all are at work again")
    swarm.play("hybridops.fleet.cluster_upgrade", container_engine_log_files=3, **MIRROR)
    assert swarm.changed == 0, swarm.changes


# ------------------------------------------------------------------------------------------------- failures
def test_the_leader_is_killed_hard_and_comes_back(swarm: Swarm) -> None:
    leader = swarm.leader(*MANAGERS)
    others = [name for name in MANAGERS if name != leader]
    swarm.rack.container(swarm.all[leader]).kill()
    until(lambda: swarm.leader(*others) in others, "another leads")
    until(lambda: len(swarm.answers() - {leader}) >= 2, "the service answers elsewhere")
    until(lambda: whole(swarm), "the one that was killed is back", 150)


def test_autolock_and_a_reboot(swarm: Swarm) -> None:
    key = swarm.folder / "keys" / "unlock"
    settings = {**MIRROR, "container_engine_log_files": 3, "docker_swarm_autolock": True, "docker_swarm_unlock_key_file": str(key)}
    swarm.play("hybridops.fleet.swarm", **settings)
    assert key.read_text().startswith("SWMKEY-") and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    swarm.rack.container(swarm.all["m2"]).reboot()
    until(lambda: "locked" in swarm.root("m2", "docker info --format '{{.Swarm.LocalNodeState}}'"), "m2 is locked", 150)
    out = swarm.play("hybridops.fleet.swarm", ok=False, **{**settings, "docker_swarm_unlock_key_file": str(key) + ".lost"})
    assert "m2: locked" in out
    swarm.play("hybridops.fleet.swarm", **settings)
    until(lambda: whole(swarm), "m2 is back")
    swarm.play("hybridops.fleet.swarm", **settings)
    assert swarm.changed == 0, swarm.changes


# ------------------------------------------------------------------------------------------------- growing
def same(swarm: Swarm) -> dict[str, object]:
    """Settings that the swarm has by now."""
    return {**MIRROR, "container_engine_log_files": 3, "docker_swarm_autolock": True,
            "docker_swarm_unlock_key_file": str(swarm.folder / "keys" / "unlock")}


def test_a_worker_is_added_and_removed(swarm: Swarm) -> None:
    join(swarm, LATER, "worker")
    swarm.root(LATER, NEWER)
    swarm.play("hybridops.fleet.swarm", "--limit", LATER, ok=False, **same(swarm))  # a part of the members is no cluster
    swarm.play(HARDEN, **STRICT, fleet_firewall_rules=PORTS)
    swarm.play("hybridops.fleet.swarm", **same(swarm))
    assert whole(swarm, 3), swarm.nodes("m1")
    load(swarm, LATER)
    until(lambda: swarm.seen_from(LATER) == (3, 3), "the new worker's containers reach the service", 120)
    swarm.play("hybridops.fleet.swarm", **same(swarm), fleet_cluster_removed=[LATER])
    assert whole(swarm, 2), swarm.nodes("m1")
    assert swarm.root(LATER, "docker info --format '{{.Swarm.LocalNodeState}}'") == "inactive"
    del swarm.hosts[LATER]
    swarm.play("hybridops.fleet.swarm", **same(swarm))
    assert swarm.changed == 0, swarm.changes


def test_a_lost_manager_joins_again_with_a_new_disk(swarm: Swarm) -> None:
    lost = next(name for name in MANAGERS if name != swarm.leader(*MANAGERS))
    kept = [machine for machine in swarm.all.values() if machine.name != lost]
    swarm.rack.write(kept)
    until(lambda: swarm.nodes(next(name for name in MANAGERS if name != lost))[lost].startswith("Down"), "the swarm sees that it is gone", 120)
    swarm.rack.write(list(swarm.all.values()))
    swarm.wait(lost)
    swarm.root(lost, NEWER)
    swarm.play(HARDEN, **STRICT, fleet_firewall_rules=PORTS)
    swarm.play("hybridops.fleet.swarm", **same(swarm))
    assert whole(swarm), swarm.nodes(next(name for name in MANAGERS if name != lost))
    load(swarm, lost)


# ------------------------------------------------------------------------------------------------- backup, restore, end
def test_a_backup_brings_back_what_was_destroyed(swarm: Swarm) -> None:
    swarm.root("m1", "docker config rm proof >/dev/null 2>&1; echo kept | docker config create proof - >/dev/null")
    leader = swarm.leader(*MANAGERS)
    backups = swarm.folder / "backups"
    swarm.play("hybridops.fleet.cluster_backup", **same(swarm), fleet_cluster_backup_folder=str(backups), docker_swarm_backup_unlocked=True)
    copy = next(backups.iterdir())
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600 and leader not in copy.name
    until(lambda: whole(swarm), "nobody stays drained")
    assert not swarm.root(copy.name.split("-")[2], "ls /var/lib/hybridops-fleet/cluster | grep backup", check=False), "the copy is still on the node"
    for name in MANAGERS[:2]:  # the quorum is gone for good
        swarm.root(name, "systemctl stop docker.socket docker; rm -rf /var/lib/docker/swarm; systemctl start docker")
    out = swarm.play("hybridops.fleet.swarm", ok=False, **same(swarm))
    assert "cluster_restore" in out
    refused = swarm.play("hybridops.fleet.cluster_restore", ok=False, **same(swarm), fleet_cluster_backup_file=str(copy))
    assert "Set fleet_cluster_restore" in refused
    swarm.play("hybridops.fleet.cluster_restore", **same(swarm), fleet_cluster_restore="fleet", fleet_cluster_backup_file=str(copy))
    assert whole(swarm), swarm.nodes("m1")
    assert swarm.root("m1", "docker config inspect proof --format '{{.Spec.Name}}'") == "proof"
    until(lambda: len(swarm.answers()) == 3, "the service answers again", 120)
    swarm.play("hybridops.fleet.swarm", **same(swarm))
    assert swarm.changed == 0, swarm.changes


def test_new_secrets(swarm: Swarm) -> None:
    before = swarm.root("m1", "docker swarm join-token -q worker; docker swarm join-token -q manager; docker swarm ca")
    swarm.play("hybridops.fleet.swarm", **same(swarm), docker_swarm_rotate=["worker", "manager", "unlock", "ca"])
    after = swarm.root("m1", "docker swarm join-token -q worker; docker swarm join-token -q manager; docker swarm ca")
    assert not set(before.splitlines()[:2]) & set(after.splitlines()[:2])
    assert before.splitlines()[2:] != after.splitlines()[2:]
    key = swarm.folder / "keys" / "unlock"
    assert key.read_text().strip() == swarm.root("m1", "docker swarm unlock-key -q")


def test_the_end_asks_for_the_name_and_leaves_nothing(swarm: Swarm) -> None:
    out = swarm.play("hybridops.fleet.cluster_reset", ok=False, **same(swarm), fleet_cluster_reset="other")
    assert "Set fleet_cluster_reset" in out and whole(swarm)
    swarm.play("hybridops.fleet.cluster_reset", **same(swarm), fleet_cluster_reset="fleet")
    for name in MANAGERS + WORKERS:
        left = swarm.root(name, "docker info --format '{{.Swarm.LocalNodeState}}'; ip -o link show docker_gwbridge 2>/dev/null; "
                          "ls /var/lib/docker/swarm")
        assert left.split() == ["inactive"], (name, left)
    swarm.play("hybridops.fleet.cluster_reset", **same(swarm), fleet_cluster_reset="fleet")
    assert swarm.changed == 0, swarm.changes
