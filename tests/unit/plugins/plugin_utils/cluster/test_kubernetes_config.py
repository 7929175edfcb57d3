# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubeadm's configuration in each of the forms that kubeadm has had."""
from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_config as config

CLUSTER = config.Cluster("fleet", "1.34.3", "127.0.0.1:7443", "10.244.0.0/16", "10.96.0.0/12", names=["api.example"],
                         kubelet={"failSwapOn": False}, proxy={"conntrack": {"maxPerCore": 0}}, settings={"etcd": {"local": {"imageTag": "x"}}})
NODE = config.Node("k1", "192.0.2.1", "/run/containerd/containerd.sock", labels={"b": "2", "a": "1"}, ignored=["Swap"])
TICKET = {"token": "abcdef.0123456789abcdef", "hash": "sha256:00", "certificate_key": "ff"}


def documents(text: str) -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


@pytest.mark.parametrize(("kubeadm", "version"), [("1.20.2", "v1beta2"), ("1.22.0", "v1beta3"), ("1.30.9", "v1beta3"), ("1.31.0", "v1beta4"),
                                                  ("v1.36.1", "v1beta4")])
def test_the_api_follows_kubeadm(kubeadm: str, version: str) -> None:
    told = documents(config.init(CLUSTER, NODE, kubeadm))
    assert {told[kind]["apiVersion"] for kind in ("InitConfiguration", "ClusterConfiguration")} == {f"kubeadm.k8s.io/{version}"}
    given = told["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
    pairs = {row["name"]: row["value"] for row in given} if version == "v1beta4" else given
    assert pairs == {"node-ip": "192.0.2.1", "node-labels": "a=1,b=2"}


def test_the_first_control_plane() -> None:
    told = documents(config.init(CLUSTER, NODE, "1.34.3"))
    own, common = told["InitConfiguration"], told["ClusterConfiguration"]
    assert own["localAPIEndpoint"] == {"advertiseAddress": "192.0.2.1"}
    assert own["nodeRegistration"]["criSocket"] == "unix:///run/containerd/containerd.sock"
    assert own["nodeRegistration"]["ignorePreflightErrors"] == ["Swap"] and own["nodeRegistration"]["taints"]
    assert "certificateKey" not in own and "bootstrapTokens" not in own
    assert common["controlPlaneEndpoint"] == "127.0.0.1:7443" and common["kubernetesVersion"] == "v1.34.3"
    assert common["apiServer"]["certSANs"] == ["api.example"] and common["etcd"] == {"local": {"imageTag": "x"}}
    assert told["KubeletConfiguration"]["cgroupDriver"] == "systemd" and told["KubeletConfiguration"]["failSwapOn"] is False
    assert told["KubeProxyConfiguration"]["conntrack"] == {"maxPerCore": 0}


def test_joining() -> None:
    worker = documents(config.join(CLUSTER, NODE, "1.34.3", TICKET, control_plane=False))["JoinConfiguration"]
    assert "controlPlane" not in worker and "taints" not in worker["nodeRegistration"] and "ff" not in str(worker)
    assert worker["discovery"]["bootstrapToken"] == {"token": TICKET["token"], "apiServerEndpoint": "127.0.0.1:7443", "caCertHashes": ["sha256:00"]}
    lead = documents(config.join(CLUSTER, NODE, "1.34.3", TICKET, control_plane=True))["JoinConfiguration"]
    assert lead["controlPlane"] == {"localAPIEndpoint": {"advertiseAddress": "192.0.2.1"}, "certificateKey": "ff"}


def test_control_planes_may_take_pods() -> None:
    open_cluster = config.Cluster("fleet", "1.34.3", "x:1", "10.244.0.0/16", "10.96.0.0/12", schedulable=True)
    assert documents(config.init(open_cluster, NODE, "1.34.3"))["InitConfiguration"]["nodeRegistration"]["taints"] == []


@pytest.mark.parametrize("text", ["1", "one.two", "1.2.3.4", ""])
def test_no_version(text: str) -> None:
    with pytest.raises(ValueError):
        config.version_of(text)
