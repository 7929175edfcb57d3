# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operator types: the README's tour and the playbooks, on the seeded lab."""
from __future__ import annotations

import html.parser
import json
import re
import socket
import subprocess
from pathlib import Path

import pytest
from lab_commands import ROOT, lab_environment

INVENTORY = ["-i", "inventories/lab/fleet.yml"]


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return lab_environment()


def run(environment: dict[str, str], *command: str, status: int = 0) -> str:
    """The output of a command that must end with that status."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == status, done.stdout[-4000:] + done.stderr[-4000:]
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def test_the_readme_s_tour(environment: dict[str, str], tmp_path: Path) -> None:
    tour = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Five minutes")[2].partition("\n## ")[0]
    commands = [line for block in re.findall(r"```console\n(.*?)```", tour, re.DOTALL) for line in block.splitlines()]
    ansible = [line.replace("/tmp/", f"{tmp_path}/") for line in commands if line.startswith("ansible")]
    assert len(ansible) >= 5
    for command in ansible:
        run(environment, "bash", "-c", command)
    assert (tmp_path / "fleet.html").exists()


def test_the_whole_fleet_is_in_the_graph(environment: dict[str, str]) -> None:
    graph = run(environment, "ansible-inventory", *INVENTORY, "--graph")
    for group in ("provider_openstack", "provider_aws", "provider_gce", "provider_metal", "network_role_public", "network_role_floating",
                  "network_role_external", "network_role_private", "state_stopped", "distro_debian", "region_us_east_1", "cloud_amazon_second"):
        assert f"@{group}:" in graph


def test_a_host_shows_why(environment: dict[str, str]) -> None:
    host = json.loads(run(environment, "ansible-inventory", *INVENTORY, "--host", "stale-1"))
    assert "192.0.2.99 ignored: the node has no such address" in host["fleet_why"]["public_ip"]
    assert host["fleet_network_role"] == "private"


def test_an_export_is_plain_strings(environment: dict[str, str]) -> None:
    exported = json.loads(run(environment, "ansible-inventory", *INVENTORY, "--list", "--export"))
    marked: list[str] = []

    def look(value: object) -> None:
        if isinstance(value, dict):
            if "__ansible_unsafe" in value:
                marked.append(str(value["__ansible_unsafe"]))
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    look(exported)
    assert all("{" in text or "}" in text for text in marked), "only strings that could be templates may be marked"


def test_no_secret_of_the_lab_is_shown(environment: dict[str, str]) -> None:
    output = run(environment, "ansible-inventory", *INVENTORY, "--list", "-vvv")
    secrets = {value for name, value in environment.items() if "PASSWORD" in name}
    secrets |= set(re.findall(r"aws_secret_access_key *= *(\S+)", Path(environment["AWS_SHARED_CREDENTIALS_FILE"]).read_text(encoding="utf-8")))
    secrets |= {"secret-of-", "PRIVATE KEY"}
    assert len(secrets) >= 4
    for secret in secrets:
        assert secret not in output


def test_show_writes_json_and_a_page_and_a_second_run_changes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    command = [
        "ansible-playbook", *INVENTORY, "playbooks/show.yml", "-e", f"show_json={tmp_path}/fleet.json", "-e", f"show_html={tmp_path}/fleet.html"]
    first = run(environment, *command)
    assert "vps-1" in first
    assert "almalinux" in first
    nodes = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))["nodes"]
    assert len(nodes) > 60
    assert {node["provider"] for node in nodes} == {"openstack", "aws", "gce", "metal"}
    page = (tmp_path / "fleet.html").read_text(encoding="utf-8")
    parser = _Outside()
    parser.feed(page)
    assert parser.found == [], "the page must be self-contained"
    assert "<svg" in page
    assert "changed=0" in run(environment, *command)


class _Outside(html.parser.HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "action") and value and not value.startswith("#"):
                self.found.append(f"{tag} {name}={value}")
        if tag in ("script", "link", "iframe"):
            self.found.append(tag)


def test_ping_says_of_every_node_whether_it_answers(environment: dict[str, str], tmp_path: Path) -> None:
    # on loopback only: the public addresses of the lab exist in its APIs, and no packet may leave this machine for them
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        rack = {"nodes": [
            {"name": "closed-1", "ssh_port": closed.getsockname()[1], "interfaces": [{"role": "public", "addresses": ["127.0.0.1"]}]},
            {"name": "nowhere-1"},
            {"name": "off-1", "state": "stopped", "interfaces": [{"role": "public", "addresses": ["127.0.0.1"]}]},
        ]}
        (tmp_path / "rack.yml").write_text(json.dumps(rack), encoding="utf-8")
        fleet = {"plugin": "hybridops.fleet.nodes", "clouds": {"rack": {"provider": "metal", "sources": [{"kind": "file", "path": "rack.yml"}]}}}
        (tmp_path / "fleet.yml").write_text(json.dumps(fleet), encoding="utf-8")
        command = ["ansible-playbook", "-i", str(tmp_path / "fleet.yml"), "playbooks/ping.yml", "-e", "ping_timeout=1"]
        output = run(environment, *command, status=2)
        assert "closed-1" in output
        assert "2 of 3 nodes did not answer: closed-1, nowhere-1" in output
        run(environment, *command, "-e", "ping_tolerate=true")
