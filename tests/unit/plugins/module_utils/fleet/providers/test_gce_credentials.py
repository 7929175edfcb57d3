# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tokens and credentials of the provider gce: renewed, impersonated, federated, refused, missing."""
from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_opened import (
    ALL,
    LIST,
    Opened,
    small_fleet,
    write_key,
)
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_server import (
    FakeGce,
    Fault,
    google_error,
)


@pytest.fixture
def gce(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGce]:
    with small_fleet(monkeypatch) as fake:
        yield fake


@pytest.fixture
def key_file(tmp_path: Path, gce: FakeGce) -> Path:
    return write_key(tmp_path, gce)


@pytest.fixture
def opened(gce: FakeGce, key_file: Path) -> Opened:
    return Opened(gce, {"credentials_file": str(key_file)})


# ------------------------------------------------------------------------------------------------------- tokens
def test_an_expired_token_is_renewed_once(gce: FakeGce, opened: Opened) -> None:
    opened.nodes()
    gce.refused_tokens.add("token-1")
    assert opened.names() == ALL
    assert (gce.tokens, opened.waits) == (2, [])


def test_a_token_refused_again_is_an_error(gce: FakeGce, opened: Opened) -> None:
    gce.faults.append(Fault(LIST, 401, google_error(401, "Invalid Credentials", "authError")))
    failure = opened.failure()
    assert (failure.code, opened.waits) == ("auth", [])
    assert "token-" not in str(failure)


def test_a_key_that_was_revoked(gce: FakeGce, opened: Opened) -> None:
    gce.faults.append(Fault("/token", 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}))
    failure = opened.failure()
    assert (failure.code, failure.why) == ("auth", "invalid_grant: Invalid JWT Signature.")
    assert "credentials_file" in failure.fix


def test_impersonation_through_a_chain(gce: FakeGce, key_file: Path) -> None:
    opened = Opened(gce, {"credentials_file": str(key_file), "impersonate_service_account": "hop@acme, reader@acme"},
                    environ={"CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS": f"{gce.url}/"})
    assert opened.names() == ALL
    assert gce.count("/v1/projects/-/serviceAccounts/reader@acme:generateAccessToken") == 1
    tokens = {headers["authorization"] for _method, path, _query, headers in gce.requests if path.endswith(LIST)}
    assert tokens == {"Bearer impersonated-2"}


def test_impersonation_not_allowed(gce: FakeGce, key_file: Path) -> None:
    denied = google_error(403, "Permission 'getAccessToken' denied", "forbidden")
    gce.faults.append(Fault(":generateAccessToken", 403, denied))
    opened = Opened(gce, {"credentials_file": str(key_file), "impersonate_service_account": "reader@acme"},
                    environ={"CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS": gce.url})
    failure = opened.failure()
    assert (failure.code, failure.why) == ("auth", "Permission 'getAccessToken' denied")


def test_federation_through_a_token_file(gce: FakeGce, tmp_path: Path) -> None:
    (tmp_path / "oidc.txt").write_text("subject-token")
    (tmp_path / "federation.json").write_text(json.dumps({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": f"{gce.url}/v1/token",
        "credential_source": {"file": str(tmp_path / "oidc.txt")}}))
    opened = Opened(gce, {"credentials_file": "federation.json", "projects": ["acme-prod"]}, base_dir=str(tmp_path))
    assert opened.names() == ALL
    assert gce.count("/v1/token") == 1


def test_a_ready_made_token_of_the_environment(gce: FakeGce) -> None:
    opened = Opened(gce, {}, environ={"CLOUDSDK_AUTH_ACCESS_TOKEN": "given\n", "GOOGLE_CLOUD_PROJECT": "acme-prod"})
    assert opened.names() == ALL
    assert gce.tokens == 0
    gce.refused_tokens.add("given")
    failure = opened.failure()
    assert failure.code == "auth"
    assert "CLOUDSDK_AUTH_ACCESS_TOKEN" in failure.fix
    assert "given" not in str(failure)


def test_netrc_does_not_replace_the_token(
    gce: FakeGce, opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert opened.names() == ALL


# ------------------------------------------------------------------------------------------ opening that fails
@pytest.mark.parametrize(("content", "code", "words"), [
    (None, "credential_missing", "no file"),
    ("not json", "auth", "not JSON"),
    ('{"type": "robot"}', "auth", "its type 'robot' is none of Google's"),
    ('{"type": "service_account"}', "auth", "token_uri"),
    ('{"type": "service_account", "client_email": "a@b", "token_uri": "x", "private_key": "s3cret"}', "auth", "key"),
    ("[1]", "auth", "not of the form Google gives out"),
])
def test_unusable_credentials_file(gce: FakeGce, tmp_path: Path, content: str | None, code: str, words: str) -> None:
    if content is not None:
        (tmp_path / "key.json").write_text(content)
    with pytest.raises(FleetError) as caught:
        Opened(gce, {"credentials_file": "key.json", "projects": ["acme-prod"]}, base_dir=str(tmp_path))
    assert caught.value.code == code
    assert words in caught.value.why
    assert str(tmp_path / "key.json") in caught.value.why
    assert "s3cret" not in str(caught.value)


def test_no_credentials_at_all(gce: FakeGce, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(FleetError) as caught:
        Opened(gce, {"projects": ["acme-prod"]})
    assert caught.value.code == "credential_missing"
    assert "gcloud auth application-default login" in caught.value.fix


def test_no_project_at_all(gce: FakeGce) -> None:
    with pytest.raises(FleetError) as caught:
        Opened(gce, {}, environ={"GOOGLE_OAUTH_ACCESS_TOKEN": "given"})
    assert caught.value.code == "project_missing"
    assert "projects: [my-project]" in caught.value.fix


def test_bad_endpoint_in_the_environment(gce: FakeGce) -> None:
    with pytest.raises(FleetError, match="CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"):
        Opened(gce, {"endpoint": None}, environ={
            "GOOGLE_OAUTH_ACCESS_TOKEN": "t", "GCP_PROJECT": "p", "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": "compute"})


def test_missing_library_says_how_to_install_it(gce: FakeGce, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.endswith((".gce.provider", ".gce.client", ".gce.credentials"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(FleetError) as caught:
        Opened(gce, {"projects": ["acme-prod"]})
    assert caught.value.code == "library_missing"
    assert "pip install google-auth" in caught.value.fix
