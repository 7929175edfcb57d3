# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A raft store that is locked is never copied nor brought back, as Docker cannot do anything with it."""
from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import swarm_store
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_act import SwarmError
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System

PLAIN = "-----BEGIN PRIVATE KEY-----"
LOCKED = "-----BEGIN ENCRYPTED PRIVATE KEY-----"


def node(folder: Path, key: str, ran: list[Sequence[str]]) -> System:
    """A manager with that key; what is run there is kept."""
    def run(words: Sequence[str], text: str | None, timeout: float) -> Ran:
        ran.append(words)
        return Ran(0, "", "")

    store = folder / "var/lib/docker/swarm"
    for name, content in (("raft/wal", "log"), ("certificates/swarm-node.key", key), ("docker-state.json", "{}")):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text(content)
    return System(str(folder), run)


def test_a_locked_store_is_not_copied_and_docker_goes_on(tmp_path: Path) -> None:
    ran: list[Sequence[str]] = []
    with pytest.raises(SwarmError, match=r"no copy is made: the store is locked.*docker_swarm_backup_unlocked"):
        swarm_store.save(node(tmp_path, LOCKED, ran), "/copy.tar.gz", 0.1)
    assert not ran and not (tmp_path / "copy.tar.gz").exists()


def test_a_locked_copy_is_not_brought_back_and_what_there_is_stays(tmp_path: Path) -> None:
    ran: list[Sequence[str]] = []
    node(tmp_path / "other", LOCKED, ran)
    here = node(tmp_path / "here", PLAIN, ran)
    with tarfile.open(tmp_path / "here/copy.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "other/var/lib/docker/swarm", arcname="swarm")
    with pytest.raises(SwarmError, match="nothing was changed: the store is locked"):
        swarm_store.load(here, "/copy.tar.gz", 0.1)
    assert not ran and here.text("/var/lib/docker/swarm/certificates/swarm-node.key") == PLAIN
