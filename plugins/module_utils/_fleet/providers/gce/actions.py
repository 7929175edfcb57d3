# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be done in a project of Google Compute Engine. There is no key store: keys are in the instances' metadata."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...catalog import Catalog
from ...errors import FleetError
from ...host_keys import from_console
from ..actions import Actions, Order, SecurityRule, Status
from ..base import Run, together
from . import api, insertion, keys
from .addresses import Addresses
from .belongings import Belongings
from .calls import Calls
from .client import Client
from .creation import Creation
from .instances import Instances
from .lists import WITHHELD
from .login import items_of, os_login_told
from .names import label_key, labels
from .node_rules import NodeRules
from .offers import Offers
from .shared_vpc import SharedVpc

if TYPE_CHECKING:
    from ...fleet_file import Cloud

Row = Mapping[str, Any]

_UP = frozenset({"PROVISIONING", "STAGING", "RUNNING", "PENDING"})
_DOWN = frozenset({"TERMINATED", "STOPPED", "STOPPING", "PENDING_STOP", "DEPROVISIONING"})
_SUSPENDED = "SUSPENDED"


class GceActions(Actions):
    """The actions of one project. reader: a client that may read; writer: makes, when first needed, one that may change."""

    key_store = False

    def __init__(self, cloud: Cloud, run: Run, scope: str, reader: Client, writer: Callable[[], Client]) -> None:
        super().__init__(cloud, run, scope)
        self._reader = reader
        self._calls = Calls(reader, writer, run, scope)
        self._instances = Instances(self._calls)
        shared = SharedVpc(self._calls, run)
        self._offers = Offers(self._calls, shared, run, cloud.options["zones"], cloud.roles)
        self._rules = rules = NodeRules(self._calls, shared, run)
        self._belongings = Belongings(self._calls, rules)
        self._addresses = Addresses(self._calls, self._instances)
        self._creation = Creation(
            self._calls, self._instances, self._offers, rules, run, self._os_login, cloud.options["zones"])

    def catalog(self, parts: frozenset[str], image_names: Sequence[str] = ()) -> Catalog:
        return self._offers.catalog(parts, image_names)

    # -- keys --------------------------------------------------------------------------------------------------
    def node_keys(self, node_id: str) -> tuple[str, ...]:
        return keys.lines(items_of(self._instances.get(f"read the keys of node {node_id}", node_id, "metadata").get("metadata")))

    def add_node_key(self, node_id: str, user: str, public_key: str) -> bool:
        keys.entry(user, public_key)
        what = f"add an SSH key to node {node_id}"
        changed, items = self._edit_metadata(what, node_id, lambda items: keys.added(items, user, public_key))
        told = os_login_told(items)
        if told or (told is None and self._os_login()):
            place = "the node's" if told else "the project's"
            self.run.warn(f"{what}: OS Login is on ({place} metadata enable-oslogin), with which keys in the metadata are ignored. "
                          "Set enable-oslogin to FALSE in the node's metadata, or log in as the account of the key's owner.")
        return changed

    def remove_node_key(self, node_id: str, public_key: str) -> bool:
        return self._edit_metadata(f"remove an SSH key from node {node_id}", node_id, lambda items: keys.removed(items, public_key))[0]

    def _edit_metadata(
        self, what: str, node_id: str, edit: Callable[[dict[str, str]], dict[str, str]],
    ) -> tuple[bool, dict[str, str]]:
        """Whether something changed, and the metadata as they are then."""
        def attempt() -> tuple[bool, dict[str, str]]:
            current = self._instances.get(what, node_id, "metadata").get("metadata") or {}
            items = items_of(current)
            wanted = edit(items)
            if wanted == items:
                return False, items
            rows = [{"key": key, "value": value} for key, value in wanted.items()]
            body = {"fingerprint": current.get("fingerprint"), "items": rows}
            self._calls.do("POST", what, f"{self._instances.existing(what, node_id)}/setMetadata", body)
            return True, wanted

        return self._calls.rewritten(what, attempt)

    def _os_login(self) -> bool:
        """Whether the project's metadata turns OS Login on. Unknown counts as off: to write the contrary into a node is
        refused where an organisation demands OS Login."""
        what = f"read the metadata of project {self.scope}"
        try:
            metadata = self._reader.get(what, self.scope, "", api.PROJECT_QUERY, api.project_metadata)
        except FleetError as failure:
            if failure.code not in WITHHELD:
                raise
            self.run.note(f"{what}: {failure.why}; if OS Login is on there, keys in the nodes' metadata are ignored")
            return False
        return os_login_told(items_of(metadata)) is True

    # -- nodes -------------------------------------------------------------------------------------------------
    def check(self, order: Order) -> None:
        insertion.check(order)

    def create(self, order: Order) -> str:
        return self._creation.create(order)

    def status(self, node_ids: Sequence[str]) -> dict[str, Status]:
        return self._instances.statuses(node_ids)

    def publish(self, order: Order, node_id: str) -> str | None:
        return self._addresses.publish(order, node_id)

    def delete(self, node_id: str) -> None:
        what = f"delete node {node_id}"
        try:
            self._instances.get(what, node_id, "name")  # that nothing else of the same name is meant
            self._instances.begun(node_id, self._calls.begin("DELETE", what, self._instances.existing(what, node_id)))
        except FleetError as failure:
            if failure.code != "not_found":
                raise

    def leftovers(self, name: str) -> list[str]:
        return self._belongings.found(name)

    def marked(self, prefix: str) -> set[str]:
        nodes, others = together(self._instances.marks, self._belongings.marks)
        return {mark for mark in nodes | others if mark.startswith(prefix)}

    def clean(self, name: str) -> list[str]:
        return self._belongings.remove(name)

    def bring_rules(self, name: str, node_id: str, part: str, rules: Sequence[SecurityRule], *, check: bool = False) -> list[str]:
        instance = self._instances.get(f"change what may reach node {name}", node_id, "networkInterfaces,tags")
        return self._rules.bring(name, instance, part, rules, check=check)

    def power(self, node_id: str, action: str) -> bool:
        what = f"{action} node {node_id}"
        status = str(self._instances.get(what, node_id, "status").get("status"))
        verb = _verb(what, action, status)
        if verb is None:
            return False
        self._instances.begun(node_id, self._calls.begin("POST", what, f"{self._instances.existing(what, node_id)}/{verb}"))
        return True

    def adapted_tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        return labels(tags)

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        what = f"label node {node_id}"
        wanted = labels({key: value for key, value in tags.items() if value is not None})
        unwanted = {label_key(key) for key, value in tags.items() if value is None} - set(wanted)

        def attempt() -> bool:
            instance = self._instances.get(what, node_id, "labels,labelFingerprint")
            present = dict(instance.get("labels") or {})
            merged = {key: value for key, value in {**present, **wanted}.items() if key not in unwanted}
            if merged == present:
                return False
            body = {"labels": merged, "labelFingerprint": instance.get("labelFingerprint")}
            self._calls.do("POST", what, f"{self._instances.existing(what, node_id)}/setLabels", body)
            return True

        return self._calls.rewritten(what, attempt)

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        what = f"read the SSH host keys of node {node_id}"
        self._instances.get(what, node_id, "name")
        path = self._instances.existing(what, node_id)
        return self._published_keys(what, path) or self._printed_keys(what, path)

    def _published_keys(self, what: str, path: str) -> tuple[str, ...]:
        """Those that the guest has published as attributes; nobody but the guest can write there."""
        try:
            found = self._calls.find(what, f"{path}/getGuestAttributes", {"queryPath": "hostkeys/"})
        except FleetError as failure:
            if failure.code not in WITHHELD:  # the instance does not allow guest attributes
                raise
            return ()
        rows = ((found or {}).get("queryValue") or {}).get("items") or ()
        return tuple(sorted(f"{row['key']} {row['value'].strip()}" for row in rows if row.get("key") and row.get("value")))

    def _printed_keys(self, what: str, path: str) -> tuple[str, ...] | None:
        """Those that cloud-init printed on the console. Google keeps its last megabyte only."""
        try:
            found = self._calls.find(what, f"{path}/serialPort", {"port": "1"})
        except FleetError as failure:
            if failure.code not in WITHHELD:  # an account or an organisation may close the console
                raise
            self.run.note(f"{what}: {failure.why}")
            return None
        return from_console(str((found or {}).get("contents") or "")) or None


def _verb(what: str, action: str, status: str) -> str | None:
    """The method to call; None when the node is where it should be. Raises FleetError when it cannot be got there now."""
    if action == "start":
        if status in _UP:
            return None
        if status in ("TERMINATED", "STOPPED"):
            return "start"
        if status == _SUSPENDED:
            return "resume"
    elif action == "stop":
        if status in _DOWN:
            return None
        if status in ("RUNNING", _SUSPENDED, "REPAIRING"):
            return "stop"
    elif action == "reboot":
        if status == "RUNNING":
            return "reset"
    else:
        raise FleetError(what, why=f"there is no action '{action}'", code="refused", fix="Use start, stop or reboot.")
    advice = "Start it instead." if action == "reboot" and status in ("TERMINATED", "STOPPED", _SUSPENDED) else "Try again when that is over."
    raise FleetError(what, why=f"the node is {status}", code="conflict", fix=advice)
