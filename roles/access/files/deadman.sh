# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# shellcheck shell=sh disable=SC2154,SC2034
# Part of node.sh: the dead man's switch, armed before sshd's configuration changes.
arm() { # FILE...: from here on the old configuration comes back by itself, by a timer or at the next boot
  rm -rf "$PENDING.new" "$PENDING.gone"
  mkdir -m 0700 "$PENDING.new" || fail_write "$PENDING"
  number=0
  for file; do
    number=$((number + 1))
    kind=new
    if [ -f "$file" ]; then
      kind=was
      # another name of the same file needs no room; the new one gets its place by a rename
      ln "$file" "$PENDING.new/$number" 2>/dev/null || cp -p "$file" "$PENDING.new/$number" || fail_write "$PENDING"
    fi
    printf '%s %s %s\n' $number $kind "$file" >>"$PENDING.new/files" || fail_write "$PENDING"
  done
  # shellcheck disable=SC2016
  { printf '%s\nlock\nrestore "${1:-timer}"\n' "$F_RESTORE" >"$PENDING.new/restore.sh" && printf '%s\n' "$F_NONCE" >"$PENDING.new/nonce"; } || fail_write "$PENDING"
  sync 2>/dev/null
  mv "$PENDING.new" "$PENDING" || fail_write "$PENDING"
  rm -f "$STATE/access-restored"
  arm_boot
  timer=$(start_timer) || {
    disarm
    fail switch "the dead man's switch cannot be armed ($timer), so nothing was changed"
  }
  printf '%s\n' "$timer" >"$PENDING/timer" || {
    stop_timer "$timer"
    disarm
    fail_write "$PENDING"
  }
}

arm_boot() {
  if [ -d /run/systemd/system ]; then
    # it must run before sshd does, and not only when all else is up
    cat >"/etc/systemd/system/$UNIT.service" <<UNIT || fail_write /etc/systemd/system/
[Unit]
Description=The old SSH configuration, unless the fleet has confirmed the new one
ConditionPathExists=$PENDING/restore.sh
DefaultDependencies=no
After=local-fs.target systemd-remount-fs.service
Before=ssh.service sshd.service ssh.socket sshd.socket sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/sh $PENDING/restore.sh boot
UNIT
    chmod 0644 "/etc/systemd/system/$UNIT.service"
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -sf "../$UNIT.service" "/etc/systemd/system/multi-user.target.wants/$UNIT.service" || fail_write /etc/systemd/system/
  elif [ -d /etc/local.d ]; then
    printf '#!/bin/sh\nif [ -f %s/restore.sh ]; then /bin/sh %s/restore.sh now; fi\n' "$PENDING" "$PENDING" >"/etc/local.d/$UNIT.start" || fail_write /etc/local.d/
    chmod 0755 "/etc/local.d/$UNIT.start"
    if has rc-update; then rc-update add local default >/dev/null 2>&1; fi
  fi
}

start_timer() { # says what stops it again
  if systemd_runs && has systemd-run; then
    name=$UNIT-$F_NONCE
    words=$(systemd-run --quiet --unit="$name" --on-active="$F_SECONDS" --timer-property=AccuracySec=1s /bin/sh "$PENDING/restore.sh" timer 2>&1 9>&-)
    if systemctl is-active --quiet "$name.timer"; then
      printf '%s\n' "$name"
      return 0
    fi
  fi
  if has setsid; then
    # shellcheck disable=SC2016
    setsid sh -c 'echo $$ >"$1/fallback"; trap "" HUP; sleep "$2"; exec /bin/sh "$1/restore.sh" timer' fleet "$PENDING" "$F_SECONDS" </dev/null >/dev/null 2>&1 9>&- &
    sleep 1
    if [ -s "$PENDING/fallback" ]; then cat "$PENDING/fallback"; return 0; fi
  fi
  printf '%s\n' "${words:-neither systemd-run nor setsid works here}"
  return 1
}

disarm() { # without putting anything back
  timer=$(cat "$PENDING/timer" 2>/dev/null)
  rm -rf "$PENDING.gone"
  mv "$PENDING" "$PENDING.gone" && rm -rf "$PENDING.gone"
  drop_units
  stop_timer "$timer"
  if systemd_runs; then systemctl daemon-reload 2>/dev/null 9>&-; fi
  rm -f "$STATE/access-restored"
}
