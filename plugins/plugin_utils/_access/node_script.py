# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shell text that works on a node, and what it answers. The text itself is in the role's files; this fills it in."""
from __future__ import annotations

import dataclasses
import functools
import os
import shlex
from collections.abc import Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

FILES = os.path.join(os.path.dirname(__file__), "..", "..", "..", "roles", "access", "files")

PARTS = ("writing.sh", "accounts.sh", "sshd.sh", "deadman.sh", "node.sh")

# The first line is the password for sudo, or empty. It goes from standard input to standard input, never into an argument.
# The whole runs in sh whatever the account's shell is, and asks for nothing that sudo would not. A password is tried alone first:
# sudo would take the next lines for further tries, and the node could lock the account for so many. sudo must not have it in mind from
# then (-k), or it would leave the password for sh to read; and what only asks must not read what is to come (</dev/null).
REMOTE = (
    "exec sh -c '"
    'IFS= read -r word; '
    'if [ "$(id -u)" = 0 ]; then exec sh -s; fi; '
    'if ! command -v sudo >/dev/null 2>&1; then echo "FLEET failed no_sudo sudo is not installed, and the account is not root"; exit 3; fi; '
    'if [ -z "$word" ] || sudo -n sh -c : </dev/null 2>/dev/null; then sudo -n sh -s; code=$?; '
    'elif printf "%s\\n" "$word" | sudo -k -S -p "" sh -c :; then { printf "%s\\n" "$word"; cat; } | sudo -k -S -p "" sh -s; code=$?; '
    "else code=1; fi; "
    "exit $code'"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Values:
    """What node.sh is to do. out: blobs of keys to take out; seconds: until the old configuration comes back."""

    mode: str
    admin: str = "fleet"
    login: str = ""
    root: str = "no"
    keys: Sequence[str] = ()
    out: Sequence[str] = ()
    seconds: int = 60
    nonce: str = ""
    check: bool = False


@dataclasses.dataclass(slots=True)
class Report:
    """What node.sh said. ended: it came to its end; error: (code, words); before, after: contents of changed files."""

    did: list[str]
    notes: list[str]
    words: dict[str, str]
    before: dict[str, list[str]]
    after: dict[str, list[str]]
    error: tuple[str, str] | None
    ended: bool


@functools.cache
def _text(name: str) -> str:
    with open(os.path.join(FILES, name), encoding="utf-8") as file:
        return file.read()


def script(values: Values) -> str:
    """The text to send. It acts only when it has arrived whole: everything is a function until the last line."""
    restore = _text("common.sh") + _text("restore.sh")
    settings = {
        "F_MODE": values.mode, "F_ADMIN": values.admin, "F_LOGIN": values.login, "F_ROOT": values.root, "F_KEYS": "\n".join(values.keys),
        "F_OUT": " ".join(values.out), "F_SECONDS": str(values.seconds), "F_NONCE": values.nonce, "F_CHECK": str(int(values.check)),
        "F_RESTORE": restore,
    }
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    return head + restore + "".join(_text(name) for name in PARTS) + "main </dev/null\n"


def parse(out: str) -> Report:
    """The report in a node's output."""
    report = Report([], [], {}, {}, {}, None, False)
    for line in out.splitlines():
        if not line.startswith("FLEET "):
            continue
        word, _sep, rest = line[6:].partition(" ")
        if word == "did":
            report.did.append(rest)
        elif word == "note":
            report.notes.append(rest)
        elif word in ("before", "after"):
            path, _sep, text = rest.partition(" ")
            (report.before if word == "before" else report.after).setdefault(path, []).append(text)
        elif word == "failed":
            code, _sep, text = rest.partition(" ")
            report.error = report.error or (code, text.strip())
        elif word == "end":
            report.ended = True
        else:
            report.words[word] = rest
    return report


FIXES = {
    "disk_full": "Make room on the node and run again; nothing was left half done.",
    "sshd_invalid": "Correct sshd's configuration on the node (sshd -t shows the line) and run again.",
    "sudo": "Give the account the right to sudo without a password, or give ansible_become_password.",
    "sudo_password": "Correct ansible_become_password; it was tried once.",
    "no_sudo": "Install sudo in the image, or by user_data, and run again.",
    "account": "",
    "not_effective": "Correct sshd's configuration on the node and run again.",
}


def check(report: Report, host: str, what: str, words: str) -> None:
    """Raises FleetError when the script failed, or did not come to its end. words: what the connection said."""
    if report.error:
        code, text = report.error
        raise FleetError(f"{host}: {what}", why=text, code=code, fix=FIXES.get(code, "Look at the node and run again."))
    if not report.ended:
        raise FleetError(f"{host}: {what}", why=words or "the connection ended before the node was done", code="interrupted",
                         fix="Run again; what was not confirmed comes back by itself.")


def diff(report: Report) -> list[dict[str, str]]:
    """Ansible's form of what changed in files."""
    return [
        {"before": _joined(report.before.get(path)), "after": _joined(report.after.get(path)), "before_header": path, "after_header": path}
        for path in sorted({*report.before, *report.after})
    ]


def _joined(lines: list[str] | None) -> str:
    return "".join(line + "\n" for line in lines or [])
