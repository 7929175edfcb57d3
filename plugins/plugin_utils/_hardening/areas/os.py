# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operating system."""
from __future__ import annotations

from ..decision import Decision, Facts, Options

SYSCTL: tuple[str, ...] = ()


def decide(facts: Facts, options: Options) -> list[Decision]:
    """One decision a control."""
    return [Decision(name, False, f"{control.by} leaves it out") for name, control in options.controls.items()]
