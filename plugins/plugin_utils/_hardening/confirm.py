# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fresh connection, exactly as Ansible makes them: the same account, key or agent, bastion, host key check and way to become root, but
nothing that is open already. Only such a one proves that the next login works: a shared connection outlives every lockout.
"""
from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import answers, arguments
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

SSH = frozenset({"ssh", "ansible.builtin.ssh", "ansible.legacy.ssh"})
PARAMIKO = frozenset({"paramiko", "paramiko_ssh", "ansible.builtin.paramiko_ssh", "ansible.netcommon.libssh", "libssh"})
_SHARED = frozenset({"controlmaster", "controlpath", "controlpersist"})
_OURS = {"ControlMaster": "no", "ControlPath": "none", "ControlPersist": "no", "ConnectionAttempts": "1", "ServerAliveInterval": "5",
         "ServerAliveCountMax": "3"}
_CANNOT_SHARE = "it does not go over ssh, so nothing that is changed here can cut it"


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What came of one connection. kind: ``open`` when a command ran there, else ``denied`` or ``unreachable``; out: what it printed;
    text: for an operator, without secrets."""

    kind: str
    out: str = ""
    text: str = ""


def why_no_switch(transport: str) -> str:
    """Why a connection needs no dead man's switch, empty when it does."""
    return "" if transport in SSH or transport in PARAMIKO else f"the connection is '{transport}': {_CANNOT_SHARE}"


def shares(connection: Any) -> bool:
    """Whether what runs over it may go through a connection that has been open for a while."""
    if connection.transport in PARAMIKO:
        return True
    words = [word.lower() for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")
             for word in arguments.split(plain(connection.get_option(name)))]
    return any(shared in word for word in words for shared in _SHARED)


@contextlib.contextmanager
def fresh(connection: Any) -> Iterator[None]:
    """While this holds, whatever runs over the connection opens one of its own and closes it again."""
    if connection.transport in PARAMIKO:
        connection.close()
        yield
        return
    names = ("ssh_args", "ssh_common_args", "ssh_extra_args")
    before = {name: connection.get_option(name) for name in (*names, "reconnection_retries")}
    words = {name: arguments.without(arguments.split(plain(before[name])), _SHARED) for name in names}
    # ssh takes the first value of a setting, and Ansible puts these arguments first
    words["ssh_args"] = [*arguments.options(_OURS), *words["ssh_args"]]
    try:
        for name in names:
            connection.set_option(name, arguments.join(words[name]))
        connection.set_option("reconnection_retries", 0)
        yield
    finally:
        for name, value in before.items():
            connection.set_option(name, value)


def ask(run: Callable[[], dict[str, Any]], seconds: float) -> Said:
    """Run something over a connection and tell what came of it. run: gives rc, stdout, stderr, or raises AnsibleError; it is given up after
    that many seconds, since an account's own start-up files may never come to an end."""
    result: list[Said] = []
    before = _children()
    context = contextvars.copy_context()
    worker = threading.Thread(target=lambda: result.append(context.run(_said, run)), daemon=True)
    worker.start()
    worker.join(seconds)
    if result:
        return result[0]
    for child in _children() - before:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(child, signal.SIGTERM)
    worker.join(2)
    return Said(answers.UNREACHABLE, text=f"no command came to an end within {seconds:g} s")


def _said(run: Callable[[], dict[str, Any]]) -> Said:
    try:
        done = run()
    except AnsibleError as problem:
        return judge(str(problem))
    out, err = str(done.get("stdout") or ""), str(done.get("stderr") or "")
    if done.get("rc") == 255 and "FLEET" not in out:
        return judge(err)
    if "FLEET" not in out:
        return Said(answers.NO_SHELL, out, f"logged in, but nothing ran as root: {answers.last_words(err or out) or 'no word why'}")
    return Said(answers.OPEN, out)


def judge(words: str) -> Said:
    """What the words of a connection that failed mean."""
    text = " ".join(answers.last_words(words.replace("Failed to connect to the host via ssh: ", "\n")).split()) or "no word why"
    if "Permission denied" in words or "Too many authentication failures" in words:
        return Said(answers.DENIED, text=text)
    if "sudo" in words or ("password" in words.lower() and "become" in words.lower()):
        return Said(answers.NO_SHELL, text=f"logged in, but may not become root: {text}")
    return Said(answers.UNREACHABLE, text=text)


def _children() -> set[int]:
    """Processes that this one has started; none where the system does not tell."""
    found: set[int] = set()
    with contextlib.suppress(OSError, ValueError):
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                found |= {int(word) for word in file.read().split()}
    return found
