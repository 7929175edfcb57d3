# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbook site on booted hosts of three infrastructures, from nothing to a workload that answers on a public address of every node: made, reached by
the fleet's key, hardened strictly, in a mesh, in a cluster; and gone again without a trace.

Everything is said by extra variables. Needs a lab with openstack, google, metal and hosts: ``python3 tests/run.py --only site`` (as root).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hardened
import pytest
from fleetlab.kubernetes import made
from hardened import CHECKOUT, LAB, changed
from lab_commands import lab_environment
from site_lab import MACHINE, NODE_PORT, PORT, RULES, Site
from swarm_lab import IMAGE, until

NEEDED = {"gce", "openstack", "metal", "hosts"}
pytestmark = pytest.mark.skipif(not hardened.RUNNING or not set(LAB.state()["endpoints"]) >= NEEDED,
                                reason="no lab with openstack, google, metal and hosts runs: tests/run.py --only site")
ALL = {"site-1", "site-2", "site-3"}


def belongings() -> set[str]:
    """Everything nodes could leave behind in the APIs, asked by the clouds' own tools."""
    done = subprocess.run([sys.executable, str(CHECKOUT / "tests/integration_lab/api_listing.py"), "openstack", "google"], cwd=CHECKOUT,
                          env={**os.environ, **lab_environment()}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return set(json.loads(done.stdout))


def nothing_changed(out: str) -> None:
    """Fails with the tasks that say they changed something."""
    tasks = re.findall(r"^TASK \[([^\]]+)\][^\n]*\n(?:(?!^TASK|^PLAY)[^\n]*\n)*?changed: \[([^\]]+)\]", out, re.MULTILINE)
    assert set(changed(out).values()) == {0}, (changed(out), tasks)


def let_in() -> dict[str, set[str]]:
    """Node -> from where its cloud lets the mesh's port in, asked by the clouds' own tools."""
    done = subprocess.run([sys.executable, "-c", RULES], env={**os.environ, **lab_environment()}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: set(sources) for name, sources in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def before() -> set[str]:
    return belongings()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, before: set[str]) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    installed(made)
    yield made
    made.play("deprovision")
    made.rack.write(())


def installed(site: Site) -> None:
    """The rack's machine as its installer leaves it."""
    site.rack.renew([MACHINE])
    site.rack.root(MACHINE, "echo nameserver 198.51.100.254 >/etc/resolv-of-pods")


# ------------------------------------------------------------------------------------------------- Docker Swarm
def test_from_nothing_to_a_service_of_a_swarm_on_public_addresses(site: Site) -> None:
    site.play("site", fleet_cluster="swarm")
    assert site.reached() == ALL
    public = {name: f"{host['fleet_public_ipv4']}/32" for name, host in site.hosts().items()}
    for name, sources in let_in().items():
        assert {source for source in sources if "." in source} == {public[other] for other in ALL - {name}}
    for name in ALL:
        site.root(name, "dpkg -i /srv/repo/busybox-static_*.deb >/dev/null; " + IMAGE)
    manager = "site-1"
    site.root(manager, f"""
      docker network create -d overlay --attachable inner >/dev/null
      docker service create -d --name web --mode global --endpoint-mode dnsrr --network inner --no-resolve-image \
        --publish mode=host,target=80,published={PORT} --hostname '{{{{.Node.Hostname}}}}' web:1 /bin/busybox sh -c \
        'hostname >/index.html; exec /bin/busybox httpd -f -p 80 -h /' >/dev/null""")
    until(lambda: set(site.answers()) == ALL, "the service answers on every node's public address")


def test_a_second_run_changes_nothing(site: Site) -> None:
    nothing_changed(site.play("site", fleet_cluster="swarm"))
    assert set(site.answers()) == ALL


def test_the_hosts_are_hardened_and_the_firewall_is_shut(site: Site) -> None:
    for name, host in site.hosts().items():
        assert not hardened.answers(host["fleet_public_ipv4"], 2377), f"the swarm's port of {name} is open to everybody"
        assert "policy drop" in site.root(name, "nft list table inet hybridops_fleet")
    controls = hardened.Page(site.folder / "report" / "index.html").controls()
    assert len(controls) == len(ALL) and not any("failed" in rows.values() for rows in controls.values())


def test_the_end_of_the_swarm_and_of_the_nodes(site: Site, before: set[str]) -> None:
    site.reset("swarm")
    for name in ALL:
        assert "Swarm: inactive" in site.root(name, "docker info 2>/dev/null")
    site.play("deprovision")
    assert belongings() == before and not site.hosts()


# ------------------------------------------------------------------------------------------------- Kubernetes
KUBERNETES = {
    "fleet_cluster": "kubernetes", "fleet_cluster_managers": "1",
    "kubernetes_version": "1.34", "kubernetes_packages_repository": f"file://{made.IN_HOST}/repo/v{{minor}}/",
    "kubernetes_image_archives": [f"{made.IN_HOST}/images/v1.34", f"{made.IN_HOST}/images/toolbox"],
    "kubernetes_ignored_checks": ["HTTPProxyCIDR"],  # written for a Go that took addresses of IPv4 in brackets
    "kubernetes_proxy_settings": {"conntrack": {"maxPerCore": 0}}, "kubernetes_kubelet_settings": {"resolvConf": "/etc/resolv-of-pods"},
    "container_engine_sandbox_image": "registry.k8s.io/pause:3.10.1",
    "container_engine_containerd_settings": {"plugins": {"io.containerd.grpc.v1.cri": {"restrict_oom_score_adj": True}}},
}
PAGES = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: lab.invalid/toolbox:1
        imagePullPolicy: Never
        command: [sh, -c, 'echo "$NODE" >/www/index.html; exec httpd -f -p 8080 -h /www']
        env: [{{name: NODE, valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}]
        readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 2}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: NodePort, selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080, nodePort: {NODE_PORT}}}]}}
"""
LEFT = "find /etc/kubernetes /var/lib/etcd /var/lib/kubelet -mindepth 1 2>/dev/null; ip -brief link show type vxlan; iptables-save | grep KUBE; true"
built = pytest.mark.skipif(made.built(LAB) is None, reason="Kubernetes is not built: python3 tests/lab kubernetes")


@built
def test_no_cluster_is_made_of_a_part(site: Site) -> None:
    """A machine that was installed anew shows another host key, which somebody has to say is right; until then nobody is hardened, nor a member."""
    installed(site)
    known = Path(str(site.variables["access_known_hosts"]))
    forget = ["ssh-keygen", "-q", "-R", f"metal/{MACHINE.name}", "-f", str(known)]
    subprocess.run(forget, capture_output=True, check=False)
    with known.open("a", encoding="ascii") as lines:
        lines.write(f"metal/{MACHINE.name} {' '.join(site.key.with_suffix('.pub').read_text(encoding='ascii').split()[:2])}\n")
    out = site.play("site", ok=False, **KUBERNETES)
    assert "site-3 failed, as is told above, and no cluster is made of a part" in out and "has changed: known is" in out
    assert "The operating system hardened" not in out
    subprocess.run(forget, capture_output=True, check=True)


@built
def test_from_nothing_to_a_deployment_of_kubernetes_on_public_addresses(site: Site) -> None:
    site.play("site", **KUBERNETES, kubernetes_kubeconfig=str(site.folder / "rights" / "kube.conf"))
    assert site.reached() == ALL
    lead = next(name for name in sorted(ALL) if "admin.conf" in site.root(name, "ls /etc/kubernetes"))
    control = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
    site.root(lead, f"{control} apply -f - <<'END'\n{PAGES}\nEND\n{control} rollout status deployment/web --timeout=150s")
    until(lambda: set(site.answers(NODE_PORT)) == ALL, "the deployment answers on every node's public address")
    assert set(site.answers(NODE_PORT).values()) <= ALL - {lead}


@built
def test_a_second_run_over_the_cluster_changes_nothing(site: Site) -> None:
    nothing_changed(site.play("site", **KUBERNETES, kubernetes_kubeconfig=str(site.folder / "rights" / "kube.conf")))
    assert set(site.answers(NODE_PORT)) == ALL
    for name, host in site.hosts().items():
        assert not hardened.answers(host["fleet_public_ipv4"], 10250), f"kubelet of {name} is open to everybody"


@built
def test_the_end_of_the_cluster_and_of_the_nodes(site: Site, before: set[str]) -> None:
    site.reset("kubernetes")
    for name in ALL:
        assert not site.root(name, LEFT)
    site.play("deprovision")
    assert belongings() == before and not site.hosts()
