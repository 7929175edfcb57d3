# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controls of the kernel: its settings, modules, dumps, and the confinement of programs."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..decision import Decision, Item
from .asked import HEAD, Asked, file

FORWARDING = ("docker", "swarm", "kubernetes", "podman", "containerd", "libvirt", "router", "mesh", "ipsec")
"""Workloads that pass packets on."""
LOOSE = ("docker", "swarm", "kubernetes", "podman", "containerd", "libvirt", "router", "mesh", "ipsec")
"""Workloads in which an answer may take another way than the question."""
NEIGHBOURS = ("arp_ignore", "arp_filter", "drop_gratuitous_arp", "accept_local", "shared_media")
"""Settings of how the node answers neighbours; addresses that move or are shared need the kernel's own."""
MODULES_OF = {"squashfs": ("snap",), "sctp": ("kubernetes",), "overlay": ("docker", "swarm", "kubernetes", "podman", "containerd"),
              "esp4": ("ipsec", "swarm", "kubernetes", "mesh"), "esp6": ("ipsec", "swarm", "kubernetes", "mesh"), "algif_aead": ("ipsec",),
              "rds": ("database",)}
"""Modules and the workloads that need them."""


def sysctl_kernel(asked: Asked) -> Decision:
    if asked.container:
        return asked.leave("the kernel belongs to the machine below this container")
    settings, notes = dict(asked.values["settings"]), []
    if settings.get("kernel.kexec_load_disabled") and (asked.has("kdump-tools") or asked.has("kexec-tools")):
        settings.pop("kernel.kexec_load_disabled")
        notes.append("kernel.kexec_load_disabled is left out: dumps of a crashed kernel are set up here")
    how = asked.options.works_for("database", "kubernetes", "docker", "swarm")
    if how and int(settings.get("kernel.pid_max", 4194304)) < 4194304 and asked.options.works_for("kubernetes", "docker", "swarm"):
        settings.pop("kernel.pid_max", None)
        notes.append(f"kernel.pid_max is left as it is: the node runs containers ({how})")
    return asked.do(_sysctl("kernel", settings), notes=notes)


def sysctl_network(asked: Asked) -> Decision:
    settings, notes = dict(asked.values["settings"]), []
    how = asked.options.works_for(*LOOSE)
    ways = asked.facts.get("default_routes") or []
    alone = [row["name"] for row in asked.facts.get("networks") or []
             if row["outside"] and any(address.endswith("/32") for address in row["addresses"])]
    reason = f"the node's work needs it ({how})" if how else f"it has several ways out ({', '.join(ways)})" if len(ways) > 1 else ""
    if reason:
        settings.update({key: 2 for key in settings if key.endswith(".rp_filter")})
        notes.append(f"rp_filter is 2 (loose): {reason}")
    if alone and not reason:
        reason = f"its neighbours lie outside of its own network ({', '.join(alone)})"
    if reason:
        left = [key for key in settings if key.startswith("net.ipv4.conf.") and key.rsplit(".", 1)[1] in NEIGHBOURS]
        settings = {key: value for key, value in settings.items() if key not in left}
        if left:
            notes.append(f"{', '.join(sorted({key.rsplit('.', 1)[1] for key in left}))} stay as they are: {reason}")
    if asked.options.works_for("kubernetes", "docker", "swarm", "podman") and any(key.endswith(".route_localnet") for key in settings):
        settings = {key: value for key, value in settings.items() if not key.endswith(".route_localnet")}
        notes.append(f"route_localnet is left as it is: {asked.options.works_for('kubernetes', 'docker', 'swarm', 'podman')}")
    if asked.options.works_for("router"):
        settings = {key: value for key, value in settings.items() if not key.endswith(".send_redirects")}
        notes.append(f"send_redirects is left as it is: the node is a router ({asked.options.works_for('router')})")
    ports = str(settings.get("net.ipv4.ip_local_port_range", "")).split()
    taken = sorted({row["port"] for row in asked.facts.get("listening") or [] if ports and int(ports[0]) <= row["port"] <= int(ports[1])})
    if asked.options.works_for("kubernetes", "swarm"):
        taken = taken or [30000]
    if taken and "net.ipv4.ip_local_port_range" in settings:
        settings.pop("net.ipv4.ip_local_port_range")
        notes.append(f"ip_local_port_range is left as it is: services listen in it or are published there ({', '.join(map(str, taken[:5]))})")
    return asked.do(_sysctl("network", _each_interface(settings, asked)), notes=notes)


def sysctl_forwarding(asked: Asked) -> Decision:
    how = asked.options.works_for(*FORWARDING)
    if how:
        return asked.leave(f"the node passes packets on for its work ({how})")
    return asked.do(_sysctl("forwarding", asked.values["settings"]))


def sysctl_router_advertisements(asked: Asked) -> Decision:
    learnt = asked.facts.get("router_advertisements") or []
    if asked.facts.get("router_advertisements") is None:
        return asked.leave("it is not known whether the node's IPv6 addresses and routes come from routers on the link")
    if learnt:
        return asked.leave(f"the node has its IPv6 address or route from a router on the link ({', '.join(learnt)}); without it IPv6 is lost")
    return asked.do(_sysctl("router-advertisements", _each_interface(asked.values["settings"], asked)))


def kernel_modules(asked: Asked) -> Decision:
    if asked.container:
        return asked.leave("the kernel belongs to the machine below this container")
    kept, notes = [], []
    used = {mount["type"] for mount in asked.facts.get("mounts") or []} | {row["type"] for row in asked.facts.get("fstab") or []}
    kernel: Mapping[str, Any] = asked.facts.get("kernel") or {}
    loaded = {name.replace("_", "-") for name in kernel.get("loaded") or []}
    for module in asked.values["modules"]:
        how = asked.options.works_for(*MODULES_OF.get(module, ()))
        efi = module in ("vfat", "fat") and kernel.get("efi")
        reason = how or ("it is mounted" if module in used else "") or ("the node boots by UEFI" if efi else "")
        reason = reason or ("it is in use" if module.replace("_", "-") in loaded and module not in ("udf",) else "")
        if module == "udf" and asked.options.node.get("fleet_provider") == "azure":
            reason = "the cloud hands its data over on a disk of this kind"
        if reason:
            notes.append(f"{module} stays: {reason}")
        else:
            kept.append(module)
    lines = [line for module in kept for line in (f"install {module} /bin/false", f"blacklist {module}")]
    return asked.do([file("/etc/modprobe.d/hybridops-fleet.conf", "".join(line + "\n" for line in lines))], notes=notes)


def core_dumps(asked: Asked) -> Decision:
    return asked.do([
        file("/etc/security/limits.d/zz-hybridops-fleet.conf", "*\thard\tcore\t0\n*\tsoft\tcore\t0\nroot\thard\tcore\t0\n"),
        file("/etc/systemd/coredump.conf.d/hybridops-fleet.conf", "[Coredump]\nStorage=none\nProcessSizeMax=0\n"),
        file("/etc/systemd/system.conf.d/hybridops-fleet-core.conf", "[Manager]\nDefaultLimitCORE=0\n"),
    ])


def apparmor(asked: Asked) -> Decision:
    if not asked.packages("apparmor"):
        return asked.leave("the distribution confines programs by something else")
    if asked.container:
        return asked.leave("the kernel belongs to the machine below this container")
    kernel = asked.facts.get("kernel") or {}
    notes = [] if kernel.get("apparmor") else ["this kernel runs without AppArmor now: the profiles hold from a boot with it on"]
    items: list[Item] = [] if not kernel.get("apparmor") else [{"kind": "unit", "name": "apparmor.service", "enabled": True, "active": True,
                                                               "package": "apparmor"}]
    pam = asked.packages("apparmor_pam") if asked.values["pam_module"] else ()
    return asked.do(items, present=(*asked.packages("apparmor"), *pam), notes=notes)


def selinux(asked: Asked) -> Decision:
    if not asked.redhat:
        return asked.leave("the distribution confines programs by something else")
    if asked.container:
        return asked.leave("the kernel belongs to the machine below this container")
    state = (asked.facts.get("kernel") or {}).get("selinux")
    if state == "off":
        return asked.leave("SELinux is off; switching it on needs a relabel and a restart, which is for the operator to plan")
    items: list[Item] = [{"kind": "settings", "path": "/etc/selinux/config", "style": "tight", "values": {"SELINUX": "enforcing"}}]
    notes = ["it is permissive now and enforces from the next boot on"] if state == "permissive" else []
    return asked.do(items, notes=notes)


def ctrl_alt_del(asked: Asked) -> Decision:
    return asked.do([{"kind": "unit", "name": "ctrl-alt-del.target", "masked": True}])


# ---------------------------------------------------------------------------------------------------- details
def _sysctl(name: str, settings: Mapping[str, Any]) -> list[Item]:
    """Now, and at every boot. The name sorts behind the distribution's files, as the last one read counts."""
    lasting = {key: value for key, value in settings.items() if "*" not in key}
    content = HEAD + "".join(f"{key} = {value}\n" for key, value in sorted(lasting.items()) if not _of_one_interface(key))
    return [{"kind": "file", "path": f"/etc/sysctl.d/99-zz-hybridops-fleet-{name}.conf", "content": content, "mode": "0644"},
            {"kind": "sysctl", "values": {key: str(value) for key, value in lasting.items()}, "guarded": name != "kernel"}]


def _each_interface(settings: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """``conf.*`` stands for all, default and every interface that leads out: of some settings the one of the interface counts."""
    names = [row["name"] for row in asked.facts.get("networks") or [] if row["outside"]]  # those of containers come and go
    found: dict[str, Any] = {}
    for key, value in settings.items():
        for name in ["all", "default", *names] if ".conf.*." in key else [""]:
            found[key.replace(".conf.*.", f".conf.{name.replace('.', '/')}.")] = value
    return found


def _of_one_interface(key: str) -> bool:
    words = key.split(".")
    return len(words) > 4 and words[2] == "conf" and words[3] not in ("all", "default")
