# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The probe of every check, in the order in which they are made on a node's life."""
from __future__ import annotations

from collections.abc import Callable, Mapping

from . import probes_living as around
from . import probes_making as making
from . import probes_shell as shell
from .course import Course
from .judging import Answer

PROBES: Mapping[str, Callable[[Course], Answer]] = {
    "add_key": making.add_key,
    "metadata": making.metadata,
    "pick": making.pick,
    "request": making.request,
    "default_address": around.default_address,
    "public_address": making.public_address,
    "private_address": around.private_address,
    "ipv6": around.ipv6,
    "tags": around.tags,
    "second_request": around.second_request,
    "same_name": around.same_name,
    "host_keys": around.host_keys,
    "login": shell.login,
    "fleet_keys": shell.fleet_keys,
    "node_key_removed": shell.node_key_removed,
    "stop_start": around.stop_start,
    "address_stays": around.address_stays,
    "reboot": around.reboot,
    "key_stays_out": shell.key_stays_out,
    "deletion": around.deletion,
}
