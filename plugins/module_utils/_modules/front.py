# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all modules of the collection share: arguments, the cloud they name, how failures are told. Knows Ansible, no cloud."""
from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ansible.module_utils.basic import AnsibleModule

from .._fleet.collect import Settings
from .._fleet.errors import FleetError, FleetFileError
from .._fleet.fleet_file import DEFAULT_STATES, Cloud, parse_clouds
from .._fleet.options import Option
from .._fleet.providers.registry import PROVIDERS, load_libraries

T = TypeVar("T")

CLOUD_ARGUMENTS: dict[str, Any] = {
    "fleet": {"type": "path"},
    "cloud": {"type": "str"},
    "definition": {"type": "dict"},
    "definitions": {"type": "json", "no_log": True},  # one text, so that it can be hidden without hiding each word of it
    "base_dir": {"type": "path"},
    "timeout": {"type": "int", "default": 300},
    "retries": {"type": "int", "default": 3},
    "workers": {"type": "int", "default": 16},
}
"""Arguments of every module; documented in doc fragment hybridops.fleet.cloud."""

INLINE = "inline"
"""Name of a cloud that is defined in the task and not named there."""

SLACK = 240  # seconds beyond the module's timeout for requests that clean up after it


class Clouds:
    """The clouds that a module's arguments name, each checked when it is first asked for. Their secrets are never shown."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._known: dict[str, Cloud] = {}
        self._definitions = definitions_of(module.params["definitions"])

    def named(self, name: str | None = None) -> Cloud:
        """The cloud of that name; without one, the one that option 'cloud' or 'definition' means. Raises FleetError."""
        given = self._module.params
        wanted = name or given["cloud"] or (INLINE if given["definition"] is not None or INLINE in self._definitions else "")
        if wanted not in self._known:
            self._known[wanted] = self._parse(wanted, given)
        return self._known[wanted]

    def _parse(self, name: str, given: Mapping[str, Any]) -> Cloud:
        entry = self._definitions.get(name)
        if entry is None and name in (given["cloud"], INLINE):
            entry = given["definition"]
        if entry is None:
            entry = _entry_of_file(given["fleet"], name)
        source = os.path.basename(given["fleet"]) if given["fleet"] else "definition"
        self._module.no_log_values.update(secrets_in(entry))
        clouds = parse_clouds({name: entry}, source)
        if not clouds:
            raise FleetError(f"cloud '{name}' is switched off", why=f"enabled: false in {source}", fix="Set enabled: true.", code="disabled")
        load_libraries(clouds)  # here, as the work on several clouds is done by threads
        return clouds[0]


def definitions_of(text: str | None) -> dict[str, Any]:
    """Settings of clouds by name, from option 'definitions'. Raises FleetError."""
    return mapping_of(text, "'definitions' is not a mapping of cloud names to their settings", "Use 'fleet' with 'cloud', or 'definition'.")


def mapping_of(text: str | None, otherwise: str, fix: str) -> dict[str, Any]:
    """The mapping in an option that is JSON, empty when it was not given. Raises FleetError, saying what is wrong and the mend."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise FleetError(otherwise, fix=fix, code="argument")
    return found


def run(module: AnsibleModule, work: Callable[[Clouds], T]) -> T:
    """What work returns for the clouds that the module's arguments name; every failure ends the module with a sentence."""
    try:
        for key in ("timeout", "retries", "workers"):
            if module.params[key] < (0 if key == "retries" else 1):
                raise FleetError(f"{key}: {module.params[key]} is too small", fix="Give at least 1.", code="argument")
        return work(Clouds(module))
    except FleetError as failure:
        module.fail_json(msg=str(failure), error=described(failure))
        raise  # fail_json does not return
    except (KeyboardInterrupt, SystemExit):
        raise
    except Exception as surprise:
        if module._verbosity >= 3:  # the only place where an operator asks for a stack trace
            raise
        module.fail_json(msg=f"{type(surprise).__name__}: {surprise}. This is a defect of the collection; please report it with the output of -vvv.")
        raise


def _entry_of_file(path: str | None, name: str | None) -> Any:
    """The cloud's entry, when the module was not started by the collection's action plugin (which templates it)."""
    if not path or not name:
        raise FleetError("find the cloud", why="neither 'fleet' with 'cloud' nor 'definition' is given", code="argument",
                         fix="Write fleet: path/to/fleet.yml and cloud: <its name there>, or the cloud's settings as definition.")
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            data = yaml.safe_load(file)
    except OSError as problem:
        raise FleetError("read the fleet file", why=f"{problem.strerror}: {path}", fix="Correct 'fleet'.", code="not_found") from None
    except yaml.YAMLError:
        raise FleetFileError(os.path.basename(path), "", "is not YAML", "Correct the file.") from None
    return entry_named(data, name, os.path.basename(path))


def entry_named(data: Any, name: str, source: str) -> Any:
    """The entry of that cloud in a fleet file's data. Raises FleetFileError naming those there are."""
    clouds = data.get("clouds") if isinstance(data, Mapping) else None
    if not isinstance(clouds, Mapping) or not clouds:
        raise FleetFileError(source, "clouds", "expected a mapping of cloud names to their settings", "Is this a fleet file?")
    if name not in clouds:
        raise FleetFileError(source, "clouds", f"there is no cloud '{name}'", f"There are: {', '.join(map(str, clouds))}.")
    return clouds[name]


def secrets_in(entry: Any) -> set[str]:
    """Values of a cloud's entry that must not be shown, by the options of its provider."""
    provider = PROVIDERS.get(str(entry.get("provider"))) if isinstance(entry, Mapping) else None
    return set(_secrets(provider.options, entry)) if provider else set()


def _secrets(options: tuple[Option, ...], data: Any) -> Iterator[str]:
    for row in data if isinstance(data, list) else [data]:
        for option in options if isinstance(row, Mapping) else ():
            value = row.get(option.name)
            if option.secret and isinstance(value, str) and value:
                yield value
            elif option.options:
                yield from _secrets(option.options, value)


def settings_of(module: AnsibleModule, *, timeout: float | None = None) -> Settings:
    """How to talk to the cloud. timeout: seconds that one request with its retries may take in all."""
    given = module.params
    folder = given["base_dir"] or (os.path.dirname(os.path.abspath(given["fleet"])) if given["fleet"] else os.getcwd())
    return Settings(
        timeout=timeout or given["timeout"] + SLACK, retries=given["retries"], workers=given["workers"], states=DEFAULT_STATES,
        base_dir=folder, environ=os.environ, warn=module.warn, note=module.log)


def described(failure: FleetError) -> dict[str, Any]:
    """A failure as data, for playbooks that decide by it."""
    return {"what": failure.what, "why": failure.why, "fix": failure.fix, "code": failure.code, "cloud": failure.cloud, "scope": failure.scope}


def progress(path: str | None) -> Callable[[str, str], None]:
    """Writes a line for each step of each node, when there is a file to write to."""
    if not path:
        return lambda name, word: None
    lock = threading.Lock()

    def say(name: str, word: str) -> None:
        try:
            with lock, open(path, "a", encoding="utf-8") as file:
                file.write(f"{name}: {' '.join(word.split())}\n")
        except OSError:
            pass  # a progress line is no reason to lose a node

    return say
