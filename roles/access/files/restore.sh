# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# shellcheck shell=sh
# The dead man's switch: puts back what node.sh has changed, unless it was confirmed. It lies beside the old files on the node and
# is started by a timer, by the next boot, or by node.sh itself. $1: timer, boot, quiet (no reload) or now.
restore() {
  [ -f "$PENDING/files" ] || return 0
  while read -r number kind path; do
    case $kind in
    # a rename needs no room on a full disk; a file that is gone from here has been put back already
    was) if [ -f "$PENDING/$number" ]; then mv -f "$PENDING/$number" "$path"; fi ;;
    new) rm -f "$path" ;;
    esac
    if has restorecon && [ -e "$path" ]; then restorecon "$path" 2>/dev/null; fi
  done <"$PENDING/files"
  timer=$(cat "$PENDING/timer" 2>/dev/null)
  drop_units
  printf '%s\n' "$1" >"$STATE/access-restored" 2>/dev/null
  rm -rf "$PENDING.gone"
  mv "$PENDING" "$PENDING.gone" && rm -rf "$PENDING.gone"
  case $1 in
  boot | quiet) ;;
  *) reload_sshd ;;
  esac
  if has logger; then logger -t hybridops-fleet "the old SSH configuration is back ($1)" 2>/dev/null; fi
  if [ "$1" != timer ] && [ "$1" != boot ]; then stop_timer "$timer"; fi
  return 0
}

stop_timer() { # UNIT, or the process group of the fallback
  case $1 in
  '') ;;
  *[!0-9]*) systemctl stop "$1.timer" 2>/dev/null 9>&- ;;
  *) kill -s TERM -- "-$1" 2>/dev/null ;;
  esac
}
