# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbook site on booted hosts of three infrastructures, from nothing to pods that answer on a public address of every node: made, reached by the
fleet's key, hardened strictly, in a mesh, in a cluster of three control planes; what happens to it in its life; and gone again without a trace.

Everything is said by extra variables. Needs a lab with openstack, google, metal and hosts, and what ``tests/lab kubernetes`` builds:
``python3 tests/run.py --only site_kubernetes`` (as root).
"""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hardened
import pytest
import site_lab
from fleetlab.kubernetes import made, settings
from hardened import LAB
from kubernetes_lab import ADMIN, NEW, OLD, pages
from site_lab import LATER, MACHINE, NODE_PORT, WHERE, Site, belongings, nothing_changed
from watching import Watch, until

pytestmark = [site_lab.needed, pytest.mark.skipif(made.built(LAB) is None, reason="Kubernetes is not built: python3 tests/lab kubernetes")]
ALL = set(WHERE)
LEFT = "find /etc/kubernetes /var/lib/etcd /var/lib/kubelet -mindepth 1 2>/dev/null; ip -brief link show type vxlan; iptables-save | grep KUBE; true"


class Cluster:
    """The site, with kubectl on its control planes, and the cluster's settings as texts of a survey."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.kubeconfig = site.folder / "rights" / "kube.conf"
        self.given: dict[str, Any] = {
            "fleet_cluster": "kubernetes", "fleet_cluster_managers": "3", "mesh_open_ports": "true",
            **settings.KUBERNETES, "kubernetes_ignored_checks": ",".join(settings.KUBERNETES["kubernetes_ignored_checks"]),
            "kubernetes_version": "1.33", "kubernetes_image_archives": OLD, "kubernetes_kubeconfig": str(self.kubeconfig),
            "container_engine_sandbox_image": "registry.k8s.io/pause:3.10", "container_engine_containerd_settings": settings.CONTAINERD,
        }

    def play(self, book: str, ok: bool = True, **more: Any) -> str:
        """A playbook of clusters; site is for what is made."""
        return (self.site.play if book == "site" else self.site.cluster)(book, ok, **{**self.given, **more})

    def ctl(self, words: str, on: str, text: str = "") -> str:
        return self.site.root(on, f"{ADMIN} {words} <<'END'\n{text}\nEND\n")

    def leads(self) -> list[str]:
        return [name for name in sorted(self.site.hosts()) if "admin.conf" in self.site.root(name, "ls /etc/kubernetes 2>/dev/null; true")]

    def nodes(self, on: str) -> dict[str, bool]:
        """Name -> whether it is ready."""
        return {row.split()[0]: row.split()[1] == "Ready" for row in self.ctl("get nodes --no-headers", on).splitlines()}

    def versions(self, on: str) -> set[str]:
        return set(self.ctl("get nodes -o jsonpath='{.items[*].status.nodeInfo.kubeletVersion}'", on).split())


@pytest.fixture(scope="module")
def before() -> set[str]:
    return belongings()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, before: set[str]) -> Iterator[Cluster]:
    for site in site_lab.made(tmp_path_factory.mktemp("site")):
        yield Cluster(site)


def test_no_cluster_is_made_of_a_part(cluster: Cluster) -> None:
    """A machine that was installed anew shows another host key, which somebody has to say is right; until then nobody is hardened, nor a member."""
    site = cluster.site
    known = Path(str(site.variables["access_known_hosts"]))
    with known.open("a", encoding="ascii") as lines:
        lines.write(f"metal/{MACHINE.name} {' '.join(site.key.with_suffix('.pub').read_text(encoding='ascii').split()[:2])}\n")
    out = cluster.play("site", ok=False)
    assert "site-3 failed, as is told above, and no cluster is made of a part" in out and "has changed: known is" in out
    assert "The operating system hardened" not in out
    subprocess.run(["ssh-keygen", "-q", "-R", f"metal/{MACHINE.name}", "-f", str(known)], capture_output=True, check=True)


def test_from_nothing_to_pods_on_public_addresses(cluster: Cluster) -> None:
    cluster.play("site")
    assert cluster.site.reached() == ALL
    leads = cluster.leads()
    assert len(leads) == 3 and {WHERE[name] for name in leads} == {"floating", "google", "metal"}, leads
    assert cluster.nodes(leads[0]) == dict.fromkeys(ALL, True)
    pages(cluster, ALL, leads[0])
    until(lambda: set(cluster.site.answers(NODE_PORT)) == ALL, "the pods answer on every node's public address")


def test_names_services_logs_and_topology(cluster: Cluster) -> None:
    lead, = cluster.leads()[:1]
    for name in ALL:
        pod = cluster.ctl(f"get pods -l app=pages --field-selector spec.nodeName={name} -o name", lead).strip()
        until(lambda pod=pod: cluster.ctl(f"exec {pod} -- curl -s -m 5 http://pages.default.svc.cluster.local/", lead).strip() in ALL)  # type: ignore[misc]
        assert cluster.ctl(f"logs {pod}", lead).strip() == "started"
    labels = {row.split()[0]: row.split()[-1] for row in cluster.ctl("get nodes --no-headers -L hybridops.fleet/provider", lead).splitlines()}
    assert labels == {name: {"floating": "openstack", "google": "gce", "metal": "metal"}[where] for name, where in WHERE.items()}


def test_a_second_run_changes_nothing_and_strangers_stay_out(cluster: Cluster) -> None:
    nothing_changed(cluster.play("site"))
    assert set(cluster.site.answers(NODE_PORT)) == ALL
    for name, host in cluster.site.hosts().items():
        assert not hardened.answers(host["fleet_public_ipv4"], 10250), f"kubelet of {name} is open to everybody"
        assert "policy drop" in cluster.site.root(name, "nft list table inet hybridops_fleet")


def test_a_worker_is_added_and_removed(cluster: Cluster) -> None:
    lead, = cluster.leads()[:1]
    asked = "cat /etc/kubernetes/kubelet.conf | sha256sum; systemctl show kubelet -P ActiveEnterTimestampMonotonic"
    kubelets = {name: cluster.site.root(name, asked) for name in ALL}
    cluster.play("site", fleet_nodes=[*cluster.site.nodes, cluster.site.later])
    assert {name: cluster.site.root(name, asked) for name in ALL} == kubelets
    pages(cluster, ALL | {LATER}, lead)
    cluster.play("kubernetes", fleet_cluster_removed=LATER)
    assert cluster.nodes(lead) == dict.fromkeys(ALL, True)
    assert not cluster.site.root(LATER, LEFT)
    cluster.site.play("deprovision", fleet_nodes=[cluster.site.later])
    nothing_changed(cluster.play("kubernetes"))


def test_a_control_plane_is_off_and_the_api_answers_until_it_is_back(cluster: Cluster) -> None:
    """Google gives a machine that was off another public address, from which no cloud lets it in: the next run sees to that."""
    off = next(name for name in cluster.leads() if WHERE[name] == "google")
    rest = [name for name in cluster.leads() if name != off]
    power = {"power_hosts": off, "ansible_ssh_private_key_file": str(cluster.site.key)}
    cluster.site.play("power", power_state="stopped", **power)
    until(lambda: cluster.ctl("get --raw /readyz", rest[0]) == "ok" and not cluster.nodes(rest[1])[off], "the others see that it is gone", 120)
    for name in ALL - {off}:
        assert cluster.site.root(name, "curl -sk -m 4 https://127.0.0.1:7443/readyz") == "ok"
    assert set(cluster.site.answers(NODE_PORT)) >= ALL - {off}
    cluster.site.play("power", power_state="started", **power)
    cluster.play("site")
    until(lambda: cluster.nodes(rest[0]) == dict.fromkeys(ALL, True), "it is back", 180)


def test_etcd_is_lost_everywhere_and_brought_back(cluster: Cluster) -> None:
    leads, copies = cluster.leads(), cluster.site.folder / "copies"
    cluster.ctl("create configmap made-before --from-literal=a=1", leads[0])
    cluster.play("cluster_backup", fleet_cluster_backup_folder=str(copies))
    copy, = copies.iterdir()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    cluster.ctl("create configmap made-later --from-literal=a=1", leads[0])
    for name in leads:
        cluster.site.root(name, "rm -rf /var/lib/etcd/*; crictl stop -t 1 $(crictl ps -q --name etcd); true")
    refused = cluster.play("cluster_restore", ok=False, fleet_cluster_backup_file=str(copy))
    assert "fleet_cluster_restore" in refused
    cluster.play("cluster_restore", fleet_cluster_backup_file=str(copy), fleet_cluster_restore="fleet")
    assert cluster.nodes(leads[0]) == dict.fromkeys(ALL, True)
    found = cluster.ctl("get configmaps -o name", leads[0])
    assert "made-before" in found and "made-later" not in found
    until(lambda: set(cluster.site.answers(NODE_PORT)) == ALL, "the pods answer again", 120)


def test_the_next_version_while_the_pods_answer(cluster: Cluster) -> None:
    lead, = cluster.leads()[:1]
    cluster.given |= {"kubernetes_version": "1.34", "kubernetes_image_archives": NEW}
    with Watch(lambda: cluster.site.answers(NODE_PORT)) as watch:
        cluster.play("cluster_upgrade")
    assert watch.longest < 10 and cluster.versions(lead) == {"v1.34.3"}
    until(lambda: cluster.nodes(lead) == dict.fromkeys(ALL, True), "all are ready")
    nothing_changed(cluster.play("kubernetes"))


def test_new_certificates(cluster: Cluster) -> None:
    serial = "openssl x509 -noout -serial -in /etc/kubernetes/pki/apiserver.crt"
    leads = cluster.leads()
    old = {name: cluster.site.root(name, serial) for name in leads}
    cluster.play("cluster_certificates")
    assert all(cluster.site.root(name, serial) != old[name] for name in leads)
    assert cluster.nodes(leads[0]) == dict.fromkeys(ALL, True)


def test_the_end_of_the_cluster_and_of_the_nodes(cluster: Cluster, before: set[str]) -> None:
    assert "Nothing was changed" in cluster.play("cluster_reset", ok=False, fleet_cluster_reset="other")
    cluster.play("cluster_reset", fleet_cluster_reset="fleet")
    for name in ALL:
        assert not cluster.site.root(name, LEFT)
    assert not cluster.kubeconfig.exists()
    cluster.site.play("deprovision")
    assert belongings() == before and not cluster.site.hosts()
