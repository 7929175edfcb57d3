# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text of the dead man's switch: POSIX sh, nothing but the node's own programs. Pure.

``switch.sh boot|now`` puts everything back; ``wait NONCE`` does so once the time is up, or at once when the run that changes things has died;
``confirm NONCE`` keeps it; ``state`` tells. It answers in lines "FLEET word ...".
All of it is functions until the last line, because it removes the folder it lies in while it runs.
"""
from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from .reloads import COMMANDS
from .undo import Step

_HEAD = r"""#!/bin/sh
# Written by hybridops.fleet: brings back what was here before a change that nobody has confirmed.
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
say() { printf 'FLEET %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
systemd_runs() { [ -d /run/systemd/system ] && has systemctl; }
block= # at boot nothing may wait for units that wait for us

file() { # NUMBER PATH: a rename needs no room; what is gone from here has been put back already
  if [ ! -f "$PENDING/$1" ]; then return; fi
  if [ -L "$2" ]; then rm -f "$2"; fi
  mkdir -p "$(dirname "$2")"
  mv -f "$PENDING/$1" "$2" 2>/dev/null || cat "$PENDING/$1" >"$2"
  label "$2"
}
gone() { # PATH
  if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir "$1" 2>/dev/null; else rm -f "$1"; fi
}
linked() { # TARGET PATH
  rm -f "$2"
  ln -s "$1" "$2"
}
folder() { # MODE OWNER PATH
  mkdir -p "$3"
  moded "$1" "$2" "$3"
  label "$3"
}
moded() { # MODE OWNER PATH
  if [ -e "$3" ]; then chown "$2" "$3" && chmod "$1" "$3"; fi
}
label() { if [ -e /sys/fs/selinux/enforce ] && has restorecon; then restorecon -i "$1" 2>/dev/null; fi; }
kernel() { # PATH VALUE
  if [ -e "$1" ]; then printf '%s\n' "$2" >"$1" 2>/dev/null; fi
}
unit() { # NAME STATE RUNS
  if ! systemd_runs; then return; fi
  case $(systemctl is-enabled "$1" 2>/dev/null) in masked) [ "$2" = masked ] || systemctl -q unmask "$1" ;; esac
  case $2 in
  masked) systemctl -q mask "$1" ;;
  enabled) systemctl -q enable "$1" ;;
  disabled) systemctl -q disable "$1" ;;
  esac
  case $3 in
  yes)
    if [ -z "$block" ]; then systemctl daemon-reload; fi # its file may have come back a moment ago
    systemctl $block start "$1"
    ;;
  no) systemctl $block stop "$1" ;;
  esac
}

lock() { # SECONDS
  mkdir -p "$RUN"
  exec 9>"$RUN/lock" || return 1
  if has flock; then flock -w "$1" 9; fi
}

stop_waiting() { # UNIT, or the number of a group of processes; it ends by itself, so nobody waits for systemd, which may hang on that
  case $1 in
  '') ;;
  *[!0-9]*) systemctl --no-block stop "$1.service" 2>/dev/null 9>&- ;;
  *) kill -s TERM -- "-$1" 2>/dev/null ;;
  esac
}

# Seconds since the boot, which no step of the clock and no reload of systemd moves.
uptime() { read -r seconds rest </proc/uptime && printf '%s\n' "${seconds%%.*}"; }

# The run holds the lock for as long as it changes things; who dies lets go.
run_died() { [ -f "$PENDING/changing" ] && has flock && flock -n "$RUN/lock" true; }

mine() { [ "$(cat "$PENDING/nonce" 2>/dev/null)" = "$1" ]; }

wait_for() { # NONCE
  while mine "$1" && [ "$(uptime)" -lt "$(cat "$PENDING/deadline")" ] 2>/dev/null; do
    if run_died; then break; fi
    sleep 1
  done
  if ! mine "$1"; then return; fi
  if ! lock 30; then # a run that hangs may not keep it for ever
    kill -s KILL "$(cat "$PENDING/changing" 2>/dev/null)" 2>/dev/null
    lock 30
  fi
  if mine "$1"; then restore timer >/dev/null 2>&1; fi
}

drop_unit() { rm -f "$UNITS/sysinit.target.wants/$UNIT.service" "$UNITS/$UNIT.service"; }

away() { # everything of the switch
  waiter=$(cat "$PENDING/waiter" 2>/dev/null)
  drop_unit
  rm -rf "$PENDING.gone"
  mv "$PENDING" "$PENDING.gone" && rm -rf "$PENDING.gone"
}
"""

_TAIL = r"""
restore() { # WHY
  [ -f "$PENDING/nonce" ] || return 0
  if [ "$1" = boot ]; then block=--no-block; fi
  printf '%s\n' "$1" >"$RUN/switched-back" 2>/dev/null
  back 9>&-
  away
  if systemd_runs; then systemctl daemon-reload 9>&-; fi
  if [ "$1" != boot ]; then reload 9>&-; fi
  if has logger; then logger -t hybridops-fleet "what was not confirmed is as it was before ($1)" 2>/dev/null; fi
  if [ "$1" = now ]; then stop_waiting "$waiter"; fi
}

confirm() { # NONCE
  if ! mine "$1"; then
    say "gone $(cat "$RUN/switched-back" 2>/dev/null)"
    return
  fi
  empty=
  kept 9>&-
  away
  if [ -n "$empty" ]; then rmdir "$empty" "$(dirname "$empty")" 2>/dev/null; fi
  stop_waiting "$waiter"
  if systemd_runs; then systemctl daemon-reload 9>&-; fi
  rm -f "$RUN/switched-back"
  say confirmed
}

main() {
  case $1 in
  wait) wait_for "$2" ;;
  boot | now) lock 900 && restore "$1" >/dev/null 2>&1 ;;
  confirm) lock 900 && confirm "$2" ;;
  state) if [ -f "$PENDING/nonce" ]; then say "armed $(cat "$PENDING/nonce")"; else say "calm $(cat "$RUN/switched-back" 2>/dev/null)"; fi ;;
  drop) drop_unit ;;
  esac
}
main "$@"; exit $?
"""

_UNIT = """[Unit]
Description=What was here before a change of hybridops.fleet that nobody has confirmed
ConditionPathExists={pending}/switch.sh
DefaultDependencies=no
RequiresMountsFor={pending}
After=local-fs.target systemd-remount-fs.service
Before=sysinit.target ssh.service sshd.service ssh.socket sshd.socket nftables.service firewalld.service network-pre.target

[Service]
Type=oneshot
ExecStart=/bin/sh {pending}/switch.sh boot
"""


def step(step: Step, number: int, real: Callable[[str], str]) -> str:
    """The line that performs a step of ``undo``. number: names the former content in the switch's folder; real: path on the node -> path here."""
    do = step["do"]
    if do == "path":
        kind, path = step["type"], real(step["path"])
        if kind == "absent":
            return line("gone", path)
        if kind == "link":
            return line("linked", step["link"], path)
        if kind == "folder":
            return line("folder", _mode(step), _owner(step), path)
        return line("file", str(number), path)
    if do == "mode":
        return line("moded", _mode(step), _owner(step), real(step["path"]))
    if do == "sysctl":
        return line("kernel", real("/proc/sys/" + "/".join(part.replace("/", ".") for part in step["key"].split("."))), step["value"])
    if do == "unit":
        runs = "" if step.get("active") is None else "yes" if step["active"] else "no"
        return line("unit", step["name"], step.get("enabled") or "", runs)
    return line(*step["words"])


def whole(lines: Sequence[str], reloads: Sequence[str], state: str, run: str, unit: str, units: str, kept: Sequence[str] = ()) -> str:
    """The script. lines: steps in the order in which they are to be taken; state: folder of the record; run: folder that is empty after a boot;
    unit, units: what runs it at the next boot, and the folder that lies in; kept: lines of what is due once all is confirmed."""
    names = {"RUN": run, "PENDING": state + "/pending", "UNIT": unit, "UNITS": units}
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in names.items())
    again = [words for name in reloads for words in _reload(name)]
    return "".join([_HEAD, head, _function("back", lines), _function("reload", again), _function("kept", kept), _TAIL])


def unit(pending: str) -> str:
    """The unit that runs it at the next boot, before anything that could let nobody in."""
    return _UNIT.format(pending=pending)


# ---------------------------------------------------------------------------------------------------- details
def line(*words: str) -> str:
    """A command as sh reads it."""
    return " ".join(shlex.quote(word) for word in words)


def _function(name: str, lines: Sequence[str]) -> str:
    return "{}() {{\n{}  :\n}}\n".format(name, "".join("  " + words + "\n" for words in lines))


def _mode(step: Step) -> str:
    return "{:04o}".format(step["mode"])


def _owner(step: Step) -> str:
    return "{}:{}".format(step["uid"], step["gid"])


def _reload(name: str) -> list[str]:
    """What a name of ``reloads`` stands for; all of it is tried, since what does not run here does no harm."""
    if name == "systemd":
        return []
    if name.startswith("unit:"):
        return ["systemd_runs && " + line("systemctl", "try-restart", name[5:])]
    return [f"has {shlex.quote(words[0])} && {line(*words)}" for words in COMMANDS.get(name, [])]
