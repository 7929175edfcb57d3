# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controls of accounts: who has a shell, what sudo and su allow, how long a shell stays open, what is said before a login."""
from __future__ import annotations

from ..decision import Decision, Item
from .asked import Asked, file, plain_file

SHELLS = ("/bin/bash", "/bin/sh", "/bin/dash", "/bin/zsh", "/bin/ksh", "/usr/bin/bash", "/usr/bin/sh", "/usr/bin/dash", "/usr/bin/zsh", "/bin/csh",
          "/bin/tcsh", "/usr/bin/fish")
KEEP_SHELL = ("root", "sync", "shutdown", "halt", "git", "postgres", "jenkins", "nagios", "backup-ssh", "ansible")
"""Accounts of services that work in a shell of their own."""


def system_accounts(asked: Asked) -> Decision:
    nologin = asked.path("nologin")
    login = (asked.facts.get("login") or {}).get("user")
    found = [account for account in asked.facts.get("accounts") or []
             if account["uid"] < 1000 and account["name"] not in KEEP_SHELL and account["shell"] in SHELLS]
    values = (asked.facts.get("sshd") or {}).get("root") or {}
    elsewhere = any((values.get(name) or ["none"])[0] not in ("none", "") for name in ("authorizedkeyscommand", "trustedusercakeys"))
    spared = [account["name"] for account in found if account["name"] == login or account["keys"] or account["password"] == "set"
              or (account["uid"] == 0) or elsewhere]
    items: list[Item] = [{"kind": "account", "name": account["name"], "shell": nologin, "guarded": True} for account in found
                         if account["name"] not in spared]
    why = "they have keys, a password, or the number of root"
    why = "keys may come from elsewhere (AuthorizedKeysCommand, TrustedUserCAKeys)" if elsewhere else why
    notes = [f"{', '.join(spared)} keep their shells: {why}"] if spared else []
    others = [account["name"] for account in asked.facts.get("accounts") or [] if account["uid"] == 0 and account["name"] != "root"]
    notes += [f"{', '.join(others)}: root under another name; look whether that is meant"] if others else []
    return asked.do(items, notes=notes)


def umask(asked: Asked) -> Decision:
    value = asked.values["umask"]
    items: list[Item] = [
        {"kind": "settings", "path": "/etc/login.defs", "style": "tab", "values": {"UMASK": value}},
        file("/etc/profile.d/hybridops-fleet-umask.sh", f"umask {value}\n"),
        *({"kind": "block", "path": path, "content": f"umask {value}"} for path in asked.path("bashrc")),
    ]
    notes = []
    if asked.options.works_for("docker", "kubernetes", "swarm", "web", "database"):
        notes.append("files that people make in folders of a service may need their permissions set by hand")
    return asked.do(items, notes=notes)


def shell_timeout(asked: Asked) -> Decision:
    seconds = int(asked.values["seconds"])
    # bash alone knows declare; a value that is read-only already stays
    text = f"if [ -n \"${{BASH_VERSION-}}\" ] && ! readonly -p | grep -q ' TMOUT='; then\n  declare -xr TMOUT={seconds}\nfi\n"
    return asked.do([file("/etc/profile.d/hybridops-fleet-timeout.sh", text)])


def sudo(asked: Asked) -> Decision:
    values, found = asked.values, asked.facts.get("sudo") or {}
    if not found.get("present"):
        return asked.leave("sudo is not there")
    lines = []
    if values["use_pty"]:
        lines.append("Defaults use_pty")
    if values["logfile"]:
        lines.append(f'Defaults logfile="{values["logfile"]}"')
    for key in ("timestamp_timeout", "passwd_timeout"):
        if values[key] is not None:
            lines.append(f"Defaults {key}={values[key]}")
    if values["ignore_dot"]:
        lines.append("Defaults ignore_dot")
    if values["umask"]:
        lines += [f"Defaults umask={values['umask']}"]
    lines += [f"Defaults {word}" for word in ("noexec", "requiretty") if values[word]]
    notes = []
    if not values["requiretty"]:
        notes.append("requiretty is left out: Ansible and automation become root without a terminal")
    if not values["noexec"]:
        notes.append("noexec is left out: it stops package managers and editors from starting programs")
    who = found.get("without_password") or []
    if who:
        notes.append(f"{', '.join(who)} may use sudo without a password; it stays, as accounts with keys have none to give")
    if not found.get("includes_folder"):
        return asked.leave("/etc/sudoers does not read /etc/sudoers.d")
    return asked.do([file("/etc/sudoers.d/zz_hybridops_fleet", "\n".join(lines) + "\n", "0440", validate=["visudo", "-cf", "%s"], guarded=True)],
                    notes=notes)


def su(asked: Asked) -> Decision:
    group = asked.values["group"]
    if asked.options.variables.get("become_method") == "su":
        return asked.leave("Ansible becomes root by su")
    how = asked.options.works_for("database")
    if how:
        return asked.leave(f"scripts of the node's work may use su ({how})")
    line = f"auth required pam_wheel.so use_uid group={group}"
    return asked.do([{"kind": "group", "name": group},
                     {"kind": "block", "path": "/etc/pam.d/su", "content": line, "behind": r"^auth\s+sufficient\s+pam_rootok\.so", "guarded": True}],
                    notes=[f"whoever is to use su joins the group {group}; root itself goes on using it"])


def root_console(asked: Asked) -> Decision:
    return asked.do([plain_file("/etc/securetty", "", "0600")], notes=["sulogin and the rescue mode stay as they are"])


def banner(asked: Asked) -> Decision:
    text = str(asked.values["text"]).strip() + "\n"
    return asked.do([plain_file(path, text) for path in ("/etc/issue", "/etc/issue.net", "/etc/motd")])
