# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# shellcheck shell=sh
# shellcheck disable=SC2154  # the F_ variables stand in lines before this text
# What role access does on a node, as root. Sent over ssh with F_MODE (apply, confirm, restore, state, key_out) and its values; nothing of
# it stays on the node but the dead man's switch while it is armed. Answers are lines "FLEET word ...".
DROPIN=/etc/ssh/sshd_config.d/00-hybridops-fleet.conf
MAIN=/etc/ssh/sshd_config
[ -f $MAIN ] || MAIN=/usr/etc/ssh/sshd_config # SUSE keeps its defaults apart
BEGIN='# BEGIN hybridops.fleet.access'
END='# END hybridops.fleet.access'

fail() { # CODE TEXT
  code=$1
  shift
  say "failed $code $(printf '%s' "$*" | tr '\n' ' ')"
  exit 3
}

fail_write() { # PATH: a write that failed, said with the state of the disk
  free=$(df -Pk "$(dirname "$1")" 2>/dev/null | awk 'NR == 2 { print $4 " KiB free on " $6 }')
  case $free in
  0\ * | [1-9]\ * | [1-9][0-9]\ *) fail disk_full "cannot write $1: the disk is full ($free)" ;;
  esac
  inodes=$(df -Pi "$(dirname "$1")" 2>/dev/null | awk 'NR == 2 && $2 > 0 { print $4 }')
  if [ "$inodes" = 0 ]; then fail disk_full "cannot write $1: the disk has no inodes left"; fi
  fail write "cannot write $1 ($free; is it read-only or immutable?)"
}

# ---------------------------------------------------------------------------------------------------- writing
room() { # DIRECTORY...: can something be written there? Asked before anything is touched.
  for directory; do
    while [ ! -d "$directory" ]; do directory=$(dirname "$directory"); done
    probe=$directory/.hybridops-fleet-room.$$
    if ! dd if=/dev/zero of="$probe" bs=1024 count=64 2>/dev/null; then
      rm -f "$probe"
      fail_write "$directory/"
    fi
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

# ---------------------------------------------------------------------------------------------------- accounts
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
  if ! has sudo; then fail sudo "sudo is not installed on the node, so $F_ADMIN could do nothing there; install it in the image"; fi
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

# ---------------------------------------------------------------------------------------------------- keys
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

# ---------------------------------------------------------------------------------------------------- sshd's configuration
effective() { # FILE USER: the values that hold for a user
  privilege_folder
  "$(sshd_program)" -T -f "$1" -C "user=$2,host=fleet.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22" 2>/dev/null
}

includes() { # FILE: the patterns it includes, absolute
  awk '{ line = $0; sub(/^[ \t]+/, "", line); if (tolower(line) !~ /^include[ \t=]/) next
    sub(/^[A-Za-z]+[ \t=]+/, "", line); count = split(line, part, /[ \t]+/)
    for (i = 1; i <= count; i++) { gsub(/"/, "", part[i]); if (part[i] != "") print (part[i] ~ /^\// ? "" : "/etc/ssh/") part[i] } }' "$1"
}

config_files() ( # FILE DEPTH: it and all it includes
  printf '%s\n' "$1"
  if [ "$2" -ge 8 ]; then return; fi
  for pattern in $(includes "$1"); do
    for file in $pattern; do
      if [ -f "$file" ]; then config_files "$file" $(($2 + 1)); fi
    done
  done
)

block() { # what holds for everybody
  printf '%s\n' '# Written by hybridops.fleet.access; run the role again instead of editing it.'
  printf '%s\n' 'PubkeyAuthentication yes' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' 'PermitEmptyPasswords no'
  # its name before OpenSSH 8.7
  if effective "$MAIN" root | grep -q '^challengeresponseauthentication '; then printf 'ChallengeResponseAuthentication no\n'; fi
  printf 'PermitRootLogin %s\n' "$F_ROOT"
  # a list of who may log in goes on, it does not start anew; without one everybody may, and a list would lock others out
  names=$(awk '$1 == "allowusers" { for (i = 2; i <= NF; i++) print $i }' "$WORK/bare")
  if [ -n "$names" ] && ! printf '%s\n' "$names" | grep -qx "$F_ADMIN"; then printf 'AllowUsers %s\n' "$F_ADMIN"; fi
  if [ -n "$names" ] && [ "$F_ROOT" != no ] && ! printf '%s\n' "$names" | grep -qx root; then printf 'AllowUsers root\n'; fi
  groups=$(awk '$1 == "allowgroups" { for (i = 2; i <= NF; i++) print $i }' "$WORK/bare")
  if [ -n "$groups" ]; then
    mine=$(id -Gn "$F_ADMIN" 2>/dev/null || printf '%s' "$F_ADMIN")
    known=0
    for group in $mine; do if printf '%s\n' "$groups" | grep -qx "$group"; then known=1; fi; done
    if [ $known = 0 ]; then printf 'AllowGroups %s\n' "${mine%% *}"; fi
  fi
}

quiet_matches() { # FILE: without lines that would turn passwords, or root's password, on again for some
  awk -v begin="$BEGIN" -v end="$END" '
    $0 == begin { ours = 1 }
    ours { if ($0 == end) ours = 0; next }
    { line = tolower($0); sub(/^[ \t]+/, "", line); gsub(/[ \t"=]+/, " ", line); split(line, word, " ") }
    word[1] == "match" { inside = !(word[2] == "all" && word[3] == "") }
    inside && word[2] != "no" && word[1] ~ /^(passwordauthentication|kbdinteractiveauthentication|challengeresponseauthentication|skeyauthentication|permitemptypasswords)$/ ||
    inside && word[1] == "permitrootlogin" && word[2] == "yes" { print "# hybridops.fleet.access, as it would hold for some: " $0; next }
    { print }' "$1"
}

redirected() { # TREE: a copy of TREE below TREE.test whose includes stay in the copy, for sshd to read; says its main file
  rm -rf "$1.test"
  find "$1" -type f | while read -r file; do
    name=${file#"$1"}
    mkdir -p "$1.test$(dirname "$name")"
    awk -v tree="$1.test" '{ line = $0; sub(/^[ \t]+/, "", line); if (tolower(line) !~ /^include[ \t=]/) { print; next }
      sub(/^[A-Za-z]+[ \t=]+/, "", line); count = split(line, part, /[ \t]+/); out = "Include"
      for (i = 1; i <= count; i++) { gsub(/"/, "", part[i]); if (part[i] != "") out = out " " tree (part[i] ~ /^\// ? "" : "/etc/ssh/") part[i] }
      print out }' "$file" >"$1.test$name" || exit 1
  done || fail_write "$1"
  printf '%s\n' "$1.test$MAIN"
}

passwords_off() { # FILE: whether a configuration holds for all; says what does not
  {
    printf '%s\n' root "$F_ADMIN" "$F_LOGIN" fleet-nobody
    awk -F: '$2 ~ /^[$_a-zA-Z0-9.\/]/ && length($2) > 8 { print $1 }' /etc/shadow 2>/dev/null | head -n 40
  } | sort -u | while read -r user; do
    if [ -z "$user" ]; then continue; fi
    effective "$1" "$user" | awk -v user="$user" -v root="$F_ROOT" '
      BEGIN { seen = 0 }
      { seen = 1 }
      $1 == "passwordauthentication" && $2 != "no" { print "PasswordAuthentication " $2 " for " user }
      $1 ~ /^(kbdinteractive|challengeresponse)authentication$/ && $2 != "no" { print $1 " " $2 " for " user }
      $1 == "permitemptypasswords" && $2 != "no" { print "PermitEmptyPasswords " $2 " for " user }
      $1 == "pubkeyauthentication" && $2 != "yes" { print "PubkeyAuthentication " $2 " for " user }
      $1 == "permitrootlogin" && user == "root" && !($2 == "no" || root != "no" && $2 ~ /^(without|prohibit)-password$/) { print "PermitRootLogin " $2 }
      END { if (!seen) print "sshd does not say what holds for " user }'
  done
}

stage() { # the wanted configuration below $WORK/new, tested; nothing of the node is touched
  words=$(sshd_valid) || fail sshd_invalid "sshd's configuration does not validate as it is, before anything was changed: $words"
  config_files "$MAIN" 0 | sort -u >"$WORK/list"
  while read -r file; do
    if ! { mkdir -p "$WORK/new$(dirname "$file")" && quiet_matches "$file" >"$WORK/new$file"; }; then fail_write "$WORK/"; fi
  done <"$WORK/list"
  rm -f "$WORK/new$DROPIN"
  effective "$(redirected "$WORK/new")" "$F_ADMIN" >"$WORK/bare"
  block >"$WORK/block" || fail_write "$WORK/"
  # the first value counts, so ours go first: into a file of their own where that is read first, else to the top
  if includes "$MAIN" | grep -Eq '^/etc/ssh/sshd_config\.d/\*(\.conf)?$'; then
    mkdir -p "$WORK/new/etc/ssh/sshd_config.d"
    cp "$WORK/block" "$WORK/new$DROPIN" || fail_write "$WORK/"
    left=$(passwords_off "$(redirected "$WORK/new")")
    if [ -z "$left" ]; then return; fi
    rm -f "$WORK/new$DROPIN"
  fi
  { printf '%s\n' "$BEGIN" && cat "$WORK/block" && printf '%s\n' "$END" && cat "$WORK/new$MAIN"; } >"$WORK/top" || fail_write "$WORK/"
  mv "$WORK/top" "$WORK/new$MAIN"
  left=$(passwords_off "$(redirected "$WORK/new")")
  if [ -n "$left" ]; then fail not_effective "the configuration would not hold: $(printf '%s' "$left" | head -n 3 | tr '\n' ';') look at the Match blocks of $MAIN"; fi
}

differing() { # files of the node that are not as wanted
  {
    (cd "$WORK/new" && find . -type f | sed 's/^\.//')
    if [ -f "$DROPIN" ] && [ ! -f "$WORK/new$DROPIN" ]; then printf '%s\n' "$DROPIN"; fi
  } | sort -u | while read -r file; do
    if ! cmp -s "$WORK/new$file" "$file"; then printf '%s\n' "$file"; fi
  done
}

show_change() { # FILE: for --diff
  if [ -f "$1" ]; then sed "s|^|FLEET before $1 |" "$1"; fi
  if [ -f "$WORK/new$1" ]; then sed "s|^|FLEET after $1 |" "$WORK/new$1"; fi
}

# ---------------------------------------------------------------------------------------------------- the dead man's switch
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

# ---------------------------------------------------------------------------------------------------- what is asked for
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
