# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the attributes of modules mean; each module says its support."""
from __future__ import annotations


class ModuleDocFragment:
    """The attributes that every module states."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed, or possibly needs changing in check_mode, when in diff mode.
  platform:
    description: Where it can run.
    support: full
    platforms: posix
"""
