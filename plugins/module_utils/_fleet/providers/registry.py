# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The providers there are. Imports no SDK: each ``spec`` loads its client only when a cloud is opened."""
from __future__ import annotations

from .aws.spec import SPEC as AWS
from .base import ProviderSpec
from .gce.spec import SPEC as GCE
from .metal.spec import SPEC as METAL
from .openstack.spec import SPEC as OPENSTACK

PROVIDERS: dict[str, ProviderSpec] = {spec.name: spec for spec in (OPENSTACK, AWS, GCE, METAL)}
