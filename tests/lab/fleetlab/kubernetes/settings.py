# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What roles have to be told on hosts of the lab, which are containers of one kernel and see no network but the lab's."""

from __future__ import annotations

from typing import Any

from .made import IN_HOST

KUBERNETES: dict[str, Any] = {
    "kubernetes_packages_repository": f"file://{IN_HOST}/repo/v{{minor}}/",
    "kubernetes_ignored_checks": ["HTTPProxyCIDR"],  # written for a Go that took addresses of IPv4 in brackets
    "kubernetes_proxy_settings": {"conntrack": {"maxPerCore": 0}},
    "kubernetes_kubelet_settings": {"resolvConf": "/etc/resolv-of-pods"},
}
"""Of role kubernetes; version and archives of images beside them."""
CONTAINERD: dict[str, Any] = {"plugins": {"io.containerd.grpc.v1.cri": {"restrict_oom_score_adj": True}}}
"""container_engine_containerd_settings."""
