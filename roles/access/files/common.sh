# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# shellcheck shell=sh disable=SC2034
# Shared by node.sh and restore.sh: POSIX sh, no Python, no assumption on the distribution.
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
STATE=/etc/hybridops-fleet
PENDING=$STATE/access-pending
UNIT=hybridops-fleet-access-restore

say() { printf 'FLEET %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
systemd_runs() { [ -d /run/systemd/system ] && has systemctl; }

# One at a time: confirming and restoring must not meet. Descriptor 9 is closed for everything that lives on.
lock() {
  mkdir -p "$STATE" && chmod 0755 "$STATE" || return 1
  exec 9>"$STATE/lock" || return 1
  if has flock; then flock -w 30 9; fi
}

sshd_program() { command -v sshd 2>/dev/null || printf '/usr/sbin/sshd\n'; }

privilege_folder() { # Debian makes it only when the service starts, and sshd -t asks for it
  if [ ! -d /run/sshd ]; then mkdir /run/sshd 2>/dev/null && chmod 0755 /run/sshd; fi
}

sshd_valid() { # FILE...: what sshd says against its configuration, nothing when it is valid
  privilege_folder
  "$(sshd_program)" -t "$@" 2>&1 9>&-
}

reload_sshd() { # let the running server read its configuration; one that starts for each connection does so anyway
  if systemd_runs; then
    for service in ssh.service sshd.service; do
      if systemctl is-active --quiet "$service"; then systemctl reload "$service" 2>&1 9>&-; return; fi
    done
    for service in ssh.socket sshd.socket; do
      if systemctl is-active --quiet "$service"; then return 0; fi
    done
  elif has rc-service; then
    rc-service sshd reload 2>&1 9>&-
    return
  fi
  for file in /run/sshd.pid /var/run/sshd.pid; do
    if [ -f "$file" ]; then kill -HUP "$(cat "$file")" 2>&1; return; fi
  done
  if has service; then service ssh reload 2>&1 9>&- || service sshd reload 2>&1 9>&-; return; fi
  printf 'no running sshd was found\n'
  return 1
}

drop_units() { # what would bring the old configuration back
  if [ -d /run/systemd/system ] || [ -d /etc/systemd/system ]; then
    rm -f "/etc/systemd/system/multi-user.target.wants/$UNIT.service" "/etc/systemd/system/$UNIT.service"
  fi
  rm -f "/etc/local.d/$UNIT.start"
}
