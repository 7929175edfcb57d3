# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Distributions and versions read from names as the clouds and publishers write them."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.distro import identify

COMPUTE = "https://www.googleapis.com/compute/v1/projects"


@pytest.mark.parametrize(("text", "expected"), [
    ("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250115", ("ubuntu", "24.04")),
    ("ubuntu-eks/k8s_1.28/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20240301", ("ubuntu", "22.04")),
    ("debian-12-amd64-20240507-1740", ("debian", "12")),
    ("Rocky-9-EC2-Base-9.4-20240523.0.x86_64", ("rocky", "9.4")),
    ("AlmaLinux OS 9.4.20240513 x86_64", ("almalinux", "9.4")),
    ("al2023-ami-2023.5.20240701.0-kernel-6.1-x86_64", ("amazon", "2023")),
    ("amzn2-ami-hvm-2.0.20240620.0-x86_64-gp2", ("amazon", "2")),
    ("amzn-ami-hvm-2018.03.0.20230404.0-x86_64-gp2", ("amazon", "2018.03")),
    ("amazon-eks-node-1.28-v20240101", ("amazon", None)),
    ("amzn-ec2-macos-14.5-20240527-234917", ("macos", "14.5")),
    ("RHEL-9.4.0_HVM-20240605-x86_64-82-Hourly2-GP3", ("rhel", "9.4")),
    ("RHEL-6.3_HVM-20140225-x86_64", ("rhel", "6.3")),
    ("CentOS Stream 9 x86_64 20240703", ("centos", "9")),
    ("CentOS 7.9.2009 x86_64", ("centos", "7.9")),
    ("Fedora-Cloud-Base-AmazonEC2.x86_64-40-1.14", ("fedora", "40")),
    ("fedora-coreos-40.20240616.3.0-x86_64", ("fcos", "40")),
    ("rhcos-415.92.202402201450-0-x86_64", ("rhcos", "415.92")),
    ("Flatcar-stable-3815.2.2-hvm", ("flatcar", "3815.2.2")),
    ("suse-sles-15-sp5-v20240321-hvm-ssd-x86_64", ("sles", "15.5")),
    ("OL9.3-x86_64-HVM-2023-11-17", ("oracle", "9.3")),
    ("FreeBSD 14.0-RELEASE-amd64", ("freebsd", "14.0")),
    ("Windows_Server-2022-English-Full-Base-2024.05.15", ("windows", "2022")),
    ("Deep Learning Base AMI (Ubuntu 20.04) 20240625", ("ubuntu", "20.04")),
    ("bitnami-wordpress-6.5.3-0-r06-linux-debian-12-x86_64-hvm-ebs-nami", ("debian", "12")),
    ("bottlerocket-aws-k8s-1.28-x86_64-v1.19.5-64049ba8", ("bottlerocket", "1.19.5")),
])
def test_ami_names(text: str, expected: tuple[str, str | None]) -> None:
    assert identify(text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("Ubuntu 24.04 LTS", ("ubuntu", "24.04")),
    ("ubuntu-22-04-x64", ("ubuntu", "22.04")),
    ("jammy-server-cloudimg-amd64.img", ("ubuntu", "22.04")),
    ("Debian 12 bookworm", ("debian", "12")),
    ("Debian GNU/Linux 12 (bookworm)", ("debian", "12")),
    ("Debian trixie", ("debian", "13")),
    ("debian-bullseye-2024-12-01", ("debian", "11")),
    ("rocky-9-genericcloud", ("rocky", "9")),
    ("AlmaLinux-9-GenericCloud-9.4-20240507.x86_64", ("almalinux", "9.4")),
    ("CentOS-Stream-GenericCloud-9-20240101", ("centos", "9")),
    ("CentOS-7-x86_64-GenericCloud-2009", ("centos", "7")),
    ("centos9stream", ("centos", "9")),
    ("Fedora-Cloud-Base-Generic-41-1.4.x86_64", ("fedora", "41")),
    ("openSUSE-Leap-15.6", ("opensuse", "15.6")),
    ("SLES15-SP5-Minimal-VM.x86_64-Cloud", ("sles", "15.5")),
    ("SUSE Leap 15.6", ("opensuse", "15.6")),
    ("Oracle Linux 9", ("oracle", "9")),
    ("Oracle-8-hardened", ("oracle", "8")),
    ("kvm-gardenlinux_prod-amd64-1443.3", ("gardenlinux", "1443.3")),
    ("Garden Linux 1443.3 (Debian)", ("gardenlinux", "1443.3")),
    ("Red Hat CoreOS 415.92", ("rhcos", "415.92")),
    ("CentOS Stream CoreOS 4.15", ("scos", "4.15")),
    ("cirros-0.6.2-x86_64-disk", ("cirros", "0.6.2")),
    ("Alpine 3.19.1", ("alpine", "3.19.1")),
    ("Arch-Linux-x86_64-cloudimg-20240101", ("arch", None)),
    ("OpenBSD 7.5", ("openbsd", "7.5")),
    ("NetBSD 10.0", ("netbsd", "10.0")),
    ("openEuler-22.03-LTS-SP3", ("openeuler", "22.03")),
    ("Photon OS 5.0", ("photon", "5.0")),
    ("Talos v1.7.0", ("talos", "1.7.0")),
    ("2024-raspberry-pi-os-12-arm64 (Debian)", ("raspbian", "12")),
])
def test_image_names(text: str, expected: tuple[str, str | None]) -> None:
    assert identify(text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    (f"{COMPUTE}/debian-cloud/global/licenses/debian-12-bookworm", ("debian", "12")),
    (f"{COMPUTE}/ubuntu-os-cloud/global/licenses/ubuntu-2404-lts", ("ubuntu", "24.04")),
    (f"{COMPUTE}/rocky-linux-cloud/global/licenses/rocky-linux-9", ("rocky", "9")),
    (f"{COMPUTE}/rhel-cloud/global/licenses/rhel-9-server", ("rhel", "9")),
    (f"{COMPUTE}/centos-cloud/global/licenses/centos-stream-9", ("centos", "9")),
    (f"{COMPUTE}/suse-cloud/global/licenses/sles-15", ("sles", "15")),
    (f"{COMPUTE}/opensuse-cloud/global/images/opensuse-leap-15-6-v20240612-x86-64", ("opensuse", "15.6")),
    (f"{COMPUTE}/windows-cloud/global/licenses/windows-server-2022-dc", ("windows", "2022")),
    (f"{COMPUTE}/cos-cloud/global/licenses/cos", ("cos", None)),
    ("projects/cos-cloud/global/images/cos-arm64-stable-109-17800-147-22", ("cos", "109")),
    ("projects/debian-cloud/global/images/family/debian-12", ("debian", "12")),
    (f"{COMPUTE}/team-debian/global/images/golden", (None, None)),
])
def test_gce_resources_speak_by_their_own_name_not_by_the_projects(
    text: str, expected: tuple[str | None, str | None]
) -> None:
    assert identify(text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("debian", "debian"), ("arch", "arch"), ("rocky", "rocky"), ("ol", "oracle"), ("sle", "sles"), ("suse", "suse"),
    ("Red Hat Enterprise Linux", "rhel"), ("SUSE Linux", "sles"), ("Ubuntu Pro", "ubuntu"),
    ("Windows with SQL Server Standard", "windows"), ("Linux/UNIX", None),
    ("org.debian", "debian"), ("com.ubuntu", "ubuntu"), ("com.redhat", "rhel"), ("org.fedoraproject", "fedora"),
    ("org.archlinux", "arch"), ("com.microsoft.server", "windows"), ("http://redhat.com/rhel/9", "rhel"),
])
def test_words_for_a_distribution(text: str, expected: str | None) -> None:
    assert identify(text)[0] == expected


@pytest.mark.parametrize("text", [
    None, "", "my golden image v3", "unknown", "linux", "multi-arch build", "focal-loss training", "oracle-db-19c",
    "amphora-x64-haproxy-rocky",  # named after a release of OpenStack
    "ubuntu-to-debian migration",  # names two, so it names none clearly
])
def test_nothing_is_guessed(text: str | None) -> None:
    assert identify(text) == (None, None)


@pytest.mark.parametrize(("text", "version"), [
    ("rocky-kube-v1.28.5", None), ("flatcar-kube-v1.28", None), ("debian-20240507", None), ("debian-8GB", None),
    ("ubuntu-2204-kube-v1.28.5", "22.04"), ("rocky9-kube-v1.28.5", "9"),
])
def test_other_numbers_are_no_version(text: str, version: str | None) -> None:
    assert identify(text)[1] == version


@pytest.mark.parametrize(("texts", "expected"), [
    (("debian", "12"), ("debian", "12")),
    (("ubuntu", "jammy"), ("ubuntu", "22.04")),
    (("centos", "9-stream"), ("centos", "9")),
    (("talos", "v1.7.0"), ("talos", "1.7.0")),
    (("golden", "rocky", "9"), ("rocky", "9")),
    (("AlmaLinux", "centos", "9"), ("almalinux", "9")),
    (("Ubuntu", "Debian 12"), ("ubuntu", None)),
    (("Ubuntu", None, "ubuntu-24.04"), ("ubuntu", "24.04")),
    (("12", "golden"), (None, None)),
    ((), (None, None)),
])
def test_first_telling_text_wins_and_later_ones_complete_it(
    texts: tuple[str | None, ...], expected: tuple[str | None, str | None]
) -> None:
    assert identify(*texts) == expected


def test_a_huge_text_is_read_by_its_beginning() -> None:
    assert identify("debian 12 " + "-" * 1_000_000 + "ubuntu") == ("debian", "12")
