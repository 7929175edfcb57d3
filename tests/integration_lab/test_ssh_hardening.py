# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role ssh_hardening on hosts that really boot: what it leaves behind, and every way of locking itself out, provoked.

Takes the hosts of FLEET_ACCESS_HOSTS (see test_access.py), two of them. "address6" of a host is used when it is there; SSH_AUDIT names the program.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import test_access
from test_access import EXEC, Host, Play, kill

pytestmark = test_access.pytestmark
adopted, folder, play = test_access.adopted, test_access.folder, test_access.play  # fixtures

FILE = "/etc/ssh/sshd_config.d/01-hybridops-fleet-hardening.conf"
PENDING = "/var/lib/hybridops-fleet/hardening/pending"
BOOK = """
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.include_role: {name: hybridops.fleet.ssh_hardening}
"""
RESTORE = BOOK.replace("ssh_hardening}", "ssh_hardening, tasks_from: restore}")
TREE = "cd /etc/ssh; find . -type f | sort | xargs sha256sum; find . | sort | xargs stat -c '%n %a'"
FIRST_VALUES = "sshd -T -C user=ops,host=x,addr=192.0.2.1,laddr=192.0.2.2,lport=22"
LOOK = ("cd /; find etc/ssh etc/systemd/system var/lib/hybridops-fleet ! -type l 2>/dev/null | sort | xargs stat -c '%n %a %u:%g'; "
        f"find etc/ssh etc/systemd/system -type f | sort | xargs sha256sum; {FIRST_VALUES}")


@pytest.fixture
def hosts(adopted: list[Host]) -> Iterator[list[Host]]:
    """As their image made them, with an account that the fleet's key opens and that sudo asks for nothing."""
    for host in adopted[:2]:
        # the tests' own server on port 2222 needs the folder that ssh.service takes with it when it ends
        host.root("""mkdir -p /etc/systemd/system/ssh.service.d /run/sshd
printf '[Service]\\nRuntimeDirectoryPreserve=yes\\n' >/etc/systemd/system/ssh.service.d/keep.conf
systemctl stop 'hybridops-fleet-hardening-restore-*' 2>/dev/null
rm -rf /var/lib/hybridops-fleet /run/hybridops-fleet /etc/systemd/system/sysinit.target.wants/hybridops* /etc/systemd/system/ssh.socket.d
systemctl daemon-reload; systemctl disable -q --now ssh.socket; systemctl stop ssh.service
systemctl enable -q ssh; mkdir -p /run/sshd; pkill -u ops; true""")
        host.fresh()
        public = (host.folder / "fleet.pub").read_text().strip()
        host.root(f"""useradd -m -s /bin/bash -p '*' ops; mkdir -p /home/ops/.ssh /root/.ssh
echo '{public}' | tee /home/ops/.ssh/authorized_keys >/root/.ssh/authorized_keys
chown -R ops:ops /home/ops; chmod 700 /home/ops/.ssh /root/.ssh; echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops
rm -f /etc/ssh/sshd_config.d/50-cloud-init.conf; systemctl reload ssh""")
    yield adopted


def inventory(play: Play, host: Host, **variables: Any) -> Path:
    own = {"ansible_user": "ops", "ansible_ssh_private_key_file": str(play.folder / "fleet"),
           "ansible_ssh_extra_args": "-o IdentitiesOnly=yes", **variables.pop(host.name, {})}
    return play.inventory(host, **{"ssh_hardening_switch_seconds": 20, host.name: own, **variables})


def changed(out: str) -> bool:
    return bool(re.search(r"changed=[1-9]", out))


def opens(host: Host, address: str, user: str, *words: str) -> bool:
    """A login of its own with the fleet's key over an address."""
    done = subprocess.run([*EXEC, *words, "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                           "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", "-i", str(host.folder / "fleet"), f"{user}@{address}",
                           "echo yes"], capture_output=True, text=True, timeout=60, check=False)
    return "yes" in done.stdout


def test_strict_holds_lets_the_fleet_in_and_a_restore_is_exact(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    before = host.root(LOOK)
    book = inventory(play, host, ssh_hardening_profile="strict")
    predicted = play.run(book, "--check", "--diff", playbook=BOOK)
    assert host.root(LOOK) == before, "check mode changes nothing"
    begin = time.monotonic()
    out = play.run(book, "--diff", playbook=BOOK)
    print(f"first run {time.monotonic() - begin:.1f} s")
    shown = [[line for line in text.splitlines() if line[:1] in "+-" and "hybridops-fleet-" not in line[:40]] for text in (predicted, out)]
    assert shown[0] == shown[1] and len(shown[0]) > 40, "check mode tells what the run then changes"
    values = host.root("sshd -T")
    for line in ("permitrootlogin no", "passwordauthentication no", "maxauthtries 5", "allowtcpforwarding local", "x11forwarding no"):
        assert line in values
    assert opens(host, host.address, "ops") and not opens(host, host.address, "root")
    assert "password" not in host.methods()
    begin = time.monotonic()
    assert not changed(play.run(book, playbook=BOOK)), "a second run changes nothing"
    print(f"second run {time.monotonic() - begin:.1f} s")
    assert host.root(f"ls -d {PENDING} /etc/systemd/system/hybridops* 2>/dev/null; systemctl list-timers --all | grep hybridops; true").strip() == ""
    play.run(book, playbook=RESTORE)
    assert host.root(LOOK) == before, "a restore brings back every file, mode and value"
    assert not changed(play.run(book, playbook=RESTORE))


def test_over_both_families_and_with_four_other_keys_in_the_agent(hosts: list[Host], play: Play, tmp_path: Path) -> None:
    host = hosts[0]
    play.run(inventory(play, host, ssh_hardening_profile="strict"), playbook=BOOK)
    for number in range(4):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / f"other{number}")], check=True)
    keys = " ".join(str(tmp_path / f"other{number}") for number in range(4))
    listening = host.root("ss -Hltn sport = :22")
    assert "0.0.0.0:22" in listening and "[::]:22" in listening
    rows = json.loads(Path(test_access.HOSTS).read_text())["hosts"]
    addresses = [host.address, *(row["address6"] for row in rows if row["name"] == host.name and row.get("address6"))]
    for address in addresses:
        script = (f"ssh-add -q {keys} {host.folder / 'fleet'} && ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout=5 "
                  f"-o UserKnownHostsFile=/dev/null ops@{address} sudo -n id -un")
        done = subprocess.run([*EXEC, "ssh-agent", "sh", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.strip().endswith("root"), f"{address}: {done.stdout}{done.stderr}"
    if len(addresses) == 1:
        print("not shown: IPv6, as the file of hosts names no address6")


def test_an_auditor_finds_nothing(hosts: list[Host], play: Play) -> None:
    program = os.environ.get("SSH_AUDIT") or shutil.which("ssh-audit")
    if not program:
        pytest.skip("no ssh-audit here: set SSH_AUDIT")
    host = hosts[0]
    play.run(inventory(play, host, ssh_hardening_profile="strict"), playbook=BOOK)
    done = subprocess.run([*EXEC, program, "-n", host.address], capture_output=True, text=True, timeout=120, check=False)
    assert "ssh-ed25519" in done.stdout and "[fail]" not in done.stdout and "[warn]" not in done.stdout, done.stdout


REFUSALS: dict[str, tuple[str, dict[str, Any], str]] = {
    "root's login off while logged in as root": ("", {"ansible_user": "root", "ssh_hardening_profile": "strict"}, "Ansible logs in as root"),
    "not on the list of users": ("", {"ssh_hardening_allow_users": ["admin"]}, "would not be let in by AllowUsers admin"),
    "from elsewhere": ("", {"ssh_hardening_allow_users": ["*@10.0.0.0/8"]}, "would not be let in by AllowUsers"),
    "not in the group": ("", {"ssh_hardening_allow_groups": ["wheel"]}, "would not be let in by AllowGroups wheel"),
    "on the list of those denied": ("", {"ssh_hardening_deny_users": ["o*"]}, "would be refused by DenyUsers"),
    "another port": ("", {"ssh_hardening_ports": [2200]}, "connects to port 22"),
    "another address": ("", {"ssh_hardening_listen_addresses": ["127.0.0.1"]}, "would listen on 127.0.0.1 only"),
    "keys off": ("", {"ssh_hardening_values": {"password_login": {"settings": {"PubkeyAuthentication": "no"}}}}, "PubkeyAuthentication would be no"),
    "PAM off for a locked account": ("usermod -L ops", {"ssh_hardening_controls": {"pam": True}, "ssh_hardening_values": {
        "pam": {"settings": {"UsePAM": "no"}}}}, "whose password is locked"),
    "a configuration that is broken already": ("echo NoSuchSetting yes >/etc/ssh/sshd_config.d/70-broken.conf", {}, "does not validate as it is"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_would_shut_ansible_out_is_refused_and_nothing_is_touched(case: str, hosts: list[Host], play: Play) -> None:
    host, (prepare, variables, words) = hosts[0], REFUSALS[case]
    host.root(prepare or "true")
    before = host.root(TREE)
    own = {name: value for name, value in variables.items() if name.startswith("ansible_")}
    out = play.run(inventory(play, host, **{host.name: own}, **{name: value for name, value in variables.items() if name not in own}),
                   playbook=BOOK, ok=False)
    assert words in " ".join(out.split()), out
    assert host.root(TREE) == before
    assert opens(host, host.address, "ops")


def test_a_second_factor_stays(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    host.root("printf 'Match User ops\\nAuthenticationMethods publickey,keyboard-interactive publickey\\nMatch all\\n' "
              ">/etc/ssh/sshd_config.d/20-two.conf; systemctl reload ssh")
    out = " ".join(play.run(inventory(play, host), "-v", playbook=BOOK).split())
    assert "asks for it beside the key" in out
    assert "KbdInteractiveAuthentication" not in host.root(f"cat {FILE}")


def test_sshd_itself_is_asked_what_would_hold_for_the_account(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    host.root("printf 'PasswordAuthentication yes\\nMatch User ops\\nAuthenticationMethods publickey,password publickey\\n' >>/etc/ssh/sshd_config; "
              "printf 'Match User ops\\nAuthenticationMethods password,publickey\\n' >/etc/ssh/sshd_config.d/99-later.conf")
    out = " ".join(play.run(inventory(play, host), playbook=BOOK, ok=False).split())
    assert "it would shut Ansible out: AuthenticationMethods password,publickey asks for what would be off" in out, out
    assert host.root(f"ls {FILE} 2>/dev/null; true").strip() == ""


def test_the_switch_fires_and_gives_access_back(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    before = host.root(LOOK)
    # what no configuration of sshd tells: logins are refused as soon as the new file is there
    host.root("printf 'account required pam_exec.so quiet /usr/local/bin/shut\\n' >>/etc/pam.d/sshd; "
              f"printf '#!/bin/sh\\n[ \"$PAM_USER\" != ops ] || [ ! -e {FILE} ]\\n' >/usr/local/bin/shut; chmod 755 /usr/local/bin/shut")
    begin = time.monotonic()
    out = " ".join(play.run(inventory(play, host), playbook=BOOK, ok=False).split())
    assert "a fresh connection as ops does not succeed within 20 s" in out, out
    assert "What was guarded is as it was before" in out, out
    assert 19 < time.monotonic() - begin < 90
    assert opens(host, host.address, "ops")
    assert host.root(FIRST_VALUES) in before
    assert host.root(f"ls {FILE} {PENDING} 2>/dev/null; true").strip() == ""
    host.root("sed -i '/pam_exec/d' /etc/pam.d/sshd; rm /usr/local/bin/shut")
    play.run(inventory(play, host), playbook=BOOK)
    assert host.root(f"ls {FILE}")


def _killed_when_armed(host: Host, play: Play, seconds: int) -> None:
    """End the controller, hard, between the change and its confirmation: a fresh login is slow."""
    host.root(f"printf '[ ! -e {FILE} ] || sleep 30\\n' >/home/ops/.bashrc; chown ops: /home/ops/.bashrc")
    process = play.start(inventory(play, host, ssh_hardening_switch_seconds=seconds), playbook=BOOK)
    end = time.monotonic() + 60
    while "armed" not in host.root(f"[ -f {PENDING}/nonce ] && [ -f {FILE} ] && echo armed; true"):
        assert time.monotonic() < end and process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    time.sleep(1.5)
    kill(process)
    host.root("pkill -u ops; rm -f /home/ops/.bashrc; true")


def test_a_controller_killed_with_the_switch_armed(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    _killed_when_armed(host, play, 20)
    end = time.monotonic() + 40
    while host.root(f"ls -d {PENDING} 2>/dev/null; true").strip():
        assert time.monotonic() < end
        time.sleep(1)
    assert host.root(f"ls {FILE} 2>/dev/null; true").strip() == "" and opens(host, host.address, "ops")
    _killed_when_armed(host, play, 600)
    play.run(inventory(play, host), playbook=BOOK)
    assert host.root(f"ls {FILE}") and opens(host, host.address, "ops")
    assert host.root(f"ls -d {PENDING} 2>/dev/null; true").strip() == ""


def test_a_reboot_without_a_controller_brings_it_back_before_sshd_starts(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    _killed_when_armed(host, play, 600)
    host.root("systemctl --no-block reboot", check=False)
    time.sleep(3)
    host.wait()
    assert host.root(f"ls -d {FILE} {PENDING} /etc/systemd/system/hybridops* 2>/dev/null; true").strip() == ""
    assert opens(host, host.address, "ops") and "password" in host.methods()


@pytest.mark.parametrize("edit", [
    "sed -i '/^Include/d' /etc/ssh/sshd_config",
    ("sed -i '/^Include/d' /etc/ssh/sshd_config; "
     "printf 'PermitRootLogin yes\\nPasswordAuthentication yes\\nInclude /etc/ssh/sshd_config.d/*.conf\\n' >>/etc/ssh/sshd_config"),
    "sed -i '1iPasswordAuthentication yes\\nX11Forwarding yes' /etc/ssh/sshd_config"])
def test_it_holds_wherever_the_folder_is_included(edit: str, hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    host.root(edit + "; systemctl reload ssh")
    before = host.root(LOOK)
    book = inventory(play, host)
    play.run(book, playbook=BOOK)
    values = host.root("sshd -T")
    assert "passwordauthentication no" in values and "x11forwarding no" in values and "permitrootlogin without-password" in values
    assert not changed(play.run(book, playbook=BOOK))
    play.run(book, playbook=RESTORE)
    assert host.root(LOOK) == before


@pytest.mark.parametrize("first", ["access", "ssh_hardening"])
@pytest.mark.parametrize("root", ["no", "prohibit-password"])
def test_role_access_and_this_one_agree_in_either_order(root: str, first: str, hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    access = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.include_role: {name: hybridops.fleet.access}\n"
    book = inventory(play, host, access_root_login=root, ssh_hardening_profile="strict", access_admin_user="ops")
    order = [access, BOOK] if first == "access" else [BOOK, access]
    for one in [*order, *order]:
        out = play.run(book, playbook=one)
    values = host.root("sshd -T")
    assert ("permitrootlogin no" in values) == (root == "no") and "passwordauthentication no" in values
    assert not changed(out)
    assert opens(host, host.address, "root") == (root != "no")


def test_a_server_that_systemd_starts_for_its_socket(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    host.root("systemctl disable -q --now ssh.service; systemctl enable -q --now ssh.socket")
    before = host.root(LOOK)
    book = inventory(play, host, ssh_hardening_ports=[22, 2200])
    play.run(book, playbook=BOOK)
    assert opens(host, host.address, "ops")
    assert host.ssh("ops", str(host.folder / "fleet"), "echo yes", port=2200).strip() == "yes"
    assert not changed(play.run(book, playbook=BOOK))
    play.run(book, playbook=RESTORE)
    assert host.root(LOOK) == before and opens(host, host.address, "ops")


def test_through_a_bastion(hosts: list[Host], play: Play) -> None:
    host, bastion = hosts[0], hosts[1]
    host.root("nft add table inet t; nft add chain inet t c '{ type filter hook input priority 0; }'; "
              f"nft add rule inet t c tcp dport 22 ip saddr != {bastion.address} drop")
    try:
        jump = (f"-o ProxyCommand='ssh -i {host.folder / 'fleet'} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -W [%h]:%p "
                f"ops@{bastion.address}'")
        play.run(inventory(play, bastion, ssh_hardening_profile="strict"), playbook=BOOK)
        book = inventory(play, host, ssh_hardening_profile="strict", **{host.name: {"ansible_ssh_common_args": jump}})
        play.run(book, playbook=BOOK)
        assert not changed(play.run(book, playbook=BOOK))
    finally:
        host.root("nft delete table inet t")
