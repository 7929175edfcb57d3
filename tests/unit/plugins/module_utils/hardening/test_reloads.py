# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs that read their configuration again, as scripts that run here."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening import reloads
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System


@pytest.mark.parametrize(("before", "made", "after"), [(0o400, 0o444, 0o400), (0o600, 0o444, 0o400), (0o444, 0o444, 0o444), (0o444, 0o600, 0o600)])
def test_the_boot_loaders_configuration_stays_closed_when_it_is_made_anew(tmp_path: Path, before: int, made: int, after: int) -> None:
    config, program = tmp_path / "grub.cfg", tmp_path / "update-grub"
    config.write_text("old", encoding="utf-8")
    config.chmod(before)
    program.write_text(f"#!/bin/sh\nrm -f {config}; echo new >{config}; chmod {made:o} {config}\n", encoding="utf-8")
    program.chmod(0o755)
    script = reloads.GRUB.replace("/boot/grub/grub.cfg", str(config))
    subprocess.run(["sh", "-c", script], check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert config.read_text(encoding="utf-8") == "new\n"
    assert config.stat().st_mode & 0o777 == after


def test_what_fails_is_told_without_the_script() -> None:
    def run(words: object, text: str | None, timeout: float) -> Ran:
        return Ran(1, "", "no space left on device")

    assert reloads.perform(System("/", run), ["grub"]) == {"grub": "no space left on device"}
