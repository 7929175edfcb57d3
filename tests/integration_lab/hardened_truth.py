# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must be so on a host of which the report says that a control holds, by the system's own programs and not by the role's files.

Written against the profile ``strict``. A control that is not here has nothing that the system itself would tell (the modes of many files, packages),
or its effect cannot be seen on the lab's kernel: sysctl_kernel, apparmor, auditd, boot_arguments, boot_files.
"""

from __future__ import annotations

TRUE = {
    # the operating system
    "sysctl_network": 'test "$(sysctl -n net.ipv4.conf.all.accept_redirects net.ipv4.conf.default.accept_source_route net.ipv4.tcp_syncookies '
                      'net.ipv6.conf.all.accept_redirects | tr "\\n" " ")" = "0 0 1 0 "',
    "sysctl_forwarding": 'test "$(sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding | tr "\\n" " ")" = "0 0 "',
    "sysctl_router_advertisements": 'test "$(sysctl -n net.ipv6.conf.all.accept_ra)" = 0',
    "kernel_modules": 'modprobe --showconfig | grep -qE "^install (usb.storage|cramfs) /bin/false"',
    "core_dumps": 'test "$(su -s /bin/sh -c "ulimit -Hc" nobody)" = 0',
    "tmp_mount": 'findmnt -no OPTIONS /tmp | grep -q noexec',
    "mount_options": 'findmnt -no OPTIONS /dev/shm | grep -q noexec',
    "account_files": 'test -z "$(find /etc/shadow /etc/gshadow -perm /0137)"',
    "home_folders": 'test -z "$(find /home -mindepth 1 -maxdepth 1 -type d -perm /0027)"',
    "cron": 'test "$(stat -c "%a %U" /etc/crontab)" = "600 root"',
    "set_uid_programs": 'test ! -u /usr/bin/chfn',
    "password_hashing": 'grep -qE "^ENCRYPT_METHOD\\s+(YESCRYPT|SHA512)" /etc/login.defs',
    "password_ageing": 'useradd -M probe && chage -l probe | grep -q "Maximum number of days.*: 365"; result=$?; userdel probe; test $result = 0',
    "password_quality": 'cat /etc/security/pwquality.conf /etc/security/pwquality.conf.d/*.conf | grep -qE "^minlen *= *15$" && '
                        'grep -q pam_pwquality.so /etc/pam.d/common-password',
    "login_failures": 'grep -q pam_faillock.so /etc/pam.d/common-auth && grep -q pam_faillock.so /etc/pam.d/common-account && '
                      'grep -qE "^deny *= *3$" /etc/security/faillock.conf',
    "empty_passwords": '! grep -qw nullok /etc/pam.d/common-auth',
    "umask": 'test "$(sh -lc umask)" = 0027',
    "shell_timeout": 'test "$(bash -lc "echo \\$TMOUT")" = 600',
    "sudo": 'sudo -u nobody true && grep -q "USER=nobody ; COMMAND=.*true" /var/log/sudo.log',
    "su": '! su -s /bin/sh -c "su root -c true </dev/null" nobody 2>/dev/null && grep -q "^auth.*pam_wheel.so.*group=" /etc/pam.d/su',
    "banner": 'grep -q "Authorized users only" /etc/issue && grep -q "Authorized users only" /etc/issue.net',
    "journald": 'systemd-analyze cat-config systemd/journald.conf | grep -q "^Storage=persistent"',
    "automatic_updates": 'apt-config dump | grep -q "APT::Periodic::Unattended-Upgrade \\"1\\""',
    "ctrl_alt_del": 'test "$(systemctl is-enabled ctrl-alt-del.target 2>&1)" = masked',
    # OpenSSH
    "root_login": 'sshd -T | grep -qE "^permitrootlogin (no|without-password|prohibit-password)$"',
    "password_login": 'test "$(sshd -T | grep -cE "^(passwordauthentication|kbdinteractiveauthentication|challengeresponseauthentication) yes")" = 0',
    "ciphers": 'sshd -T | grep "^ciphers" | grep -qvE "cbc|3des|arcfour"',
    "macs": 'sshd -T | grep "^macs" | grep -qvE "sha1|md5|umac-64"',
    "key_exchange": 'sshd -T | grep "^kexalgorithms" | grep -qvE "sha1|nistp"',
    "login_limits": 'sshd -T | grep -q "^maxauthtries 5$"',
    # the firewall
    "default_deny": 'nft list table inet hybridops_fleet | grep -qE "hook input .*policy drop"',
}
"""Control -> what a shell as root finds true."""


def script() -> str:
    """Prints "CONTROL yes" or "CONTROL no" for each."""
    return "".join(f"if ( {test} ) >/dev/null 2>&1; then echo {control} yes; else echo {control} no; fi\n" for control, test in TRUE.items())


BROKEN = {
    "sysctl_network": "sysctl -qw net.ipv4.conf.all.accept_redirects=1",
    "cron": "chmod 0644 /etc/crontab",
    "banner": "echo Welcome >/etc/issue",
    "journald": "sed -i s/^Storage=persistent/Storage=volatile/ /etc/systemd/journald.conf",
    "default_deny": "nft delete table inet hybridops_fleet",
    "empty_passwords": "sed -i 's/pam_unix.so/pam_unix.so nullok/' /etc/pam.d/common-auth",
}
"""Control -> what somebody does by hand, after which it holds no longer."""
