# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of the black-box tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bb_site import Site
from bb_wire import Server, serving


@pytest.fixture
def clouds() -> Iterator[Server]:
    """The pretended clouds of one test."""
    with serving() as server:
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An operator's workplace with nothing in it."""
    return Site(tmp_path / "site")
