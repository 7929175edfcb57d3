# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role kubernetes on booted hosts, with a real kubeadm and pods whose traffic is sent: a cluster is made, grows, is copied and brought back, gets new
certificates, comes to the next version, loses a control plane, shrinks and is taken away.

The tests follow each other on one cluster. Needs a running lab with hosts and what ``tests/lab kubernetes`` builds:
``python3 tests/run.py --only kubernetes`` (as root).
"""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.hybridops.fleet.tests.integration_lab.kubernetes_lab import (
    LAB,
    MACHINES,
    NEW,
    PAGES,
    RUNTIME,
    Site,
    changed,
    pages,
    versions,
)
from ansible_collections.hybridops.fleet.tests.integration_lab.watching import Watch, until
from fleetlab.hosts import netns
from fleetlab.hosts.fresh import Rack
from fleetlab.hosts.place import Place
from fleetlab.kubernetes import made

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not netns.exists(Place(LAB.root).core),
                       reason="there is no running lab with hosts: tests/lab up --only metal --hosts"),
    pytest.mark.skipif(made.built(LAB) is None, reason="Kubernetes is not built: python3 tests/lab kubernetes"),
]
LEFT = """
find / -xdev \\( -path /proc -o -path /sys -o -path /srv -o -path /var/lib/containerd \\) -prune -o \\( -name '*kube*' -o -name '*etcd*' \
  -o -name '*cni0*' -o -path '*hybridops-fleet*' \\) -print 2>/dev/null |
  grep -vE '^/(usr/share|usr/lib/python3|usr/lib/fleet-lab|var/lib/dpkg|var/lib/apt|var/cache|var/log|var/lib/(etcd|kubelet)$)'
ls /var/lib/kubelet /var/lib/etcd /opt/cni/bin 2>/dev/null | grep -vE ':$|^$'
ip -brief link | grep -E 'cni0|fleetpods|veth[0-9a-f]{8}'
ip route | grep 10.244
iptables-save | grep -E 'KUBE|CNI'
nft list tables | grep -E 'hybridops|kube'
systemctl list-unit-files --no-legend | grep -E 'kube|fleet-k'
ps -eo args | grep -E '^(/usr/bin/)?(kube|etcd|haproxy)'
true
"""
"""Prints what a reset must not leave."""
OWN_NETWORK = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: own-network, namespace: kube-system}
spec:
  selector: {matchLabels: {app: own-network}}
  template:
    metadata: {labels: {app: own-network}}
    spec:
      hostNetwork: true
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
      containers:
      - name: lay
        image: lab.invalid/toolbox:1
        imagePullPolicy: Never
        command: [sh, -c, 'echo "$NETWORK" >/net/10-own.conflist; exec sleep 100000']
        env:
        - name: NETWORK
          value: >-
            {"cniVersion": "1.0.0", "name": "own", "plugins": [{"type": "bridge", "bridge": "own0", "isGateway": true, "ipMasq": true,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
        volumeMounts: [{name: net, mountPath: /net}]
      volumes: [{name: net, hostPath: {path: /etc/cni/net.d}}]
"""
"""A network of pods, each node for itself."""
SERIALS = """
cd /etc/kubernetes/pki
for file in apiserver apiserver-etcd-client etcd/server etcd/peer front-proxy-client; do openssl x509 -noout -serial -in $file.crt; done
grep -h client-certificate-data /etc/kubernetes/admin.conf /etc/kubernetes/scheduler.conf | md5sum
for port in 6443 2379; do openssl s_client -connect 127.0.0.1:$port </dev/null 2>/dev/null | openssl x509 -noout -serial; done
"""
"""Of the certificates on a control plane, and of those that its API and its etcd show."""

ENDED = """
set -e
mkdir /tmp/ended && cd /tmp/ended
openssl req -new -newkey rsa:2048 -nodes -keyout key -out request -subj /O=kubeadm:cluster-admins/CN=kubernetes-admin 2>/dev/null
authority=/etc/kubernetes/pki/ca
echo extendedKeyUsage=clientAuth >usage
openssl x509 -req -in request -CA $authority.crt -CAkey $authority.key -CAcreateserial -CAserial serial -days -1 -extfile usage -out cert 2>/dev/null
sed -i "s#client-certificate-data:.*#client-certificate-data: $(base64 -w0 cert)#" /etc/kubernetes/admin.conf
sed -i "s#client-key-data:.*#client-key-data: $(base64 -w0 key)#" /etc/kubernetes/admin.conf
rm -r /tmp/ended
"""
"""The administrator's certificate ended yesterday."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    rack = Rack(LAB, "kubernetes")
    rack.renew(list(MACHINES.values()))
    for machine in MACHINES.values():
        rack.root(machine, RUNTIME)
    yield Site(tmp_path_factory.mktemp("kubernetes"), rack)
    rack.write(())


def test_what_cannot_go_well_is_refused(site: Site) -> None:
    out = site.run("work-1", "work-2", ok=False)
    assert "no member is a control_plane" in out and changed(out) == {"work-1": 0, "work-2": 0}
    assert "lies in kubernetes_pod_network" in site.run("lead-1", ok=False, kubernetes_pod_network="10.74.0.0/16")


def test_from_nothing_to_pods_that_talk(site: Site) -> None:
    site.run("lead-1", "work-1", check=True)
    assert "kubeadm" not in site.root("lead-1", "ls /usr/bin; ls /etc/kubernetes 2>&1; true")
    site.run("lead-1", "work-1")
    assert site.nodes() == {"lead-1": True, "work-1": True}
    pages(site, ("lead-1", "work-1"))
    ask = f"curl -s -m 5 http://{MACHINES['lead-1'].private}:30080/"  # kube-proxy hears of a pod a moment after the API
    until(lambda: {site.root("work-1", ask).strip() for _time in range(20)} == {"lead-1", "work-1"})


def test_names_services_logs_and_the_way_out(site: Site) -> None:
    pod = site.ctl("get pods -l app=pages --field-selector spec.nodeName=work-1 -o name").strip()
    service = site.ctl("get service pages -o jsonpath='{.spec.clusterIP}'").strip()
    until(lambda: "Address" in site.ctl(f"exec {pod} -- nslookup pages.default.svc.cluster.local"))
    assert service in site.ctl(f"exec {pod} -- nslookup pages.default.svc.cluster.local")
    assert site.ctl(f"exec {pod} -- curl -s -m 5 http://pages.default.svc.cluster.local/").strip() in ("lead-1", "work-1")
    assert site.ctl(f"logs {pod}").strip() == "started"
    assert "topology.kubernetes.io/zone=row-4" in site.ctl("get node work-1 --show-labels")
    assert MACHINES["work-1"].private in site.ctl("get node work-1 -o wide")


def test_a_second_run_changes_nothing(site: Site) -> None:
    assert changed(site.run("lead-1", "work-1")) == {"lead-1": 0, "work-1": 0}
    assert changed(site.run("lead-1", "work-1", check=True)) == {"lead-1": 0, "work-1": 0}
    assert "kubernetes_version" in site.run("lead-1", "work-1", ok=False, kubernetes_version="1.34")


def test_the_controller_has_the_rights_and_nobody_else(site: Site) -> None:
    assert stat.S_IMODE(site.kubeconfig.stat().st_mode) == 0o600
    assert site.outside("get nodes -o name").split() == ["node/lead-1", "node/work-1"]


def test_a_worker_comes_in_without_a_run_over_the_others(site: Site) -> None:
    three = ("lead-1", "work-1", "work-2")
    assert "Name a control plane" in site.run(*MACHINES, limit="lead-2", ok=False)  # which would begin another cluster
    out = site.run(*three, limit="work-2", kubernetes_control_plane="lead-1")
    assert set(changed(out)) == {"work-2"} and site.nodes() == dict.fromkeys(three, True)
    pages(site, three)
    assert changed(site.run(*three, limit="work-2", kubernetes_control_plane="lead-1")) == {"work-2": 0}


def test_control_planes_come_in(site: Site) -> None:
    before = site.root("work-1", "cat /etc/kubernetes/kubelet.conf | sha256sum; systemctl show kubelet -P ActiveEnterTimestampMonotonic")
    out = site.run(*MACHINES)
    assert site.nodes() == dict.fromkeys(MACHINES, True)
    assert changed(out)["work-1"] == 1  # its proxy knows the new control planes, and no more
    assert site.root("work-1", "cat /etc/kubernetes/kubelet.conf | sha256sum; systemctl show kubelet -P ActiveEnterTimestampMonotonic") == before
    pages(site, tuple(MACHINES))
    assert site.ctl("-n kube-system get secret kubeadm-certs --ignore-not-found") == ""
    assert changed(site.run(*MACHINES)) == dict.fromkeys(MACHINES, 0)


def test_snapshots_are_taken_and_the_newest_kept(site: Site) -> None:
    assert "fleet-kubernetes-snapshot.timer" in site.root("lead-2", "systemctl list-timers --no-legend")
    assert "fleet-kubernetes-snapshot" not in site.root("work-1", "systemctl list-timers --all --no-legend")
    site.run(*MACHINES, kubernetes_snapshots=2)
    for _time in range(3):
        site.root("lead-2", "systemctl start fleet-kubernetes-snapshot.service; sleep 1.1")
    folder = "/var/lib/hybridops-fleet/kubernetes/snapshots"
    rows = site.root("lead-2", f"stat -c '%a %U %n' {folder} {folder}/* /var/lib/etcd/.snapshot* 2>/dev/null; true").splitlines()
    assert [row.split()[:2] for row in rows] == [["700", "root"], ["600", "root"], ["600", "root"]]
    site.run(*MACHINES, kubernetes_snapshots=0)
    assert "fleet-kubernetes-snapshot" not in site.root("lead-2", "systemctl list-timers --all --no-legend")


def test_etcd_is_lost_everywhere_and_brought_back(site: Site) -> None:
    site.ctl("create configmap made-before --from-literal=a=1")
    site.run(*MACHINES, tasks="backup")
    copy, = site.copies.iterdir()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600 and stat.S_IMODE(site.copies.stat().st_mode) == 0o700
    site.ctl("create configmap made-later --from-literal=a=1")
    given = {"tasks": "restore", "kubernetes_backup_file": str(copy)}
    assert changed(out := site.run(*MACHINES, ok=False, **given)) == dict.fromkeys(MACHINES, 0) and "Nothing was changed" in out
    cut = site.run(*MACHINES, ok=False, limit="all:!lead-3", kubernetes_confirmed="lab", **given)
    assert "lead-3: a control plane that is not in this run" in cut and set(changed(cut).values()) == {0}
    for name in ("lead-1", "lead-2", "lead-3"):
        site.root(name, "rm -rf /var/lib/etcd/*; crictl stop -t 1 $(crictl ps -q --name etcd); true")
    site.run(*MACHINES, kubernetes_confirmed="lab", **given)
    assert site.nodes() == dict.fromkeys(MACHINES, True)
    found = site.ctl("get configmaps -o name")
    assert "made-before" in found and "made-later" not in found
    assert len(site.etcd("lead-1", "member list").splitlines()) == 3
    site.ctl("delete pods -l app=pages --wait=false")  # what runs is still looked after
    until(lambda: pages(site, tuple(MACHINES)) is None)
    assert "copy" not in site.root("lead-1", "ls /var/lib/hybridops-fleet/kubernetes")
    assert changed(site.run(*MACHINES, kubernetes_snapshots=0)) == dict.fromkeys(MACHINES, 0)


def test_certificates_are_renewed(site: Site) -> None:
    leads = ("lead-1", "lead-2", "lead-3")
    before, rights = {name: site.root(name, SERIALS).splitlines() for name in leads}, site.kubeconfig.read_text(encoding="utf-8")
    with Watch(lambda: site.served("work-1")) as watch:
        out = site.run(*MACHINES, kubernetes_certificate_days=400)  # of 365
    assert watch.longest < 10 and changed(out)["work-1"] == changed(out)["work-2"] == 0
    after = {name: site.root(name, SERIALS).splitlines() for name in leads}
    assert all(old != new for name in leads for old, new in zip(before[name], after[name], strict=True)) and len(after["lead-1"]) == 8
    assert site.kubeconfig.read_text(encoding="utf-8") != rights
    assert "node/lead-1" in site.outside("get nodes -o name") and site.nodes() == dict.fromkeys(MACHINES, True)
    assert changed(site.run(*MACHINES)) == dict.fromkeys(MACHINES, 0)


def test_certificates_that_have_ended_are_renewed_as_well(site: Site) -> None:
    for name in ("lead-1", "lead-2", "lead-3"):
        site.root(name, ENDED)
    assert "playbook cluster_certificates" in (out := site.run(*MACHINES, ok=False)) and changed(out) == dict.fromkeys(MACHINES, 0)
    site.run(*MACHINES, tasks="certificates")
    assert "node/lead-1" in site.outside("get nodes -o name") and site.nodes() == dict.fromkeys(MACHINES, True)
    assert changed(site.run(*MACHINES)) == dict.fromkeys(MACHINES, 0)


def test_the_next_version_goes_on_after_it_was_killed(site: Site) -> None:
    new = {"kubernetes_version": "1.34", "kubernetes_image_archives": NEW}
    assert "one minor at a time" in (out := site.run(*MACHINES, tasks="upgrade", ok=False, kubernetes_version="1.35"))
    assert changed(out) == dict.fromkeys(MACHINES, 0)
    site.ctl("cordon work-2")
    with Watch(lambda: site.served("work-1")) as watch:
        with site.begin(*MACHINES, tasks="upgrade", **new) as process:
            threading.Thread(target=process.communicate, daemon=True).start()
            until(lambda: '"upgrade", "finished": false' in site.root("lead-2", "cat /var/lib/hybridops-fleet/kubernetes/step.json"), seconds=500)
            os.killpg(process.pid, signal.SIGKILL)
        assert versions(site) == {"lead-1": "v1.34.3", **dict.fromkeys(("lead-2", "lead-3", "work-1", "work-2"), "v1.33.5")}
        out = site.run(*MACHINES, tasks="upgrade", **new)
    assert watch.longest < 10
    assert "The turn of lead-1" not in out and "What kubeadm does: lead-1" not in out
    site.settled = new
    assert versions(site) == dict.fromkeys(MACHINES, "v1.34.3")
    assert "work-2" in site.ctl("get nodes --field-selector spec.unschedulable=true -o name")  # whoever did that wants it
    site.ctl("uncordon work-2")
    images = site.ctl("-n kube-system get pods -o jsonpath='{.items[*].spec.containers[*].image}'")
    assert "v1.33" not in images and "etcd:3.6.5-0" in images and "coredns:v1.12.1" in images
    until(lambda: pages(site, tuple(MACHINES)) is None)
    assert changed(site.run(*MACHINES, tasks="upgrade")) == dict.fromkeys(MACHINES, 0)
    assert changed(site.run(*MACHINES)) == dict.fromkeys(MACHINES, 0)


def test_a_control_plane_dies_and_the_api_answers(site: Site) -> None:
    site.rack.write([machine for name, machine in MACHINES.items() if name != "lead-1"])  # killed at once, its disk with it
    ask = "curl -sk -m 4 https://127.0.0.1:7443/readyz"
    until(lambda: all(site.root(name, ask) == "ok" for name in ("work-1", "work-2", "lead-2")))
    until(lambda: not site.nodes("lead-2")["lead-1"])
    pods = site.ctl("get pods -l app=pages --field-selector spec.nodeName=work-1 -o jsonpath='{.items[0].status.podIP}'", "lead-2")
    assert site.root("work-2", f"curl -s -m 5 http://{pods}:8080/").strip() == "work-1"


def test_the_dead_one_and_a_worker_are_taken_out(site: Site) -> None:
    rest = ("lead-2", "lead-3", "work-1")
    site.run(*rest, "work-2", kubernetes_leaving=["lead-1", "work-2"], kubernetes_drain_seconds=20)
    assert site.nodes("lead-2") == dict.fromkeys(rest, True)
    members = site.etcd("lead-2", "member list")
    assert len(members.splitlines()) == 2 and "lead-1" not in members
    assert site.root("work-2", LEFT) == ""
    until(lambda: MACHINES["work-2"].private not in site.root("work-1", "bridge fdb show dev fleetpods"))
    assert changed(site.run(*rest, kubernetes_leaving=["lead-1", "work-2"])) == dict.fromkeys(rest, 0)


def test_a_reset_leaves_nothing(site: Site) -> None:
    rest = ("lead-2", "lead-3", "work-1")
    assert "Nothing was changed" in site.run(*rest, ok=False, kubernetes_state="absent")
    site.run(*rest, kubernetes_state="absent", kubernetes_confirmed="lab")
    assert {name: site.root(name, LEFT) for name in rest} == dict.fromkeys(rest, "")
    assert not site.kubeconfig.exists()
    assert changed(site.run(*rest, kubernetes_state="absent", kubernetes_confirmed="lab")) == dict.fromkeys(rest, 0)


def test_a_way_to_the_api_and_a_network_of_the_operator_s_own(site: Site) -> None:
    """What stands for a load balancer is the control plane's own address; the network is one that a manifest lays."""
    manifest = site.folder / "network.yml"
    given = {"kubernetes_endpoint": f"{MACHINES['lead-2'].private}:6443", "kubernetes_network": "none",
             "kubernetes_network_manifests": str(manifest)}
    assert f"no such file on the controller: {manifest}" in (out := site.run("lead-2", "work-1", ok=False, **given))
    assert changed(out) == {"lead-2": 0, "work-1": 0}
    manifest.write_text(OWN_NETWORK, encoding="utf-8")
    site.run("lead-2", "work-1", **given)
    assert site.nodes("lead-2") == {"lead-2": True, "work-1": True}
    assert f"server: https://{MACHINES['lead-2'].private}:6443" in site.root("work-1", "cat /etc/kubernetes/kubelet.conf")
    assert not site.root("work-1", "ip -brief link show type vxlan; systemctl list-unit-files --no-legend 'fleet-kubernetes-*'; true")
    addresses = "get pods -l app=pages -o jsonpath='{.items[*].status.podIP}'"
    site.ctl("apply -f -", "lead-2", PAGES)
    site.ctl("rollout status daemonset/pages --timeout=120s", "lead-2")
    assert all(ip.startswith("10.244.0.") for ip in site.ctl(addresses, "lead-2").split())
    assert changed(site.run("lead-2", "work-1", **given)) == {"lead-2": 0, "work-1": 0}
    site.run("lead-2", "work-1", kubernetes_state="absent", kubernetes_confirmed="lab", **given)
    for name in ("lead-2", "work-1"):
        site.root(name, "ip link delete own0")  # whose network it is takes it away
        assert site.root(name, LEFT) == ""
