# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's command line: ``python3 tests/lab up``."""
from __future__ import annotations

import sys

from fleetlab.cli import main

sys.exit(main())
