# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hosts' daemon: follows the lab's clouds and keeps the hosts behind them. ``python -m fleetlab.hosts.daemon --state FOLDER``."""

from __future__ import annotations

import argparse
import json
import socket
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..core import Lab
from ..kubernetes import made as kubernetes
from . import image, netns
from .base import Images
from .keeper import Keeper, lay_sysctl
from .model import Host, World
from .place import Numbers, Place
from .serving import Acceptor, Metadata, forwarder
from .sources import ec2, gce, metal, openstack
from .wiring import Wiring

LOOK = 0.25  # seconds between two looks at whether a database or a rack file has changed: microseconds of work each
SLOW_LOOK = 30.0  # seconds between two looks at the hosts themselves when nothing happens


class News:
    """What each source reported last, and a bell."""

    def __init__(self) -> None:
        self._bell = threading.Condition()
        self._worlds: dict[str, World] = {}
        self._rung = False

    def report(self, source: str, world: World) -> None:
        with self._bell:
            if self._worlds.get(source) != world:
                self._worlds[source] = world
                self._rung = True
                self._bell.notify_all()

    def wait(self, seconds: float) -> bool:
        """True when something was reported."""
        with self._bell:
            self._bell.wait_for(lambda: self._rung, seconds)
            rung, self._rung = self._rung, False
            return rung

    def all(self) -> tuple[World, frozenset[str]]:
        with self._bell:
            return World.union(self._worlds.values()), frozenset(self._worlds)


class Watchers:
    """One thread for each way of following a cloud."""

    def __init__(self, lab: Lab, news: News) -> None:
        self._lab, self._news = lab, news
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def start(self) -> None:
        parts = self._lab.state()["endpoints"]
        run = self._lab.run
        if "openstack" in parts:
            databases = openstack.Databases(run / "openstack/db")
            self._thread(lambda: self._by_looking("openstack", databases.changed, lambda: openstack.world(databases.read())))
            ironic = metal.Ironic(run / "openstack/db")
            self._thread(lambda: self._by_looking("ironic", ironic.changed, lambda: metal.ironic_world(*ironic.read())))
        if "metal" in parts:
            racks = run / "racks"
            self._thread(lambda: self._by_looking("metal", lambda: metal.racks_changed(racks), lambda: metal.rack_world(metal.read_racks(racks))))
        if "ec2" in parts:
            self._thread(self._follow_ec2)
        if "gce" in parts:
            self._thread(self._follow_gce)

    @staticmethod
    def _thread(work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    def _by_looking(self, source: str, changed: Callable[[], object], read: Callable[[], World]) -> None:
        last: object = None
        while True:
            try:
                now = changed()
                if now != last:
                    self._news.report(source, read())
                    last = now
            except (sqlite3.Error, OSError, KeyError, ValueError) as failure:
                print(f"hosts: {source}: {failure!r}", file=sys.stderr, flush=True)
                time.sleep(2)
            time.sleep(LOOK)

    def _follow_ec2(self) -> None:
        url, count = f"http://127.0.0.1:{self._lab.port('ec2')}/_lab/world", 0
        while True:
            dump = self._get(f"{url}?after={count}&wait=50")
            if dump is not None:
                count = dump["count"]
                self._report("ec2", lambda dump=dump: ec2.world(dump))

    def _follow_gce(self) -> None:
        url, number = f"http://127.0.0.1:{self._lab.port('gce')}/_lab", 0
        first = True
        while True:
            events = [] if first else self._get(f"{url}/events?after={number}&wait=50")
            if events is None or not (events or first):
                continue
            number = max([number, *(event["number"] for event in events)])
            dump = self._get(f"{url}/instances")
            if dump is not None:
                first = False
                self._report("gce", lambda dump=dump: gce.world(dump))

    def _report(self, source: str, read: Callable[[], World]) -> None:
        try:
            self._news.report(source, read())
        except (KeyError, ValueError, TypeError) as failure:
            print(f"hosts: {source}: {failure!r}", file=sys.stderr, flush=True)

    def _get(self, url: str) -> Any:
        """JSON; None when the server gives none (it may be starting again)."""
        try:
            with self._direct.open(url, timeout=90) as answer:
                return json.load(answer)
        except (OSError, ValueError) as failure:
            print(f"hosts: {url}: {failure}", file=sys.stderr, flush=True)
            time.sleep(2)
            return None


class Daemon:
    """All of it."""

    def __init__(self, lab: Lab, suites: Sequence[str], names: Sequence[str] = ("*",)) -> None:
        """:param names: patterns of the machines that get a host."""
        self._names = names
        self._lab, self._place = lab, Place(lab.root)
        self._news = News()
        self._acceptor = Acceptor()
        self._metadata = Metadata(self._acceptor, self._publish)
        self._ports: set[int] = set()
        self._place.consoles.mkdir(parents=True, exist_ok=True)
        lay_sysctl(self._place.folder / "facts")
        numbers = Numbers(self._place.folder / "numbers.json")
        wiring = Wiring(self._place, numbers, self._metadata.serve, self._metadata.end)
        self._keeper = Keeper(self._place, numbers, wiring, Images(lab.cache, lab.say), lambda host: image.suite_of(host.image, suites),
                              lambda: kubernetes.built(lab))

    def run(self) -> None:
        Watchers(self._lab, self._news).start()
        self._forward_ports()
        (self._place.folder / "ready").write_text("", encoding="ascii")
        looked = 0.0
        while True:
            rung = self._news.wait(0.2 if self._keeper.busy else 5.0)
            self._forward_ports()
            again = self._keeper.step()
            if rung or again or time.monotonic() - looked > (2.0 if self._keeper.busy else SLOW_LOOK):
                world, sources = self._news.all()
                world = world.only(self._names)
                self._metadata.update(list(world.running.values()))
                self._keeper.reconcile(world, lambda key, sources=sources: key.split("/")[0] in sources)
                self._keeper.step()
                looked = time.monotonic()
                self._write_status()

    def _write_status(self) -> None:
        spare = self._place.folder / "status.new"
        spare.write_text(json.dumps(self._keeper.status(), indent=1), encoding="utf-8")
        spare.replace(self._place.folder / "status.json")

    def _forward_ports(self) -> None:
        """The lab's endpoints, at the same addresses inside."""
        for port in set(self._lab.state()["ports"].values()) - self._ports:
            self._ports.add(port)
            try:
                self._acceptor.add(netns.listener(self._place.core, socket.AF_INET, "127.0.0.1", port), forwarder(port))
            except OSError as refused:
                print(f"hosts: port {port} inside: {refused}", file=sys.stderr, flush=True)

    def _publish(self, host: Host, key: str, value: str) -> None:
        """A guest attribute goes to the cloud, which shows it."""
        tree = host.metadata["tree"]["instance"]
        zone = tree["zone"].rpartition("/")[2]
        path = f"projects/{host.key.split('/')[1]}/zones/{zone}/instances/{tree['name']}"
        body = json.dumps({"instance": path, "attributes": {key: value}}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._lab.port('gce')}/_lab/guest", data=body, headers={"Content-Type": "application/json"}
        )
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()
        except (urllib.error.URLError, OSError) as failure:
            print(f"hosts: guest attribute of {path}: {failure}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Hosts of the lab")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--suites", type=image.suites, default=image.suites(None), help="Debian releases with a base image; the first for the rest")
    parser.add_argument("--boot", default="*", metavar="PATTERN,...", help="names of the machines that get a host (default all)")
    arguments = parser.parse_args()
    Daemon(Lab(arguments.state), arguments.suites, arguments.boot.split(",")).run()


if __name__ == "__main__":
    main()
