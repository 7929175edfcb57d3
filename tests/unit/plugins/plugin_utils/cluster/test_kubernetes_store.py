# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a copy of a cluster's store is of, when it is brought back and where, and whose certificates end soon."""
from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_store as store
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster.kubernetes_plan import Member

ABOUT = {"kind": "kubernetes", "name": "lab", "authority": "aa"}


def member(place: int, *, leads: bool = True, role: str = "", **changes: Any) -> Member:
    seen = {"member": True, "control_plane": leads, "authority": "aa", "node": f"k{place}", "api_version": "1.34.3",
            "cluster": {"answers": True, "nodes": []}, "etcd": {"peers": ["k1", "k2", "k3"]}, **changes}
    return Member(f"k{place}", role or ("control_plane" if leads else "worker"), f"192.0.2.{place}", seen)


def archive(path: Path, **files: str) -> str:
    with tarfile.open(path, "w:gz") as made:
        for name, text in files.items():
            row = tarfile.TarInfo(name.replace("_", "."))
            row.size = len(text)
            made.addfile(row, io.BytesIO(text.encode()))
    return str(path)


def test_it_is_brought_back_on_all_control_planes_at_once() -> None:
    plan = store.restore([member(4, leads=False), member(2), member(1)], ABOUT, "lab", ["k9"])
    assert plan.first == "k1" and plan.cluster == "k1=https://192.0.2.1:2380,k2=https://192.0.2.2:2380"
    assert plan.leads == {"k1": {"name": "k1", "url": "https://192.0.2.1:2380"}, "k2": {"name": "k2", "url": "https://192.0.2.2:2380"}}
    assert set(plan.nodes) == {"k1", "k2", "k4"}


@pytest.mark.parametrize(("members", "name", "elsewhere", "said"), [
    ([member(1)], "other", [], "the copy is of cluster lab, not of other"),
    ([member(1, cluster={"answers": True, "nodes": [{"name": "k8", "control_plane": True}]})], "lab", ["k8"], "k8: a control"),
    ([member(1)], "lab", ["k3"], "k3: a control plane that is not in this run"),
    ([member(1), member(2, authority="bb")], "lab", [], "k2: another cluster than that of the copy"),
    ([member(1), member(2, leads=False, role="control_plane")], "lab", [], "k2: no files of a control plane are there"),
    ([member(1), member(4, leads=False, member=False)], "lab", [], "k4: not in the cluster"),
    ([member(4, leads=False)], "lab", [], "no control plane is left"),
])
def test_what_is_refused(members: list[Member], name: str, elsewhere: list[str], said: str) -> None:
    with pytest.raises(FleetError) as told:
        store.restore(members, ABOUT, name, elsewhere)
    assert said in str(told.value) and "nothing was changed" in str(told.value)


def test_only_a_copy_is_taken_for_one(tmp_path: Path) -> None:
    assert store.read(archive(tmp_path / "good", about_json=json.dumps(ABOUT), snapshot_db="x")) == ABOUT
    (tmp_path / "text").write_text("no archive", encoding="utf-8")
    for path in (str(tmp_path / "none"), str(tmp_path / "text"), archive(tmp_path / "empty"), archive(tmp_path / "a", about_json=json.dumps(ABOUT)),
                 archive(tmp_path / "b", about_json="{}", snapshot_db="x"), archive(tmp_path / "c", about_json="[1]", snapshot_db="x")):
        with pytest.raises(FleetError, match="not a copy of a Kubernetes cluster"):
            store.read(path)


def test_the_control_plane_that_answers_is_copied() -> None:
    first, about = store.about([member(4, leads=False), member(1, cluster={"answers": False, "why": "gone"}), member(2)], "lab")
    assert first == "k2" and about == {"name": "lab", "authority": "aa", "version": "1.34.3", "node": "k2"}
    with pytest.raises(FleetError, match="none of these hosts is a control plane"):
        store.about([member(4, leads=False)], "lab")


def test_certificates_that_end_soon() -> None:
    rows = {"apiserver": {"days": 200}, "admin.conf": {"days": 29}}
    other = {"apiserver": {"days": 30}}
    members = [member(2, certificates=rows), member(1, certificates=other), member(3, leads=False, certificates=rows), member(5)]
    assert store.due(members, 30) == ["k2"] and store.due(members, 31) == ["k1", "k2"] and not store.due(members, 0)
    assert store.due([member(1, certificates={"apiserver": {"days": -1}})], 0) == ["k1"]
