# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Control ``integrity``: changes of the system's files are found by AIDE, each night."""
from __future__ import annotations

from ..decision import Decision, Item
from .asked import Asked, file

ATTRIBUTES = "p+i+n+u+g+s+b+acl+selinux+xattrs+sha512"
CONFIGURATION = """{key}=file:/var/lib/aide/aide.db
database_out=file:/var/lib/aide/aide.db.new
gzip_dbout=no
Full = {attributes}

/usr/sbin/auditctl {attributes}
/usr/sbin/auditd {attributes}
/usr/sbin/ausearch {attributes}
/usr/sbin/aureport {attributes}
/usr/sbin/autrace {attributes}
/usr/sbin/augenrules {attributes}

!/usr/src
!/usr/share/(doc|info|locale|man)
!/usr/(lib|local/lib)/.*/__pycache__
!/root/[.](ansible|cache|bash_history|lesshst)
/boot Full
/etc Full
/opt Full
/root Full
/usr Full
/var/spool/cron Full
"""
"""Programs and configuration; what works on the node writes elsewhere. The audit's own tools stand by name, as the benchmarks want them."""
FIRST = """[Unit]
Description=First database of AIDE
ConditionPathExists=!/var/lib/aide/{database}
[Service]
Type=oneshot
Nice=19
IOSchedulingClass=idle
ExecStartPre=/bin/mkdir -p -m 0700 /var/lib/aide
ExecStart={program} --config {configuration} --init
ExecStart=/bin/mv /var/lib/aide/{made} /var/lib/aide/{database}
[Install]
WantedBy=multi-user.target
"""
CHECK = """[Unit]
Description=Changes of the system's files, found by AIDE
ConditionPathExists=/var/lib/aide/{database}
[Service]
Type=simple
Nice=19
IOSchedulingClass=idle
ExecStart={program} --config {configuration} --check
SuccessExitStatus=0 1 2 3 4 5 6 7
[Install]
WantedBy=multi-user.target
"""
TIMER = """[Unit]
Description=Changes of the system's files, looked for each night
[Timer]
OnCalendar=*-*-* 05:00:00
RandomizedDelaySec=3h
Persistent=true
Unit=aidecheck.service
[Install]
WantedBy=timers.target
"""


def integrity(asked: Asked) -> Decision:
    if asked.container:
        return asked.leave("files of a container come from its image")
    present = asked.packages("integrity")
    names = {"program": "/usr/bin/aide", "configuration": "/etc/aide/aide.conf", "made": "aide.db.new", "database": "aide.db"} if asked.debian else {
        "program": "/usr/sbin/aide", "configuration": "/etc/aide.conf", "made": "aide.db.new.gz", "database": "aide.db.gz"}
    items: list[Item] = []
    if asked.debian and not asked.has("aide-common"):  # whose some two hundred files, each asked about, take longer than all the rest of the role
        text = CONFIGURATION.format(key=asked.path("aide_database"), attributes=ATTRIBUTES)
        items.append(file("/etc/aide/aide.conf", text, "0600"))
    items += [
        file("/etc/systemd/system/hybridops-fleet-aide.service", FIRST.format(**names), notify=["systemd"]),
        {"kind": "unit", "name": "hybridops-fleet-aide.service", "enabled": True, "started": True, "new": True},
        file("/etc/systemd/system/aidecheck.service", CHECK.format(**names), notify=["systemd"]),
        file("/etc/systemd/system/aidecheck.timer", TIMER, notify=["systemd"]),
        {"kind": "unit", "name": "aidecheck.service", "enabled": True, "new": True},
        {"kind": "unit", "name": "aidecheck.timer", "enabled": True, "active": True, "new": True}]
    if asked.state("dailyaidecheck.timer"):
        items.append({"kind": "unit", "name": "dailyaidecheck.timer", "enabled": False, "active": False})
    return asked.do(items, present=present, notes=["the first database is made in the background, with the least of the node's time"])
