# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the suite asks each cloud for: small, of a distribution that everybody knows, and whatever the operator says otherwise. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import requirement
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import ImageWish, Requirement
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.selection import Choice, choose

PREFIX = "fleet-conformance-"
"""With what the name of everything begins that the suite makes."""

TAG = "fleet_conformance"
"""Tag of every node that the suite makes; its value is the run."""

KNOWN: tuple[ImageWish, ...] = (
    ImageWish(distro="debian", version="12"), ImageWish(distro="debian"), ImageWish(distro="ubuntu"), ImageWish(distro="rocky"),
    ImageWish(distro="almalinux"), ImageWish(distro="rhel"), ImageWish(distro="centos"), ImageWish(distro="fedora"),
    ImageWish(distro="amazon"), ImageWish(distro="opensuse"), ImageWish(distro="sles"), ImageWish(distro="flatcar"))
"""Images to ask for, the first that the cloud has is taken."""

WORDS = tuple(dict.fromkeys(word for wish in KNOWN for word in wish.words()))
"""Words by which a cloud with very many images is asked for these."""

LEAST_MEMORY_MIB = 512
OWN = ("image", "flavor", "network", "scope", "zone", "tags", "security", "user_data")
"""Keys of a requirement that the operator may give."""

_DEFAULTS: Mapping[str, Any] = {"flavor": {"memory_mib": LEAST_MEMORY_MIB}, "security": {"allow": [{"port": 22}]}}
_FOR_MACHINES: Mapping[str, Any] = {}
"""A machine is taken as it is; many racks do not tell how large theirs are."""


def checked(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The operator's part of a requirement. Raises FleetError."""
    unknown = sorted(set(given) - set(OWN))
    if unknown:
        raise FleetError(f"{place}: unknown key '{unknown[0]}'", fix=f"Known keys: {', '.join(OWN)}.", code="argument")
    requirement.parse({"name": "node", **given}, place)
    return dict(given)


ASKS_FOR_NOTHING: Mapping[str, str] = {"gce": "private"}
"""Provider -> how to be reached, so that the request asks for no address and the cloud's own default shows. On Google an address is
in the request or there is none; elsewhere "private" would turn a default off, and "any" leaves it."""


def wanted(name: str, run: str, given: Mapping[str, Any], tags: Mapping[str, str], provider: str) -> Requirement:
    """The requirement of the node of that name, without a public address being asked for. An image is asked for only when the
    operator names one."""
    data = {**(_FOR_MACHINES if provider == "metal" else _DEFAULTS), **given}
    network = {**(given.get("network") or {}), "reachable": ASKS_FOR_NOTHING.get(provider, "any")}
    return requirement.parse(
        {**data, "name": name, "network": network, "tags": {**tags, **(given.get("tags") or {}), TAG: run}}, "requirement")


def chosen(wish: Requirement, catalog: Catalog, *, provider: str, operator_login: str | None) -> tuple[Requirement, Choice, str]:
    """The requirement with the image that was found, what was chosen, and by which kind of wish ("given", "known" or "any").
    Raises FleetError (no_match) of the first wish when nothing fits at all."""
    if wish.image != ImageWish():
        return wish, choose(wish, catalog, provider=provider, operator_login=operator_login), "given"
    failure: FleetError | None = None
    if any(flavor.networks for flavor in catalog.flavors):
        # a machine may come with its system: then there is nothing to choose
        try:
            return wish, choose(wish, catalog, provider=provider, operator_login=operator_login), "known"
        except FleetError as nothing:
            failure = nothing
    for image, kind in [*((known, "known") for known in KNOWN), *((ImageWish(id=row.id), "any") for row in _usable(catalog))]:
        tried = dataclasses.replace(wish, image=image)
        try:
            return tried, choose(tried, catalog, provider=provider, operator_login=operator_login), kind
        except FleetError as nothing:
            if nothing.code != "no_match":
                raise
            failure = failure or nothing
    if failure is None:
        raise AssertionError("failure is known here")
    raise failure


def _usable(catalog: Catalog) -> Sequence[Any]:
    return [image for image in catalog.images if image.usable]


def name_of(run: str, number: int = 1) -> str:
    """Name of the node of a run's first, second, ... cloud, and of its key."""
    return f"{PREFIX}{run}-{number}"


def twin_of(name: str) -> str:
    """Another mark of the same run: a node's number never begins with a zero."""
    start, _hyphen, number = name.rpartition("-")
    return f"{start}-0{number}"


def run_of(name: str) -> str | None:
    """The run that a name of the suite tells; None for any other."""
    if not name.startswith(PREFIX):
        return None
    run, _hyphen, number = name[len(PREFIX):].rpartition("-")
    return run if run and number.isdecimal() else None
