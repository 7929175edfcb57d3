# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What reads its configuration again after a change: each once, at the end of a run."""
from __future__ import annotations

from typing import Iterable

from .system import System

SSHD = """for name in ssh sshd; do
  if systemctl --quiet is-active $name.socket; then
    systemctl daemon-reload && systemctl stop $name.service && systemctl restart $name.socket; exit
  fi
  if systemctl --quiet is-active $name.service; then systemctl reload $name.service; exit; fi
done 2>&1
for file in /run/sshd.pid /var/run/sshd.pid; do if [ -f $file ]; then kill -HUP $(cat $file); exit; fi; done"""
"""A server that systemd started for its socket dies of a reload, as it cannot bind its port anew; sessions go on when it stops. The last line is
for systems without systemd."""

GRUB = """config=/boot/grub/grub.cfg program=update-grub
command -v update-grub >/dev/null || { config=/boot/grub2/grub.cfg program="grub2-mkconfig -o $config"; }
command -v ${program%% *} >/dev/null || exit 0
mode=$(stat -c %a $config 2>/dev/null)
$program || exit
case $mode in ?00) chmod go= $config;; esac"""
"""A file that was closed to others stays so: GRUB's own program opens it to all where no password is in it."""

COMMANDS: dict[str, list[list[str]]] = {
    "systemd": [["systemctl", "daemon-reload"]],
    "sshd": [["/bin/sh", "-c", SSHD]],
    "journald": [["systemctl", "restart", "systemd-journald.service"]],
    "auditd": [["augenrules", "--load"]],
    "apparmor": [["systemctl", "reload", "apparmor.service"]],
    "timesyncd": [["systemctl", "try-restart", "systemd-timesyncd.service"]],
    "grub": [["/bin/sh", "-c", GRUB]],
    "rsyslog": [["systemctl", "try-restart", "rsyslog.service"]],
}
"""Name -> calls, the first of which whose unit or program is there is made. ``unit:NAME`` restarts that unit when it runs."""
FIRST = ("systemd",)
"""Before units are enabled or started."""


def perform(system: System, names: Iterable[str]) -> dict[str, str]:
    """Reload them. Gives those that failed, each with what was said."""
    failed: dict[str, str] = {}
    for name in names:
        words = _words(system, name)
        if words is None:
            continue
        answer = system.run(words, None, 90)
        if answer.rc:
            said = " ".join((answer.err or answer.out).split())[:300] or f"exit {answer.rc}"
            failed[name] = said if words[0] == "/bin/sh" else "{}: {}".format(" ".join(words), said)
    return failed


NEEDS = {"auditd": "auditd.service"}
"""Programs that reach nothing unless this unit runs."""


def _words(system: System, name: str) -> list[str] | None:
    if name.startswith("unit:"):
        return ["systemctl", "try-restart", name[5:]] if system.systemd and system.unit(name[5:]) else None
    if name in NEEDS and system.unit(NEEDS[name]).get("ActiveState") != "active":
        return None
    for words in COMMANDS.get(name, []):
        if words[0] != "systemctl":
            if system.has(words[0]):
                return words
        elif system.systemd and (len(words) == 2 or system.unit(words[-1]).get("ActiveState") in ("active", "reloading")):
            return words
    return None
