# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The base image of the hosts and the apt repository beside it: built once per suite from the machine's own Debian mirror, kept in the cache.

Needs root. apt checks every signature with the keyrings of Debian's archive.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..core import LabError
from . import image

HERE = Path(__file__).parent
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TOOLS = {  # program -> Debian package
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh-keygen": "openssh-client",
}
IN_HOST = "/usr/lib/fleet-lab"
"""Where the lab keeps its own few files inside a host."""


def install_tools() -> None:
    """Install the programs that hosts need and this machine lacks. Raises LabError where that is not possible."""
    missing = {package for program, package in TOOLS.items() if not shutil.which(program)}
    if not KEYRING.exists():
        missing.add("debian-archive-keyring")
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"hosts need {', '.join(sorted(missing))} (Debian's names); install them, then run again")
    subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *sorted(missing)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode:
        raise LabError(f"hosts: could not install {', '.join(sorted(missing))}: {done.stderr.strip()[-600:]}")


def apt_sources(suite: str, listed: str, mirror: str | None = None, security: str | None = None) -> list[str]:
    """The sources.list lines for a suite, from what ``apt-get indextargets`` lists of this machine ("release|codename|address" lines).

    Raises LabError when nothing tells a mirror of Debian.
    """
    rows = [line.split("|") for line in listed.splitlines() if line.count("|") == 2]

    def mirror_of(wanted: Callable[[str], bool]) -> str | None:
        return next((uri.rstrip("/") for release, codename, uri in rows if wanted(release) or wanted(codename)), None)

    mirror = mirror or mirror_of(lambda name: name in image.SUITES)
    if not mirror:
        raise LabError("hosts: no Debian mirror in this machine's apt settings; set FLEET_LAB_MIRROR to one")
    security = security or mirror_of(lambda name: name.endswith("-security") and name.removesuffix("-security") in image.SUITES)
    lines = [f"deb [signed-by={KEYRING}] {mirror} {suite} main"]
    if security and suite != "bullseye":  # whose security archive is a separate project by now
        lines.append(f"deb [signed-by={KEYRING}] {security} {suite}-security main")
    return lines


def _machine_sources(suite: str) -> list[str]:
    listed = (
        subprocess.run(
            ["apt-get", "indextargets", "--format", "$(RELEASE)|$(CODENAME)|$(REPO_URI)", "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        if shutil.which("apt-get")
        else ""
    )
    return apt_sources(suite, listed, os.environ.get("FLEET_LAB_MIRROR"), os.environ.get("FLEET_LAB_MIRROR_SECURITY"))


def fetch_package(suite: str, package: str, folder: Path) -> Path:
    """One package of any Debian release, without its dependencies, into a folder; kept there. Its signature is checked as apt does.

    Raises LabError where it cannot be had.
    """
    there = sorted(folder.glob(f"{package}_*.deb"))
    if there:
        return there[-1]
    work = folder / "work"
    options = _apt_apart(work, _machine_sources(suite)[:1])
    try:
        _run(["apt-get", *options, "-qq", "update"])
        done = subprocess.run(["apt-get", *options, "-qq", "download", package], cwd=folder, capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    there = sorted(folder.glob(f"{package}_*.deb"))
    if not there:
        raise LabError(f"{package} of Debian {suite} could not be fetched: {done.stderr.strip()[-400:]}")
    return there[-1]


class Images:
    """The images of one lab's cache."""

    def __init__(self, cache: Path, say: Callable[[str], None]) -> None:
        self.cache = cache
        self._say = say

    def root(self, suite: str) -> Path:
        return self.cache / "base" / suite

    def repository(self, suite: str) -> Path:
        return self.cache / "repo" / suite

    def build(self, suite: str) -> None:
        """Make image and repository of a suite where they are missing or made from other data. Safe to interrupt."""
        if suite not in image.SUITES:
            raise LabError(f"hosts: no such Debian release: {suite}; there are {', '.join(image.SUITES)}")
        own_files = [(file.name, file.read_text(encoding="utf-8")) for file in sorted((HERE / "guest").iterdir()) if file.is_file()]
        _once(
            self.root(suite),
            [image.BASE_PACKAGES, image.MASKED_UNITS, image.CLOUD_CONFIG, image.SSHD_CONFIG, image.PATCHES, image.RESOLV_CONF, own_files],
            lambda spare: self._build_root(suite, spare),
        )
        packages = sorted({*image.OFFERED_PACKAGES, *os.environ.get("FLEET_LAB_PACKAGES", "").split()})
        _once(self.repository(suite), [packages, image.BASE_PACKAGES], lambda spare: self._build_repository(suite, packages, spare))

    # -- the root file system ---------------------------------------------------------------------------------
    def _build_root(self, suite: str, spare: Path) -> None:
        self._say(f"hosts: making the base image of {suite} (once; kept for later starts)")
        sources = "\n".join(_machine_sources(suite)) + "\n"
        command = [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(image.BASE_PACKAGES)}",
            '--aptopt=Acquire::Languages "none"',
            '--aptopt=APT::Install-Recommends "false"',
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            suite,
            str(spare),
            "-",
        ]
        done = subprocess.run(command, input=sources, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"hosts: the base image of {suite} could not be made: {done.stderr.strip()[-1200:]}")
        _furnish(spare)

    # -- the repository ---------------------------------------------------------------------------------------
    def _build_repository(self, suite: str, packages: Sequence[str], spare: Path) -> None:
        self._say(f"hosts: fetching {len(packages)} packages for the hosts' own apt repository (once)")
        work = spare / "work"
        options = _apt_apart(work, _machine_sources(suite), self.root(suite) / "var/lib/dpkg/status")
        _run(["apt-get", *options, "-qq", "update"])
        known = subprocess.run(["apt-cache", *options, "pkgnames"], capture_output=True, text=True, check=False).stdout.split()
        wanted = sorted(set(packages) & set(known))  # a name may belong to another release only
        self._download(options, wanted)
        for archive in (work / "cache/archives").glob("*.deb"):
            archive.rename(spare / archive.name)
        shutil.rmtree(work)
        (spare / "Packages").write_text(index(sorted(spare.glob("*.deb"))), encoding="utf-8")

    @staticmethod
    def _download(options: Sequence[str], wanted: Sequence[str]) -> None:
        """Each package with its dependencies. One by one only where two of them exclude each other."""
        command = ["apt-get", *options, "-qq", "-y", "--download-only", "install"]
        if subprocess.run([*command, *wanted], capture_output=True, check=False).returncode:
            for package in wanted:
                _run([*command, package])


def _apt_apart(work: Path, sources: Sequence[str], installed: Path | None = None) -> list[str]:
    """Options with which apt works in a folder of its own, as if there were only those sources and what ``installed`` lists."""
    for folder in ("etc/preferences.d", "etc/apt.conf.d", "lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "etc/sources.list").write_text("\n".join(sources) + "\n", encoding="utf-8")
    (work / "status").write_bytes(installed.read_bytes() if installed else b"")
    settings = (
        f"Dir::Etc={work}/etc",
        "Dir::Etc::sourceparts=-",
        f"Dir::State::lists={work}/lists",
        f"Dir::Cache={work}/cache",
        f"Dir::State::status={work}/status",
        "APT::Install-Recommends=false",
        "Acquire::Languages=none",
        "Debug::NoLocking=1",
        "APT::Sandbox::User=root",
    )
    return [word for setting in settings for word in ("-o", setting)]


def index(archives: Iterable[Path]) -> str:
    """The Packages file of a flat apt repository; what dpkg-scanpackages writes, which needs the packages of a developer."""
    stanzas = []
    for archive in archives:
        fields = subprocess.run(["dpkg-deb", "--field", str(archive)], capture_output=True, text=True, check=True).stdout.rstrip("\n")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        stanzas.append(f"{fields}\nFilename: ./{archive.name}\nSize: {archive.stat().st_size}\nSHA256: {digest}\n")
    return "\n".join(stanzas)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"hosts: {' '.join(command[:1] + command[-3:])} failed: {done.stderr.strip()[-800:]}")


def _once(folder: Path, made_from: object, build: Callable[[Path], None]) -> None:
    """Build a folder under another name and rename it when it is complete; nothing to do when it is there, made from the same data."""
    wanted = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()
    mark = folder.with_name(f"{folder.name}.made-from")
    if folder.exists() and mark.exists() and mark.read_text(encoding="ascii") == wanted:
        return
    spare = folder.with_name(f"{folder.name}.new")
    for old in (folder, spare):
        shutil.rmtree(old, ignore_errors=True)
    spare.parent.mkdir(parents=True, exist_ok=True)
    if spare.parent.name == "repo":
        spare.mkdir()
    build(spare)
    spare.rename(folder)
    mark.unlink(missing_ok=True)  # another cache may be made of hard links to this one
    mark.write_text(wanted, encoding="ascii")


def _furnish(root: Path) -> None:
    """Make a machine image of a bare system: nothing in it that must differ between two hosts, and a fast boot."""
    for pattern in (
        "etc/ssh/ssh_host_*",
        "etc/hostname",
        "usr/sbin/dhclient",
        "usr/sbin/dhcpcd",
        "etc/apt/sources.list.d/*",
        "etc/cloud/cloud.cfg.d/*dpkg*",
        "var/lib/apt/lists/*_*",
        "var/cache/apt/*.bin",
        "etc/network/interfaces.d/*",
    ):
        for file in root.glob(pattern):  # without a DHCP client cloud-init does not wait a minute for an address it already has
            file.unlink()
    (root / "etc/machine-id").write_text("", encoding="ascii")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text(image.RESOLV_CONF, encoding="ascii")
    subprocess.run(["chroot", str(root), "passwd", "--quiet", "--lock", "root"], check=True)
    units = root / "etc/systemd/system"
    for unit in image.MASKED_UNITS:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (root / "etc/cloud/cloud.cfg.d/05_lab.cfg").write_text(image.CLOUD_CONFIG, encoding="utf-8")
    (root / "etc/ssh/sshd_config.d/50-cloud-init.conf").write_text(image.SSHD_CONFIG, encoding="ascii")
    (root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/repo ./\n", encoding="ascii")
    (root / "etc/apt/apt.conf.d/90lab").write_text('Acquire::Languages "none";\n', encoding="ascii")
    for name, text, replacement in image.PATCHES:
        file = root / "usr/lib/python3/dist-packages/cloudinit" / name
        file.write_text(file.read_text(encoding="utf-8").replace(text, replacement), encoding="utf-8")
    own = root / IN_HOST.lstrip("/")
    own.mkdir(parents=True)
    for file in (HERE / "guest").iterdir():
        if file.suffix == ".service":
            shutil.copyfile(file, units / file.name)
        elif file.is_file():
            shutil.copy(file, own / file.name)
            (own / file.name).chmod(0o755)
    wants = units / "sysinit.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "lab-sysctl.service").symlink_to("../lab-sysctl.service")
    subprocess.run(
        ["chroot", str(root), "python3", "-m", "compileall", "-q", "/usr/lib/python3", "/usr/lib/python3/dist-packages"],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
