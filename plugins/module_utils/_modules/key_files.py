# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Key pairs on this machine's disk, made and read by ssh-keygen."""
from __future__ import annotations

import contextlib
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

from .._fleet.errors import FleetError
from .._fleet.providers.actions import key_mark

_INPUT = "/dev/stdin"


def exists(path: str | None) -> bool:
    return bool(path) and os.path.exists(os.path.expanduser(str(path)))


def public_key(module: AnsibleModule, name: str, path: str, did: list[str]) -> str | None:
    """The public key of a private key file, which is made when it is not there; None when check mode keeps it from being made.
    name: of the key, which is told by its comment; did: what was done is added to it. Raises FleetError."""
    path = os.path.expanduser(path)
    if not os.path.exists(path):
        did.append(f"made {path}")
        if module.check_mode:
            return None
        _generate(module, path, key_mark(name))
    if os.stat(path).st_mode & 0o077:
        did.append(f"mode of {path} set to 0600")
        if not module.check_mode:
            os.chmod(path, 0o600)
    status, out, err = _read(module, path)
    if status:
        raise FleetError(f"read key {path}", why=_last_line(err), code="key_file",
                         fix="It must be a private key in OpenSSH format without a passphrase; remove it to have a new one made.")
    return line(f"{' '.join(out.split()[:2])} {key_mark(name)}")


def public_part(module: AnsibleModule, path: str | None) -> str | None:
    """The public part of a private key file, None when there is none that can be read."""
    if not path or not exists(path):
        return None
    status, out, _err = _read(module, os.path.expanduser(path))
    return None if status else " ".join(out.split())


def _read(module: AnsibleModule, path: str) -> tuple[int, str, str]:
    """Status, public key and words of ssh-keygen. It reads no file that others may read, so it is handed the contents: in check
    mode the file keeps its mode."""
    with open(path, "rb") as file:
        status, out, err = module.run_command([_keygen(module), "-y", "-P", "", "-f", _INPUT], data=file.read(), binary_data=True)
    return status, out, err.replace(_INPUT, path)


def _generate(module: AnsibleModule, path: str, comment: str) -> None:
    """An ed25519 pair; the file appears whole, with mode 0600, or not at all."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as spare:
            fresh = os.path.join(spare, "key")
            status, _out, err = module.run_command([_keygen(module), "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", fresh])
            if status:
                raise FleetError(f"make key {path}", why=_last_line(err), fix="Look at ssh-keygen on this machine.", code="ssh_keygen")
            os.chmod(fresh, 0o600)
            with contextlib.suppress(FileExistsError):  # another run was faster; then that one's key counts
                os.link(fresh, path)
    except OSError as problem:
        raise FleetError(f"make key {path}", why=problem.strerror or str(problem), fix="Choose a folder that can be written.", code="disk") from None


def _keygen(module: AnsibleModule) -> str:
    found = module.get_bin_path("ssh-keygen")
    if not found:
        raise FleetError("make a key", why="ssh-keygen is not installed", fix="Install the OpenSSH client.", code="ssh_keygen")
    return str(found)


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.strip().splitlines()) if line), "no word of it")


def line(text: str) -> str:
    """A public key as one line. Raises FleetError for what is none."""
    words = text.split()
    if len(words) < 2 or not words[1].startswith("AAAA"):
        raise FleetError("read the public key", why="it is not a line of the form 'ssh-ed25519 AAAA... comment'", code="argument",
                         fix="Give the contents of the .pub file.")
    return " ".join(words)
