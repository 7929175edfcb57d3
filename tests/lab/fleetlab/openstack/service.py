# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run one OpenStack service in the foreground: ``python -m fleetlab.openstack.service SERVICE CONFIG_FOLDER PORT``.

Keystone, Glance, Placement and Neutron are one WSGI process each. Nova's API, conductor, scheduler and compute
share one process and talk over oslo.messaging's in-memory transport, so that no message broker is needed. Ironic is
started by its own program for API and conductor in one.
Runs inside the services' virtual environment, in the lab's run folder.
"""
from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WSGI = {
    "keystone": "keystone.wsgi.api",
    "glance": "glance.wsgi.api",
    "placement": "placement.wsgi.api",
    "neutron": "neutron.wsgi.api",
    "nova": "nova.wsgi.osapi_compute",
}
THREADS = 8
IDLE = 300  # seconds
LOCK_SECONDS = 60


def take_write_lock_first(writes: Callable[[], bool] = lambda: True) -> None:
    """Make SQLite transactions take the write lock when they begin. writes: whether the one that begins in this thread may write.

    One that reads first and writes later fails at once with 'database is locked' when another thread wrote in
    between; no timeout helps there, and a server would stay in BUILD for ever. Only what a thread begins inside a
    transaction of its own (Placement reads so after a conflict) goes without: it would wait for itself.
    """
    import sqlalchemy

    here = threading.local()    # .began: engine -> the connection on which this thread began last

    def begin_immediate(cursor: Any, statement: str, _parameters: Any, context: Any) -> bool:
        """True: done here, SQLAlchemy need not execute the statement."""
        if statement != "BEGIN" or not isinstance(cursor, sqlite3.Cursor) or not writes():
            return False
        began, connection = here.__dict__.setdefault("began", {}), context.root_connection
        outer = began.get(connection.engine)
        if outer not in (None, connection) and not outer.closed and outer.in_transaction():
            return False
        _wait_for_write_lock(cursor)
        began[connection.engine] = connection
        return True

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "do_execute", begin_immediate)


def _wait_for_write_lock(cursor: sqlite3.Cursor) -> None:
    """BEGIN IMMEDIATE, tried every 2 ms: SQLite itself sleeps up to 100 ms between two looks."""
    cursor.execute("PRAGMA busy_timeout = 0")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            cursor.execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError as refusal:
            primary_code = refusal.sqlite_errorcode & 0xFF
            if primary_code != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.002)
    cursor.execute(f"PRAGMA busy_timeout = {LOCK_SECONDS * 1000}")


def ironic_writes() -> Callable[[], bool]:
    """Whether Ironic's database code is in a session for writing, in this thread.

    Ironic leaves sessions for reading open, which must not take the lock, and has no second try for what fails while it
    undeploys: a machine would stay in 'deleting' for ever.
    """
    from ironic.db.sqlalchemy import api

    here = threading.local()    # .depth: sessions for writing around what runs now
    session_for_write = api._session_for_write

    @contextlib.contextmanager
    def counted() -> Iterator[Any]:
        here.depth = getattr(here, "depth", 0) + 1
        try:
            with session_for_write() as session:
                yield session
        finally:
            here.depth -= 1

    api._session_for_write = counted
    return lambda: getattr(here, "depth", 0) > 0


def run_ironic(conf: Path) -> None:
    """Ironic's API and conductor, until the end of the process."""
    from ironic.command import singleprocess

    take_write_lock_first(ironic_writes())
    sys.argv = ["ironic", "--config-file", str(conf / "ironic.conf")]
    singleprocess.main()


def wait_for_ports(ports: list[int], seconds: float = 120) -> None:
    """Return when all of them take connections (or the time is over: Nova then logs what it misses)."""
    deadline = time.monotonic() + seconds
    for port in ports:
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)


def load_policies(service: str) -> None:
    """Load the access rules now, in the services that do so at their first request without a lock.

    Of several first requests the second would find some of the rules only, and be refused.
    """
    if service == "neutron":
        from neutron import policy
        policy.init()
    elif service == "keystone":
        from keystone.common.rbac_enforcer.enforcer import RBACEnforcer
        RBACEnforcer()._enforcer.load_rules()


def start_nova_backends() -> list[Any]:
    """nova-conductor, nova-scheduler and nova-compute, as threads of this process."""
    import os_vif
    from nova import context, service
    from nova.objects import host_mapping
    from nova.scheduler.client import report

    from . import nova_driver

    os_vif.initialize()
    sys.modules["nova.virt.fleetlab_fake"] = nova_driver  # Nova loads drivers from the package nova.virt only
    # Nova asks Placement once per existing server at every claim, to have the answer at hand for a reshape that
    # this driver never asks for.
    report.SchedulerReportClient.get_allocations_for_provider_tree = lambda *_args, **_kwargs: {}
    running = []
    for name in ("conductor", "scheduler", "compute"):
        alternative = {"topic_alt": "compute-alt"} if name == "compute" else {}
        backend = service.Service.create(binary=f"nova-{name}", topic=name, **alternative)
        backend.start()
        running.append(backend)
    host_mapping.discover_hosts(context.get_admin_context())
    return running


def main() -> None:
    name, conf, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    needed_first = [int(word) for word in sys.argv[4:]]
    if name == "ironic":
        run_ironic(Path(conf))
        return
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the databases are journalled; nothing else needs an end
    os.environ[f"OS_{name.upper()}_CONFIG_DIR"] = conf
    if name != "glance":  # which finds glance-api.conf by itself
        files = "nova-api-paste.ini;nova.conf" if name == "nova" else f"{name}.conf"
        os.environ[f"OS_{name.upper()}_CONFIG_FILES"] = files
    sys.argv = [name]
    take_write_lock_first()
    application = importlib.import_module(WSGI[name]).application
    load_policies(name)
    wait_for_ports(needed_first)
    backends = start_nova_backends() if name == "nova" else []

    from cheroot import wsgi
    # on a busy machine a client may pause longer than cheroot's ten seconds, and then finds its connection closed under its next request
    server = wsgi.Server(("127.0.0.1", port), application, numthreads=THREADS, timeout=IDLE)
    try:
        server.start()
    finally:
        for backend in backends:
            backend.stop()


if __name__ == "__main__":
    main()
