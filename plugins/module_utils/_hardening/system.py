# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The node as the hardening sees it: files, programs, units. Everything below ``root``, so that tests work on a tree of their own.

Runs on nodes: Python 3.7 is enough.
"""
from __future__ import annotations

import errno
import grp
import os
import pwd
import subprocess
import tempfile
from typing import Any, Callable, NamedTuple, Optional, Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNIT_PROPERTIES = "Id,Names,LoadState,UnitFileState,ActiveState,ConditionResult,ConditionTimestampMonotonic"


class Ran(NamedTuple):
    """What a program said. rc: 127 when there is no such program, 124 when it did not end in time."""

    rc: int
    out: str
    err: str


Runner = Callable[[Sequence[str], Optional[str], float], Ran]


def run(words: Sequence[str], text: str | None = None, timeout: float = 60) -> Ran:
    """Run a program without a shell, in the C locale. timeout: seconds."""
    environment = {"PATH": PATH, "LC_ALL": "C", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(list(words), input=text, stdin=None if text is not None else subprocess.DEVNULL, capture_output=True,
                              timeout=timeout, env=environment, text=True, errors="replace", check=False)
    except FileNotFoundError:
        return Ran(127, "", f"{words[0]}: not found")
    except subprocess.TimeoutExpired:
        return Ran(124, "", f"{words[0]}: no answer within {int(timeout)} seconds")
    except OSError as failure:
        return Ran(126, "", f"{words[0]}: {failure.strerror}")
    return Ran(done.returncode, done.stdout, done.stderr)


class System:
    """root: the node's root folder. runner: runs programs; tests give their own."""

    def __init__(self, root: str = "/", runner: Runner | None = None) -> None:
        self.root = root.rstrip("/")
        self._runner = runner or run
        self.uid = 0 if not self.root else os.geteuid()
        self.gid = 0 if not self.root else os.getegid()
        self._units: dict[str, dict[str, str]] = {}
        self._image: bool | None = None
        self.written: list[str] = []

    # ------------------------------------------------------------------------------------------------ programs
    def run(self, words: Sequence[str], text: str | None = None, timeout: float = 60) -> Ran:
        return self._runner(words, text, timeout)

    def has(self, program: str) -> bool:
        if program.startswith("/"):
            return os.access(self.real(program), os.X_OK)
        return any(os.access(self.real(folder + "/" + program), os.X_OK) for folder in PATH.split(":"))

    @property
    def systemd(self) -> bool:
        """Whether systemd runs here; not in images and most containers."""
        return os.path.isdir(self.real("/run/systemd/system")) and not self.image

    @property
    def image(self) -> bool:
        """Whether this is a folder in which a system is being built (chroot). Kernel, mounts and packet filter that are seen from there are those
        of the machine that builds, whose /run may be there as well."""
        if self._image is None:
            self._image = not self.root and self._inside_folder()
        return self._image

    @staticmethod
    def _inside_folder(root_of_first: str = "/proc/1/root") -> bool:
        """Whether the first process has another root folder than this one; also where nothing tells of it."""
        try:
            first, mine = os.stat(root_of_first), os.stat("/")
        except FileNotFoundError:
            return True  # no /proc is mounted
        except OSError:
            return False
        return (first.st_dev, first.st_ino) != (mine.st_dev, mine.st_ino)

    def unit(self, name: str) -> dict[str, str]:
        """Its properties (UNIT_PROPERTIES); {} where no systemd runs or no such unit exists."""
        if name not in self._units:
            self.look_at_units([name])
        return self._units[name]

    def look_at_units(self, names: Sequence[str]) -> None:
        """One question for all of them, answered again by ``unit`` until ``forget_units``."""
        if not names:
            return
        for name in names:
            self._units[name] = {}
        if not self.systemd:
            return
        answer = self.run(["systemctl", "show", "--no-pager", "--property=" + UNIT_PROPERTIES, "--", *list(names)])
        for paragraph in answer.out.split("\n\n"):
            found = dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
            if found.get("LoadState", "not-found") == "not-found":
                continue
            for name in [found.get("Id", ""), *found.get("Names", "").split()]:
                if name in self._units or not self._units.get(name):
                    self._units[name] = found

    def forget_units(self) -> None:
        self._units.clear()

    # ------------------------------------------------------------------------------------------------ files
    def real(self, path: str) -> str:
        """Where a path of the node lies for this program."""
        return self.root + path if path.startswith("/") else path

    def target(self, path: str) -> str:
        """The path of the node behind symbolic links; the path itself when it is none or leads nowhere."""
        real = os.path.realpath(self.real(path))
        if self.root:
            base = os.path.realpath(self.root)
            return real[len(base):] if real.startswith(base + "/") else path
        return real

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.real(path))

    def read(self, path: str) -> bytes | None:
        """Its content; None when there is no such file. Raises OSError."""
        try:
            with open(self.real(path), "rb") as file:
                return file.read()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def text(self, path: str) -> str:
        """Its content as text, empty when it cannot be read."""
        try:
            return (self.read(path) or b"").decode("utf-8", "replace")
        except OSError:
            return ""

    def write(self, path: str, data: bytes, mode: int, uid: int | None = None, gid: int | None = None) -> None:
        """Whole file, by a rename, on the disk before it returns. Folders must be there. Raises OSError."""
        real = self.real(path)
        number, temporary = tempfile.mkstemp(prefix=".hybridops-fleet-", dir=os.path.dirname(real))
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
                file.flush()
                os.fchown(file.fileno(), self.uid if uid is None else uid, self.gid if gid is None else gid)
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            os.rename(temporary, real)
        except OSError as failure:
            os.unlink(temporary)
            if failure.errno != errno.EBUSY:
                raise
            with open(real, "r+b") as file:  # a file that is bound into a container cannot be replaced, only filled
                file.write(data)
                file.truncate()
        self.written.append(path)

    def relabel(self) -> None:
        """The security labels that the policy wants on all that was written, where there is SELinux."""
        if self.written and os.path.exists(self.real("/sys/fs/selinux/enforce")) and self.has("restorecon"):
            self.run(["restorecon", "-i", *sorted(set(self.written))])
        self.written = []

    # ------------------------------------------------------------------------------------------------ accounts
    def owner(self, name: Any) -> int:
        """Number of an account. Raises KeyError."""
        return int(name) if str(name).isdigit() else self._number("/etc/passwd", str(name), lambda: pwd.getpwnam(str(name)).pw_uid)

    def group(self, name: Any) -> int:
        """Number of a group. Raises KeyError."""
        return int(name) if str(name).isdigit() else self._number("/etc/group", str(name), lambda: grp.getgrnam(str(name)).gr_gid)

    def _number(self, path: str, name: str, ask: Callable[[], int]) -> int:
        if not self.root:
            return ask()
        for line in self.text(path).splitlines():
            fields = line.split(":")
            if fields[0] == name:
                return int(fields[2])
        raise KeyError(name)
