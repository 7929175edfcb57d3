# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Google Compute Engine, one project at a time: reads its instances, and opens the actions."""
from __future__ import annotations

import contextlib
import datetime
import functools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import FleetError
from ...shape import NodeEvidence
from ..base import Provider, Run, together
from . import api
from .actions import GceActions
from .client import Client, new_session
from .credentials import READ_SCOPE, WRITE_SCOPE, load_credentials
from .lists import WITHHELD, Lists, Rows
from .login import ProjectLogin, items_of, project_login
from .shape import DEFAULT_MTU, NEVER_EXTRA, Translator, host_projects, network_path
from .sources import ENDPOINT_VARIABLE, base_url, endpoint_problem, find_project, find_source

if TYPE_CHECKING:
    from ...fleet_file import Cloud

ZONE_CHAINS = 8  # zones of a project that are read at the same time


class GceProvider(Provider):
    """A cloud of the fleet file with ``provider: gce``; its scopes are projects."""

    def __init__(self, cloud: Cloud, run: Run) -> None:
        super().__init__(cloud, run)
        options = cloud.options
        self._source = find_source(options, run.environ, run.base_dir)
        self._session = new_session()
        self._lock = threading.Lock()
        self._writing: Client | None = None
        self._client, told = self._open(READ_SCOPE)
        self._lists = Lists(self._client, run)
        self._projects = _projects(options, find_project(options, run.environ, self._source) or told)
        self._zones = list(dict.fromkeys(options["zones"]))
        withheld = [name for name in run.extra if name in NEVER_EXTRA]
        if withheld:
            run.note(f"hostvars_extra: {', '.join(withheld)} may hold secrets and is left out")

    def _open(self, scope: str) -> tuple[Client, str | None]:
        """A client whose tokens are good for that, and the project that only the metadata server knows."""
        options, run = self.cloud.options, self.run
        credentials, told = load_credentials(self._source, run.environ, options["impersonate_service_account"], scope)
        endpoint = _endpoint(options, run.environ)
        return Client(endpoint, credentials, self._source.place, run.patience, self._session), told

    def scopes(self) -> Sequence[str]:
        return self._projects

    def actions(self, scope: str) -> GceActions:
        return GceActions(self.cloud, self.run, scope, self._client, self._writer)

    def _writer(self) -> Client:
        """The client that may change things; tokens of that scope are asked for only by those who do."""
        with self._lock:
            if self._writing is None:
                self._writing, _told = self._open(WRITE_SCOPE)
            return self._writing

    def evidence(self, scope: str) -> Iterable[NodeEvidence]:
        now = datetime.datetime.now(datetime.UTC)
        instances, login, mtus = together(
            lambda: self._instances(scope),
            lambda: self._project_login(scope, now),
            lambda: self._mtus(scope),
        )
        if isinstance(login, FleetError):
            self.run.warn(f"login users of project {scope} may be missing: {login.why}. {login.fix}")
            login = ProjectLogin(readable=False)
        with _well_formed(f"list instances of project {scope}"):
            hosts = host_projects(instances, scope)
            for theirs in together(*(functools.partial(self._mtus, host) for host in hosts)) if hosts else ():
                mtus.update(theirs)
            translate = Translator(scope, login, mtus, self.run.extra, now).node
            nodes = map(translate, instances)
            # by id: an instance that moved to another page while the pages were read is still one
            return {node.id: node for node in nodes}.values()

    def _instances(self, project: str) -> Rows:
        filters, states, extra = self.cloud.filters, self.run.states, self.run.extra
        if not self._zones:
            query = api.instance_query(filters, states, extra, aggregated=True)
            what = f"list instances of project {project}"
            return self._lists.rows(what, project, "aggregated/instances", query, api.aggregated_page)
        query = api.instance_query(filters, states, extra, aggregated=False)

        def chain(zones: Sequence[str]) -> Rows:
            rows: Rows = []
            for zone in zones:
                what = f"list instances of project {project}, zone {zone}"
                rows += self._lists.rows(what, project, f"zones/{zone}/instances", query, api.zone_page)
            return rows

        chains = [self._zones[start::ZONE_CHAINS] for start in range(min(ZONE_CHAINS, len(self._zones)))]
        answers = together(*(functools.partial(chain, zones) for zones in chains))
        return [instance for rows in answers for instance in rows]

    def _project_login(self, project: str, now: datetime.datetime) -> ProjectLogin | FleetError:
        """What the project's metadata says, or why we may not read it; that matters only when instances are listed."""
        what = f"read the metadata of project {project}"
        try:
            metadata = self._client.get(what, project, "", api.PROJECT_QUERY, api.project_metadata)
        except FleetError as failure:
            if failure.code not in WITHHELD:
                raise
            return failure
        return project_login(items_of(metadata), now)

    def _mtus(self, project: str) -> dict[str, int]:
        """MTU in bytes by network path of a project; none when its networks may not be listed."""
        what = f"list networks of project {project}"
        try:
            networks = self._lists.pages(what, project, "global/networks", api.NETWORKS_QUERY, api.network_page)
        except FleetError as failure:
            if failure.code not in WITHHELD:
                raise
            self.run.note(f"no MTU for networks of project {project}: {failure.why}")
            return {}
        return {path: network.get("mtu") or DEFAULT_MTU
                for network in networks if (path := network_path(network.get("selfLink"), project))}


@contextlib.contextmanager
def _well_formed(what: str) -> Iterator[None]:
    """Turns what reading a malformed resource raises into a FleetError."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as surprise:
        detail = f"an instance that is not as the API describes it ({type(surprise).__name__}: {surprise})"
        raise api.bad_answer(what, detail, transient=False) from surprise


def _projects(options: Mapping[str, Any], default: str | None) -> list[str]:
    projects = list(dict.fromkeys(options["projects"])) or ([default] if default else [])
    if not projects:
        raise FleetError(
            "find the Google Cloud project", why="no fleet file, environment or credentials name one",
            code="project_missing", fix="Write 'projects: [my-project]' for this cloud, or set GOOGLE_CLOUD_PROJECT.")
    return projects


def _endpoint(options: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    if options["endpoint"]:
        return base_url(options["endpoint"])
    override = environ.get(ENDPOINT_VARIABLE)
    problem = endpoint_problem(override) if override else None
    if problem:
        raise FleetError("find the Compute Engine endpoint", why=f"{ENDPOINT_VARIABLE}: {problem}", code="endpoint",
                         fix=f"Correct or unset {ENDPOINT_VARIABLE}.")
    return base_url(override)
