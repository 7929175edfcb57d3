# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make hybridops.fleet known to Ansible before a test imports it, when pytest itself runs the tests.

ansible-test does so too, and lets the tests of module_utils see no more of Ansible than a module would.
"""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
    try:
        from ansible.plugins.loader import init_plugin_loader
    except ImportError:
        pass
    else:
        tree = next((parent.parent for parent in Path(__file__).parents if parent.name == "ansible_collections"), None)
        if tree is None:
            pytest.exit("these tests run inside ansible_collections/hybridops/fleet: python3 tests/run.py --only units", returncode=3)
        init_plugin_loader([str(tree)])
