# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the suites of hardening share: a booted host as it really is, read without its sshd, sudo and the roles' own record; playbooks as an
operator runs them; and the report's page, read as a person reads it."""

from __future__ import annotations

import html.parser
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.core import Lab  # noqa: E402
from fleetlab.hosts import netns  # noqa: E402
from fleetlab.hosts.container import Container  # noqa: E402
from fleetlab.hosts.endpoint import inside  # noqa: E402
from fleetlab.hosts.fresh import enter  # noqa: E402
from fleetlab.hosts.place import Numbers, Place  # noqa: E402

LAB = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
RUNNING = os.geteuid() == 0 and netns.exists(Place(LAB.root).core)
"""Whether there are booted hosts to look at."""

LOOK = r"""
cd /
# what the system itself writes anew, whatever anybody does
places="etc home root usr/local var/spool/cron boot srv"
find $places -xdev \( -name '*.cache' -o -name '*-' -o -name .pwd.lock -o -path etc/.updated -o -path 'home/*/.ansible' -o -path root/.ansible \) \
  -prune -o -printf '%p %m %u %g %y %l\n' | sort
find $places -xdev -type f ! -name '*.cache' ! -name '*-' ! -name .pwd.lock ! -path 'home/*/.ansible/*' ! -path 'root/.ansible/*' -print0 |
  sort -z | xargs -0 sha256sum
find usr bin sbin -xdev -perm /6000 -printf '%p %m %u %g\n' | sort
find var/log tmp var/tmp -maxdepth 0 -printf '%p %m %u %g\n'
sysctl -a 2>/dev/null | grep -vE '^(fs.(dentry|inode|file-nr|quota|aio-nr|mqueue)|kernel.(random|ns_last|pty|sched|perf_event_max_sample))' |
  grep -vE '^net.netfilter.nf_conntrack_count' | grep -vE '^net.ipv[46].(conf|neigh)[.]veth|stable_secret' | sort
systemctl list-unit-files --no-legend --no-pager | awk '$2 != "transient" {print "unit", $1, $2}' | sort
systemctl list-units --no-legend --no-pager --plain --state=active --type=service,socket,timer,mount,automount |
  awk '$1 !~ /^(user@|user-runtime|session|run-user|systemd-tmpfiles|hybridops-fleet-aide|var-lib-docker|run-docker)/ {print "active", $1}' | sort
findmnt -rno TARGET,OPTIONS /tmp /dev/shm /var/tmp 2>/dev/null | sort
nft list tables 2>/dev/null
getent shadow | sort
"""
"""Prints everything that hardening may touch, a line a thing, in an order that does not change."""

Root = Callable[..., "subprocess.CompletedProcess[str]"]


def differences(before: Iterable[str], after: Iterable[str]) -> str:
    """What two looks tell apart, a line each, "-" for what is gone; empty when they are the same."""
    old, new = set(before), set(after)
    differ = sorted(old ^ new)
    shown = "\n".join(("- " if line in old else "+ ") + line for line in differ[:60])
    return f"{len(differ)} lines differ:\n{shown}" if differ else ""


def container(identity: str) -> Container:
    """The host behind the machine of that id, or a rack's machine of that name."""
    numbers = Numbers(Place(LAB.root).folder / "numbers.json").all("hosts")
    found = [(key, number) for key, number in numbers.items() if key.split("/")[-1] == identity.split("/")[-1]]
    assert len(found) == 1, f"{identity} stands for {[key for key, _number in found] or 'no host'}"
    place = Place(LAB.root)
    return Container(place.host_folder(found[0][1]), place.name, found[0][1])


def as_root(identity: str, script: str, *, check: bool = True) -> str:
    """What a script prints in that host, without asking anything of the host's."""
    return enter(container(identity), identity, script, check=check).stdout


def ssh(address: str, account: str, key: Path, command: str = "sudo -n id -u") -> subprocess.CompletedProcess[str]:
    """A login over a connection of its own, as the controller, with no other key and no agent."""
    options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=8", "ControlMaster=no",
               "ControlPath=none", "IdentitiesOnly=yes", "IdentityAgent=none"]
    words = ["ssh", "-F", "none", "-i", str(key), *(word for option in options for word in ("-o", option)), f"{account}@{address}", command]
    return subprocess.run([*inside(LAB), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def answers(address: str, port: int) -> bool:
    """Whether the controller reaches a TCP port there; a refusal by the host itself counts, what a firewall drops does not."""
    script = (f"import socket\ntry:\n    socket.create_connection(({address!r}, {port}), 3)\n"
              "except ConnectionRefusedError:\n    pass\n")
    return subprocess.run([*inside(LAB), sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def playbook(book: Path, inventory: Path, *words: str, ok: bool = True, cwd: Path | None = None, environment: dict[str, str] | None = None,
             seconds: float = 600) -> str:
    """A playbook as the lab's controller runs it; its output. Fails the test with what it told when it ends otherwise than ``ok``."""
    home = str(cwd or inventory.parent)
    # the lab tells Ansible where collections are, whatever the environment says
    collections = (environment or {}).get("ANSIBLE_COLLECTIONS_PATH")
    given = ["env", f"ANSIBLE_COLLECTIONS_PATH={collections}"] if collections else []
    lab = [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(LAB.root), "exec"]
    variables = {**os.environ, "FLEET_LAB_FLEET": str(inventory), "PWD": home, "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_PIPELINING": "1",
                 "ANSIBLE_NOCOLOR": "1",
                 "ANSIBLE_HOME": f"{home}/.ansible", "LC_ALL": "C.UTF-8", **(environment or {})}
    command = [*lab, *given, "ansible-playbook", "-i", str(inventory), str(book), *words]
    done = subprocess.run(command, cwd=home, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds, check=False)
    (Path(home) / "out").write_text(done.stdout, encoding="utf-8")
    failures = [line[:900] for line in done.stdout.splitlines() if re.match(r"fatal|failed:|\[ERROR|\[WARNING|TASK.*\n.*fatal|.*failed=[1-9]", line)]
    assert (done.returncode == 0) is ok, "\n".join(failures) or done.stdout[-3000:]
    assert "Traceback" not in done.stdout
    return done.stdout


def changed(out: str) -> dict[str, int]:
    """Host -> tasks that changed something, by the recap."""
    return {host: int(number) for host, number in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", out, re.MULTILINE)}


# ---------------------------------------------------------------------------------------------------- the report's page
STATUSES = ("changed", "would_change", "right", "not_possible", "left_out", "failed")


class Page(html.parser.HTMLParser):
    """The page as its reader sees it: tables of cells with the class of each, by the heading that stands above."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.heading = ""
        self.tables: list[tuple[str, list[list[tuple[str, str]]]]] = []
        self._open: list[str] = []
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?:src|href)=[\"']?(?:https?:|//)", text), "the page needs the network"
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "h2":
            self.heading = ""
        elif tag == "table":
            self.tables.append((self.heading, []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append((dict(attrs).get("class") or "", ""))
        elif tag == "br":
            self.handle_data("\n")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "h2" in self._open[-1:]:
            self.heading += data
        elif {"td", "th"} & set(self._open) and self.tables and self.tables[-1][1]:
            row = self.tables[-1][1][-1]
            row[-1] = (row[-1][0], row[-1][1] + data)

    def systems(self) -> dict[str, tuple[str, str]]:
        """Host -> (system, what it works for), of the first table."""
        return {row[0][1]: (row[1][1], row[2][1]) for row in self.tables[0][1][1:]}

    def controls(self) -> dict[str, dict[str, str]]:
        """Host -> control -> status, of all tables of controls. A name that a later area has too ends in its table's number there."""
        found: dict[str, dict[str, str]] = {}
        for number, (_heading, rows) in enumerate(self.tables):
            if not rows or rows[0][0][1] != "Control":
                continue
            hosts = [cell[1] for cell in rows[0][1:]]
            for row in rows[1:]:
                control = row[0][1].split("\n")[1].split("\u00b7")[0].strip()
                for host, (classes, _sign) in zip(hosts, row[1:], strict=True):
                    status = [word for word in classes.split() if word in STATUSES]
                    if status:
                        mine = found.setdefault(host, {})
                        mine[control if control not in mine else f"{control} {number}"] = status[0]
        return found


def told(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Host -> control -> its row, of the JSON beside the page."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for file in folder.glob("*.json"):
        data = json.loads(file.read_text(encoding="utf-8"))
        found[data["host"]] = {row["control"]: row for area in data["areas"].values() for row in area["controls"]}
    return found
