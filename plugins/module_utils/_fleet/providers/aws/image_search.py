# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of the hundred thousand images of a region to ask for. Pure: words in, parameters of DescribeImages out.

Anybody may publish an image under the name of another one, so a name is asked for only among the accounts that publish
distributions and the account's own images; an id is unmistakable and is asked for as it is.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ... import distro
from ...catalog import CatalogImage


class Official(NamedTuple):
    """How the images of a distribution are found: the account of its publisher, EC2 patterns of their names."""

    owner: str
    names: tuple[str, ...]


OFFICIAL: Mapping[str, Official] = {
    "almalinux": Official("764336703387", ("AlmaLinux OS *",)),
    "amazon": Official("137112412989", ("al2023-ami-2023.*", "amzn2-ami-hvm-2.*", "amzn2-ami-kernel-5.10-hvm-2.*")),
    "centos": Official("125523088429", ("CentOS *",)),
    "debian": Official("136693071363", ("debian-??-amd64-*", "debian-??-arm64-*")),
    "fcos": Official("125523088429", ("fedora-coreos-*",)),
    "fedora": Official("125523088429", ("Fedora-Cloud-Base-*",)),
    "flatcar": Official("075585003325", ("Flatcar-stable-*",)),
    "freebsd": Official("118940168514", ("FreeBSD *-RELEASE*",)),
    "rhel": Official("309956199498", ("RHEL-*_HVM-*",)),
    "rocky": Official("792107900819", ("Rocky-*-EC2-*",)),
    "sles": Official("013907871322", ("suse-sles-*-v*-hvm-ssd-*",)),
    "ubuntu": Official("099720109477", ("ubuntu/images/hvm-ssd/ubuntu-*-server-*", "ubuntu/images/hvm-ssd-gp3/ubuntu-*-server-*")),
    "windows": Official("801119661308", ("Windows_Server-*-English-Full-Base-*",)),
}
"""Distribution -> its publisher. The patterns leave out what is made for a special use (backports, minimal, HA, SAP)."""

OWNERS = frozenset(official.owner for official in OFFICIAL.values())
"""Accounts whose images are what their names say."""

KEPT = 2  # images kept of each series: the newest, and the one before in case that is being withdrawn

_SERIES = re.compile(r"\d{6,}[.\d]*|[-_. ]\d{4}[.-]\d{2}[.-]\d{2}|-\d{3,5}$")


def questions(words: Sequence[str]) -> list[dict[str, Any]]:
    """Parameters of the requests that find what the words may mean: an id, a distribution, a name (in lower case, perhaps a
    shell pattern). Without words: the images of all distributions."""
    asked: list[dict[str, Any]] = [{"Owners": ["self"], "Filters": _filters()}]
    ids = [word for word in words if word.startswith("ami-")]
    rest = [word for word in words if word not in ids]
    if ids:  # by a filter, as naming one that is gone would fail for all
        asked.append({"Filters": [{"Name": "image-id", "Values": ids}], "IncludeDeprecated": True})
    named = [word for word in rest if _distro(word) is None]
    for official in OFFICIAL.values() if not words else [OFFICIAL[name] for name in dict.fromkeys(map(_distro, rest)) if name]:
        asked.append({"Owners": [official.owner], "Filters": _filters(official.names)})
    if named:
        asked.append({"Owners": sorted(OWNERS), "Filters": _filters([any_case(word) for word in named]), "IncludeDeprecated": True})
    return asked


def _filters(names: Iterable[str] = ()) -> list[dict[str, Any]]:
    wanted = [{"Name": "image-type", "Values": ["machine"]}, {"Name": "root-device-type", "Values": ["ebs"]}]
    names = list(names)
    return [*wanted, {"Name": "name", "Values": names}] if names else wanted


def _distro(word: str) -> str | None:
    """The distribution that a word stands for; None for the name of an image."""
    if word in OFFICIAL:
        return word
    if re.search(r"[\d*?\[/]", word):
        return None
    meant = distro.identify(word)[0]
    return meant if meant in OFFICIAL else None


def any_case(word: str) -> str:
    """EC2's pattern for a name of which the case of the letters is not known; what else it lets through, selection sorts out."""
    pattern = re.sub(r"\[[^\]]*\]?", "?", word)
    return re.sub(r"[a-z]", "?", pattern.replace("\\", "?"))


def newest(images: Iterable[CatalogImage], words: Collection[str]) -> list[CatalogImage]:
    """The images without the older ones of each series of a publisher. What a word names by id or name stays, and all that is
    the account's own."""
    kept: list[CatalogImage] = []
    count: dict[tuple[str | None, str, str | None], int] = {}
    patterns = [any_case(word) for word in words if _distro(word) is None]
    for image in sorted(images, key=lambda image: (image.created or "", image.id), reverse=True):
        if image.owner in OWNERS and image.id not in words and not any(_matches(pattern, image.name) for pattern in patterns):
            series = (image.owner, _SERIES.sub("", image.name), image.arch)
            count[series] = count.get(series, 0) + 1
            if count[series] > KEPT:
                continue
        kept.append(image)
    return kept


def _matches(pattern: str, name: str) -> bool:
    """EC2's wildcards."""
    told = "".join({"*": ".*", "?": "."}.get(sign) or re.escape(sign) for sign in pattern)
    return re.fullmatch(told, name, re.DOTALL) is not None
