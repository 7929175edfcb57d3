# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module's ``main`` in this process, on a cloud in memory, and gives the result that Ansible would get."""
from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values


class Ended(Exception):
    """The module has ended with this result."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(str(result.get("msg")))
        self.result = result


class Stub:
    """What the modules use of AnsibleModule: arguments checked by Ansible's own code, results cleaned of what is not to be shown."""

    given: Mapping[str, Any] = {}
    check = False
    diff = False

    def __init__(self, argument_spec: dict[str, Any], supports_check_mode: bool = False, **rules: Any) -> None:
        assert supports_check_mode
        checked = ArgumentSpecValidator(argument_spec, **rules).validate(dict(self.given))
        self.params: dict[str, Any] = checked.validated_parameters
        self.no_log_values: set[str] = set(checked._no_log_values)
        self.check_mode, self._diff, self._verbosity = self.check, self.diff, 0
        self.warnings: list[str] = []
        if checked.error_messages:
            self.fail_json(msg=checked.error_messages[0])

    def fail_json(self, msg: str, **result: Any) -> None:
        self._end({**result, "failed": True, "msg": msg})

    def exit_json(self, **result: Any) -> None:
        self._end(result)

    def _end(self, result: dict[str, Any]) -> None:
        shown = {**result, "invocation": {"module_args": self.params}, "warnings": self.warnings}
        raise Ended(json.loads(json.dumps(remove_values(shown, self.no_log_values))))

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def log(self, text: str) -> None:
        pass

    def get_bin_path(self, name: str) -> str | None:
        return shutil.which(name)

    def run_command(self, command: list[str], data: bytes = b"", binary_data: bool = False) -> tuple[int, str, str]:
        done = subprocess.run(command, capture_output=True, input=data, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


def runner(monkeypatch: Any, module: ModuleType, **always: Any) -> Callable[..., dict[str, Any]]:
    """run(check=False, diff=False, **arguments) of that module; always: arguments of every run."""

    def run(*, check: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
        kind = type("Given", (Stub,), {"given": {**always, **arguments}, "check": check, "diff": diff})
        monkeypatch.setattr(module, "AnsibleModule", kind)
        try:
            module.main()
        except Ended as ended:
            return ended.result
        raise AssertionError("the module did not end")

    return run


def undocumented(documented: Mapping[str, Any], result: Mapping[str, Any], place: str = "") -> list[str]:
    """Where a result and its RETURN differ: keys that only one of them has, values of another type."""
    kinds = {"str": str, "list": list, "dict": dict, "int": int, "bool": bool}
    wrong = [f"{place}{key} is not documented" for key in result if key not in documented]
    for key, entry in documented.items():
        if key not in result:
            wrong += [f"{place}{key} is missing"] if entry["returned"] == "always" else []
            continue
        value = result[key]
        if value is not None and not isinstance(value, kinds[entry["type"]]):
            wrong.append(f"{place}{key} is no {entry['type']}")
        rows = value if isinstance(value, list) else [value]
        for row in rows if "contains" in entry else ():
            if row is not None:
                wrong += undocumented(entry["contains"], row, f"{place}{key}.")
    return wrong
