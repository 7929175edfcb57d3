# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operator's ssh arguments: what is in them, and what must not be. Pure."""
from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence

_WITH_VALUE = frozenset("BbcDEeFIiJLlmOoPpQRSWw")
"""Letters of ssh's options that take a value."""

_AS_SETTING = {"J": "proxyjump", "i": "identityfile", "p": "port", "l": "user", "S": "controlpath", "F": "-f"}
OWN = frozenset({"hostkeyalias", "userknownhostsfile", "stricthostkeychecking", "checkhostip", "updatehostkeys", "identitiesonly"})
"""Settings that the role decides: host keys are always checked, with the fleet's file."""

JUMPS = frozenset({"proxyjump", "proxycommand"})


def split(text: str | None) -> list[str]:
    """Arguments of a command-line fragment, as Ansible splits it."""
    return shlex.split(text or "")


def settings(arguments: Sequence[str]) -> Iterator[tuple[str, str, int, int]]:
    """(setting in lower case, value, first index, index after it) of each option that stands for a setting."""
    index = 0
    while index < len(arguments):
        start, word = index, arguments[index]
        index += 1
        if not word.startswith("-") or len(word) < 2 or word == "--":
            continue
        position = 1
        while position < len(word):  # ssh takes -46A and -p22 alike
            letter = word[position]
            position += 1
            if letter not in _WITH_VALUE:
                continue
            value = word[position:]
            if not value and index < len(arguments):
                value = arguments[index]
                index += 1
            if letter == "o":
                name, _sep, rest = _pair(value)
                yield name, rest, start, index
            elif letter in _AS_SETTING:
                yield _AS_SETTING[letter], value, start, index
            break


def _pair(text: str) -> tuple[str, str, str]:
    name, separator, value = re.match(r"\s*([A-Za-z]*)\s*(=|\s)?\s*(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    return name.lower(), separator or "", value.strip()


def without(arguments: Sequence[str], names: Collection[str]) -> list[str]:
    """The arguments without the settings named."""
    out = {index for name, _value, start, end in settings(arguments) if name in names for index in range(start, end)}
    return [word for index, word in enumerate(arguments) if index not in out]


def value_of(arguments: Sequence[str], name: str) -> str | None:
    """The value ssh would take for a setting: the first one."""
    return next((value for found, value, _start, _end in settings(arguments) if found == name), None)


def options(values: Mapping[str, str]) -> list[str]:
    """-o arguments."""
    return [word for name, value in values.items() for word in ("-o", f"{name}={value}")]


def join(arguments: Sequence[str]) -> str:
    """One fragment for a variable such as ansible_ssh_common_args."""
    return shlex.join(arguments)


def files(paths: Sequence[str]) -> str:
    """Value of a setting that takes file names; ssh splits at blanks and expands percent signs."""
    return " ".join('"' + path.replace("%", "%%") + '"' for path in paths)
