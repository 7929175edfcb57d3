# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# shellcheck shell=sh disable=SC2154,SC2034
# Part of node.sh: failures in words, and writes that are whole or not at all.
fail() { # CODE TEXT
  code=$1
  shift
  say "failed $code $(printf '%s' "$*" | tr '\n' ' ')"
  exit 3
}

fail_write() { # PATH WORDS: a write that failed, said with the state of the disk
  place=$1
  [ -d "$place" ] || place=$(dirname "$place")
  free=$(df -Pk "$place" 2>/dev/null | awk 'NR == 2 { print $4 " KiB free on " $6 }')
  inodes=$(df -Pi "$place" 2>/dev/null | awk 'NR == 2 && $2 > 0 { print $4 }')
  case "${2:-}|$free" in
  *'No space left'* | *[Qq]uota* | '|'[0-9]' KiB'* | '|'[0-9][0-9]' KiB'*) fail disk_full "cannot write $1: the disk is full ($free)" ;;
  esac
  if [ "$inodes" = 0 ]; then fail disk_full "cannot write $1: the disk has no inodes left"; fi
  fail write "cannot write $1 (${2:-$free}; is it read-only or immutable?)"
}

room() { # DIRECTORY...: can something be written there? Asked before anything is touched.
  for directory; do
    while [ ! -d "$directory" ]; do directory=$(dirname "$directory"); done
    probe=$directory/.hybridops-fleet-room.$$
    words=$(dd if=/dev/zero of="$probe" bs=1024 count=64 2>&1) || {
      rm -f "$probe"
      fail_write "$directory" "$words"
    }
    rm -f "$probe"
  done
}

put() { # SOURCE TARGET MODE OWNER: whole or not at all; a target that is there keeps mode, owner and label
  # a name nobody can foresee: the folder may be a user's, and a link there would lead root astray
  spare=$(mktemp "$2.hybridops-fleet-XXXXXX" 2>/dev/null) || fail_write "$2"
  if [ -e "$2" ]; then
    cp -p "$2" "$spare" 2>/dev/null && cat "$1" >"$spare" 2>/dev/null
  else
    cat "$1" >"$spare" 2>/dev/null && chmod "$3" "$spare" && chown "$4" "$spare"
  fi || {
    rm -f "$spare"
    fail_write "$2"
  }
  if ! cmp -s "$1" "$spare" || ! mv -f "$spare" "$2"; then
    rm -f "$spare"
    fail_write "$2"
  fi
  if has restorecon; then restorecon "$2" 2>/dev/null; fi
}
