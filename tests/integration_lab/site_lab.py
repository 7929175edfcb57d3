# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A site for its suites: an OpenStack cloud behind floating addresses, Google and a machine of a rack, with nothing on them, and runs of the
playbooks over them by extra variables only, as a job of AWX gives them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hardened
import pytest
from hardened import CHECKOUT, LAB, as_root, changed, playbook
from lab_commands import lab_environment

sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.hosts.endpoint import inside
from fleetlab.hosts.fresh import Machine, Rack

FLEET = """
plugin: hybridops.fleet.nodes
clouds:
  floating: {{provider: openstack, cloud: floating}}
  google: {{provider: gce, projects: [acme-prod]}}
  metal:
    provider: metal
    sources: [{{kind: file, path: "{rack}"}}]
"""
RESOLVER = """#cloud-config
write_files: [{path: /etc/resolv-of-pods, content: nameserver 198.51.100.254}]
"""
"""The hosts' own /etc/resolv.conf names an address of the host itself, which is of no use in pods."""
MACHINE = Machine("rack-21", "bookworm", 41, kubelet=True)
WHERE = {"site-1": "floating", "site-2": "google", "site-3": "metal", "site-4": "floating", "site-5": "google"}
"""The nodes, and where each stands."""
LATER = "site-6"
"""One that comes in later, on OpenStack."""
PORT, NODE_PORT = 8080, 30080
"""Where the workload answers: a port of the host that Docker publishes, and one that Kubernetes serves on all of its nodes."""
RULES = """
import json, sys
sys.path.insert(0, TESTS)
import api_listing
import openstack
cloud = openstack.connect(cloud="floating")
group = next(cloud.network.security_groups(name="fleet-site-1"))
found = {"site-1": [row["remote_ip_prefix"] for row in group.security_group_rules if row["port_range_min"] == 51820], "site-2": []}
for row in api_listing.rules_of_google("acme-prod"):
    if row.get("targetTags") == ["fleet-site-2"] and any(one.get("ports") == ["51820"] for one in row.get("allowed", ())):
        found["site-2"] += row["sourceRanges"]
json.dump(found, sys.stdout)
""".replace("TESTS", repr(str(Path(__file__).parent)))
"""Prints from where the clouds let the mesh's port in to the site's nodes."""


LACKS = not hardened.RUNNING or not set(LAB.state()["endpoints"]) >= {"gce", "openstack", "metal", "hosts"}
needed = pytest.mark.skipif(
    LACKS, reason="no lab with openstack, google, metal and hosts runs: tests/run.py --only site_swarm,site_kubernetes")


class Site:
    """What an operator has: a fleet file, requirements, a key. And what a test looks at: hosts as root, the public addresses from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inventory = folder, folder / "fleet.nodes.yml"
        self.rack = Rack(LAB, "site")
        self.took = 0.0
        self.key = folder / "fleet"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        self.inventory.write_text(FLEET.format(rack=folder / "rack.yml"), encoding="utf-8")
        (folder / "rack.yml").write_text(json.dumps({"site": "site", "nodes": [_free(MACHINE)]}), encoding="utf-8")
        installed = {"ansible_ssh_private_key_file": str(LAB.run / "keys" / "install")}
        self.nodes: list[dict[str, Any]] = [
            {"cloud": cloud, "name": name, **({"variables": installed} if cloud == "metal" else {"user_data": RESOLVER})}
            for name, cloud in WHERE.items()]
        self.later = {"cloud": "floating", "name": LATER, "user_data": RESOLVER}
        self._hosts: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, Any] = {
            "fleet_file": str(self.inventory), "fleet_nodes": self.nodes,
            "allocate_defaults": {"image": {"distro": "debian", "version": "12"}, "flavor": {"vcpus": 1, "memory_mib": 512},
                                  "network": {"reachable": "public"}, "tags": {"kubelet": "true"}},
            "allocate_security": {"allow": [{"port": 22}, {"port": PORT}, {"port": NODE_PORT}]}, "allocate_key_dir": str(folder / "node_keys"),
            "access_authorized_keys": [self.key.with_suffix(".pub").read_text(encoding="utf-8").strip()],
            "access_private_key_file": str(self.key), "access_known_hosts": str(folder / "known_hosts"),
            "fleet_hardening": "true", "fleet_hardening_profile": "strict", "fleet_hardening_report": str(folder / "report"),
            "firewall_controls": {"published_ports": True},  # what containers publish is let in by rules alone, as any other port
            "fleet_firewall_rules": [{"name": f"web {port}", "port": port, "role": "public"} for port in (PORT, NODE_PORT)],
        }

    def play(self, book: str, ok: bool = True, **more: Any) -> str:
        """A playbook with the site's variables and those of this run; what it told."""
        began = time.monotonic()
        out = playbook(CHECKOUT / "playbooks" / f"{book}.yml", self.inventory, "-e", json.dumps({**self.variables, **more}), ok=ok, cwd=self.folder,
                       seconds=1200, environment={"ANSIBLE_FORKS": "10"})
        self.took = time.monotonic() - began
        print(f"{book}: {self.took:.0f} s")
        self._hosts = {}
        return out

    def cluster(self, book: str, ok: bool = True, **more: Any) -> str:
        """A playbook of clusters over the nodes that the inventory tells, by the fleet's key."""
        return self.play(book, ok=ok, fleet_cluster_hosts=":".join(sorted(self.hosts())), ansible_ssh_private_key_file=str(self.key), **more)

    def hosts(self) -> dict[str, dict[str, Any]]:
        """Variables of the site's nodes by the name that was asked for, as they were after the last run."""
        self._hosts = self._hosts or self._ask()
        return self._hosts

    def _ask(self) -> dict[str, dict[str, Any]]:
        lab = [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(LAB.root), "exec"]
        done = subprocess.run([*lab, "ansible-inventory", "-i", str(self.inventory), "--list"], stdout=subprocess.PIPE, check=True, text=True,
                              cwd=self.folder)
        found = json.loads(done.stdout)["_meta"]["hostvars"].values()
        return {row["fleet_name"]: row for row in found if row["fleet_name"].startswith("site-")}

    def identity(self, name: str) -> str:
        """By which the lab knows the host."""
        host = self.hosts()[name]
        return MACHINE.name if host["fleet_provider"] == "metal" else str(host["fleet_id"])

    def root(self, name: str, script: str) -> str:
        return as_root(self.identity(name), script)

    def answers(self, port: int = PORT) -> dict[str, str]:
        """Name of a node -> the page that it serves on its public address to somebody outside; without those that serve none."""
        found = {}
        for name, host in self.hosts().items():
            command = [*inside(LAB), "curl", "-s", "--fail", "--max-time", "4", f"http://{host['fleet_public_ipv4']}:{port}/index.html"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                found[name] = done.stdout.strip()
        return found

    def reached(self) -> set[str]:
        """Nodes that the fleet's key opens over their public address."""
        return {name for name, host in self.hosts().items() if hardened.ssh(host["fleet_public_ipv4"], "fleet", self.key).stdout.strip() == "0"}


def belongings() -> set[str]:
    """Everything nodes could leave behind in the APIs, asked by the clouds' own tools."""
    return set(_asked(str(CHECKOUT / "tests/integration_lab/api_listing.py"), "openstack", "google"))


def let_in() -> dict[str, set[str]]:
    """Node -> from where its cloud lets the mesh's port in, asked by the clouds' own tools."""
    return {name: set(sources) for name, sources in _asked("-c", RULES).items()}


def _asked(*words: str) -> Any:
    done = subprocess.run([sys.executable, *words], cwd=CHECKOUT, env={**os.environ, **lab_environment()}, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def nothing_changed(out: str) -> None:
    """Fails with the tasks that say they changed something."""
    tasks = re.findall(r"^TASK \[([^\]]+)\][^\n]*\n(?:(?!^TASK|^PLAY)[^\n]*\n)*?changed: \[([^\]]+)\]", out, re.MULTILINE)
    assert set(changed(out).values()) == {0}, (changed(out), tasks)


def installed(site: Site) -> None:
    """The rack's machine as its installer leaves it."""
    site.rack.renew([MACHINE])
    site.rack.root(MACHINE, "echo nameserver 198.51.100.254 >/etc/resolv-of-pods")


def made(folder: Path) -> Iterator[Site]:
    """A site on which nothing is, and its end."""
    site = Site(folder)
    installed(site)
    yield site
    site.play("deprovision", fleet_nodes=[*site.nodes, site.later])
    site.rack.write(())


def _free(machine: Machine) -> dict[str, Any]:
    """The machine as the operator's rack file has it: installed, and free to be bound."""
    return {"name": machine.name, "id": machine.name, "login_user": machine.account, "pool": True, "vcpus": 4, "memory_mib": 8192,
            "image": {"distro": "debian", "version": "12"},
            "interfaces": [{"name": "eth0", "network": "dmz", "role": "public", "addresses": [machine.ipv4, machine.ipv6]},
                           {"name": "eth1", "network": "inner", "role": "private", "addresses": [machine.private]}]}
