# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ways in which operators use the hardening: by tags, by limit, by include_role in a playbook of their own however that one is set up, and on
containers and images, in which no systemd runs and which nothing here can cut off.

Needs a running lab with hosts: ``python3 tests/run.py --only hardening`` (as root).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hardened
import pytest
from hardened import CHECKOUT, LAB, changed, differences, playbook

sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.controller import ansible_core
from fleetlab.hosts import docker
from fleetlab.hosts.fresh import Machine, Rack

pytestmark = pytest.mark.skipif(not hardened.RUNNING, reason="there is no running lab with hosts: tests/lab up --only metal --hosts")
ONE, OTHER = Machine("way-1", "bookworm", 31), Machine("way-2", "bookworm", 32)
RECORD = "ls /var/lib/hybridops-fleet/hardening 2>/dev/null | sort"
ROLES = ("os_hardening", "ssh_hardening", "firewall")
ANSIBLE_OF_CORE = {"2.16": "9", "2.17": "10", "2.18": "11", "2.19": "12", "2.20": "13", "2.21": "14"}
"""ansible-core -> the package ``ansible`` that holds the collections of its time."""
IMAGE = """
pack() {{ tar -C / --one-file-system --exclude=./var/lib/docker --exclude=./srv --exclude=./tmp -c .; }}
pack | docker import - system >/dev/null
docker run -d --name plain -v /srv/repo:/srv/repo:ro system sh -c 'mkdir -m 1777 /tmp; sleep infinity'
docker run -d --name bare -v /srv/repo:/srv/repo:ro system sh -c 'mkdir -m 1777 /tmp; rm /usr/bin/sudo; sleep infinity'
mkdir -p {0} && pack | tar -C {0} -x && mkdir -p -m 1777 {0}/tmp && rm -rf {0}/run/*
mount --bind {0} {0}; mkdir -p {0}/srv/repo
for name in proc sys dev run srv/repo; do mount --rbind /$name {0}/$name; done
"""
"""For root on a host: two containers with a whole Debian and no systemd, one of them without sudo; and the same in a folder, with all that builders
of images lend it of the machine."""
MACHINE = """
sysctl -a 2>/dev/null | grep -vE 'conntrack_count|veth|random|file-nr|inode|dentry|ns_last|pty' | sort
findmnt -rno TARGET,OPTIONS / /tmp /dev/shm
nft -s list ruleset
find /etc -xdev -type f ! -name '*-' | sort | xargs sha256sum
systemctl list-units --no-legend --plain --type=service,timer --state=active | awk '$1 !~ /^(user|session|systemd-tmpfiles|run-)/ {print $1}'
"""
"""Prints what must stay of the machine below."""


class Ways:
    """Two hosts, and playbooks against them."""

    def __init__(self, rack: Rack, folder: Path) -> None:
        self.rack, self.folder = rack, folder
        self.inventory = folder / "inventory.json"
        self.inventory.write_text(json.dumps({"all": {"hosts": {one.name: rack.variables(one) for one in rack.machines}}}), encoding="utf-8")

    def harden(self, *words: str) -> str:
        return playbook(CHECKOUT / "playbooks" / "harden.yml", self.inventory, *words, cwd=self.folder)

    def play(self, play: dict[str, Any], *words: str, ok: bool = True, inventory: Path | None = None, **environment: str) -> str:
        """Somebody's own playbook with this play."""
        book = self.folder / "own.yml"
        book.write_text(json.dumps([{"hosts": ONE.name, **play}], indent=1), encoding="utf-8")
        return playbook(book, inventory or self.inventory, *words, ok=ok, cwd=self.folder, environment=environment)

    def look(self, machine: Machine) -> list[str]:
        return self.rack.root(machine, hardened.LOOK).stdout.splitlines()


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    rack = Rack(LAB, "ways")
    rack.renew([ONE, OTHER])
    for machine in (ONE, OTHER):
        rack.ssh(machine, "sudo -n true")  # which leaves its own mark in the account's home at its first use
    rack.root(ONE, "useradd -m app")
    yield Ways(rack, tmp_path_factory.mktemp("ways"))
    rack.write(())


def test_tags_do_one_area_alone_and_limit_one_host(ways: Ways) -> None:
    untouched, before = ways.look(OTHER), ways.look(ONE)
    for number, area in enumerate(("ssh", "firewall", "os")):
        ways.harden("--tags", area, "--limit", ONE.name)
        done = sorted(("ssh", "firewall", "os")[:number + 1])
        assert ways.rack.root(ONE, RECORD).stdout.split() == done
        if area == "ssh":
            strange = [line for line in differences(before, ways.look(ONE)).splitlines()[1:] if "etc/ssh" not in line]
            assert not strange, f"--tags ssh touched {strange}"
        report = json.loads((ways.folder / "hardening-report" / f"{ONE.name}.json").read_text(encoding="utf-8"))
        assert sorted(report["areas"]) == done
    assert not differences(untouched, ways.look(OTHER)), "--limit did not keep to its host"
    assert changed(ways.harden("--limit", ONE.name)) == {ONE.name: 0}, "one by one is not the same as all at once"
    ways.harden("--tags", "ssh", "-e", "fleet_hardening_state=absent", "--limit", ONE.name)
    assert ways.rack.root(ONE, RECORD).stdout.split() == ["firewall", "os"]


INCLUDE = [{"ansible.builtin.include_role": {"name": f"hybridops.fleet.{role}"}} for role in ROLES]
IMPORT = [{"ansible.builtin.import_role": {"name": f"hybridops.fleet.{role}"}} for role in ROLES]
PLAYS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nothing said": ({"tasks": INCLUDE}, {}),
    "no facts, no become": ({"gather_facts": False, "become": False, "tasks": INCLUDE}, {}),
    "no pipelining": ({"gather_facts": False, "become": True, "tasks": INCLUDE}, {"ANSIBLE_PIPELINING": "0"}),
    "become somebody else": ({"gather_facts": False, "become": True, "become_user": "app", "tasks": INCLUDE}, {}),
    "imported": ({"gather_facts": True, "become": True, "tasks": IMPORT}, {}),
    "roles": ({"gather_facts": False, "roles": [{"role": f"hybridops.fleet.{role}"} for role in ROLES]}, {}),
    "free, in a block": ({"gather_facts": False, "strategy": "free", "tasks": [{"become": True, "block": INCLUDE}]}, {}),
    "temporary files elsewhere": ({"gather_facts": False, "tasks": INCLUDE}, {"ANSIBLE_PIPELINING": "0", "ANSIBLE_REMOTE_TMP": "/var/tmp/ansible"}),
}


def test_the_first_play_of_somebodys_own_changes_the_host(ways: Ways) -> None:
    assert changed(ways.play({"gather_facts": False, "tasks": INCLUDE}, ANSIBLE_PIPELINING="0"))[ONE.name] >= 1


@pytest.mark.parametrize("name", PLAYS)
def test_however_a_play_is_set_up_the_outcome_is_the_same(ways: Ways, name: str) -> None:
    play, environment = PLAYS[name]
    assert changed(ways.play(play, **environment)) == {ONE.name: 0}


def test_not_root_is_told_before_anything_changes(ways: Ways) -> None:
    ways.rack.root(OTHER, "useradd -m app")
    before = ways.look(OTHER)
    out = ways.play({"hosts": OTHER.name, "gather_facts": False, "vars": {"ansible_become": False}, "tasks": INCLUDE[1:2]}, ok=False)
    assert "not as root" in out and "become" in out
    assert not differences(before, ways.look(OTHER))


# ---------------------------------------------------------------------------------------------------- containers and images
@pytest.fixture(scope="module")
def guests(ways: Ways) -> dict[str, str]:
    """Containers and an image on the other host, reached by the connections of community.docker and community.general, whose programs docker and
    chroot are started there; variables of the environment with which that works."""
    folder, image = ways.folder / "bin", ways.folder / "image"
    (image / "bin").mkdir(parents=True)
    (image / "bin" / "sh").symlink_to("/bin/sh")  # the connection looks whether there is one on the controller
    ways.rack.root(OTHER, docker.SCRIPT + IMAGE.format(image))
    folder.mkdir()
    options = ("UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no", "LogLevel=ERROR", "ControlMaster=auto", f"ControlPath={folder}/socket",
               "ControlPersist=60")
    words = ["ssh", "-F", "none", "-i", str(LAB.run / "keys" / "install"), *(word for option in options for word in ("-o", option)),
             f"{OTHER.account}@{OTHER.ipv4}"]
    for name in ("docker", "chroot"):
        program = folder / name
        program.write_text(f"#!{sys.executable}\nimport os, shlex, sys\nos.execvp('ssh', [*{words!r}, 'sudo {name} ' + shlex.join(sys.argv[1:])])\n",
                           encoding="utf-8")
        program.chmod(0o755)
    here = {"ansible_python_interpreter": "/usr/bin/python3"}
    inventory = {"all": {"hosts": {
        **{name: {"ansible_connection": "community.docker.docker", **here} for name in ("plain", "bare")},
        "image": {"ansible_connection": "community.general.chroot", "ansible_host": str(image), "ansible_become": False,
                  "ansible_chroot_exe": str(folder / "chroot"), **here}}}}
    (ways.folder / "guests.json").write_text(json.dumps(inventory), encoding="utf-8")
    collections = f"{_collections()}{os.pathsep}{LAB.cache / 'collections'}"
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_COLLECTIONS_PATH": collections}


def _collections() -> Path:
    """The connections docker and chroot of the package ``ansible`` that goes with this ansible-core; kept in the lab's cache."""
    series = ANSIBLE_OF_CORE[ansible_core()]
    target = LAB.cache / f"connections-{series}"
    if not target.exists():
        work = LAB.cache / f"connections-{series}.new"
        work.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"ansible=={series}.*", "-d", str(work)], check=True)
        wheel = next(work.glob("*.whl"))
        general = ("plugins/connection/", "MANIFEST", "meta/")
        wanted = ("community/docker/", "community/library_inventory_filtering_v1/", *(f"community/general/{part}" for part in general))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(work, [name for name in archive.namelist() if name.removeprefix("ansible_collections/").startswith(wanted)])
        wheel.unlink()
        work.rename(target)
    return target


def _guest(ways: Ways, name: str, environment: dict[str, str], *words: str, ok: bool = True, roles: int = 3, **variables: Any) -> str:
    told = [{"ansible.builtin.debug": {"msg": f"{{{{ {role}_done.guard }}}}"}} for role in ROLES[:roles]]
    play = {"hosts": name, "gather_facts": False, "tasks": [*INCLUDE[:roles], *told], "vars": {
        "fleet_hardening_profile": "strict", "fleet_hardening_report": str(ways.folder / f"{name}-report"), **variables}}
    return ways.play(play, *words, inventory=ways.folder / "guests.json", ok=ok, **environment)


def test_a_container_is_known_as_one_and_has_no_switch(ways: Ways, guests: dict[str, str]) -> None:
    before = ways.rack.root(OTHER, MACHINE).stdout.splitlines()
    out = _guest(ways, "plain", guests)
    assert "no dead man's switch: the connection is 'community.docker.docker'" in out
    differ = differences(before, ways.rack.root(OTHER, MACHINE).stdout.splitlines())
    assert not differ, f"the machine below the container was changed: {differ}"
    rows = hardened.told(ways.folder / "plain-report")["plain"]
    for control in ("sysctl_kernel", "kernel_modules", "apparmor", "time_sync"):
        assert rows[control]["status"] == "left_out" and "container" in rows[control]["why"], rows[control]
    assert not [row for row in rows.values() if row["status"] == "failed"]
    assert changed(_guest(ways, "plain", guests)) == {"plain": 0}


def test_a_container_without_sudo_is_told_what_to_set(ways: Ways, guests: dict[str, str]) -> None:
    out = _guest(ways, "bare", guests, ok=False, roles=1)
    assert "ansible_become: false" in out and "sudo" in out
    _guest(ways, "bare", guests, ansible_become=False)


def test_an_image_in_a_folder_leaves_the_machine_that_builds_it_alone(ways: Ways, guests: dict[str, str]) -> None:
    before = ways.rack.root(OTHER, MACHINE).stdout.splitlines()
    out = _guest(ways, "image", guests)
    assert "no dead man's switch: the connection is 'community.general.chroot'" in out
    differ = differences(before, ways.rack.root(OTHER, MACHINE).stdout.splitlines())
    assert not differ, f"the machine that builds the image was changed: {differ}"
    rows = hardened.told(ways.folder / "image-report")["image"]
    assert not [row for row in rows.values() if row["status"] == "failed"]
    assert "image" in rows["sysctl_network"]["why"] and "image" in rows["default_deny"]["why"]
    image = ways.folder / "image"
    look = f"cat {image}/etc/sysctl.d/99-zz-hybridops-fleet-network.conf; ls {image}/etc/systemd/system/multi-user.target.wants"
    wants = ways.rack.root(OTHER, look).stdout
    assert "tcp_syncookies = 1" in wants and "hybridops-fleet-firewall.service" in wants, "the image's first boot would not be hardened"
    assert changed(_guest(ways, "image", guests)) == {"image": 0}
    _guest(ways, "image", guests, os_hardening_state="absent", ssh_hardening_state="absent", firewall_state="absent", roles=0)
