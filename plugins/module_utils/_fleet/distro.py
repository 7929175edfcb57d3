# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which distribution an image holds, read from what clouds say in words. Pure: texts in, (id, version) out.

Ids are those of os-release's ID in lower case, with the names clouds use where they are better known (amazon, oracle,
opensuse) and fcos, rhcos, scos for the CoreOS variants. Versions follow VERSION_ID; a name may tell a point release.
"""
from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_EL = r"(?:[5-9]|1\d)(?:\.\d{1,2})?"


class _Distro(NamedTuple):
    """How a distribution shows in a text.

    name: pattern of its names, in lower case. version: pattern of the versions it can have, so that a date, a
    Kubernetes version or a size in an image name is not taken for one; None for a rolling distribution. covers: ids
    whose names are also part of this one's name ("Fedora CoreOS" is not Fedora).
    """

    id: str
    name: str
    version: str | None = None
    covers: tuple[str, ...] = ()


_DISTROS = (
    _Distro("almalinux", r"alma[-_ ]?linux|^alma(?=[-_ ]?\d|$)", _EL),
    _Distro("alpine", r"alpine", r"3\.\d+(?:\.\d+)?"),
    _Distro("amazon", r"amazon[-_ ]?linux|amzn|al(?=2(?:023)?(?!\d))|amazon-eks-(?:gpu-|arm64-)?node|^amazon$",
            r"2023|201\d\.\d\d|2"),
    _Distro("aosc", r"aosc"),
    _Distro("arch", r"arch[-_ ]?linux|^arch(?=[-_ ]\d|$)"),
    _Distro("azurelinux", r"azure[-_ ]?linux", r"\d\.\d"),
    _Distro("bottlerocket", r"bottlerocket", r"\d\.\d+\.\d+"),
    _Distro("centos", r"centos", _EL),
    _Distro("cirros", r"cirros", r"\d\.\d+\.\d+"),
    _Distro("cloudlinux", r"cloudlinux", _EL),
    _Distro("coreos", r"core[-_ ]?os", r"\d{3,4}\.\d+\.\d+"),
    _Distro("cos", r"container[-_ ]optimized|^cos(?=-+(?:stable|beta|dev|lts|arm64|\d)|$)", r"\d{2,3}"),
    _Distro("debian", r"debian", r"(?:[6-9]|1\d)(?:\.\d{1,2})?"),
    _Distro("dragonfly", r"dragonfly(?:[-_ ]?bsd)?", r"\d\.\d"),
    _Distro("eurolinux", r"eurolinux", _EL),
    _Distro("fcos", r"fedora[-_ ]?core[-_ ]?os|fcos", r"[2-9]\d", ("fedora", "coreos")),
    _Distro("fedora", r"fedora(?:project)?", r"[2-9]\d"),
    _Distro("flatcar", r"flatcar", r"\d{4}\.\d+\.\d+", ("fedora", "coreos")),
    _Distro("freebsd", r"freebsd", r"(?:[89]|1\d)\.\d"),
    _Distro("gardenlinux", r"garden[-_ ]?linux", r"\d{3,4}(?:\.\d+){0,2}", ("debian",)),
    _Distro("gentoo", r"gentoo"),
    _Distro("macos", r"mac[-_ ]?os", r"1\d(?:\.\d+){0,2}", ("amazon",)),
    _Distro("mariner", r"cbl[-_ ]?mariner|^mariner", r"\d\.\d"),
    _Distro("miraclelinux", r"miracle[-_ ]?linux", _EL),
    _Distro("netbsd", r"netbsd", r"\d{1,2}\.\d"),
    _Distro("openbsd", r"openbsd", r"\d\.\d"),
    _Distro("opencloudos", r"opencloudos", r"[89]|\d\d"),
    _Distro("openeuler", r"open[-_ ]?euler", r"2\d\.\d\d"),
    _Distro("openmandriva", r"openmandriva", r"\d(?:\.\d)?"),
    _Distro("opensuse", r"open[-_ ]?suse|suse[-_ ]leap", r"\d\d[.-]\d", ("sles",)),
    _Distro("opnsense", r"opnsense", r"2\d\.\d"),
    _Distro("oracle", r"oracle[-_ ]?linux|oracle(?=[-_ ]?(?:[5-9]|10)(?![0-9a-z]))|^oracle$|"
            r"^ol(?=[-_ ]?(?:[5-9]|1\d)|$)", _EL),
    _Distro("photon", r"photon[-_ ]?os|^photon", r"\d\.\d"),
    _Distro("raspbian", r"raspberry[-_ ]?pi(?:[-_ ]?os)?|raspbian", r"(?:[6-9]|1\d)", ("debian",)),
    _Distro("rhcos", r"rhcos|(?:red[-_ ]?hat(?:[-_ ]enterprise[-_ ]linux)?|rhel)[-_ ]core[-_ ]?os",
            r"4\d\d\.\d+|4\.\d+", ("rhel", "coreos")),
    _Distro("rhel", r"rhel|red[-_ ]?hat", _EL),
    # not any "rocky": OpenStack has a release of that name, and images are named after it
    _Distro("rocky", r"rocky[-_ ]?linux|rocky(?=[-_ ]?\d)|^rocky", _EL),
    _Distro("scos", r"scos|centos[-_ ]stream[-_ ]core[-_ ]?os", r"4\d\d\.\d+|4\.\d+", ("centos", "coreos")),
    _Distro("sles", r"sles?|suse[-_ ]linux|^suse(?=[-_ ])", r"1[0-6](?:(?:[-_ ]?sp|\.)\d)?"),
    _Distro("suse", r"^(?:com\.)?suse$"),
    _Distro("talos", r"talos", r"\d\.\d+\.\d+"),
    _Distro("tencentos", r"tencent[-_ ]?os", r"\d(?:\.\d)?"),
    _Distro("ubuntu", r"ubuntu", r"\d\d[.-]?(?:04|10)"),
    _Distro("virtuozzo", r"virtuozzo", r"\d(?:\.\d)?"),
    _Distro("windows", r"windows(?:[-_ ]?server)?|microsoft|win(?=\d)", r"20\d\d"),
)

_CODENAMES = {
    "debian": {"jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13",
               "forky": "14"},
    "ubuntu": {"trusty": "14.04", "xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04",
               "noble": "24.04", "oracular": "24.10", "plucky": "25.04", "questing": "25.10", "resolute": "26.04"},
}

_LONGEST_NAME = 512  # characters; clouds allow 255 in a name, a property may hold anything
# digits that are no version: architectures, dates
_NOISE = re.compile(r"x86[-_]64|x64|amd64|arm64(?:v8)?|aarch64|i[3-6]86|ppc64(?:le|el)?|64[- ]?bit|20\d\d-\d\d-\d\d")
_BARE_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)(?:[-_ ]?(?:lts|stream))?")
_SERVICE_PACK = re.compile(r"[-_ ]?sp")
_NAMES = tuple((row, re.compile(rf"(?<![a-z])(?:{row.name})(?![a-z])")) for row in _DISTROS)
_VERSIONS = {
    row.id: re.compile(rf"(?:^|(?<=[^a-z0-9.]))v?({row.version})(?:(?![a-z0-9])|(?=lts|stream))")
    for row in _DISTROS if row.version
}
# a codename alone is a common word; with the rest of a cloud image's file name it is not
_CODENAME_ALONE = {
    distro: re.compile(rf"(?<![a-z])(?:{'|'.join(names)})"
                       r"(?=$|[-_ ](?:server|minimal|generic|genericcloud|nocloud|backports|cloudimg|amd64|arm64))")
    for distro, names in _CODENAMES.items()
}


def identify(*texts: str | None) -> tuple[str | None, str | None]:
    """The distribution and version that these texts name: (id, version), None for what they do not tell.

    texts, the most telling first: image or AMI names, GCE license or image addresses, PlatformDetails, ``os_distro``
    followed by ``os_version``. The first text that names exactly one distribution decides; the version comes from that
    text, else from a later one that is a bare version or speaks of the same distribution.
    """
    return _identify(texts)


@lru_cache(maxsize=8192)
def _identify(texts: tuple[str | None, ...]) -> tuple[str | None, str | None]:
    distro: str | None = None
    for text in texts:
        if not text:
            continue
        clean = _clean(text)
        named = _distro_in(clean)
        if distro is None:
            distro = named
        if distro is None:
            continue
        version = None
        if named == distro:
            version = _version_in(clean, distro)
        elif named is None or clean in _CODENAMES.get(distro, {}):
            version = _bare_version(clean, distro)
        if version:
            return distro, version
    return distro, None


def _clean(text: str) -> str:
    """Lower case, and of a GCE resource only its own name: the project's name says nothing about the image."""
    lower = text[:_LONGEST_NAME].strip().lower()
    return lower.rpartition("/")[2] if "projects/" in lower else lower


def _distro_in(text: str) -> str | None:
    """The only distribution this text names; None when it names none, or several."""
    hits = [row for row, pattern in _NAMES if pattern.search(text)]
    if not hits:
        hits_by_codename = [distro for distro, pattern in _CODENAME_ALONE.items() if pattern.search(text)]
        return hits_by_codename[0] if len(hits_by_codename) == 1 else None
    covered = {distro for row in hits for distro in row.covers}
    left = [row.id for row in hits if row.id not in covered]
    return left[0] if len(left) == 1 else None


def _version_in(text: str, distro: str) -> str | None:
    """The version of this distribution in a text that names it: the first number after its name that can be one, in
    its most exact form ("Rocky-9-EC2-Base-9.4" is 9.4), else the one its codename stands for."""
    bare = _NOISE.sub("", text)
    pattern = _VERSIONS.get(distro)
    if pattern:
        name = next(compiled for row, compiled in _NAMES if row.id == distro)
        for mention in name.finditer(bare):
            found = pattern.findall(bare[mention.end():])
            if found:
                return _normal(next((v for v in found if v.startswith(f"{found[0]}.")), found[0]), distro)
    return _codename_in(text, distro)


def _codename_in(text: str, distro: str) -> str | None:
    words = re.split(r"[^a-z]+", text)
    return next((version for name, version in _CODENAMES.get(distro, {}).items() if name in words), None)


def _bare_version(text: str, distro: str) -> str | None:
    match = _BARE_VERSION.fullmatch(text)
    return match[1] if match else _CODENAMES.get(distro, {}).get(text)


def _normal(version: str, distro: str) -> str:
    """As VERSION_ID writes it: ubuntu 2404 is 24.04, sles 15-sp5 is 15.5, opensuse 15-6 is 15.6."""
    if distro == "ubuntu":
        return f"{version[:2]}.{version[-2:]}"
    if distro == "sles":
        return _SERVICE_PACK.sub(".", version)
    return version.replace("-", ".")
