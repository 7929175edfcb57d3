# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controls of passwords: how they are kept, chosen, guessed, and how they age. Whoever logs in by key is never touched by any of it."""
from __future__ import annotations

from typing import Any

from ..decision import Decision, Item
from .asked import Asked, file
from .filesystem import people

FAILLOCK = """Name: hybridops.fleet: deny access after failures
Default: yes
Priority: 0
Auth-Type: Primary
Auth:
\t[default=die]\tpam_faillock.so authfail
\tsufficient\tpam_faillock.so authsucc
"""
"""The last line is where auditors look for it and is never reached: a success jumps over it, and the account's line below begins anew."""
FAILLOCK_NOTIFY = """Name: hybridops.fleet: count failures, begin anew after a success
Default: yes
Priority: 1024
Auth-Type: Primary
Auth:
\trequired\tpam_faillock.so preauth
Account-Type: Additional
Account:
\trequired\tpam_faillock.so
"""
PWHISTORY = """Name: hybridops.fleet: old passwords are not taken again
Default: yes
Priority: 1024
Password-Type: Primary
Password:
\trequisite\tpam_pwhistory.so remember={remember} enforce_for_root try_first_pass use_authtok
"""
KEYS_DO_NOT_EXPIRE = {"stack": "account", "module": "pam_unix.so", "add": ["no_pass_expiry"]}
"""Without it a key opens nothing once the password of its account is too old, even one that is locked and can never be changed."""


def password_hashing(asked: Asked) -> Decision:
    method = asked.options.distribution.get("hashing", "SHA512")
    values: dict[str, Any] = {"ENCRYPT_METHOD": method}
    if method == "YESCRYPT":
        values["YESCRYPT_COST_FACTOR"] = 7
    values.update({"SHA_CRYPT_MIN_ROUNDS": 65536, "SHA_CRYPT_MAX_ROUNDS": 65536})
    return asked.do([{"kind": "settings", "path": "/etc/login.defs", "style": "tab", "values": values}])


def password_ageing(asked: Asked) -> Decision:
    values = asked.values
    if not asked.debian and not asked.redhat:
        return asked.leave("it is not known how PAM of this distribution lets keys in whose password is too old")
    items: list[Item] = []
    if asked.debian:
        items.append({"kind": "pam", "options": [KEYS_DO_NOT_EXPIRE], "guarded": True})
        notes = ["whoever logs in by key goes on doing so however old the password is"]
    else:
        items += [{"kind": "pam_words", "path": path, "options": [KEYS_DO_NOT_EXPIRE], "guarded": True}
                  for path in ("/etc/pam.d/password-auth", "/etc/pam.d/system-auth")]
        notes = ["authselect puts pam_unix back when it is run again; run this role after it"]
    items.append({"kind": "settings", "path": "/etc/login.defs", "style": "tab", "values": {
        "PASS_MAX_DAYS": values["max_days"], "PASS_MIN_DAYS": values["min_days"], "PASS_WARN_AGE": values["warn_days"]}})
    items.append({"kind": "settings", "path": "/etc/default/useradd", "style": "tight", "values": {"INACTIVE": values["inactive_days"]},
                  "create": True})
    with_password = [account for account in people(asked) if account["password"] == "set"]
    login = (asked.facts.get("login") or {}).get("user")
    spared = [account["name"] for account in with_password if account["name"] == login or account["keys"]]
    if values["existing"]:
        items += [{"kind": "account", "name": account["name"], "max_days": values["max_days"], "min_days": values["min_days"],
                   "warn_days": values["warn_days"], "guarded": True} for account in with_password if account["name"] not in spared]
    notes += [f"the passwords of {', '.join(spared)} do not age: these accounts have keys, or Ansible uses them"] if spared else []
    return asked.do(items, notes=notes)


def password_quality(asked: Asked) -> Decision:
    names = asked.packages("pwquality")
    if not names:
        return asked.leave("it is not known what the distribution calls its check of passwords")
    return asked.do([{"kind": "settings", "path": "/etc/security/pwquality.conf", "style": "equals", "values": dict(asked.values["settings"]),
                      "package": names[0]}], present=names)


def password_history(asked: Asked) -> Decision:
    remember = asked.values["remember"]
    conf: Item = file("/etc/security/pwhistory.conf", f"remember = {remember}\nenforce_for_root\nfile = /etc/security/opasswd\n")
    if asked.debian:
        return asked.do([{"kind": "pam", "profiles": {"hybridops_fleet_pwhistory": PWHISTORY.format(remember=remember)}, "guarded": True}])
    if asked.redhat:
        return asked.do([conf, {"kind": "authselect", "features": ["with-pwhistory"], "guarded": True}])
    return asked.leave("it is not known how PAM of this distribution is set up")


def login_failures(asked: Asked) -> Decision:
    values = asked.values
    lines = [f"deny = {values['deny']}", f"fail_interval = {values['interval_seconds']}", f"unlock_time = {values['unlock_seconds']}", "audit",
             "silent"]
    if values["root"]:
        lines += ["even_deny_root", "root_unlock_time = 60"]
    items: list[Item] = [file("/etc/security/faillock.conf", "\n".join(lines) + "\n", guarded=True)]
    notes = ["keys are not counted: only passwords lock an account"]
    if asked.debian:
        items.append({"kind": "pam", "guarded": True,
                      "profiles": {"hybridops_fleet_faillock": FAILLOCK, "hybridops_fleet_faillock_notify": FAILLOCK_NOTIFY}})
    elif asked.redhat:
        items.append({"kind": "authselect", "features": ["with-faillock"], "guarded": True})
    else:
        return asked.leave("it is not known how PAM of this distribution is set up")
    if asked.options.connection.become_password:
        notes.append("Ansible becomes root with a password: too many wrong ones lock its account for a while")
    return asked.do(items, notes=notes)


def empty_passwords(asked: Asked) -> Decision:
    items: list[Item] = []
    if asked.debian:
        items.append({"kind": "pam", "guarded": True, "options": [{"stack": "auth", "module": "pam_unix.so", "remove": ["nullok", "nullok_secure"]},
                                                                  {"stack": "password", "module": "pam_unix.so", "remove": ["nullok"]}]})
    elif asked.redhat:
        items.append({"kind": "authselect", "features": ["without-nullok"], "guarded": True})
    empty = [account for account in asked.facts.get("accounts") or [] if account["password"] == "empty"]
    items += [{"kind": "account", "name": account["name"], "lock": True, "guarded": True} for account in empty]
    return asked.do(items, notes=[f"{account['name']} had an empty password; it opens nothing any more" for account in empty])
