# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Container images as archives for ``ctr images import``, of single programs and what Debian has of libraries, without a container engine."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .components import REGISTRY, Release

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_APPLETS = ("sh", "ls", "cat", "sleep", "nc", "ip", "httpd", "hostname", "echo", "ps", "true", "env", "mkdir", "rm", "cp", "id", "nslookup")
_PACKET_FILTER = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")


@dataclasses.dataclass(frozen=True)
class Image:
    """One image of one layer. files: place -> the file that it is a copy of; links: place -> what it points to."""

    name: str
    files: Mapping[str, Path]
    links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    folders: tuple[str, ...] = ("tmp",)
    entrypoint: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        return re.sub(r"[^\w.-]+", "_", self.name.rpartition("/")[2]) + ".tar"


def images(release: Release, kubernetes: Path, etcd: Path, dns: Path, pause: Path, root: Path) -> list[Image]:
    """What ``kubeadm config images list`` names. root: a Debian with iptables and nftables, which kube-proxy needs."""
    own = [Image(f"{REGISTRY}/{name}:{release.version}", {f"/usr/local/bin/{name}": kubernetes / name})
           for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")]
    tools = ("/usr/sbin/xtables-nft-multi", "/usr/sbin/nft")
    modules = [f"/{file.relative_to(root)}" for file in sorted(root.glob("usr/lib/*/xtables/*.so"))]
    proxy = Image(f"{REGISTRY}/kube-proxy:{release.version}",
                  {"/usr/local/bin/kube-proxy": kubernetes / "kube-proxy", "/etc/protocols": root / "etc/protocols",
                   **{place: root / place.lstrip("/") for place in (*tools, *modules)}, **libraries(root, [*tools, *modules])},
                  {f"/usr/sbin/{name}": "xtables-nft-multi" for name in _PACKET_FILTER}, ("tmp", "run", "var"))
    return [
        *own, proxy,
        Image(f"{REGISTRY}/coredns/coredns:{release.dns}", {"/coredns": dns / "coredns"}, entrypoint=("/coredns",)),
        Image(f"{REGISTRY}/pause:{release.pause}", {"/pause": pause}, entrypoint=("/pause",)),
        Image(f"{REGISTRY}/etcd:{release.etcd}-0", {f"/usr/local/bin/{name}": etcd / name for name in ("etcd", "etcdctl", "etcdutl")}),
    ]


def toolbox(busybox: Path, root: Path) -> Image:
    """Something to run in tests that serves and asks over HTTP. curl is Debian's: a static busybox cannot look up names."""
    files = {"/bin/busybox": busybox, "/usr/bin/curl": root / "usr/bin/curl", **libraries(root, ["/usr/bin/curl"])}
    return Image("lab.invalid/toolbox:1", files, {f"/bin/{name}": "busybox" for name in _APPLETS},
                 ("tmp", "etc", "var", "proc", "sys", "root", "www"))


def libraries(root: Path, programs: Sequence[str]) -> dict[str, Path]:
    """Shared libraries of programs inside a Debian root, where the loader looks for them -> the file that holds each.

    Modules that a program loads by itself have needs of their own (libxt_statistic.so that of libm), so they are to be among the programs.
    """
    found: dict[str, Path] = {}
    said = subprocess.run(["chroot", str(root), "ldd", *programs], capture_output=True, text=True, check=False).stdout
    for place in sorted(set(re.findall(r"(/[\w./+-]+\.so[\w.]*) \(0x", said))):
        real = subprocess.run(["chroot", str(root), "readlink", "-f", place], capture_output=True, text=True, check=True).stdout.strip()
        found[place] = root / real.lstrip("/")
    return found


def write(image: Image, folder: Path) -> Path:
    """A docker-archive. The same image gives the same bytes."""
    layer = _layer(image)
    run: dict[str, object] = {"Env": [_PATH], "WorkingDir": "/"}
    if image.entrypoint:
        run["Entrypoint"] = list(image.entrypoint)
    config = json.dumps({"architecture": "amd64", "os": "linux", "created": "2025-01-01T00:00:00Z", "config": run,
                         "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
                         "history": [{"created_by": "fleet lab"}]}).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [image.name], "Layers": ["layer/layer.tar"]}]).encode()
    file = folder / image.file
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as archive:
        for member, data in ((name, config), ("layer/layer.tar", layer), ("manifest.json", manifest)):
            _add(archive, member, data, 0o644)
    return file


def _layer(image: Image) -> bytes:
    held = io.BytesIO()
    there: set[str] = set()

    def folder_of(archive: tarfile.TarFile, place: str) -> None:
        parts = place.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            name = "/".join(parts[:count])
            if name and name not in there:
                there.add(name)
                row = tarfile.TarInfo(name)
                row.type, row.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(row)

    with tarfile.open(fileobj=held, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for place in image.folders:
            folder_of(archive, place)
        for place, source in sorted(image.files.items()):
            folder_of(archive, place.rpartition("/")[0])
            _add(archive, place.lstrip("/"), source.read_bytes(), 0o755)
        for place, target in sorted(image.links.items()):
            folder_of(archive, place.rpartition("/")[0])
            row = tarfile.TarInfo(place.lstrip("/"))
            row.type, row.linkname = tarfile.SYMTYPE, target
            archive.addfile(row)
    return held.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    row = tarfile.TarInfo(name)
    row.size, row.mode = len(data), mode
    archive.addfile(row, io.BytesIO(data))
