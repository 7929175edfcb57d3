# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What playbooks ask of security groups for a cluster: for members what they need, for whoever leaves nothing, for metal no word."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.hybridops.fleet.tests.unit.playing import play


def host(provider: str, public: str, private: str, domain: str, **more: Any) -> dict[str, Any]:
    rows = [{"ip": private, "family": 4, "role": "private", "nat_of": None, "why": ""},
            {"ip": public, "family": 4, "role": "floating", "nat_of": private, "why": ""}]
    return {"fleet_provider": provider, "fleet_cloud": f"my-{provider}", "fleet_id": f"id-{private}", "fleet_network_domain": domain,
            "fleet_interfaces": [{"network": "n", "addresses": rows}], **more}


def asked(folder: Path, hosts: dict[str, dict[str, Any]], stage: str, **members: Any) -> dict[str, list[dict[str, Any]]]:
    """Id -> rules."""
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
    rules = {"step": "rules", "stage": stage, "kind": members.get("kind", ""), "members": "{{ told }}"}
    play(folder, [{"hosts": "all", "tasks": [
        {"hybridops.fleet.cluster_members": members, "run_once": True, "register": "told"},
        {"hybridops.fleet.cluster_preflight": rules, "run_once": True, "register": "rules"},
        {"ansible.builtin.copy": {"dest": str(folder / "rules.json"), "content": "{{ rules.nodes | to_json }}", "mode": "0600"}, "run_once": True},
    ]}], "-i", str(folder / "hosts.yml"))
    return {row["id"]: row["allow"] for row in json.loads((folder / "rules.json").read_text(encoding="utf-8"))}


def test_members_of_a_mesh_and_one_that_leaves(tmp_path: Path) -> None:
    hosts = {"a": host("aws", "203.0.113.1", "10.0.0.1", "vpc-1"), "g": host("gce", "203.0.113.2", "10.1.0.1", "vpc-2"),
             "m": host("metal", "203.0.113.3", "10.2.0.1", "site"), "x": host("gce", "203.0.113.4", "10.1.0.4", "vpc-2")}
    found = asked(tmp_path, hosts, "underlay", network="mesh", removed=["x"])
    assert found == {"id-10.0.0.1": [{"port": 51820, "protocol": "udp", "from": ["203.0.113.2/32", "203.0.113.3/32"]}],
                     "id-10.1.0.1": [{"port": 51820, "protocol": "udp", "from": ["203.0.113.1/32", "203.0.113.3/32"]}], "id-10.1.0.4": []}
    assert asked(tmp_path, hosts, "cluster", network="mesh", kind="swarm") == {"id-10.0.0.1": [], "id-10.1.0.1": [], "id-10.1.0.4": []}


def test_members_of_one_network_need_no_mesh_and_the_ports_of_the_cluster(tmp_path: Path) -> None:
    hosts = {name: host("openstack", f"203.0.113.{number}", f"10.0.0.{number}", "net") for number, name in enumerate(("a", "b"), 1)}
    assert asked(tmp_path, hosts, "underlay") == {"id-10.0.0.1": [], "id-10.0.0.2": []}
    found = asked(tmp_path, hosts, "cluster", kind="swarm")
    rows = {(row["port"], row["protocol"], *row["from"]) for row in found["id-10.0.0.1"]}
    assert rows == {(2377, "tcp", "10.0.0.2/32"), (7946, "tcp", "10.0.0.2/32"), (7946, "udp", "10.0.0.2/32"), (4789, "udp", "10.0.0.2/32")}
