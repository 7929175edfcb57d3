# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One cloud of the fleet file, opened for looking at its nodes and acting on them with one login: its scopes, and the actions of each."""
from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from .collect import Answer, Settings, read, run_for
from .errors import FleetError, defect
from .fleet_file import Cloud, Filters
from .providers.actions import Actions
from .providers.registry import PROVIDERS


@contextlib.contextmanager
def at(cloud: Cloud, scope: str) -> Iterator[None]:
    """Fill in where a FleetError happened."""
    try:
        yield
    except FleetError as failure:
        raise failure.at(cloud.name, scope or None) from None


class Opened:
    """A cloud with its credentials found. Safe to be used by several threads. Raises FleetError naming the cloud."""

    def __init__(self, cloud: Cloud, settings: Settings) -> None:
        self.cloud = cloud
        self.settings = settings
        self._lock = threading.Lock()
        self._actions: dict[str, Actions] = {}
        try:
            self._provider = PROVIDERS[cloud.provider].open(cloud, run_for(cloud, settings))
            self.scopes: Sequence[str] = tuple(self._provider.scopes())
        except FleetError as failure:
            raise failure.at(cloud.name) from None
        except Exception as surprise:
            raise defect("open the cloud", surprise).at(cloud.name) from None

    def read(self, filters: Filters) -> list[Answer]:
        """The nodes of every scope that pass these filters, whatever those of the fleet file say; failures are answers too."""
        return read(self._provider.asking(filters), self.scopes, self.settings)

    def first_scope(self) -> str:
        """The scope that is meant when none is named; "" for all of them together, where the provider offers that."""
        if self._provider.spans_scopes:
            return ""
        if not self.scopes:
            raise FleetError("find a region, project or source", why="the cloud has none", cloud=self.cloud.name, code="scope",
                             fix="Name one in the cloud's entry of the fleet file.")
        return self.scopes[0]

    def actions(self, scope: str) -> Actions:
        """What can be done in a scope; made once."""
        with self._lock:
            found = self._actions.get(scope)
            if found is None:
                found = self._actions[scope] = self._provider.actions(scope)
            return found
