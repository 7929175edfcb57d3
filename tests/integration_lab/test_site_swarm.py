# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbook site on booted hosts of three infrastructures, from nothing to a service of a swarm that answers on a public address of every node: made,
reached by the fleet's key, hardened strictly, in a mesh, in a swarm of three managers; what happens to it in its life; and gone without a trace.

Everything is said by extra variables. Needs a lab with openstack, google, metal and hosts: ``python3 tests/run.py --only site_swarm`` (as root).
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

import hardened
import pytest
import site_lab
from site_lab import LATER, MACHINE, PORT, WHERE, Site, belongings, let_in, nothing_changed
from swarm_lab import IMAGE
from watching import until

pytestmark = site_lab.needed
ALL = set(WHERE)
SWARM = {"fleet_cluster": "swarm", "fleet_cluster_managers": "3", "mesh_open_ports": "true"}


@pytest.fixture(scope="module")
def before() -> set[str]:
    return belongings()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, before: set[str]) -> Iterator[Site]:
    yield from site_lab.made(tmp_path_factory.mktemp("site"))


def nodes(site: Site, on: str) -> dict[str, str]:
    """Node -> status, availability, part in the management."""
    rows = site.root(on, "timeout 20 docker node ls --format '{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}'").splitlines()
    return {named(name): rest.strip() for name, _space, rest in (row.partition(" ") for row in rows)}


def named(hostname: str) -> str:
    """The node's name in the fleet: the rack's machine keeps the host name that its installer gave it."""
    return "site-3" if hostname == MACHINE.name else hostname


def managers(site: Site) -> list[str]:
    asked = "docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null; true"
    return [name for name in sorted(site.hosts()) if "true" in site.root(name, asked)]


def whole(site: Site, names: set[str], on: str = "") -> bool:
    rows = nodes(site, on or managers(site)[0])
    parts = [status.split()[2] for status in rows.values() if len(status.split()) == 3]
    ready = all(status.startswith("Ready Active") for status in rows.values())
    return set(rows) == names and ready and sorted(parts) == ["Leader", "Reachable", "Reachable"]


def test_from_nothing_to_a_service_on_public_addresses(site: Site) -> None:
    site.play("site", **SWARM)
    assert site.reached() == ALL
    public = {name: f"{host['fleet_public_ipv4']}/32" for name, host in site.hosts().items()}
    private = {name: f"{host['fleet_private_ipv4']}/32" for name, host in site.hosts().items()}
    for name, sources in let_in().items():
        neighbours = {private[other] for other in ALL - {name} if WHERE[other] == WHERE[name]}
        assert {source for source in sources if "." in source} == {public[other] for other in ALL - {name}} | neighbours
    leads = managers(site)
    assert whole(site, ALL), nodes(site, leads[0])
    assert {WHERE[name] for name in leads} == {"floating", "google", "metal"}, leads
    for name in ALL:
        site.root(name, "dpkg -i /srv/repo/busybox-static_*.deb >/dev/null; " + IMAGE)
    site.root(leads[0], f"""
      docker network create -d overlay --attachable inner >/dev/null
      docker service create -d --name web --mode global --endpoint-mode dnsrr --network inner --no-resolve-image --restart-delay 1s \
        --publish mode=host,target=80,published={PORT} --hostname '{{{{.Node.Hostname}}}}' web:1 /bin/busybox sh -c \
        'hostname >/index.html; exec /bin/busybox httpd -f -p 80 -h /' >/dev/null""")
    until(lambda: set(site.answers()) == ALL, "the service answers on every node's public address")


def test_containers_reach_the_service_on_every_node_through_the_mesh(site: Site) -> None:
    for name in ALL:
        script = """
          id=$(docker ps -q --filter label=com.docker.swarm.service.name=web | head -1)
          for address in $(docker exec $id /usr/bin/getent ahostsv4 web | awk '$2 == "STREAM" {print $1}'); do
            docker exec $id /usr/bin/curl -s -m 4 http://$address/index.html
          done"""
        until(lambda name=name, script=script: set(map(named, site.root(name, script).split())) == ALL, f"{name} reaches all")  # type: ignore[misc]


def test_a_second_run_changes_nothing(site: Site) -> None:
    nothing_changed(site.play("site", **SWARM))
    assert set(site.answers()) == ALL


def test_the_hosts_are_hardened_and_the_firewall_is_shut(site: Site) -> None:
    for name, host in site.hosts().items():
        assert not hardened.answers(host["fleet_public_ipv4"], 2377), f"the swarm's port of {name} is open to everybody"
        assert "policy drop" in site.root(name, "nft list table inet hybridops_fleet")
    controls = hardened.Page(site.folder / "report" / "index.html").controls()
    assert len(controls) == len(ALL) and not any("failed" in rows.values() for rows in controls.values())


def test_the_leader_is_killed_hard_and_comes_back(site: Site) -> None:
    leads = managers(site)
    leader = next(name for name, status in nodes(site, leads[0]).items() if status.endswith("Leader"))
    other = next(name for name in leads if name != leader)
    hardened.container(site.identity(leader)).kill()
    until(lambda: any(name != leader and status.endswith("Leader") for name, status in nodes(site, other).items()), "another leads")
    assert set(site.answers()) >= ALL - {leader}
    until(lambda: whole(site, ALL, other), "the one that was killed is back", 180)


def test_a_worker_is_added_and_removed(site: Site) -> None:
    site.play("site", **SWARM, fleet_nodes=[*site.nodes, site.later])
    until(lambda: whole(site, ALL | {LATER}), "it is in")
    site.root(LATER, "dpkg -i /srv/repo/busybox-static_*.deb >/dev/null; " + IMAGE)
    until(lambda: set(site.answers()) == ALL | {LATER}, "the service answers on the new one, too")
    site.cluster("swarm", **SWARM, fleet_cluster_removed=[LATER])
    until(lambda: whole(site, ALL), "it is out")
    assert site.root(LATER, "docker info --format '{{.Swarm.LocalNodeState}}'").strip() == "inactive"
    site.play("deprovision", fleet_nodes=[site.later])
    nothing_changed(site.cluster("swarm", **SWARM))


def test_what_was_destroyed_comes_back_from_a_copy_and_locked(site: Site) -> None:
    leads, copies, key = managers(site), site.folder / "copies", site.folder / "keys" / "unlock"
    locked = {**SWARM, "docker_swarm_autolock": "true", "docker_swarm_unlock_key_file": str(key)}
    site.cluster("swarm", **locked)
    assert key.read_text(encoding="ascii").startswith("SWMKEY-") and stat.S_IMODE(key.stat().st_mode) == 0o600
    site.root(leads[0], "echo kept | docker config create proof - >/dev/null")
    site.cluster("cluster_backup", **locked, fleet_cluster_backup_folder=str(copies), docker_swarm_backup_unlocked="true")
    copy, = copies.iterdir()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    until(lambda: whole(site, ALL), "nobody stays drained")
    for name in leads[:2]:  # the quorum is gone for good
        site.root(name, "systemctl stop docker.socket docker; rm -rf /var/lib/docker/swarm; systemctl start docker")
    site.cluster("cluster_restore", **locked, fleet_cluster_restore="fleet", fleet_cluster_backup_file=str(copy))
    until(lambda: whole(site, ALL), "all are in it again")
    assert site.root(leads[0], "docker config inspect proof --format '{{.Spec.Name}}'").strip() == "proof"
    until(lambda: set(site.answers()) == ALL, "the service answers again", 120)


def test_the_end_of_the_swarm_and_of_the_nodes(site: Site, before: set[str]) -> None:
    site.cluster("cluster_reset", **SWARM, fleet_cluster_reset="fleet")
    for name in ALL:
        assert "Swarm: inactive" in site.root(name, "docker info 2>/dev/null")
    site.play("deprovision")
    assert belongings() == before and not site.hosts()
