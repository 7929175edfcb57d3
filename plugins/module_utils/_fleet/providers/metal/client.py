# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Transport of provider metal: rack files from disk, Ironic through openstacksdk, Redfish over HTTP."""
from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

try:
    import yaml
except ImportError:  # told when a rack file is read; Ansible itself needs it
    yaml = None  # type: ignore[assignment]

from ...errors import FleetError, FleetFileError, library_missing
from ...retry import parse_retry_after
from ...shape import NodeEvidence
from ..actions import Actions
from ..base import Provider, Run, together
from ..openstack.failures import message_of
from . import ironic, rack_file, redfish
from .every_source import EverySource
from .file_actions import FileActions
from .held import merged
from .ironic_actions import IronicActions
from .machines import Machine
from .redfish_actions import RedfishActions
from .redfish_actions import state as redfish_state
from .reservations import Ledger
from .source import Source
from .spec import reservations

if TYPE_CHECKING:
    from ...fleet_file import Cloud
    from ..openstack.client import BareMetal

PAGES_AT_MOST = 10_000


class Metal(Provider):
    """Machines listed by files and management services; each source is a scope, and no scope means all of them."""

    spans_scopes = True

    def __init__(self, cloud: Cloud, run: Run) -> None:
        super().__init__(cloud, run)
        self._lock = threading.Lock()
        self._opened: dict[str, Source] = {}
        self._sources = {self._label(number, source): source for number, source in enumerate(cloud.options["sources"])}

    @staticmethod
    def _label(number: int, source: dict[str, Any]) -> str:
        where = source["path"] or source["cloud"] or source["baseuri"] or number
        return f"{source['kind']} {where}"

    def scopes(self) -> Sequence[str]:
        return list(self._sources)

    def evidence(self, scope: str) -> Iterable[NodeEvidence]:
        source = self._sources[scope]
        if source["kind"] == "ironic":
            return self._ironic(source["cloud"])
        records = self._ledger(source).read()
        if source["kind"] == "file":
            return [merged(machine, records.get(machine.id)) for machine in self._file(source["path"])]
        found = (merged(machine, records.get(machine.id)) for machine in Redfish(source, self.run).machines(self.cloud.name))
        return [dataclasses.replace(node, state=redfish_state(node.state, records.get(node.id))) for node in found]

    def actions(self, scope: str) -> Actions:
        if scope:
            return self._source(scope)
        return EverySource(self.cloud, self.run, [self._source(name) for name in self._sources])

    def _source(self, scope: str) -> Source:
        """Made once: it remembers what it has deployed."""
        with self._lock:
            found = self._opened.get(scope)
            if found is None:
                found = self._opened[scope] = self._open(scope)
            return found

    def _open(self, scope: str) -> Source:
        source = self._sources[scope]
        if source["kind"] == "ironic":
            return IronicActions(self.cloud, self.run, scope, source["images"], lambda: self._bare_metal(source["cloud"]))
        ledger = self._ledger(source)
        if source["kind"] == "file":
            return FileActions(self.cloud, self.run, scope, ledger, lambda: self._file(source["path"]))
        return RedfishActions(self.cloud, self.run, scope, ledger, source, lambda: Redfish(source, self.run))

    def _ledger(self, source: dict[str, Any]) -> Ledger:
        return Ledger(reservations(source, self.run.base_dir), self.run.patience)

    def _file(self, path: str) -> list[Machine]:
        if yaml is None:
            raise library_missing("PyYAML", "metal", ImportError("No module named 'yaml'"))
        full = os.path.join(self.run.base_dir, os.path.expanduser(path))
        try:
            with open(full, encoding="utf-8") as text:
                data = yaml.safe_load(text)
        except OSError as problem:
            raise FleetError("read the rack file", why=f"{problem.strerror}: {full}", code="not_found",
                             fix="Correct 'path'; a relative one starts at the fleet file.") from problem
        except yaml.YAMLError as problem:
            mark = getattr(problem, "problem_mark", None)
            line = f" in line {mark.line + 1}" if mark else ""
            raise FleetFileError(path, "", f"is not YAML{line}", "Correct the file.") from problem
        return rack_file.machines(data, os.path.basename(path), os.path.splitext(os.path.basename(path))[0])

    def _bare_metal(self, cloud_name: str | None) -> BareMetal:
        from ..openstack.client import open_bare_metal, require_sdk

        require_sdk("metal (Ironic)")
        return open_bare_metal(cloud_name, self.run)

    def _ironic(self, cloud_name: str | None) -> list[NodeEvidence]:
        api = self._bare_metal(cloud_name)
        records, ports = together(
            lambda: list(api.pages("/nodes/detail", "nodes", {})),
            lambda: list(api.pages("/ports", "ports", {"fields": ",".join(ironic.PORT_FIELDS)})))
        return ironic.nodes(records, ports, self.cloud.name, self.run.extra)


class Redfish:
    """A Redfish service. source: its entry in the fleet file."""

    def __init__(self, source: dict[str, Any], run: Run) -> None:
        try:
            import requests
        except ImportError as missing:
            raise library_missing("requests", "metal", missing) from missing
        self._requests = requests
        self._run = run
        self._source = source
        self._base = source["baseuri"].rstrip("/") + "/"
        self._session = requests.Session()
        self._session.verify = source["validate_certs"]
        self._session.headers["Accept"] = "application/json"
        if source["username"]:
            self._session.auth = (source["username"], source["password"] or "")

    def machines(self, site: str) -> list[Machine]:
        """All computer systems of the service."""
        root = self._get("/redfish/v1/")
        systems = self._link(root, "Systems")
        found = []
        for system in self._members(systems):
            nics = self._members(system["EthernetInterfaces"]["@odata.id"]) if "EthernetInterfaces" in system else []
            found.append(redfish.machine(system, nics, site, self._source, self._run.extra))
        return found

    def system(self, path: str) -> dict[str, Any]:
        """One computer system, as it is now."""
        return self._get(path)

    def change(self, path: str, body: Mapping[str, Any]) -> None:
        """Change a record (PATCH), whatever version of it there is."""
        self._run.patience.run(lambda: self._once("PATCH", urljoin(self._base, path), body, {"If-Match": "*"}))

    def reset(self, system: Mapping[str, Any], action: str) -> None:
        """Ask for a change of power (redfish.reset). Asked again after a lost answer: none of them adds up."""
        target, kind = redfish.reset(system, action)
        self._run.patience.run(lambda: self._once("POST", urljoin(self._base, target), {"ResetType": kind}))

    def _members(self, path: str) -> Iterable[dict[str, Any]]:
        """The records of a collection, to its last page (Members@odata.nextLink)."""
        for _page in range(PAGES_AT_MOST):
            collection = self._get(path)
            if not isinstance(collection.get("Members"), list):
                raise FleetError("read Redfish", why=f"{path} answered without 'Members'", code="bad_answer",
                                 fix="Check that 'baseuri' is a Redfish service.")
            for member in collection["Members"]:
                yield self._get(self._link({"member": member}, "member"))
            following = collection.get("Members@odata.nextLink")
            if not following:
                return
            path = following
        raise FleetError("read Redfish", why=f"{path} has no last page", code="bad_answer", fix="Report it to the maker of the service.")

    @staticmethod
    def _link(record: dict[str, Any], key: str) -> str:
        try:
            return str(record[key]["@odata.id"])
        except (KeyError, TypeError):
            raise FleetError("read Redfish", why=f"the answer has no link '{key}'", code="bad_answer",
                             fix="Check that 'baseuri' is a Redfish service.") from None

    def _get(self, path: str) -> dict[str, Any]:
        return self._run.patience.run(lambda: self._get_once(urljoin(self._base, path)))

    def _get_once(self, url: str) -> dict[str, Any]:
        answer = self._once("GET", url)
        try:
            data = answer.json() if answer.status_code == 200 else None
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise FleetError("read Redfish", why=f"{url} answered HTTP {answer.status_code} without a Redfish record", code="bad_answer",
                             fix="Check that 'baseuri' is a Redfish service.")
        return data

    def _once(self, method: str, url: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """One request, tried once; its answer. Raises FleetError for none, and for a refusal."""
        errors, what = self._requests.exceptions, "read Redfish" if method == "GET" else "change a machine by Redfish"
        try:
            answer = self._session.request(
                method, url, json=body, headers=headers, timeout=self._run.patience.request_timeout())
        except errors.SSLError as problem:
            raise FleetError(what, why=f"the certificate of {self._base} is not trusted", code="tls",
                             fix="Install its CA (REQUESTS_CA_BUNDLE), or set validate_certs: false.") from problem
        except errors.RequestException as problem:
            raise FleetError(what, why=f"{self._base} does not answer ({type(problem).__name__})", code="unreachable",
                             transient=True, fix="Check 'baseuri' and the way to the management network.") from problem
        if answer.status_code in (401, 403):
            raise FleetError(what, why=f"{self._base} refuses the account (HTTP {answer.status_code})", code="auth",
                             fix="Check 'username' and 'password', and that the account may do this.")
        if answer.status_code == 429 or answer.status_code >= 500:
            raise FleetError(what, why=f"{self._base} answered HTTP {answer.status_code}", code="unavailable", transient=True,
                             retry_after=parse_retry_after(answer.headers.get("Retry-After")), fix="Try again later.")
        if method != "GET" and answer.status_code >= 400:
            told = message_of(answer.text)
            raise FleetError(what, why=f"{url} answered HTTP {answer.status_code}" + (f": {told}" if told else ""), code="refused",
                             fix="Read the words of the management board; it may be busy, or of another make.")
        return answer
