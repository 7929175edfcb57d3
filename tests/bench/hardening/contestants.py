# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is measured: the playbook of each, and where its collections come from."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from fleetlab.core import Lab, LabError

PEER_VARIABLE = "FLEET_BENCH_DEVSEC"
"""Folder of collections with ansible_collections/devsec/hardening in it: it is in no package index, so who wants it beside ours says where it is."""
_PEERS_REQUIREMENTS = "ansible-core==2.19.*\nansible==12.*\n"  # devsec.hardening needs ansible.posix and community.general

_OURS = """\
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.include_role: {{name: hybridops.fleet.os_hardening}}
      vars: {{os_hardening_profile: {profile}, os_hardening_machine: machine, os_hardening_boot_password: {boot_password}}}
    - ansible.builtin.include_role: {{name: hybridops.fleet.ssh_hardening}}
      vars: {{ssh_hardening_profile: {profile}}}
    - ansible.builtin.include_role: {{name: hybridops.fleet.firewall}}
      vars: {{firewall_profile: {profile}}}
"""
# A lab host is a container, and roles that know it leave out what only a machine's own kernel has. It stands for a machine here.
_BOOT_PASSWORD = f"grub.pbkdf2.sha512.10000.{'0A' * 64}.{'0B' * 64}"
"""A password that nobody knows; an operator gives one where the profile is to have it."""
_PEERS = """\
- hosts: all
  become: true
  roles:
    - devsec.hardening.os_hardening
    - devsec.hardening.ssh_hardening
"""


@dataclasses.dataclass(frozen=True)
class Contestant:
    """playbook: None for the host as it is. accounts: which of its accounts the fleet's key must still open."""

    name: str
    playbook: str | None
    collections: Path | None = None
    bin: Path | None = None
    gather_facts: bool = False


def before() -> Contestant:
    return Contestant("before", None)


def ours(lab: Lab, profile: str) -> Contestant:
    from fleetlab.controller import ansible_core, controller, environment_with_ansible

    collections = Path(controller(lab)["ANSIBLE_COLLECTIONS_PATH"])
    folder = environment_with_ansible(lab, "controller", "runtime.txt", ansible_core())
    return Contestant(profile, _OURS.format(profile=profile, boot_password=_BOOT_PASSWORD), collections, folder / "bin")


def peer(lab: Lab) -> Contestant | None:
    """devsec.hardening where it can be had; None where nobody says where it is. Raises LabError for a folder without it."""
    told = os.environ.get(PEER_VARIABLE)
    if not told:
        return None
    folder = Path(told).resolve()
    if not (folder / "ansible_collections/devsec/hardening/galaxy.yml").exists():
        raise LabError(f"{PEER_VARIABLE}={told}: there is no ansible_collections/devsec/hardening in it")
    wanted = lab.cache / "requirements-hardening-peer.txt"
    wanted.write_text(_PEERS_REQUIREMENTS, encoding="ascii")
    return Contestant("devsec", _PEERS, folder, lab.venv("hardening-peer", wanted) / "bin")
