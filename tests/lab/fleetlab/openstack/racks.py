# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The metal nodes of the lab's Ironic, as bifrost would have enrolled them."""
from __future__ import annotations

from .layout import MetalNode

NODES = (
    MetalNode("r1-u01", "52:54:00:00:02:01", "active", "192.0.2.11", "metal-db-1", "rocky"),
    MetalNode("r1-u02", "52:54:00:00:02:02", "active", "192.0.2.12", "metal-web-1"),
    MetalNode("r1-u03", "52:54:00:00:02:03", "available"),
    MetalNode("r1-u04", "52:54:00:00:02:04", "available", login_user="debian"),
    MetalNode("r1-u05", "52:54:00:00:02:05", "manageable", "192.0.2.15", maintenance_reason="fan 2 fails"),
    MetalNode("r1-u06", "52:54:00:00:02:06", "enroll"),
    # free, with the addresses they will have, and of other sizes
    MetalNode("r1-u07", "52:54:00:00:02:07", "available", "192.0.2.17", login_user="debian", size=(4, 16384, 100)),
    MetalNode("r1-u08", "52:54:00:00:02:08", "available", "192.0.2.18", login_user="debian", size=(32, 131072, 800)),
)
