# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which credentials, project and endpoint a cloud of Google uses, and what keys its cache."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce import sources
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce.sources import (
    Source,
    base_url,
    endpoint_problem,
    find_project,
    find_source,
    identity,
)

NOWHERE = {"CLOUDSDK_CONFIG": "/nonexistent"}


def test_order_of_credentials(tmp_path: Path) -> None:
    (tmp_path / "application_default_credentials.json").write_text("{}")
    environ = {
        "GOOGLE_APPLICATION_CREDENTIALS": "/keys/adc.json", "GCP_SERVICE_ACCOUNT_FILE": "/keys/gcp.json",
        "GCE_CREDENTIALS_FILE_PATH": "/keys/awx.json", "GOOGLE_OAUTH_ACCESS_TOKEN": "one",
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "two", "CLOUDSDK_CONFIG": str(tmp_path)}
    expected = [
        Source("GOOGLE_APPLICATION_CREDENTIALS", path="/keys/adc.json"),
        Source("GCP_SERVICE_ACCOUNT_FILE", path="/keys/gcp.json"),
        Source("GCE_CREDENTIALS_FILE_PATH", path="/keys/awx.json"),
        Source("GOOGLE_OAUTH_ACCESS_TOKEN", token="one"),
        Source("CLOUDSDK_AUTH_ACCESS_TOKEN", token="two"),
        Source("gcloud auth application-default login", path=str(tmp_path / "application_default_credentials.json")),
        Source("the metadata server"),
    ]
    assert find_source({"credentials_file": "k.json"}, environ, "/fleet").path == "/fleet/k.json"
    assert find_source({"credentials_file": "/abs/k.json"}, environ, "/fleet").path == "/abs/k.json"
    for source in expected:
        assert find_source({}, environ, "/fleet") == source
        environ.pop(source.place, None)
        if source.place.startswith("gcloud"):
            environ["CLOUDSDK_CONFIG"] = "/nonexistent"


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert find_source({"credentials_file": "~/k.json"}, {}, "/fleet").path == "/home/ann/k.json"


def test_a_token_is_not_shown() -> None:
    assert "s3cret" not in repr(Source("X", token="s3cret"))


def test_order_of_projects(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps({"type": "service_account", "project_id": "of-key"}))
    (tmp_path / "configurations").mkdir()
    (tmp_path / "active_config").write_text("work\n")
    (tmp_path / "configurations" / "config_work").write_text("[core]\nproject = of-gcloud\n")
    source = Source("any", path=str(key))
    environ = {"GCE_PROJECT": "of-awx", "CLOUDSDK_CONFIG": str(tmp_path)}
    assert find_project({"credentials_file": "key.json"}, environ, source) == "of-key"
    assert find_project({}, environ, source) == "of-awx"
    assert find_project({}, {**environ, "GOOGLE_CLOUD_PROJECT": "of-google"}, source) == "of-google"
    del environ["GCE_PROJECT"]
    assert find_project({}, environ, source) == "of-key"
    assert find_project({}, environ, Source("metadata")) == "of-gcloud"
    assert find_project({}, {**environ, "CLOUDSDK_ACTIVE_CONFIG_NAME": "other"}, Source("metadata")) is None
    assert find_project({}, NOWHERE, Source("metadata")) is None


@pytest.mark.parametrize(("given", "base"), [
    (None, "https://compute.googleapis.com/compute/v1"),
    ("http://127.0.0.1:8085", "http://127.0.0.1:8085/compute/v1"),
    ("http://127.0.0.1:8085/", "http://127.0.0.1:8085/compute/v1"),
    ("http://127.0.0.1:8085/compute/", "http://127.0.0.1:8085/compute/v1"),
    ("http://127.0.0.1:8085/compute/v1/", "http://127.0.0.1:8085/compute/v1"),
    ("https://www.googleapis.com/compute/beta", "https://www.googleapis.com/compute/beta"),
    ("https://proxy.example.test/gce", "https://proxy.example.test/gce/compute/v1"),
])
def test_endpoint_with_and_without_its_path(given: str | None, base: str) -> None:
    assert given is None or endpoint_problem(given) is None
    assert base_url(given) == base


@pytest.mark.parametrize("wrong", ["127.0.0.1:8085", "compute.example.test", "ftp://x", "https://", "https://a:b@host/"])
def test_wrong_endpoint(wrong: str) -> None:
    assert endpoint_problem(wrong)


def test_identity_changes_with_content_token_project_and_endpoint(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    seen = []
    for content in ("{}", '{"a": 1}'):
        key.write_text(content)
        seen.append(tuple(identity({"credentials_file": str(key)}, NOWHERE)))
    key.unlink()
    seen.append(tuple(identity({"credentials_file": str(key)}, NOWHERE)))
    seen.append(tuple(identity({}, {**NOWHERE, "GOOGLE_OAUTH_ACCESS_TOKEN": "s3cret"})))
    seen.append(tuple(identity({}, {**NOWHERE, "GOOGLE_OAUTH_ACCESS_TOKEN": "other"})))
    seen.append(tuple(identity({}, NOWHERE)))
    seen.append(tuple(identity({}, {**NOWHERE, "GOOGLE_CLOUD_PROJECT": "p"})))
    seen.append(tuple(identity({}, {**NOWHERE, "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": "http://127.0.0.1:1"})))
    assert len(set(seen)) == len(seen)
    assert "s3cret" not in repr(seen)


def test_spec_and_identity_import_no_sdk() -> None:
    base = "ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce"
    code = (f"import sys; from {base}.spec import SPEC; SPEC.identity({{}}, {NOWHERE}); "
            "sys.exit(any(name in sys.modules for name in ('google.auth', 'requests', 'ansible')))")
    root = next(parent.parent for parent in Path(sources.__file__).parents if parent.name == "ansible_collections")
    environ = {"PYTHONPATH": str(root)}
    assert subprocess.run([sys.executable, "-c", code], env=environ, check=False).returncode == 0
