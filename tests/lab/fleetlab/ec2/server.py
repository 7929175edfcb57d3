# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's EC2 and STS: moto's WSGI application, made more faithful, behind the lab's middleware.

Runs in the lab's virtual environment: ``python -m fleetlab.ec2.server --port 4566 --keys keys.json``
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from . import accounts
from .faults import Front
from .regions import refuse_region

# moto reads these when it is imported, so they stand before every import of it.
SWITCHES = {
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "INITIAL_NO_AUTH_ACTION_COUNT": "0",  # check signatures and policies from the first call on
}


def add_accounts(keys: accounts.Keys) -> None:
    """The users with their keys and policies, and the roles. In process: nobody could sign a call before them."""
    from moto.iam.models import AccessKey, iam_backends

    for name, (account, actions) in accounts.USERS.items():
        iam = iam_backends[account]["aws"]
        user = iam.create_user(region_name="us-east-1", user_name=name, path="/")
        user.put_policy("lab", accounts.allow(actions))
        key = AccessKey(name, prefix="AKIA", account_id=account)
        key.access_key_id, key.secret_access_key = keys[name]["id"], keys[name]["secret"]
        user.access_keys.append(key)
        iam.access_keys[key.access_key_id] = key
    iam = iam_backends[accounts.SECOND]["aws"]
    for arn, actions in accounts.ROLES.items():
        role = iam.create_role(
            role_name=arn.rpartition("/")[2],
            path="/",
            permissions_boundary=None,
            description="",
            tags=[],
            assume_role_policy_document=accounts.trust(accounts.MAIN, accounts.EXTERNAL_ID),
            max_session_duration="3600",
        )
        iam.put_role_policy(role.name, "ec2", accounts.allow(actions))


def main() -> None:
    parser = argparse.ArgumentParser(description="EC2 and STS of the lab")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keys", type=Path, required=True, help="file with the users' keys")
    arguments = parser.parse_args()
    os.environ.update(SWITCHES)
    os.environ["MOTO_PORT"] = str(arguments.port)

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import run_simple

    from . import fidelity, fidelity_network

    fidelity.install()
    fidelity_network.install()
    add_accounts(accounts.load_keys(arguments.keys))
    front = Front(DomainDispatcherApplication(create_backend_app), refuse_region)
    run_simple("127.0.0.1", arguments.port, front, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
