# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node's engine is to be, and networks that overlap nothing."""
from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.hybridops.fleet.plugins.action.container_engine import OPTIONS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import engine_plan, free_networks

DATA = yaml.safe_load((Path(__file__).resolve().parents[5] / "roles/container_engine/vars/main.yml").read_text())["container_engine_data"]


def facts(docker: str = "", containerd: str = "", **more: Any) -> dict[str, Any]:
    return {"os": {"id": "debian", "codename": "trixie", "version": "13"}, "manager": "apt", "networks": [],
            "packages": {"installed": {}, "known": ["docker.io", "docker-cli"]},
            "docker": {"version": docker, "swarm": "inactive", "pools": []}, "containerd": {"version": containerd}, **more}


def options(**more: Any) -> dict[str, Any]:
    """As the module hands them on."""
    checked = ArgumentSpecValidator(OPTIONS).validate(more)
    assert not checked.error_messages
    told: dict[str, Any] = checked.validated_parameters
    return told


# ------------------------------------------------------------------------------------------------- networks
@pytest.mark.parametrize("used", [
    [], ["172.17.0.0/16"], ["172.16.0.0/12"], ["172.16.0.0/12", "192.168.0.0/16"], ["172.17.3.0/24", "172.18.0.0/15", "10.0.0.0/9"]])
def test_networks_for_bridges_overlap_nothing(used: list[str]) -> None:
    rows, _why = engine_plan.address_pools(facts(networks=used), options())
    assert rows
    for row in rows:
        assert not any(ipaddress.ip_network(row["base"]).overlaps(ipaddress.ip_network(other)) for other in used)


def test_an_engine_keeps_networks_that_overlap_nothing_and_no_others() -> None:
    seen = facts(networks=["10.0.0.0/24"])
    seen["docker"]["pools"] = ["172.30.0.0/16"]
    assert [row["base"] for row in engine_plan.address_pools(seen, options())[0]] == ["172.30.0.0/16"]
    moved, _why = engine_plan.address_pools(seen, options(avoid=["172.30.9.0/24"]))
    assert "172.30.0.0/16" not in [row["base"] for row in moved]


def test_networks_of_the_operator_that_overlap_are_refused_with_who_uses_them() -> None:
    with pytest.raises(FleetError, match=r"172\.20\.0\.0/16 overlaps 172\.20\.4\.0/24"):
        engine_plan.address_pools(facts(networks=["172.20.4.0/24"]), options(address_pools=["172.20.0.0/16"]))


def test_single_addresses_of_hosts_count_as_the_network_around_them() -> None:
    host = {"inventory_hostname": "web", "fleet_interfaces": [{"addresses": [{"ip": "10.201.7.9"}, {"ip": "2001:db8::1"}]}], "fleet_cluster_ip": None}
    used = free_networks.taken([host], ["10.202.0.0/16"], ["10.203.0.0/20"])
    assert free_networks.clash("10.201.0.0/16", used) == "10.201.7.0/24 (an address of web)"
    assert free_networks.free(free_networks.SWARM, used, 16, 1) == ["10.204.0.0/16"]


def test_what_is_no_network_is_told() -> None:
    with pytest.raises(FleetError, match="tenantnet is no network"):
        free_networks.taken([], [], ["tenantnet"])


# ------------------------------------------------------------------------------------------------- Docker
def test_live_restore_is_on_except_in_a_swarm() -> None:
    assert engine_plan.docker_settings(facts(), options(), [])["live-restore"] is True
    assert "live-restore" not in engine_plan.docker_settings(facts(), options(swarm=True), [])
    member = facts()
    member["docker"]["swarm"] = "active"
    assert "live-restore" not in engine_plan.docker_settings(member, options(), [])
    with pytest.raises(FleetError, match="belongs to a swarm"):
        engine_plan.docker_settings(member, options(live_restore="true"), [])


def test_the_mtu_of_new_networks_is_set_where_the_engine_can() -> None:
    assert "default-network-opts" not in engine_plan.docker_settings(facts("20.10.24"), options(mtu=1420), [])
    newer = engine_plan.docker_settings(facts("26.1.5"), options(mtu=1420), [])
    assert newer["mtu"] == 1420 and newer["default-network-opts"]["bridge"]["com.docker.network.driver.mtu"] == "1420"


def test_settings_of_the_operator_win() -> None:
    told = engine_plan.docker_settings(facts(), options(settings={"log-driver": "journald", "live-restore": False}), [])
    assert told["log-driver"] == "journald" and told["live-restore"] is False
    assert "log-opts" not in engine_plan.docker_settings(facts(), options(log_driver="journald"), [])


def test_packages_and_their_version() -> None:
    entry = engine_plan.distribution(facts(), DATA, "web")
    assert engine_plan.packages(facts(), entry, options()) == ["docker.io", "docker-cli"]
    assert engine_plan.packages(facts(), entry, options(version="26.*"))[0] == "docker.io=26.*"
    assert engine_plan.packages(facts(), entry, options(source="vendor"))[0] == "docker-ce"
    assert engine_plan.packages(facts(manager="dnf"), entry, options(packages=["moby"], version="28.1")) == ["moby-28.1"]


def test_a_distribution_is_known_by_what_it_is_like() -> None:
    assert engine_plan.distribution({"os": {"id": "rocky", "like": ["rhel", "fedora"]}}, DATA, "web") == DATA["rhel"]
    with pytest.raises(FleetError, match="'plan9'"):
        engine_plan.distribution({"os": {"id": "plan9", "like": []}}, DATA, "web")


def test_a_mirror_takes_the_place_of_the_vendors_repository() -> None:
    entry = DATA["debian"]
    told = engine_plan.repository(facts(), entry, options(source="vendor", repository={"url": "file:///srv/mirror/{codename}", "suite": "./"}))
    assert told["line"] == f"deb [signed-by={engine_plan.KEYRING}] file:///srv/mirror/trixie ./" and told["key"].startswith("https://")
    own = engine_plan.repository(facts(), entry, options(source="vendor"))
    assert own["line"] == f"deb [signed-by={engine_plan.KEYRING}] https://download.docker.com/linux/debian trixie stable"
    mirror = {"url": "file:///m", "suite": "./", "options": "trusted=yes"}
    unsigned = engine_plan.repository(facts(), entry, options(source="vendor", repository=mirror))
    assert unsigned["line"] == "deb [trusted=yes] file:///m ./" and not unsigned["key"]
    assert engine_plan.repository(facts(), entry, options()) == {}


# ------------------------------------------------------------------------------------------------- containerd
def test_containerds_settings_follow_its_version() -> None:
    old = engine_plan.containerd_settings(facts(containerd="1.6.20~ds1"), options(engine="containerd", sandbox_image="registry/pause:3.9"))
    assert old["version"] == 2 and old["plugins"][engine_plan.CRI[2]]["sandbox_image"] == "registry/pause:3.9"
    new = engine_plan.containerd_settings(facts(containerd="2.1.4"), options(engine="containerd", sandbox_image="registry/pause:3.9"))
    assert new["version"] == 3 and new["plugins"][engine_plan.IMAGES[3]]["pinned_images"]["sandbox"] == "registry/pause:3.9"
    for told, cri in ((old, engine_plan.CRI[2]), (new, engine_plan.CRI[3])):
        assert told["plugins"][cri]["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True


def test_further_settings_of_containerd_are_laid_over_key_by_key() -> None:
    more = {"plugins": {engine_plan.CRI[2]: {"restrict_oom_score_adj": True}}}
    told = engine_plan.containerd_settings(facts(containerd="1.7"), options(engine="containerd", containerd_settings=more))
    cri = told["plugins"][engine_plan.CRI[2]]
    assert cri["restrict_oom_score_adj"] is True and "containerd" in cri and cri["registry"]["config_path"]


def test_registries_are_told_as_containerd_reads_them() -> None:
    told = engine_plan.registry_hosts([{"registry": "docker.io", "server": "https://registry-1.docker.io", "mirrors": [{"url": "http://m:5000"}]}])
    assert told == {"docker.io": {"server": "https://registry-1.docker.io", "host": {"http://m:5000": {"capabilities": ["pull", "resolve"]}}}}


# ------------------------------------------------------------------------------------------------- options
def test_values_of_a_survey_are_strings_and_come_as_what_they_mean() -> None:
    told = options(log_files="3", swarm="true", mtu="1400", users="alice,bob", settings='{"debug": true}', timeout="60")
    assert (told["log_files"], told["swarm"], told["mtu"], told["users"], told["settings"], told["timeout"]) == (
        3, True, 1400, ["alice", "bob"], {"debug": True}, 60)


@pytest.mark.parametrize(("wrong", "told"), [
    ({"engine": "podman"}, "engine must be one of"), ({"log_files": "many"}, "log_files"), ({"live_restore": "maybe"}, "live_restore must be one of"),
    ({"swarm": "perhaps"}, "swarm"), ({"registry_hosts": [{"server": "https://registry.example"}]}, "registry found in registry_hosts"),
    ({"registry_hosts": [{"registry": "docker.io", "mirrors": [{"url": "https://m", "capabilities": ["fetch"]}]}]}, "capabilities"),
    ({"repository": {"uri": "file:///srv"}}, "repository.uri"), ({"log_file": 3}, "log_file")])
def test_what_is_no_option_or_no_value_of_one_is_named(wrong: dict[str, Any], told: str) -> None:
    errors = ArgumentSpecValidator(OPTIONS).validate(wrong).error_messages
    assert errors and told in errors[0]


def test_the_role_hands_over_what_the_module_takes_with_the_same_defaults() -> None:
    role = Path(__file__).resolve().parents[5] / "roles/container_engine"
    assert set(yaml.safe_load((role / "vars/main.yml").read_text())["container_engine_options"]) == set(OPTIONS)
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    for name, option in OPTIONS.items():
        told = specs["container_engine_kind" if name == "engine" else f"container_engine_{name}"]
        assert _kept(told) == _kept(option), name


def _kept(option: dict[str, Any]) -> dict[str, Any]:
    nested = {name: _kept(told) for name, told in (option.get("options") or {}).items()}
    return {key: option.get(key) for key in ("type", "elements", "choices")} | {"default": option.get("default") or None, "options": nested}
