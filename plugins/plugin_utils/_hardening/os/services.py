# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controls of packages and services: what is not there, what does not run, updates and logs."""
from __future__ import annotations

from ..decision import Decision, Item
from .asked import Asked, file, plain_file

UNATTENDED = """Unattended-Upgrade::Origins-Pattern {
  "origin=Debian,codename=${distro_codename},label=Debian-Security";
  "origin=Debian,codename=${distro_codename}-security,label=Debian-Security";
  "origin=${distro_id},archive=${distro_codename}-security";
};
"""
NEEDED_BY = {"rpcbind": ("nfs", "nfs_client"), "cups": ("print",), "avahi": ("print",), "bluetooth": (), "rsync": ("rsync",),
             "autofs": ("nfs_client",), "isc_dhcp_server": ("dhcp", "router")}
"""Services and the workloads that need them."""


def packages_absent(asked: Asked) -> Decision:
    names = [name for key in asked.values["packages"] for name in asked.packages(key)]
    return asked.do(absent=[name for name in names if asked.has(name)])


def services_off(asked: Asked) -> Decision:
    if asked.image:
        return asked.leave("nothing runs in an image")
    items: list[Item] = []
    notes = []
    nfs = any(mount["type"].startswith("nfs") for mount in [*(asked.facts.get("mounts") or []), *(asked.facts.get("fstab") or [])])
    for name in asked.values["services"]:
        how = asked.options.works_for(*NEEDED_BY.get(name, ())) or ("it mounts NFS" if nfs and name in ("rpcbind", "autofs") else "")
        units = [unit for unit in asked.units(name) if asked.state(unit)]
        if how and units:
            notes.append(f"{name} stays: {how}")
            continue
        # guarded, as names of hosts (avahi) and homes of accounts (autofs, rpcbind) may come by them
        items += [{"kind": "unit", "name": unit, "enabled": False, "active": False, "masked": True, "guarded": True} for unit in units]
    return asked.do(items, notes=notes)


def automatic_updates(asked: Asked) -> Decision:
    present = asked.packages("automatic_updates")
    if not present:
        return asked.leave("it is not known what does this on the distribution")
    values = asked.values
    timers: list[Item] = [{"kind": "unit", "name": unit, "enabled": True, "active": True, "masked": False, "package": present[0]}
                          for unit in asked.units("automatic_updates")]
    notes = []
    cluster = asked.options.works_for("kubernetes", "swarm", "database")
    reboot = bool(values["reboot"]) and not cluster
    if values["reboot"] and cluster:
        notes.append(f"the node does not restart by itself: its neighbours must know ({cluster})")
    if asked.redhat:
        return asked.do([{"kind": "settings", "path": "/etc/dnf/automatic.conf", "style": "equals", "section": "commands", "package": present[0],
                          "values": {"upgrade_type": "security", "apply_updates": "yes"}}, *timers], present=present, notes=notes)
    text = ('APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\nAPT::Periodic::AutocleanInterval "7";\n'
            f'Unattended-Upgrade::Automatic-Reboot "{str(reboot).lower()}";\nUnattended-Upgrade::Automatic-Reboot-Time "{values["reboot_time"]}";\n')
    head = "// Written by hybridops.fleet.os_hardening; run the role again instead of editing it.\n"
    return asked.do([plain_file("/etc/apt/apt.conf.d/52hybridops-fleet", head + text + UNATTENDED), *timers], present=present, notes=notes)


def journald(asked: Asked) -> Decision:
    values = {"Storage": "persistent", "Compress": "yes", "ForwardToSyslog": "yes" if asked.has("rsyslog") else "no"}
    if asked.values["max_use"]:
        values["SystemMaxUse"] = str(asked.values["max_use"])
    # the main file, where auditors look, and a drop-in, as those of others would win over it
    text = "[Journal]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
    return asked.do([{"kind": "settings", "path": "/etc/systemd/journald.conf", "style": "tight", "section": "Journal", "values": values,
                      "create": True, "notify": ["journald"]},
                     file("/etc/systemd/journald.conf.d/zz-hybridops-fleet.conf", text, notify=["journald"])])


def rsyslog(asked: Asked) -> Decision:
    if not asked.has("rsyslog"):
        return asked.leave("rsyslog is not there; the journal keeps the logs")
    return asked.do([{"kind": "settings", "path": "/etc/rsyslog.conf", "style": "space", "values": {"$FileCreateMode": "0640"},
                      "notify": ["rsyslog"]}])


def accounting(asked: Asked) -> Decision:
    present = asked.packages("accounting")
    if asked.container or not present:
        return asked.leave("the kernel belongs to the machine below this container" if asked.container else "the distribution has none")
    return asked.do(present=present)


def package_checks(asked: Asked) -> Decision:
    present = asked.packages("package_checks")
    return asked.do(present=present) if present else asked.leave("the distribution's own package manager does it")


def temporary_folders(asked: Asked) -> Decision:
    present = asked.packages("temporary_folders")
    if not present:
        return asked.leave("the distribution has none")
    return asked.do(present=present)
