# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# shellcheck shell=sh disable=SC2154,SC2034
# Part of node.sh: the fleet's admin, its right to sudo, and keys.
user_field() { # USER NUMBER
  getent passwd "$1" 2>/dev/null | cut -d: -f"$2" | head -n 1
}
has getent || user_field() { awk -F: -v user="$1" -v field="$2" '$1 == user { print $field; exit }' /etc/passwd; }

make_admin() {
  if [ -n "$(user_field "$F_ADMIN" 3)" ]; then return; fi
  say "did made the account $F_ADMIN"
  if [ "$F_CHECK" = 1 ]; then return; fi
  shell=/bin/bash
  [ -x $shell ] || shell=/bin/sh
  # no password fits '*', and unlike '!' it does not make sshd take the account for a locked one
  if has useradd; then
    if grep -q "^$F_ADMIN:" /etc/group; then group="-g $F_ADMIN"; else group=-U; fi
    # shellcheck disable=SC2086
    words=$(useradd -m -s $shell -c 'Fleet administrator' $group -p '*' "$F_ADMIN" 2>&1) || {
      room /etc /home
      fail account "useradd $F_ADMIN: $words"
    }
  else
    words=$(adduser -D -s $shell -g 'Fleet administrator' "$F_ADMIN" 2>&1) || fail account "adduser $F_ADMIN: $words"
    printf '%s:*\n' "$F_ADMIN" | chpasswd -e >/dev/null 2>&1 || fail account "the password of $F_ADMIN cannot be switched off"
  fi
}

check_admin() { # an account that was there before must be one that can log in
  if [ "$(user_field "$F_ADMIN" 3)" = 0 ]; then fail account "$F_ADMIN is another name of root; choose another access_admin_user"; fi
  case $(user_field "$F_ADMIN" 7) in
  */nologin | */false) fail account "the shell of $F_ADMIN is $(user_field "$F_ADMIN" 7): nobody can log in to it; choose another access_admin_user" ;;
  esac
}

sudo_rights() {
  if ! has sudo; then fail no_sudo "sudo is not installed on the node, so $F_ADMIN could do nothing there"; fi
  target=/etc/sudoers.d/hybridops-fleet
  printf '# Written by hybridops.fleet.access.\nDefaults:%s !requiretty\n%s ALL=(ALL:ALL) NOPASSWD: ALL\n' "$F_ADMIN" "$F_ADMIN" >"$WORK/sudoers" || fail_write "$WORK/"
  if cmp -s "$WORK/sudoers" $target; then return; fi
  say "did gave $F_ADMIN the right to sudo"
  if [ "$F_CHECK" = 1 ]; then return; fi
  if has visudo; then
    words=$(visudo -cf "$WORK/sudoers" 2>&1) || fail sudo "visudo refuses the rule: $words"
  fi
  if [ ! -d /etc/sudoers.d ]; then mkdir -m 0750 /etc/sudoers.d || fail_write /etc/sudoers.d; fi
  put "$WORK/sudoers" $target 0440 0:0
  if [ ! -f /etc/sudoers ]; then return; fi
  grep -Eq '^[#@]includedir[[:space:]]+/etc/sudoers.d' /etc/sudoers || {
    { cat /etc/sudoers && printf '@includedir /etc/sudoers.d\n'; } >"$WORK/sudoers-main"
    words=$(visudo -cf "$WORK/sudoers-main" 2>&1) || fail sudo "/etc/sudoers does not include /etc/sudoers.d: $words"
    put "$WORK/sudoers-main" /etc/sudoers 0440 0:0
  }
}

key_files() { # USER PATTERNS...: the files in which sshd looks for the user's keys
  owner=$1
  home=$(user_field "$owner" 6)
  shift
  for pattern; do
    case $pattern in none) continue ;; esac
    path=$(printf '%s' "$pattern" | awk -v home="$home" -v user="$owner" '{
      out = ""
      while (match($0, /%[%hu]/)) {
        mark = substr($0, RSTART + 1, 1)
        out = out substr($0, 1, RSTART - 1) (mark == "h" ? home : mark == "u" ? user : "%")
        $0 = substr($0, RSTART + 2)
      }
      print out $0 }')
    case $path in
    /*) printf '%s\n' "$path" ;;
    *) printf '%s/%s\n' "${home%/}" "$path" ;;
    esac
  done
}

add_keys() { # USER: the fleet's keys into the first file sshd looks into
  owner=$1
  patterns=$(effective "$MAIN" "$owner" | sed -n 's/^authorizedkeysfile //p')
  # shellcheck disable=SC2086
  file=$(key_files "$owner" ${patterns:-.ssh/authorized_keys} | head -n 1)
  if [ -z "$file" ]; then fail keys "sshd looks for no authorized_keys file (AuthorizedKeysFile none), so no key could open $owner"; fi
  uid=$(user_field "$owner" 3)
  if [ -z "$uid" ]; then # check mode, and the account would be made
    say "did added the fleet's keys for $owner"
    return
  fi
  gid=$(user_field "$owner" 4)
  home=$(user_field "$owner" 6)
  # the user owns the place: a link there could lead root astray
  if [ -L "$file" ] || [ -L "$(dirname "$file")" ]; then fail keys "$file or its folder is a symbolic link; make it a plain one"; fi
  if [ -f "$file" ]; then cat "$file" >"$WORK/keys"; else : >"$WORK/keys"; fi || fail_write "$WORK/"
  [ -s "$WORK/keys" ] && [ -n "$(tail -c 1 "$WORK/keys")" ] && echo >>"$WORK/keys"
  cp "$WORK/keys" "$WORK/keys-before" || fail_write "$WORK/"
  printf '%s\n' "$F_KEYS" | while read -r line; do
    text=$(printf '%s\n' "$line" | key_blob)
    if [ -n "$text" ] && ! grep -qxF -- "$line" "$WORK/keys" && ! usable "$text" <"$WORK/keys"; then printf '%s\n' "$line" >>"$WORK/keys"; fi
  done
  if cmp -s "$WORK/keys" "$WORK/keys-before"; then
    own_keys "$file"
    return
  fi
  say "did added the fleet's keys for $owner"
  if [ "$F_CHECK" = 1 ]; then return; fi
  folder=$(dirname "$file")
  case $folder in
  "$home"/*)
    for part in "$home" "$folder"; do
      if [ ! -d "$part" ] && ! { mkdir -p "$part" && chmod 0700 "$part" && chown "$uid:$gid" "$part"; } 2>/dev/null; then fail_write "$part"; fi
    done
    if has restorecon; then restorecon "$folder" 2>/dev/null; fi
    put "$WORK/keys" "$file" 0600 "$uid:$gid"
    ;;
  *)
    if [ ! -d "$folder" ] && ! { mkdir -p "$folder" && chmod 0755 "$folder"; } 2>/dev/null; then fail_write "$folder"; fi
    put "$WORK/keys" "$file" 0644 0:0
    ;;
  esac
  own_keys "$file"
}

own_keys() { # FILE of $owner: owned and closed so that StrictModes takes it
  if [ "$F_CHECK" = 1 ]; then return; fi
  case $1 in
  "$home"/*)
    if ! { chown "$uid:$gid" "$1" "$(dirname "$1")" && chmod go-w "$1" "$(dirname "$1")"; }; then fail_write "$1"; fi
    # a home of 0777 would make sshd refuse the keys
    chmod go-w "$home"
    ;;
  esac
}

key_blob() { awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^AAAA[A-Za-z0-9+\/]+=*$/) { print $i; exit } }'; }

usable() { # BLOB: whether a line that is not held back by a forced command or the like has it
  awk -v wanted="$1" '$1 !~ /^#/ && $2 == wanted { found = 1 } END { exit !found }'
}
