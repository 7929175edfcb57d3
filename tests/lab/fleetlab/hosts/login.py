# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which account an image brings with it. The lab's own table, on purpose not the collection's: it is the evidence the other is tested with."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What is found in an image's name (or os_distro) first decides; names of products stand before those of the system they are made from.
_CLOUD_IMAGES = (
    ("talos", None),
    ("flatcar", "core"),
    ("fedora.?coreos|fcos|rhcos", "core"),
    ("garden.?linux", "admin"),
    ("alma", "almalinux"),
    ("rocky", "rocky"),
    ("centos", "cloud-user"),
    ("rhel|red.?hat", "cloud-user"),
    ("oracle", "cloud-user"),
    ("fedora", "fedora"),
    ("amazon|amzn|al2023", "ec2-user"),
    ("opensuse", "opensuse"),
    ("sles|suse", "sles"),
    ("arch", "arch"),
    ("alpine", "alpine"),
    ("freebsd", "freebsd"),
    ("openbsd", "openbsd"),
    ("netbsd", "netbsd"),
    ("cirros", "cirros"),
    ("windows", "Administrator"),
    ("ubuntu|noble|jammy|focal|bionic|resolute", "ubuntu"),
    ("debian|trixie|bookworm|bullseye|buster|forky", "debian"),
)
_AMI_NAMES = (
    (r"^windows", "Administrator"),
    (r"flatcar|fedora-coreos|rhcos", "core"),
    (r"ubuntu", "ubuntu"),
    (r"debian", "admin"),
    (r"rocky", "rocky"),
    (r"centos (linux )?[78]|centos-[78]|centos[78]", "centos"),
    (r"alma|centos|rhel|freebsd|suse|sles|amzn|al2023|amazon|oracle", "ec2-user"),
    (r"bitnami", "bitnami"),
    (r"fedora", "fedora"),
)


def openstack(name: str, properties: Mapping[str, str], server_metadata: Mapping[str, str]) -> str | None:
    """The login user of a server. Its maker's word on the server, then the image's own, then what kind of system the image is."""
    if server_metadata.get("ssh_user"):
        return server_metadata["ssh_user"]
    told = properties.get("image_original_user")
    if told:
        return None if told.lower() == "none" else told
    for text in (name, properties.get("os_distro", "")):
        for pattern, user in _CLOUD_IMAGES:
            if text and re.search(pattern, text, re.IGNORECASE):
                return user
    return None


def ec2(names: list[str], windows: bool) -> str | None:
    """The login user of an instance, by the names of its image and of those it was made from, newest first."""
    if windows:
        return "Administrator"
    for name in reversed(names):  # the publisher's own name says most
        for pattern, user in _AMI_NAMES:
            if re.search(pattern, name, re.IGNORECASE):
                return user
    return None
