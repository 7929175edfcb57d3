# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions on the operating system: what a node works for is kept, nobody's access is touched, and every distribution's data renders."""
from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.engine import KINDS
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import outcome, profiles, report
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.areas import os as area
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.decision import Connection, Decision, Options, packages

DATA = Path(__file__).parents[5] / "roles/os_hardening/vars"
RELEASES = [("debian", "11"), ("debian", "12"), ("debian", "13"), ("ubuntu", "22.04"), ("ubuntu", "24.04"), ("ubuntu", "26.04"), ("rhel", "8.10"),
            ("rocky", "9.5"), ("almalinux", "10.0"), ("amzn", "2023")]
PROFILES = ["baseline", "strict", "cis_level1_server", "anssi_intermediary"]


def account(name: str, uid: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "uid": uid, "gid": uid, "home": f"/home/{name}", "shell": "/bin/bash", "groups": [name], "password": "locked",
            "last_change": 20000, "min_days": 0, "max_days": 99999, "warn_days": 7, "inactive_days": None, "expires": None, "keys": 0, **more}


FACTS: dict[str, Any] = {
    "os": {"id": "debian", "like": [], "version": "12", "major": 12, "name": "Debian"},
    "virtual": {"kind": "kvm", "container": False, "image": False},
    "systemd": True,
    "kernel": {"efi": True, "apparmor": True, "selinux": "off", "loaded": [], "modules": True},
    "accounts": [account("root", 0, keys=1), account("debian", 1000, keys=1)], "login": {"user": "debian", "became": "root"},
    "sudo": {"present": True, "without_password": ["debian"], "includes_folder": True}, "packages": ["cron", "sudo", "rsyslog", "telnet"],
    "units": {"rpcbind.service": {"enabled": "enabled", "active": True}, "avahi-daemon.service": {"enabled": "enabled", "active": True}},
    "mounts": [{"path": "/dev/shm", "type": "tmpfs", "device": "tmpfs", "options": ["rw"]}], "fstab": [], "crontabs": ["backup"],
    "networks": [{"name": "eth0", "addresses": ["192.0.2.5/24"], "outside": True}], "default_routes": ["eth0"], "router_advertisements": [],
    "listening": [], "paths": ["/etc/default/grub"], "programs": ["pam-auth-update"], "workloads": {},
}


def decided(profile: str = "strict", workloads: tuple[str, ...] = (), controls: dict[str, bool] | None = None, values: dict[str, Any] | None = None,
            connection: Connection | None = None, **facts: Any) -> dict[str, Decision]:
    known = {**copy.deepcopy(FACTS), **facts}
    options = Options(profile=profile, controls=profiles.controls(DATA, profile, controls or {}, values or {}),
                      distribution=profiles.distribution(DATA, known["os"]), workloads=dict.fromkeys(workloads, "said so"), node={}, variables={},
                      connection=connection or Connection("ssh", "debian"))
    return {decision.control: decision for decision in area.decide(known, options)}


def text(decision: Decision) -> str:
    return "".join(str(item.get("content", "")) for item in decision.items)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("name", "version"), RELEASES)
def test_every_release_renders_with_every_profile(name: str, version: str, profile: str) -> None:
    major = int(version.split(".")[0])
    system = {"id": name, "like": ["rhel"] if name in ("rocky", "almalinux") else [], "version": version, "major": major, "name": name}
    assert profiles.distribution(DATA, system)["known"]
    found = decided(profile, os=system, packages=["sudo"], units={}, programs=[])
    assert set(found) == set(area.CONTROLS) == set(profiles.controls(DATA, profile, {}, {}))
    for decision in found.values():
        assert decision.apply or decision.why
        for item in decision.items:
            assert item["kind"] in KINDS
            assert "None" not in str(item.get("path", "")) + str(item.get("paths", ""))
            assert item.get("name") != ""
            assert item["kind"] != "file" or item["content"].endswith("\n") or not item["content"]
    if name not in ("debian", "ubuntu"):
        assert not any("/etc/apt" in str(item) or item["kind"] == "pam" for decision in found.values() for item in decision.items)


def test_every_control_has_title_and_ids_of_benchmarks() -> None:
    for control in profiles.controls(DATA, "strict", {}, {}).values():
        assert control.title
        assert set(control.refs) >= {"anssi_bp28", "stig"}, control.name


@pytest.mark.parametrize("work", ["docker", "swarm", "kubernetes", "podman", "router", "mesh", "ipsec", "libvirt"])
def test_what_passes_packets_on_keeps_forwarding_and_loose_paths(work: str) -> None:
    found = decided(workloads=(work,))
    assert not found["sysctl_forwarding"].apply
    assert work in found["sysctl_forwarding"].why
    values = next(item["values"] for item in found["sysctl_network"].items if item["kind"] == "sysctl")
    assert values["net.ipv4.conf.all.rp_filter"] == "2"
    assert "net.ipv4.conf.all.arp_ignore" not in values


def test_a_plain_host_forwards_nothing_and_is_strict() -> None:
    found = decided()
    assert found["sysctl_forwarding"].apply
    values = next(item["values"] for item in found["sysctl_network"].items if item["kind"] == "sysctl")
    assert values["net.ipv4.conf.eth0.rp_filter"] == "1"
    assert all(item.get("guarded") for item in found["sysctl_network"].items if item["kind"] == "sysctl")


@pytest.mark.parametrize(("learnt", "word"), [(["eth0"], "IPv6 is lost"), (None, "not known")])
def test_ipv6_from_routers_on_the_link_stays(learnt: Any, word: str) -> None:
    found = decided(router_advertisements=learnt)["sysctl_router_advertisements"]
    assert not found.apply
    assert word in found.why


def test_modules_that_are_needed_stay() -> None:
    assert "squashfs" in text(decided(values={"kernel_modules": {"modules": ["squashfs"]}})["kernel_modules"])
    assert "squashfs" not in text(decided(workloads=("snap",), values={"kernel_modules": {"modules": ["squashfs"]}})["kernel_modules"])
    assert "vfat" not in text(decided(values={"kernel_modules": {"modules": ["vfat"]}})["kernel_modules"])
    assert "sctp" not in text(decided(workloads=("kubernetes",))["kernel_modules"])


def test_a_container_keeps_its_hands_off_the_kernel() -> None:
    found = decided(virtual={"kind": "lxc", "container": True, "image": False})
    for name in ("sysctl_kernel", "kernel_modules", "boot_arguments", "auditd", "apparmor", "time_sync"):
        assert not found[name].apply


def test_no_account_with_keys_or_without_a_password_ages() -> None:
    people = [account("debian", 1000, keys=1, password="set"), account("anna", 1001, password="set"), account("service", 1002, password="locked")]
    found = decided(accounts=people)["password_ageing"]
    assert [item["name"] for item in found.items if item["kind"] == "account"] == ["anna"]
    assert any(option["add"] == ["no_pass_expiry"] for item in found.items if item["kind"] == "pam" for option in item["options"])
    assert found.items[0]["kind"] == "pam", "keys must be safe before anything ages"


def test_accounts_that_somebody_logs_in_with_keep_their_shells() -> None:
    found = decided(accounts=[account("games", 5), account("backup", 34, keys=1), account("toor", 0), account("ansible-run", 990)],
                    login={"user": "ansible-run", "became": "root"})["system_accounts"]
    assert [item["name"] for item in found.items] == ["games"]
    assert "toor" in " ".join(found.notes)


def test_what_can_cut_access_is_guarded() -> None:
    for decision in decided().values():
        for item in decision.items:
            if item["kind"] in ("pam", "authselect", "account") or "/etc/sudoers.d/" in str(item.get("path")) or item.get("path") == "/etc/pam.d/su":
                assert item.get("guarded"), (decision.control, item)


def test_ansibles_own_folder_keeps_exec() -> None:
    mount = {"path": "/tmp", "type": "tmpfs", "device": "tmpfs", "options": ["rw"]}
    at_home = decided(mounts=[mount])["tmp_mount"]
    assert "noexec" in next(item for item in at_home.items if item["kind"] == "mount")["options"]
    in_tmp = decided(mounts=[mount], connection=Connection("ssh", "debian", remote_tmp="/tmp/.ansible"))["tmp_mount"]
    assert "noexec" not in next(item for item in in_tmp.items if item["kind"] == "mount")["options"]
    assert "remote_tmp" in " ".join(in_tmp.notes)


def test_cron_goes_on_for_those_who_use_it() -> None:
    allow = next(item for item in decided()["cron"].items if item.get("path") == "/etc/cron.allow")
    assert allow["content"] == "backup\nroot\n"


def test_services_that_are_needed_stay() -> None:
    off = [item["name"] for item in decided()["services_off"].items]
    assert off == ["avahi-daemon.service", "rpcbind.service"]
    assert [item["name"] for item in decided(workloads=("nfs",))["services_off"].items] == ["avahi-daemon.service"]


def test_su_stays_where_ansible_becomes_root_by_it() -> None:
    known = copy.deepcopy(FACTS)
    options = Options(profile="strict", controls=profiles.controls(DATA, "strict", {}, {}), distribution=profiles.distribution(DATA, known["os"]),
                      workloads={}, node={}, variables={"become_method": "su"}, connection=Connection("ssh", "debian"))
    assert not next(decision for decision in area.decide(known, options) if decision.control == "su").apply


def test_packages_are_asked_for_once_and_only_when_they_can_be_had() -> None:
    found = list(decided().values())
    come, go = packages(found, FACTS)
    assert "libpam-pwquality" in come
    assert go == ["telnet"]
    assert "auditd" not in packages(found, {**FACTS, "unavailable": ["auditd"]})[0]


def test_single_controls_and_values_win_over_the_profile() -> None:
    found = decided(controls={"banner": False, "root_console": True}, values={"login_failures": {"deny": 7}})
    assert not found["banner"].apply
    assert "the operator" in found["banner"].why
    assert found["root_console"].apply
    assert "deny = 7\n" in text(found["login_failures"])
    assert "unlock_time = 900\n" in text(found["login_failures"])


@pytest.mark.parametrize(("more", "word"), [({"controls": {"bannner": False}}, "bannner"), ({"values": {"banner": {"txt": ""}}}, "txt"),
                                            ({"profile": "paranoid"}, "paranoid")])
def test_names_that_do_not_exist_are_refused(more: dict[str, Any], word: str) -> None:
    with pytest.raises(FleetError, match=word):
        decided(**more)


def test_the_page_shows_hosts_side_by_side_and_nothing_of_a_host_is_markup() -> None:
    known = copy.deepcopy(FACTS)
    options = Options(profile="strict", controls=profiles.controls(DATA, "strict", {}, {}), distribution=profiles.distribution(DATA, known["os"]),
                      workloads={}, node={}, variables={}, connection=Connection("ssh", "debian"))
    decisions = area.decide(known, options)
    items = [{"control": "banner", "kind": "file", "what": "/etc/issue", "status": "changed", "why": "", "details": []}]
    rows = outcome.report(decisions, options, items, packages(decisions, known), check=False)
    by_name = {row["control"]: row for row in rows}
    assert by_name["banner"]["status"] == "changed"
    assert by_name["root_console"]["status"] == "left_out"
    assert by_name["password_quality"]["status"] == "changed"  # its package came
    hosts = [report.host(name, {**known, "workloads": {"docker": "<b>runs"}}, {"os": report.area("strict", rows, check=False, when="now")})
             for name in ("one", "<script>two")]
    page = report.page(hosts)
    assert "<script>" not in page
    assert "<b>runs" not in page
    assert "A warning before the login" in page
    assert "http" not in page


def test_arguments_of_the_kernel_are_whole_words() -> None:
    for profile in PROFILES:
        for word in profiles.controls(DATA, profile, {}, {})["boot_arguments"].values["arguments"]:
            assert "=" in word, (profile, word)


def test_what_comes_with_a_package_in_this_run_is_settled_in_this_run() -> None:
    """The plan is made before AIDE's package brings its own timer and logs; a second run must find nothing to do."""
    items = decided(profile="strict", variables={"machine": "machine"})["integrity"].items
    assert any(item.get("name") == "dailyaidecheck.timer" and item["enabled"] is False for item in items)
    first = next(item["content"] for item in items if str(item.get("path", "")).endswith("/hybridops-fleet-aide.service"))
    assert "UMask=0027\n" in first
