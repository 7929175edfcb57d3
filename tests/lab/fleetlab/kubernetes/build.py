# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Builds the programs with the machine's Go, each component in a folder of its own; one that is there already is left alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..core import LabError
from .components import Component

_GO = "1.24.0"
"""Oldest language version of the modules; the machine's Go must be this or newer."""


def go_mod(component: Component, base: str = "") -> str:
    """The go.mod of a module of our own that has the component's as requirements. base: the go.mod that it is made of. Pure."""
    required = "".join(f"require {module} {version}\n" for module, version in component.modules.items())
    if not base:
        return f"module fleetlab/{component.name}\n\ngo {_GO}\n\n{required}"
    published = component.version.replace("v1.", "v0.", 1)  # the modules of Kubernetes' own repository bear v0.<minor>.<patch>
    text = re.sub(r"(?m)^module .*$", f"module fleetlab/{component.name}", base)
    text = re.sub(r"=> \./staging/src/(\S+)", rf"=> \1 {published}", text)
    return f"{text.rstrip()}\n\n{required}"


class Builder:
    """Where programs are built and kept: ``<folder>/bin/<component>-<version>/<program>``."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        # the lab's settings must be the same on every machine: no other toolchain, no vendor folder, nothing of C
        self._environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOOS": "linux", "GOARCH": "amd64", "GOWORK": "off"}

    def programs(self, component: Component) -> Path:
        """The folder of a component's programs, whether they are there or not."""
        return self._folder / "bin" / component.folder

    def build(self, component: Component) -> Path:
        """Programs of a component, built where they are missing. Raises LabError with what Go said."""
        done = self.programs(component)
        missing = [name for name in component.programs if not (done / name).exists()]
        if not missing:
            return done
        if not shutil.which("go"):
            raise LabError(f"Kubernetes for the lab is built with Go {_GO} or newer, which this machine has not (Debian: golang-go)")
        done.mkdir(parents=True, exist_ok=True)
        work = self._module(component)
        flags = " ".join(["-s", "-w", *(f"-X {variable}" for variable in component.variables)])
        for name in missing:
            began = time.monotonic()
            spare = work / f"{name}.new"
            self._go(work, "build", "-mod=mod", "-trimpath", "-buildvcs=false", f"-ldflags={flags}", "-o", str(spare), component.programs[name])
            spare.replace(done / name)
            self._say(f"kubernetes: {component.folder}: {name} built in {time.monotonic() - began:.0f} s")
        return done

    def module(self, name: str, version: str) -> Path:
        """The unpacked source of a module. Raises LabError where it cannot be had."""
        told: Mapping[str, str] = json.loads(self._go(self._folder, "mod", "download", "-json", f"{name}@{version}"))
        return Path(told["Dir"])

    def _module(self, component: Component) -> Path:
        work = self._folder / "work" / component.folder
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        base = self.module(component.base, component.version) if component.base else None
        (work / "go.mod").write_text(go_mod(component, (base / "go.mod").read_text(encoding="utf-8") if base else ""), encoding="utf-8")
        if base:
            (work / "go.sum").write_bytes((base / "go.sum").read_bytes())
        if component.source:
            (work / "main.go").write_text(component.source, encoding="utf-8")
        return work

    def _go(self, folder: Path, *words: str) -> str:
        done = subprocess.run(["go", *words], cwd=folder, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"go {words[0]} for {folder.name} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
        return done.stdout
