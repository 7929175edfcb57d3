# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files with which the clouds' own libraries find the recorded clouds."""
from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .contestants import CLOUDS_YAML, SERVICE_ACCOUNT
from .gce_pages import PROJECT
from .openstack_pages import REGION


def write(folder: Path, url: str) -> None:
    """clouds.yaml and a service account's key, made for this run; url: of the server."""
    folder.mkdir(parents=True, exist_ok=True)
    auth = {
        "auth_url": f"{url}/identity/v3", "username": "bench", "password": "bench", "project_name": "bench",
        "user_domain_id": "default", "project_domain_id": "default"}
    clouds = {"clouds": {"bench": {"auth": auth, "region_name": REGION, "identity_api_version": 3}}}
    (folder / CLOUDS_YAML).write_text(json.dumps(clouds), encoding="utf-8")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    account = {
        "type": "service_account", "project_id": PROJECT, "private_key_id": "bench", "private_key": pem,
        "client_email": f"bench@{PROJECT}.iam.gserviceaccount.com", "client_id": "1", "token_uri": f"{url}/token"}
    target = folder / SERVICE_ACCOUNT
    target.touch(mode=0o600)
    target.write_text(json.dumps(account), encoding="utf-8")
