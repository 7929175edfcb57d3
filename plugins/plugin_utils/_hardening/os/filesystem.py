# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controls of file systems and permissions."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..decision import Decision, Item
from .asked import Asked, closed, file

PEOPLE = 1000
"""Numbers of accounts of people begin here."""
CONTAINERS = ("docker", "swarm", "kubernetes", "podman", "containerd", "libvirt")
NOT_PEOPLE = ("nobody", "nfsnobody", "nogroup")
TMP_UNIT = """[Unit]
Description=Temporary folder /tmp, without programs, devices and set-uid files
ConditionPathIsSymbolicLink=!/tmp
DefaultDependencies=no
Conflicts=umount.target
Before=local-fs.target umount.target
After=swap.target
[Mount]
What=tmpfs
Where=/tmp
Type=tmpfs
Options=mode=1777,strictatime,{options},size=50%%
[Install]
WantedBy=local-fs.target
"""


def people(asked: Asked) -> list[Mapping[str, Any]]:
    """Accounts of people, with a home of their own."""
    return [account for account in asked.facts.get("accounts") or []
            if account["uid"] >= PEOPLE and account["name"] not in NOT_PEOPLE and account["uid"] < 60000 and account["home"].startswith("/")
            and account["home"] not in ("/", "/nonexistent", "/dev/null")]


def mount_options(asked: Asked) -> Decision:
    mounted = {mount["path"] for mount in asked.facts.get("mounts") or []}
    items: list[Item] = []
    notes: list[str] = []
    for path, options in asked.values["mounts"].items():
        wanted = list(options)
        how = _noexec_hurts(asked, path)
        if how and "noexec" in wanted:
            wanted.remove("noexec")
            notes.append(f"{path} keeps exec: {how}")
        images = asked.options.works_for(*CONTAINERS)
        if path == "/var" and images and path in mounted:
            notes.append(f"/var is left as it is: images of the node's work lie there ({images})")
            continue
        if path in mounted and wanted:
            items.append({"kind": "mount", "path": path, "options": wanted, "guarded": path in ("/home", "/var", "/var/tmp")})
        elif path != "/dev/shm":
            notes.append(f"{path} is no file system of its own")
    return asked.do(items, notes=notes) if items else asked.leave("; ".join(notes) or "nothing of it is mounted")


def tmp_mount(asked: Asked) -> Decision:
    options = list(asked.values["options"])
    how = _noexec_hurts(asked, "/tmp")
    notes = []
    if how and "noexec" in options:
        options.remove("noexec")
        notes.append(f"/tmp keeps exec: {how}")
    mount = next((row for row in asked.facts.get("mounts") or [] if row["path"] == "/tmp"), None)
    if mount:
        from_unit = not any(row["path"] == "/tmp" for row in asked.facts.get("fstab") or [])
        items: list[Item] = [{"kind": "mount", "path": "/tmp", "options": options, "fstab": not from_unit, "guarded": True}]
        if from_unit:
            text = f"[Mount]\nOptions=mode=1777,strictatime,{','.join(options)},size=50%%,nr_inodes=1m\n"
            items.insert(0, file("/etc/systemd/system/tmp.mount.d/hybridops-fleet.conf", text, notify=["systemd"]))
        return asked.do(items, notes=notes)
    if not asked.values["make"]:
        return asked.leave("/tmp is no file system of its own, and none is asked for")
    if asked.container or asked.image:
        return asked.leave("/tmp of a container or an image is made by what runs it")
    big = asked.options.works_for(*CONTAINERS, "database")
    if big:
        return asked.leave(f"a /tmp in memory could take it from the node's work ({big})")
    return asked.do([file("/etc/systemd/system/tmp.mount", TMP_UNIT.format(options=",".join(options)), notify=["systemd"]),
                     {"kind": "unit", "name": "tmp.mount", "enabled": True, "active": True, "new": True, "guarded": True}],
                    notes=[*notes, "what lay in /tmp before is hidden below it"])


def account_files(asked: Asked) -> Decision:
    group = asked.path("shadow_group")
    secret = ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-")
    return asked.do([
        closed("0644", "/etc/passwd", "/etc/group", "/etc/passwd-", "/etc/group-", "/etc/shells", "/etc/issue", "/etc/issue.net", "/etc/motd",
               owner="root", group="root"),
        closed("0640" if group != "root" else "0600", *secret, owner="root", group=group),
        closed("0600", "/etc/security/opasswd", "/etc/security/opasswd.old", owner="root", group="root"),
        closed("0440", "/etc/sudoers", owner="root", group="root"),
        closed("0750", "/etc/sudoers.d", owner="root", group="root"),
    ])


def home_folders(asked: Asked) -> Decision:
    homes = [(account["home"], account) for account in people(asked)]
    items: list[Item] = [closed(asked.values["mode"], home, owner=str(account["uid"])) for home, account in homes]
    items += [closed("0740", f"{home}/.[a-zA-Z]*", folders=False) for home, _account in homes]
    items += [closed("0700", f"{home}/.ssh") for home, _account in homes]
    return asked.do([*items, closed("0700", "/root"), closed("0740", "/root/.[a-zA-Z]*", folders=False),
                     closed("0600", "/root/.ssh/authorized_keys")])


def log_files(asked: Asked) -> Decision:
    deep = ("/var/log/*", "/var/log/*/*", "/var/log/*/*/*")
    # a package manager that works writes its own logs anew, open to all
    return asked.do([closed("0640", *deep, folders=False, grows=asked.debian)])


def cron(asked: Asked) -> Decision:
    folders = ("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly", "/etc/cron.yearly")
    items = [closed("0700", *folders, owner="root", group="root"), closed("0600", "/etc/crontab", owner="root", group="root")]
    with_plans = asked.facts.get("crontabs")
    if with_plans is None:
        return asked.do(items, notes=["who may use cron is left as it is: the plans of accounts could not be read"])
    if not (asked.has("cron") or asked.has("cronie") or asked.has("cron-daemon-common")):
        return asked.do(items, notes=["there is no cron"])
    names = sorted({*asked.values["allow"], *with_plans})
    group = asked.path("cron_group")
    items.append(plain("/etc/cron.allow", names, group))
    if not asked.there("/etc/cron.allow") and asked.there("/etc/cron.deny"):
        items.append({"kind": "absent", "path": "/etc/cron.deny"})
    # also before at is there, so that it is closed from its first minute
    items.append(plain("/etc/at.allow", sorted(set(asked.values["allow"])), "daemon" if asked.debian and asked.has("at") else "root"))
    if asked.has("at"):
        items.append({"kind": "absent", "path": "/etc/at.deny"})
    more = sorted(set(with_plans) - set(asked.values["allow"]))
    return asked.do(items, notes=[f"{', '.join(more)} may go on using cron: plans of theirs are there"] if more else [])


def plain(path: str, names: list[str], group: str) -> Item:
    return {"kind": "file", "path": path, "content": "".join(name + "\n" for name in names), "mode": "0640", "owner": "root", "group": group}


def set_uid_programs(asked: Asked) -> Decision:
    programs = list(asked.values["programs"])
    return asked.do([closed("0755", *programs)], notes=["an upgrade of their package may give the right back; the next run takes it again"])


def compilers(asked: Asked) -> Decision:
    return asked.do([closed("0750", "/usr/bin/*-linux-gnu-gcc-*", "/usr/bin/*-linux-gnu-g++-*", "/usr/bin/*-linux-gnu-as", "/usr/bin/clang-*",
                            "/usr/bin/gcc", "/usr/bin/cc", "/usr/bin/as", folders=False)])


# ---------------------------------------------------------------------------------------------------- details
def _noexec_hurts(asked: Asked, path: str) -> str:
    """Why programs must run from there, empty when none must."""
    if path == "/dev/shm" and asked.options.works_for("kubernetes"):
        return ""
    connection = asked.options.connection
    if connection.remote_tmp.startswith(path + "/") and path in ("/tmp", "/var/tmp"):
        return f"Ansible keeps its own files there (remote_tmp is {connection.remote_tmp})"
    if path in ("/tmp", "/var/tmp") and asked.options.variables.get("keep_exec_tmp"):
        return "os_hardening_keep_exec_tmp asks for it"
    if path == "/tmp":
        how = asked.options.works_for("build", "database")
        if how and "build" in asked.options.workloads:
            return f"programs are built here ({how})"
    return ""
