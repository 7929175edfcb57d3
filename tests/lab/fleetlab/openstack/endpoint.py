# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's OpenStack: the released services themselves, from PyPI, as six processes on loopback."""
from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from ..core import LAB_SOURCE, PYTHON_TAG, Child, Endpoint, LabError
from . import catalogue, clouds_yaml
from .config import SERVICES, Stack, files

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
# A driver is found through the metadata of an installed distribution only; this is all of such metadata it takes.
DRIVER_METADATA = {
    "METADATA": "Metadata-Version: 2.1\nName: fleetlab\nVersion: 1.0\n",
    "entry_points.txt": "[neutron.ml2.mechanism_drivers]\nfleetlab = fleetlab.openstack.neutron_driver:BindAll\n",
}
# Nova's compute service registers with these when it starts, and looks again only a minute later
NEEDED_FIRST = {"nova": ("keystone", "placement", "neutron")}


class Part(Endpoint):
    """Keystone, Glance, Placement, Neutron, Nova and a standalone Ironic."""

    name = "openstack"

    @functools.cached_property
    def stack(self) -> Stack:
        return Stack(self.lab.run / "openstack", self._venv, {service: self.lab.port(service) for service in SERVICES})

    @property
    def clouds_yaml(self) -> Path:
        return self.lab.run / "openstack" / "clouds.yaml"

    @functools.cached_property
    def _venv(self) -> Path:
        return self.lab.venv("openstack", REQUIREMENTS, self._constraints)

    @functools.cached_property
    def _constraints(self) -> Path:
        """The freeze made with this Python."""
        constraints = HERE / f"constraints-{PYTHON_TAG}.txt"
        if not constraints.exists():
            known = ", ".join(sorted(path.stem.removeprefix("constraints-py") for path in HERE.glob("constraints-*")))
            raise LabError(f"openstack: there is no tested set of releases for Python {PYTHON_TAG[2:]}; "
                           f"run the lab with Python {known}")
        return constraints

    def prepare(self) -> None:
        self._venv  # noqa: B018 - made on first use

    # -- start ------------------------------------------------------------------------------------------------
    def start(self) -> None:
        self._write_files()
        self._restore_databases()
        catalogue.register(self.stack.folder / "db/keystone.sqlite", self.stack)
        alive = {child.name: child for child in self.lab.children() if child.alive}
        started = {service: alive.get(service) or self._start(service) for service in SERVICES}
        for service, child in started.items():
            self.lab.wait_http(child, f"{self.stack.url(service)}/")
        self.lab.say(f"openstack: {', '.join(SERVICES)} answer")

    def _write_files(self) -> None:
        folder = self.stack.folder
        for name in ("", "conf", "lock", "images", "nova", "neutron", "ironic", "plugins/fleetlab-1.0.dist-info"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files(self.stack).items():
            (folder / "conf" / name).write_text(text, encoding="utf-8")
        for name, text in DRIVER_METADATA.items():
            (folder / "plugins/fleetlab-1.0.dist-info" / name).write_text(text, encoding="utf-8")
        if not self.clouds_yaml.exists():
            clouds_yaml.write(self.clouds_yaml, clouds_yaml.operator_entries(self.stack))

    def _start(self, service: str) -> Child:
        conf = self.stack.folder / "conf"
        needed_first = NEEDED_FIRST.get(service, ())
        command = self._module("service", service, str(conf), str(self.stack.ports[service]),
                               *(str(self.stack.ports[needed]) for needed in needed_first))
        return self.lab.start(service, command, self._environment())

    def _module(self, module: str, *arguments: str) -> list[str]:
        """Command that runs a module of this package with the services' Python.

        -P: the run folder, in which it starts, holds a folder named like the package of openstacksdk.
        """
        return [str(self._venv / "bin/python"), "-P", "-m", f"fleetlab.openstack.{module}", *arguments]

    def _environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": f"{LAB_SOURCE.parent}{os.pathsep}{self.stack.folder / 'plugins'}",
            "XDG_CACHE_HOME": str(self.lab.cache / "openstack-xdg"),  # where stevedore keeps what it found
            "OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml),
            "no_proxy": "127.0.0.1,localhost",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    # -- databases --------------------------------------------------------------------------------------------
    def _restore_databases(self) -> None:
        """Put the databases in place: from the snapshot, which the first start makes."""
        if (self.stack.folder / "db").exists():
            return
        snapshot = self._snapshot()
        if not snapshot.exists():
            self._make_databases(snapshot)
        spare = self.stack.folder / "db.new"
        shutil.rmtree(spare, ignore_errors=True)
        shutil.copytree(snapshot, spare)
        spare.rename(self.stack.folder / "db")

    def _snapshot(self) -> Path:
        """Its name tells the releases and the code it was made with, so an older one is never taken."""
        made_with = hashlib.sha256()
        for path in (self._constraints, HERE / "databases.py", HERE / "config.py"):
            made_with.update(path.read_bytes())
        return self.lab.cache / f"openstack-databases-{PYTHON_TAG}-{made_with.hexdigest()[:12]}"

    def _make_databases(self, snapshot: Path) -> None:
        """Make every database at once, each in a process of its own."""
        self.lab.say("openstack: making the databases (once; kept for later starts)")
        folder = self.stack.folder / "db"
        folder.mkdir()
        try:
            jobs = {service: self._job(f"database-{service}", "databases", service, str(self.stack.folder / "conf"))
                    for service in SERVICES}
            failed = [service for service, job in jobs.items() if job.wait()]
            if failed:
                raise LabError(f"openstack: could not make the database of {', '.join(failed)}; the reason is in "
                               f"{self.lab.log}/database-{failed[0]}.log")
            for older in self.lab.cache.glob(f"openstack-databases-{PYTHON_TAG}-*"):
                shutil.rmtree(older)
            spare = snapshot.with_suffix(".new")
            shutil.copytree(folder, spare)
            spare.rename(snapshot)
        finally:
            shutil.rmtree(folder)

    def _job(self, log_name: str, *arguments: str) -> subprocess.Popen[bytes]:
        self.lab.log.mkdir(parents=True, exist_ok=True)
        with (self.lab.log / f"{log_name}.log").open("ab") as log:
            return subprocess.Popen(self._module(*arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    cwd=self.lab.run, env={**os.environ, **self._environment()})

    # -- contents ---------------------------------------------------------------------------------------------
    def seed(self) -> None:
        log = self.lab.log / "openstack-seed.log"
        with log.open("ab") as errors, subprocess.Popen(
            self._module("seed", str(self.clouds_yaml)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=errors, text=True, cwd=self.lab.run, env={**os.environ, **self._environment()},
        ) as job:
            for line in job.stdout or ():
                self.lab.say(f"openstack: {line.rstrip()}")
        if job.returncode:
            reason = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            raise LabError(f"openstack: seeding failed: {reason} (all of it: {log}). 'seed' can be run again.")

    def env(self) -> dict[str, str]:
        return {"OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml)}
