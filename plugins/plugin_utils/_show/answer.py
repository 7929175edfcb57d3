# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What came back from a node that was pinged -> one answer in words. Pure."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .table import NO_ADDRESS, aligned
from .text import cut, visible

Result = Mapping[str, Any]

# What OpenSSH says when the node answered and refused, or when this machine would not trust it.
_REFUSED = ("permission denied", "too many authentication failures", "invalid/incorrect password", "no supported authentication")
_HOST_KEY = ("host key verification failed", "remote host identification has changed")
_NOT_FOUND = 127
"""Exit status of a shell that did not find the program: on every ansible-core that of a missing Python."""

_ANSIBLE_SAYS = re.compile(r"^(Task failed: )?(Failed to connect to the host via ssh: )?")

ORDER = ("reachable", "no Python", "login refused", "host key", "port closed", "unreachable", "module failed", "no address", "skipped")
"""Every answer, in the order in which they are counted."""


def answer(variables: Mapping[str, Any], port: Result | None, login: Result | None) -> dict[str, Any]:
    """The answer of one node.

    variables: the node's. port: result of wait_for on its SSH port; login: of ping over its connection; either is None
    or marked as skipped when it was not tried. ``ok`` of the answer is True, False, or None for a node that was skipped.
    """
    state = str(variables.get("fleet_state") or "running")
    address = variables.get("ansible_host")
    user, number = variables.get("ansible_user"), variables.get("ansible_port") or 22
    place = f"{address} port {number}"
    login_text = f"{user or 'the default user'} at {place}"

    def told(word: str, ok: bool | None, text: str) -> dict[str, Any]:
        return {"node": str(variables.get("inventory_hostname")), "cloud": str(variables.get("fleet_cloud") or ""),
                "answer": word, "ok": ok, "address": str(address or NO_ADDRESS), "text": visible(f"{word}: {text}")}

    if state != "running":
        return told("skipped", None, f"the node is {state}")
    if not address:
        return told("no address", False, "the cloud shows no address that connect_to asks for")
    port, login = _tried(port), _tried(login)
    if port and "state" not in port:  # not by ``failed``, which failed_when takes away
        return told("port closed", False, f"{place} does not answer; check security groups, firewalls and the route")
    if not login:
        return told("unreachable", False, f"no login was tried at {place}")
    said = " ".join(str(login.get(key) or "") for key in ("msg", "module_stderr", "module_stdout"))
    if login.get("ping"):
        return told("reachable", True, f"logged in as {login_text}")
    if login.get("unreachable"):
        return told(*_unreachable(said, login_text))
    if login.get("rc") == _NOT_FOUND:
        return told("no Python", True, f"logged in as {login_text}, but modules need Python there")
    return told("module failed", False, f"logged in as {login_text}, but ping failed: {_first_line(said)}")


def _tried(result: Result | None) -> Result | None:
    return None if result and result.get("skipped") else result


def _unreachable(said: str, login_text: str) -> tuple[str, bool, str]:
    lowered = said.lower()
    if any(sign in lowered for sign in _HOST_KEY):
        return "host key", False, f"the node's host key is not the known one, or none is known, for {login_text}"
    if any(sign in lowered for sign in _REFUSED):
        return "login refused", False, f"{login_text}; check the key and the user (fleet_why.login_user)"
    return "unreachable", False, f"{login_text}: {_first_line(said)}"


def _first_line(said: str) -> str:
    """The first line that is a reason: not OpenSSH's warning of a new host key, not Ansible's own words before it."""
    lines = (line.strip() for line in said.splitlines())
    line = next((line for line in lines if line and not line.startswith("Warning:")), "no reason was told")
    return _ANSIBLE_SAYS.sub("", line)


def summary(answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines: a row for each node, those that did not answer last, where an operator looks; then the numbers."""
    if not answers:
        return ["No node was asked."]
    ordered = sorted(answers, key=lambda row: (_trouble(row), str(row["cloud"]), str(row["node"])))
    rows = [(*(cut(visible(row[key]), 40) for key in ("node", "cloud", "address")), str(row["text"])) for row in ordered]
    counted = Counter(str(row["answer"]) for row in answers)
    numbers = ", ".join(f"{counted[word]} {word}" for word in ORDER if counted[word])
    return [line.rstrip() for line in aligned([("NAME", "CLOUD", "ADDRESS", "ANSWER"), *rows])] + ["", numbers]


def _trouble(row: Mapping[str, Any]) -> int:
    return {None: 0, True: 1, False: 2}[row["ok"]]
