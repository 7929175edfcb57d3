# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Google Compute Engine: what the fleet file takes, and how the provider is opened. Imports no SDK."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import library_missing
from ...options import Option
from ..base import Provider, ProviderSpec, Run
from .sources import endpoint_problem, identity

if TYPE_CHECKING:
    from ...fleet_file import Cloud

OPTIONS = (
    Option("projects", "strings", default=[]),
    Option("zones", "strings", default=[]),
    Option("credentials_file"),
    Option("impersonate_service_account"),
    Option("endpoint", check=endpoint_problem),
)


def _open(cloud: Cloud, run: Run) -> Provider:
    """Raises FleetError when a library or the credentials are missing."""
    from .client import MISSING
    from .provider import GceProvider

    if MISSING:
        package = "requests" if (MISSING.name or "").startswith("requests") else "google-auth"
        raise library_missing(package, "gce", MISSING)
    return GceProvider(cloud, run)


SPEC = ProviderSpec(name="gce", options=OPTIONS, identity=identity, open=_open)
