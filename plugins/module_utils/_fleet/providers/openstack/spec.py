# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of OpenStack without its SDK: the options of a cloud's entry, and what its answer depends on."""
from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...options import Option
from ..base import Provider, ProviderSpec, Run

if TYPE_CHECKING:
    from ...fleet_file import Cloud

OPTIONS = (
    Option("cloud"),
    Option("regions", "strings", default=[]),
    Option("all_projects", "bool", default=False),
)

_FILE_KINDS = {"clouds": "OS_CLIENT_CONFIG_FILE", "secure": "OS_CLIENT_SECURE_FILE", "clouds-public": ""}
"""Files openstacksdk merges, and the variable that names one; of each kind it takes the first it can read."""

_SUFFIXES = (".yaml", ".yml", ".json")
_NO_CREDENTIALS = ("OS_TEST", "OS_STD", "OS_LOG")  # prefixes openstacksdk ignores too


def identity(options: Mapping[str, Any], environ: Mapping[str, str], base_dir: str = ".") -> Sequence[str]:
    """What selects credentials and account beyond the options: digests of the files, and of the OS_* variables.

    The variables count only for an entry that names no cloud. Files count by content, not by path: AWX writes them to
    a new path for each job.
    """
    parts = [f"{kind} sha256:{_digest(content)}" for kind, content in _files(environ)]
    if not options.get("cloud"):
        parts += [
            f"{name} sha256:{_digest(value.encode())}"
            for name, value in sorted(environ.items())
            if name.startswith("OS_") and not name.startswith(_NO_CREDENTIALS) and name not in _FILE_KINDS.values()
        ]
    return parts


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _files(environ: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    home = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".config")
    folders = (
        os.curdir,
        os.path.join(environ.get("XDG_CONFIG_HOME") or home, "openstack"),
        os.path.join(home, "openstack"),
        *(os.path.join(folder, "openstack") for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")),
        "/etc/openstack",
    )
    for kind, variable in _FILE_KINDS.items():
        named = environ.get(variable) if variable else None
        candidates = [os.path.join(folder, kind + suffix) for folder in folders for suffix in _SUFFIXES]
        for path in [named, *candidates] if named else candidates:
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except OSError:
                continue
            yield kind, content
            break


def _open(cloud: Cloud, run: Run) -> Provider:
    from .client import Account, require_sdk
    from .provider import OpenStack

    require_sdk("openstack")
    return OpenStack(cloud, run, Account.open(cloud.options["cloud"], cloud.options["regions"], run))


SPEC = ProviderSpec("openstack", OPTIONS, identity, _open)
