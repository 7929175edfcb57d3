# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The AMI catalogue: owners, names, dates and platforms as the publishers give them.

The same image has another id in every region, as in AWS. Owner ids are the publishers' published account ids.
"""
from __future__ import annotations

import dataclasses
import hashlib

LAB_ACCOUNT = "111111111111"


@dataclasses.dataclass(frozen=True)
class Image:
    """One AMI. `key` is the lab's short name of it; `only` limits a private image to account and region."""

    key: str
    owner: str
    name: str
    created: str  # ISO 8601, UTC
    arch: str = "x86_64"
    root: str = "/dev/sda1"
    alias: str | None = None  # ImageOwnerAlias: "amazon" for Amazon and the providers it has verified
    platform_details: str = "Linux/UNIX"
    usage_operation: str = "RunInstances"
    platform: str | None = None  # "windows" or absent
    description: str = ""
    source: str | None = None  # key of the public image this one was copied from
    only: tuple[str, str] | None = None

    def id_in(self, region: str) -> str:
        """The image id in that region: stable, so that a second start of the lab has the same ones."""
        return "ami-0" + hashlib.sha256(f"{region}/{self.owner}/{self.name}".encode()).hexdigest()[:16]


DEBIAN, CANONICAL, ROCKY, ALMA = "136693071363", "099720109477", "792107900819", "764336703387"
AMAZON, RED_HAT, FEDORA_CENTOS, FREEBSD = "137112412989", "309956199498", "125523088429", "118940168514"
FLATCAR, SUSE, WINDOWS = "075585003325", "013907871322", "801119661308"

PUBLIC = (
    Image("debian-12", DEBIAN, "debian-12-amd64-20261103-2286", "2026-11-03T08:22:41.000Z", root="/dev/xvda",
          alias="amazon", description="Debian 12 (20261103-2286)"),
    Image("debian-12-older", DEBIAN, "debian-12-amd64-20260210-2019", "2026-02-10T07:10:05.000Z", root="/dev/xvda",
          alias="amazon", description="Debian 12 (20260210-2019)"),
    Image("debian-12-arm", DEBIAN, "debian-12-arm64-20261103-2286", "2026-11-03T08:20:13.000Z", arch="arm64",
          root="/dev/xvda", alias="amazon", description="Debian 12 (20261103-2286)"),
    Image("debian-13", DEBIAN, "debian-13-amd64-20261110-2293", "2026-11-10T09:01:57.000Z", root="/dev/xvda",
          alias="amazon", description="Debian 13 (20261110-2293)"),
    Image("ubuntu-24.04", CANONICAL, "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20261028",
          "2026-10-28T12:31:09.000Z", alias="amazon", description="Canonical, Ubuntu, 24.04, amd64 noble image"),
    Image("ubuntu-24.04-arm", CANONICAL, "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20261028",
          "2026-10-28T12:33:44.000Z", arch="arm64", alias="amazon",
          description="Canonical, Ubuntu, 24.04, arm64 noble image"),
    Image("ubuntu-22.04", CANONICAL, "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20261021",
          "2026-10-21T05:14:30.000Z", alias="amazon", description="Canonical, Ubuntu, 22.04, amd64 jammy image"),
    Image("rocky-9", ROCKY, "Rocky-9-EC2-Base-9.6-20260601.0.x86_64", "2026-06-01T16:40:12.000Z",
          description="Rocky-9-EC2-Base-9.6-20260601.0.x86_64"),
    Image("alma-9", ALMA, "AlmaLinux OS 9.6.20260522 x86_64", "2026-05-22T11:48:27.000Z",
          description="Official AlmaLinux OS 9.6 x86_64 image"),
    Image("al2023", AMAZON, "al2023-ami-2023.9.20261105.0-kernel-6.12-x86_64", "2026-11-05T01:17:50.000Z",
          root="/dev/xvda", alias="amazon",
          description="Amazon Linux 2023 AMI 2023.9.20261105.0 x86_64 HVM kernel-6.12"),
    Image("al2", AMAZON, "amzn2-ami-hvm-2.0.20261020.0-x86_64-gp2", "2026-10-21T00:55:16.000Z", root="/dev/xvda",
          alias="amazon", description="Amazon Linux 2 AMI 2.0.20261020.0 x86_64 HVM gp2"),
    Image("rhel-9", RED_HAT, "RHEL-9.6.0_HVM-20260910-x86_64-0-Hourly2-GP3", "2026-09-10T14:06:33.000Z", alias="amazon",
          platform_details="Red Hat Enterprise Linux", usage_operation="RunInstances:0010",
          description="Provided by Red Hat, Inc."),
    Image("centos-stream-9", FEDORA_CENTOS, "CentOS Stream 9 x86_64 20261109", "2026-11-09T19:27:02.000Z",
          description="CentOS Stream 9 x86_64 20261109"),
    Image("fedora-43", FEDORA_CENTOS, "Fedora-Cloud-Base-AmazonEC2.x86_64-43-20261015.0", "2026-10-15T06:02:11.000Z",
          description="Created from build Fedora-Cloud-Base-AmazonEC2.x86_64-43-20261015.0"),
    Image("fedora-coreos", FEDORA_CENTOS, "fedora-coreos-43.20261026.3.0-x86_64", "2026-10-30T17:55:40.000Z",
          root="/dev/xvda", description="Fedora CoreOS stable 43.20261026.3.0 x86_64"),
    Image("freebsd-14", FREEBSD, "FreeBSD 14.3-RELEASE-amd64 base UFS", "2026-06-10T04:12:59.000Z",
          description="FreeBSD 14.3-RELEASE-amd64 base UFS"),
    Image("flatcar", FLATCAR, "Flatcar-stable-4459.2.1-hvm", "2026-11-04T13:20:18.000Z", root="/dev/xvda",
          description="Flatcar Container Linux stable 4459.2.1 (HVM)"),
    Image("suse-15", SUSE, "suse-sles-15-sp7-v20261012-hvm-ssd-x86_64", "2026-10-12T10:44:21.000Z", alias="amazon",
          platform_details="SUSE Linux", usage_operation="RunInstances:000g",
          description="SUSE Linux Enterprise Server 15 SP7 (HVM, 64-bit, SSD-Backed)"),
    Image("windows-2025", WINDOWS, "Windows_Server-2025-English-Full-Base-2026.11.12", "2026-11-12T05:21:37.000Z",
          alias="amazon", platform="windows", platform_details="Windows", usage_operation="RunInstances:0002",
          description="Microsoft Windows Server 2025 Full Locale English AMI provided by Amazon"),
)
PRIVATE = (
    # The owner is no longer the publisher; name and source image still tell what it is.
    Image("debian-12-copy", LAB_ACCOUNT, "acme-debian-12-amd64-20261103", "2026-11-06T15:00:00.000Z", root="/dev/xvda",
          description="[Copied from Debian 12]", source="debian-12", only=(LAB_ACCOUNT, "eu-west-1")),
    # Nothing about it tells the distribution: no source image, a name of the company's own making.
    Image("golden", LAB_ACCOUNT, "prod-base-2026-10", "2026-10-30T09:30:00.000Z", only=(LAB_ACCOUNT, "us-east-1")),
)
BY_KEY = {image.key: image for image in PUBLIC + PRIVATE}


def visible(account: str, region: str) -> list[Image]:
    """The images that account sees in that region: all public ones and its own."""
    return [*PUBLIC, *(image for image in PRIVATE if image.only == (account, region))]
