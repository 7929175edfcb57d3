# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a script becomes root on a node: with a sudo that does as the real one in what matters here."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.node_script import REMOTE

# -n: never asks. -S: reads passwords from standard input, up to three. A pty makes it read what the command would have been given.
SUDO = """#!/bin/sh
ask=yes keep=
while :; do case $1 in -n) ask=no;; -k) keep=1;; -S) ;; -p) shift;; *) break;; esac; shift; done
if [ -f "$FAKE/nopasswd" ]; then
  if [ "$2" != -s ]; then cat >/dev/null; fi
  exec "$@"
fi
if [ $ask = no ]; then echo "sudo: a password is required" >&2; exit 1; fi
if [ -f "$FAKE/cached" ] && [ -z "$keep" ]; then exec "$@"; fi
for try in 1 2 3; do
  IFS= read -r word || break
  echo "$try" >>"$FAKE/tries"
  if [ "$word" = secret ]; then if [ -z "$keep" ]; then : >"$FAKE/cached"; fi; exec "$@"; fi
done
echo "sudo: 1 incorrect password attempt" >&2
exit 1
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    for name, text in (("sudo", SUDO), ("id", "#!/bin/sh\necho 1000\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(node: Path, password: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", REMOTE], input=f"{password}\necho first\necho second\n", capture_output=True, text=True, check=False,
        env={"PATH": f"{node}:/usr/bin:/bin", "FAKE": str(node)}, timeout=30)


def test_a_password_that_is_right(node: Path) -> None:
    done = run(node, "secret")
    assert (done.returncode, done.stdout.split(), done.stderr.count("secret")) == (0, ["first", "second"], 0)


def test_a_password_that_is_wrong_is_tried_once_so_that_no_account_is_locked(node: Path) -> None:
    done = run(node, "wrong")
    assert (done.returncode, done.stdout) == (1, "")
    assert (node / "tries").read_text(encoding="utf-8") == "1\n"
    assert "incorrect password" in done.stderr


@pytest.mark.parametrize("password", ["", "secret"])
def test_no_password_is_asked_for(node: Path, password: str) -> None:
    (node / "nopasswd").touch()
    done = run(node, password)
    assert (done.returncode, done.stdout.split(), done.stderr.count("secret")) == (0, ["first", "second"], 0)


def test_a_password_is_needed_and_none_given(node: Path) -> None:
    done = run(node, "")
    assert (done.returncode, done.stdout, "a password is required" in done.stderr) == (1, "", True)
