# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Control ``auditd``: the daemon of the kernel's audit, and what it records."""
from __future__ import annotations

from ..decision import Decision, Item
from .asked import Asked, closed, file

HEAD = """-D
-i
-b 8192
--backlog_wait_time 60000
-f 1
"""
"""-i: a rule that a kernel does not take stops none of the others."""
WATCHES = (
    ("time-change", ("/etc/localtime",)),
    ("identity", ("/etc/group", "/etc/passwd", "/etc/gshadow", "/etc/shadow", "/etc/security/opasswd", "/etc/nsswitch.conf", "/etc/pam.conf",
                  "/etc/pam.d/")),
    ("scope", ("/etc/sudoers", "/etc/sudoers.d/")),
    ("sudo_log_file", ("/var/log/sudo.log",)),
    ("system-locale", ("/etc/issue", "/etc/issue.net", "/etc/hosts", "/etc/networks", "/etc/network/")),
    ("MAC-policy", ("/etc/apparmor", "/etc/apparmor.d")),
    ("logins", ("/var/log/lastlog", "/var/run/faillock", "/var/log/faillock")),
    ("session", ("/var/run/utmp", "/var/log/wtmp", "/var/log/btmp")),
)
"""Key -> files whose changes are recorded."""
PEOPLE = "-F auid>=1000 -F auid!=unset"
CALLS = (
    ("time-change", "adjtimex,settimeofday", ""),
    ("time-change", "clock_settime", "-F a0=0x0"),
    ("user_emulation", "execve", "-C euid!=uid -F auid!=unset"),
    ("system-locale", "sethostname,setdomainname", ""),
    ("perm_mod", "chmod,fchmod,fchmodat", PEOPLE),
    ("perm_mod", "chown,fchown,lchown,fchownat", PEOPLE),
    ("perm_mod", "setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr", PEOPLE),
    ("access", "creat,open,openat,truncate,ftruncate", f"-F exit=-EACCES {PEOPLE}"),
    ("access", "creat,open,openat,truncate,ftruncate", f"-F exit=-EPERM {PEOPLE}"),
    ("mounts", "mount,umount2", PEOPLE),
    ("delete", "rename,renameat,unlink,unlinkat,rmdir", PEOPLE),
    ("kernel_modules", "init_module,finit_module,delete_module,create_module,query_module", PEOPLE),
)
"""Key, calls of the kernel, and of whom or with what outcome."""
NOT_ON_ARM = frozenset({"chmod", "chown", "lchown", "creat", "open", "rename", "unlink", "rmdir", "create_module", "query_module"})
"""A rule that names a call which the architecture does not have is refused as a whole."""
PROGRAMS = (("privileged", "/usr/bin/sudo"), ("kernel_modules", "/usr/bin/kmod"), ("perm_chng", "/usr/bin/chcon"), ("perm_chng", "/usr/bin/setfacl"),
            ("perm_chng", "/usr/bin/chacl"), ("usermod", "/usr/sbin/usermod"))
LOADERS = ("/sbin/insmod", "/sbin/rmmod", "/sbin/modprobe")


def rules(machine: str) -> str:
    """What is recorded, as the CIS benchmarks and ANSSI ask and in the words by which auditors look for it; of accounts of people, so that
    the work of containers and services is not slowed down. machine: the kernel's name of the architecture."""
    arm = machine in ("aarch64", "arm64")
    lines = [f"-w {path} -p wa -k {key}" for key, paths in WATCHES for path in paths]
    for key, calls, whom in CALLS:
        for arch in ("b64",) if arm else ("b64", "b32"):
            names = ",".join(name for name in calls.split(",") if not (arm and name in NOT_ON_ARM))
            lines.append(" ".join(filter(None, [f"-a always,exit -F arch={arch} -S {names}", whom, f"-k {key}"])))
    lines += [] if arm else ["-a always,exit -F arch=b32 -S stime -k time-change"]
    lines += [f"-a always,exit -F path={path} -F perm=x {PEOPLE} -k {key}" for key, path in PROGRAMS]
    lines += [f"-w {path} -p x -k kernel_modules" for path in LOADERS]
    return HEAD + "".join(line + "\n" for line in lines)


def auditd(asked: Asked) -> Decision:
    present = asked.packages("auditd")
    if not present:
        return asked.leave("it is not known what the distribution calls it")
    if asked.container:
        return asked.leave("the audit of the kernel belongs to the machine below this container")
    text = rules(str((asked.facts.get("kernel") or {}).get("machine") or ""))
    if not asked.debian:
        text = text.replace("-w /etc/apparmor -p wa -k MAC-policy\n-w /etc/apparmor.d", "-w /etc/selinux")
        text = text.replace("-w /etc/network/ -p", "-w /etc/sysconfig/network-scripts/ -p")
    items: list[Item] = [
        {"kind": "settings", "path": "/etc/audit/auditd.conf", "style": "equals", "package": present[0], "values": {
            "max_log_file_action": "ROTATE", "num_logs": 5, "max_log_file": 8, "space_left_action": "SYSLOG", "admin_space_left_action": "SUSPEND",
            "disk_full_action": "SUSPEND", "disk_error_action": "SUSPEND"}, "notify": ["auditd"]},
        file("/etc/audit/rules.d/50-hybridops-fleet.rules", text, "0600", notify=["auditd"]),
        closed("0600", "/etc/audit/rules.d/*.rules", package=present[0]),
    ]
    if asked.values["immutable"]:
        items.append(file("/etc/audit/rules.d/99-hybridops-fleet-immutable.rules", "-e 2\n", "0600", notify=["auditd"]))
    items.append({"kind": "unit", "name": asked.unit("auditd"), "enabled": True, "active": True, "package": present[0], "may_fail": True})
    return asked.do(items, present=present, notes=["disks that fill up stop the recording, never the node"])
