# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubeadm's configuration, in the form that the kubeadm at hand reads. Pure.

kubeadm reads v1beta4 from 1.31 on, v1beta3 from 1.22 on, v1beta2 before. Arguments of programs are a list of names and values in v1beta4 and a
mapping before; the rest that is used here is the same in all three.
"""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TAINT = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]


@dataclass(frozen=True)
class Cluster:
    """What all nodes have in common. endpoint: host:port that every node reaches the API by; names: of the API's certificate."""

    name: str
    version: str
    endpoint: str
    pods: str
    services: str
    domain: str = "cluster.local"
    repository: str = "registry.k8s.io"
    names: Sequence[str] = ()
    proxy_mode: str = "iptables"
    kubelet: Mapping[str, Any] = field(default_factory=dict)  # laid over KubeletConfiguration
    proxy: Mapping[str, Any] = field(default_factory=dict)  # laid over KubeProxyConfiguration
    settings: Mapping[str, Any] = field(default_factory=dict)  # laid over ClusterConfiguration
    schedulable: bool = False  # control planes take pods of users


@dataclass(frozen=True)
class Node:
    """One of them. socket: of the container runtime."""

    name: str
    ip: str
    socket: str
    cgroup_driver: str = "systemd"
    labels: Mapping[str, str] = field(default_factory=dict)
    ignored: Sequence[str] = ()  # checks of kubeadm that may fail


def version_of(text: str) -> tuple[int, int, int]:
    """1.34.3 or v1.34 as numbers; what is missing is 0. Raises ValueError."""
    parts = str(text).removeprefix("v").split(".")
    if not 2 <= len(parts) <= 3 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"{text} is no version of Kubernetes")
    return int(parts[0]), int(parts[1]), int(parts[2]) if len(parts) == 3 else 0


def api(kubeadm: str) -> str:
    """The newest API version that this kubeadm reads."""
    version = version_of(kubeadm)
    return "kubeadm.k8s.io/" + ("v1beta4" if version >= (1, 31, 0) else "v1beta3" if version >= (1, 22, 0) else "v1beta2")


def init(cluster: Cluster, node: Node, kubeadm: str) -> str:
    """For ``kubeadm init --config``: YAML documents (each of JSON, which is YAML). kubeadm: its version."""
    own: dict[str, Any] = {
        "apiVersion": api(kubeadm), "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": node.ip},
        "nodeRegistration": _registration(cluster, node, kubeadm, control_plane=True),
    }
    common: dict[str, Any] = {
        "apiVersion": api(kubeadm), "kind": "ClusterConfiguration",
        "clusterName": cluster.name,
        "kubernetesVersion": f"v{cluster.version}",
        "controlPlaneEndpoint": cluster.endpoint,
        "imageRepository": cluster.repository,
        "networking": {"podSubnet": cluster.pods, "serviceSubnet": cluster.services, "dnsDomain": cluster.domain},
        "apiServer": {"certSANs": list(cluster.names)},
    }
    kubelet = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "cgroupDriver": node.cgroup_driver}
    proxy = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": cluster.proxy_mode,
             "clusterCIDR": cluster.pods}
    return _documents(own, merged(common, cluster.settings), merged(kubelet, cluster.kubelet), merged(proxy, cluster.proxy))


def join(cluster: Cluster, node: Node, kubeadm: str, ticket: Mapping[str, str], *, control_plane: bool) -> str:
    """For ``kubeadm join --config``. ticket: token, hash of the authority, for a control plane certificate_key; all of it secret."""
    told: dict[str, Any] = {
        "apiVersion": api(kubeadm), "kind": "JoinConfiguration",
        "discovery": {"bootstrapToken": {"token": ticket["token"], "apiServerEndpoint": cluster.endpoint, "caCertHashes": [ticket["hash"]]}},
        "nodeRegistration": _registration(cluster, node, kubeadm, control_plane=control_plane),
    }
    if control_plane:
        told["controlPlane"] = {"localAPIEndpoint": {"advertiseAddress": node.ip}, "certificateKey": ticket["certificate_key"]}
    return _documents(told)


def arguments(kubeadm: str, values: Mapping[str, str]) -> Any:
    """Arguments of a program as this kubeadm wants them."""
    return [{"name": name, "value": value} for name, value in values.items()] if api(kubeadm).endswith("v1beta4") else dict(values)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings key by key, all else as ``over`` says."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _registration(cluster: Cluster, node: Node, kubeadm: str, *, control_plane: bool) -> dict[str, Any]:
    given = {"node-ip": node.ip}
    if node.labels:
        given["node-labels"] = ",".join(f"{name}={value}" for name, value in sorted(node.labels.items()))
    told: dict[str, Any] = {"name": node.name, "criSocket": f"unix://{node.socket}", "kubeletExtraArgs": arguments(kubeadm, given)}
    if control_plane:
        told["taints"] = [] if cluster.schedulable else TAINT
    if node.ignored:
        told["ignorePreflightErrors"] = list(node.ignored)
    return told


def _documents(*documents: Mapping[str, Any]) -> str:
    return "".join(f"---\n{json.dumps(document, indent=1)}\n" for document in documents)
