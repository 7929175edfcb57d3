# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# shellcheck shell=sh disable=SC2154,SC2034
# Part of node.sh: sshd's configuration as it is and as it is to be. Works on copies only.
DROPIN=/etc/ssh/sshd_config.d/00-hybridops-fleet.conf
MAIN=/etc/ssh/sshd_config
[ -f $MAIN ] || MAIN=/usr/etc/ssh/sshd_config # SUSE keeps its defaults apart
BEGIN='# BEGIN hybridops.fleet.access'
END='# END hybridops.fleet.access'

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
