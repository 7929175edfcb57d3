# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Transport of provider metal: rack files from disk, Ironic through openstacksdk, Redfish over HTTP."""
from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

try:
    import yaml
except ImportError:  # told when a rack file is read; Ansible itself needs it
    yaml = None  # type: ignore[assignment]

from ...errors import FleetError, FleetFileError, library_missing
from ...retry import parse_retry_after
from ...shape import NodeEvidence
from ..base import Provider, Run
from . import ironic, rack_file, redfish

if TYPE_CHECKING:
    from ...fleet_file import Cloud

PAGES_AT_MOST = 10_000


class Metal(Provider):
    """Machines listed by files and management services; each source is a scope."""

    def __init__(self, cloud: Cloud, run: Run) -> None:
        super().__init__(cloud, run)
        self._sources = {self._label(number, source): source for number, source in enumerate(cloud.options["sources"])}

    @staticmethod
    def _label(number: int, source: dict[str, Any]) -> str:
        where = source["path"] or source["cloud"] or source["baseuri"] or number
        return f"{source['kind']} {where}"

    def scopes(self) -> Sequence[str]:
        return list(self._sources)

    def evidence(self, scope: str) -> Iterable[NodeEvidence]:
        source = self._sources[scope]
        if source["kind"] == "file":
            return self._file(source["path"])
        if source["kind"] == "ironic":
            return self._ironic(source["cloud"])
        return Redfish(source, self.run).nodes(self.cloud.name)

    def _file(self, path: str) -> list[NodeEvidence]:
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
        return rack_file.nodes(data, os.path.basename(path), os.path.splitext(os.path.basename(path))[0])

    def _ironic(self, cloud_name: str | None) -> list[NodeEvidence]:
        from ..openstack.client import open_bare_metal, require_sdk

        require_sdk("metal (Ironic)")
        api = open_bare_metal(cloud_name, self.run)
        records = api.pages("/nodes/detail", "nodes", {})
        ports = api.pages("/ports", "ports", {"fields": ",".join(ironic.PORT_FIELDS)})
        return ironic.nodes(records, ports, self.cloud.name, self.run.extra)


class Redfish:
    """A Redfish service, read-only."""

    def __init__(self, source: dict[str, Any], run: Run) -> None:
        try:
            import requests
        except ImportError as missing:
            raise library_missing("requests", "metal", missing) from missing
        self._requests = requests
        self._run = run
        self._base = source["baseuri"].rstrip("/") + "/"
        self._session = requests.Session()
        self._session.verify = source["validate_certs"]
        self._session.headers["Accept"] = "application/json"
        if source["username"]:
            self._session.auth = (source["username"], source["password"] or "")

    def nodes(self, site: str) -> list[NodeEvidence]:
        """All computer systems of the service."""
        root = self._get("/redfish/v1/")
        systems = self._link(root, "Systems")
        found = []
        for system in self._members(systems):
            nics = self._members(system["EthernetInterfaces"]["@odata.id"]) if "EthernetInterfaces" in system else []
            found.append(redfish.node(system, nics, site, self._run.extra))
        return found

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
        errors = self._requests.exceptions
        try:
            answer = self._session.get(url, timeout=self._run.patience.request_timeout())
        except errors.SSLError as problem:
            raise FleetError("read Redfish", why=f"the certificate of {self._base} is not trusted", code="tls",
                             fix="Install its CA (REQUESTS_CA_BUNDLE), or set validate_certs: false.") from problem
        except errors.RequestException as problem:
            raise FleetError("read Redfish", why=f"{self._base} does not answer ({type(problem).__name__})", code="unreachable",
                             transient=True, fix="Check 'baseuri' and the way to the management network.") from problem
        if answer.status_code in (401, 403):
            raise FleetError("read Redfish", why=f"{self._base} refuses the account (HTTP {answer.status_code})", code="auth",
                             fix="Check 'username' and 'password'.")
        if answer.status_code == 429 or answer.status_code >= 500:
            raise FleetError("read Redfish", why=f"{self._base} answered HTTP {answer.status_code}", code="unavailable", transient=True,
                             retry_after=parse_retry_after(answer.headers.get("Retry-After")), fix="Try again later.")
        try:
            data = answer.json() if answer.status_code == 200 else None
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise FleetError("read Redfish", why=f"{url} answered HTTP {answer.status_code} without a Redfish record", code="bad_answer",
                             fix="Check that 'baseuri' is a Redfish service.")
        return data
