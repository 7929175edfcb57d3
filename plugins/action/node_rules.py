# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller's part of module hybridops.fleet.node_rules."""
from __future__ import annotations

from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.fleet_module import FleetModule


class ActionModule(FleetModule):
    """Reads the fleet file."""
