# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which packages cannot be had, by the lists that apt has, if it has any that still lead somewhere."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.facts import units
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System

POLICY = "acct:\n  Installed: (none)\n  Candidate: 6.6.4-5+b1\nfancy:\n  Installed: (none)\n  Candidate: (none)\n"


@pytest.fixture
def node(tmp_path: Path) -> System:
    (tmp_path / "var/lib/apt/lists").mkdir(parents=True)
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/apt-cache").touch(mode=0o755)
    return System(str(tmp_path), lambda words, text, timeout: Ran(0, POLICY, ""))


def test_by_lists_of_today(node: System, tmp_path: Path) -> None:
    (tmp_path / "var/lib/apt/lists/mirror_Packages").touch()
    assert units.unavailable(node, ["acct", "fancy"]) == {"unavailable": ["fancy"], "refresh": False}


def test_a_list_of_a_mirror_in_a_folder_that_is_gone_is_none(node: System, tmp_path: Path) -> None:
    (tmp_path / "var/lib/apt/lists/_srv_repo_._Packages").symlink_to("/nowhere/repo/Packages")
    assert units.unavailable(node, ["acct"]) == {"unavailable": [], "refresh": True}
