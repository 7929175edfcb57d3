# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what was seen to YES, PARTIAL or NO with the evidence. Pure; the I/O is in the probes."""
from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog, image_login
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.selection import Choice
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.proofs import Proof

from .checks import ERROR, NO, NONE, PARTIAL, YES

Answer = tuple[str, str]
"""Verdict and evidence."""

FEW = 3  # names in a sentence

CLOUD_S_NO = frozenset({
    "quota", "capacity", "image_gone", "address_pool", "node_error", "no_match", "no_address", "vanished", "refused", "taken",
    "wrong_state", "no_service"})
"""Codes of failures that are the cloud's answer: it was asked, and does not do it. All others say that it could not be asked."""


def of_failure(failure: FleetError, *, timeout_is_no: bool = False) -> Answer:
    """The answer that a failure is. timeout_is_no: whether waiting in vain is one, too."""
    told = words(failure)
    if failure.code == "unsupported":  # a machine of a rack file has no power switch to be judged
        return NONE, told
    if failure.code in CLOUD_S_NO or (timeout_is_no and failure.code == "timeout"):
        return NO, told
    return ERROR, told


def words(failure: FleetError) -> str:
    """A failure as evidence: without its place, which stands above it."""
    return str(FleetError(failure.what, why=failure.why, fix=failure.fix))


# ------------------------------------------------------------------------------------------------ steps 1 to 5
def add_key(stored: str, *, shown: bool, fingerprint: str | None) -> Answer:
    """stored: where the key is ("key store", "instance metadata", "machine", "")."""
    if stored == "key store":
        if not shown:
            return NO, "the key store took the key, but does not show it"
        return YES, "in the key store" + (f", fingerprint {fingerprint}" if fingerprint else "")
    if stored == "machine":
        return PARTIAL, "no key store: a machine gets the key when it is deployed, if it is"
    if stored:
        return PARTIAL, f"no key store: the key goes into the {stored}"
    return NO, "neither a key store nor metadata takes a key"


def metadata(catalog: Catalog, provider: str, operator_login: str | None) -> Answer:
    """Judged by the images that everybody has, where there are some: the operator's own are no trait of the cloud. On metal the
    machines stand for flavors, and bring images and networks along."""
    machines = [flavor for flavor in catalog.flavors if flavor.networks]
    networks = [network for flavor in machines for network in flavor.networks] if machines else list(catalog.networks)
    told = (f"{len(catalog.images)} images, {len(machines)} machines with {len(networks)} networks" if machines else
            f"{len(catalog.images)} images, {len(catalog.flavors)} flavors, {len(networks)} networks, {len(catalog.zones)} zones")
    missing = [word for word, rows in (("images", catalog.images or machines), ("flavors", catalog.flavors), ("networks", networks)) if not rows]
    if missing:
        return NO, f"no {' and no '.join(missing)} told ({told})"
    gaps = []
    official = [image for image in catalog.images if image.public] or list(catalog.images)
    nobody = []
    for image in official:
        decision = image_login(provider, image, operator_login)
        if decision.value is None and decision.candidates:
            nobody.append(image.name)
    if nobody:
        gaps.append(f"login user not told for {some(nobody)}")
    roles = [network.name for network in networks if network.usable and network.role == "unknown"]
    if roles:
        gaps.append(f"role not told of network {some(roles)}")
    sizes = [flavor.name for flavor in catalog.flavors if flavor.vcpus is None or flavor.memory_mib is None]
    if sizes:
        gaps.append(f"size not told of {some(sizes)}")
    return (PARTIAL, f"{told}; {'; '.join(gaps)}") if gaps else (YES, told)


def pick(choice: Choice, *, wish: str) -> Answer:
    """wish: "given" when the operator asked for an image, "known" for a known distribution, "any" for whatever can be used."""
    parts = []
    for word, chosen in (("image", choice.image), ("flavor", choice.flavor), ("network", choice.network)):
        parts.append(f"{word} {chosen.item.name} ({chosen.because})" if chosen else f"{word}: comes with the machine")
    evidence = "; ".join(parts)
    return (PARTIAL, f"no known distribution among the images; {evidence}") if wish == "any" else (YES, evidence)


def request(node: Node, did: Sequence[str], seconds: float, *, first: str | None, taken: str | None) -> Answer:
    """first and taken: what was chosen first and what the node was made from."""
    evidence = f"{node.id} runs after {seconds:.1f} s" + (f" in {node.zone}" if node.zone else "")
    if first and taken and first != taken:
        return PARTIAL, f"{evidence}, but from {taken}: {first} was not to be had"
    return YES, evidence


# --------------------------------------------------------------------------------------------------- around
def tags(
    wanted: Mapping[str, str], adapted: Mapping[str, str], found: Mapping[str, str], *, added: Mapping[str, str], later: Mapping[str, str],
) -> Answer:
    """wanted: as asked for; adapted: as the cloud said it would keep them; found: on the node. added: set on the running node,
    later: what was read afterwards."""
    kept = {key for key, value in adapted.items() if found.get(key) == value}
    if not kept:
        return NO, f"none of {', '.join(wanted)} is on the node"
    lost = [key for key in adapted if key not in kept]
    late = [key for key, value in added.items() if later.get(key) != value]
    changed = [f"{key}={value}" for key, value in wanted.items() if adapted.get(key) != value]
    gaps = [f"not kept: {', '.join(lost)}" if lost else "", f"not settable on a running node: {', '.join(late)}" if late else "",
            f"changed: {', '.join(changed)}" if changed else ""]
    told = "; ".join(gap for gap in gaps if gap)
    return (PARTIAL, told) if told else (YES, f"{', '.join(sorted(kept))} of the request, and {', '.join(added)}, set later")


def second_request(first: str, second: str, living: Sequence[str]) -> Answer:
    """first, second: ids of the two answers; living: ids of the nodes of that name afterwards."""
    if second == first and list(living) in ([first], []):
        return YES, f"answered with {first}"
    others = [node for node in living if node != first] or [second]
    return NO, f"made {', '.join(others)} beside {first}"


def same_name(first: str, second: str, names: Mapping[str, str | None], name: str) -> Answer:
    """names: id -> name of the nodes found afterwards."""
    if second == first:
        return NO, f"a second request under the name {name} gave the first node again"
    if names.get(second, name) != name:
        return PARTIAL, f"{second} was made, but is named {names[second]}"
    return YES, f"{first} and {second} are both named {name}"


def name_taken(failure: FleetError) -> Answer:
    """failure: with which the second request was refused."""
    return NO, f"the second request was refused: {failure.why or failure.what}"


def host_keys(early: Sequence[str] | None, late: Sequence[str] | None) -> Answer:
    """early: before the first login; late: at the end."""
    if early:
        return YES, _kinds(early)
    if late:
        return PARTIAL, f"{_kinds(late)}, but only later"
    return NO, "none told: the first login has to trust what answers"


def deletion(*, living: Sequence[str], left: Sequence[str], strange: Collection[str], removed: Sequence[str]) -> Answer:
    """living: ids of our nodes still there; left: what else of ours is, in words; strange: ids of nodes that others made or removed
    meanwhile; removed: words of what was removed."""
    note = f" ({len(strange)} nodes of others came or went meanwhile)" if strange else ""
    if living:
        return NO, f"still there: {', '.join(living)}{note}"
    if left:
        return PARTIAL, f"the node is gone, but still there: {', '.join(left)}{note}"
    return YES, f"removed {', '.join(removed) or 'everything'}; nothing is left{note}"


# ----------------------------------------------------------------------------------------------------- words
@dataclasses.dataclass(frozen=True, slots=True)
class Door:
    """Who was let in. predicted: the user that data told; used: the one who was; hint: by what it was found, where it was not
    data ("the host named it"); told: the attempts, in words."""

    predicted: str | None
    used: str | None
    hint: str = ""
    told: str = ""


def login(door: Door) -> Answer:
    if door.used is None:
        return NO, door.told or "nobody was let in"
    if door.predicted is None:
        return PARTIAL, f"{door.used}, which no data told{_hint(door)}"
    if door.used != door.predicted:
        return PARTIAL, f"{door.used}, not {door.predicted} as the data told{_hint(door)}"
    return YES, f"as {door.used}, as the data told" + (f" ({door.told})" if door.told else "")


def fleet_keys(proof: Proof, did: Sequence[str]) -> Answer:
    done = "; ".join(did) or "nothing had to be done"
    if proof.fleet_key != "opened":
        return _unproved(proof) if proof.fleet_key in ("unproved", "unreachable", "booting") else (NO, "; ".join(proof.failures))
    if proof.password == "refused":  # noqa: S105
        return YES, f"the fleet's key opens, no account is asked for a password ({done})"
    if proof.password == "offered":  # noqa: S105
        return PARTIAL, f"the fleet's key opens, but {'; '.join(proof.failures)}"
    return _unproved(proof)


def node_key_removed(proof: Proof, did: Sequence[str], shown: Sequence[str]) -> Answer:
    """did: where it was taken out; shown: where the cloud still shows it."""
    if proof.node_key == "opened":
        return NO, "; ".join(proof.failures)
    if proof.node_key != "refused":
        return _unproved(proof)
    if shown:
        return PARTIAL, f"refused by the node, but still in {' and '.join(shown)}"
    return YES, f"refused for every account; taken out of {', '.join(did)}"


def key_stays_out(proof: Proof) -> Answer:
    if proof.node_key == "opened":
        return NO, "; ".join(proof.failures)
    if proof.node_key != "refused":
        return _unproved(proof)
    if proof.fleet_key != "opened":
        return PARTIAL, "; ".join(proof.failures)
    return YES, "after the restart the fleet's key opens, the node's own is refused for every account"


def _unproved(proof: Proof) -> Answer:
    return ERROR, "; ".join(proof.failures) or "it could not be proved"


def _hint(door: Door) -> str:
    return f" ({door.hint})" if door.hint else ""


def some(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    shown = ", ".join(names[:FEW])
    return shown if len(names) <= FEW else f"{shown} and {len(names) - FEW} more"


def _kinds(keys: Sequence[str]) -> str:
    return f"{len(keys)} keys ({', '.join(sorted({key.split()[0] for key in keys if key.split()}))})"
