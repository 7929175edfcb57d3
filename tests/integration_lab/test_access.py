# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role access on hosts that really boot: the steps, and every failure it must survive, provoked.

FLEET_ACCESS_HOSTS names a JSON file: {"exec": [command that runs its arguments as the controller], "hosts": [{"name", "address",
"private_key_file"}]} with two hosts or more as their images made them, opened by that key. A second sshd on port 2222 of each host, which
knows only the tests' own key, is how the tests look and provoke; role access does not know of it.
"""
from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOSTS = os.environ.get("FLEET_ACCESS_HOSTS", "")
pytestmark = pytest.mark.skipif(
    not HOSTS or not Path(HOSTS).exists(),
    reason="needs fresh booted hosts, which FLEET_ACCESS_HOSTS names: python3 tests/run.py --only access,ssh_hardening, as root on Linux")

ROOT = Path(__file__).resolve().parents[2]
DROPIN = "/etc/ssh/sshd_config.d/00-hybridops-fleet.conf"
PLAYBOOK = """
- hosts: all
  gather_facts: false
  become: false
  tasks:
    - ansible.builtin.include_role: {name: hybridops.fleet.access}
    - ansible.builtin.command: id -un
      register: who
      become: true
    - ansible.builtin.debug: {msg: "WHO {{ who.stdout }} PROOF {{ access_proof.fleet_key }}/{{ access_proof.node_key }}/{{ access_proof.password }}"}
"""


def only(part: str) -> str:
    """A playbook of one part of the role."""
    book = PLAYBOOK.replace("hybridops.fleet.access}", f"hybridops.fleet.access, tasks_from: {part}}}")
    return book.split("    - ansible.builtin.command", maxsplit=1)[0]


TREE = next((parent.parent for parent in Path(__file__).parents if parent.name == "ansible_collections"), None) or os.environ.get(
    "ANSIBLE_COLLECTIONS_PATH", "")


def run(*words: str, timeout: float = 120, check: bool = True, data: str = "") -> str:
    done = subprocess.run([*EXEC, *words], input=data, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


_DATA = json.loads(Path(HOSTS).read_text()) if HOSTS and Path(HOSTS).exists() else {"exec": [], "hosts": []}
EXEC: list[str] = _DATA["exec"]


@dataclasses.dataclass
class Host:
    """A host under test, with a way in that does not depend on what is tested."""

    name: str
    address: str
    key: str
    folder: Path
    user: str = ""

    def ssh(self, user: str, key: str, command: str, *options: str, port: int = 22, check: bool = True, data: str = "") -> str:
        return run(
            "ssh", "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5", *options, "-p", str(port), f"{user}@{self.address}",
            command, check=check, data=data)

    def root(self, script: str, check: bool = True) -> str:
        return self.ssh("root", str(self.folder / "probe"), "sh -s", port=2222, check=check, data=script)

    def adopt(self) -> None:
        """The second sshd, and a copy of the state that tests start from."""
        known = self.root("cat /var/lib/access-test/user", check=False).strip()
        if known:
            self.user = known
            return
        end = time.monotonic() + 180  # it may be booting still
        while not (told := self.ssh("root", self.key, "echo up", check=False)).strip():
            assert time.monotonic() < end, f"{self.name} does not let its key in"
            time.sleep(1)
        named = re.search(r'user "([^"]+)"', told)
        self.user = named.group(1) if named else "root"
        public = (self.folder / "probe.pub").read_text().strip()
        script = f"""
set -e
mkdir -p /var/lib/access-test
echo '{self.user}' >/var/lib/access-test/user
echo '{public}' >/var/lib/access-test/keys
cat >/var/lib/access-test/config <<CONFIG
Port 2222
AuthorizedKeysFile /var/lib/access-test/keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM yes
PidFile /run/access-test.pid
CONFIG
cat >/etc/systemd/system/access-test.service <<UNIT
[Unit]
After=network.target
[Service]
ExecStartPre=/bin/mkdir -p /run/sshd
ExecStart=/usr/sbin/sshd -D -f /var/lib/access-test/config
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload; systemctl -q enable access-test; systemctl restart access-test; sleep 0.5
cloud-init status --wait >/dev/null 2>&1 || true
cd /
[ -e /var/lib/access-test/state.tar ] ||
  tar -cpf /var/lib/access-test/state.tar etc/ssh etc/sudoers.d etc/sudoers etc/passwd etc/shadow etc/group etc/gshadow \\
    etc/pam.d etc/security root home
"""
        sudo = "" if self.user == "root" else "sudo -n "
        self.ssh(self.user, self.key, f"{sudo}sh -s", data=script)

    def fresh(self) -> None:
        """As the image made it, passwords switched on."""
        self.root("""
systemctl stop 'hybridops-fleet-access-restore-*' 2>/dev/null
pkill -u fleet; pkill -x sleep
umount /etc/ssh 2>/dev/null; rm -rf /run/systemd/system/ssh.service.d /var/tmp/boomed
rm -rf /etc/hybridops-fleet /etc/systemd/system/hybridops-fleet* /etc/systemd/system/multi-user.target.wants/hybridops-fleet*
rm -rf /etc/ssh/* /etc/sudoers.d/* /home/* /root/.ssh
tar -C / -xpf /var/lib/access-test/state.tar
rm -f /etc/ssh/sshd_config.d/50-cloud-init.conf; echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/50-cloud-init.conf
systemctl daemon-reload; systemctl reset-failed; systemctl restart ssh; journalctl --rotate -q; journalctl --vacuum-time=1s -q
""")
        self.wait()

    def wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not self.ssh("root", str(self.folder / "probe"), "echo up", port=2222, check=False).startswith("up"):
            assert time.monotonic() < end, f"{self.name} does not come back"
            time.sleep(0.5)

    def methods(self, user: str = "nobody-here") -> str:
        done = subprocess.run([*EXEC, "ssh", "-F", "none", "-o", "PreferredAuthentications=none", "-o", "StrictHostKeyChecking=no", "-o",
                               "UserKnownHostsFile=/dev/null", f"{user}@{self.address}", "true"],
                              capture_output=True, text=True, timeout=30, check=False)
        return done.stderr

    def opens(self, user: str, key: str) -> bool:
        return "yes" in self.ssh(user, key, "echo yes", check=False)

    def snapshot(self) -> str:
        return self.root(
            "cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/* | sha256sum; ls /etc/ssh /etc/ssh/sshd_config.d; id fleet 2>&1; ls /etc/sudoers.d")


@pytest.fixture(scope="session")
def folder() -> Path:
    """Keys of the tests. They stay beside the file of hosts, as the hosts know them until they are made anew."""
    folder = Path(HOSTS + ".keys")
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in ("probe", "fleet", "wrong"):
        if not (folder / name).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True)
    return folder


@pytest.fixture(scope="session")
def adopted(folder: Path) -> list[Host]:
    hosts = [Host(row["name"], row["address"], row["private_key_file"], folder) for row in _DATA["hosts"]]
    for host in hosts:
        host.adopt()
    return hosts


@pytest.fixture
def hosts(adopted: list[Host]) -> Iterator[list[Host]]:
    for host in adopted[:2]:
        host.fresh()
    yield adopted


@dataclasses.dataclass
class Play:
    """Runs of the role against hosts, with an inventory, a known_hosts file and a home of their own."""

    folder: Path
    home: Path

    def inventory(self, *hosts: Host, **variables: Any) -> Path:
        common = {
            "access_private_key_file": str(self.folder / "fleet"), "access_authorized_keys": [str(self.folder / "fleet.pub")],
            "access_known_hosts": str(self.home / "known_hosts"), "ansible_python_interpreter": "/usr/bin/python3", "access_connect_timeout": 5,
            "access_wait": 60,
        }
        rows = {host.name: {
            "ansible_host": host.address, "fleet_cloud": "lab", "fleet_id": f"i-{host.name}", "fleet_provider": "openstack",
            "ansible_ssh_private_key_file": host.key, **variables.pop(host.name, {})} for host in hosts}
        path = self.home / "inventory.json"
        path.write_text(json.dumps({"all": {"vars": {**common, **variables}, "hosts": rows}}))
        return path

    def start(self, inventory: Path, *words: str, playbook: str = PLAYBOOK) -> subprocess.Popen[str]:
        book = self.home / "play.yml"
        book.write_text(playbook)
        environment = {
            **os.environ, "HOME": str(self.home), "ANSIBLE_HOME": str(self.home / ".ansible"), "ANSIBLE_COLLECTIONS_PATH": str(TREE),
            "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_LOCALHOST_WARNING": "0",
            "LC_ALL": "C.UTF-8",
        }
        program = Path(sys.executable).with_name("ansible-playbook")
        return subprocess.Popen([*EXEC, str(program), "-i", str(inventory), str(book), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, env=environment, start_new_session=True)

    def run(self, inventory: Path, *words: str, ok: bool = True, playbook: str = PLAYBOOK, timeout: float = 300) -> str:
        process = self.start(inventory, *words, playbook=playbook)
        out, _none = process.communicate(timeout=timeout)
        assert (process.returncode == 0) is ok, out
        assert "Traceback" not in out
        return out


@pytest.fixture
def play(folder: Path, tmp_path: Path) -> Play:
    return Play(folder, tmp_path)


def assert_done(host: Host, folder: Path) -> None:
    """The end of steps 6 to 8, seen from outside and inside, nothing doubled and nothing left over."""
    fleet, public = str(folder / "fleet"), (folder / "fleet.pub").read_text().split()[1]
    assert "root" in host.ssh("fleet", fleet, "sudo -n id -un")
    for user in (host.user, "fleet", "root"):
        assert not host.opens(user, host.key), f"the node's key still opens {user}"
    assert "Permission denied (publickey)." in host.methods()
    assert host.root(f"grep -rhoF '{public}' /home /root/.ssh | wc -l").strip() == "1"
    key = Path(host.key + ".pub").read_text().split()[1] if Path(host.key + ".pub").exists() else "none-known"
    assert host.root(f"grep -rlF '{key}' /home /root/.ssh /etc/ssh; true").strip() == ""
    left = host.root("ls -d /etc/hybridops-fleet/access-* /etc/systemd/system/hybridops* /run/hybridops-fleet.* 2>/dev/null; "
                     "systemctl list-timers --all | grep hybridops; find /etc /home /root -name '*hybridops-fleet-*' | grep -v 00-hyb; true")
    assert left.strip() == ""
    assert host.root("grep -c ^fleet: /etc/passwd").strip() == "1"


def kill(process: subprocess.Popen[str]) -> None:
    """End a run of Ansible hard, with its workers and their ssh, which have sessions of their own."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(entry.parent.name)] = int(entry.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    family = {process.pid}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    for member in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    process.communicate()


def test_an_unknown_account_is_found_by_the_images_own_answer_and_a_second_run_changes_nothing(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    inventory = play.inventory(host)
    out = play.run(inventory, "-v")
    assert "the host's own answer to root" in out
    assert "WHO root PROOF opened/refused/refused" in out
    assert_done(host, play.folder)
    assert f"lab/i-{host.name} ssh-" in (play.home / "known_hosts").read_text()
    again = play.run(inventory)
    assert re.search(r"changed=1 ", again), "only the command of the test's own play may count as a change"
    journal = host.root("journalctl -u ssh --no-pager -q")
    assert "Failed password" not in journal


def test_check_mode_touches_nothing_and_says_what_would_be(hosts: list[Host], play: Play) -> None:
    before = hosts[0].snapshot()
    out = play.run(play.inventory(hosts[0]), "--check", "--diff", playbook=PLAYBOOK.split("    - ansible.builtin.command", maxsplit=1)[0])
    assert hosts[0].snapshot() == before
    assert "+PasswordAuthentication no" in out
    assert "took the node's key" not in hosts[0].root("true")


def test_data_says_the_account_and_one_connection_is_enough(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    book = only("find_login")
    out = play.run(play.inventory(host, **{host.name: {"ansible_user": host.user}}), "-v", playbook=book)
    assert '"user": "' + host.user in out
    accepted = host.root("journalctl -u ssh --no-pager -q | grep -c 'Connection from\\|Accepted\\|Connection closed'")
    assert int(accepted) <= 2


def test_a_wrong_key_tries_each_account_once_and_says_what_each_answered(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    before = host.snapshot()
    wrong = {"ansible_ssh_private_key_file": str(play.folder / "wrong"), "ansible_user": host.user}
    out = play.run(play.inventory(host, **{host.name: wrong}), ok=False)
    assert "no account opens it" in out and "permission denied" in out and host.user in out
    tries = host.root("journalctl -u ssh --no-pager -q | grep 'Connection closed by' | sed 's/.*user \\([^ ]*\\).*/\\1/' |"
                      " sort | uniq -c | sort -rn").split()
    assert int(tries[0]) <= 2 and len(tries) / 2 <= 9, tries  # the account of the data is tried with the fleet's key too
    assert host.snapshot() == before


def test_a_fleet_key_that_is_not_among_the_authorized_ones_changes_nothing(hosts: list[Host], play: Play) -> None:
    before = hosts[0].snapshot()
    out = play.run(play.inventory(hosts[0], access_private_key_file=str(play.folder / "wrong")), ok=False)
    assert "belongs to none of access_authorized_keys" in out
    assert hosts[0].snapshot() == before


def test_an_ssh_that_never_answers_ends_in_time_and_in_words(hosts: list[Host], play: Play) -> None:
    script = "import socket,time\ns=socket.create_server(('127.0.0.1',2022))\nkeep=[]\ns.settimeout(90)\nwhile True: keep.append(s.accept())"
    mute = subprocess.Popen([*EXEC, sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    try:
        silent = Host("silent", "127.0.0.1", hosts[0].key, play.folder)
        begin = time.monotonic()
        inventory = play.inventory(silent, access_wait=12, access_connect_timeout=3, silent={"ansible_port": 2022, "ansible_user": "debian"})
        out = play.run(inventory, ok=False)
        assert time.monotonic() - begin < 40
        assert "no answer: within 12 s" in out
    finally:
        mute.kill()


def test_an_sshd_configuration_that_does_not_validate_is_left_alone(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    host.root("echo 'NoSuchSetting yes' >/etc/ssh/sshd_config.d/70-broken.conf")
    before = host.snapshot()
    out = play.run(play.inventory(host), ok=False)
    assert "does not validate as it is" in out and "NoSuchSetting" in out
    assert host.snapshot() == before
    assert host.opens(host.user, host.key)


def test_the_old_configuration_comes_back_by_itself_when_the_fleets_key_does_not_open(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    # shut by something that no configuration of sshd tells
    host.root("printf 'account required pam_access.so\\n' >>/etc/pam.d/sshd; printf -- '-:fleet:ALL\\n' >>/etc/security/access.conf")
    config = host.root("cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*")
    begin = time.monotonic()
    out = play.run(play.inventory(host, access_switch_seconds=12, access_wait=20), ok=False)
    host.root("sed -i '/pam_access/d' /etc/pam.d/sshd; sed -i '/fleet/d' /etc/security/access.conf")
    assert "does not succeed within 12 s" in out and "The old SSH configuration is back" in out
    assert 11 < time.monotonic() - begin < 60
    assert host.root("cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*") == config
    assert "password" in host.methods()
    assert host.opens(host.user, host.key)


def test_a_node_that_reboots_in_the_middle_of_step_7_is_waited_for_and_done_again(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    host.root("""mkdir -p /etc/systemd/system/ssh.service.d
cat >/etc/systemd/system/ssh.service.d/boom.conf <<'UNIT'
[Service]
ExecReload=
ExecReload=/bin/sh -c '[ -e /var/tmp/boomed ] || { touch /var/tmp/boomed; sync; systemctl --no-block reboot --force; }; kill -HUP $MAINPID'
UNIT
systemctl daemon-reload""")
    try:
        out = play.run(play.inventory(host, access_wait=120), "-v")
        assert "the node restarted" in out or "came back" in out
        host.wait()
        assert host.root("ls /var/tmp/boomed").strip()
        assert_done(host, play.folder)
    finally:
        host.wait()
        host.root("rm -rf /etc/systemd/system/ssh.service.d /var/tmp/boomed; systemctl daemon-reload")


def test_a_reboot_without_a_controller_brings_the_old_configuration_back_before_sshd_starts(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    _kill_when_armed(host, play, play.inventory(host, access_switch_seconds=600))
    assert "password" not in host.methods()
    host.root("systemctl --no-block reboot", check=False)
    time.sleep(3)
    host.wait()
    assert "password" in host.methods()
    assert host.root(f"ls {DROPIN} /etc/hybridops-fleet/access-pending 2>/dev/null; true").strip() == ""


def _kill_when_armed(host: Host, play: Play, inventory: Path) -> None:
    """End the controller, hard, between the change on the node and its confirmation."""
    # the confirming connection is held up: the admin's shell is slow
    host.root("useradd -m -s /bin/bash -p '*' fleet; printf 'sleep 20\\n' >/home/fleet/.bashrc")
    process = play.start(inventory)
    end = time.monotonic() + 60
    while "armed" not in host.root(f"[ -f /etc/hybridops-fleet/access-pending/files ] && [ -f {DROPIN} ] && echo armed; true"):
        assert time.monotonic() < end and process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    time.sleep(0.5)
    kill(process)
    host.root("pkill -u fleet; rm -f /home/fleet/.bashrc; true")


def test_a_controller_killed_with_the_switch_armed_goes_on_at_once_or_after_the_timer(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    inventory = play.inventory(host, access_switch_seconds=600)
    _kill_when_armed(host, play, inventory)
    out = play.run(inventory)
    assert "PROOF opened/refused/refused" in out
    assert_done(host, play.folder)
    host.fresh()
    _kill_when_armed(host, play, play.inventory(host, access_switch_seconds=10))
    time.sleep(13)
    assert "password" in host.methods()
    play.run(play.inventory(host))
    assert_done(host, play.folder)


@pytest.mark.parametrize("task", range(3, 20, 2))
def test_a_controller_killed_at_any_task_finishes_in_the_next_run(hosts: list[Host], play: Play, task: int) -> None:
    host = hosts[0]
    inventory = play.inventory(host)
    process = play.start(inventory)
    assert process.stdout
    seen = 0
    for line in process.stdout:
        seen += line.startswith("TASK [")
        if seen == task:
            time.sleep(0.25 * (task % 4))
            kill(process)
            break
    out = play.run(inventory)
    assert "PROOF opened/refused/refused" in out
    assert_done(host, play.folder)


def test_a_full_disk_leaves_the_node_as_it_was_and_is_said(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    host.root("cp -a /etc/ssh /run/ssh-copy; mount -t tmpfs -o size=1m,mode=755 tmpfs /etc/ssh; "
              "cp -a /run/ssh-copy/. /etc/ssh/; rm -rf /run/ssh-copy; "
              "dd if=/dev/zero of=/etc/ssh/filler bs=1k count=2000 2>/dev/null; systemctl reload ssh")
    before = host.root("cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*; ls /etc/ssh/sshd_config.d; ls /etc/sudoers.d; id fleet 2>&1; true")
    out = play.run(play.inventory(host), ok=False)
    assert "the disk is full" in out, out
    assert "/etc/ssh" in out
    assert host.root("cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*; ls /etc/ssh/sshd_config.d; ls /etc/sudoers.d; id fleet 2>&1; true") == before
    host.root("rm /etc/ssh/filler")
    play.run(play.inventory(host))
    assert "PasswordAuthentication no" in host.root(f"cat {DROPIN}")


def test_passwords_go_off_for_those_whom_a_match_block_lets_in_and_without_any_include(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    host.root("""sed -i '/^Include/d' /etc/ssh/sshd_config
cat >>/etc/ssh/sshd_config <<'CONFIG'
PasswordAuthentication yes
PermitRootLogin yes
Match User backup,legacy
  PasswordAuthentication yes
Match Address 10.0.0.0/8,203.0.113.0/24
    KbdInteractiveAuthentication yes
    PasswordAuthentication yes
CONFIG
systemctl reload ssh""")
    assert "password" in host.methods("backup")
    inventory = play.inventory(host)
    play.run(inventory)
    assert "Permission denied (publickey)." in host.methods("backup")
    assert_done(host, play.folder)
    assert re.search("changed=1 ", play.run(inventory))


def test_a_list_of_allowed_users_goes_on_with_the_admin(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    host.root(f"echo 'AllowUsers {host.user}' >>/etc/ssh/sshd_config; systemctl reload ssh")
    inventory = play.inventory(host)
    play.run(inventory)
    assert_done(host, play.folder)
    assert re.search("changed=1 ", play.run(inventory))


def test_roots_keys_where_the_operator_wants_them(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    inventory = play.inventory(host, access_root_login="prohibit-password")
    play.run(inventory)
    assert host.opens("root", str(play.folder / "fleet")) and not host.opens("root", host.key)
    assert re.search("changed=1 ", play.run(inventory))


def test_the_nodes_key_goes_from_every_place_and_stays_out_after_a_reboot(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    line = host.root(f"grep -h ssh- /home/{host.user}/.ssh/authorized_keys | head -n 1").strip()
    host.root(f"""mkdir -p /etc/ssh/authorized_keys.d /var/www/.ssh
echo 'from="10.0.0.0/8" {line}' >/etc/ssh/authorized_keys.d/someone
echo '{line}' >/home/{host.user}/.ssh/authorized_keys2; echo '{line}' >/var/www/.ssh/authorized_keys
printf 'AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%%u\n' >/etc/ssh/sshd_config.d/20-keys.conf
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOtherKeyThatStays0000000000000000000000000000 other' >>/home/{host.user}/.ssh/authorized_keys
systemctl reload ssh""")
    play.run(play.inventory(host))
    blob = line.split()[-2] if line.split()[-2].startswith("AAAA") else next(word for word in line.split() if word.startswith("AAAA"))
    find = f"grep -rlF '{blob}' /etc/ssh /home /root/.ssh /var/www; true"
    assert host.root(find).strip() == ""
    assert "OtherKeyThatStays" in host.root(f"cat /home/{host.user}/.ssh/authorized_keys")
    assert host.root(f"stat -c '%U %a' /home/{host.user}/.ssh/authorized_keys").strip() == f"{host.user} 600"
    host.root("rm -rf /var/www; systemctl --no-block reboot", check=False)
    time.sleep(3)
    host.wait()
    assert host.root(find.replace(" /var/www", "")).strip() == ""
    assert host.ssh("fleet", str(play.folder / "fleet"), "sudo -n id -un").strip() == "root"


def test_sudo_that_asks_for_a_password(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    word = "a 'word'$x"
    host.root(f"printf '%s:%s' {host.user} {shlex.quote(word)} | chpasswd; grep -rl NOPASSWD /etc/sudoers.d | xargs sed -i 's/NOPASSWD://'")
    out = play.run(play.inventory(host), ok=False)
    assert "sudo" in out and "password" in out
    out = play.run(play.inventory(host, ansible_become_password=word))
    assert "a 'word'" not in out
    assert_done(host, play.folder)


def test_host_keys_of_the_cloud_count_and_a_wrong_one_ends_everything(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    told = host.root("cat /etc/ssh/ssh_host_ed25519_key.pub").strip()
    out = play.run(play.inventory(host, **{host.name: {"fleet_host_keys": [told]}}), "-v")
    assert '"host_keys_from": "cloud"' in out
    wrong = (play.folder / "wrong.pub").read_text().strip()
    before = host.root("journalctl -u ssh --no-pager -q | grep -c Accepted; true")
    out = play.run(play.inventory(host, **{host.name: {"fleet_host_keys": [wrong]}}), ok=False)
    assert "host key" in out and "SHA256:" in out and "ssh-keygen -R" in out
    assert host.root("journalctl -u ssh --no-pager -q | grep -c Accepted; true") == before


def test_a_host_key_that_changes_after_its_first_use_ends_everything_and_a_new_machine_at_the_address_does_not(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    inventory = play.inventory(host)
    play.run(inventory)
    host.root("rm /etc/ssh/ssh_host_*; ssh-keygen -A >/dev/null; systemctl restart ssh")
    out = play.run(inventory, ok=False)
    assert "has changed" in out and out.count("SHA256:") >= 2
    host.fresh()
    host.root("rm /etc/ssh/ssh_host_*; ssh-keygen -A >/dev/null; systemctl restart ssh")
    play.run(play.inventory(host, **{host.name: {"fleet_id": "i-another"}}))


def test_through_a_bastion_whose_own_host_key_is_checked(hosts: list[Host], play: Play) -> None:
    bastion, host = hosts[1], hosts[0]
    line = (play.folder / "fleet.pub").read_text().strip()
    bastion.root(f"echo '{line}' >>/home/{bastion.user}/.ssh/authorized_keys")
    host.root("nft add table inet t; nft add chain inet t c '{ type filter hook input priority 0; }'; "
              f"nft add rule inet t c tcp dport 22 ip saddr != {bastion.address} drop")
    try:
        inventory = play.inventory(host, **{host.name: {"ansible_ssh_common_args": f"-o ProxyJump={bastion.user}@{bastion.address}:22"}})
        out = play.run(inventory)
        assert "WHO root PROOF opened/refused/refused" in out
        assert re.search("changed=1 ", play.run(inventory))
        known = (play.home / "known_hosts").read_text()
        assert bastion.address in known and f"lab/i-{host.name}" in known
        assert not (play.home / ".ssh" / "known_hosts").exists()
        bastion.root("rm /etc/ssh/ssh_host_*; ssh-keygen -A >/dev/null; systemctl restart ssh")
        assert f"the host key of {bastion.address} has changed" in play.run(inventory, ok=False)
    finally:
        host.root("nft delete table inet t")


def test_proof_fails_where_passwords_are_taken(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    inventory = play.inventory(host)
    play.run(inventory)
    host.root(f"rm {DROPIN}; systemctl reload ssh")
    book = only("prove")
    out = play.run(inventory, playbook=book, ok=False)
    assert "still takes passwords" in out


def test_many_hosts_at_once_share_one_known_hosts_file(hosts: list[Host], play: Play) -> None:
    out = play.run(play.inventory(*hosts[:2]))
    assert out.count("PROOF opened/refused/refused") == 2
    assert len((play.home / "known_hosts").read_text().splitlines()) == 2


def test_the_examples_of_the_modules_as_they_stand_in_their_documentation(hosts: list[Host], play: Play) -> None:
    host = hosts[0]
    keys = play.home / ".ssh"
    keys.mkdir(mode=0o700)
    for name, key in (("fleet", str(play.folder / "fleet")), ("node", host.key)):
        shutil.copy(key, keys / name)
        shutil.copy(f"{key}.pub", keys / f"{name}.pub")
    names = [f"access_{step}" for step in ("login", "switch", "key_out", "prove")]
    assert set(names) == {path.stem for path in (ROOT / "plugins" / "modules").glob("access_*.py")}
    examples = [re.search(r'^EXAMPLES = r"""\n(.*?)^"""', (ROOT / "plugins" / "modules" / f"{name}.py").read_text(), re.DOTALL | re.MULTILINE)
                for name in names]
    tasks = "".join(re.sub("^", "    ", found[1], flags=re.MULTILINE).rstrip(" ") for found in examples if found)
    book = "- hosts: all\n  gather_facts: false\n  become: false\n  tasks:\n" + tasks
    out = play.run(play.inventory(host), playbook=book.replace("user: debian", f"user: {host.user}").replace("[debian]", f"[{host.user}]"))
    assert re.search(r"ok=4 +changed=[23] ", out)
    assert_done(host, play.folder)
    assert (play.home / ".ansible" / "hybridops_fleet" / "known_hosts").exists()
