# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules that the strict profile leaves failing, each with its reason in ``accepted.yml``; whatever else fails is a fault. Pure but for ``load``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from .results import OpenScap

FILE = Path(__file__).with_name("accepted.yml")


def load(path: Path = FILE) -> dict[str, str]:
    """Rule -> reason. Raises ValueError for a rule that stands twice or a reason that says nothing."""
    found: dict[str, str] = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        why = " ".join(str(entry.get("why") or "").split())
        for rule in entry["rules"]:
            if rule in found or len(why) < 20:
                raise ValueError(f"{path.name}: {rule} {'stands twice' if rule in found else 'has no reason'}")
            found[rule] = why
    return found


def faults(audited: tuple[OpenScap, ...], accepted: Mapping[str, str]) -> list[str]:
    """What is not as the list says, in words: rules that fail without a reason, and reasons for rules that pass in every profile that asks
    for them. A rule of the list that does not apply here is no fault: other releases and hosts have it."""
    failing = {rule.name for found in audited for rule in found.failing}
    passing = {name for found in audited for name in found.passing} - failing
    return ([f"{name} fails and is not accepted" for name in sorted(failing - set(accepted))]
            + [f"{name} is accepted and passes: take it off the list" for name in sorted(passing & set(accepted))])
