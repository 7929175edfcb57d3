# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens to a swarm in its life that test_swarm.py does not tell: it grows by runs over the new hosts alone, gets new secrets, nodes with a
wrong address, managers that are lost for good, an upgrade that fails half way, a restore of a locked store; and the examples of the modules for
clusters.

On booted hosts of one network, by their private addresses. The tests are one story and go in their order. Needs a running lab with hosts:
``python3 tests/run.py --only swarm_life`` (as root).
"""
from __future__ import annotations

import importlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.tests.integration_lab.swarm_lab import CHECKOUT, MIRROR, NEWER, Lab, Machine, Rack, Swarm, load
from ansible_collections.hybridops.fleet.tests.integration_lab.watching import until
from fleetlab.hosts import netns
from fleetlab.hosts.place import Place

LAB = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not netns.exists(Place(LAB.root).core), reason="there is no running lab with hosts: tests/lab up --only metal --hosts")

NAMES = ("n1", "n2", "n3", "n4", "n5")
SWARM = "hybridops.fleet.swarm"
THROUGH = {"fleet_cluster_through": "n1"}
EXAMPLES = ("cluster_facts", "cluster_members", "cluster_preflight", "port_probe", "mesh_node", "node_files", "swarm_facts", "swarm_plan",
            "swarm_secrets", "swarm_manage", "engine_facts", "engine_config", "container_engine", "swarm_node")
"""Modules whose examples are run, in this order: later ones use what earlier ones register, and the last one takes the node out."""


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """Five machines of which the first is to be a swarm."""
    rack = Rack(LAB, "life")
    machines = [Machine(name, "bookworm", place) for place, name in enumerate(NAMES, 41)]
    rack.renew(machines)
    made = Swarm(LAB, rack, tmp_path_factory.mktemp("life"), machines)
    made.wait(*NAMES)
    join(made, "n1", "manager")
    yield made
    rack.write(())


def join(swarm: Swarm, name: str, role: str = "") -> None:
    swarm.member(name, role, fleet_provider="metal", fleet_cloud="metal", fleet_region="r1", fleet_network_domain="metal:r1")


def whole(swarm: Swarm, *managers: str, workers: int = 1) -> bool:
    """These manage, and reach each other; everybody is ready and at work."""
    rows = swarm.nodes(managers[0])
    leading = {name for name, status in rows.items() if status.endswith(("Reachable", "Leader"))}
    return leading == set(managers) and len(rows) == len(managers) + workers and all(status.startswith("Ready Active") for status in rows.values())


def containers(swarm: Swarm, *names: str) -> dict[str, str]:
    return {name: swarm.root(name, "docker ps -q --no-trunc | sort") for name in names}


# ------------------------------------------------------------------------------------------------- growing through one manager
def test_a_worker_joins_by_a_run_over_it_alone(swarm: Swarm) -> None:
    swarm.play(SWARM)
    join(swarm, "n2")
    refused = swarm.play(SWARM, "--limit", "n2", ok=False)
    assert "name one of its managers with fleet_cluster_through" in refused
    out = swarm.play(SWARM, "--limit", "n2", **THROUGH)
    assert re.findall(r"^(\w+) +: ok=", out, re.MULTILINE) == ["n2"], "the run was over others, too"
    assert whole(swarm, "n1"), swarm.nodes("n1")
    told = swarm.root("n1", "docker node inspect n2 --format '{{json .Spec.Labels}} {{.Status.Addr}}'")
    assert '"region":"r1"' in told and told.endswith(swarm.all["n2"].private), told
    swarm.play(SWARM, "--limit", "n2", **THROUGH)
    assert swarm.changed == 0, swarm.changes


def test_managers_join_by_a_run_over_them_alone_and_stay_odd_in_number(swarm: Swarm) -> None:
    for name in ("n3", "n4"):
        join(swarm, name, "manager")
    assert "n2, which is no manager" in swarm.play(SWARM, "--limit", "n3", ok=False, fleet_cluster_through="n2")
    assert "2 managers" in swarm.play(SWARM, "--limit", "n3", ok=False, **THROUGH)
    assert "n3" not in swarm.nodes("n1")
    swarm.play(SWARM, "--limit", "n3,n4", **THROUGH)
    assert whole(swarm, "n1", "n3", "n4"), swarm.nodes("n1")
    found = [path for path in swarm.folder.rglob("*") if path.is_file() and b"SWMTKN" in path.read_bytes()]
    assert not found, "a token stays on the controller"
    swarm.play(SWARM)
    assert swarm.changed == 0, swarm.changes


# ------------------------------------------------------------------------------------------------- secrets and addresses
def test_old_tokens_are_refused_once_there_are_new_ones_and_no_container_starts_anew(swarm: Swarm) -> None:
    load(swarm, "n1", "n2", "n3", "n4")
    swarm.serve("n1", replicas=2)
    until(lambda: len(swarm.answers()) == 2, "the service answers on two hosts")
    at_work = containers(swarm, "n1", "n2", "n3", "n4")
    old = swarm.root("n1", "docker swarm join-token -q worker")
    swarm.play(SWARM, docker_swarm_rotate="worker,manager,ca")
    time.sleep(5)
    assert containers(swarm, "n1", "n2", "n3", "n4") == at_work
    assert whole(swarm, "n1", "n3", "n4"), swarm.nodes("n1")
    swarm.root("n2", "docker swarm leave")
    said = swarm.root("n2", f"timeout 60 docker swarm join --token {old} {swarm.all['n1'].private}:2377 2>&1", check=False)
    assert re.search("invalid join token|fingerprint", said), said
    until(lambda: swarm.nodes("n1")["n2"].startswith("Down"), "the swarm sees that n2 left")
    swarm.play(SWARM, "--limit", "n2", **THROUGH)
    assert whole(swarm, "n1", "n3", "n4"), swarm.nodes("n1")


def test_a_node_with_a_wrong_address_is_told_and_joins_again_when_asked_to(swarm: Swarm) -> None:
    token = swarm.root("n1", "docker swarm join-token -q worker")
    wrong = swarm.all["n2"].ipv4
    swarm.root("n2", f"docker swarm leave; docker swarm join --advertise-addr {wrong} --token {token} {swarm.all['n1'].private}:2377")
    out = swarm.play(SWARM, ok=False)
    assert f"n2 advertises {wrong}, but members use {swarm.all['n2'].private}" in out
    swarm.play(SWARM, docker_swarm_rejoin="true")
    assert whole(swarm, "n1", "n3", "n4"), swarm.nodes("n1")
    assert swarm.root("n1", "docker node inspect n2 --format '{{.Status.Addr}}'") == swarm.all["n2"].private, "an old entry stays, or the address"
    swarm.play(SWARM)
    assert swarm.changed == 0, swarm.changes


# ------------------------------------------------------------------------------------------------- a manager is lost
def test_a_manager_that_is_lost_for_good_is_replaced_by_another_host(swarm: Swarm) -> None:
    swarm.rack.write([machine for machine in swarm.all.values() if machine.name != "n4"])
    until(lambda: swarm.nodes("n1")["n4"].startswith("Down"), "the swarm sees that n4 is gone", 120)
    del swarm.hosts["n4"]
    join(swarm, "n5", "manager")
    assert "4 managers" in swarm.play(SWARM, "--limit", "n5", ok=False, **THROUGH)
    swarm.play(SWARM, "--limit", "n5", **THROUGH, fleet_cluster_removed="n4")
    assert whole(swarm, "n1", "n3", "n5"), swarm.nodes("n1")
    swarm.play(SWARM)
    assert swarm.changed == 0, swarm.changes


# ------------------------------------------------------------------------------------------------- an upgrade fails
def test_an_upgrade_that_failed_half_way_goes_on_where_it_was(swarm: Swarm) -> None:
    names = list(swarm.hosts)
    load(swarm, "n5")
    for name in names:
        swarm.root(name, NEWER)
    leader = swarm.leader("n1", "n3", "n5")
    second, third = sorted({"n1", "n3", "n5"} - {leader})
    swarm.root(second, "mkdir -p /etc/systemd/system/docker.service.d; printf '[Service]\\nExecStartPre=/bin/false\\n' "
                       ">/etc/systemd/system/docker.service.d/broken.conf; systemctl daemon-reload")
    swarm.play("hybridops.fleet.cluster_upgrade", ok=False, container_engine_timeout=20, **MIRROR)
    newer = {name for name in names if "fleet2" in swarm.root(name, "dpkg-query -W docker.io")}
    assert newer == {"n2", second}, newer
    assert " Drain" in swarm.nodes(leader)[second] and swarm.nodes(leader)["n2"] == "Ready Active", swarm.nodes(leader)
    until(swarm.answers, "the service answers meanwhile")
    swarm.root(second, "rm /etc/systemd/system/docker.service.d/broken.conf; systemctl daemon-reload")
    out = swarm.play("hybridops.fleet.cluster_upgrade", **MIRROR)
    order = re.findall(r"^included: \S+upgrade_node\.yml for .*=> \(item=(\w+)\)", out, re.MULTILINE)
    assert order == [second, third, leader], (order, leader)
    assert all("fleet2" in swarm.root(name, "dpkg-query -W docker.io") for name in names)
    until(lambda: whole(swarm, "n1", "n3", "n5"), "all are at work again")
    assert "fleet.drained" not in swarm.root("n1", "docker node inspect $(docker node ls -q)")
    swarm.play("hybridops.fleet.cluster_upgrade", **MIRROR)
    assert swarm.changed == 0, swarm.changes


# ------------------------------------------------------------------------------------------------- the documentation
def examples(module: str) -> list[dict[str, Any]]:
    documented = importlib.import_module(f"ansible_collections.hybridops.fleet.plugins.modules.{module}")
    tasks: list[dict[str, Any]] = yaml.safe_load(documented.EXAMPLES)
    assert tasks, f"{module} has no example"
    return tasks


def test_the_examples_of_the_modules_are_run(swarm: Swarm) -> None:
    modules = {path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py")}
    clusters = {name for name in modules if re.match("cluster_|container_engine|engine_|swarm_|mesh_|port_probe|node_files", name)}
    assert clusters == set(EXAMPLES)
    swarm.root("n2", "apt-get install -y -qq wireguard-tools >/dev/null")
    on_worker = ("mesh_node", "engine_facts", "engine_config", "container_engine", "swarm_node")
    on_manager = ("swarm_secrets", "swarm_manage")
    plays = [{"hosts": "n1" if module in on_manager else "n2" if module in on_worker else "all", "gather_facts": False, "tasks": examples(module)}
             for module in EXAMPLES]
    first = {"ansible.builtin.include_role": {"name": "hybridops.fleet.mesh", "tasks_from": "members"}}
    book = json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [first]}, *plays], indent=1)
    tokens = swarm.root("n1", "docker swarm join-token -q worker")
    swarm.play(book, **MIRROR)
    assert swarm.root("n1", "docker swarm join-token -q worker") != tokens
    assert swarm.root("n2", "docker info --format '{{.Swarm.LocalNodeState}}'") == "inactive"
    until(lambda: swarm.nodes("n1")["n2"].startswith("Down"), "the swarm sees that n2 left")
    swarm.play(SWARM, "--limit", "n2", **THROUGH, **MIRROR)
    until(lambda: whole(swarm, "n1", "n3", "n5"), "all are at work again")


# ------------------------------------------------------------------------------------------------- a locked store comes back
def test_a_locked_swarm_comes_back_from_a_copy_and_is_locked_again(swarm: Swarm) -> None:
    key, backups = swarm.folder / "keys" / "unlock", swarm.folder / "backups"
    settings = {**MIRROR, "docker_swarm_autolock": "true", "docker_swarm_unlock_key_file": str(key), "fleet_cluster_backup_folder": str(backups)}
    swarm.root("n1", "echo kept | docker config create kept - >/dev/null")
    swarm.play(SWARM, **settings)
    before = key.read_text(encoding="utf-8").strip()
    assert "docker_swarm_backup_unlocked" in swarm.play("hybridops.fleet.cluster_backup", ok=False, **settings)
    assert not backups.exists() and whole(swarm, "n1", "n3", "n5"), swarm.nodes("n1")
    swarm.play("hybridops.fleet.cluster_backup", **settings, docker_swarm_backup_unlocked="true")
    copy = next(backups.iterdir())
    until(lambda: whole(swarm, "n1", "n3", "n5"), "nobody stays drained")
    after = key.read_text(encoding="utf-8").strip()
    assert after == swarm.root("n1", "docker swarm unlock-key -q") and after not in ("", before)
    swarm.root("n1", "echo later | docker config create later - >/dev/null")
    for name in ("n1", "n3"):
        swarm.root(name, "systemctl stop docker.socket docker; rm -rf /var/lib/docker/swarm; systemctl start docker")
    swarm.play("hybridops.fleet.cluster_restore", **settings, fleet_cluster_restore="fleet", fleet_cluster_backup_file=str(copy))
    assert whole(swarm, "n1", "n3", "n5"), swarm.nodes("n1")
    assert swarm.root("n1", "docker config ls --format '{{.Name}}'").split() == ["kept"]
    until(lambda: len(swarm.answers()) == 2, "the service answers again", 120)
    assert key.read_text(encoding="utf-8").strip() == swarm.root("n1", "docker swarm unlock-key -q") != ""
    swarm.root("n3", "systemctl restart docker")
    until(lambda: "locked" in swarm.root("n3", "docker info --format '{{.Swarm.LocalNodeState}}'"), "n3 is locked")
    swarm.play(SWARM, **settings)
    until(lambda: whole(swarm, "n1", "n3", "n5"), "n3 is back")
