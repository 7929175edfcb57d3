# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the measurements run in: one virtual environment for ours and theirs, and a copy of this collection."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from fleetlab.core import CHECKOUT, Lab, LabError

BENCH = CHECKOUT / "tests" / "bench"
BEST_PYTHON = (3, 13)
ANSIBLE = {(3, 11): "12.*", (3, 12): "14.5.0", (3, 13): "14.5.0"}
"""Python -> the newest release of the package ``ansible`` for it (14: ansible-core 2.21, 12: 2.19)."""
_FOREIGN = ("ANSIBLE_", "AWS_", "OS_", "GOOGLE_", "GCP_", "GCE_", "CLOUDSDK_", "BOTO_", "HYBRIDOPS_", "PYTHON")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def better_python() -> str | None:
    """A Python of BEST_PYTHON on this machine that works, on the PATH or made by pyenv; None when this is one."""
    if sys.version_info[:2] == BEST_PYTHON:
        return None
    name = "python{}.{}".format(*BEST_PYTHON)
    made_by_pyenv = sorted(Path("~/.pyenv/versions").expanduser().glob("{}.{}*/bin/".format(*BEST_PYTHON) + name))
    for candidate in [shutil.which(name), *map(str, made_by_pyenv)]:
        # a pyenv shim for a version that is not selected exists and fails
        if candidate and not subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode:
            return candidate
    return None


class Environment:
    """Where programs, collections and files of the benchmark are."""

    def __init__(self, lab: Lab) -> None:
        """Makes what is missing. Raises LabError when that is not possible."""
        release = ANSIBLE.get(sys.version_info[:2])
        if release is None:
            raise LabError("the benchmark needs Python 3.11, 3.12 or 3.13 (best: 3.13, for ansible-core 2.21)")
        self.folder = lab.cache / "bench"
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = self.folder / "requirements.txt"
        runtime = (CHECKOUT / "tests" / "requirements" / "runtime.txt").read_text(encoding="utf-8")
        wanted.write_text(f"ansible=={release}\n{runtime}", encoding="utf-8")
        self.bin = lab.venv("bench", wanted) / "bin"
        self._tree = self.folder / "tree"
        place = self._tree / "ansible_collections" / "hybridops" / "fleet"
        shutil.rmtree(place, ignore_errors=True)
        for part in ("plugins", "meta"):  # a copy: who edits the checkout meanwhile does not change what is measured
            shutil.copytree(CHECKOUT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(CHECKOUT / "galaxy.yml", place)

    def variables(self, folder: Path, own: dict[str, str]) -> dict[str, str]:
        """The environment of a child: nothing of the operator's clouds or Ansible settings, and own on top."""
        kept = {
            name: value for name, value in os.environ.items()
            if not name.startswith(_FOREIGN) and name.upper() not in _PROXIES}
        return {
            **kept, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join((str(BENCH), str(CHECKOUT / "tests" / "lab"))),
            "PYTHONPYCACHEPREFIX": str(self.folder / "bytecode"),  # nothing is written into the checkout
            "ANSIBLE_COLLECTIONS_PATH": str(self._tree), "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false", **own,
        }

    def versions(self) -> dict[str, str]:
        """Versions of what is compared, by name."""
        program = (
            "import json, importlib.metadata as m, ansible_collections as c, pathlib;"
            "found = {n: m.version(n) for n in ('ansible-core', 'boto3', 'openstacksdk', 'google-auth', 'Jinja2')};"
            "root = pathlib.Path(next(iter(c.__path__)));"
            "found.update({n: json.loads((root / n.replace('.', '/') / 'MANIFEST.json').read_text())['collection_info']"
            "['version'] for n in ('amazon.aws', 'openstack.cloud', 'google.cloud')}); print(json.dumps(found))")
        done = subprocess.run([str(self.bin / "python"), "-c", program], capture_output=True, text=True, check=True)
        return {"python": sys.version.split()[0], **json.loads(done.stdout)}
