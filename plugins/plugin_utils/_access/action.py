# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions of role access have in common: the host's connection as Ansible knows it, made into our own connections."""
from __future__ import annotations

import os
import time
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

from . import arguments, keys, node_script, route, ssh
from .answers import Answer
from .node_script import Report, Values

COMMON: dict[str, Any] = {
    "known_hosts": {"type": "path", "default": "~/.ansible/hybridops_fleet/known_hosts"},
    "private_key_file": {"type": "path", "required": True},
    "node_private_key_file": {"type": "path"},
    "bastion_private_key_file": {"type": "path"},
    "admin_user": {"type": "str", "default": "fleet"},
    "connect_timeout": {"type": "int", "default": 10},
    "node": {"type": "dict", "default": {}},
}
LOGIN: dict[str, Any] = {
    "login_user": {"type": "str", "required": True},
    "login_private_key_file": {"type": "path", "required": True},
}
_PASSWORDS = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_password", "ansible_sudo_pass")


class AccessAction(ActionBase):
    """Runs on the controller; subclasses say what (``work``) and with which options (``options``)."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    options: ClassVar[dict[str, Any]] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, given = self.validate_argument_spec(argument_spec={**COMMON, **self.options})
        self.given: dict[str, Any] = plain(given)
        self.vars = task_vars or {}
        try:
            self._check_given()
            return {**result, **self.work()}
        except FleetError as failure:
            return {**result, "failed": True, "msg": str(failure), "code": failure.code}

    def work(self) -> dict[str, Any]:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------ for subclasses
    @property
    def host(self) -> str:
        return str(plain(self.vars.get("inventory_hostname", "the node")))

    def say(self, text: str) -> None:
        Display().v(text)

    def client(self) -> ssh.Client:
        """Fresh connections to this task's host. Raises FleetError."""
        node, port = self.given["node"], self._option("port")
        hop_keys = [path for path in (self.given["bastion_private_key_file"], self.given["private_key_file"], self.node_key()) if path]
        way = ssh.plan(
            ssh=self._option("ssh_executable") or "ssh", host=self._option("host") or self.host, port=int(port) if port else None,
            operator=[*arguments.split(self._option("ssh_args")), *arguments.split(self._option("ssh_common_args")),
                      *arguments.split(self._option("ssh_extra_args"))],
            alias=route.alias_for(node.get("cloud"), node.get("id")), known_hosts_file=self.given["known_hosts"],
            connect_timeout=self.given["connect_timeout"], hop_keys=list(dict.fromkeys(hop_keys)))
        return ssh.Client(way)

    def later(self, way: route.Route) -> dict[str, Any]:
        """Variables with which Ansible's own connections take the same way, with the same checks."""
        words = {name: arguments.split(self._option(name)) for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")}
        return {**route.later_arguments(way, words["ssh_args"], words["ssh_common_args"], words["ssh_extra_args"]), "ansible_host_key_checking": True}

    def node_key(self) -> str | None:
        """The private key file of the node's own key, None when there is none or it is the fleet's."""
        path: str | None = self.given["node_private_key_file"]
        return path if path and os.path.exists(path) and not self.node_key_is_fleets() else None

    def node_key_is_fleets(self) -> bool:
        path, fleet = self.given["node_private_key_file"], self.given["private_key_file"]
        if not path or not os.path.exists(path):
            return False
        mine = keys.public_part(path)
        return os.path.realpath(path) == os.path.realpath(fleet) or (mine is not None and mine == keys.public_part(fleet))

    def run_on_node(self, client: ssh.Client) -> Any:
        """A function that runs node.sh: (user, key, values, seconds) -> (answer, report)."""
        password = self._become_password()

        def run(user: str, key: str, values: Values, timeout: float) -> tuple[Answer, Report]:
            answer, done = client.run_script(user, key, node_script.REMOTE, node_script.script(values), timeout=timeout, password=password)
            report = node_script.parse(done.out)
            if "Authenticated to " in done.err and not report.ended and not report.error:
                told = _sudo_words(done.err)
                if told:
                    report.error = ("sudo_password" if "incorrect password" in told else "sudo", told)
            return answer, report

        return run

    clock = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    # ------------------------------------------------------------------------------------------------ details
    def _check_given(self) -> None:
        if self._connection.transport != "ssh":
            raise FleetError(
                f"{self.host}: connect", why=f"the host's connection is '{self._connection.transport}'", code="argument",
                fix="Role access works over ssh: set ansible_connection to ssh, or run it on other hosts.")
        path = self.given["private_key_file"]
        if not os.path.exists(path):
            raise FleetError(f"{self.host}: read the fleet's private key", why=f"there is no {path}", code="argument",
                             fix="Correct access_private_key_file.")
        for name in ("known_hosts", "private_key_file", "node_private_key_file", "bastion_private_key_file"):
            if self.given[name]:
                self.given[name] = os.path.abspath(self.given[name])

    def _option(self, name: str) -> Any:
        return plain(self._connection.get_option(name))

    def _become_password(self) -> str:
        for name in _PASSWORDS:
            if self.vars.get(name):
                return str(plain(self._templar.template(self.vars[name])))
        return str(plain(getattr(self._play_context, "become_pass", None)) or "")


def _sudo_words(err: str) -> str:
    """sudo's own complaint in what the node wrote to standard error, empty when there is none. The last one is the reason; that it
    cannot resolve the host's own name never is."""
    lines = [line.strip() for line in reversed(err.splitlines()) if "unable to resolve host" not in line]
    return next((line for line in lines if line.startswith("sudo:") or "is not in the sudoers file" in line or "may not run sudo" in line), "")
