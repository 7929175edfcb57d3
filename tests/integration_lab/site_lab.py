# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A site for its suite: an OpenStack cloud behind floating addresses, Google and a machine of a rack, with nothing on them, and runs of the
playbooks over them by extra variables only, as a job of AWX gives them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import hardened
from hardened import CHECKOUT, LAB, as_root, playbook

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
        self.nodes = [{"cloud": "floating", "name": "site-1", "user_data": RESOLVER}, {"cloud": "google", "name": "site-2", "user_data": RESOLVER},
                      {"cloud": "metal", "name": "site-3", "variables": installed}]
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
        return out

    def reset(self, kind: str) -> None:
        """The end of the cluster, by hosts that the inventory tells and the fleet's key."""
        self.play("cluster_reset", fleet_cluster=kind, fleet_cluster_reset="fleet", fleet_cluster_hosts=":".join(sorted(self.hosts())),
                  ansible_ssh_private_key_file=str(self.key))

    def hosts(self) -> dict[str, dict[str, Any]]:
        """Variables of the site's nodes by the name that was asked for."""
        lab = [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(LAB.root), "exec"]
        done = subprocess.run([*lab, "ansible-inventory", "-i", str(self.inventory), "--list"], stdout=subprocess.PIPE, check=True, text=True,
                              cwd=self.folder)
        found = json.loads(done.stdout)["_meta"]["hostvars"].values()
        return {row["fleet_name"]: row for row in found if row["fleet_name"].startswith("site-")}

    def root(self, name: str, script: str) -> str:
        host = self.hosts()[name]
        return as_root(MACHINE.name if host["fleet_provider"] == "metal" else str(host["fleet_id"]), script)

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


def _free(machine: Machine) -> dict[str, Any]:
    """The machine as the operator's rack file has it: installed, and free to be bound."""
    return {"name": machine.name, "id": machine.name, "login_user": machine.account, "pool": True, "vcpus": 4, "memory_mib": 8192,
            "image": {"distro": "debian", "version": "12"},
            "interfaces": [{"name": "eth0", "network": "dmz", "role": "public", "addresses": [machine.ipv4, machine.ipv6]},
                           {"name": "eth1", "network": "inner", "role": "private", "addresses": [machine.private]}]}
