# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What would shut Ansible out is refused before anything changes, with the reason; so are restores. On hosts that really boot, with each account,
key, server and way to root as they are met. Needs a running lab with hosts: ``python3 tests/run.py --only hardening`` (as root).
"""
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import attacked
import pytest
from attacked import CHECKOUT, OPEN_AGAIN, RESTORE, SHUT, STATE, Machine, Play, Rack, opens, report, role, shows

pytestmark = attacked.needs_lab
rack, machine, play = attacked.rack, attacked.machine, attacked.play  # fixtures
OS, SSH = role("os_hardening"), role("ssh_hardening")
PING = "    - ansible.builtin.ping:\n"
LOOK = "cd /; find etc/ssh etc/pam.d etc/sudoers.d etc/security etc/passwd -type f | sort | xargs sha256sum; nft list tables"
DROP_IN = "/etc/ssh/sshd_config.d/40-operator.conf"


def settings(**values: str) -> dict[str, Any]:
    """Settings of sshd that an operator adds to a control."""
    return {"ssh_hardening_values": {"strict_modes": {"settings": {"StrictModes": "yes", **values}}}}


STRICT = {"ssh_hardening_profile": "strict"}
SUDO = "echo 'Defaults !pam_acct_mgmt' >/etc/sudoers.d/account"
"""Lets an account go on that PAM finds at its end, so that it is sshd alone who asks."""
NO_PAM = f"{SUDO}; echo 'UsePAM no' >{DROP_IN}; systemctl reload ssh; usermod -p '*' debian"
CASES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "a list that the running server has not read yet": (f"echo 'DenyUsers debian' >{DROP_IN}", SSH, {}, "would be refused by DenyUsers debian"),
    "a list in a Match block": (f"printf 'Match User debian\\nAllowGroups nobody-has-it\\n' >{DROP_IN}", SSH, {},
                                "would not be let in by AllowGroups nobody-has-it"),
    "a list in an included file": (f"mkdir -p /etc/ssh/more; echo 'AllowUsers somebody' >/etc/ssh/more/a.conf; echo 'Include more/*.conf' >{DROP_IN}",
                                   SSH, {}, "would not be let in by AllowUsers somebody"),
    "a type of key that goes": ("true", SSH, settings(PubkeyAcceptedAlgorithms="rsa-sha2-512"), "logs in by a key of type ED25519"),
    "a password that PAM finds too old": (f"{NO_PAM}; chage -M 1 -d 2020-01-01 debian", SSH, STRICT, "the password of debian is too old"),
    "a terminal that sudo wants": ("true", OS, {"os_hardening_values": {"sudo": {"requiretty": True}}}, "set ansible_pipelining: false"),
    "programs that sudo does not start": ("true", OS, {"os_hardening_values": {"sudo": {"noexec": True}}}, "starts others"),
}
AS_BEFORE = "chage -M -1 -E -1 -d 2026-01-01 debian; usermod -s /bin/bash debian; chmod 755 /home/debian; rm -rf /etc/ssh/more /etc/sudoers.d/account"


@pytest.mark.parametrize("case", CASES)
def test_refused_with_its_reason_and_nothing_touched(case: str, rack: Rack, machine: Machine, play: Play) -> None:
    prepare, tasks, variables, words = CASES[case]
    rack.root(machine, AS_BEFORE + "; " + prepare)
    before = rack.root(machine, LOOK).stdout
    try:
        out = play.run(machine, tasks, ok=False, **variables)
        assert words in out and "nothing was changed" in out, out[-3000:]
        assert "systemd-journald.service" not in out, "the reason is lost among all that was seen"
        assert rack.root(machine, LOOK).stdout == before and not shows(rack, machine, f"test -e {STATE}")
    finally:
        rack.root(machine, AS_BEFORE)


@pytest.mark.parametrize("prepare", [SHUT.format("exit 1"), f"{SUDO}; chage -E 2020-01-01 debian", "usermod -s /usr/sbin/nologin debian",
                                     "chmod 777 /home/debian"], ids=["PAM", "expired", "shell", "StrictModes"])
def test_an_open_connection_hides_no_dead_login(prepare: str, rack: Rack, machine: Machine, play: Play) -> None:
    rack.root(machine, AS_BEFORE)
    shared = {"ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=120s"}
    play.run(machine, PING, **shared)
    rack.root(machine, prepare)
    before = rack.root(machine, LOOK).stdout
    try:
        out = play.run(machine, SSH, ok=False, **shared)
        assert "a fresh connection as debian does not succeed, and nothing was changed" in out, out[-3000:]
        assert rack.root(machine, LOOK).stdout == before and not shows(rack, machine, f"test -e {STATE}")
    finally:
        rack.root(machine, AS_BEFORE + "; " + OPEN_AGAIN)


def key(folder: Path, name: str, *words: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", str(folder / name), *words], check=True)
    return folder / name


def test_by_the_key_that_let_it_in_and_no_other(rack: Rack, machine: Machine, play: Play, tmp_path: Path) -> None:
    """The account has a key that would do; the one in use is too short."""
    short = key(tmp_path, "short", "-t", "rsa", "-b", "2048")
    rack.root(machine, f"echo '{short.with_suffix('.pub').read_text().strip()}' >>/home/debian/.ssh/authorized_keys")
    own = {machine.name: {"ansible_ssh_private_key_file": str(short), "ansible_ssh_extra_args": "-o IdentitiesOnly=yes"}}
    alone = {"ansible_ssh_args": "-o ControlMaster=no -o ControlPath=none"}
    out = play.run(machine, SSH, ok=False, own=own, **alone, **settings(RequiredRSASize="3072"))
    assert "logs in by an RSA key of 2048 bits" in out, out[-3000:]
    play.run(machine, SSH, **settings(RequiredRSASize="3072"))
    assert opens(rack, machine)


def test_a_certificate_is_a_key_like_others(rack: Rack, machine: Machine, play: Play, tmp_path: Path) -> None:
    authority, mine = key(tmp_path, "authority", "-t", "ed25519"), key(tmp_path, "mine", "-t", "ed25519")
    subprocess.run(["ssh-keygen", "-q", "-s", str(authority), "-I", "mine", "-n", "debian", f"{mine}.pub"], check=True)
    rack.root(machine, f"echo '{authority.with_suffix('.pub').read_text().strip()}' >/etc/ssh/authority.pub; rm /home/debian/.ssh/authorized_keys; "
                       f"echo 'TrustedUserCAKeys /etc/ssh/authority.pub' >{DROP_IN}; systemctl reload ssh")
    own = {machine.name: {"ansible_ssh_private_key_file": str(mine), "ansible_ssh_extra_args": "-o IdentitiesOnly=yes"}}
    out = play.run(machine, SSH, ok=False, own=own, **settings(PubkeyAcceptedAlgorithms="ssh-ed25519,rsa-sha2-512"))
    assert "a key of type ED25519-CERT" in out, out[-3000:]
    play.run(machine, SSH, own=own, **STRICT)
    assert opens(rack, machine, key=mine)


def test_a_login_by_password_keeps_password_logins(rack: Rack, machine: Machine, play: Play) -> None:
    rack.root(machine, f"echo debian:long-enough | chpasswd; echo 'PasswordAuthentication yes' >{DROP_IN}; systemctl reload ssh")
    own = {machine.name: {"ansible_password": "long-enough", "ansible_ssh_private_key_file": "",
                          "ansible_ssh_extra_args": "-o PubkeyAuthentication=no", "ansible_ssh_password_mechanism": "ssh_askpass"}}
    before = rack.root(machine, LOOK).stdout
    out = play.run(machine, SSH, ok=False, own=own)
    assert "this very connection of debian was let in by its password" in out, out[-3000:]
    assert "long-enough" not in out and rack.root(machine, LOOK).stdout == before
    play.run(machine, SSH, own=own, ssh_hardening_controls={"password_login": False})
    rack.root(machine, "usermod -p '*' debian")


def test_root_by_su_is_nobody_who_logs_in_as_root(rack: Rack, machine: Machine, play: Play) -> None:
    rack.root(machine, "echo root:long-enough | chpasswd")
    own = {machine.name: {"ansible_become_method": "su", "ansible_become_password": "long-enough"}}
    out = play.run(machine, SSH + OS, own=own, **STRICT)
    assert "long-enough" not in out and opens(rack, machine)
    rack.root(machine, "usermod -p '*' root")


def test_a_second_server_is_told_of(rack: Rack, machine: Machine, play: Play) -> None:
    """Its own file lets root in; what is changed in the first one's cannot shut it out."""
    rack.root(machine, """mkdir -p /root/second /root/.ssh; cp /home/debian/.ssh/authorized_keys /root/second/keys; mkdir -p /run/sshd
printf 'Port 2222\\nPermitRootLogin prohibit-password\\nAuthorizedKeysFile /root/second/keys\\nStrictModes no\\nUsePAM yes\\n' >/root/second/config
/usr/sbin/sshd -f /root/second/config""")
    own = {machine.name: {"ansible_port": 2222, "ansible_user": "root"}}
    out = play.run(machine, SSH, "-v", own=own, **STRICT)
    assert "another server, which reads /root/second/config" in out, out[-3000:]
    assert opens(rack, machine)
    play.run(machine, RESTORE.format("ssh_hardening"), own=own)
    rack.root(machine, "pkill -f second/config; true")


# ---------------------------------------------------------------------------------------------------- restores
def test_a_restore_that_knows_nothing_of_todays_account_is_refused(rack: Rack, machine: Machine, play: Play) -> None:
    rack.root(machine, "sed -i '1iAllowUsers debian root' /etc/ssh/sshd_config; systemctl reload ssh")
    play.run(machine, SSH, **STRICT)
    rack.root(machine, """useradd -m -s /bin/bash -p '*' later; cp -a /home/debian/.ssh /home/later; chown -R later: /home/later
echo 'later ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/later; sed -i 's/^AllowUsers .*/AllowUsers debian root later/' /etc/ssh/sshd_config
systemctl reload ssh""")
    own = {machine.name: {"ansible_user": "later"}}
    before = rack.root(machine, LOOK).stdout
    try:
        out = play.run(machine, RESTORE.format("ssh_hardening"), ok=False, own=own, ssh_hardening_report=str(play.folder / "report"))
        assert "later would not be let in by AllowUsers debian root" in out and "nothing was changed" in out, out[-3000:]
        assert rack.root(machine, LOOK).stdout == before and opens(rack, machine, account="later")
        assert "AllowUsers" in report(play, machine)["areas"]["ssh"]["failure"]
        play.run(machine, RESTORE.format("ssh_hardening"))  # debian itself gets in as it did before
        assert opens(rack, machine) and not opens(rack, machine, account="later")
    finally:
        rack.root(machine, "pkill -u later; userdel -r later 2>/dev/null; rm -f /etc/sudoers.d/later; true")


def test_a_restore_that_opens_a_home_to_others_is_refused(rack: Rack, machine: Machine, play: Play) -> None:
    rack.root(machine, f"echo 'StrictModes no' >{DROP_IN}; systemctl reload ssh; chmod 777 /home/debian")
    play.run(machine, OS + SSH)
    assert shows(rack, machine, "test $(stat -c %a /home/debian) = 750")
    out = play.run(machine, RESTORE.format("os_hardening"), ok=False)
    assert "sshd looks at no key of debian while others can write to /home/debian" in out and opens(rack, machine), out[-3000:]
    play.run(machine, RESTORE.format("ssh_hardening") + RESTORE.format("os_hardening"))
    assert opens(rack, machine) and shows(rack, machine, "test $(stat -c %a /home/debian) = 777")


# ---------------------------------------------------------------------------------------------------- several hosts
@pytest.mark.parametrize("how", ["linear", "free"])
def test_one_host_that_refuses_and_one_that_is_gone_stop_no_other(how: str, rack: Rack, machine: Machine, play: Play) -> None:
    gone = Machine("gone", machine.suite, 49)
    own = {machine.name: {"ssh_hardening_allow_users": ["nobody-else"]}}
    book = CHECKOUT / "playbooks" / "harden.yml"
    words = [str(book), "--tags", "ssh", "-e", f"fleet_hardening_report={play.folder / 'report'}"]
    play.strategy = how
    out = play.run([machine, rack.machines[1], gone], PING, *words, ok=False, own=own, ansible_timeout=5)
    assert "would not be let in by AllowUsers nobody-else" in out
    files = {path.stem: json.loads(path.read_text(encoding="utf-8"))["areas"]["ssh"] for path in (play.folder / "report").glob("*.json")}
    assert set(files) == {machine.name, rack.machines[1].name, "gone"}
    assert "AllowUsers" in files[machine.name]["failure"] and files[machine.name]["controls"] == []
    assert "cannot be reached" in files["gone"]["failure"]
    assert files[rack.machines[1].name]["failure"] == "" and files[rack.machines[1].name]["counts"]["changed"] > 5
    page = (play.folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "AllowUsers" in page and "cannot be reached" in page
    play.run(rack.machines[1], RESTORE.format("ssh_hardening"))
