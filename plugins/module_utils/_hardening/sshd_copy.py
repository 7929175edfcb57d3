# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""sshd's configuration read as sshd reads it, and tried on a copy with other contents."""
from __future__ import annotations

import fnmatch
import glob
import os
import re
import shlex
from typing import Any, Dict, List, Mapping, NamedTuple

from .system import Ran, System

SERVERS = ("/usr/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd", "/usr/local/sbin/sshd")
MAIN = ("/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config")
DEEPEST = 16
"""Files that include files, as sshd allows."""

Values = Dict[str, List[str]]
"""sshd -T: keyword in small letters -> values, one for each line."""


class Line(NamedTuple):
    """A setting where sshd meets it. match: the criteria of the Match block it stands in, empty for everybody."""

    path: str
    number: int
    keyword: str
    value: str
    match: str


def server(system: System) -> str | None:
    return next((path for path in SERVERS if system.has(path)), None)


def main_file(system: System) -> str | None:
    return next((path for path in MAIN if system.exists(path)), None)


def split(line: str) -> tuple[str, str]:
    """Keyword in small letters and value; both empty for blank lines and comments."""
    found = re.match(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*$", line)
    return (found.group(1).lower(), found.group(2)) if found else ("", "")


def patterns(value: str) -> list[str]:
    """File patterns of an Include, absolute."""
    try:
        words = shlex.split(value)
    except ValueError:
        words = value.split()
    return [word if word.startswith("/") else "/etc/ssh/" + word for word in words]


def parse(values: str) -> Values:
    found: Values = {}
    for line in values.splitlines():
        keyword, _blank, value = line.partition(" ")
        if keyword:
            found.setdefault(keyword.lower(), []).append(value.strip())
    return found


def read(system: System, main: str, texts: Mapping[str, str]) -> list[Line]:
    """All settings in the order in which they are read. texts: contents that files would have, new ones among them."""
    lines: list[Line] = []
    _read(system, main, texts, "", 0, lines)
    return lines


def _read(system: System, path: str, texts: Mapping[str, str], match: str, depth: int, lines: list[Line]) -> None:
    # a Match block of an included file ends with it; one that holds the Include goes on
    inside = match
    for number, line in enumerate(_text(system, path, texts).splitlines(), 1):
        keyword, value = split(line)
        if keyword == "match":
            inside = "" if value.lower() == "all" and not match else value
        elif keyword == "include" and depth < DEEPEST:
            for pattern in patterns(value):
                for name in _matching(system, pattern, texts):
                    _read(system, name, texts, inside, depth + 1, lines)
        elif keyword:
            lines.append(Line(path, number, keyword, value, inside))


def _text(system: System, path: str, texts: Mapping[str, str]) -> str:
    return texts[path] if path in texts else system.text(path)


def _matching(system: System, pattern: str, texts: Mapping[str, str]) -> list[str]:
    """Files of a pattern in sshd's order, with those that would be there."""
    found = {path[len(system.root):] for path in glob.glob(system.real(pattern)) if os.path.isfile(path)}
    found |= {path for path in texts if fnmatch.fnmatchcase(path, pattern) and path.count("/") == pattern.count("/")}
    return sorted(found)


class Trial:
    """The configuration copied below ``folder``, with includes that stay there."""

    def __init__(self, system: System, program: str, main: str, folder: str) -> None:
        self.main = main
        self._system, self._program, self._folder = system, program, folder
        self._tries = 0
        self._key: list[str] = []

    def lines(self, texts: Mapping[str, str]) -> list[Line]:
        return read(self._system, self.main, texts)

    def text(self, path: str) -> str:
        return (self._system.read(path) or b"").decode("utf-8", "surrogateescape")

    def refused(self, texts: Mapping[str, str]) -> str:
        """What sshd says against it, empty when it would start with it."""
        answer = self._run(texts, "-t")
        return "" if not answer.rc else " ".join((answer.err or answer.out).replace(self._place(), "").split())[:500] or f"exit code {answer.rc}"

    def values(self, texts: Mapping[str, str], login: Mapping[str, Any] | None) -> Values:
        """What holds for an account that comes from an address; {} when sshd does not tell."""
        told = login or {}
        words = {"user": told.get("user") or "root", "host": told.get("address") or "fleet.invalid", "addr": told.get("address") or "192.0.2.1",
                 "laddr": told.get("to_address") or "192.0.2.2", "lport": told.get("to_port") or "22"}
        answer = self._run(texts, "-T", "-C", ",".join(f"{name}={value}" for name, value in words.items()))
        return parse(answer.out) if not answer.rc else {}

    # ------------------------------------------------------------------------------------------------ details
    def _place(self) -> str:
        return f"{self._folder}/{self._tries}"

    def _run(self, texts: Mapping[str, str], *words: str) -> Ran:
        self._tries += 1
        main = self._write(self.main, texts, 0)
        command = [self._program, *self._key, "-f", main, *words]
        answer = self._system.run(command)
        if answer.rc and "privilege separation directory" in answer.err:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # Debian makes it only when the service starts
            answer = self._system.run(command)
        if answer.rc and "no hostkeys available" in answer.err and not self._key:
            # an image that makes its keys at the first boot
            key = self._folder + "/key"
            self._system.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
            self._key = ["-h", key]
            answer = self._system.run([self._program, *self._key, "-f", main, *words])
        return answer

    def _write(self, path: str, texts: Mapping[str, str], depth: int) -> str:
        target = self._place() + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        out: list[str] = []
        for line in _text(self._system, path, texts).splitlines():
            keyword, value = split(line)
            if keyword != "include" or depth >= DEEPEST:
                out.append(line)
                continue
            names = [name for pattern in patterns(value) for name in _matching(self._system, pattern, texts)]
            # a line each keeps the order, and nothing at all is allowed too
            out += ["Include " + shlex.quote(self._write(name, texts, depth + 1)) for name in names]
        with open(target, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("\n".join(out) + "\n")
        return target
