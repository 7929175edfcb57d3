# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab has on EC2: networks and machines, as data. The README's table says what each one must look like."""
from __future__ import annotations

import dataclasses

from .accounts import MAIN, SECOND


@dataclasses.dataclass(frozen=True)
class Subnet:
    """A subnet of the region's "lab" VPC.

    `route`: where the default routes go: "igw", "nat" (IPv4 to a NAT gateway, IPv6 egress only) or "" for the VPC's
    main table, which has no way out. `ipv6`: number of its /64 in the VPC's block, None without IPv6.
    """

    name: str
    cidr: str | None  # None: IPv6 only
    zone: str
    route: str = ""
    public_on_launch: bool = False
    ipv6: int | None = None
    ipv6_on_launch: bool = False


@dataclasses.dataclass(frozen=True)
class Machine:
    """One instance. `subnets`: one interface each, in order; none: launched without naming a subnet (default VPC)."""

    key: str  # unique in account and region; also its client token
    image: str  # key in the AMI catalogue, or "deregistered"
    subnets: tuple[str, ...] = ()
    name: str = ""  # tag Name; the key when empty
    tags: tuple[tuple[str, str], ...] = ()
    type: str = "t3.small"
    elastic_ip: bool = False
    end: str = "running"  # or "stopped", "terminated"

    @property
    def all_tags(self) -> dict[str, str]:
        return {"Name": self.name or self.key, **dict(self.tags)}


@dataclasses.dataclass(frozen=True)
class Site:
    """One account in one region."""

    account: str
    region: str
    cidr: str
    subnets: tuple[Subnet, ...]
    machines: tuple[Machine, ...]


def _tags(role: str, env: str, **more: str) -> tuple[tuple[str, str], ...]:
    return (("role", role), ("env", env), *more.items())


SITES = (
    Site(MAIN, "us-east-1", "10.10.0.0/16", (
        Subnet("public", "10.10.1.0/24", "us-east-1a", "igw", public_on_launch=True),
        Subnet("private", "10.10.2.0/24", "us-east-1a", "nat"),
        Subnet("dual", "10.10.3.0/24", "us-east-1b", "igw", public_on_launch=True, ipv6=3, ipv6_on_launch=True),
        Subnet("ipv6-only", None, "us-east-1b", "igw", ipv6=4, ipv6_on_launch=True),
        Subnet("boston", "10.10.5.0/24", "us-east-1-bos-1a", "igw", public_on_launch=True),
    ), (
        Machine("web-1", "debian-12", ("public",), tags=_tags("web", "prod")),
        Machine("web-2", "ubuntu-24.04", ("public",), tags=_tags("web", "prod"), elastic_ip=True),
        # A tag is data: a template in it must reach no template engine.
        Machine("db-1", "al2023", ("private",), tags=_tags("db", "prod", note="{{ 7*7 }}")),
        Machine("bastion-1", "rocky-9", ("private",), tags=_tags("bastion", "prod"), elastic_ip=True),
        Machine("dual-1", "alma-9", ("dual",), tags=_tags("web", "test")),
        Machine("six-1", "debian-13", ("ipv6-only",), tags=_tags("web", "test")),
        Machine("router-1", "golden", ("public", "private"), tags=_tags("router", "prod"), elastic_ip=True),
        Machine("edge-1", "rhel-9", ("boston",), tags=_tags("edge", "prod")),
        Machine("old-1", "centos-stream-9", ("public",), tags=_tags("web", "test"), end="stopped"),
        Machine("gone-1", "debian-12", ("public",), tags=_tags("web", "test"), end="terminated"),
    )),
    Site(MAIN, "eu-west-1", "10.20.0.0/16", (
        Subnet("public", "10.20.1.0/24", "eu-west-1a", "igw", public_on_launch=True),
        Subnet("private", "10.20.2.0/24", "eu-west-1b"),
    ), (
        Machine("api-1", "debian-12-copy", ("public",), tags=_tags("api", "prod")),
        # Twins: two machines of one name.
        Machine("worker-a", "fedora-43", ("private",), name="worker", tags=_tags("worker", "prod")),
        Machine("worker-b", "ubuntu-24.04-arm", ("private",), name="worker", tags=_tags("worker", "prod"),
                type="t4g.small"),
        Machine("bsd-1", "freebsd-14", tags=_tags("dns", "prod")),
        Machine("core-1", "flatcar", ("public",), tags=_tags("worker", "test")),
        Machine("orphan-1", "deregistered", ("public",), tags=_tags("legacy", "prod")),
        Machine("win-1", "windows-2025", ("public",), tags=_tags("ad", "prod"), type="t3.large"),
    )),
    Site(SECOND, "us-east-1", "10.30.0.0/16", (
        Subnet("public", "10.30.1.0/24", "us-east-1a", "igw", public_on_launch=True),
    ), (
        Machine("partner-web-1", "ubuntu-22.04", ("public",), tags=_tags("web", "prod")),
    )),
    Site(SECOND, "eu-west-1", "10.40.0.0/16", (
        Subnet("private", "10.40.1.0/24", "eu-west-1a"),
    ), (
        Machine("partner-db-1", "debian-12-older", ("private",), tags=_tags("db", "prod")),
    )),
)
