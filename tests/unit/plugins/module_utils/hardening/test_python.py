# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs on nodes is written for Python 3.7: their releases are not ours to choose."""
from __future__ import annotations

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[5] / "plugins"
FILES = sorted([*(PLUGINS / "module_utils/_hardening").rglob("*.py"), PLUGINS / "modules/harden_apply.py", PLUGINS / "modules/harden_facts.py"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PLUGINS).as_posix())
def test_the_syntax_is_that_of_python_3_7(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.keyword) and node.arg in ("slots", "kw_only", "strict")), f"line {node.value.lineno}"
        assert not (isinstance(node, ast.Attribute) and node.attr in ("removeprefix", "removesuffix")), f"line {node.lineno}"


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 10
