# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes a node of each cloud through the eight steps and tells where clouds differ. Works on the controller only."""
from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Settings
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import DEFAULT_STATES, Cloud, check_settings, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import arguments
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.fleet_module import FLEET_VARIABLE, FleetModule
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance import cleaning, files, guard, junit, keys, lines, page, suite, wishes
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.checks import BY_ID, ERROR
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.course import Plan
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.journal import Journal, folder
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.openssh import OpenSsh
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.report import Report, as_dict, labels
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.stop import Stop
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.newcomer import CONNECT_TO
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.text import visible

SLACK = 240  # seconds beyond the timeout for requests that clean up after it
CLEAN_UP = 300.0  # seconds that the end of a node is waited for at least
LAST_WORDS = 40  # lines shown after a signal: nobody may read them any more, and a full pipe would hold the clean-up
NO_TERMINAL, ELSEWHERE = 79, 160  # columns: what Ansible reports without a terminal, and what is used then

ARGUMENTS: dict[str, Any] = {
    "fleet": {"type": "path"},
    "clouds": {"type": "list", "elements": "str", "default": []},
    "requirement": {"type": "dict", "default": {}},
    "requirements": {"type": "dict", "default": {}},
    "only": {"type": "list", "elements": "str", "default": []},
    "skip": {"type": "list", "elements": "str", "default": []},
    "ssh": {"type": "bool", "default": True},
    "ssh_common_args": {"type": "str", "default": ""},
    "max_nodes": {"type": "int"},
    "tags": {"type": "dict", "default": {}},
    "yardstick": {"type": "str"},
    "run": {"type": "str"},
    "sweep": {"type": "bool", "default": False},
    "state_dir": {"type": "path"},
    "json": {"type": "path"},
    "junit": {"type": "path"},
    "html": {"type": "path"},
    "width": {"type": "int", "default": 0},
    "timeout": {"type": "int", "default": 600},
    "retries": {"type": "int", "default": 3},
    "workers": {"type": "int", "default": 16},
}
_RUN = re.compile(r"[a-z0-9]{1,20}")


class ActionModule(FleetModule):
    """Runs once for all hosts, on the controller."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = ActionBase.run(self, tmp, task_vars)
        _checked, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        self.given: dict[str, Any] = plain(given)
        self.said = 0
        try:
            self._check_given()
            data, path = self._fleet_data(task_vars or {})
            clouds = self._clouds(data, path)
            work = self._sweep if self.given["sweep"] else self._ask
            return {**result, "changed": False, **work(clouds, data, path)}
        except FleetError as failure:
            self._fail(failure)

    def _fail(self, failure: FleetError) -> NoReturn:
        raise AnsibleActionFail(str(failure)) from None

    # -- what is meant -----------------------------------------------------------------------------------------
    def _check_given(self) -> None:
        given = self.given
        for key in ("timeout", "workers"):
            if given[key] < 1:
                raise FleetError(f"{key}: {given[key]} is too small", fix="Give at least 1.", code="argument")
        if given["run"] is not None and not _RUN.fullmatch(given["run"]):
            raise FleetError(f"run: '{given['run']}' cannot be part of a name on every cloud", code="argument",
                             fix="Use at most 20 small letters and digits.")

    def _fleet_data(self, task_vars: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        path = self.given["fleet"] or os.environ.get(FLEET_VARIABLE)
        if not path:
            raise FleetError("read the fleet file", why=f"neither 'fleet' nor {FLEET_VARIABLE} names one", code="argument",
                             fix="Give fleet: path/to/fleet.yml.")
        full = self._find(str(path))
        source = os.path.basename(full)
        raw = self._load(full, source)
        names = self.given["clouds"]
        if names and isinstance(raw, Mapping) and isinstance(raw.get("clouds"), Mapping):
            strange = [name for name in names if name not in raw["clouds"]]
            if strange:
                raise FleetError(f"{source} has no cloud '{strange[0]}'", fix=f"It has: {', '.join(map(str, raw['clouds']))}.", code="argument")
            # templates of clouds that are not meant need not be possible here
            raw = {**raw, "clouds": {name: raw["clouds"][name] for name in raw["clouds"] if name in names}}
        data = self._evaluated(raw, full, task_vars)
        check_settings(data, source)
        return data, full

    def _clouds(self, data: Mapping[str, Any], path: str) -> list[Cloud]:
        clouds = parse_clouds(data.get("clouds"), os.path.basename(path))
        if not clouds:
            raise FleetError("run the conformance suite", why="no cloud is enabled", fix="Enable one in the fleet file.", code="argument")
        return [dataclasses.replace(cloud, filters=dataclasses.replace(cloud.filters, states=(), tags={}, names=())) for cloud in clouds]

    def _settings(self, path: str) -> Settings:
        display = Display()
        return Settings(
            timeout=self.given["timeout"] + SLACK, retries=self.given["retries"], workers=self.given["workers"], states=DEFAULT_STATES,
            base_dir=os.path.dirname(os.path.abspath(path)), environ=dict(os.environ), warn=display.vv, note=display.vvv)

    # -- asking ------------------------------------------------------------------------------------------------
    def _ask(self, clouds: Sequence[Cloud], data: Mapping[str, Any], path: str) -> dict[str, Any]:
        given = self.given
        skip = [*given["skip"], *(check.id for check in BY_ID.values() if check.ssh and not given["ssh"])]
        checks = guard.selected(given["only"], skip)
        wanted = self._requirements(clouds)
        yardstick, measured = suite.yardstick_of(clouds, given["yardstick"])
        if measured and yardstick not in [cloud.name for cloud in clouds]:
            raise FleetError(f"yardstick: '{yardstick}' is not among the clouds of this run", fix="Name one of them, or 'aws'.", code="argument")
        plan = {cloud.name: guard.nodes_for(checks, cloud.provider) for cloud in clouds}
        needed = sum(plan.values())
        allowed = guard.PER_CLOUD * len(clouds) if given["max_nodes"] is None else given["max_nodes"]
        guard.refuse(needed, allowed, list(plan))
        paths = {kind: files.place(given[kind]) for kind in ("json", "junit", "html")}
        if self._task.check_mode:
            return {"checks": checks, "plan": plan, "skipped": False}
        run = given["run"] or secrets.token_hex(4)
        names = {cloud.name: wishes.name_of(run, number) for number, cloud in enumerate(clouds, start=1)}
        journal = Journal(folder(given["state_dir"], os.environ))
        stop = Stop()
        with stop:
            place = journal.begin(run, {cloud: [name] for cloud, name in names.items()})
            try:
                report = suite.run(
                    clouds, names, wanted,
                    Plan(run=run, checks=checks, place=place, pair=keys.make(place, "node"), fleet_pair=keys.make(place, "fleet"),
                         timeout=float(given["timeout"]), workers=given["workers"], settings=self._settings(path), budget=guard.Budget(allowed),
                         stop=stop, shell=OpenSsh(stop.sleep, lambda text: self._say(stop, text)),
                         tags={str(key): str(value) for key, value in given["tags"].items()}, connect_to=tuple(data.get("connect_to") or CONNECT_TO),
                         ip_family=data.get("ip_family") or "any", ssh_arguments=arguments.split(given["ssh_common_args"]),
                         say=lambda cloud, word: self._say(stop, f"{cloud}: {word}")),
                    fleet=os.path.basename(path), max_nodes=allowed, yardstick=yardstick, measured=measured)
            except BaseException:
                journal.keep(run, list(names))
                raise
            journal.keep(run, [cloud.name for cloud in report.clouds if cloud.left])
            return self._told(report, paths, stop)

    def _requirements(self, clouds: Sequence[Cloud]) -> dict[str, dict[str, Any]]:
        given = self.given
        common = wishes.checked(given["requirement"], "requirement")
        strange = [name for name in given["requirements"] if name not in [cloud.name for cloud in clouds] and given["clouds"] == []]
        if strange:
            raise FleetError(f"requirements: there is no cloud '{strange[0]}'", fix="Correct the name.", code="argument")
        own = {cloud.name: given["requirements"].get(cloud.name) or {} for cloud in clouds}
        return {name: {**common, **wishes.checked(data, f"requirements.{name}")} for name, data in own.items()}

    def _told(self, report: Report, paths: Mapping[str, str | None], stop: Stop) -> dict[str, Any]:
        """Write the reports, show the table, and say whether that is a failure."""
        texts = {"json": lambda: json.dumps(as_dict(report), indent=1) + "\n", "junit": lambda: junit.xml(report), "html": lambda: page.page(report)}
        trouble = []
        for kind, path in paths.items():
            try:
                if path:
                    files.write(path, texts[kind]())
            except OSError as problem:
                trouble.append(f"{path} could not be written: {problem.strerror}")
        left = [f"{cloud.name}: {'; '.join(cloud.left)}" for cloud in report.clouds if cloud.left]
        if stop.asked:
            # little is told: whoever started us may not read any more
            return {"failed": True, "msg": f"{report.ended}; " + ("left behind, so sweep: " + " | ".join(left) if left else "everything was removed")}
        for line in lines.table(report, self._columns()):
            Display().display(line)
        errors = [f"{cloud.name}, {labels(report, checks)}: {finding.evidence}" for cloud in report.clouds
                  for checks, finding in report.told_once([finding for finding in cloud.findings if finding.verdict == ERROR])]
        lacking = [f"{cloud}, {BY_ID[finding.check].label}" for cloud, finding in report.lacking]
        result: dict[str, Any] = clean({
            "report": as_dict(report), "run": report.run, "files": [path for path in paths.values() if path], "errors": errors, "lacking": lacking,
            "left": [*left, *trouble], "changed": report.made > 0})
        return result

    # -- sweeping ----------------------------------------------------------------------------------------------
    def _sweep(self, clouds: Sequence[Cloud], _data: Mapping[str, Any], path: str) -> dict[str, Any]:
        journal = Journal(folder(self.given["state_dir"], os.environ))
        notes = journal.notes()
        spared = {note.run for note in notes if note.alive}
        only = self.given["run"]
        noted = {cloud.name: [name for note in notes for name in note.names.get(cloud.name, ())] for cloud in clouds}
        making = Making(timeout=max(float(self.given["timeout"]), CLEAN_UP), workers=self.given["workers"], settings=self._settings(path))
        if self._task.check_mode:
            there = {cloud.name: {*noted[cloud.name], *cleaning.names_found(cloud, making)} for cloud in clouds}
            would = {name: cleaning.meant(found, spared, only) for name, found in there.items()}
            return {"swept": clean([{"cloud": name, "names": names} for name, names in would.items()]), "changed": any(would.values())}

        def lost(cloud: Cloud, surprise: Exception) -> cleaning.Swept:
            return cleaning.Swept(cloud.name, (), (f"{type(surprise).__name__}: {surprise}",))

        swept = suite.side_by_side(clouds, lambda cloud: cleaning.sweep(cloud, noted[cloud.name], spared, making, only=only), lost)
        for note in notes:
            if note.alive or (only and note.run != only):
                continue
            cleared = {row.cloud for row in swept if not row.left}
            journal.keep(note.run, [cloud for cloud in note.names if cloud not in cleared])
        for line in lines.swept([(row.cloud, row.removed, row.left, row.spared) for row in swept]):
            Display().display(line)
        result: dict[str, Any] = {
            "swept": clean([dataclasses.asdict(row) for row in swept]), "changed": any(row.removed for row in swept)}
        left = [f"{row.cloud}: {'; '.join(row.left)}" for row in swept if row.left]
        return {**result, "failed": True, "msg": f"not all could be removed: {' | '.join(left)}"} if left else result

    # -- showing -----------------------------------------------------------------------------------------------
    def _say(self, stop: Stop, text: str) -> None:
        """A line of progress. What happens to the line is no reason to lose a node."""
        if stop.asked:
            self.said += 1
            if self.said > LAST_WORDS:
                return
        with contextlib.suppress(Exception):
            Display().display(f"  {time.strftime('%H:%M:%S')} {visible(text)}")

    def _columns(self) -> int:
        if self.given["width"] > 0:
            return int(self.given["width"])
        known: int = Display().columns
        return ELSEWHERE if known <= NO_TERMINAL else known
