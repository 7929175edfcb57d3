# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Boots, stops and removes hosts, a few at a time, until they are what the clouds report."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from . import inotify
from .base import Images
from .container import Container
from .model import Actual, Host, Plan, World, plan
from .place import Numbers, Place
from .wiring import Wiring

AT_ONCE = 3  # boots at the same time: each costs seconds of CPU, and more of them only starve each other
BOOT_SECONDS = 45  # after which a boot no longer holds up the next one
STOP_SECONDS = 25
PASSWORD_MACHINES = ("r42-u03",)  # whose installer left password logins on


class Keeper:
    """The hosts of one lab on this machine. Used by one thread."""

    def __init__(self, place: Place, numbers: Numbers, wiring: Wiring, images: Images, suite: Callable[[Host], str],
                 kubernetes: Callable[[], Path | None]) -> None:
        """:param kubernetes: where the lab has what it built of Kubernetes."""
        self._kubernetes = kubernetes
        self._place, self._numbers, self._wiring, self._images, self._suite = place, numbers, wiring, images, suite
        self._containers: dict[str, Container] = {}
        self._waiting: list[str] = []
        self._fresh: set[str] = set()
        self._booting: dict[str, float] = {}
        self._stopping: dict[str, float] = {}
        self._world = World({}, frozenset())
        for key, number in numbers.all("hosts").items():  # of a keeper before this one
            if place.host_folder(number).exists():
                self._containers[key] = self._container(number)

    def _container(self, number: int) -> Container:
        return Container(self._place.host_folder(number), self._place.name, number)

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._booting or self._stopping)

    # -- what is reported -------------------------------------------------------------------------------------
    def reconcile(self, world: World, known: Callable[[str], bool]) -> Plan:
        """Take over what the clouds report now. :param known: whether the cloud of that key has reported at all."""
        self._world = world
        actual = {key: self._actual(key, container) for key, container in self._containers.items() if known(key)}
        todo = plan(world, actual)
        self._wiring.apply(world.running)
        for key in todo.remove:
            self._remove(key)
        for key in todo.stop:
            if key not in self._stopping:
                self._stopping[key] = time.monotonic()
                self._containers[key].power_off()
        for key in todo.restart:
            if key not in self._stopping:
                self._containers[key].note(restarted=world.running[key].restarted)
                self._containers[key].reboot()
        self._fresh |= todo.fresh
        self._waiting = [key for key in todo.boot if key not in self._booting and key not in self._stopping]
        for key in world.running:
            if key in self._containers and self._containers[key].alive:
                self._wiring.connect(world.running[key])
        return todo

    def _actual(self, key: str, container: Container) -> Actual:
        facts = container.facts()
        return Actual(container.alive, facts.get("disk", ""), facts.get("restarted", 0.0), container.halted and key not in self._stopping)

    # -- one step ---------------------------------------------------------------------------------------------
    def step(self) -> bool:
        """Go on with what is under way; True when something ended that asks for another look at the whole."""
        news = False
        for key, began in list(self._booting.items()):
            container = self._containers.get(key)
            if container is None or not container.alive or container.ready() or time.monotonic() - began > BOOT_SECONDS:
                del self._booting[key]
        for key, began in list(self._stopping.items()):
            container = self._containers[key]
            if container.alive and time.monotonic() - began > STOP_SECONDS:
                container.kill()
            if not container.alive:
                del self._stopping[key]
                (container.folder / "exit").unlink(missing_ok=True)
                self._wiring.disconnect(key)
                news = True
        while self._waiting and len(self._booting) < AT_ONCE:
            self._boot(self._waiting.pop(0))
        return news

    def _boot(self, key: str) -> None:
        host = self._world.running.get(key)
        if host is None:
            return
        number = self._numbers.of("hosts", key)
        container = self._containers.get(key) or self._container(number)
        fresh = key in self._fresh or not (container.folder / "upper").exists()
        # a disk stays on the image it was made over, whatever the lab would give a new one
        suite = self._suite(host) if fresh else container.facts().get("suite") or self._suite(host)
        try:
            if fresh:
                if container.alive:
                    container.kill()
                container.folder.mkdir(parents=True, exist_ok=True)
                password = self._place.password.read_text(encoding="ascii").strip() if host.name in PASSWORD_MACHINES else None
                public = self._place.install_key.with_suffix(".pub").read_text(encoding="ascii").strip()
                container.make_disk(host, self._images.root(suite), public, password)
            self._fresh.discard(key)
            self._containers[key] = container
            container.note(key=key, name=host.name, disk=host.disk, restarted=host.restarted, suite=suite)
            inotify.raise_limit(self._place.root)
            namespace = self._wiring.connect(host)
            console = self._place.consoles / host.ident
            console.unlink(missing_ok=True)
            console.symlink_to(container.console)
            container.start(
                host, Path("/run/netns") / namespace, self._images.root(suite), self._place.folder / "facts", self._images.repository(suite),
                self._kubernetes() if host.kubelet else None,
            )
            self._booting[key] = time.monotonic()
        except OSError as failure:
            print(f"hosts: {key} does not boot: {failure}", file=sys.stderr, flush=True)

    def _remove(self, key: str) -> None:
        for known in (self._booting, self._stopping):
            known.pop(key, None)
        container = self._containers.pop(key)
        container.remove()
        self._wiring.disconnect(key)
        self._numbers.forget("hosts", key)
        for link in self._place.consoles.iterdir():
            if link.is_symlink() and not link.exists():
                link.unlink()

    def status(self) -> Mapping[str, Mapping[str, object]]:
        """For people: what is there and what it cost."""
        return {
            key: {
                "number": container.number,
                "alive": container.alive,
                "ready": container.ready(),
                **container.cost(),
                "booting": key in self._booting,
            }
            for key, container in self._containers.items()
        } | {key: {"waiting": True} for key in self._waiting}


def lay_sysctl(folder: Path) -> None:
    """Files with this machine's kernel, vm and fs settings, for every host to have its own of: see guest/private-sysctl."""
    target = folder / "var/lib/fleet-lab/sysctl"
    shutil.rmtree(target, ignore_errors=True)
    for kind in ("kernel", "vm", "fs"):
        for path in Path("/proc/sys", kind).rglob("*"):
            if "binfmt_misc" in path.parts or "random" in path.parts or not path.is_file():
                continue
            copy = target / path.relative_to("/proc/sys")
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                copy.write_bytes(path.read_bytes())
            except OSError:
                copy.write_bytes(b"")
    (target / "kernel/random").mkdir(parents=True, exist_ok=True)
    for name, value in (("kernel/yama/ptrace_scope", "0"), ("kernel/sysrq", "438"), ("kernel/kexec_load_disabled", "0")):  # as a stock kernel has
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text(f"{value}\n", encoding="ascii")
