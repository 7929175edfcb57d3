# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An image that is being built in a folder: what is seen of kernel, mounts and packet filter is the building machine's, and stays."""
from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.kinds import kernel, mounts, nft_table
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System


class Image(System):
    """A tree that says of itself that it is an image."""

    def __init__(self, root: Path) -> None:
        self.ran: list[list[str]] = []
        super().__init__(str(root), self._note)
        self._image = True

    def _note(self, words: Sequence[str], _text: str | None, _timeout: float) -> Ran:
        self.ran.append(list(words))
        return Ran(0, "", "")


@pytest.fixture
def image(tmp_path: Path) -> Image:
    for folder in ("proc/self", "proc/sys/net/ipv4", "run/systemd/system", "usr/sbin", "etc/systemd/system"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/sys/net/ipv4/ip_forward").write_text("1\n")
    (tmp_path / "proc/self/mounts").write_text("tmpfs /dev/shm tmpfs rw 0 0\n")
    (tmp_path / "usr/sbin/nft").touch(mode=0o755)
    return Image(tmp_path)


def test_the_kernel_of_the_machine_that_builds_stays(image: Image) -> None:
    plan = kernel.plan_sysctl(image, {"kind": "sysctl", "values": {"net.ipv4.ip_forward": 0}})
    assert not plan.changes and "image" in plan.not_possible


def test_its_mounts_stay(image: Image) -> None:
    plan = mounts.plan(image, {"kind": "mount", "path": "/dev/shm", "options": ["noexec"]})
    assert not plan.changes and "image" in plan.not_possible


def test_its_packet_filter_stays_and_the_first_boot_loads_the_table(image: Image, tmp_path: Path) -> None:
    item = {"kind": "nft_table", "family": "inet", "name": "t", "content": "table inet t {}", "unit": "t.service"}
    plan = nft_table.plan(image, item)
    for change in plan.changes:
        change.act()
    assert not image.ran, "nothing is asked of the kernel, nor of the systemd of the machine that builds"
    assert os.readlink(tmp_path / "etc/systemd/system/multi-user.target.wants/t.service") == "/etc/systemd/system/t.service"
    assert not nft_table.plan(image, item).changes


def test_its_systemd_is_not_taken_for_one_that_runs_here(image: Image) -> None:
    assert not image.systemd
    assert "no systemd" in kernel.plan_unit(image, {"kind": "unit", "name": "x.service", "enabled": True}).not_possible


@pytest.mark.parametrize(("root_of_first", "expected"), [("/proc/self/root", False), ("elsewhere", True), ("nothing", True)])
def test_a_folder_is_told_from_a_system(tmp_path: Path, root_of_first: str, expected: bool) -> None:
    """Not asked of the first process here: the machine that runs the tests may itself live in a folder of another one."""
    (tmp_path / "elsewhere").mkdir()
    assert System._inside_folder(str(tmp_path / root_of_first)) is expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter a folder as if it were the root of all")
def test_a_folder_without_proc_is_an_image(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        os.chroot(tmp_path)
        os._exit(int(System().image))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
