# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is to be known of a node before Kubernetes is made on it or changed. Reads only. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import base64
import json
import os
import re
import ssl
import time
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

ADMIN, KUBELET, CA = "/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf", "/etc/kubernetes/pki/ca.crt"
API_MANIFEST, ETCD_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/etc/kubernetes/manifests/etcd.yaml"
RESTING = "/var/lib/hybridops-fleet/kubernetes/resting"
"""Where manifests are while their control plane is stopped."""
MARK = "/var/lib/hybridops-fleet/kubernetes/step.json"
"""What the collection last did here with kubeadm, and whether it came to its end."""
PROXY = "/etc/hybridops-fleet/kubernetes/api-proxy.cfg"
SOCKETS = ("/run/containerd/containerd.sock", "/run/crio/crio.sock")
PACKAGES = ("kubeadm", "kubelet", "kubectl", "haproxy")
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")


def look(system: System) -> dict[str, Any]:
    """All of it. A part that could not be read is None or empty."""
    control_plane = system.exists(ADMIN) and (system.exists(API_MANIFEST) or system.exists(RESTING + "/kube-apiserver.yaml"))
    return {
        "versions": {name: _version(system, name) for name in ("kubeadm", "kubelet")},
        "packages": _packages(system),
        "apt": system.has("apt-get"),
        "runtime": runtime(system),
        "member": system.exists(KUBELET),
        "control_plane": control_plane,
        "node": _own_name(system),
        "server": _first(r"(?m)^\s*server:\s*(\S+)", system.text(KUBELET)),
        "authority": _authority(system),
        "api_version": _first(r"image:\s*\S+/kube-apiserver:v(\S+)", system.text(API_MANIFEST)),
        "step": _mark(system),
        "kubelet": (system.unit("kubelet.service") or {}).get("ActiveState", ""),
        "swap": [line.split()[0] for line in system.text("/proc/swaps").splitlines()[1:] if line.split()],
        "features": _features(system),
        "modular": os.path.isdir(system.real("/lib/modules/" + os.uname().release)),
        "ids": {"hostname": os.uname().nodename, "machine_id": system.text("/etc/machine-id").strip(),
                "product_uuid": system.text("/sys/class/dmi/id/product_uuid").strip().lower()},
        "addresses": _addresses(system),
        "resolvers": _resolvers(system),
        "time": time.time(),
        "images": images(system),
        "certificates": certificates(system) if control_plane else {},
        "etcd": _etcd(system) if control_plane else {},
        "cluster": cluster(system) if control_plane else None,
    }


def runtime(system: System) -> dict[str, Any]:
    """The container runtime that kubelet would use. socket: empty where there is none; cgroup_driver and cni_folder: as its settings say."""
    socket = next((path for path in SOCKETS if system.exists(path)), "")
    found: dict[str, Any] = {"socket": socket, "name": "", "version": "", "cgroup_driver": "", "cni_folder": ""}
    if socket.startswith("/run/containerd"):
        found["name"] = "containerd"
        found["version"] = _first(_VERSION.pattern, system.run(["containerd", "--version"]).out)
        told = system.run(["containerd", "config", "dump"]).out
        driver = _first(r"(?m)^\s*SystemdCgroup\s*=\s*(\w+)", told)
        found["cgroup_driver"] = "systemd" if driver == "true" else "cgroupfs"
        found["cni_folder"] = _first(r"(?m)^\s*bin_dirs?\s*=\s*\[?['\"]([^'\"]+)", told)
        found["off"] = "io.containerd.grpc.v1.cri" in _first(r"(?m)^disabled_plugins\s*=\s*(\[.*\])", told)
    elif socket:
        found.update(name="cri-o", cgroup_driver="systemd")
    return found


def cluster(system: System) -> dict[str, Any]:
    """What the API says, asked here with this control plane's own rights. answers: whether it did, else why."""
    asked = system.run(["kubectl", "--kubeconfig", ADMIN, "--request-timeout=8s", "get", "nodes", "--output=json"], timeout=20)
    if asked.rc:
        return {"answers": False, "why": asked.err.strip().splitlines()[-1][:300] if asked.err.strip() else "no answer", "nodes": []}
    try:
        items = json.loads(asked.out).get("items", [])
    except ValueError:
        return {"answers": False, "why": "its answer is no JSON", "nodes": []}
    return {"answers": True, "why": "", "nodes": [node(item) for item in items]}


def node(item: dict[str, Any]) -> dict[str, Any]:
    """A node of the API in a few words."""
    meta, spec, status = item.get("metadata", {}), item.get("spec", {}), item.get("status", {})
    ready = next((row.get("status") for row in status.get("conditions", []) if row.get("type") == "Ready"), "Unknown")
    return {
        "name": meta.get("name", ""),
        "ready": ready == "True",
        "schedulable": not spec.get("unschedulable", False),
        "control_plane": "node-role.kubernetes.io/control-plane" in (meta.get("labels") or {}),
        "version": str(status.get("nodeInfo", {}).get("kubeletVersion", "")).lstrip("v"),
        "ip": next((row.get("address") for row in status.get("addresses", []) if row.get("type") == "InternalIP"), ""),
        "pods": spec.get("podCIDR", ""),
    }


def _version(system: System, program: str) -> str:
    words = [program, "version", "-o", "short"] if program == "kubeadm" else [program, "--version"]
    return _first(_VERSION.pattern, system.run(words).out) if system.has(program) else ""


def _packages(system: System) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    told = system.run(["dpkg-query", "--show", "--showformat=${Package} ${Version} ${db:Status-Want} ${db:Status-Status}\n", *PACKAGES]).out
    for line in told.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[3] == "installed":
            found[fields[0]] = {"version": fields[1], "held": fields[2] == "hold"}
    return found


def _authority(system: System) -> str:
    """Fingerprint of the cluster's certificate authority: members of one cluster have the same."""
    told = system.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", CA]).out if system.exists(CA) else ""
    return told.partition("=")[2].strip().replace(":", "").lower()


def _mark(system: System) -> dict[str, Any]:
    try:
        told = json.loads(system.text(MARK) or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _features(system: System) -> dict[str, bool]:
    """Built into the kernel or loaded: a module that cannot be loaded does not matter where the feature is there."""
    systems = system.text("/proc/filesystems")
    return {
        "overlay": bool(re.search(r"(?m)\boverlay$", systems)),
        "br_netfilter": system.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"),
        "forwarding": system.text("/proc/sys/net/ipv4/ip_forward").strip() == "1",
        "ip_vs": system.exists("/proc/net/ip_vs"),
    }


def _addresses(system: System) -> list[str]:
    """Every address of an interface, with its prefix."""
    try:
        rows = json.loads(system.run(["ip", "-json", "address", "show"]).out or "[]")
    except ValueError:
        return []
    return ["{}/{}".format(row["local"], row["prefixlen"]) for link in rows for row in link.get("addr_info", [])
            if row.get("local") and row.get("scope") != "link" and link.get("ifname") not in ("lo", "cni0", "fleetpods", "docker0")]


def _resolvers(system: System) -> list[str]:
    """Name servers that pods would ask for names of the outside. kubeadm tells kubelet of systemd-resolved's own file where that runs."""
    path = "/run/systemd/resolve/resolv.conf"
    return re.findall(r"(?m)^nameserver\s+(\S+)", system.text(path if system.exists(path) else "/etc/resolv.conf"))


def images(system: System) -> list[str]:
    """Names of those in containerd that kubelet sees."""
    if not system.has("ctr") or not system.exists(SOCKETS[0]):
        return []
    told = system.run(["ctr", "--namespace", "k8s.io", "images", "list", "--quiet"], timeout=20).out
    return sorted(line for line in told.split() if "@sha256:" not in line and not line.startswith("sha256:"))


def certificates(system: System) -> dict[str, dict[str, Any]]:
    """Those of a control plane and of the accounts of its parts. days: how many are left, negative when it has ended."""
    found: dict[str, dict[str, Any]] = {}
    for name in ("apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-client", "etcd/server", "etcd/peer",
                 "etcd/healthcheck-client"):
        found[name] = _certificate(system, system.text(f"/etc/kubernetes/pki/{name}.crt"))
    for name in ("admin", "super-admin", "controller-manager", "scheduler"):
        inner = _first(r"client-certificate-data:\s*(\S+)", system.text(f"/etc/kubernetes/{name}.conf"))
        found[name + ".conf"] = _certificate(system, base64.b64decode(inner).decode("ascii", "replace"))
    return {name: row for name, row in found.items() if row}


def _certificate(system: System, text: str) -> dict[str, Any]:
    """Empty where there is none."""
    told = system.run(["openssl", "x509", "-noout", "-enddate", "-serial"], text=text).out if text else ""
    ends = _first(r"notAfter=(.+)", told)
    if not ends:
        return {}
    return {"ends": ends, "days": int((ssl.cert_time_to_seconds(ends) - time.time()) // 86400), "serial": _first(r"serial=(\w+)", told)}


def _etcd(system: System) -> dict[str, Any]:
    """image: of its pod; peers: names of the control planes that this one has heard of, when it came and by its proxy."""
    text = system.text(ETCD_MANIFEST) or system.text(RESTING + "/etcd.yaml")
    came = [pair.partition("=")[0] for pair in _first(r"--initial-cluster=(\S+)", text).split(",") if "=" in pair]
    return {"image": _first(r"(?m)^\s*image:\s*(\S+)", text), "peers": sorted({*came, *re.findall(r"(?m)^\s*server (\S+) ", system.text(PROXY))})}


def _own_name(system: System) -> str:
    """The node's name in the cluster: that of the certificate with which kubelet comes."""
    path = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    told = system.run(["openssl", "x509", "-noout", "-subject", "-in", path]).out if system.exists(path) else ""
    return _first(r"system:node:([^\s,/]+)", told)


def _first(pattern: str, text: str) -> str:
    found: re.Match[str] | None = re.search(pattern, text)
    return found.group(1) if found else ""
