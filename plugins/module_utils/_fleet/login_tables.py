# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Default login users as data, for ``login_user``; the first name of a row is the answer, the others are plausible.

Sources: the 30 variants of cloud-init's cloud.cfg template; the AWS user guide on default users and the owners of
published AMIs; the login data of the OpenStack images that osism, kcli and kubespray keep.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Users(NamedTuple):
    """Login users of a distribution; images of versions below ``before`` have the users ``older``."""

    names: tuple[str, ...]
    before: tuple[int, ...] = ()
    older: tuple[str, ...] = ()


class Publisher(NamedTuple):
    """An account that publishes AMIs, and the users of its AMIs when it publishes one distribution only."""

    name: str
    users: tuple[str, ...] = ()


NODE_KEYS = ("fleet_login_user", "ssh_user", "login_user")
"""Tags or metadata of a node by which its operator names the login user, strongest first."""

NODE_WORDS: Mapping[str, str] = {"aws": "tag", "metal": "data"}
"""What a provider calls them; the others say metadata."""

NO_LOGIN: Mapping[str, str] = {"talos": "Talos has neither users nor SSH, it is managed through its API"}
"""Distributions that nobody logs in to, and why."""

IMAGE_USERS: Mapping[str, Users] = {
    "almalinux": Users(("almalinux",)),
    "alpine": Users(("alpine",)),
    "amazon": Users(("ec2-user",)),
    "aosc": Users(("aosc",)),
    "arch": Users(("arch",)),
    "azurelinux": Users(("azureuser",)),
    # Stream: cloud-user by cloud-init upstream, centos by osism, ec2-user in images made for AWS
    "centos": Users(("cloud-user", "centos", "ec2-user"), before=(9,), older=("centos", "cloud-user")),
    "cirros": Users(("cirros",)),
    "cloudlinux": Users(("cloudlinux",)),
    "coreos": Users(("core",)),
    "debian": Users(("debian",)),
    "dragonfly": Users(("dragonfly",)),
    "eurolinux": Users(("eurolinux",)),
    "fcos": Users(("core",)),
    "fedora": Users(("fedora",)),
    "flatcar": Users(("core", "root")),
    "freebsd": Users(("freebsd",)),
    "gardenlinux": Users(("admin",)),
    "gentoo": Users(("gentoo",)),
    "mariner": Users(("mariner",)),
    "miraclelinux": Users(("miraclelinux",)),
    "netbsd": Users(("netbsd",)),
    "openbsd": Users(("openbsd",)),
    "opencloudos": Users(("OpenCloudOS",)),
    "openeuler": Users(("openeuler",)),
    "openmandriva": Users(("omv",)),
    "opensuse": Users(("opensuse", "suse", "root")),
    "opnsense": Users(("root",)),
    "photon": Users(("root",)),
    "raspbian": Users(("pi",)),
    "rhcos": Users(("core",)),
    "rhel": Users(("cloud-user", "ec2-user")),
    "rocky": Users(("rocky",)),
    "scos": Users(("core",)),
    "sles": Users(("sles", "suse", "opensuse", "root")),
    "suse": Users(("suse", "opensuse", "sles", "root")),
    "tencentos": Users(("TencentOS",)),
    "ubuntu": Users(("ubuntu",)),
    "virtuozzo": Users(("virtuozzo",)),
}
"""Distribution -> login users, unless the cloud's own images differ."""

AWS_USERS: Mapping[str, Users] = {
    "almalinux": Users(("ec2-user", "almalinux")),
    "centos": Users(("ec2-user", "centos", "cloud-user"), before=(9,), older=("centos", "ec2-user")),
    "debian": Users(("admin", "debian")),
    "fedora": Users(("fedora", "ec2-user")),
    "freebsd": Users(("ec2-user", "freebsd")),
    "macos": Users(("ec2-user",)),
    "opensuse": Users(("ec2-user", "root")),
    "oracle": Users(("ec2-user",)),
    "rhel": Users(("ec2-user", "root"), before=(6, 4), older=("root", "ec2-user")),
    "sles": Users(("ec2-user", "root")),
    "suse": Users(("ec2-user", "root")),
}
"""Distribution -> login users of its AMIs, where they differ from IMAGE_USERS."""

WINDOWS_USERS = ("Administrator",)
BITNAMI_USERS = ("bitnami",)

UNTOLD_AWS = ("ec2-user", "ubuntu", "admin", "debian", "rocky", "centos", "fedora", "core", "root")
"""Worth trying on an AMI that tells nothing, commonest first."""

UNTOLD_IMAGE = ("root", "ubuntu", "debian", "cloud-user", "centos", "rocky", "almalinux", "fedora", "core")
"""Worth trying elsewhere: root first, because cloud-init answers it with the name of the right user."""

AMI_PUBLISHERS: Mapping[str, Publisher] = {
    "137112412989": Publisher("Amazon", ("ec2-user",)),
    "099720109477": Publisher("Canonical", ("ubuntu",)),
    "136693071363": Publisher("Debian", ("admin", "debian")),
    "379101102735": Publisher("Debian up to 9", ("admin", "debian")),
    "309956199498": Publisher("Red Hat", ("ec2-user", "root")),
    "125523088429": Publisher("Fedora and CentOS"),
    "792107900819": Publisher("Rocky Linux", ("rocky",)),
    "764336703387": Publisher("AlmaLinux", ("ec2-user", "almalinux")),
    "118940168514": Publisher("FreeBSD", ("ec2-user", "freebsd")),
    "100343932686": Publisher("Amazon, macOS", ("ec2-user",)),
    "898082745236": Publisher("AWS Deep Learning"),
    "679593333241": Publisher("AWS Marketplace"),
}
"""Owner of an AMI -> its publisher. The owner proves that the name is true; a name alone proves nothing."""
