# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts and facts for the tests of the firewall."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import profiles
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.areas import firewall
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.decision import Connection, Decision, Options

DATA = Path(firewall.__file__).parents[4] / "roles" / "firewall" / "vars"


def address(ip: str, role: str, nat_of: str | None = None) -> dict[str, Any]:
    return {"ip": ip, "family": 6 if ":" in ip else 4, "role": role, "nat_of": nat_of, "why": ""}


def host(*addresses: dict[str, Any], domain: str | None = "vpc:1", cluster: str | None = None, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"fleet_network_domain": domain, "fleet_interfaces": [{"network": "n", "addresses": list(addresses)}], **more}
    if cluster:
        told["fleet_cluster"] = cluster
    return told


def facts(*networks: tuple[str, tuple[str, ...]], login: tuple[str, str, int] | None = None, **more: Any) -> dict[str, Any]:
    """networks: (interface, addresses with prefix). login: (source, destination, port) of Ansible's connection."""
    told: dict[str, Any] = {
        "networks": [{"name": name, "addresses": list(addresses), "outside": True} for name, addresses in networks], "forwarding": {"ipv4": False},
        "listening": [], "units": {}, "packages": [], "workloads": {}, "ssh": {"effective": {"port": ["22"]}}, "login": {},
        "firewall": {"default_routes": [networks[0][0]] if networks else [], "peers": [], "programs": {}}}
    if login:
        told["login"] = {"address": login[0], "to_address": login[1], "to_port": str(login[2]), "port": "40000"}
    for name, value in more.items():
        told[name] = {**told[name], **value} if isinstance(value, dict) and name in told else value
    return told


def options(me: dict[str, Any], *, others: dict[str, dict[str, Any]] | None = None, groups: dict[str, list[str]] | None = None,
            profile: str = "baseline",
            switches: dict[str, bool] | None = None, workloads: dict[str, str] | None = None, transport: str = "ssh", **variables: Any) -> Options:
    hosts = {"me": me, **(others or {})}
    return Options(
        profile=profile, controls=profiles.controls(DATA, profile, switches or {}, {}), distribution=profiles.distribution(DATA, {"id": "debian"}),
        workloads=workloads or {}, node=me, variables={"cluster": me.get("fleet_cluster") or "", **variables},
        connection=Connection(transport, "root"), host="me", hosts=hosts, groups={"all": list(hosts), **(groups or {})})


def decided(seen: dict[str, Any], given: Options) -> Decision:
    return firewall.decide(seen, given)[0]


def table(seen: dict[str, Any], given: Options) -> str:
    """The text for nft."""
    return str(next(item["content"] for item in decided(seen, given).items if item["kind"] == "nft_table"))
