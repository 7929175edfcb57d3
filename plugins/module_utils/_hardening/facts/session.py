# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ssh session that Ansible works in: whose it is, by what it was let in, and by which server. Reads only."""
from __future__ import annotations

import os
import pwd
import re
from typing import Any

from ..sshd_copy import MAIN
from ..system import System

NAMES = ("sshd", "sshd-session", "sshd-auth")
LOGS = ("/var/log/auth.log", "/var/log/secure")
LAST = 1 << 19
"""Bytes at the end of a log in which the login is looked for."""
ACCEPTED = re.compile(r"Accepted (\S+) for \S+ from (\S+) port (\d+) ssh2(?:: (\S+) (\S+))?")
DEEPEST = 20


def about(system: System) -> dict[str, Any]:
    """connection: SSH_CONNECTION; user: the account that sshd let in; method: ``publickey``, ``password`` ...; key: its type as sshd's log names it
    (``ED25519``, ``RSA-CERT``); print: its fingerprint; config: the file of a server that reads another one than /etc/ssh/sshd_config. Each is
    empty where it cannot be told."""
    connection, pids, user, config = os.environ.get("SSH_CONNECTION", ""), [], "", ""
    number = os.getppid()
    for _step in range(DEEPEST):
        if number <= 1:
            break
        try:
            connection = connection or _variable(number, "SSH_CONNECTION")
            name, parent = _process(number)
            if name in NAMES:
                user = user or pwd.getpwuid(os.stat(f"/proc/{number}").st_uid).pw_name
                pids.append(number)
                config = _config(number)  # that of the one above all
        except (OSError, ValueError, IndexError, KeyError):
            break
        number = parent
    told = {"connection": connection, "user": user, "method": "", "key": "", "print": "", "config": "" if config in MAIN else config}
    words = connection.split()
    if len(words) == 4 and pids:
        told.update(_accepted(system, words[0], words[1], pids))
    return told


def _variable(number: int, name: str) -> str:
    """Of a process's environment. Another account's cannot be read by all, and is none."""
    try:
        with open(f"/proc/{number}/environ", "rb") as file:
            for entry in file.read().split(b"\0"):
                if entry.startswith(name.encode() + b"="):
                    return entry.split(b"=", 1)[1].decode()
    except OSError:
        pass
    return ""


def _process(number: int) -> tuple[str, int]:
    """(name, number of its parent)."""
    with open(f"/proc/{number}/stat", encoding="utf-8", errors="replace") as file:
        text = file.read()
    return text[text.index("(") + 1:text.rindex(")")], int(text.rsplit(")", 1)[1].split()[1])


def _config(number: int) -> str:
    with open(f"/proc/{number}/cmdline", encoding="utf-8", errors="replace") as file:
        found = re.search(r"\s-f\s*(/\S+)", file.read().replace("\0", " "))
    return found.group(1) if found else ""


def _accepted(system: System, address: str, port: str, pids: list[int]) -> dict[str, str]:
    """What sshd has written of this very login."""
    words = ["journalctl", "--quiet", "--boot", "--output=cat", "--no-pager", *(f"_PID={number}" for number in pids)]
    texts = [system.run(words, None, 20).out] if system.has("journalctl") else []
    for text in [*texts, *(_end(system, path) for path in LOGS)]:
        for found in reversed(list(ACCEPTED.finditer(text))):
            if (found.group(2), found.group(3)) == (address, port):
                return {"method": found.group(1), "key": found.group(4) or "", "print": found.group(5) or ""}
    return {}


def _end(system: System, path: str) -> str:
    try:
        with open(system.real(path), "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
