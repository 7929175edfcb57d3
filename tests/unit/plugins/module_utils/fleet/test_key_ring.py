# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's key ring: public keys by cloud and name, in files that cannot lead anywhere else."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import key_ring
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 one"


def test_written_read_and_removed(tmp_path: Path) -> None:
    ring = str(tmp_path / "deep" / "ring")
    assert key_ring.read(ring, "c", "n") is None
    assert key_ring.write(ring, "c", "n", KEY)
    assert not key_ring.write(ring, "c", "n", KEY)
    assert key_ring.read(ring, "c", "n") == KEY
    assert key_ring.read(ring, "other", "n") is None
    assert os.listdir(os.path.join(ring, "c")) == ["n.pub"]
    assert key_ring.remove(ring, "c", "n")
    assert not key_ring.remove(ring, "c", "n")


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", ".", "a/b", "", "a\x00b", "ü/ß", "a b"])
def test_no_name_leads_out_of_the_ring(tmp_path: Path, name: str) -> None:
    ring = str(tmp_path / "ring")
    for path in (key_ring.path_of(ring, name, "n"), key_ring.path_of(ring, "c", name)):
        assert os.path.dirname(os.path.dirname(os.path.normpath(path))) == ring
    assert key_ring.write(ring, name, name, KEY)
    assert key_ring.read(ring, name, name) == KEY


def test_names_that_look_alike_on_disk_are_two(tmp_path: Path) -> None:
    ring = str(tmp_path)
    key_ring.write(ring, "c", "a/b", KEY)
    assert key_ring.read(ring, "c", "a_b") is None
    assert key_ring.read(ring, "c", "a b") is None


def test_a_file_that_is_no_key_and_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    ring = str(tmp_path)
    key_ring.write(ring, "c", "n", KEY)
    Path(key_ring.path_of(ring, "c", "n")).write_bytes(b"\xff\xfe")
    assert key_ring.read(ring, "c", "n") is None
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FleetError, match="keep the public key") as caught:
        key_ring.write(str(tmp_path / "file"), "c", "n", KEY)
    assert key_ring.VARIABLE in str(caught.value)


def test_the_folder() -> None:
    assert key_ring.folder("/given", {key_ring.VARIABLE: "/env"}) == "/given"
    assert key_ring.folder(None, {key_ring.VARIABLE: "/env"}) == "/env"
    assert key_ring.folder(None, {}).endswith("/.ansible/hybridops_fleet/keys")
    assert key_ring.folder(None, {"ANSIBLE_HOME": "/runner"}) == "/runner/hybridops_fleet/keys"


def test_two_lines_of_one_key() -> None:
    for line in ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", 'from="203.0.113.4" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 x'):
        assert key_ring.blob(line) == key_ring.blob(KEY)
    assert key_ring.blob("no key") == "no key"
