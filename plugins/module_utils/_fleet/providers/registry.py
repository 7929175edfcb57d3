# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The providers there are. Imports no SDK: each ``spec`` loads its client only when a cloud is opened."""
from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .aws.spec import SPEC as AWS
from .base import ProviderSpec
from .gce.spec import SPEC as GCE
from .metal.spec import SPEC as METAL
from .openstack.spec import SPEC as OPENSTACK

if TYPE_CHECKING:
    from ..fleet_file import Cloud

PROVIDERS: dict[str, ProviderSpec] = {spec.name: spec for spec in (OPENSTACK, AWS, GCE, METAL)}


def load_libraries(clouds: Iterable[Cloud]) -> None:
    """Import what opening these clouds needs. To be called before there are threads: two that import one library at the same
    moment may wait for each other for ever (seen with requests on ansible-core 2.16).

    Raises nothing: a library that is missing is told when its cloud is opened, and loses no other cloud.
    """
    for cloud in clouds:
        with contextlib.suppress(Exception):
            importlib.import_module(f"{__package__}.{cloud.provider}.client")
            PROVIDERS[cloud.provider].load(cloud.options)
