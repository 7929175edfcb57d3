# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packages named and laid out as the Kubernetes project's own, in one flat signed apt repository for each minor, as that project keeps them."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from pathlib import Path

from ..core import LabError
from ..hosts.base import index
from .components import CNI_PLUGINS, CRI_TOOLS, Release

_REVISION = "1.1"
_KUBELET_SERVICE = """\
[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""
_KUBEADM_CONF = """\
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""
_KUBELET_POSTINST = """\
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  [ -n "$2" ] || systemctl enable --quiet kubelet
fi
"""


@dataclasses.dataclass(frozen=True)
class Package:
    """files: place in the file system -> text, or the file that it is a copy of."""

    name: str
    version: str
    description: str
    files: Mapping[str, str | Path]
    depends: str = ""
    folders: tuple[str, ...] = ()
    postinst: str = ""

    @property
    def control(self) -> str:
        depends = f"Depends: {self.depends}\n" if self.depends else ""
        return (f"Package: {self.name}\nVersion: {self.version}\nArchitecture: amd64\nMaintainer: fleet lab <lab@example.invalid>\nSection: admin\n"
                f"Priority: optional\n{depends}Description: {self.description}\n")


def packages(release: Release, kubernetes: Path, tools: Path, plugins: Path) -> tuple[Package, ...]:
    """:param kubernetes, tools, plugins: folders of the programs."""
    version = f"{release.version.removeprefix('v')}-{_REVISION}"
    return (
        Package("kubernetes-cni", f"{CNI_PLUGINS.removeprefix('v')}-{_REVISION}", "Plugins of the container network interface",
                {f"opt/cni/bin/{file.name}": file for file in sorted(plugins.iterdir())}),
        Package("cri-tools", f"{CRI_TOOLS.removeprefix('v')}-{_REVISION}", "Command line of the container runtime interface",
                {"usr/bin/crictl": tools / "crictl"}),
        Package("kubectl", version, "Command line of Kubernetes", {"usr/bin/kubectl": kubernetes / "kubectl"}),
        Package("kubelet", version, "Node agent of Kubernetes",
                {"usr/bin/kubelet": kubernetes / "kubelet", "usr/lib/systemd/system/kubelet.service": _KUBELET_SERVICE},
                "iptables (>= 1.4.21), kubernetes-cni (>= 1.2.0), mount, util-linux", ("etc/kubernetes/manifests", "var/lib/kubelet"),
                _KUBELET_POSTINST),
        Package("kubeadm", version, "Maker of clusters of Kubernetes",
                {"usr/bin/kubeadm": kubernetes / "kubeadm", "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": _KUBEADM_CONF},
                "cri-tools (>= 1.30.0)"),
    )


def repository(folder: Path, made: Sequence[Package]) -> None:
    """A flat repository of those packages, with InRelease and the Release.key that it is signed with."""
    folder.mkdir(parents=True)
    for package in made:
        _archive(package, folder)
    listed = index(sorted(folder.glob("*.deb"))).encode()
    (folder / "Packages").write_bytes(listed)
    (folder / "Packages.gz").write_bytes(gzip.compress(listed, mtime=0))
    rows = "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n"
                   for name in ("Packages", "Packages.gz") for data in [(folder / name).read_bytes()])
    (folder / "Release").write_text(f"Origin: fleet lab\nLabel: fleet lab\nArchitectures: amd64\nDate: {formatdate(time.time(), usegmt=True)}\n"
                                    f"SHA256:\n{rows}", encoding="ascii")
    _sign(folder)


def _archive(package: Package, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as spare:
        root = Path(spare)
        root.chmod(0o755)
        for place in package.folders:
            (root / place).mkdir(parents=True)
        for place, content in package.files.items():
            target = root / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, target)
                target.chmod(0o755)
            else:
                target.write_text(content, encoding="utf-8")
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(package.control, encoding="utf-8")
        if package.postinst:
            (root / "DEBIAN/postinst").write_text(package.postinst, encoding="ascii")
            (root / "DEBIAN/postinst").chmod(0o755)
        # gzip and not hard: these are read once or twice on the machine that made them
        _run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(folder / f"{package.name}_{package.version}_amd64.deb")])


def _sign(folder: Path) -> None:
    """With a key that nobody keeps."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "GNUPGHOME": home}
        gpg = ["gpg", "--batch", "--quiet", "--yes"]
        try:
            _run([*gpg, "--passphrase", "", "--quick-gen-key", "fleet lab <lab@example.invalid>", "rsa2048", "sign", "never"], environment)
            _run([*gpg, "--clearsign", "--output", str(folder / "InRelease"), str(folder / "Release")], environment)
            _run([*gpg, "--armor", "--export", "--output", str(folder / "Release.key")], environment)
        finally:
            subprocess.run(["gpgconf", "--kill", "all"], env=environment, check=False)


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise LabError(f"{command[0]} failed: {done.stderr.strip()[-600:]}")
