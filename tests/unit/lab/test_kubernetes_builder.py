# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab builds of Kubernetes, as far as it can be told without building."""
from __future__ import annotations

import json
import tarfile
from pathlib import Path

from fleetlab.hosts.sources import metal
from fleetlab.kubernetes import build, components, images, packages

BASE = """\
// generated
module k8s.io/kubernetes

go 1.24.0

require k8s.io/api v0.0.0

replace (
\tk8s.io/api => ./staging/src/k8s.io/api
)
"""


def test_a_module_of_our_own_takes_the_published_modules() -> None:
    release = components.RELEASES[0]
    text = build.go_mod(components.kubernetes(release), BASE)
    assert "module fleetlab/kubernetes\n" in text and f"require k8s.io/kubernetes {release.version}\n" in text
    assert f"k8s.io/api => k8s.io/api v0.{release.version.removeprefix('v1.')}\n" in text and "staging" not in text
    assert "require go.etcd.io/etcd/server/v3 v3.5.21\n" in build.go_mod(components.etcd("3.5.21"))


def test_every_program_tells_its_version() -> None:
    for release in components.RELEASES:
        assert f"k8s.io/component-base/version.gitVersion={release.version}" in components.kubernetes(release).variables
    assert len({component.folder for component in components.components()}) == len(components.components())


def test_two_minors_that_follow_each_other() -> None:
    old, new = (int(release.minor.partition(".")[2]) for release in components.RELEASES)
    assert new == old + 1


def test_packages_bear_the_names_of_the_projects_own(tmp_path: Path) -> None:
    made = packages.packages(components.RELEASES[1], tmp_path, tmp_path, tmp_path)
    assert {package.name for package in made} == {"kubeadm", "kubelet", "kubectl", "kubernetes-cni", "cri-tools"}
    assert next(package for package in made if package.name == "kubelet").control.startswith("Package: kubelet\nVersion: 1.34.3-1.1\n")


def test_an_image_is_the_same_archive_every_time(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"#!")
    image = images.Image("registry.k8s.io/coredns/coredns:v1", {"/bin/program": program}, {"/bin/sh": "program"}, entrypoint=("/bin/program",))
    (tmp_path / "again").mkdir()
    first, second = images.write(image, tmp_path), images.write(image, tmp_path / "again")
    assert first.name == "coredns_v1.tar" and first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or open("/dev/null"))[0]  # noqa: SIM115
        assert manifest["RepoTags"] == ["registry.k8s.io/coredns/coredns:v1"] and manifest["Config"] in archive.getnames()


def test_a_machine_of_a_rack_may_run_kubelet() -> None:
    nodes = [{"name": name, "interfaces": [{"addresses": ["10.0.0.1/24"]}], **more} for name, more in (("a", {"kubelet": True}), ("b", {}))]
    hosts = metal.rack_world({"r.yml": {"nodes": nodes}}).running
    assert {host.name: host.kubelet for host in hosts.values()} == {"a": True, "b": False}
