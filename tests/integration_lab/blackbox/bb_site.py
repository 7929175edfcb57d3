# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An operator's workplace in a temporary folder: fleet files, clouds.yaml, and the real commands as subprocesses.

The environment is built from nothing, so that no setting of the machine can help or hurt.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

SECRETS = ("s3cr3t-aws-key", "Passw0rd", "adv-token", "gAAAA-secret", "ext-id-s3cr3t", "BEGIN PRIVATE KEY")
"""Parts of all secrets that these tests hand out; no output may hold one."""


def _bin(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed"
    return found


@dataclasses.dataclass
class Done:
    """How a command ended. seconds: wall time."""

    status: int
    out: str
    err: str
    seconds: float

    @property
    def all(self) -> str:
        return self.out + self.err

    def one_line(self) -> str:
        """Everything it said, with the terminal's line breaks taken out."""
        return " ".join(self.all.split())

    def listing(self) -> dict[str, Any]:
        assert self.status == 0, self.all[-4000:]
        data: dict[str, Any] = json.loads(self.out)
        return data

    def hosts(self) -> dict[str, dict[str, Any]]:
        """Host variables by host, as ``--list --export`` or ``--list`` gives them."""
        data = self.listing()
        found: dict[str, dict[str, Any]] = data["_meta"]["hostvars"]
        return found

    def clean(self) -> Done:
        """Itself, after the two checks that hold for every output."""
        assert "Traceback (most recent call last)" not in self.all, self.all[-6000:]
        self.no_secret()
        return self

    def no_secret(self) -> None:
        for secret in SECRETS:
            assert secret not in self.all, f"{secret} in the output: {self.all[-6000:]}"

    def refused(self, *words: str) -> str:
        """The message of a failed command, which holds all those words; hosts were not shown."""
        self.clean()
        assert self.status != 0, f"exit status 0: {self.all[-4000:]}"
        text = self.one_line()
        for word in words:
            assert word in text, f"{word!r} is not in: {text[-3000:]}"
        return text


class Site:
    """One folder with everything a command sees."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        tree = os.environ.get("ANSIBLE_COLLECTIONS_PATH")
        assert tree, "ANSIBLE_COLLECTIONS_PATH must name the tree that holds the collection"
        self.env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": tree,
            "ANSIBLE_HOME": str(self.home / ".ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_GCE_CHECK": "true",
            "NO_PROXY": "127.0.0.1",
            "COLUMNS": "500",
            "PYTHONWARNINGS": "ignore",
            "ANSIBLE_VERBOSE_TO_STDERR": "True",
        }
        (folder / "ansible.cfg").write_text("[defaults]\nretry_files_enabled = false\n", encoding="utf-8")

    def write(self, name: str, content: Any) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False, allow_unicode=True),
            encoding="utf-8",
        )
        return path

    def fleet(self, clouds: Any, name: str = "fleet.yml", **settings: Any) -> Path:
        """A fleet file; timeout and retries are short unless told."""
        return self.write(
            name, {"plugin": "hybridops.fleet.nodes", "timeout": 20, "retries": 2, **settings, "clouds": clouds}
        )

    def aws_keys(self, key: str = "AKIAADVERSARY000001") -> None:
        self.env.update(AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY="s3cr3t-aws-key")

    def google_token(self) -> None:
        self.env["GOOGLE_OAUTH_ACCESS_TOKEN"] = "adv-token-1"

    def clouds_yaml(self, clouds: dict[str, dict[str, Any]]) -> Path:
        """name -> {url: of an OpenStack world, and anything else of a clouds.yaml entry}."""
        content = {}
        for name, entry in clouds.items():
            rest = {key: value for key, value in entry.items() if key not in ("url", "password")}
            content[name] = {
                "auth": {
                    "auth_url": f"{entry['url']}/identity/v3",
                    "username": "ops",
                    "password": entry.get("password", "Passw0rd-right"),
                    "project_name": "acme",
                    "user_domain_name": "Default",
                    "project_domain_name": "Default",
                },
                **rest,
            }
        return self.write("home/.config/openstack/clouds.yaml", {"clouds": content})

    def run(self, tool: str, *words: str, timeout: float = 90, **env: str) -> Done:
        began = time.monotonic()
        done = subprocess.run(
            [_bin(tool), *words],
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - began)

    def list(self, *words: str, fleet: str = "fleet.yml", export: bool = True, **env: str) -> Done:
        return self.run("ansible-inventory", "-i", fleet, "--list", *(["--export"] if export else []), *words, **env)


def aws(world: Any, **more: Any) -> dict[str, Any]:
    return {"provider": "aws", "regions": ["us-east-1"], "endpoint_url": world.url, **more}


def gce(world: Any, **more: Any) -> dict[str, Any]:
    return {"provider": "gce", "projects": ["acme"], "endpoint": world.url, **more}


def openstack(cloud: str, **more: Any) -> dict[str, Any]:
    return {"provider": "openstack", "cloud": cloud, **more}


def service_account(
    site: Site, token_uri: str, name: str = "sa.json", email: str = "reader@acme.iam.gserviceaccount.com"
) -> Path:
    """A key file as AWX writes it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return site.write(
        name,
        json.dumps(
            {
                "type": "service_account",
                "private_key": key.decode(),
                "client_email": email,
                "project_id": "acme",
                "token_uri": token_uri,
            }
        ),
    )
