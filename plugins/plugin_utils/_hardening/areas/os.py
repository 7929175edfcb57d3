# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operating system: one function for each control of role os_hardening."""
from __future__ import annotations

from collections.abc import Callable

from .. import lockout
from ..decision import Decision, Facts, Options
from ..os import accounts, audit, boot, clock, filesystem, integrity, kernel, passwords, services
from ..os.asked import Asked

SYSCTL: tuple[str, ...] = ()
PROGRAMS = ("pam-auth-update", "authselect", "visudo")
PATHS = ("/etc/default/grub", "/etc/cron.allow", "/etc/cron.deny", "/etc/at.allow", "/etc/at.deny")

CONTROLS: dict[str, Callable[[Asked], Decision]] = {
    "sysctl_kernel": kernel.sysctl_kernel,
    "sysctl_network": kernel.sysctl_network,
    "sysctl_forwarding": kernel.sysctl_forwarding,
    "sysctl_router_advertisements": kernel.sysctl_router_advertisements,
    "kernel_modules": kernel.kernel_modules,
    "core_dumps": kernel.core_dumps,
    "boot_arguments": boot.boot_arguments,
    "boot_files": boot.boot_files,
    "boot_password": boot.boot_password,
    "apparmor": kernel.apparmor,
    "selinux": kernel.selinux,
    "ctrl_alt_del": kernel.ctrl_alt_del,
    "mount_options": filesystem.mount_options,
    "tmp_mount": filesystem.tmp_mount,
    "account_files": filesystem.account_files,
    "home_folders": filesystem.home_folders,
    "log_files": filesystem.log_files,
    "cron": filesystem.cron,
    "set_uid_programs": filesystem.set_uid_programs,
    "compilers": filesystem.compilers,
    "password_hashing": passwords.password_hashing,
    "password_ageing": passwords.password_ageing,
    "password_quality": passwords.password_quality,
    "password_history": passwords.password_history,
    "login_failures": passwords.login_failures,
    "empty_passwords": passwords.empty_passwords,
    "system_accounts": accounts.system_accounts,
    "umask": accounts.umask,
    "shell_timeout": accounts.shell_timeout,
    "sudo": accounts.sudo,
    "su": accounts.su,
    "root_console": accounts.root_console,
    "banner": accounts.banner,
    "packages_absent": services.packages_absent,
    "services_off": services.services_off,
    "time_sync": clock.time_sync,
    "automatic_updates": services.automatic_updates,
    "journald": services.journald,
    "rsyslog": services.rsyslog,
    "auditd": audit.auditd,
    "integrity": integrity.integrity,
    "accounting": services.accounting,
    "package_checks": services.package_checks,
    "temporary_folders": services.temporary_folders,
}


def decide(facts: Facts, options: Options) -> list[Decision]:
    """One decision for each control of the role's data, in the order of CONTROLS. Raises FleetError when Ansible would not become root any more."""
    lockout.refuse(options.host, "os_hardening", _refusals(facts, options))
    found = []
    for name, ask in CONTROLS.items():
        control = options.controls.get(name)
        if control is None:
            continue
        found.append(ask(Asked(facts, options, control)) if control.on else Decision(name, False, f"{control.by} leaves it out"))
    return found


def _refusals(facts: Facts, options: Options) -> list[str]:
    connection, control = options.connection, options.controls.get("sudo")
    if control is None or not control.on or connection.user == "root" or not connection.become or connection.become_method != "sudo":
        return []
    told = []
    if control.values.get("noexec"):
        told.append("sudo would start no program that starts others (control sudo, noexec: true), and each of Ansible's modules is one")
    if control.values.get("requiretty") and connection.pipelining and connection.transport in lockout.SSH:
        told.append("sudo would want a terminal (control sudo, requiretty: true), and Ansible has none as pipelining is on: set "
                    "ansible_pipelining: false, or leave it out")
    return told
