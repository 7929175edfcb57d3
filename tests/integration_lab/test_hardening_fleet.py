# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""playbooks/harden.yml on a mixed fleet: Debian 11, 12 and 13 made on OpenStack clouds and on Google, and a rack's machines, one of them with
Docker, hardened together, reached, reported truly and brought back.

Needs a lab with openstack, google, metal, hosts and all three releases: ``python3 tests/run.py --only hardening`` (as root).
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hardened
import hardened_truth as truth
import pytest
from hardened import CHECKOUT, LAB, answers, as_root, changed, differences, playbook, told

sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.hosts import docker, image
from fleetlab.hosts.fresh import Machine, Rack

NEEDED = {"gce", "openstack", "metal", "hosts"}
pytestmark = [
    pytest.mark.skipif(not hardened.RUNNING or not set(LAB.state()["endpoints"]) >= NEEDED,
                       reason="no lab with openstack, google, metal and hosts runs"),
    pytest.mark.skipif(
        set(image.suites(os.environ.get("FLEET_LAB_SUITES"))) != set(image.SUITES), reason="FLEET_LAB_SUITES does not name all three releases")]
FLEET = """
plugin: hybridops.fleet.nodes
clouds:
  provider: {{provider: openstack, cloud: provider}}
  multinic: {{provider: openstack, cloud: multinic}}
  google: {{provider: gce, projects: [acme-prod]}}
  metal:
    provider: metal
    sources: [{{kind: file, path: "{rack}"}}]
keyed_groups: [{{prefix: role, key: fleet_tags.role}}]
"""
RACK = (Machine("rack-11", "bullseye", 1), Machine("rack-12", "bookworm", 2), Machine("rack-13", "trixie", 3))
FRESH = {"hard-3": "11", "hard-4": "12", "hard-5": "13"}
"""Nodes whose packages the roles themselves fetch, and their release; the others have them before, so that a restore can be compared file by file."""
HOSTS = {"hard-1": "12", "hard-2": "13", **FRESH, "rack-11": "11", "rack-12": "12", "rack-13": "13"}
MACHINES = ("hard-1", "hard-3", "hard-4", "hard-5", "rack-11")
"""Hosts that are hardened as machines with a kernel of their own; the others as what they see that they are, containers."""
ON = ["-e", "fleet_hardening_hosts=role_hardening:rack-*"]
STRICT = [*ON, "-e", "fleet_hardening_profile=strict"]
OF_PACKAGES = re.compile(r"(unit |active |([0-9a-f]{64}  )?/?(etc|usr|boot|s?bin)/|home |srv |(systemd-timesync|_chrony):)")
"""Lines of a look that a package which has come may add or change."""
TABLE = {"default_deny", "ping", "log", "ssh_rate", "forward", "nftables_service"}
"""Controls that are lines of one table: who takes that away breaks all of them."""


@dataclasses.dataclass
class Fleet:
    """The fleet under test. folder: of the controller; before: a look at each host that was untouched."""

    folder: Path
    inventory: Path
    hosts: dict[str, dict[str, Any]]
    before: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def harden(self, *words: str, report: str = "report") -> str:
        return playbook(CHECKOUT / "playbooks" / "harden.yml", self.inventory, *words, "-e", f"fleet_hardening_report={self.folder / report}",
                        cwd=self.folder)

    def root(self, host: str, script: str) -> str:
        return as_root(host if self.hosts[host]["fleet_provider"] == "metal" else str(self.hosts[host]["fleet_id"]), script)

    def look(self, host: str) -> list[str]:
        return self.root(host, hardened.LOOK).splitlines()

    def page(self, report: str = "report") -> hardened.Page:
        return hardened.Page(self.folder / report / "index.html")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The nodes made, the rack's machines anew, and how all of them are before."""
    folder = tmp_path_factory.mktemp("fleet")
    rack = Rack(LAB, "mixed")
    rack.renew(RACK)
    rack.root(RACK[1], docker.SCRIPT)
    for machine in RACK:
        rack.ssh(machine, "sudo -n true")  # which leaves its own mark in the account's home at its first use
    inventory = folder / "fleet.nodes.yml"
    inventory.write_text(FLEET.format(rack=rack.file), encoding="utf-8")
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.json").write_text(json.dumps({"ansible_ssh_private_key_file": str(LAB.run / "keys" / "fleet")}), encoding="utf-8")
    (folder / "host_vars").mkdir()
    for host in HOSTS:
        key = {"ansible_ssh_private_key_file": str(LAB.run / "keys" / "install")} if host.startswith("rack-") else {}
        mine = {**key, **({"os_hardening_machine": "machine"} if host in MACHINES else {})}
        (folder / "host_vars" / f"{host}.json").write_text(json.dumps(mine), encoding="utf-8")
    nodes = ["-e", f"@{CHECKOUT / 'inventories/lab/requirements/hardening.yml'}"]
    playbook(CHECKOUT / "playbooks" / "provision.yml", inventory, *nodes, cwd=folder)
    try:
        made = Fleet(folder, inventory, _variables(inventory))
        assert set(made.hosts) >= set(HOSTS), sorted(made.hosts)
        playbook(CHECKOUT / "playbooks" / "ping.yml", inventory, "-e", "ping_hosts=role_hardening:rack-*", cwd=folder)  # the accounts' first logins
        yield made
    finally:
        playbook(CHECKOUT / "playbooks" / "deprovision.yml", inventory, *nodes, cwd=folder)
        rack.write(())


@pytest.fixture(scope="module")
def run(fleet: Fleet) -> Fleet:
    """Check mode first, on hosts that nobody touched; then the packages that it tells on all but the fresh ones; then the run."""
    untouched = {host: fleet.look(host) for host in HOSTS}
    fleet.harden(*STRICT, "--check", "--diff", report="foretold")
    for host, look in untouched.items():
        assert not differences(look, fleet.look(host)), f"check mode changed {host}: {differences(look, fleet.look(host))}"
    for host, rows in told(fleet.folder / "foretold").items():
        wanted = {word.split()[0] for row in rows.values() for word in row["details"] if word.endswith(" installed") and len(word.split()) == 2}
        if host not in FRESH and wanted:
            fleet.root(host, f"apt-get -qq update; apt-get install -y -qq --no-install-recommends {' '.join(sorted(wanted))} >/dev/null")
    fleet.before = {host: fleet.look(host) for host in HOSTS}
    fleet.harden(*STRICT)
    return fleet


def _variables(inventory: Path) -> dict[str, dict[str, Any]]:
    lab = [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(LAB.root), "exec"]
    command = [*lab, "ansible-inventory", "-i", str(inventory), "--list"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd=inventory.parent)
    variables: dict[str, dict[str, Any]] = json.loads(done.stdout)["_meta"]["hostvars"]
    return variables


def test_check_mode_foretells_what_the_first_run_does(run: Fleet) -> None:
    foretold, did = run.page("foretold").controls(), run.page().controls()
    for host in FRESH:
        would = {control for control, status in foretold[host].items() if status == "would_change"}
        done = {control for control, status in did[host].items() if status == "changed"}
        assert would == done, f"{host}: foretold and not done {sorted(would - done)}, done and not foretold {sorted(done - would)}"
        assert len(done) > 20


def test_every_host_is_reached_over_each_of_its_families(run: Fleet) -> None:
    families = set()
    for host in HOSTS:
        known = run.hosts[host]
        for family in ("ipv4", "ipv6"):
            address = known[f"fleet_public_{family}"]
            if address:
                key = Path(known["ansible_ssh_private_key_file"])
                said = hardened.ssh(address, known["ansible_user"], key)
                assert said.stdout.strip() == "0", f"{host} over {family}: {said.stderr}"
                families.add((known["fleet_provider"], family))
    assert families >= {("openstack", "ipv4"), ("openstack", "ipv6"), ("gce", "ipv4"), ("metal", "ipv4"), ("metal", "ipv6")}


def test_the_page_says_what_the_hosts_really_have(run: Fleet) -> None:
    page = run.page()
    systems, controls = page.systems(), page.controls()
    assert set(systems) == set(controls) == set(HOSTS)
    for host, release in HOSTS.items():
        assert f"Debian GNU/Linux {release} " in systems[host][0] and f"VERSION_ID=\"{release}\"" in run.root(host, "cat /etc/os-release")
        assert ("docker" in systems[host][1]) is (host == "rack-12"), systems[host]
        real = dict(line.split() for line in run.root(host, truth.script()).splitlines())
        holds = {control: status for control, status in controls[host].items() if status in ("right", "changed") and control in real}
        wrong = [control for control in holds if real[control] != "yes"]
        assert not wrong, f"{host}: the page says so, and it is not so: {wrong}"
        assert len(holds) >= 25, (host, sorted(set(truth.TRUE) - set(holds)))
        assert "failed" not in controls[host].values()
    assert controls["rack-12"]["sysctl_forwarding"] == "left_out" and controls["rack-11"]["sysctl_forwarding"] in ("right", "changed")
    address = run.hosts["rack-13"]["fleet_public_ipv4"]
    run.root("rack-13", "systemd-run --quiet --collect --unit=probe socat TCP-LISTEN:9999,fork,reuseaddr /dev/null || "
                        "systemd-run --quiet --collect --unit=probe python3 -m http.server 9999")
    assert not answers(address, 9999) and answers(address, 22)
    run.root("rack-13", "systemctl stop probe")


def test_a_second_run_changes_nothing(run: Fleet) -> None:
    out = run.harden(*STRICT, report="again")
    assert changed(out) == dict.fromkeys(HOSTS, 0)
    rows = {host: {control: status for control, status in found.items() if status not in ("right", "left_out", "not_possible")}
            for host, found in run.page("again").controls().items()}
    assert not any(rows.values()), rows


def test_the_page_tells_what_somebody_has_broken_and_nothing_else(run: Fleet) -> None:
    broken = {}
    for host, (control, script) in zip(HOSTS, truth.BROKEN.items(), strict=False):
        run.root(host, script)
        broken[host] = control
    run.harden(*STRICT, "--check", report="broken")
    cannot = run.page("again").controls()  # what this kernel cannot do is tried in every run, and told as such by it
    for host, found in run.page("broken").controls().items():
        would = {control for control, status in found.items() if status == "would_change" and cannot[host][control] != "not_possible"}
        wanted = TABLE & set(found) if broken.get(host) == "default_deny" else {broken[host]} if host in broken else set()
        assert would == wanted, f"{host}: {would}, and {broken.get(host)} was broken"
    run.harden(*STRICT, report="mended")
    for host, control in broken.items():
        assert run.page("mended").controls()[host][control] == "changed"
        assert f"{control} yes" in run.root(host, truth.script()).splitlines(), f"{host}: {control} is told as mended, and it is not"


def test_a_restore_returns_every_host(run: Fleet) -> None:
    run.harden(*ON, "-e", "fleet_hardening_state=absent")
    found = {}
    for host in HOSTS:
        after = run.look(host)
        if host not in FRESH:
            found[host] = differences(run.before[host], after)
        else:  # what packages bring or write stays, as they do
            kept = [line for line in run.before[host] if not OF_PACKAGES.match(line)]
            found[host] = differences(kept, [line for line in after if not OF_PACKAGES.match(line)])
        known = run.hosts[host]
        said = hardened.ssh(known["ansible_host"], known["ansible_user"], Path(known["ansible_ssh_private_key_file"]))
        assert said.stdout.strip() == "0", f"{host} after the restore: {said.stderr}"
        assert not run.root(host, "ls /var/lib/hybridops-fleet/hardening 2>/dev/null; true").strip(), f"{host}: a record is left"
    assert not any(found.values()), "\n".join(f"{host}: {words}" for host, words in found.items() if words)
