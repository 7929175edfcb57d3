# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make one service's database: ``python -m fleetlab.openstack.databases SERVICE CONFIG_FOLDER``.

Runs inside the services' virtual environment, in the lab's run folder.
"""
from __future__ import annotations

import importlib
import os
import sqlite3
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from .config import ADMIN_PASSWORD, REGION, SERVICE_PASSWORD, database

FOLDER = Path("openstack/db")


def in_child(function: Callable[..., object], *arguments: object) -> None:
    """Call function in a fork: oslo.config's options are global, and a second command cannot set them again."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = int(bool(function(*arguments)))
        except SystemExit as ended:
            status = int(bool(ended.code))
        except Exception:
            traceback.print_exc()  # a fork that ends here would take it along
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    if os.waitpid(pid, 0)[1]:
        sys.exit(f"{function.__name__}{arguments} failed")


def command(module: str, *arguments: str) -> object:
    """What a service's own manage command does, without starting another Python."""
    sys.argv = [module, *arguments]
    return importlib.import_module(module).main()


def keystone(conf: Path) -> None:
    module = "keystone.cmd.manage"
    importlib.import_module(module)  # once, before the forks
    owner = ("--keystone-user", "root", "--keystone-group", "root") if os.geteuid() == 0 else ()  # root must say whose
    for arguments in (("db_sync",), ("fernet_setup", *owner), ("credential_setup", *owner)):
        in_child(command, module, "--config-file", str(conf / "keystone.conf"), *arguments)
    in_child(_first_accounts, conf)


def _first_accounts(conf: Path) -> None:
    """The operator's account and the services' own, through Keystone's bootstrap code."""
    import keystone.conf
    from keystone.cmd import bootstrap
    from keystone.common import provider_api

    keystone.conf.configure()
    keystone.conf.CONF([], project="keystone", default_config_files=[str(conf / "keystone.conf")])
    keystone.conf.set_external_opts_defaults()
    maker = bootstrap.Bootstrapper()
    maker.admin_role_name, maker.region_id = "admin", REGION
    for name, password in (("admin", ADMIN_PASSWORD), ("service", SERVICE_PASSWORD)):
        maker.admin_username = maker.project_name = name
        maker.admin_password = password
        maker.bootstrap()
    provider_api.ProviderAPIs.assignment_api.add_role_to_user_and_project(
        user_id=maker.admin_user_id, project_id=maker.project_id, role_id=maker.service_role_id,
    )


def glance(conf: Path) -> None:
    command("glance.cmd.manage", "--config-file", str(conf / "glance-api.conf"), "db_sync")


def placement(conf: Path) -> None:
    command("placement.cmd.manage", "--config-file", str(conf / "placement.conf"), "db", "sync")


def nova(conf: Path) -> None:
    module = "nova.cmd.manage"
    importlib.import_module(module)
    for arguments in (
        ("api_db", "sync"),
        ("cell_v2", "map_cell0", "--database_connection", database("nova_cell0")),
        ("cell_v2", "create_cell", "--name", "cell1", "--transport-url", "fake://",
         "--database_connection", database("nova_cell1")),
        ("db", "sync"),
    ):
        in_child(command, module, "--config-file", str(conf / "nova.conf"), *arguments)


def ironic(conf: Path) -> None:
    command("ironic.command.dbsync", "--config-file", str(conf / "ironic.conf"), "create_schema")


def neutron(_conf: Path) -> None:
    """Neutron's migrations alter constraints, which SQLite cannot: take the tables from its models instead.

    The four rows are what migration c33da356b165 inserts; without them default security groups have no rules.
    """
    import sqlalchemy
    from neutron.db.migration.models import head
    from neutron.db.models.securitygroup_default_rules import SecurityGroupDefaultRule as Rule
    from sqlalchemy import orm

    engine = sqlalchemy.create_engine(database("neutron"))
    head.get_metadata().create_all(engine)
    with orm.Session(engine) as session:
        for ethertype in ("IPv4", "IPv6"):
            session.add(Rule(direction="egress", ethertype=ethertype,
                             used_in_default_sg=True, used_in_non_default_sg=True))
            session.add(Rule(direction="ingress", ethertype=ethertype, remote_group_id="PARENT",
                             used_in_default_sg=True, used_in_non_default_sg=False))
        session.commit()


def main() -> None:
    service, conf = sys.argv[1], Path(sys.argv[2])
    make: dict[str, Callable[[Path], None]] = {
        "keystone": keystone, "glance": glance, "placement": placement, "nova": nova, "ironic": ironic,
        "neutron": neutron,
    }
    try:
        make[service](conf)
    except SystemExit as ended:  # how the services' manage commands return
        if ended.code not in (None, 0):
            raise
    for file in FOLDER.glob(f"{service}*.sqlite"):
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA journal_mode=WAL")  # readers go on while a thread writes
        connection.close()


if __name__ == "__main__":
    main()
