# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an ssh client's output means: did the account open, was it refused, or did nobody answer. Pure.

Refused and unreachable must never be mixed up: a dead connection proves nothing about a key.
"""
from __future__ import annotations

import dataclasses
import re
from typing import Any

OPEN = "open"
DENIED = "denied"
REDIRECT = "redirect"
"""The image's own answer: another account is the one to log in with."""
NO_SHELL = "no_shell"
"""The account took the key but lets nobody work."""
BOOTING = "booting"
STALLED = "stalled"
"""The account took the key, and then the host fell silent: busy, restarting or gone. What the account lets one do is not known yet."""
UNREACHABLE = "unreachable"
HOST_KEY = "host_key"
KEY_FILE = "key_file"
BASTION = "bastion"
"""The way to the node is refused by a host in between."""

SILENT = frozenset({UNREACHABLE, BOOTING, STALLED})
"""No answer to the question that was asked: it is asked again."""
ACCEPTED = frozenset({OPEN, NO_SHELL, STALLED, REDIRECT})
"""The key (or no key) was taken, whatever came of it."""

MARKER = "fleet-login-open"
USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,127}\$?")
"""Names that may be handed to ssh; what a host says is data, and could be an option."""

_REDIRECTS = (
    re.compile(r'[Pp]lease log ?in as the user "([^"\s]+)"'),
    re.compile(r"[Pp]lease log ?in as the (\S+) user rather than"),
)
_DENIED = re.compile(r"^(?P<who>.*): Permission denied \((?P<methods>[^)]*)\)", re.MULTILINE)
_METHODS = re.compile(r"Authentications that can continue: (\S+)")
_SERVER = re.compile(r"remote software version (.+)")
_SHOWN_KEY = re.compile(r"Server host key: (\S+) (SHA256:\S+)")
_CHANGED = re.compile(r"[Hh]ost key for (\S+) has changed")
_UNKNOWN = re.compile(r"No (\S+) host key is known for (\S+) and you have requested strict checking")
_HOST_KEY_WORDS = ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed", "host key is known for")
_KEY_TROUBLE = (
    re.compile(r'(Load key "[^"]*": .+)'),
    re.compile(r"(?:no such identity: |Identity file )(.+(?:No such file or directory|not accessible.*))"),
    re.compile(r"(no mutual signature algorithm)"),
    re.compile(r"(Permissions \S+ for '[^']*' are too open)"),
)
_NO_SHELL = re.compile(
    r"(This account is currently not available|nologin|[Pp]assword change required|required to change your password|account has expired"
    r"|account is locked)")
_STALLED = re.compile(r"(Timeout, server \S+ not responding)")
_BOOTING = re.compile(r"(System is booting up|[Ss]ystem is going down|pam_nologin)")
_FORWARD = re.compile(r"(administratively prohibited|forwarding (?:is )?(?:disabled|not permitted)|connect failed: [^\n]+|open failed: [^\n]+)")
_NOISE = re.compile(r"^(debug\d|OpenSSH_|Warning: Permanently added|Connection to .* closed|Transferred:|Bytes per second)")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """One connection's outcome. text: for an operator; methods: what the server takes (empty when it did not say);
    offered: whether a key was really put to the server;
    user: the account the host names (REDIRECT), or the name whose host key is wrong (HOST_KEY); server: its software;
    host_key: (type, fingerprint) it showed."""

    kind: str
    text: str
    methods: tuple[str, ...] = ()
    user: str | None = None
    server: str = ""
    host_key: tuple[str, str] | None = None
    offered: bool = False


def redirect(output: str) -> str | None:
    """The account that a host asks to log in with instead of root, None when it names none that can be one."""
    for pattern in _REDIRECTS:
        found = pattern.search(output)
        if found and USER_NAME.fullmatch(found.group(1)):
            return found.group(1)
    return None


def judge(out: str, err: str, *, user: str, host: str, alias: str | None, timed_out: float | None = None) -> Answer:
    """The meaning of an ssh run with ``-v`` that was asked to print MARKER.

    host and alias: as given to ssh, to tell the node's words from a bastion's. timed_out: seconds after which the run was ended.
    """
    methods = tuple(_last(_METHODS, err).split(",")) if _METHODS.search(err) else ()
    shown = _SHOWN_KEY.search(err)
    common: dict[str, Any] = {
        "methods": methods, "server": _last(_SERVER, err).strip(),
        "host_key": (shown.group(1), shown.group(2)) if shown else None,
        "offered": "Offering public key" in err or "Trying private key" in err,
    }
    if MARKER in out:
        return Answer(OPEN, "logged in", **common)
    # before the login the same words may stand in a banner, which says nothing about the key
    named = redirect(out + "\n" + err) if "Authenticated to " in err else None
    if named:
        return Answer(REDIRECT, f'the host answered: log in as the user "{named}"', user=named, **common)
    if any(word in err for word in _HOST_KEY_WORDS):
        return Answer(HOST_KEY, _host_key(err), user=_host_key_of(err), **common)
    trouble = _refused_or_lost(out, err, user, host, alias, timed_out)
    return Answer(*trouble[:2], **{**common, "methods": trouble[2] or methods})


def _host_key(err: str) -> str:
    name = _host_key_of(err)
    word = "has changed" if "HAS CHANGED" in err or _CHANGED.search(err) else "is not among the known ones"
    return f"the host key {f'of {name} ' if name else ''}{word}"


def _host_key_of(err: str) -> str | None:
    """The name under which the key in question is known."""
    changed, unknown = _CHANGED.search(err), _UNKNOWN.search(err)
    return changed.group(1) if changed else unknown.group(2) if unknown else None


def _refused_or_lost(
    out: str, err: str, user: str, host: str, alias: str | None, timed_out: float | None
) -> tuple[str, str, tuple[str, ...]]:
    """(kind, words, methods) of a run that did not open the account."""
    ours = {f"{user}@{name}" for name in (host, alias) if name}
    denied = [match for match in _DENIED.finditer(err) if match.group("who").split("\n")[-1].strip() in ours]
    if denied:
        methods = tuple(denied[-1].group("methods").split(","))
        for pattern in _KEY_TROUBLE:
            found = pattern.search(err)
            if found:
                return KEY_FILE, f"the private key cannot be used: {found.group(1).strip()}", methods
        return DENIED, f"permission denied ({', '.join(methods)})", methods
    booting = _BOOTING.search(out + err)
    if booting:
        return BOOTING, f"the host is not ready: {booting.group(1)}", ()
    if _NO_SHELL.search(out + err):
        return NO_SHELL, f"the account takes the key but not the login: {last_words(out + err)}", ()
    if "Too many authentication failures" in err:
        return DENIED, "too many authentication failures in one connection", ()
    others = list(_DENIED.finditer(err))
    if others:
        return BASTION, f"a host on the way refuses: {others[-1].group(0).strip()}", ()
    forward = _FORWARD.search(err)
    if forward and ("prohibited" in forward.group(1) or "forwarding" in forward.group(1)):
        return BASTION, f"a host on the way does not forward: {forward.group(1)}", ()
    if "Authenticated to " in err:
        if timed_out is not None:
            return NO_SHELL, f"logged in, but no command came to an end within {timed_out:g} s", ()
        stalled = _STALLED.search(err)
        if stalled:
            return STALLED, f"logged in, then the host fell silent: {stalled.group(1)}", ()
        return NO_SHELL, f"logged in, but the command did not run: {last_words(out + err) or 'no word why'}", ()
    if timed_out is not None:
        return UNREACHABLE, f"no answer within {timed_out:g} s", ()
    return UNREACHABLE, last_words(err) or "the connection ended without a word", ()


def last_words(text: str) -> str:
    """The last line that is not the client's own chatter."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _NOISE.match(line.strip())]
    return lines[-1] if lines else ""


def _last(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.findall(text)
    return found[-1] if found else ""


def penalises(server: str) -> bool:
    """Whether the server counts refused connections against their address (OpenSSH from 9.8 on, PerSourcePenalties)."""
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", server)
    return bool(found) and (int(found.group(1)), int(found.group(2))) >= (9, 8)  # type: ignore[union-attr]
