# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's Redfish endpoint: sushy-tools with its fake driver, basic authentication, and serial numbers.

Runs in the lab's virtual environment: ``python -m fleetlab.metal.server --port 8000 --state FOLDER``. The account is
taken from the environment (REDFISH_USER, REDFISH_PASSWORD), so that it shows in no process list.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from .systems import SYSTEMS, fake_driver_systems

HASH_ROUNDS = 4  # the least bcrypt takes: each request is checked, and the secret guards nothing outside this machine


def main() -> None:
    parser = argparse.ArgumentParser(description="Redfish of the lab")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder for the emulator's own files")
    arguments = parser.parse_args()

    import bcrypt
    from sushy_tools.emulator.main import app

    arguments.state.mkdir(parents=True, exist_ok=True)
    digest = bcrypt.hashpw(os.environ["REDFISH_PASSWORD"].encode(), bcrypt.gensalt(HASH_ROUNDS)).decode()
    accounts = arguments.state / "htpasswd"
    accounts.write_text(f"{os.environ['REDFISH_USER']}:{digest}\n", encoding="utf-8")
    app.configure(
        extra_config={
            "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_FAKE_SYSTEMS": fake_driver_systems(),
            "SUSHY_EMULATOR_AUTH_FILE": str(accounts),
            "SUSHY_EMULATOR_STATE_DIR": str(arguments.state),
        }
    )
    app.after_request(add_hardware_facts)
    app.run(host="127.0.0.1", port=arguments.port, threaded=True)


def add_hardware_facts(response: Any) -> Any:
    """Serial number, asset tag and model, which every real BMC tells of a system and the emulator does not."""
    body = response.get_json(silent=True) if response.is_json else None
    is_system = body is not None and body.get("@odata.type", "").startswith(
        "#ComputerSystem."
    )  # managers share the UUID
    system = next((system for system in SYSTEMS if is_system and body["UUID"] == system.uuid), None)
    if system:
        response.set_data(
            json.dumps({**body, "SerialNumber": system.serial, "AssetTag": system.asset, "Model": system.model})
        )
    return response


if __name__ == "__main__":
    main()
