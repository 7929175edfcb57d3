# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbook site as a job of AWX runs it: by ansible-runner, with a private data folder, every value the string that a survey gives, without a
terminal or a prompt. Two nodes of Google's cloud are made, hardened and become a swarm.

Needs the lab with gce and hosts, and FLEET_AWX_RUNNER: ``python3 tests/run.py --only awx`` (as root).
"""
from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_commands import ROOT, lab_environment

sys.path.insert(0, str(ROOT / "tests" / "lab"))

import hardened
from fleetlab.hosts.endpoint import inside

RUNNER = os.environ.get("FLEET_AWX_RUNNER", "")
pytestmark = [
    pytest.mark.skipif(not RUNNER, reason="FLEET_AWX_RUNNER does not name an ansible-runner"),
    pytest.mark.skipif(not hardened.RUNNING or not set(hardened.LAB.state()["endpoints"]) >= {"gce", "hosts"},
                       reason="no lab with google and hosts runs")]

FLEET = "plugin: hybridops.fleet.nodes\nclouds:\n  google: {provider: gce, projects: [acme-prod]}\n"
NODES = "".join(f"""
- cloud: google
  name: {name}
  image: {{distro: debian, version: "12"}}
  flavor: {{vcpus: 1}}
  network: {{reachable: public}}
  security:
    allow:
      - {{port: 22, from: ["0.0.0.0/0"]}}
      - {{port: 2377, from: [10.128.0.0/9]}}
      - {{port: 7946, from: [10.128.0.0/9]}}
      - {{port: 7946, protocol: udp, from: [10.128.0.0/9]}}
      - {{port: 4789, protocol: udp, from: [10.128.0.0/9]}}
""" for name in ("awx-1", "awx-2"))
SECRET = re.compile(rb"SWMTKN-|SWMKEY-|PRIVATE KEY-----\\*n")


@dataclasses.dataclass
class Job:
    """What AWX has of a job that ended."""

    folder: Path
    status: str
    events: list[dict[str, Any]]

    @property
    def output(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8")

    @property
    def errors(self) -> str:
        return "\n".join(str(event["event_data"].get("res", {}).get("msg", "")) for event in self.events if event["event"] == "runner_on_failed")

    def changed(self) -> dict[str, int]:
        """Host -> number of changes, as the last event counts them."""
        told: dict[str, int] = next(event["event_data"]["changed"] for event in self.events if event["event"] == "playbook_on_stats")
        return told


class Controller:
    """A private data folder, and jobs with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        key = folder / "fleet-key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        for name, text in {
                "project/site.yml": "- import_playbook: hybridops.fleet.site\n",
                "project/deprovision.yml": "- import_playbook: hybridops.fleet.deprovision\n",
                "inventory/fleet.nodes.yml": FLEET,
                "env/settings": json.dumps({"runner_mode": "subprocess", "job_timeout": 1200}),
                "env/envvars": json.dumps({"ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
                                           "ANSIBLE_TIMEOUT": "60", "ANSIBLE_FORCE_COLOR": "1"})}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        self.survey = {
            "fleet_file": str(folder / "inventory" / "fleet.nodes.yml"), "fleet_nodes": NODES, "allocate_timeout": "300",
            "access_authorized_keys": key.with_suffix(".pub").read_text(encoding="utf-8").strip(), "access_private_key_file": str(key),
            "access_known_hosts": str(folder / "known_hosts"), "allocate_key_dir": str(folder / "node_keys"),
            "fleet_hardening": "true", "fleet_hardening_profile": "baseline", "fleet_hardening_report": str(folder / "report"),
            "fleet_mesh": "false", "fleet_cluster": "swarm", "fleet_cluster_managers": "1", "fleet_cluster_size": "2", "fleet_cluster_network": "",
            "container_engine_log_files": "3", "container_engine_users": "fleet,nobody", "container_engine_settings": '{"debug": true}',
            "docker_swarm_autolock": "true", "docker_swarm_unlock_key_file": str(folder / "keys" / "unlock"), "docker_swarm_needs": "overlay",
            "docker_swarm_labels": '{"tier": "web"}', "docker_swarm_timeout": "90"}
        self._number = 0

    def run(self, playbook: str, **other: str) -> Job:
        """One job. other: answers that differ from those of the survey."""
        values = {**self.survey, **other}
        assert all(isinstance(value, str) for value in values.values())
        (self.folder / "env" / "extravars").write_text(json.dumps(values), encoding="utf-8")
        self._number += 1
        environment = {**lab_environment(), "PATH": f"{Path(RUNNER).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.folder)}
        for name in ("ANSIBLE_NOCOLOR", "PYTHONPATH"):
            environment.pop(name, None)
        words = [*inside(hardened.LAB), RUNNER, "run", str(self.folder), "-p", playbook, "--ident", str(self._number), "-q"]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=1300, check=False)
        folder = self.folder / "artifacts" / str(self._number)
        assert (folder / "status").exists(), done.stdout[-3000:] + done.stderr[-3000:]
        events = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "job_events").glob("*.json")]
        return Job(folder, (folder / "status").read_text(encoding="utf-8"), sorted(events, key=lambda event: int(event["counter"])))


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    made = Controller(tmp_path_factory.mktemp("awx"))
    yield made
    made.run("deprovision.yml")


@pytest.fixture(scope="module")
def job(controller: Controller) -> Job:
    return controller.run("site.yml")


def instances() -> dict[str, str]:
    """Name -> id of the nodes that there are, as Google tells it to anybody."""
    file = hardened.LAB.run / "awx.nodes.yml"
    file.write_text(FLEET, encoding="utf-8")
    words = [sys.executable, str(ROOT / "tests" / "lab"), "--state", str(hardened.LAB.root), "exec", "ansible-inventory", "-i", str(file), "--list"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    hosts: dict[str, dict[str, Any]] = json.loads(done.stdout)["_meta"]["hostvars"]
    return {name: str(host["fleet_id"]) for name, host in hosts.items() if name.startswith("awx-")}


# ------------------------------------------------------------------------------------------------- refused beforehand
@pytest.mark.parametrize(("name", "value", "told"), [
    ("fleet_nodes", "awx-1", "fleet_nodes must be a list"),
    ("fleet_cluster", "swram", "fleet_cluster is 'swram'"),
    ("fleet_cluster_managers", "two", "mesh_cluster_managers"),
    ("fleet_hardening_profile", "strickt", "os_hardening_profile"),
    ("container_engine_log_files", "many", "container_engine_log_files"),
    ("docker_swarm_autolock", "maybe", "docker_swarm_autolock"),
    ("docker_swarm_needs", "overlay,magic", "docker_swarm_needs")])
def test_a_wrong_answer_of_the_survey_is_named_before_anything_is_made(controller: Controller, name: str, value: str, told: str) -> None:
    job = controller.run("site.yml", **{name: value})
    assert job.status == "failed" and told in job.errors, (job.errors, job.output[-2000:])
    assert sum(job.changed().values()) == 0
    assert not instances()


# ------------------------------------------------------------------------------------------------- the job
def test_the_job_makes_hardens_and_clusters_two_nodes(job: Job) -> None:
    assert job.status == "successful", job.errors or job.output[-4000:]
    ids = instances()
    assert set(ids) == {"awx-1", "awx-2"}
    nodes = {name: hardened.as_root(number, "docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}'").strip()
             for name, number in ids.items()}
    assert sorted(nodes.values()) == ["active false", "active true"], nodes


def test_strings_of_the_survey_came_as_what_they_mean(job: Job, controller: Controller) -> None:
    assert job.status == "successful"
    ids = instances()
    for number in ids.values():
        settings = json.loads(hardened.as_root(number, "cat /etc/docker/daemon.json"))
        assert settings["log-opts"]["max-file"] == "3" and settings["debug"] is True
        members = hardened.as_root(number, "getent group docker").strip().split(":")[3].split(",")
        assert {"fleet", "nobody"} <= set(members)
        assert "hybridops_fleet" in hardened.as_root(number, "nft list tables")
    manager = next(number for number in ids.values() if "true" in hardened.as_root(number, "docker info --format '{{.Swarm.ControlAvailable}}'"))
    assert '"tier":"web"' in hardened.as_root(manager, "docker node inspect self --format '{{json .Spec.Labels}}'")
    key = (controller.folder / "keys" / "unlock").read_text(encoding="utf-8").strip()
    assert key == hardened.as_root(manager, "docker swarm unlock-key -q").strip() != ""


def test_the_job_s_events_tell_how_it_gets_on(job: Job) -> None:
    plays = [event["event_data"]["play"] for event in job.events if event["event"] == "playbook_on_play_start"]
    assert plays[0] == "Settings of all that comes, before anything is made" and "Docker Swarm" in plays, plays
    tasks = [event["event_data"]["task"] for event in job.events if event["event"] == "playbook_on_task_start"]
    assert any("The first manager begins the swarm" in task for task in tasks) and len(tasks) > 50
    progress = [event["stdout"] for event in job.events if event["event"] == "verbose" and "awx-1" in event["stdout"]]
    assert progress, "nothing is told while nodes are made"


def test_no_secret_is_in_what_awx_keeps_of_the_job(job: Job, controller: Controller) -> None:
    key = (controller.folder / "keys" / "unlock").read_bytes().strip()
    private = (controller.folder / "fleet-key").read_bytes().splitlines()[1]
    for path in (controller.folder / "artifacts").rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert not SECRET.search(text) and key not in text and private not in text, path


# ------------------------------------------------------------------------------------------------- again, and in parts
def test_the_same_job_again_hardens_at_most_what_the_cluster_brought(job: Job, controller: Controller) -> None:
    """Docker was not there when the hosts were hardened at first; nodes, access, engine and swarm stay as they are."""
    again = controller.run("site.yml")
    assert again.status == "successful", again.errors or again.output[-4000:]
    changes = [(event["event_data"]["role"], event["event_data"]["task"]) for event in again.events
               if event["event"] in ("runner_on_ok", "runner_item_on_ok") and event["event_data"].get("res", {}).get("changed")]
    assert {role for role, _task in changes} <= {"os_hardening", "ssh_hardening", "firewall"}, changes


@pytest.mark.parametrize(("answers", "told"), [
    ({"awx_job_slice_count": "2"}, "this job is a slice"),
    ({"fleet_cluster_size": "3"}, "2 members are in this run, and fleet_cluster_size says 3")])
def test_a_slice_of_the_job_is_refused(job: Job, controller: Controller, answers: dict[str, str], told: str) -> None:
    part = controller.run("site.yml", **answers)
    assert part.status == "failed" and told in part.errors, (part.errors, part.output[-2000:])
    assert sum(part.changed().values()) == 0
