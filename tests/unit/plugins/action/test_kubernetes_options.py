# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of Kubernetes as a survey gives them, which knows texts only."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.tests.unit.playing import play


def said(folder: Path, options: dict[str, Any]) -> str:
    """What is answered for three hosts of which nobody knows anything."""
    return play(folder, [{"hosts": "k1,k2,k10", "vars": {"kubernetes_seen": {}}, "tasks": [
        {"hybridops.fleet.kubernetes": {"state": "copy_planned", "options": options}, "run_once": True, "ignore_errors": True}]}], "-i", "k1,k2,k10,")


@pytest.mark.parametrize("leaving", ["k10, k2", "k10,k2,", ["k10", "k2"]])
def test_names_in_one_text_are_names(tmp_path: Path, leaving: object) -> None:
    assert "k1 could not be looked at" in said(tmp_path, {"leaving": leaving, "snapshots": "3", "schedulable": "yes", "labels": "tier=web"})


@pytest.mark.parametrize(("options", "named"), [
    ({"snapshots": "many"}, "'snapshots'"), ({"whole": "perhaps"}, "'whole'"), ({"kubelet": "swap"}, "'kubelet'"), ({"verison": "1.34"}, "verison")])
def test_a_setting_of_another_kind_is_named(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    assert named in said(tmp_path, options)
