# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Units as their folders tell of them."""
from __future__ import annotations

from pathlib import Path

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.facts import units
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System


def test_what_is_there_and_what_starts_at_boot_is_read_from_the_folders(tmp_path: Path) -> None:
    vendor, own = tmp_path / "usr/lib/systemd/system", tmp_path / "etc/systemd/system"
    for folder in (tmp_path / "run/systemd/system", vendor, own / "multi-user.target.wants", own / "getty.target.wants", own / "some.service.d"):
        folder.mkdir(parents=True)
    for name in ("chrony.service", "cups.service", "ssh.service", "getty@.service", "idle.timer", "a.mount"):
        (vendor / name).write_text("[Unit]\n", encoding="utf-8")
    (own / "cups.service").symlink_to("/dev/null")
    (own / "sshd.service").symlink_to("/usr/lib/systemd/system/ssh.service")
    for link, target in (("multi-user.target.wants/chrony.service", "chrony"), ("multi-user.target.wants/cups.service", "cups"),
                         ("getty.target.wants/getty@tty1.service", "getty@"), ("getty.target.wants/gone.service", "gone")):
        (own / link).symlink_to(f"/usr/lib/systemd/system/{target}.service")
    said = "ssh.service loaded active running OpenBSD Secure Shell server\ndocker.service loaded active running made while it ran\n"
    found = units.states(System(str(tmp_path), lambda words, text, timeout: Ran(0, said, "")))
    assert {name: state["enabled"] for name, state in found.items()} == {
        "chrony.service": "enabled", "cups.service": "masked", "ssh.service": "", "sshd.service": "alias", "getty@.service": "enabled",
        "idle.timer": "", "docker.service": ""}
    assert [name for name, state in found.items() if state["active"]] == ["ssh.service", "docker.service"]


def test_without_systemd_there_are_none(tmp_path: Path) -> None:
    assert units.states(System(str(tmp_path))) == {}
