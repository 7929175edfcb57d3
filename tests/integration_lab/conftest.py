# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures that several files of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import gce_lab
import pytest


@pytest.fixture(scope="session")
def gce(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gce_lab.Gce]:
    """The lab's Google cloud, seeded: of the lab in FLEET_LAB_STATE, or one of its own for the session."""
    with gce_lab.running(tmp_path_factory.mktemp("gce-lab")) as emulator:
        yield emulator


@pytest.fixture
def gce_project(gce: gce_lab.Gce) -> Iterator[gce_lab.Project]:
    """A project for one test; faults the test ordered end with it."""
    yield gce_lab.Project(gce)
    gce.control("clear", {})
