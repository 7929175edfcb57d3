# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the lab changes moto: a function stands in for a method and is given the original to call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

Method = Callable[..., Any]


class Patches:
    """Replacements noted while modules load, put in place by `apply` in the server process only."""

    def __init__(self) -> None:
        self._noted: list[tuple[type, str, Method]] = []

    def around(self, owner: type, name: str) -> Callable[[Method], Method]:
        """Decorator: the function replaces `owner.name`; its first argument is the original method."""

        def note(function: Method) -> Method:
            self._noted.append((owner, name, function))
            return function

        return note

    def apply(self) -> None:
        for owner, name, function in self._noted:
            setattr(owner, name, _standing_in(getattr(owner, name), function))


def _standing_in(original: Method, function: Method) -> Method:
    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        return function(original, *args, **kwargs)

    return replacement
