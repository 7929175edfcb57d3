# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is built, as data: two minors of Kubernetes, so that an upgrade is one, and what their kubeadm asks for.

Every version is a published Go module. 1.34 is the last minor that takes a kernel with cgroup v1 without being asked to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

REGISTRY = "registry.k8s.io"
"""Where kubeadm looks for images unless told otherwise; nothing is fetched from there."""


@dataclasses.dataclass(frozen=True)
class Component:
    """Programs that are built together. programs: file name -> import path of the main package."""

    name: str
    version: str
    modules: Mapping[str, str]
    programs: Mapping[str, str]
    variables: tuple[str, ...] = ()  # package.name=value, set by the linker
    source: str = ""  # a main package of our own, built as "."
    base: str = ""  # module whose go.mod is taken over, with what it replaces by folders of its repository replaced by published modules

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"


@dataclasses.dataclass(frozen=True)
class Release:
    """One minor of Kubernetes. The tags are those that its kubeadm asks for."""

    version: str
    etcd: str
    dns: str
    pause: str

    @property
    def minor(self) -> str:
        return self.version.removeprefix("v").rpartition(".")[0]

    @property
    def images(self) -> tuple[str, ...]:
        """Names and tags as ``kubeadm config images list`` writes them, without the registry."""
        own = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
        return (*(f"{name}:{self.version}" for name in own), f"coredns/coredns:{self.dns}", f"pause:{self.pause}", f"etcd:{self.etcd}-0")


RELEASES = (
    Release("v1.33.5", etcd="3.5.21", dns="v1.12.0", pause="3.10"),
    Release("v1.34.3", etcd="3.6.5", dns="v1.12.1", pause="3.10.1"),
)
CRI_TOOLS, CNI_PLUGINS = "v1.34.0", "v1.7.1"

_KUBERNETES = ("kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
_CNI = {"bridge": "main", "loopback": "main", "host-local": "ipam", "portmap": "meta", "firewall": "meta", "tuning": "meta"}
_DNS_PLUGINS = ("bind", "cache", "errors", "forward", "health", "hosts", "kubernetes", "loadbalance", "log", "loop", "metrics", "ready", "reload",
                "rewrite", "template", "whoami")
_DNS_SOURCE = """\
// CoreDNS with the plugins that kubeadm's Corefile names and a few more: without those of clouds it is a third of the size.
package main

import (
{imports}
\t"github.com/coredns/coredns/coremain"
)

func main() {{
\tcoremain.Run()
}}
"""


def kubernetes(release: Release) -> Component:
    """All of Kubernetes' own programs."""
    major, minor, _patch = release.version.removeprefix("v").split(".")
    told = (f"gitVersion={release.version}", f"gitMajor={major}", f"gitMinor={minor}", "gitTreeState=clean")
    places = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return Component(
        "kubernetes", release.version, {"k8s.io/kubernetes": release.version},
        {name: f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES},
        tuple(f"{place}.{word}" for place in places for word in told), base="k8s.io/kubernetes",
    )


def etcd(version: str) -> Component:
    modules = {"etcd": "go.etcd.io/etcd/server/v3", "etcdctl": "go.etcd.io/etcd/etcdctl/v3", "etcdutl": "go.etcd.io/etcd/etcdutl/v3"}
    return Component("etcd", f"v{version}", dict.fromkeys(modules.values(), f"v{version}"), modules)


def dns(version: str) -> Component:
    imports = "\n".join(f'\t_ "github.com/coredns/coredns/plugin/{name}"' for name in _DNS_PLUGINS)
    return Component("coredns", version, {"github.com/coredns/coredns": version}, {"coredns": "."}, source=_DNS_SOURCE.format(imports=imports))


def components() -> tuple[Component, ...]:
    """Everything, the newest Kubernetes first: it is what most tests need."""
    found = []
    for release in reversed(RELEASES):
        found += [kubernetes(release), etcd(release.etcd), dns(release.dns)]
    tools = Component("cri-tools", CRI_TOOLS, {"sigs.k8s.io/cri-tools": CRI_TOOLS}, {"crictl": "sigs.k8s.io/cri-tools/cmd/crictl"},
                      (f"sigs.k8s.io/cri-tools/pkg/version.Version={CRI_TOOLS}",))
    plugins = "github.com/containernetworking/plugins"
    cni = Component("cni", CNI_PLUGINS, {plugins: CNI_PLUGINS}, {name: f"{plugins}/plugins/{kind}/{name}" for name, kind in _CNI.items()},
                    (f"{plugins}/pkg/utils/buildversion.BuildVersion={CNI_PLUGINS}",))
    return (tools, cni, *found)
