# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The GCE emulator proved by clients of others: gcloud, google-cloud-compute, google-api-python-client, google-auth.

Google's libraries live in a virtual environment of their own; the programs that use them are in gce_clients/.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gce_lab import LAB, Gce, Project

PROGRAMS = Path(__file__).with_name("gce_clients")
# the lab's own way to make a virtual environment, so that it is kept with the lab's
MAKE_VENV = """
import pathlib, sys
source, state, requirements = sys.argv[1:]
sys.path.insert(0, source)
from fleetlab.core import Lab
print(Lab(pathlib.Path(state)).venv("gce-clients", pathlib.Path(requirements)))
"""
READER = "fleet-reader@acme-prod.iam.gserviceaccount.com"
ZONE = "us-central1-a"
PROD = {
    "web-1": "RUNNING",
    "lb-1": "RUNNING",
    "db-1": "RUNNING",
    "gw-1": "RUNNING",
    "dual-1": "RUNNING",
    "v6-1": "RUNNING",
    "ula-1": "RUNNING",
    "batch-1": "TERMINATED",
    "locked-1": "RUNNING",
}


@pytest.fixture(scope="module")
def python(gce: Gce) -> str:
    """The Python that has Google's libraries."""
    command = [sys.executable, "-c", MAKE_VENV, str(LAB), str(gce.state), str(PROGRAMS / "requirements.txt")]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return f"{finished.stdout.splitlines()[-1]}/bin/python"


@pytest.fixture
def project(gce: Gce, gce_project: Project) -> Project:
    """A project of its own in which the lab's service account may do everything."""
    gce.control("principals", {"email": READER, "grants": {gce_project.name: "admin"}})
    return gce_project


def environment(gce: Gce) -> dict[str, str]:
    """Nothing of Google's from outside reaches the witnesses, and the lab's settings do."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GOOGLE_", "CLOUDSDK_", "GCE_", "GCLOUD_"))
    }
    return {**kept, **gce.variables, "PYTHONDONTWRITEBYTECODE": "1"}


def witness(gce: Gce, python: str, program: str, function: str, project: Project, **variables: str) -> Any:
    """What one witness program printed."""
    finished = subprocess.run(
        [python, str(PROGRAMS / program), function],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment(gce), "WITNESS_PROJECT": project.name, **variables},
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return json.loads(finished.stdout)


# -- google-cloud-compute ----------------------------------------------------------------------------------------
def test_google_cloud_compute_runs_an_instance_through_its_life(gce: Gce, python: str, project: Project) -> None:
    result = witness(gce, python, "cloud_compute.py", "lifecycle", project)
    assert ipaddress.ip_address(result.pop("nat")) in ipaddress.ip_network("192.0.2.0/24")
    assert result == {
        "waited": ["DONE"] * 4,
        "running": "RUNNING",
        "stopped": "TERMINATED",
        "keys": "a:ssh-ed25519 AAAA a",
        "nat_when_stopped": "",
    }


def test_google_cloud_compute_lists_the_fleet(gce: Gce, python: str, project: Project) -> None:
    result = witness(gce, python, "cloud_compute.py", "listing", project)
    assert result == {"aggregated": PROD, "running": ["dual-1", "lb-1", "web-1"]}


def test_google_cloud_compute_reads_a_shared_vpc(gce: Gce, python: str, project: Project) -> None:
    result = witness(gce, python, "cloud_compute.py", "shared", project)
    assert result["resources"] == [["acme-dev", "PROJECT"]]
    assert result["of the host itself"] == ""
    assert len(result["usable"]) == 5
    assert f"{project.name}/regions/us-east1/subnetworks/default" in result["usable"]
    assert project.send("GET", "getXpnResources").body["resources"]
    project.do("POST", "disableXpnResource", {"xpnResource": {"id": "acme-dev", "type": "PROJECT"}})


def test_google_cloud_compute_knows_the_errors(gce: Gce, python: str, project: Project) -> None:
    gce.control("projects", {"project": "closed-to-us"})
    assert witness(gce, python, "cloud_compute.py", "errors", project) == {
        "missing": "NotFound",
        "closed": "Forbidden",
        "bad zone": "BadRequest",
    }


@pytest.mark.parametrize(
    ("code", "expected"), [(429, "TooManyRequests"), (500, "InternalServerError"), (503, "answered")]
)
def test_google_cloud_compute_repeats_503_only(
    gce: Gce, python: str, project: Project, code: int, expected: str
) -> None:
    gce.control("fault", {"match": "instances.get", "code": code, "reason": "rateLimitExceeded"})
    assert witness(gce, python, "cloud_compute.py", "throttled", project) == expected


# -- google-api-python-client ------------------------------------------------------------------------------------
def test_google_api_python_client_pages(gce: Gce, python: str, project: Project) -> None:
    assert witness(gce, python, "discovery_client.py", "paging", project) == {"found": sorted(PROD), "pages": 3}


def test_google_api_python_client_sends_batches(gce: Gce, python: str, project: Project) -> None:
    result = witness(gce, python, "discovery_client.py", "batch", project)
    assert result == {"zone": ZONE, "missing": 404, "image": "debian-12-bookworm-v20261111"}


def test_google_api_python_client_reads_project_keys(gce: Gce, python: str, project: Project) -> None:
    assert witness(gce, python, "discovery_client.py", "project_keys", project) == ["ssh-keys"]


# -- google-auth -------------------------------------------------------------------------------------------------
def test_service_account_by_token_endpoint_and_self_signed(gce: Gce, python: str, project: Project) -> None:
    assert [witness(gce, python, "auth.py", program, project) for program in ("key_file", "self_signed")] == [200, 200]


def test_a_foreign_signature_is_refused(gce: Gce, python: str, project: Project) -> None:
    assert witness(gce, python, "auth.py", "foreign_key", project) == "Invalid JWT Signature."


def test_an_expired_token_is_renewed(gce: Gce, python: str, project: Project) -> None:
    assert witness(gce, python, "auth.py", "refreshed_after_expiry", project) == [200, 200]
    statuses = [entry["status"] for entry in gce.control("log") if entry["method"] == "instances.list"][-3:]
    assert statuses == [200, 401, 200]


def test_user_with_refresh_token(gce: Gce, python: str, project: Project) -> None:
    known = gce.control("principals", {"email": "ops@example.com", "kind": "user", "grants": {project.name: "viewer"}})
    assert witness(gce, python, "auth.py", "user", project, WITNESS_SECRETS=json.dumps({"user": known})) == 200


def test_workload_identity_federation(gce: Gce, python: str, project: Project, tmp_path: Path) -> None:
    file = tmp_path / "subject-token"
    known = gce.control(
        "principals", {"email": "principal://pool/subject/ci", "kind": "federated", "grants": {project.name: "viewer"}}
    )
    file.write_text(known["subject_token"], encoding="ascii")
    assert (
        witness(
            gce, python, "auth.py", "federation", project, WITNESS_SECRETS=json.dumps({"subject_token_file": str(file)})
        )
        == 200
    )


def test_impersonation_needs_permission(gce: Gce, python: str, project: Project) -> None:
    target = f"robot@{project.name}.iam.gserviceaccount.com"
    gce.control("principals", {"email": target, "grants": {project.name: "viewer"}, "impersonators": [READER]})
    assert (
        witness(gce, python, "auth.py", "impersonation", project, WITNESS_SECRETS=json.dumps({"target": target})) == 200
    )
    stranger = gce.user_token({})
    answer = gce.send("POST", f"v1/projects/-/serviceAccounts/{target}:generateAccessToken", {"scope": []}, stranger)
    assert (answer.status, answer.reason) == (403, "forbidden")


def test_metadata_server_of_an_instance(gce: Gce, python: str, project: Project) -> None:
    email = f"vm@{project.name}.iam.gserviceaccount.com"
    gce.control("principals", {"email": email, "grants": {project.name: "viewer"}})
    gce.control("metadata-server", {"email": email, "project": project.name, "zone": ZONE})
    host = gce.url.removeprefix("http://")
    assert (
        witness(gce, python, "auth.py", "metadata_server", project, GCE_METADATA_HOST=host, GCE_METADATA_IP=host) == 200
    )
    assert gce.send("GET", "computeMetadata/v1/project/project-id").status == 403
    assert (
        gce.send("GET", "computeMetadata/v1/project/project-id", headers={"Metadata-Flavor": "Google"}).text
        == project.name.encode()
    )


# -- gcloud ------------------------------------------------------------------------------------------------------
NEEDS_GCLOUD = pytest.mark.skipif(
    shutil.which("gcloud") is None, reason="needs gcloud on the PATH; without it the emulator is proved with Google's libraries only")


def gcloud(gce: Gce, *words: str, settings: dict[str, str] | None = None) -> str:
    """Output of one gcloud command, with the lab's settings unless others are given."""
    finished = subprocess.run(
        ["gcloud", *words], check=False, capture_output=True, text=True, timeout=180, env=settings or environment(gce)
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@NEEDS_GCLOUD
def test_gcloud_lists_creates_changes_and_deletes(gce: Gce, project: Project) -> None:
    listed = gcloud(gce, "compute", "instances", "list", "--format=value(name,status)")
    assert dict(line.split("\t") for line in listed.splitlines()) == PROD
    here = (f"--project={project.name}", f"--zone={ZONE}")
    created = gcloud(
        gce,
        "compute",
        "instances",
        "create",
        "vm",
        *here,
        "--machine-type=e2-small",
        "--image-family=debian-12",
        "--image-project=debian-cloud",
        "--labels=env=test",
        "--format=json",
    )
    assert json.loads(created)[0]["status"] == "RUNNING"
    gcloud(gce, "compute", "instances", "add-metadata", "vm", *here, "--metadata=note=hello")
    gcloud(gce, "compute", "instances", "add-labels", "vm", *here, "--labels=more=yes")
    described = json.loads(gcloud(gce, "compute", "instances", "describe", "vm", *here, "--format=json"))
    assert (described["metadata"]["items"], described["labels"]) == (
        [{"key": "note", "value": "hello"}],
        {"env": "test", "more": "yes"},
    )
    gcloud(gce, "compute", "instances", "stop", "vm", *here)
    assert (
        json.loads(gcloud(gce, "compute", "instances", "describe", "vm", *here, "--format=json"))["status"]
        == "TERMINATED"
    )
    gcloud(gce, "compute", "instances", "delete", "vm", *here)
    assert (
        gcloud(gce, "compute", "instances", "list", f"--project={project.name}", "--format=value(name)").strip() == ""
    )


@NEEDS_GCLOUD
def test_gcloud_activates_a_service_account(gce: Gce, tmp_path: Path) -> None:
    """Without the settings of `env` that spare the activation."""
    spared = ("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", "CLOUDSDK_AUTH_TOKEN_HOST")
    settings = {name: value for name, value in environment(gce).items() if name not in spared} | {
        "CLOUDSDK_CONFIG": str(tmp_path)
    }
    gcloud(
        gce,
        "auth",
        "activate-service-account",
        f"--key-file={gce.variables['GOOGLE_APPLICATION_CREDENTIALS']}",
        settings=settings,
    )
    assert ZONE in gcloud(gce, "compute", "zones", "list", "--format=value(name)", settings=settings).splitlines()
