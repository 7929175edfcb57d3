# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hardening OpenSSH needs to know beyond its release: settings with their places, what holds for the account of Ansible and how it gets in."""
from __future__ import annotations

import os
import pwd
import re
import tempfile
from typing import Any, Mapping

from .. import sshd_copy
from ..system import System

_QUERIES = ("kex", "cipher", "mac", "key")
STACKS = ("/etc/pam.d/common-account", "/etc/pam.d/password-auth")
"""Where PAM is told whether a key opens nothing once the password of its account is too old."""
_GENERATOR = "/usr/lib/systemd/system-generators/sshd-socket-generator"


def about(system: System, login: Mapping[str, Any]) -> dict[str, Any] | None:
    """None without a server. lines: [path, number, keyword, value, match]; login, root: ``sshd -T`` for the account of Ansible from where it
    comes, and for root; knows: algorithms by kind; host_keys: {type: bits}; moduli: size of the shortest group; socket: the unit that listens
    for the server, and whether it follows sshd_config; fips; access: authorized keys of the account {files, keys}."""
    program, main = sshd_copy.server(system), sshd_copy.main_file(system)
    if not program or not main:
        return None
    with tempfile.TemporaryDirectory(prefix="hybridops-fleet-") as folder:
        trial = sshd_copy.Trial(system, program, main, folder)
        mine = trial.values({}, login)
        root = trial.values({}, {"user": "root"})
    user = str(login.get("user") or "root")
    return {
        "lines": [list(line) for line in sshd_copy.read(system, main, {})], "login": mine, "root": root,
        "knows": {kind: system.run(["ssh", "-Q", kind]).out.split() for kind in _QUERIES}, "host_keys": _host_keys(system, mine),
        "moduli": _moduli(system), "socket": _socket(system), "fips": system.text("/proc/sys/crypto/fips_enabled").strip() == "1",
        "access": access(system, user, mine), "crypto_policy": system.exists("/etc/crypto-policies/back-ends/opensshserver.config")}


def _host_keys(system: System, values: sshd_copy.Values) -> dict[str, int]:
    """Types of the keys that the server shows and their bits."""
    found: dict[str, int] = {}
    for path in values.get("hostkey", []):
        answer = system.run(["ssh-keygen", "-l", "-f", system.real(path)])
        words = answer.out.split()
        if not answer.rc and words and words[0].isdigit():
            found[words[-1].strip("()").lower()] = int(words[0])
    return found


def _moduli(system: System) -> int | None:
    sizes = [int(line.split()[4]) + 1 for line in system.text("/etc/ssh/moduli").splitlines()
             if len(line.split()) >= 7 and not line.startswith("#") and line.split()[4].isdigit()]
    return min(sizes) if sizes else None


def _socket(system: System) -> dict[str, Any]:
    name = next((name for name in ("ssh.socket", "sshd.socket") if system.unit(name).get("ActiveState") == "active"), "")
    return {"unit": name, "follows_config": system.exists(_GENERATOR)}


def access(system: System, user: str, values: sshd_copy.Values, modes: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Where sshd looks for the keys of an account, how many it finds there and of which types, the bits of RSA keys by fingerprint, what
    StrictModes would object to, and whether an old password shuts keys out (ages). modes: permissions that paths would have."""
    home = _home(system, user)
    files: list[str] = []
    loose: list[str] = []
    keys = 0
    types: list[str] = []
    bits: dict[str, int] = {}
    for pattern in " ".join(values.get("authorizedkeysfile") or [".ssh/authorized_keys .ssh/authorized_keys2"]).split():
        if pattern == "none":
            continue
        path = pattern.replace("%%", "\0").replace("%h", home).replace("%u", user).replace("\0", "%")
        path = path if path.startswith("/") else os.path.join(home or "/", path)
        lines = [line for line in system.text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")]
        files.append(path)
        keys += len(lines)
        bits.update(_rsa_bits(system, path) if lines else {})
        types += [kind for kind in map(key_type, lines) if kind not in types]
        if lines:
            loose += [place for place in (home, os.path.dirname(path), path) if place not in loose and _loose(system, place, user, modes or {})]
    field = next((line.split(":")[1] for line in system.text("/etc/shadow").splitlines() if line.split(":")[0] == user and ":" in line), "")
    others = [name for name in ("authorizedkeyscommand", "trustedusercakeys") if (values.get(name) or ["none"])[0] not in ("none", "")]
    ages = not any("no_pass_expiry" in system.text(path) for path in STACKS)
    return {"user": user, "files": files, "keys": keys, "types": types, "rsa_bits": bits, "ages": ages, "other_ways": others, "loose": loose,
            "locked": field.startswith("!"), "password": bool(field) and field[0] not in "!*"}


def _home(system: System, user: str) -> str:
    """Also of an account that comes from a directory."""
    rows = (line.split(":") for line in system.text("/etc/passwd").splitlines())
    home = next((fields[5] for fields in rows if fields[0] == user and len(fields) == 7), "")
    try:
        return home or ("" if system.root else pwd.getpwnam(user).pw_dir)
    except KeyError:
        return ""


def _rsa_bits(system: System, path: str) -> dict[str, int]:
    rows = [line.split() for line in system.run(["ssh-keygen", "-l", "-f", system.real(path)]).out.splitlines()]
    return {row[1]: int(row[0]) for row in rows if len(row) > 2 and row[-1] == "(RSA)" and row[0].isdigit()}


def key_type(line: str) -> str:
    """Of a line of authorized_keys: ``ssh-ed25519``; ``cert-authority`` where it names an authority; empty when it cannot be told."""
    options, kind = "", ""
    for word in re.findall(r'(?:[^\s"]|"(?:\\.|[^"\\])*")+', line):
        if re.fullmatch(r"(sk-)?(ssh|ecdsa)-[A-Za-z0-9@.-]+", word):
            kind = word
            break
        options += word
    return "cert-authority" if "cert-authority" in options.split(",") else kind


def _loose(system: System, path: str, user: str, modes: Mapping[str, int]) -> bool:
    """Whether others than the account and root can write there, or it belongs to others."""
    try:
        found = os.stat(system.real(path))
    except OSError:
        return False
    try:
        owners = (0, system.owner(user))
    except KeyError:
        owners = (0, found.st_uid)
    return bool(modes.get(path, found.st_mode) & 0o022) or found.st_uid not in owners
