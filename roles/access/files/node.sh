# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# shellcheck shell=sh disable=SC2154,SC2034
# What role access does on a node, as root. Sent over ssh with F_MODE (apply, confirm, restore, state, key_out) and its values in lines before
# it, and the other files of this folder; nothing of it stays on the node but the dead man's switch while it is armed.
# Answers are lines "FLEET word ...".
apply() {
  check_admin
  if [ "$F_CHECK" != 1 ]; then
    home=$(user_field "$F_ADMIN" 6)
    if [ "$F_ROOT" = no ]; then room /etc /etc/ssh "$STATE" "${home:-/home}"; else room /etc /etc/ssh "$STATE" "${home:-/home}" /root; fi
    lock || fail_write "$STATE/"
    # what an earlier run has left unconfirmed is not what the next one may take for the old state
    if [ -f "$PENDING/files" ]; then
      restore quiet
      say "did put back what an earlier run had left unconfirmed"
    fi
  fi
  stage
  make_admin
  sudo_rights
  add_keys "$F_ADMIN"
  if [ "$F_ROOT" != no ]; then add_keys root; fi
  denied=$(effective "$MAIN" "$F_ADMIN" | awk '$1 == "denyusers" || $1 == "denygroups"' | head -n 2 | tr '\n' ' ')
  if [ -n "$denied" ]; then say "note sshd denies some: $denied"; fi
  files=$(differing)
  if [ -z "$files" ]; then
    say same
    return
  fi
  for file in $files; do
    say "did changed $file"
    show_change "$file"
  done
  if [ "$F_CHECK" = 1 ]; then return; fi
  # shellcheck disable=SC2086
  arm $files
  for file in $files; do
    if [ -f "$WORK/new$file" ]; then
      (put "$WORK/new$file" "$file" 0600 0:0) || {
        restore now >/dev/null
        exit 3
      }
    else
      rm -f "$file"
    fi
  done
  words=$(sshd_valid) || {
    restore now >/dev/null
    fail sshd_invalid "sshd -t refuses the new configuration, the old one is back: $words"
  }
  words=$(reload_sshd) || {
    restore now >/dev/null
    fail reload "sshd cannot be reloaded, the old configuration is back: $words"
  }
  say "pending $F_NONCE"
}

confirm() { # the fleet's key opens: the new configuration stays
  lock || fail_write "$STATE/"
  if [ "$(cat "$PENDING/nonce" 2>/dev/null)" != "$F_NONCE" ]; then
    say "gone $(cat "$STATE/access-restored" 2>/dev/null)"
    return
  fi
  left=$(passwords_off "$MAIN")
  if [ -n "$left" ]; then
    restore now >/dev/null
    fail not_effective "the new configuration does not hold, the old one is back: $left"
  fi
  disarm
  say confirmed
}

state() {
  if [ -f "$PENDING/files" ]; then say "armed $(cat "$PENDING/nonce" 2>/dev/null)"; else say "calm $(cat "$STATE/access-restored" 2>/dev/null)"; fi
}

key_out() { # the node's own key out of every file in which sshd could find it
  patterns=$({
    effective "$MAIN" root | sed -n 's/^authorizedkeysfile //p' | tr ' ' '\n'
    config_files "$MAIN" 0 | sort -u | while read -r file; do awk 'tolower($1) == "authorizedkeysfile" { for (i = 2; i <= NF; i++) print $i }' "$file"; done
    printf '%s\n' .ssh/authorized_keys .ssh/authorized_keys2
  } | sort -u)
  {
    if has getent; then getent passwd; else cat /etc/passwd; fi | cut -d: -f1 | while read -r user; do
      # shellcheck disable=SC2086
      key_files "$user" $patterns
    done
    # what provisioning agents keep beside them, and the files of homes whose account is gone
    for file in /root/.ssh/authorized_keys* /home/*/.ssh/authorized_keys* /home/*/.ssh/authorized_keys.d/* /root/.ssh/authorized_keys.d/* \
      /etc/ssh/authorized_keys* /etc/ssh/authorized_keys*/*; do
      printf '%s\n' "$file"
    done
  } | sort -u >"$WORK/list"
  while read -r file; do
    if [ ! -f "$file" ]; then continue; fi
    awk -v wanted="$F_OUT" 'BEGIN { count = split(wanted, part, " "); for (i = 1; i <= count; i++) out[part[i]] = 1 }
      { for (i = 1; i <= NF; i++) if ($i in out) next; print }' "$file" >"$WORK/rest" || fail_write "$WORK/"
    if cmp -s "$WORK/rest" "$file"; then continue; fi
    say "did took the node's key out of $file"
    if [ "$F_CHECK" != 1 ]; then
      # a link is followed: the key is where it leads to
      put "$WORK/rest" "$(readlink -f "$file")" 0600 0:0
    fi
  done <"$WORK/list"
  say out
}

main() {
  if [ "$(id -u)" != 0 ]; then fail sudo "$(id -un) may not become root with sudo"; fi
  WORK=$(mktemp -d /run/hybridops-fleet.XXXXXX 2>/dev/null || mktemp -d) || fail_write "${TMPDIR:-/tmp}/"
  probe=$WORK/probe
  trap 'rm -rf "$WORK" "$probe"' EXIT
  # PIPE: nobody listens any more, the controller is gone
  trap 'exit 3' HUP INT TERM PIPE
  case $F_MODE in
  apply) apply ;;
  confirm) confirm ;;
  restore) lock && restore now ;;
  state) state ;;
  key_out) key_out ;;
  esac
  say end
}
