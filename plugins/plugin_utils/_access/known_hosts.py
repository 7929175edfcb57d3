# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fleet's known_hosts file: many plays may write to it at once, and a run that is ended leaves it whole."""
from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

_KEY = re.compile(r"(?P<type>[a-z0-9][A-Za-z0-9@.-]*)\s+(?P<blob>AAAA[A-Za-z0-9+/]+=*)")

Key = tuple[str, str]
"""Type and base64 of a host key."""


def parse_key(text: str) -> Key | None:
    """A key out of 'type base64', of a line of ssh-keyscan or of a console; None when there is none in it."""
    found = _KEY.search(text)
    return (found.group("type"), found.group("blob")) if found else None


def fingerprint(key: Key) -> str:
    """SHA256:... as ssh shows it."""
    try:
        digest = hashlib.sha256(base64.b64decode(key[1])).digest()
    except (binascii.Error, ValueError):
        return "unreadable"
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def keys_of(lines: Sequence[str], name: str) -> list[Key]:
    """The keys kept under a name. Hashed names and patterns are not looked at: the fleet's file has none."""
    found = []
    for line in lines:
        names, _sep, rest = line.strip().partition(" ")
        if names.startswith(("#", "@")) or name.lower() not in names.lower().split(","):
            continue
        key = parse_key(rest)
        if key:
            found.append(key)
    return found


def entries(lines: Sequence[str]) -> list[tuple[str, Key]]:
    """(name, key) of every line."""
    found = []
    for line in lines:
        names, _sep, rest = line.strip().partition(" ")
        key = parse_key(rest) if names and not names.startswith(("#", "@")) else None
        found += [(name, key) for name in names.split(",")] if key else []
    return found


def replaced(lines: Sequence[str], name: str, keys: Sequence[Key]) -> list[str]:
    """The lines with exactly these keys under the name, others untouched."""
    rest = [line for line in lines if line.startswith(("#", "@")) or name.lower() not in line.split(" ", 1)[0].lower().split(",")]
    return rest + [f"{name} {kind} {blob}" for kind, blob in keys]


def merged(lines: Sequence[str], learned: Sequence[tuple[str, Key]]) -> list[str]:
    """The lines with keys that were seen for the first time. Raises FleetError when another run saw a different one."""
    result = list(lines)
    for name, key in learned:
        known = keys_of(result, name)
        if key in known:
            continue
        if any(kind == key[0] for kind, _blob in known):
            other = next(one for one in known if one[0] == key[0])
            raise FleetError(
                f"keep the host key of {name}", why=f"it showed {fingerprint(key)}, and {fingerprint(other)} to another connection",
                fix="Two machines answer there. Find out which is yours before going on.", code="host_key")
        result.append(f"{name} {key[0]} {key[1]}")
    return result


def read(path: str) -> list[str]:
    """The file's lines; none when there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise FleetError("read the known host keys", why=f"{problem.strerror}: {path}", fix="Correct access_known_hosts.", code="disk") from None


def change(path: str, edit: Callable[[list[str]], list[str]]) -> bool:
    """Rewrite the file whole, under a lock; whether that changed anything."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with _locked(path + ".lock"):
            before = read(path)
            after = edit(before)
            if after == before:
                return False
            number, spare = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".known_hosts-")
            try:
                with os.fdopen(number, "w", encoding="utf-8", errors="surrogateescape") as file:
                    file.write("".join(line + "\n" for line in after))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(spare, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.remove(spare)
                raise
            return True
    except OSError as problem:
        raise FleetError("keep the host keys", why=f"{problem.strerror}: {path}", code="disk",
                         fix="Make the folder writable, or set access_known_hosts to another file.") from None


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)
