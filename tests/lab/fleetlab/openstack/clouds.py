# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The clouds of the lab: each differs in a way a real one does.

Public addresses come from documentation ranges only, and no two clouds share one.
"""
from __future__ import annotations

from .layout import Access, Cloud, Image, Network, Nic, Server

# name -> vCPUs, MiB of memory, GiB of disk. No host has room for the last: Nova answers "No valid host was found".
FLAVORS = {
    "m1.tiny": (1, 512, 1),
    "m1.small": (1, 2048, 20),
    "c5.large": (2, 4096, 40),
    "x9.oversized": (100_000, 4096, 40),
}

# DreamCompute, HP: IPv4 by floating address only; every server has a public IPv6 address of its own on the
# project's network; the network named "public" is seen by everybody, and nobody may boot on it.
FLOATING = Cloud(
    name="floating",
    credential="application",
    images=(
        Image("Ubuntu 24.04 LTS", "ubuntu", {"os_distro": "ubuntu", "os_version": "24.04", "os_admin_user": "ubuntu"}),
        Image("Debian-12", "debian"),
        Image("CentOS-Stream-9", "cloud-user", {"os_distro": "centos", "os_version": "9"}),
    ),
    networks=(
        Network("public", ("203.0.113.0/26",), Access.FLOAT),
        Network("private-network", ("10.0.1.0/24", "2001:db8:1:1::/64"), routed=True),
    ),
    servers=(
        Server("web-1", "Ubuntu 24.04 LTS",
               (Nic("private-network", {"10.0.1.11": "private", "2001:db8:1:1::11": "public"}, "203.0.113.11"),),
               metadata={"group": "web", "env": "prod"}, tags=("blue", "k8s-node")),
        Server("web-2", "Debian-12",
               (Nic("private-network", {"10.0.1.12": "private", "2001:db8:1:1::12": "public"}, "203.0.113.12"),),
               metadata={"group": "web", "env": "test"}, tags=("green",)),
        Server("db-1", "CentOS-Stream-9",
               (Nic("private-network", {"10.0.1.21": "private", "2001:db8:1:1::21": "public"}),),
               flavor="c5.large", metadata={"group": "db", "env": "prod"}),
        Server("lost-1", "Debian-12", attach_to="public", status="ERROR"),
    ),
)

# OVH: servers sit on the shared provider network itself, with public addresses; no floating addresses. A vRack,
# where there is one, comes first in Nova's answer and is not the way in.
PROVIDER = Cloud(
    name="provider",
    credential="password",
    images=(
        Image("Debian 12", "debian", {"image_original_user": "debian"}),
        Image("AlmaLinux 9", "almalinux", {"os_distro": "centos", "os_version": "9"}),  # so osism sets it
    ),
    networks=(
        Network("Ext-Net", ("198.51.100.0/26", "2001:db8:2::/64"), Access.BOOT),
        Network("vrack", ("192.168.0.0/24",), gateway=False),
    ),
    servers=(
        Server("vps-1", "Debian 12", (Nic("Ext-Net", {"198.51.100.11": "public", "2001:db8:2::11": "public"}),),
               tags=("web",)),
        Server("vps-2", "AlmaLinux 9", (
            Nic("vrack", {"192.168.0.12": "private"}),
            Nic("Ext-Net", {"198.51.100.12": "public", "2001:db8:2::12": "public"}),
        ), metadata={"group": "db", "env": "prod"}),
        Server("vps-off", "Debian 12", (Nic("Ext-Net", {"198.51.100.13": "public", "2001:db8:2::13": "public"}),),
               status="SHUTOFF"),
        Server("backup-1", "AlmaLinux 9", (Nic("vrack", {"192.168.0.14": "private"}),), login_user="backup",
               metadata={"ssh_user": "backup"}),
    ),
)

# Names that mislead: "private" is the public network, "public" a private one, "external" cannot be used.
MISLEADING = Cloud(
    name="misleading",
    credential="password",
    images=(
        Image("Flatcar Container Linux 4152", "core", {"os_distro": "fedora"}),
        Image("golden-2026.10", None),
    ),
    networks=(
        Network("private", ("198.51.100.64/26",), Access.BOOT),
        Network("external", ("203.0.113.64/26",), Access.FLOAT),
        Network("public", ("10.5.0.0/24",)),
    ),
    servers=(
        Server("edge-1", "Flatcar Container Linux 4152", (Nic("private", {"198.51.100.71": "public"}),)),
        Server("app-1", "golden-2026.10", (Nic("public", {"10.5.0.11": "private"}),)),
        Server("both-1", "golden-2026.10", (
            Nic("public", {"10.5.0.12": "private"}),
            Nic("private", {"198.51.100.72": "public"}),
        )),
        Server("trap-1", "golden-2026.10", attach_to="external", status="ERROR"),
    ),
)

# OSIC: a split stack, IPv4 from one network and IPv6 from another; both external and open to servers. Beside it
# a dual-stack network, and one with IPv6 only.
DUALSTACK = Cloud(
    name="dualstack",
    credential="application",
    images=(
        Image("rocky-9-genericcloud", "rocky", {"os_distro": "rocky", "os_version": "9"}),
        Image("Fedora Cloud 43", "fedora", {"os_distro": "fedora", "image_original_user": "fedora"}),
    ),
    networks=(
        Network("GATEWAY_NET", ("198.51.100.128/26",), Access.BOOT | Access.FLOAT),
        Network("GATEWAY_NET_V6", ("2001:db8:4::/64",), Access.BOOT | Access.FLOAT),
        Network("dual", ("203.0.113.192/26", "2001:db8:4:1::/64"), Access.BOOT),
        Network("only-v6", ("2001:db8:4:2::/64",), Access.BOOT),
    ),
    servers=(
        Server("split-1", "rocky-9-genericcloud", (
            Nic("GATEWAY_NET", {"198.51.100.141": "public"}),
            Nic("GATEWAY_NET_V6", {"2001:db8:4::11": "public"}),
        )),
        Server("dual-1", "Fedora Cloud 43", (Nic("dual", {"2001:db8:4:1::11": "public", "203.0.113.211": "public"}),)),
        Server("six-1", "Fedora Cloud 43", (Nic("only-v6", {"2001:db8:4:2::11": "public"}),), tags=("ipv6",)),
    ),
)

# Several interfaces, names that say nothing, carrier-grade and unique local addresses, a stale accessIPv4.
MULTINIC = Cloud(
    name="multinic",
    credential="password",
    images=(
        Image("noble-server-cloudimg-amd64", "ubuntu"),
        Image("trixie-genericcloud-amd64", "debian", {"os_admin_user": "root"}),    # Glance's default, not evidence
        Image("Garden Linux 1877", "admin", {"os_distro": "debian"}),
    ),
    networks=(
        Network("uplink", ("203.0.113.128/26",), Access.FLOAT),
        Network("lan", ("198.51.100.192/26",), Access.BOOT),
        Network("internet", ("172.16.5.0/24",), gateway=False),
        Network("wan", ("100.64.8.0/24", "fd00:5:1::/64"), gateway=False),
        Network("storage", ("10.50.0.0/24",), routed=True),
    ),
    servers=(
        Server("nics-1", "noble-server-cloudimg-amd64", (
            Nic("wan", {"100.64.8.11": "private", "fd00:5:1::11": "private"}),
            Nic("internet", {"172.16.5.11": "private"}),
            Nic("lan", {"198.51.100.211": "public"}),
        )),
        Server("stale-1", "trixie-genericcloud-amd64", (Nic("internet", {"172.16.5.12": "private"}),),
               access_ipv4="192.0.2.99"),
        Server("second-1", "trixie-genericcloud-amd64", (
            Nic("wan", {"100.64.8.13": "private", "fd00:5:1::13": "private"}),
            Nic("storage", {"10.50.0.13": "private"}, "203.0.113.143"),
        )),
        Server("carrier-1", "Garden Linux 1877", (Nic("wan", {"100.64.8.14": "private", "fd00:5:1::14": "private"}),)),
    ),
)

# A company's own cloud: "external" means its office network, so floating addresses are RFC 1918 ones.
COMPANY = Cloud(
    name="company",
    credential="application",
    images=(
        Image("rhel-9.6-x86_64", "cloud-user", {"os_distro": "rhel", "os_version": "9.6"}),
        Image("corp-base-v3", "ops", {"image_original_user": "ops", "os_distro": "ubuntu"}),
        Image("Talos 1.12", None, {"image_original_user": "none"}),     # nobody can log in to it
    ),
    networks=(
        Network("corp-lan", ("10.180.0.0/24",), Access.FLOAT),
        Network("corp-direct", ("10.181.0.0/24",), Access.BOOT | Access.FLOAT),
        Network("app", ("172.20.0.0/24",), routed=True),
    ),
    servers=(
        Server("erp-1", "rhel-9.6-x86_64", (Nic("app", {"172.20.0.11": "private"}, "10.180.0.147", "external"),),
               flavor="m1.small", metadata={"group": "erp", "env": "prod"}),
        Server("erp-2", "corp-base-v3", (Nic("corp-direct", {"10.181.0.12": "external"}),), tags=("erp",)),
        Server("batch-1", "Talos 1.12", (Nic("app", {"172.20.0.13": "private"}),)),
        Server("oversized-1", "corp-base-v3", attach_to="app", status="ERROR", flavor="x9.oversized"),
    ),
)

CLOUDS = (FLOATING, PROVIDER, MISLEADING, DUALSTACK, MULTINIC, COMPANY)
