# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ansible-test takes for its get-pip script, where only a package index can be reached.

Lies as get_pip_<version>.py beside the pip wheel of that version, which it runs and installs.
"""
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
found = re.search(r"get_pip_([0-9_]+)", os.path.basename(__file__))
version = found.group(1).replace("_", ".") if found else ""
wheel = os.path.join(here, f"pip-{version}-py3-none-any.whl")
sys.path.insert(0, wheel)
from pip._internal.cli.main import main  # noqa: E402

asked = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel") and not word.startswith("pip==")]
packages = [word for word in asked if not word.startswith("-")]
sys.exit(main(["install", "--upgrade", "--force-reinstall"] + ([] if packages else ["--no-index"]) + asked + [wheel]))
