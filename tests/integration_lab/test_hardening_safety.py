# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nobody is locked out, whatever happens: the ways of shutting oneself out, tried on hosts that really boot.

Each trap lets nobody in as soon as a change of the roles is there, which no configuration tells beforehand; the dead man's switch must give
access back, though the controller dies, the host restarts, the network goes or systemd is reloaded all the time. What can be known is refused
before anything changes. Needs a running lab with hosts: ``python3 tests/run.py --only hardening`` (as root).
"""
from __future__ import annotations

import subprocess
import time
from pathlib import Path

import attacked
import pytest
from attacked import OPEN_AGAIN, PENDING, RESTORE, SECONDS, SHUT, LabError, Machine, Play, Rack, opens, report, role, shows, wait

pytestmark = attacked.needs_lab
rack, machine, play = attacked.rack, attacked.machine, attacked.play  # fixtures
OS, FIREWALL = role("os_hardening"), role("firewall")
CHANGED = {
    "PAM": "grep -q pam_faillock /etc/pam.d/common-auth",
    "sudoers": "test -e /etc/sudoers.d/zz_hybridops_fleet",
    "network": "test $(cat /proc/sys/net/ipv4/conf/all/send_redirects) = 0",
    "mounts": 'grep -q " /home tmpfs .*nosuid" /proc/mounts',
}
"""What shows on the host that a part of role os_hardening has changed it."""


# ---------------------------------------------------------------------------------------------------- the switch fires
@pytest.mark.parametrize("part", CHANGED)
def test_whatever_part_of_the_system_shuts_the_door_it_opens_again(part: str, rack: Rack, machine: Machine, play: Play) -> None:
    service = "sudo" if part == "sudoers" else "sshd"
    rack.root(machine, SHUT.format(f"! {CHANGED[part]}").replace("pam.d/sshd", f"pam.d/{service}"))
    begin = time.monotonic()
    out = play.run(machine, OS, ok=False, os_hardening_report=str(play.folder / "report"))
    assert f"a fresh connection as debian does not succeed within {SECONDS} s" in out and "What was guarded is as it was before" in out, out
    assert time.monotonic() - begin < SECONDS + 60
    for name, test in CHANGED.items():
        assert not shows(rack, machine, test), f"{name} has not gone back"
    assert opens(rack, machine) and not shows(rack, machine, f"test -e {PENDING}")
    told = report(play, machine)["areas"]["os"]
    assert "does not succeed" in told["failure"]
    assert {"login_failures", "sudo"} <= {row["control"] for row in told["controls"] if "put back" in row["why"]}
    page = (play.folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "does not succeed" in page and machine.name in page


def armed(rack: Rack, machine: Machine) -> bool:
    return shows(rack, machine, f"test -e {PENDING}/nonce && ! test -e {PENDING}/changing && {CHANGED['PAM']}")


def test_the_controller_dies_and_systemd_is_reloaded_all_the_time(rack: Rack, machine: Machine, play: Play) -> None:
    rack.root(machine, SHUT.format(f"if {CHANGED['PAM']}; then sleep 60; exit 1; fi"))
    # also the process that waits is killed, once
    rack.root(machine, f"""cat >/root/daemon-reload-loop <<'END'
until test -e {PENDING}/deadline && ! test -e {PENDING}/changing; do sleep 0.1; done
systemctl kill --kill-who=main -s KILL 'hybridops-fleet-hardening-restore-*.service'; : >/root/killed
while :; do systemctl daemon-reload; sleep 0.5; done
END
setsid sh /root/daemon-reload-loop </dev/null >/dev/null 2>&1 &
""")
    play.killed(machine, OS, lambda: armed(rack, machine))
    begin = time.monotonic()
    took = wait(lambda: not shows(rack, machine, f"test -e {PENDING}"), SECONDS + 15)
    assert took < SECONDS + 10, f"put off by the reloads: {took:.0f} s"
    assert shows(rack, machine, "test -e /root/killed")
    assert not any(shows(rack, machine, test) for test in CHANGED.values()) and opens(rack, machine), time.monotonic() - begin


def test_the_network_goes_in_the_very_moment(rack: Rack, machine: Machine, play: Play) -> None:
    rack.root(machine, f"""cat >/root/cut.nft <<'END'
table inet cut {{
  chain input {{ type filter hook input priority -20; tcp dport 22 drop; }}
}}
END
setsid sh -c 'until test -e {PENDING}/deadline && ! test -e {PENDING}/changing; do sleep 0.1; done; nft -f /root/cut.nft' </dev/null >/dev/null 2>&1 &
""")
    out = play.run(machine, OS, ok=False, os_hardening_report=str(play.folder / "report"))
    assert f"does not succeed within {SECONDS} s" in out and "comes back by itself; whether it has, could not be seen" in out, out
    assert not any(shows(rack, machine, test) for test in CHANGED.values())
    assert "could not be seen" in report(play, machine)["areas"]["os"]["failure"]
    rack.root(machine, "nft delete table inet cut")
    assert opens(rack, machine)


def test_the_host_restarts_before_anybody_confirms(rack: Rack, machine: Machine, play: Play) -> None:
    rack.root(machine, SHUT.format(f"if {CHANGED['PAM']}; then sleep 60; exit 1; fi"))
    play.killed(machine, OS, lambda: armed(rack, machine), os_hardening_switch_seconds=900)
    restart(rack, machine)
    assert not any(shows(rack, machine, test) for test in CHANGED.values())
    assert not shows(rack, machine, f"test -e {PENDING}") and opens(rack, machine)


def restart(rack: Rack, machine: Machine) -> None:
    """By itself, and until it answers again; its /home is in memory only."""
    began = rack.root(machine, "stat -c %Z /proc/1").stdout
    rack.root(machine, "systemctl --no-block reboot")
    wait(lambda: up(rack, machine) not in ("", began), 90)
    wait(lambda: rack.container(machine).ready(), 90)
    rack.root(machine, "mount -t tmpfs -o mode=755 tmpfs /home; cd /; tar -xpf /root/state.tar home")


def up(rack: Rack, machine: Machine) -> str:
    """When it booted, empty while it does not run."""
    try:
        return rack.root(machine, "stat -c %Z /proc/1", check=False).stdout
    except LabError:
        return ""


# ---------------------------------------------------------------------------------------------------- restores
def test_a_restore_that_shuts_the_door_is_taken_back(rack: Rack, machine: Machine, play: Play) -> None:
    play.run(machine, OS)
    rack.root(machine, SHUT.format(CHANGED["PAM"]))
    out = play.run(machine, RESTORE.format("os_hardening"), ok=False, os_hardening_report=str(play.folder / "report"))
    assert f"does not succeed within {SECONDS} s" in out and "What was guarded is as it was before" in out, out
    for name, test in CHANGED.items():
        assert shows(rack, machine, test), f"{name} is not hardened any more"
    assert opens(rack, machine) and "does not succeed" in report(play, machine)["areas"]["os"]["failure"]
    rack.root(machine, OPEN_AGAIN)
    play.run(machine, RESTORE.format("os_hardening"), os_hardening_report=str(play.folder / "report"))
    assert not any(shows(rack, machine, test) for test in CHANGED.values()) and opens(rack, machine)
    assert not shows(rack, machine, "test -e /var/lib/hybridops-fleet") and report(play, machine)["areas"]["os"]["state"] == "absent"
    assert "changed=0" in play.run(machine, RESTORE.format("os_hardening"))


# ---------------------------------------------------------------------------------------------------- the firewall
REFUSED = ("another hardening run is at work", "another run is changing this node", "before a fresh connection could confirm it")
"""What the one of two runs is told that comes too late, or is too slow."""


def test_the_firewall_is_there_again_after_a_boot_and_two_runs_do_not_mix(rack: Rack, machine: Machine, play: Play, tmp_path: Path) -> None:
    rules = {"fleet_firewall_rules": [{"name": "web", "port": 80}]}
    folder = tmp_path / "b"  # short, for ssh's sockets lie below it
    folder.mkdir()
    other = Play(folder, rack)
    with subprocess.Popen(other.command([machine], FIREWALL, (), dict(rules)), cwd=folder, env=other.environment(), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as second:
        first = subprocess.run(play.command([machine], FIREWALL, (), dict(rules)), cwd=play.folder, env=play.environment(), text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300)
        said = second.communicate(timeout=300)[0]
    for code, out in ((first.returncode, first.stdout), (second.returncode, said)):
        assert code == 0 or any(words in out for words in REFUSED), out[-2500:]
    assert 0 in (first.returncode, second.returncode)
    assert "changed=0" in play.run(machine, FIREWALL, **rules) and not shows(rack, machine, f"test -e {PENDING}")
    listing = rack.root(machine, "nft -s list table inet hybridops_fleet").stdout
    restart(rack, machine)
    assert rack.root(machine, "nft -s list table inet hybridops_fleet").stdout == listing and opens(rack, machine)
    assert opens(rack, machine, address=machine.ipv6)
    assert "changed=0" in play.run(machine, FIREWALL, **rules)
