# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controls of packages and services: what is not there, what does not run, the clock, updates, logs and checks of integrity."""
from __future__ import annotations

from ..decision import Decision, Item
from .asked import Asked, file, plain_file

UNATTENDED = """Unattended-Upgrade::Origins-Pattern {
  "origin=Debian,codename=${distro_codename},label=Debian-Security";
  "origin=Debian,codename=${distro_codename}-security,label=Debian-Security";
  "origin=${distro_id},archive=${distro_codename}-security";
};
"""
AIDE_CHECK = """[Unit]
Description=Changes of the system's files, found by AIDE
ConditionPathExistsGlob=/var/lib/aide/aide.db*
[Service]
Type=simple
Nice=19
IOSchedulingClass=idle
ExecStart={}
SuccessExitStatus=0 1 2 3 4 5 6 7
[Install]
WantedBy=multi-user.target
"""
AIDE_TIMER = """[Unit]
Description=Changes of the system's files, looked for each night
[Timer]
OnCalendar=*-*-* 05:00:00
RandomizedDelaySec=3h
Persistent=true
Unit=aidecheck.service
[Install]
WantedBy=timers.target
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
        items += [{"kind": "unit", "name": unit, "enabled": False, "active": False, "masked": True} for unit in units]
    return asked.do(items, notes=notes)


def time_sync(asked: Asked) -> Decision:
    if asked.container and not asked.options.variables.get("time_sync_in_containers"):
        return asked.leave("the clock belongs to the machine below this container")
    servers = [str(server) for server in asked.values["servers"]]
    other = next((unit for unit in ("chrony.service", "chronyd.service", "ntpsec.service", "ntp.service", "ntpd.service", "openntpd.service")
                  if asked.state(unit).get("active") or asked.state(unit).get("enabled") == "enabled"), "")
    if other:
        items: list[Item] = [{"kind": "unit", "name": other, "enabled": True, "active": True}]
        if asked.state("systemd-timesyncd.service"):
            items.append({"kind": "unit", "name": "systemd-timesyncd.service", "enabled": False, "active": False, "masked": True})
        if servers and other.startswith("chrony"):
            folder = "/etc/chrony/sources.d" if asked.debian else "/etc/chrony.d"
            items.append(plain_file(f"{folder}/hybridops-fleet.sources", "".join(f"server {server} iburst\n" for server in servers),
                                    notify=[f"unit:{other}"]))
        return asked.do(items, notes=[f"{other} keeps the clock already"])
    present = asked.packages("time_sync")
    if "chrony" in present:
        unit = {"kind": "unit", "name": asked.units("chrony")[0], "enabled": True, "active": True, "package": "chrony"}
        return asked.do([unit], present=present)
    lines = ["[Time]"] + ([f"NTP={' '.join(servers)}"] if servers else [f"NTP={_pool(asked)}"])
    return asked.do([file("/etc/systemd/timesyncd.conf.d/hybridops-fleet.conf", "\n".join(lines) + "\n", notify=["timesyncd"]),
                     {"kind": "unit", "name": asked.unit("timesyncd"), "masked": False, "enabled": True, "active": True,
                      "package": "systemd-timesyncd"}],
                    present=present)


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


def integrity(asked: Asked) -> Decision:
    if asked.container:
        return asked.leave("files of a container come from its image")
    present = asked.packages("integrity")
    unit = ("[Unit]\nDescription=First database of AIDE\nConditionPathExists=!/var/lib/aide/aide.db\n[Service]\nType=oneshot\nUMask=0027\nNice=19\n"
            "IOSchedulingClass=idle\nExecStart=/bin/sh -c '{}'\n[Install]\nWantedBy=multi-user.target\n")
    command = ("aideinit -y -f -b || true" if asked.debian else
               "aide --init && mv /var/lib/aide/aide.db.new.gz /var/lib/aide/aide.db.gz && ln -sf aide.db.gz /var/lib/aide/aide.db")
    items: list[Item] = [file("/etc/systemd/system/hybridops-fleet-aide.service", unit.format(command), notify=["systemd"]),
                         {"kind": "unit", "name": "hybridops-fleet-aide.service", "enabled": True, "started": True, "new": True}]
    check = "/usr/bin/aide --config /etc/aide/aide.conf --check" if asked.debian else "/usr/sbin/aide --check"
    items += [file("/etc/systemd/system/aidecheck.service", AIDE_CHECK.format(check), notify=["systemd"]),
              file("/etc/systemd/system/aidecheck.timer", AIDE_TIMER, notify=["systemd"]),
              {"kind": "unit", "name": "aidecheck.service", "enabled": True, "new": True},
              {"kind": "unit", "name": "aidecheck.timer", "enabled": True, "active": True, "new": True}]
    if asked.debian:  # its package brings it in this very run, so nothing may have been seen of it yet
        items.append({"kind": "unit", "name": "dailyaidecheck.timer", "enabled": False, "active": False})
    return asked.do(items, present=present, notes=["the first database is made in the background, with the least of the node's time"])


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


# ---------------------------------------------------------------------------------------------------- details
def _pool(asked: Asked) -> str:
    name = (asked.facts.get("os") or {}).get("id")
    if name == "ubuntu":
        return "ntp.ubuntu.com"
    return " ".join(f"{number}.debian.pool.ntp.org" for number in range(4))
