# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file that says who holds which machine: never two holders, never half a file."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError, FleetFileError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal import reservations
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.reservations import Ledger, Record, Records
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience


def ledger(folder: Path, seconds: float = 20) -> Ledger:
    return Ledger(str(folder / "r.yml.reservations.yml"), Patience.seconds(seconds, 0))


def put(machine: str, record: Record) -> Any:
    return lambda records: records.update({machine: record})


FULL = Record(node="web-1", token="t", since="2026-03-04T05:06:07Z", by="ops@here", ready=False, switched_on="2026-03-04T05:06:08Z",
              tags={"fleet_node": "web-1", "note": "{{ 7 * 7 }}", "größe": "1"})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    ledger(tmp_path).change(put("SN-1", FULL))
    ledger(tmp_path).change(put("007", Record(tags={"a": "b"})))
    assert ledger(tmp_path).read() == {"SN-1": FULL, "007": Record(tags={"a": "b"})}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.yml.reservations.yml", "r.yml.reservations.yml.lock"]
    text = (tmp_path / "r.yml.reservations.yml").read_text(encoding="utf-8")
    assert text.startswith("---\n# ")
    assert yaml.safe_load(text)["machines"]["SN-1"]["node"] == "web-1"


def test_no_file_holds_nothing(tmp_path: Path) -> None:
    assert ledger(tmp_path).read() == {}
    assert list(tmp_path.iterdir()) == []


def test_rights_and_links_stay(tmp_path: Path) -> None:
    ledger(tmp_path).change(put("a", Record(node="n")))
    file = tmp_path / "r.yml.reservations.yml"
    assert file.stat().st_mode & 0o777 == 0o644
    file.chmod(0o660)
    (tmp_path / "sub").mkdir()
    file.rename(tmp_path / "sub" / "real.yml")
    file.symlink_to(tmp_path / "sub" / "real.yml")
    ledger(tmp_path).change(put("b", Record(node="m")))
    assert file.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o660
    assert set(ledger(tmp_path).read()) == {"a", "b"}


def test_nothing_changes_when_the_change_fails(tmp_path: Path) -> None:
    ledger(tmp_path).change(put("a", Record(node="n")))
    before = (tmp_path / "r.yml.reservations.yml").stat()

    def fail(records: Records) -> None:
        records.clear()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ledger(tmp_path).change(fail)
    ledger(tmp_path).change(lambda records: None)
    after = (tmp_path / "r.yml.reservations.yml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    ledger(tmp_path).change(put("a", Record(node="n")))

    def crash(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, step, crash)
        with pytest.raises(KeyboardInterrupt):
            ledger(tmp_path).change(put("b", Record(node="m")))
    assert ledger(tmp_path).read() == {"a": Record(node="n")}
    ledger(tmp_path).change(put("c", Record(node="o")))
    assert set(ledger(tmp_path).read()) == {"a", "c"}


def test_many_threads_and_processes_lose_no_change(tmp_path: Path) -> None:
    def add(prefix: str) -> None:
        for number in range(10):
            ledger(tmp_path).change(put(f"{prefix}{number}", Record(node=f"{prefix}{number}")))

    program = f"""
import sys; sys.path[:0] = {sys.path!r}
from pathlib import Path
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.reservations import Ledger, Record
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
for number in range(10):
    name = f"process{{number}}"
    Ledger({str(tmp_path / "r.yml.reservations.yml")!r}, Patience.seconds(20, 0)).change(lambda rows: rows.update({{name: Record(node=name)}}))
"""
    other = subprocess.Popen([sys.executable, "-c", program])
    threads = [threading.Thread(target=add, args=(prefix,)) for prefix in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait(30) == 0
    assert len(ledger(tmp_path).read()) == 40


def test_a_lock_that_stays_held_is_told(tmp_path: Path) -> None:
    with ledger(tmp_path)._locked(), pytest.raises(FleetError, match="held by another run") as caught:
        ledger(tmp_path, seconds=0.2).change(put("a", Record()))
    assert caught.value.code == "timeout"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("machines: [", "r.yml.reservations.yml: is not YAML in line 1"),
        ("[]", "expected a mapping, found a list"),
        ("machines: {a: {nod: x}}", "machines.a: unknown key 'nod'. Did you mean 'node'?"),
        ("machines: {a: 1}", "machines.a: expected a mapping"),
        ("machines: {1: {node: x}}", "a machine's id must be a string"),
        ("machines: {a: {node: x}, b: {node: x}}", "node 'x' holds machine 'a', too"),
        ("machines: {a: {tags: {x: 1}}}", "machines.a.tags: must hold strings only"),
        ("<<<<<<< mine\nmachines: {}", "is not YAML"),
    ],
)
def test_a_file_that_cannot_be_meant_is_no_empty_one(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "r.yml.reservations.yml").write_text(text, encoding="utf-8")
    with pytest.raises(FleetFileError) as caught:
        ledger(tmp_path).read()
    assert sentence in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="lock the reservations: No such file or directory") as caught:
        ledger(tmp_path / "none").change(put("a", Record()))
    assert "'reservations'" in caught.value.fix


def test_who_it_is_also_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError

    monkeypatch.setattr(reservations.getpass, "getuser", nameless)
    assert reservations.myself().startswith(f"{os.getuid()}@")
