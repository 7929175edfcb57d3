# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions on the boot loader, the clock, the audit and the checks of integrity; and that what they write is what programs take."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.kinds import blocks, settings
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.decision import replaced
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.os import audit
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.hardening.os_nodes import FACTS, decided, text

HASH = "grub.pbkdf2.sha512.10000." + "0A" * 64 + "." + "0B" * 64


# ---------------------------------------------------------------------------------------------------- boot loader
def test_a_password_of_the_boot_loader_is_asked_for_only_where_linux_starts_without(tmp_path: Path) -> None:
    found = decided(variables={"boot_password": HASH})["boot_password"]
    script = next(item for item in found.items if item["kind"] == "file")
    assert script["secret"] and script["mode"] == "0700", "its hash is shown to nobody"
    linux, program = tmp_path / "10_linux", tmp_path / "01"
    program.write_text(script["content"].replace("/etc/grub.d/10_linux", str(linux)), encoding="utf-8")
    debians = 'CLASS="--class gnu-linux --class gnu --class os"\nmenuentry () { :; }\n'
    linux.write_text(debians, encoding="utf-8")
    assert not _said(program), "a node that waits for a password at its boot is lost"
    block = next(item for item in found.items if item["kind"] == "block")
    linux.write_text(blocks.with_block(debians, block["content"], block["behind"]) + 'echo "$CLASS"\n', encoding="utf-8")
    assert _said(linux) == "--class gnu-linux --class gnu --class os --unrestricted\n"
    assert _said(program) == f'set superusers="root"\nexport superusers\npassword_pbkdf2 root {HASH}\n'
    assert _said(program, GRUB_DEFAULT="gnulinux-simple-1") and not _said(program, GRUB_DEFAULT="Windows Boot Manager")


def _said(script: Path, **environment: str) -> str:
    return subprocess.run(["sh", str(script)], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", **environment}).stdout


@pytest.mark.parametrize(("given", "facts", "word"), [
    ({}, {}, "no os_hardening_boot_password"),
    ({"boot_password": HASH}, {"paths": []}, "not GRUB"),
    ({"boot_password": HASH}, {"virtual": {"kind": "lxc", "container": True, "image": False}}, "no boot loader"),
    ({"boot_password": HASH}, {"os": {"id": "rhel", "like": [], "version": "9.5", "major": 9, "name": "RHEL"}}, "grub2-setpassword"),
])
def test_where_the_boot_loader_gets_no_password_it_is_told_why(given: dict[str, Any], facts: dict[str, Any], word: str) -> None:
    found = decided(variables=given, **facts)["boot_password"]
    assert not found.apply and word in found.why


def test_a_password_in_the_clear_is_refused_and_not_repeated() -> None:
    with pytest.raises(FleetError, match="grub-mkpasswd-pbkdf2") as failure:
        decided(variables={"boot_password": "hunter2"})
    assert "hunter2" not in str(failure.value)


# ---------------------------------------------------------------------------------------------------- clock
def test_chrony_takes_the_other_services_place() -> None:
    found = decided("anssi_intermediary", packages=["systemd-timesyncd"])["time_sync"]
    assert (found.present, found.absent, found.replaced) == (("chrony",), (), ("systemd-timesyncd",))
    assert replaced(found, ["chrony"]) == ("systemd-timesyncd",) and not replaced(found, []), "it stays where chrony cannot be had"
    assert [item["name"] for item in found.items] == ["chrony.service"], "no server but the distribution's own pool"
    again = decided("anssi_intermediary", packages=["chrony"], units={"chrony.service": {"enabled": "enabled", "active": True}})["time_sync"]
    assert (again.present, again.absent) == ((), ())


@pytest.mark.parametrize(("provider", "server"), [("aws", "169.254.169.123"), ("gce", "169.254.169.254")])
def test_the_clouds_own_time_comes_first(provider: str, server: str) -> None:
    assert text(decided("anssi_intermediary", node={"fleet_provider": provider})["time_sync"]) == f"server {server} iburst prefer\n"
    assert f"NTP={server}\n" in text(decided(node={"fleet_provider": provider})["time_sync"])
    said = decided("anssi_intermediary", node={"fleet_provider": provider}, values={"time_sync": {"servers": ["ntp.example.net"]}})["time_sync"]
    assert text(said) == "server ntp.example.net iburst prefer\n"


def test_the_benchmark_that_wants_timesyncd_gets_it() -> None:
    for profile in ("cis_level1_server", "strict"):
        assert decided(profile)["time_sync"].present == ("systemd-timesyncd",)


def test_red_hats_chrony_reads_no_folder_of_sources() -> None:
    rhel = {"id": "rhel", "like": [], "version": "9.5", "major": 9, "name": "RHEL"}
    found = decided(os=rhel, node={"fleet_provider": "aws"}, units={"chronyd.service": {"enabled": "enabled", "active": True}})["time_sync"]
    assert found.items[0]["kind"] == "block" and found.items[0]["path"] == "/etc/chrony.conf"


# ---------------------------------------------------------------------------------------------------- audit
def test_rules_of_the_audit_name_only_calls_that_the_architecture_has() -> None:
    for line in audit.rules("aarch64").splitlines():
        calls = re.search(r"-S (\S+)", line)
        assert not calls or not set(calls.group(1).split(",")) & audit.NOT_ON_ARM, line
        assert "b32" not in line
    assert "-S fchmod,fchmodat " in audit.rules("aarch64")
    lines = audit.rules("x86_64").splitlines()
    assert len(lines) == len(set(lines))
    for arch in ("b32", "b64"):  # the order by which auditors look
        assert f"-a always,exit -F arch={arch} -S execve -C euid!=uid -F auid!=unset -k user_emulation" in lines
    assert "-a always,exit -F path=/usr/bin/sudo -F perm=x -F auid>=1000 -F auid!=unset -k privileged" in lines


def test_only_root_reads_what_is_recorded() -> None:
    found = decided(packages=[])["auditd"]
    assert {item["mode"] for item in found.items if item["kind"] in ("file", "mode")} == {"0600"}


# ---------------------------------------------------------------------------------------------------- integrity
def test_aide_is_set_up_by_one_file_and_debians_two_hundred_stay_where_they_are() -> None:
    found = decided()["integrity"]
    assert found.present == ("aide",)
    configuration = next(item for item in found.items if item.get("path") == "/etc/aide/aide.conf")
    assert "\ndatabase=file:/var/lib/aide/aide.db\n" in configuration["content"]
    trixie = decided(os={**FACTS["os"], "version": "13", "major": 13})["integrity"]
    assert "\ndatabase_in=file:/var/lib/aide/aide.db\n" in text(trixie), "it no longer knows the old name"
    assert not any(item.get("path") == "/etc/aide/aide.conf" for item in decided(packages=["aide", "aide-common"])["integrity"].items)


def test_a_key_that_stands_alone() -> None:
    for before, after in (("# root_too\nretry = 3\n", "# root_too\nroot_too\nretry = 3\n"), ("root_too\n", "root_too\n")):
        assert settings.changed(before, {"root_too": ""}, "equals") == after
