# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nobody is locked out, whatever happens: the ways of shutting oneself out, tried on hosts that really boot.

Each trap lets nobody in as soon as a change of the roles is there, which no configuration tells beforehand; the dead man's switch must give
access back, though the controller dies, the host restarts, the network goes or systemd is reloaded all the time. What can be known is refused
before anything changes. Needs a running lab with hosts: ``python3 tests/run.py --only hardening`` (as root).
"""
from __future__ import annotations

import time

import hardened
import pytest
from hardened import OPEN_AGAIN, PENDING, RESTORE, SECONDS, SHUT, Machine, Play, Rack, opens, report, role, shows, wait

pytestmark = hardened.needs_lab
rack, machine, play = hardened.rack, hardened.machine, hardened.play  # fixtures
OS = role("os_hardening")
CHANGED = {
    "PAM": "grep -q pam_faillock /etc/pam.d/common-auth",
    "sudoers": "test -e /etc/sudoers.d/zz_hybridops_fleet",
    "network": "test $(cat /proc/sys/net/ipv4/conf/all/send_redirects) = 0",
    "mounts": "grep -q ' /home tmpfs .*nosuid' /proc/mounts",
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
    rack.root(machine, "setsid sh -c 'exec -a x true; : daemon-reload-loop; while :; do systemctl daemon-reload; sleep 0.5; done' "
                       "</dev/null >/dev/null 2>&1 &")
    play.killed(machine, OS, lambda: armed(rack, machine))
    begin = time.monotonic()
    took = wait(lambda: not shows(rack, machine, f"test -e {PENDING}"), SECONDS + 15)
    assert took < SECONDS + 10, f"put off by the reloads: {took:.0f} s"
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
    boot = rack.root(machine, "cat /proc/sys/kernel/random/boot_id; stat -c %Z /proc/1").stdout
    rack.root(machine, "systemctl --no-block reboot")
    wait(lambda: rack.root(machine, "stat -c %Z /proc/1", check=False).stdout not in ("", boot.splitlines()[-1] + "\n"), 60)
    wait(lambda: rack.container(machine).ready(), 90)
    assert not any(shows(rack, machine, test) for test in CHANGED.values())
    assert not shows(rack, machine, f"test -e {PENDING}") and opens(rack, machine)
    rack.root(machine, "mount -t tmpfs -o mode=755 tmpfs /home; cd /; tar -xpf /root/state.tar home")


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
