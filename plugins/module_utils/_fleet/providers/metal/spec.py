# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options and identity of provider metal: rack files, Ironic, Redfish services. Imports no SDK."""
from __future__ import annotations

import hashlib
import importlib
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...options import Option
from ..base import Provider, ProviderSpec, Run
from ..openstack import spec as openstack

if TYPE_CHECKING:
    from ...fleet_file import Cloud

SUFFIX = ".reservations.yml"
_NEEDED = {"file": "path", "ironic": None, "redfish": "baseuri"}


def _baseuri(value: str) -> str | None:
    if not re.match(r"https?://[^/\s]", value):
        return "is not an address of the form https://host:port"
    if "@" in value:
        return "must not hold credentials; write 'username' and 'password' beside it"
    return None


def _addresses(value: Mapping[Any, Any]) -> str | None:
    for label, ips in value.items():
        if not isinstance(label, str) or not isinstance(ips, list):
            return f"'{label}' must hold a list of addresses"
        for text in ips:
            try:
                ipaddress.ip_address(text)
            except ValueError:
                return f"'{text}' of '{label}' is not an IP address"
    return None


def _images(value: Sequence[Mapping[str, Any]]) -> str | None:
    names = [image["name"] for image in value]
    twice = next((name for name in names if names.count(name) > 1), None)
    return f"'{twice}' stands in the list twice" if twice else None


def _sources(value: Any) -> str | None:
    if not value:
        return "names no source; a rack file is {kind: file, path: racks/r42.yml}"
    for number, source in enumerate(value):
        needed = _NEEDED[source["kind"]]
        if needed and not source[needed]:
            return f"source {number} of kind {source['kind']} needs '{needed}'"
    return None


# images: of an Ironic, what may be deployed. reservations: file that says who holds which machine. Of a Redfish service: pool, the
# systems (names or ids) that nodes may be bound to; addresses, name or id -> addresses of its operating system; boot: pxe when
# a machine is installed from the network on being bound.
OPTIONS = (
    Option("sources", "dicts", required=True, check=_sources, options=(
        Option("kind", required=True, choices=tuple(_NEEDED)),
        Option("path"),
        Option("cloud"),
        Option("baseuri", check=_baseuri),
        Option("username"),
        Option("password", secret=True),
        Option("validate_certs", "bool", default=True),
        Option("images", "dicts", default=[], check=_images, options=(
            Option("name", required=True),
            Option("source", required=True),
            Option("checksum"),
            Option("distro"),
            Option("version"),
            Option("arch"),
            Option("login_user"),
        )),
        Option("reservations"),
        Option("pool", "strings", default=[]),
        Option("addresses", "dict", default={}, check=_addresses),
        Option("boot", choices=("pxe",)),
    )),
)


def identity(options: Mapping[str, Any], environ: Mapping[str, str], base_dir: str = ".") -> Sequence[str]:
    """The credentials of the Ironic sources and the contents of the files; the rest are options themselves."""
    parts: list[str] = []
    for source in options["sources"]:
        if source["kind"] == "file":
            parts.append(_digest(os.path.join(base_dir, os.path.expanduser(source["path"]))))
        if source["kind"] != "ironic":
            parts.append(_digest(reservations(source, base_dir)))
        if source["kind"] == "ironic":
            parts += openstack.identity({"cloud": source["cloud"]}, environ, base_dir)
    return parts


def reservations(source: Mapping[str, Any], base_dir: str) -> str:
    """Path of the file that says who holds which machine of a rack file or Redfish service. Two clouds of one source share it,
    as they share its machines."""
    if source["reservations"]:
        return os.path.join(base_dir, os.path.expanduser(source["reservations"]))
    if source["kind"] == "file":
        return os.path.join(base_dir, os.path.expanduser(source["path"]) + SUFFIX)
    return os.path.join(base_dir, re.sub(r"[^\w.-]", "-", f"redfish-{urlsplit(source['baseuri']).netloc}") + SUFFIX)


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


def load(options: Mapping[str, Any]) -> None:
    """Import what these kinds of sources need."""
    kinds = {source["kind"] for source in options["sources"]}
    if "ironic" in kinds:
        importlib.import_module("..openstack.client", __package__)
    if "redfish" in kinds:
        importlib.import_module("requests")


SPEC = ProviderSpec(name="metal", options=OPTIONS, identity=identity, open=open_cloud, load=load)
