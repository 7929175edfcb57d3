# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controls of the boot loader: the kernel's arguments, who reads its files, and a password for whoever wants others."""
from __future__ import annotations

import re

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from ..decision import Decision, Item
from .asked import Asked, closed, plain_file

HASH = re.compile(r"grub\.pbkdf2\.sha512\.\d+\.[0-9A-F]+\.[0-9A-F]+")
"""What grub-mkpasswd-pbkdf2 prints."""
LINUX = "/etc/grub.d/10_linux"
PASSWORD = """#!/bin/sh
# Written by hybridops.fleet.os_hardening; run the role again instead of editing it.
# A password for editing entries and for GRUB's shell, and only while what starts by itself starts without: a node that waits for one is lost.
grep -q -e '--unrestricted' {linux} || exit 0
case "${{GRUB_DEFAULT:-0}}" in 0|saved|gnulinux*|*Linux*) ;; *) exit 0;; esac
for xen in /boot/xen-*; do [ ! -e "$xen" ] || exit 0; done
cat <<'END'
set superusers="{user}"
export superusers
password_pbkdf2 {user} {hash}
END
"""


def boot_arguments(asked: Asked) -> Decision:
    if asked.container:
        return asked.leave("a container has no boot loader")
    path = asked.path("grub_defaults")
    if not asked.there(path):
        return asked.leave(f"there is no {path}: the boot loader is not GRUB, or is set up by the cloud")
    arguments = list(asked.values["arguments"])
    if not arguments:
        return asked.leave("no arguments are asked for")
    notes = ["they hold from the next boot on"]
    if not asked.debian:
        arguments = [word for word in arguments if not word.startswith(("apparmor=", "security="))]
    if not asked.options.on("auditd"):
        arguments = [word for word in arguments if not word.startswith("audit")]
    return asked.do([{"kind": "words", "path": path, "key": "GRUB_CMDLINE_LINUX", "add": arguments, "notify": ["grub"]}], notes=notes)


def boot_files(asked: Asked) -> Decision:
    return asked.do([closed("0600", *asked.path("grub_files"), owner="root", group="root")])


def boot_password(asked: Asked) -> Decision:
    given = str(asked.options.variables.get("boot_password") or "")
    if not given:
        return asked.leave("no os_hardening_boot_password is given")
    if not HASH.fullmatch(given):
        raise FleetError("os_hardening_boot_password is no hash of GRUB", code="argument",
                         fix="Make one with grub-mkpasswd-pbkdf2; it begins with grub.pbkdf2.sha512.")
    if asked.container:
        return asked.leave("a container has no boot loader")
    if not asked.debian:
        return asked.leave("GRUB of this distribution takes its password from grub2-setpassword")
    if not asked.there(asked.path("grub_defaults")):
        return asked.leave(f"there is no {asked.path('grub_defaults')}: the boot loader is not GRUB, or is set up by the cloud")
    user = asked.values["user"]
    # submenus know of superusers only when it is exported
    items: list[Item] = [
        {"kind": "block", "path": LINUX, "content": 'CLASS="${CLASS} --unrestricted"', "behind": r"^CLASS=", "notify": ["grub"]},
        plain_file("/etc/grub.d/01_hybridops_fleet", PASSWORD.format(linux=LINUX, user=user, hash=given), "0700", secret=True, notify=["grub"]),
    ]
    return asked.do(items, notes=["Linux starts without the password; changing its entries, other systems and GRUB's shell ask for it"])
