# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SSH host keys in what a node prints on its console."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.host_keys import from_console

ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk"
EC = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA=="
NEW = ED.replace("AAAAIAab", "AAAAIBab")


def block(*lines: str) -> str:
    return "\r\n".join(("-----BEGIN SSH HOST KEY KEYS-----", *lines, "-----END SSH HOST KEY KEYS-----", ""))


def test_keys_without_their_comments() -> None:
    assert from_console(f"boot\r\n{block(f'{EC} root@web-1', f'{ED} root@web-1', ED)}login: ") == (EC, ED)


def test_prefixes_of_the_console_do_not_matter() -> None:
    assert from_console(block(f"[   12.3] cloud-init[500]: {ED} root@web-1")) == (ED,)


def test_the_last_block_counts() -> None:
    assert from_console(block(ED) + "reboot\n" + block(NEW)) == (NEW,)


def test_a_block_that_a_crash_cut_off_is_no_part_of_the_next() -> None:
    assert from_console(f"-----BEGIN SSH HOST KEY KEYS-----\r\n{ED} root@web-1\r\nreset\r\n" + block(NEW)) == (NEW,)


@pytest.mark.parametrize("text", ["", "login: ", ED, "-----BEGIN SSH HOST KEY KEYS-----\n" + ED, block("no key at all"), block("ssh-rsa short")])
def test_what_holds_no_whole_block_tells_nothing(text: str) -> None:
    assert from_console(text) == ()
