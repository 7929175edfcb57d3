# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which accounts to try on a node, with which key, in which order, and why. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import login_tables, login_user
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Image, LoginEvidence

from .answers import USER_NAME


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """A login to try. told: data or the operator names the account; a guess is not."""

    user: str
    key: str
    why: str
    told: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of a node before the first login. user: from the inventory; node_key, fleet_key: private key files; own_key: the
    one that the inventory names for connections."""

    user: str | None
    admin: str
    fleet_key: str
    node_key: str | None
    operator: tuple[str, ...] = ()
    own_key: str | None = None
    node: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def attempts(known: Known) -> list[Attempt]:
    """Logins in order: what data says, the operator's candidates, the fleet's admin (a node that an earlier run has worked
    on), root (the image answers it with the right name), then the accounts usual for the image and the cloud."""
    first_key = known.node_key or known.fleet_key
    rows: list[Attempt] = []
    if known.user == known.admin:
        rows.append(Attempt(known.admin, known.fleet_key, "the inventory names it, and it is the fleet's admin", told=True))
    if known.user:
        rows.append(Attempt(known.user, first_key, _why(known), told=True))
    rows += [Attempt(user, first_key, "access_login_candidates", told=True) for user in known.operator]
    rows.append(Attempt(known.admin, known.fleet_key, "the fleet's admin, if an earlier run has made it", told=True))
    if known.user and known.node_key:
        rows.append(Attempt(known.user, known.fleet_key, "the inventory names it, with the fleet's key", told=True))
    if known.user and known.own_key:  # a machine that was there before knows no key that was made for its node
        rows.append(Attempt(known.user, known.own_key, "the inventory names it, with the inventory's key", told=True))
    rows.append(Attempt("root", first_key, "most images answer root with the name of the right account"))
    rows += [Attempt(user, first_key, why) for user, why in usual(known.node)]
    found: dict[tuple[str, str], Attempt] = {}
    for row in rows:
        if USER_NAME.fullmatch(row.user):
            found.setdefault((row.user, row.key), row)
    return list(found.values())


def _why(known: Known) -> str:
    reason = (known.node.get("why") or {}).get("login_user") if known.node.get("login_user") == known.user else None
    return f"the inventory names it ({reason})" if reason else "the inventory names it"


def usual(node: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(account, why) of what is usual for a node's image and cloud, without what its own tags say."""
    image = node.get("image") or {}
    provider = str(node.get("provider") or "")
    # on Google Compute Engine the users are those of the keys in the metadata, which is what the inventory said already
    decision = login_user.decide(
        provider if provider != "gce" else "image", Image(**{name: image.get(name) for name in ("id", "name", "distro", "version")}), LoginEvidence())
    rows = [(user, decision.why) for user in decision.candidates]
    common: Sequence[str] = login_tables.UNTOLD_AWS if provider == "aws" else login_tables.UNTOLD_IMAGE
    return rows + [(user, "usual on images of this kind of cloud") for user in common]
