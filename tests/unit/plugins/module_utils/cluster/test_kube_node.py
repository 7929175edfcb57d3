# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of role kubernetes do on a node, on trees of files of their own."""
from __future__ import annotations

import importlib.util
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import kube_files, kube_look, kube_reset, kube_store, kube_work
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System

TOKEN, KEY = "abcdef.0123456789abcdef", "0123456789abcdef" * 4
SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -p tcp -j DNAT --to-destination 192.0.2.9
COMMIT
"""


class Programs:
    """Answers programs by the first words that fit, and notes all of them."""

    def __init__(self, **answers: Ran) -> None:
        self.answers, self.ran = answers, [""]

    def __call__(self, words: Sequence[str], text: str | None, timeout: float) -> Ran:
        line = " ".join(words)
        self.ran.append(line)
        return next((answer for start, answer in self.answers.items() if line.startswith(start.replace("_", " "))), Ran(0, "", ""))


def node(tmp_path: Path, **answers: Ran) -> tuple[System, Programs]:
    programs = Programs(**answers)
    for folder in ("run/systemd/system", "etc/systemd/system", "var/lib"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    return System(str(tmp_path), programs), programs


def test_what_kubeadm_says_is_told_in_short_and_without_secrets() -> None:
    told = kube_work.failure(Ran(1, "[init] Using\n", f"error execution phase x: token {TOKEN} key {KEY} refused\nTo see the stack trace\n"))
    assert told == "error execution phase x: token (secret) key (secret) refused"
    assert kube_work.failure(Ran(3, "", "")) == "exit status 3"


def test_a_step_that_failed_is_taken_back_and_done_again(tmp_path: Path) -> None:
    system, programs = node(tmp_path, kubeadm_join=Ran(1, "", "error: no route"))
    with pytest.raises(kube_work.KubeadmError, match="kubeadm join: error: no route"):
        kube_work.make(system, "join", f"token: {TOKEN}", 5)
    assert kube_look.look(system)["step"] == {"step": "join", "finished": False}
    assert "kubeadm reset --force" not in programs.ran
    programs.answers = {}
    kube_work.make(system, "join", f"token: {TOKEN}", 5)
    assert programs.ran.index("kubeadm reset --force") < len(programs.ran) - 1
    assert kube_look.look(system)["step"] == {"step": "join", "finished": True}
    assert not list((tmp_path / "run").glob("*.yaml")) and TOKEN not in " ".join(programs.ran)


def test_an_upgrade_that_failed_is_no_reason_to_reset(tmp_path: Path) -> None:
    system, programs = node(tmp_path, **{"kubeadm upgrade": Ran(1, "", "error: not enough room")})
    with pytest.raises(kube_work.KubeadmError, match="kubeadm upgrade apply: error: not enough room"):
        kube_work.upgrade(system, "1.34.3", True, True, ["x"], 5)
    assert programs.ran[-1] == "kubeadm upgrade apply v1.34.3 --yes --ignore-preflight-errors=x"
    assert kube_look.look(system)["step"] == {"step": "upgrade", "finished": False, "cordoned": True}
    programs.answers = {}
    kube_work.make(system, "join", "", 5)
    assert "kubeadm reset --force" not in programs.ran


def test_a_ticket(tmp_path: Path) -> None:
    command = f"kubeadm join 127.0.0.1:7443 --token {TOKEN} --discovery-token-ca-cert-hash sha256:ff"
    system, _programs = node(tmp_path, **{"kubeadm_--kubeconfig": Ran(0, command, ""), "kubeadm_init_phase": Ran(0, f"[upload-certs]\n{KEY}\n", "")})
    assert kube_work.ticket(system, False, 60) == {"token": TOKEN, "hash": "sha256:ff", "certificate_key": ""}
    assert kube_work.ticket(system, True, 60)["certificate_key"] == KEY


def test_files_and_the_units_that_live_by_them(tmp_path: Path) -> None:
    shown = Ran(0, "Id=a.service\nNames=a.service\nLoadState=loaded\nUnitFileState=enabled\nActiveState=active\n", "")
    system, programs = node(tmp_path, systemctl_show=shown)
    unit = {"name": "a.service", "files": ["/etc/a/conf"], "reload": True, "unit_file": "/etc/systemd/system/a.service"}
    files = [{"path": "/etc/a/conf", "content": "one\n", "mode": "0600"}, {"path": "/etc/a/key", "content": "k", "secret": True}]

    would = kube_files.lay(system, files, [], [unit], True)
    assert would.paths == ["/etc/a/conf", "/etc/a/key"] and would.units == ["a.service"] and not (tmp_path / "etc/a").exists()
    done = kube_files.lay(system, files, [], [unit], False)
    assert done.paths == would.paths and [row["after"] for row in done.diff] == ["one\n"]
    assert "systemctl reload-or-restart a.service" in programs.ran and (tmp_path / "etc/a/conf").stat().st_mode & 0o777 == 0o600
    assert kube_files.lay(system, files, [], [unit], False) == kube_files.Done([], [], [])
    assert kube_files.lay(system, [], ["/etc/a/conf"], [], False).paths == ["/etc/a/conf"] and not (tmp_path / "etc/a/conf").exists()
    kube_files.lay(system, [{"path": unit["unit_file"], "content": "x"}], [], [{**unit, "files": [unit["unit_file"]]}], False)
    assert programs.ran[-2:] == ["systemctl enable --quiet a.service", "systemctl restart a.service"]


def test_a_unit_that_does_not_start_says_why(tmp_path: Path) -> None:
    system, _programs = node(tmp_path, systemctl_start=Ran(1, "", "it failed"), journalctl=Ran(0, "no such port", ""))
    with pytest.raises(kube_files.FilesError, match=r"a\.service does not start: it failed no such port"):
        kube_files.lay(system, [], [], [{"name": "a.service"}], False)


def test_a_reset_leaves_the_rules_of_others(tmp_path: Path) -> None:
    kept = kube_reset.without_chains(SAVED)
    assert "KUBE" not in kept and "CNI" not in kept and "192.0.2.9" in kept and kept.endswith("COMMIT\n")


def test_a_reset_leaves_nothing_of_ours(tmp_path: Path) -> None:
    system, _programs = node(tmp_path)
    for path in ("etc/kubernetes/admin.conf", "etc/hybridops-fleet/kubernetes/api-proxy.cfg", "var/lib/etcd/member/wal", "etc/hybridops-fleet/other",
                 "etc/cni/net.d/10-x.conflist", "var/lib/hybridops-fleet/kubernetes/step.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    ours = ["/etc/hybridops-fleet/kubernetes/api-proxy.cfg"]
    assert kube_reset.present(system, ours) == ["/etc/kubernetes/admin.conf", kube_look.MARK, *ours]
    assert kube_reset.reset(system, ours, ["fleet-kubernetes-api.service"], False) == []
    assert kube_reset.present(system, ours) == []
    assert not (tmp_path / "etc/kubernetes").exists() and not (tmp_path / "var/lib/etcd").exists()
    assert not (tmp_path / "var/lib/hybridops-fleet").exists()
    assert list((tmp_path / "etc/cni").rglob("*")) == [tmp_path / "etc/cni/net.d"]  # containerd looks into it no more once it was gone
    assert not (tmp_path / "etc/hybridops-fleet/kubernetes").exists() and (tmp_path / "etc/hybridops-fleet/other").exists()


def test_slices_of_pods_go_also_where_they_do_not_at_the_first_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    row, left = "kubepods.slice loaded active active libcontainer container kubepods.slice\n", [3]

    def run(words: Sequence[str], text: str | None, timeout: float) -> Ran:
        if list(words[:2]) == ["systemctl", "stop"] and "kubepods.slice" in words:
            left[0] -= 1
        return Ran(0, row if words[1:2] == ["list-units"] and left[0] else "", "")

    system = System(str(tmp_path), run)
    assert kube_reset.present(system, []) == ["kubepods.slice"]
    assert kube_reset.reset(system, [], [], False) == [] and left == [0]


# -- the pod network ---------------------------------------------------------------------------------------------------
@pytest.fixture
def network() -> ModuleType:
    place = Path(__file__).resolve().parents[5] / "roles/kubernetes/files/pod_network.py"
    spec = importlib.util.spec_from_file_location("pod_network", place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_nodes_say_is_what_is_laid(network: ModuleType) -> None:
    def said(name: str, address: str, pods: str | None) -> dict[str, object]:
        return {"metadata": {"name": name}, "spec": {"podCIDR": pods} if pods else {},
                "status": {"addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]}}

    nodes = [said("a", "192.0.2.1", "10.244.0.0/24"), said("new", "192.0.2.2", None), said("six", "2001:db8::1", "10.244.2.0/24")]
    assert network.wanted(nodes) == {"a": ("192.0.2.1", "10.244.0.0/24")}
    assert network.hardware("192.0.2.1") == "0a:58:c0:00:02:01" and network.end("10.244.3.0/24") == "10.244.3.0"


def test_only_one_step_at_a_time(tmp_path: Path) -> None:
    system, _programs = node(tmp_path)
    with kube_work.alone(system, 1), pytest.raises(kube_work.KubeadmError, match="another run is still going on"), kube_work.alone(system, 0):
        pass
    with kube_work.alone(system, 0):
        pass


def test_an_api_that_starts_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_work, "PAUSE", 0.0)
    system, programs = node(tmp_path)
    answers = iter([Ran(1, "", "Forbidden"), Ran(0, "", ""), Ran(1, "", "refused"), *[Ran(0, "", "")] * kube_work.STEADY])
    system = System(str(tmp_path), lambda words, text, timeout: next(answers))
    assert kube_work.patiently(system, ["kubectl"]).rc == 0
    kube_work.steady(system)  # a worker: nothing is asked
    (tmp_path / "etc/kubernetes/manifests").mkdir(parents=True)
    (tmp_path / "etc/kubernetes/manifests/kube-apiserver.yaml").write_text("x")
    kube_work.steady(system)
    assert next(answers, None) is None
    programs.answers = {"kubectl": Ran(1, "", "refused")}
    with pytest.raises(kube_work.KubeadmError, match="is not ready after 0 s: refused"):
        kube_work.steady(System(str(tmp_path), programs), 0)


def test_pods_are_not_left_where_the_api_does_not_tell(tmp_path: Path) -> None:
    system, programs = node(tmp_path, kubectl=Ran(127, "", "kubectl: not found"))
    with pytest.raises(kube_work.KubeadmError, match="kubectl get nodes"):
        kube_reset.drain(system, ["k1"], 5)
    programs.answers = {"kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes": Ran(0, "node/k1\nnode/k2\n", ""),
                        "kubectl --kubeconfig /etc/kubernetes/admin.conf drain k2": Ran(1, "", "a budget\nforbids it")}
    assert kube_reset.drain(system, ["k1", "k2", "k3"], 5) == (["k1", "k2"], {"k2": "a budget forbids it"})


def test_days_that_certificates_have_left(tmp_path: Path) -> None:
    ends = time.strftime("%b %d %H:%M:%S %Y GMT", time.gmtime(time.time() + 40 * 86400 + 600))
    system, _programs = node(tmp_path, openssl_x509=Ran(0, f"notAfter={ends}\nserial=0A\n", ""))
    (tmp_path / "etc/kubernetes/pki").mkdir(parents=True)
    (tmp_path / "etc/kubernetes/pki/apiserver.crt").write_text("x")
    (tmp_path / "etc/kubernetes/admin.conf").write_text("    client-certificate-data: eA==\n")
    row = {"ends": ends, "days": 40, "serial": "0A"}
    assert kube_look.certificates(system) == {"apiserver": row, "admin.conf": row}


def control_plane(tmp_path: Path, **answers: Ran) -> tuple[System, Programs]:
    system, programs = node(tmp_path, **answers)
    (tmp_path / "etc/kubernetes/manifests").mkdir(parents=True)
    for name in kube_store.PODS:
        (tmp_path / f"etc/kubernetes/manifests/{name}.yaml").write_text("image: registry.invalid/etcd:3\n- --data-dir=/var/lib/etcd\n")
    (tmp_path / "etc/kubernetes/manifests/other.yaml").write_text("x")
    (tmp_path / "var/lib/etcd/member").mkdir(parents=True)
    (tmp_path / "var/lib/etcd/member/old").write_text("x")
    return system, programs


def test_a_control_plane_stops_and_starts_with_other_data(tmp_path: Path) -> None:
    system, programs = control_plane(tmp_path)
    kube_store.stop(system)
    assert [path.name for path in (tmp_path / "etc/kubernetes/manifests").iterdir()] == ["other.yaml"]
    (tmp_path / "etc/kubernetes/admin.conf").write_text("x")
    (tmp_path / "etc/hybridops-fleet/kubernetes").mkdir(parents=True)
    (tmp_path / kube_look.PROXY[1:]).write_text("  default-server check\n  server k1 192.0.2.1:6443\n  server k3 192.0.2.3:6443\n")
    came = "--initial-cluster=k1=https://192.0.2.1:2380,k2=https://192.0.2.2:2380"
    (tmp_path / kube_look.RESTING[1:] / "etcd.yaml").write_text(f"- --data-dir=/var/lib/etcd\n- {came}\n  image: registry.invalid/etcd:3\n")
    seen = kube_look.look(system)
    assert seen["control_plane"] and seen["etcd"] == {"image": "registry.invalid/etcd:3", "peers": ["k1", "k2", "k3"]}
    assert kube_store.data_folder(system) == "/var/lib/etcd"
    (tmp_path / "var/lib/etcd/.unpacked/member").mkdir(parents=True)
    (tmp_path / "var/lib/etcd/.unpacked/member/new").write_text("x")
    kube_store.start(system)
    assert [path.name for path in (tmp_path / "var/lib/etcd/member").iterdir()] == ["new"] and not (tmp_path / "var/lib/etcd/.unpacked").exists()
    assert len(list((tmp_path / "etc/kubernetes/manifests").iterdir())) == 5 and "systemctl restart kubelet.service" in programs.ran
    kube_store.stop(system)
    kube_store.start(system)  # without other data: as it was
    assert (tmp_path / "var/lib/etcd/member/new").exists()


def test_data_of_a_copy_that_cannot_be_made_leaves_what_is_there(tmp_path: Path) -> None:
    system, _programs = control_plane(tmp_path, **{"/var/lib/hybridops-fleet/kubernetes/image/usr/local/bin/etcdutl snapshot restore /": Ran(
        1, "", "error: snapshot file integrity check failed")})
    (tmp_path / "var/lib/hybridops-fleet/kubernetes").mkdir(parents=True)
    (tmp_path / "snapshot.db").write_text("x")
    with tarfile.open(tmp_path / "var/lib/hybridops-fleet/kubernetes/copy.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "snapshot.db", "snapshot.db")
    with pytest.raises(kube_work.KubeadmError, match="etcdutl snapshot restore: error: snapshot file integrity check failed"):
        kube_store.unpack(system, "k1", "https://192.0.2.1:2380", "k1=https://192.0.2.1:2380", "word")
    assert (tmp_path / "var/lib/etcd/member/old").exists() and not (tmp_path / "var/lib/hybridops-fleet/kubernetes/copy").exists()


def test_no_copy_without_a_snapshot(tmp_path: Path) -> None:
    system, _programs = control_plane(tmp_path, **{"/usr/bin/python3": Ran(1, "", "etcd snapshot: no etcd runs on this node, a failure")})
    with pytest.raises(kube_work.KubeadmError, match="no etcd runs on this node"):
        kube_store.save(system, "program", {})
    assert not list((tmp_path / "var/lib/hybridops-fleet/kubernetes").iterdir())


def test_a_timer_ends_before_its_file_goes(tmp_path: Path) -> None:
    """Afterwards systemd says that there is no such unit, and lets it run on."""
    path = tmp_path / "etc/systemd/system/a.timer"
    there: list[bool] = []
    shown = "Id=a.timer\nNames=a.timer\nLoadState={}\nUnitFileState=enabled\nActiveState=active\n"

    def programs(words: Sequence[str], text: str | None, timeout: float) -> Ran:
        if list(words[:2]) == ["systemctl", "disable"]:
            there.append(path.exists())
        return Ran(0, shown.format("loaded" if path.exists() else "not-found"), "")

    node(tmp_path)
    path.write_text("x")
    done = kube_files.lay(System(str(tmp_path), programs), [], ["/etc/systemd/system/a.timer"], [{"name": "a.timer", "stopped": True}], False)
    assert there == [True] and not path.exists() and done.units == ["a.timer"]
