# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What agents would do for Neutron: bind ports, and report floating addresses as active.

There is no agent in the lab. The in-tree ``test`` and ``fake_agent`` mechanism drivers bind only hosts with
certain names or need live agents.
"""
from __future__ import annotations

from typing import Any

from neutron.services.l3_router import l3_router_plugin
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class BindAll(api.MechanismDriver):
    """Any port, on any host: bound and active at once."""

    def initialize(self) -> None:
        """Nothing to connect to."""

    def bind_port(self, context: Any) -> None:
        segment = context.segments_to_bind[0]
        context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OTHER, {portbindings.CAP_PORT_FILTER: True},
                            status=constants.PORT_STATUS_ACTIVE)


class Router(l3_router_plugin.L3RouterPlugin):
    """Neutron's L3 plugin, with the status an L3 agent would send back for floating addresses."""

    def _report(self, context: Any, floating: dict[str, Any]) -> dict[str, Any]:
        attached = bool(floating.get("port_id"))
        status = constants.FLOATINGIP_STATUS_ACTIVE if attached else constants.FLOATINGIP_STATUS_DOWN
        if floating["status"] != status:
            self.update_floatingip_status(context.elevated(), floating["id"], status)
            floating["status"] = status
        return floating

    def create_floatingip(self, context: Any, floatingip: dict[str, Any]) -> dict[str, Any]:
        return self._report(context, super().create_floatingip(context, floatingip))

    def update_floatingip(self, context: Any, id: str, floatingip: dict[str, Any]) -> dict[str, Any]:
        return self._report(context, super().update_floatingip(context, id, floatingip))
