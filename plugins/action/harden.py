# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One area of hardening on one node: look, decide here, apply there in one call, and prove that the node is still reached."""
from __future__ import annotations

import importlib
import json
import secrets
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.utils.display import Display
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.deciding import NodeCalls
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import confirm, former, guard, lockout, outcome, profiles
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.decision import Connection, Decision, Options, packages, replaced
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.workloads import workloads
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

AREAS = "ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.areas."
APPLY = "hybridops.fleet.harden_apply"


class ActionModule(NodeCalls):
    """Documented in plugins/modules/harden.py."""

    silence = "Look whether the node is up. What was guarded comes back by itself."

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.vars = task_vars or {}
        _checked, given = self.validate_argument_spec(argument_spec={
            "area": {"type": "str", "choices": ["os", "ssh", "firewall"], "required": True},
            "data": {"type": "path", "required": True},
            "profile": {"type": "str", "default": "baseline"},
            "controls": {"type": "dict", "default": {}},
            "values": {"type": "dict", "default": {}},
            "variables": {"type": "dict", "default": {}},
            "workloads": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["planned", "present", "absent"], "default": "present"},
            "facts": {"type": "dict"},
            "switch_seconds": {"type": "int", "default": 60},
        })
        self.given: dict[str, Any] = plain(given)
        self._unlisted = False
        self._seen: dict[str, Any] = {}
        try:
            return {**result, **self._work()}
        except FleetError as failure:
            said, code = str(failure), failure.code
        except AnsibleConnectionFailure as failure:  # a failure like others, so that the report tells of it, too
            said, code = f"{self.host}: cannot be reached: {plain(str(failure))}", "unreachable"
        return {**result, "failed": True, "msg": said, "code": code, "facts": _for_report(self._seen), "report": []}

    # ------------------------------------------------------------------------------------------------ the three states
    def _work(self) -> dict[str, Any]:
        if self.given["state"] == "absent":
            return self._back()
        area: ModuleType = importlib.import_module(AREAS + self.given["area"])
        facts = self._seen = self.given["facts"] or self._look(area)
        options = self._options(facts)
        decisions: list[Decision] = area.decide(facts, options)
        if self.given["state"] == "planned":
            facts["unavailable"] = self._unavailable(packages(decisions, facts)[0])
        come, go = packages(decisions, facts)
        told = {"changed": False, "area": self.given["area"], "profile": options.profile, "facts": facts,
                "packages": {"present": come, "absent": go, "unlisted": self._unlisted}, "decisions": outcome.told(decisions, options)}
        if self.given["state"] == "planned":
            if (come or go) and not self._task.check_mode:
                gone = go + [name for decision in decisions for name in replaced(decision, come)]
                self._apply(items=[], installed=come, removed=gone)  # kept before they come and go, so that a restore knows them
            return told
        done = {**told, **self._bring_about(decisions, options, facts, come)}
        return {**done, "facts": _for_report(facts)} if done.get("failed") else done

    def _bring_about(self, decisions: list[Decision], options: Options, facts: dict[str, Any], come: list[str]) -> dict[str, Any]:
        items = [{**item, "control": decision.control} for decision in decisions if decision.apply for item in decision.items]
        for item in items:
            grows = bool(item.pop("grows", False) and come)
            item["coming"] = self._task.check_mode and (grows or item.pop("package", None) in come)
        guarded = any(item.get("guarded") for item in items)
        switch = self._switch(options.connection) if guarded and not self._task.check_mode else {}
        answer = self._apply(items=items, switch=switch)
        lost: FleetError | None = None
        if answer.get("armed"):
            try:
                answer.update(guard.prove(self, options.connection, switch))
            except FleetError as failure:
                lost = failure
                outcome.put_back(items, answer)
        report = outcome.report(decisions, options, answer["items"], come_and_go=packages(decisions, facts), check=self._task.check_mode,
                                unavailable=facts.get("unavailable") or ())
        failed = [row for row in answer["items"] if row["status"] == "failed"]
        done: dict[str, Any] = {"changed": answer["changed"], "report": report, "items": answer["items"], "reloads": answer["reloads"],
                                "guard": answer.get("confirmed") or (self._unguarded(options.connection) if guarded else ""),
                                "put_back": answer.get("put_back", "")}
        if self._task.diff:
            done["diff"] = answer["diff"]
        if lost:
            done.update(failed=True, msg=str(lost), code=lost.code)
        elif failed or answer["reloads"]:
            done.update(failed=True, msg=outcome.failure(self.host, failed, answer["reloads"]))
        return done

    def _back(self) -> dict[str, Any]:
        """To what was before the first run, unless that would shut Ansible out."""
        area = str(self.given["area"])
        facts = self._seen = self._look(importlib.import_module(AREAS + area))
        connection = self._connected(facts)
        if area != "firewall":
            told = self._apply(state="former")["former"]
            lockout.refuse(self.host, f"the former state of area {area}", former.refusals(facts, told, connection))
        switch = self._switch(connection) if not self._task.check_mode else {}
        answer = self._apply(state="absent", switch=switch)
        answer.update(area=area, facts=_for_report(facts), guard=self._unguarded(connection))
        if answer.get("armed"):
            try:
                answer["guard"] = guard.prove(self, connection, switch)["confirmed"]
            except FleetError as lost:
                return {**answer, "failed": True, "changed": False, "restored": [], "differs": [], "msg": str(lost), "code": lost.code}
        if answer.get("differs"):
            answer.update(failed=True, msg=f"{self.host}: not all is as it was before hardening: " + "; ".join(answer["differs"][:10]))
        return answer

    # ------------------------------------------------------------------------------------------------ for the guard
    def say(self, text: str) -> None:
        Display().v(f"{self.host}: {text}")

    # ------------------------------------------------------------------------------------------------ details
    def _apply(self, items: list[dict[str, Any]] | None = None, state: str = "present", **more: Any) -> dict[str, Any]:
        told = {"items": json.dumps(items)} if items else {}
        return self.node_module(APPLY, {"area": self.given["area"], "state": state, **told, **more})

    def _look(self, area: ModuleType) -> dict[str, Any]:
        wanted = {name.lower(): list(getattr(area, name, ())) for name in ("SYSCTL", "PROGRAMS", "PATHS")}
        facts: dict[str, Any] = self.node_module("hybridops.fleet.harden_facts", wanted)["facts"]
        if (facts.get("login") or {}).get("became") != "root":
            raise FleetError(f"{self.host}: hardening", why=f"it runs as {(facts.get('login') or {}).get('became')}, not as root", code="argument",
                             fix="Set become: true.")
        return facts

    def _unavailable(self, names: list[str]) -> list[str]:
        """Packages that cannot be had; the package manager's lists are fetched first where they are missing or old. In check mode nothing is
        fetched: a node without lists is taken to have all, which its run then corrects."""
        if not names:
            return []
        told = self.node_module("hybridops.fleet.harden_facts", {"available": names})
        if told["refresh"] and not self._task.check_mode:
            self.node_module("ansible.builtin.apt", {"update_cache": True})
            told = self.node_module("hybridops.fleet.harden_facts", {"available": names})
        self._unlisted = bool(told["refresh"]) and not told["unavailable"]
        return [str(name) for name in told["unavailable"]]

    def _options(self, facts: dict[str, Any]) -> Options:
        folder = Path(self.given["data"])
        if not folder.is_dir():
            raise AnsibleActionFail(f"there is no folder {folder}")
        distribution = profiles.distribution(folder, facts.get("os") or {})
        controls = profiles.controls(folder, self.given["profile"], self.given["controls"], self.given["values"])
        node = {name: plain(value) for name, value in self.vars.items() if name.startswith("fleet_") and name != "fleet_workloads"}
        works = workloads(facts.get("workloads") or {}, self.given["workloads"], str(node.get("fleet_cluster") or ""),
                          str(node.get("fleet_cluster_via") or ""))
        return Options(profile=self.given["profile"], controls=controls, distribution=distribution, workloads=works, node=node,
                       variables={"become_method": self._play_context.become_method, **self.given["variables"]},
                       connection=self._connected(facts), check=self._task.check_mode,
                       host=self.host, hosts=self.vars.get("hostvars") or {}, groups=plain(self.vars.get("groups") or {}))

    def _connected(self, facts: dict[str, Any]) -> Connection:
        context = self._play_context
        user = str((facts.get("login") or {}).get("user") or getattr(context, "remote_user", "") or "")
        return Connection(transport=self._connection.transport, user=user, become=bool(context.become),
                          become_password=bool(getattr(context, "become_pass", None)), become_method=str(context.become_method or "sudo"),
                          by_password=bool(context.password or self._password()), port=int(context.port) if context.port else None,
                          remote_tmp=str(self._get_remote_tmp()), pipelining=self._is_pipelining_enabled("new"))

    def _password(self) -> Any:
        try:
            return self._connection.get_option("password")
        except (KeyError, AnsibleError):  # a connection without logins
            return None

    def _get_remote_tmp(self) -> str:
        try:
            return str(self.get_shell_option("remote_tmp", default="~/.ansible/tmp"))
        except (KeyError, AttributeError):
            return "~/.ansible/tmp"

    def _switch(self, connection: Connection) -> dict[str, Any]:
        """What arms the dead man's switch; empty where the connection does not go through what is changed. Raises FleetError where nobody gets in
        as things are."""
        if self._unguarded(connection):
            self.say(self._unguarded(connection))
            return {}
        seconds = self.given["switch_seconds"]
        if not 20 <= seconds <= 3600:
            raise FleetError(f"{self.host}: hardening", why=f"switch_seconds is {seconds}", code="argument", fix="Choose 20 to 3600 seconds.")
        guard.beforehand(self, connection)
        return {"seconds": seconds, "nonce": secrets.token_hex(8)}

    @staticmethod
    def _unguarded(connection: Connection) -> str:
        """Why there is no dead man's switch, empty when there is one."""
        why = confirm.why_no_switch(connection.transport)
        return f"no dead man's switch: {why}" if why else ""


def _for_report(facts: dict[str, Any]) -> dict[str, Any]:
    """What a report wants to know of a node; the rest would fill an operator's screen when something fails."""
    return {name: facts[name] for name in ("os", "virtual", "workloads") if name in facts}
