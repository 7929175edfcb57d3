# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's metal as a Redfish client and a reader of rack files see it.

Uses the lab of FLEET_LAB_STATE when that one serves metal, else starts and ends one of its own.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LAB = Path(__file__).parents[1] / "lab"
OFF = "/redfish/v1/Systems/43000000-0000-4000-8000-000000000003"


def lab(state: Path, *words: str) -> str:
    """One lab command; its output."""
    command = [sys.executable, str(LAB), "--state", str(state), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of `lab env`."""
    given = os.environ.get("FLEET_LAB_STATE")
    shared = given and (Path(given) / "run" / "racks").exists()
    state = Path(str(given)) if shared else tmp_path_factory.mktemp("lab")
    try:
        if not shared:
            lab(state, "up", "--only", "metal")
        yield dict(re.findall(r"^export (\w+)='?(.*?)'?$", lab(state, "env"), re.MULTILINE))
    finally:
        if not shared:
            lab(state, "down", "--purge")


@pytest.fixture
def redfish(environment: dict[str, str]) -> Any:
    """A function that asks the endpoint: path (and a body to post) to the answer's JSON."""
    account = f"{environment['FLEET_LAB_REDFISH_USER']}:{environment['FLEET_LAB_REDFISH_PASSWORD']}"
    headers = {
        "Authorization": f"Basic {base64.b64encode(account.encode()).decode()}",
        "Content-Type": "application/json",
    }

    def ask(path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(environment["FLEET_LAB_REDFISH"] + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    return ask


def test_systems_tell_name_serial_number_power_and_macs(redfish: Any) -> None:
    members = redfish("/redfish/v1/Systems")["Members"]
    systems = [redfish(member["@odata.id"]) for member in members]
    assert [system["Name"] for system in systems] == ["r43-u01", "r43-u02", "r43-u03", "r43-u04"]
    assert [system["SerialNumber"] for system in systems] == ["SN-4301", "SN-4302", "SN-4303", "SN-4304"]
    assert systems[0]["PowerState"] == "On"
    cards = redfish(members[0]["@odata.id"] + "/EthernetInterfaces")["Members"]
    assert [redfish(card["@odata.id"])["MACAddress"] for card in cards] == ["52:54:00:43:01:01", "52:54:00:43:01:02"]


def test_only_systems_get_hardware_facts(redfish: Any) -> None:
    (manager, *_others) = redfish("/redfish/v1/Managers")["Members"]
    assert "AssetTag" not in redfish(manager["@odata.id"])


@pytest.mark.parametrize("account", [None, "fleet:wrong", "nobody:wrong"])
def test_without_the_account_only_the_root_answers(environment: dict[str, str], account: str | None) -> None:
    headers = {"Authorization": f"Basic {base64.b64encode(account.encode()).decode()}"} if account else {}
    root = environment["FLEET_LAB_REDFISH"] + "/redfish/v1/"
    with urllib.request.urlopen(urllib.request.Request(root, headers=headers), timeout=10) as answer:
        assert json.load(answer)["RedfishVersion"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(root + "Systems", headers=headers), timeout=10)
    assert refused.value.code == 401


def test_power_changes_after_a_while(redfish: Any) -> None:
    def switch(reset: str, wanted: str) -> None:
        redfish(f"{OFF}/Actions/ComputerSystem.Reset", {"ResetType": reset})
        deadline = time.monotonic() + 20  # the emulator takes 1 to 11 s, as hardware does
        while redfish(OFF)["PowerState"] != wanted:
            assert time.monotonic() < deadline, f"{reset} had no effect in time"
            time.sleep(0.2)

    switch("On", "On")
    switch("ForceOff", "Off")


def test_rack_file_is_where_the_environment_says(environment: dict[str, str]) -> None:
    text = Path(environment["FLEET_LAB_RACK"]).read_text(encoding="utf-8")
    assert re.findall(r"name: (r42-u\d+)", text) == [f"r42-u0{number}" for number in range(1, 7)]
