# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hosts' images consist of, as data: packages, units that do nothing useful in a container, files."""

from __future__ import annotations

import re
from collections.abc import Sequence

SUITES = ("bookworm", "trixie", "bullseye")
"""Debian releases that hosts can be of; the first one unless told otherwise."""

_RELEASES = (  # what an image's name or description tells, in any of the clouds' ways to write it
    ("trixie", r"trixie|debian[-_ ]?(gnu/linux )?13(?!\d)"),
    ("bookworm", r"bookworm|debian[-_ ]?(gnu/linux )?12(?!\d)"),
    ("bullseye", r"bullseye|debian[-_ ]?(gnu/linux )?11(?!\d)"),
)


def suites(told: str | None) -> tuple[str, ...]:
    """The releases that a lab has, of a list like ``bookworm,trixie``; the first is for machines whose image is of none of them.

    Raises ValueError for a name that is no release.
    """
    named = tuple(dict.fromkeys(re.findall(r"[^,\s]+", told or ""))) or SUITES[:1]
    strange = [name for name in named if name not in SUITES]
    if strange:
        raise ValueError(f"no such Debian release: {', '.join(strange)}; there are {', '.join(SUITES)}")
    return named


def suite_of(image: str, offered: Sequence[str]) -> str:
    """The release with which to boot a machine of that image: its own where the lab has it, else the lab's first."""
    for suite, pattern in _RELEASES:
        if suite in offered and re.search(pattern, image, re.IGNORECASE):
            return suite
    return offered[0]


# What a Debian cloud image has, as far as a role can see it.
BASE_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "openssh-server",
    "sudo",
    "python3",
    "python3-apt",
    "cloud-init",
    "iproute2",
    "iputils-ping",
    "procps",
    "curl",
    "ca-certificates",
    "less",
    "nftables",
    "iptables",
    "kmod",
    "udev",
    "cron",
    "logrotate",
    "netbase",
    "locales",
    "gnupg",
    "bash-completion",
    "file",
    "netcat-openbsd",
)

# What roles and tests install in hosts, which have no way out: with all dependencies the base lacks, in an apt repository beside the image.
# More, for one machine: FLEET_LAB_PACKAGES="name ..." (the repository is made anew when the list changes).
OFFERED_PACKAGES = (
    "acct",
    "acl",
    "aide",
    "aide-common",
    "apparmor",
    "apparmor-profiles",
    "apparmor-utils",
    "apt-listchanges",
    "apt-show-versions",
    "apt-transport-https",
    "audispd-plugins",
    "auditd",
    "busybox-static",
    "chrony",
    "conntrack",
    "cron",
    "debsums",
    "dnsmasq-base",
    "docker-cli",
    "docker.io",
    "ethtool",
    "fail2ban",
    "git",
    "grub2-common",
    "haproxy",
    "ipset",
    "iptables-persistent",
    "jq",
    "keepalived",
    "libpam-apparmor",
    "libpam-passwdqc",
    "libpam-pwquality",
    "libpam-tmpdir",
    "linux-base",
    "lsof",
    "lynis",
    "needrestart",
    "nfs-common",
    "nginx-light",
    "ntpsec",
    "open-iscsi",
    "openscap-scanner",
    "python3-docker",
    "rsync",
    "rsyslog",
    "rsyslog-gnutls",
    "socat",
    "strace",
    "sysstat",
    "systemd-journal-remote",
    "systemd-timesyncd",
    "tcpdump",
    "tmux",
    "ufw",
    "unattended-upgrades",
    "unzip",
    "vim-tiny",
    "wget",
    "wireguard-go",
    "wireguard-tools",
    "xfsprogs",
)

# Units that wait for hardware or tidy a machine that lives for minutes; each costs a host CPU at every boot.
MASKED_UNITS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "man-db.timer",
    "systemd-tmpfiles-clean.timer",
    "console-getty.service",
    "getty.target",
    "getty-static.service",
    "systemd-udevd.service",
    "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket",
    "systemd-udev-trigger.service",
    "systemd-udev-settle.service",
    "systemd-hwdb-update.service",
    "systemd-binfmt.service",
    "systemd-random-seed.service",
    "systemd-pstore.service",
    "systemd-remount-fs.service",
    "systemd-machine-id-commit.service",
    "ldconfig.service",
    "systemd-journal-catalog-update.service",
    "systemd-update-done.service",
    "systemd-firstboot.service",
    "modprobe@.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "systemd-networkd-wait-online.service",
    "networking.service",
    "ifupdown-pre.service",
    "ifupdown-wait-online.service",
    "cloud-init-hotplugd.socket",
    "cloud-init-hotplugd.service",
)

# cloud-init: all that user data may ask of it, without what grows disks, seeds entropy or reports to a vendor. Accounts, keys and the
# refusal of root logins are its own work.
CLOUD_CONFIG = """\
# made by the lab: a machine image that boots fast in a container
cloud_init_modules: [bootcmd, write-files, set_hostname, update_hostname, update_etc_hosts, ca-certs, rsyslog, users-groups, ssh]
cloud_config_modules: [ssh-import-id, locale, set-passwords, apt-configure, ntp, timezone, runcmd]
cloud_final_modules: [package-update-upgrade-install, write-files-deferred, scripts-vendor, scripts-per-once, scripts-per-boot,
  scripts-per-instance, scripts-user, ssh-authkey-fingerprints, keys-to-console, final-message, power-state-change]
network: {config: disabled}
apt: {preserve_sources_list: true}
locale: C.UTF-8
manage_etc_hosts: true
disable_root: true
ssh_genkeytypes: [ecdsa, ed25519]
"""
# As cloud-init would write it; there already, so that it need not start sshd again.
SSHD_CONFIG = "PasswordAuthentication no\n"


# cloud-init knows some clouds by their mainboards, which no container has. (file below cloudinit/, text, what takes its place)
PATCHES = (
    ("sources/DataSourceGCE.py", "platform_check=True", "platform_check=False"),
    ("sources/DataSourceEc2.py", "lambda x: CloudNames.UNKNOWN", "lambda x: CloudNames.AWS"),  # else it would not ask for a token first
)

# Nobody answers names in the lab's network; asking this machine itself is refused at once, where another would be waited for.
RESOLV_CONF = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
