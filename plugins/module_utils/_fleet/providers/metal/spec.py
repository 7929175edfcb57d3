# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options and identity of provider metal: rack files, Ironic, Redfish services. Imports no SDK."""
from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...options import Option
from ..base import Provider, ProviderSpec, Run
from ..openstack import spec as openstack

if TYPE_CHECKING:
    from ...fleet_file import Cloud

_NEEDED = {"file": "path", "ironic": None, "redfish": "baseuri"}


def _baseuri(value: str) -> str | None:
    if not re.match(r"https?://[^/\s]", value):
        return "is not an address of the form https://host:port"
    if "@" in value:
        return "must not hold credentials; write 'username' and 'password' beside it"
    return None


def _sources(value: Any) -> str | None:
    if not value:
        return "names no source; a rack file is {kind: file, path: racks/r42.yml}"
    for number, source in enumerate(value):
        needed = _NEEDED[source["kind"]]
        if needed and not source[needed]:
            return f"source {number} of kind {source['kind']} needs '{needed}'"
    return None


OPTIONS = (
    Option("sources", "dicts", required=True, check=_sources, options=(
        Option("kind", required=True, choices=tuple(_NEEDED)),
        Option("path"),
        Option("cloud"),
        Option("baseuri", check=_baseuri),
        Option("username"),
        Option("password", secret=True),
        Option("validate_certs", "bool", default=True),
    )),
)


def identity(options: Mapping[str, Any], environ: Mapping[str, str], base_dir: str = ".") -> Sequence[str]:
    """The credentials of the Ironic sources and the contents of the rack files; the rest are options themselves."""
    parts: list[str] = []
    for source in options["sources"]:
        if source["kind"] == "file":
            parts.append(_digest(os.path.join(base_dir, os.path.expanduser(source["path"]))))
        if source["kind"] == "ironic":
            parts += openstack.identity({"cloud": source["cloud"]}, environ, base_dir)
    return parts


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return "absent"  # told when it is read


def open_cloud(cloud: Cloud, run: Run) -> Provider:
    """The provider, with its transport loaded only now."""
    from .client import Metal

    return Metal(cloud, run)


SPEC = ProviderSpec(name="metal", options=OPTIONS, identity=identity, open=open_cloud)
