# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the collection keeps what it must remember on the controller: in Ansible's own folder, wherever the operator has that."""
from __future__ import annotations

import os
from collections.abc import Mapping


def kept(environ: Mapping[str, str], name: str) -> str:
    """The folder of that name. Follows ANSIBLE_HOME, as in containers whose home folder cannot be written to."""
    return os.path.join(os.path.expanduser(environ.get("ANSIBLE_HOME") or "~/.ansible"), "hybridops_fleet", name)
