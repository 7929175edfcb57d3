# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clouds that refuse or do not answer: every provider says so in the same way, and soon."""
from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .conftest import Read, described, nodes

Break = Callable[[Path, pytest.MonkeyPatch], dict[str, Any]]
DEAD = "http://127.0.0.1:9"  # the discard port: nobody listens


def clouds_yaml(folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    text = Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    change(data["clouds"]["provider"])
    (folder / "clouds.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(folder / "clouds.yaml"))
    return {}


def aws_profile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "credentials").write_text("[wrong]\naws_access_key_id = AKIAAAAAAAAAAAAAAAAA\naws_secret_access_key = s3cr3t-wrong\n", encoding="utf-8")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    return {"profile": "wrong"}


def gce_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A key file whose account the token server does not know."""
    key = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text(encoding="utf-8"))
    (folder / "key.json").write_text(json.dumps({**key, "client_email": "nobody@acme-prod.iam.gserviceaccount.com"}), encoding="utf-8")
    return {"credentials_file": str(folder / "key.json")}


def redfish(**keys: Any) -> dict[str, Any]:
    source = next(source for source in described("metal")["sources"] if source["kind"] == "redfish")
    return {"sources": [{**source, **keys}]}


REFUSED: dict[str, Break] = {
    "provider": lambda folder, patch: clouds_yaml(folder, patch, lambda entry: entry["auth"].update(password="s3cr3t-wrong")),
    "amazon": aws_profile,
    "google": gce_key,
    "metal": lambda folder, patch: redfish(password="s3cr3t-wrong"),
}
UNREACHABLE: dict[str, Break] = {
    "provider": lambda folder, patch: clouds_yaml(folder, patch, lambda entry: entry["auth"].update(auth_url=f"{DEAD}/v3")),
    "amazon": lambda folder, patch: {"endpoint_url": DEAD},
    "google": lambda folder, patch: {"endpoint": DEAD},
    "metal": lambda folder, patch: redfish(baseuri=DEAD),
}


@pytest.mark.parametrize("cloud", REFUSED)
def test_refused_credentials(read: Read, cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = REFUSED[cloud](tmp_path, monkeypatch)
    with pytest.raises(FleetError) as caught:
        nodes(read(cloud, **keys))
    assert caught.value.code == "auth"
    assert caught.value.cloud == cloud
    assert caught.value.fix
    assert "s3cr3t" not in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value)


@pytest.mark.parametrize("cloud", UNREACHABLE)
def test_unreachable(read: Read, cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = UNREACHABLE[cloud](tmp_path, monkeypatch)
    with pytest.raises(FleetError) as caught:
        nodes(read(cloud, timeout=4, **keys))
    assert caught.value.code in ("timeout", "unreachable")
    assert caught.value.cloud == cloud
    assert caught.value.fix


@pytest.mark.parametrize("cloud", UNREACHABLE)
def test_a_server_that_accepts_and_never_answers(read: Read, cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(f"{__name__}.DEAD", address)
        keys = UNREACHABLE[cloud](tmp_path, monkeypatch)
        began = time.monotonic()
        with pytest.raises(FleetError) as caught:
            nodes(read(cloud, timeout=2, **keys))
    assert caught.value.code in ("timeout", "unreachable")
    assert time.monotonic() - began < 30, "the deadline ends it, however patient the transport is"


@pytest.mark.parametrize(
    ("cloud", "keys", "sentence"),
    [
        ("amazon", {"regions": ["me-south-1"]}, "not enabled"),
        ("provider", {"regions": ["NoSuchRegion"]}, "RegionOne"),
        ("provider", {"cloud": "nosuchcloud"}, "nosuchcloud"),
        ("amazon", {"profile": "nosuchprofile"}, "nosuchprofile"),
        ("google", {"projects": ["no-such-project"]}, "no-such-project"),
        ("google", {"credentials_file": "no/such/file.json"}, "no/such/file.json"),
        ("provider", {"all_projects": True}, "all_projects"),
        ("amazon", {"profile": "lab-denied"}, "ec2:DescribeInstances"),
    ],
)
def test_what_does_not_exist_or_is_not_allowed_is_named(read: Read, cloud: str, keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FleetError) as caught:
        nodes(read(cloud, **keys))
    assert sentence in str(caught.value)
    assert caught.value.fix
