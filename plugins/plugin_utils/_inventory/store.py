# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is kept on disk between runs: the inventory cache's key and file mode, and each cloud's last good answer.

Only normalised records are kept. They hold no credential and no user data, and their files are for the owner only.
"""
from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.registry import PROVIDERS

FORMAT = 1
"""Version of the records; a file of another version is not used."""

Records = list[dict[str, Any]]


def cloud_key(cloud: Cloud, settings: Mapping[str, Any], environ: Mapping[str, str], base_dir: str) -> str:
    """A digest of all that one cloud's answer depends on: its options, the settings, and whose credentials are used."""
    spec = PROVIDERS[cloud.provider]
    parts = {
        "format": FORMAT,
        "cloud": cloud.name,
        "provider": cloud.provider,
        "base_dir": base_dir,
        "options": cloud.options,  # digested, so a password among them is not in the key
        "login_user": cloud.login_user,
        "ssh_port": cloud.ssh_port,
        "roles": cloud.roles.described(),
        "filters": [cloud.filters.states, sorted(cloud.filters.tags.items()), cloud.filters.names],
        "settings": settings,
        "identity": list(spec.identity(cloud.options, environ, base_dir)),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def fleet_key(clouds: Sequence[Cloud], settings: Mapping[str, Any], environ: Mapping[str, str], base_dir: str) -> str:
    """The same for a whole fleet file."""
    keys = [cloud_key(cloud, settings, environ, base_dir) for cloud in clouds]
    return hashlib.sha256("".join(keys).encode()).hexdigest()[:32]


def frozen(records: Records) -> str:
    """The records as one string of ASCII, so that no cache plugin reads a meaning of its own into tags of a cloud."""
    return json.dumps(records)


def thawed(cached: Any) -> Records:
    """The records that frozen made this of. Raises KeyError when something else stands there."""
    try:
        records = json.loads(str(cached))
    except ValueError:
        raise KeyError("no records") from None
    if not isinstance(records, list):
        raise KeyError("no records")
    return records


def protect_cache_files(cache: Any) -> None:
    """Give a file-based cache plugin's files mode 0600; Ansible's own writes them 0644. cache: the plugin's adjudicator."""
    folder = getattr(getattr(cache, "_plugin", None), "_cache_dir", None)
    if not folder:
        return  # memory, redis ...
    for key in cache:
        for path in Path(folder).glob(f"*{key}"):  # ansible-core puts its own prefixes before the key
            path.chmod(0o600)


class LastGood:
    """The last good answer of each scope of each cloud, one JSON file a cloud, mode 0600 in a folder 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, key: str) -> dict[str, Records]:
        """Scope -> records; empty when there is no usable file."""
        try:
            data = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return data["scopes"] if isinstance(data, dict) and data.get("format") == FORMAT else {}

    def save(self, key: str, scopes: Mapping[str, Records]) -> None:
        """Replace the cloud's file in one step. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder)  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump({"format": FORMAT, "scopes": scopes}, out)
            os.replace(name, self._path(key))
        except BaseException:
            os.unlink(name)
            raise

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"
