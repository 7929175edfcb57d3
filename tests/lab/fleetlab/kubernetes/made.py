# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that a site without a network needs of Kubernetes, built once and kept in the lab's cache."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from ..core import Lab, LabError
from ..hosts import image as host_image
from ..hosts.base import Images
from . import components, images, packages
from .build import Builder
from .components import CNI_PLUGINS, CRI_TOOLS, RELEASES, Release

IN_HOST = "/srv/kubernetes"
"""Where hosts that may run Kubernetes see what was built: ``repo/v<minor>`` and ``images/v<minor>``."""


def folder(lab: Lab) -> Path:
    return lab.cache / "kubernetes"


def built(lab: Lab) -> Path | None:
    """What hosts see as IN_HOST; None until all of it is there, of the versions of this checkout."""
    made = folder(lab) / "out"
    mark = made / "made-from"
    return made if mark.exists() and mark.read_text(encoding="ascii") == _wanted() else None


def build(lab: Lab) -> Path:
    """Build what is missing: half an hour of two cores from nothing, seconds afterwards. Safe to interrupt. Raises LabError."""
    there = built(lab)
    if there:
        return there
    for program in ("gcc", "gpg", "dpkg-deb"):
        if not shutil.which(program):
            raise LabError(f"Kubernetes for the lab needs {program}; install it, then run again")
    home = folder(lab)
    home.mkdir(parents=True, exist_ok=True)
    builder = Builder(home, lab.say)
    hosts = Images(lab.cache, lab.say)
    suite = host_image.SUITES[0]
    hosts.build(suite)
    for component in components.components():
        builder.build(component)
    spare, made = home / "out.new", home / "out"
    shutil.rmtree(spare, ignore_errors=True)
    spare.mkdir()
    for release in RELEASES:
        _lay(lab, builder, release, spare, hosts.root(suite))
    toolbox = spare / "images/toolbox"
    toolbox.mkdir()
    images.write(images.toolbox(_busybox(hosts.repository(suite), home / "work/busybox"), hosts.root(suite)), toolbox)
    (spare / "made-from").write_text(_wanted(), encoding="ascii")
    shutil.rmtree(made, ignore_errors=True)
    spare.rename(made)
    lab.say(f"kubernetes: {', '.join(release.version for release in RELEASES)} in {made}")
    return made


def _lay(lab: Lab, builder: Builder, release: Release, spare: Path, root: Path) -> None:
    parts = {component.folder: builder.programs(component) for component in components.components()}
    programs = parts[f"kubernetes-{release.version}"]
    packages.repository(spare / f"repo/v{release.minor}",
                        packages.packages(release, programs, parts[f"cri-tools-{CRI_TOOLS}"], parts[f"cni-{CNI_PLUGINS}"]))
    archives = spare / f"images/v{release.minor}"
    archives.mkdir(parents=True)
    for made in images.images(release, programs, parts[f"etcd-v{release.etcd}"], parts[f"coredns-{release.dns}"],
                              _pause(builder, release, folder(lab) / "work"), root):
        images.write(made, archives)


def _pause(builder: Builder, release: Release, work: Path) -> Path:
    """The program that holds a pod's namespaces: a page of C in Kubernetes' own repository."""
    program = work / f"pause-{release.pause}"
    source = builder.module("k8s.io/kubernetes", release.version) / "build/pause/linux/pause.c"
    command = ["gcc", "-Os", "-static", "-s", f"-DVERSION={release.pause}", "-o", str(program), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"pause could not be compiled: {done.stderr.strip()[-600:]}")
    return program


def _busybox(repository: Path, work: Path) -> Path:
    archive = next(iter(repository.glob("busybox-static_*.deb")), None)
    if archive is None:
        raise LabError(f"there is no busybox-static in {repository}")
    subprocess.run(["dpkg-deb", "-x", str(archive), str(work)], check=True)
    return work / "bin/busybox"


def _wanted() -> str:
    """Changes with the versions, and with how packages and images are laid out."""
    sources = [Path(module.__file__ or "").read_text(encoding="utf-8") for module in (components, images, packages)]
    return hashlib.sha256(json.dumps([[str(release) for release in RELEASES], sources]).encode()).hexdigest()
