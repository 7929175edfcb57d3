# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens on the controller before and while a module of the collection runs.

The fleet file is read here, because only here its templates and vaulted values can be evaluated; the module gets the entry
of its cloud. While a module works on many nodes, the lines that it writes on their progress are shown as they come.
"""
from __future__ import annotations

import inspect
import json
import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError, FleetFileError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import SETTINGS
from ansible_collections.hybridops.fleet.plugins.module_utils._modules.front import INLINE, definitions_of, entry_named
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain, templated

FLEET_VARIABLE = "HYBRIDOPS_FLEET_FILE"
NEVER_SHOWN = ("definition", "definitions", "user_data", "hidden_user_data")  # arguments that may hold secrets
LOOK = 0.3  # seconds between two looks at the progress


class FleetModule(ActionBase):
    """Action plugin of every module that names a cloud. progress: whether the module tells how its nodes get on."""

    progress = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            self._fill_in(arguments, task_vars or {})
        except FleetError as failure:
            raise AnsibleActionFail(str(failure)) from None
        if not (self.progress and self._is_local()) or arguments.get("progress_file"):
            return {**result, **self._execute(arguments, task_vars)}
        with _Progress() as progress:
            return {**result, **self._execute({**arguments, "progress_file": progress.path}, task_vars)}

    def _execute(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """The module's result, without the arguments that may hold secrets."""
        answer: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=self._with_own_python(task_vars or {}))
        told = answer.get("invocation", {}).get("module_args", {})
        for key in NEVER_SHOWN:
            told.pop(key, None)
        return answer

    def _fill_in(self, arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> None:
        """The clouds' settings as ``definitions``: those of the fleet file with its templates evaluated, and the one in the task.
        They go as one text, which Ansible hides as a whole wherever it would show the module's arguments."""
        path = arguments.get("fleet") or os.environ.get(FLEET_VARIABLE)
        rows = [row for key in ("nodes", "keys") if isinstance(arguments.get(key), list) for row in arguments[key] if isinstance(row, Mapping)]
        names = {str(name) for name in (arguments.get("cloud"), *(row.get("cloud") for row in rows)) if name}
        given = arguments.pop("definitions", None)
        definitions = definitions_of(given) if isinstance(given, str) else plain(given or {})
        definition = arguments.pop("definition", None)
        if definition is not None:
            definitions[str(arguments.get("cloud") or INLINE)] = plain(definition)
        missing = sorted(names - set(definitions))
        if path and missing:  # without a path the module says what is missing
            full = self._find(str(path))
            source = os.path.basename(full)
            data = self._load(full, source)
            for name in missing:
                definitions[name] = templated(entry_named(data, name, source), self._templar, task_vars, source, f"clouds.{name}")
            arguments.update(fleet=full, base_dir=arguments.get("base_dir") or os.path.dirname(os.path.abspath(full)))
        if definitions:
            arguments["definitions"] = json.dumps(definitions, default=str)

    def _evaluated(self, data: Any, path: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """A fleet file's own settings and clouds with their templates evaluated; expressions for hosts are none of them."""
        source = os.path.basename(path)
        keys = {option.name for option in SETTINGS} | {"clouds"}
        rows = {key: value for key, value in data.items() if key in keys} if isinstance(data, Mapping) else {}
        return {str(key): templated(value, self._templar, task_vars, source, str(key)) for key, value in rows.items()}

    def _load(self, path: str, source: str) -> Any:
        """The file's data; what the operator wrote there may be a template."""
        trust = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(self._loader.load_from_file).parameters else {}
        try:
            return self._loader.load_from_file(path, cache="none", **trust)
        except AnsibleError as failure:
            raise FleetFileError(source, "", f"cannot be read as YAML: {failure.message}", "Correct the file.") from None

    def _find(self, path: str) -> str:
        """The file itself; a relative path starts at the playbook, or else at the current folder."""
        expanded = os.path.expanduser(path)
        for candidate in (self._loader.path_dwim(expanded), os.path.abspath(expanded)):
            if os.path.exists(candidate):
                return str(candidate)
        raise FleetError("read the fleet file", why=f"there is no {path}, neither beside the playbook nor in {os.getcwd()}", code="not_found",
                         fix="Correct 'fleet'.")

    def _with_own_python(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """On this machine the module runs with Ansible's own Python, which has the SDKs, unless the operator named one. Ansible
        does so for the implied localhost; one that stands in an inventory would get whatever Python the system has."""
        host = self._task.delegate_to
        delegated = task_vars.get("ansible_delegated_vars") or {}
        used = delegated.get(host, {}) if host else task_vars
        named = str(C.config.get_config_value("INTERPRETER_PYTHON", variables=used))
        if not self._is_local() or not named.startswith("auto"):
            return task_vars
        own = {**used, "ansible_python_interpreter": sys.executable}
        return {**task_vars, "ansible_delegated_vars": {**delegated, host: own}} if host else own

    def _is_local(self) -> bool:
        """Whether the module runs on this machine, so that it can write where we read."""
        return self._connection.transport == "local"


class _Progress:
    """A file that a module writes to, shown line by line while it does."""

    def __init__(self) -> None:
        number, self.path = tempfile.mkstemp(prefix="fleet-progress-")
        os.close(number)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> _Progress:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()
        os.remove(self.path)

    def _show(self) -> None:
        display = Display()
        with open(self.path, encoding="utf-8") as file:
            unfinished = ""
            while True:
                last = self._done.is_set()
                unfinished += file.read()
                *lines, unfinished = unfinished.split("\n")
                for line in lines:
                    display.display(f"  {line}")
                if last:
                    return
                self._done.wait(LOOK)
