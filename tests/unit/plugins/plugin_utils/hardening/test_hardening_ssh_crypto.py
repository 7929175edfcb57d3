# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Algorithms by release: what ssh-audit 3.9 passes, and what the clients of each distribution can talk to."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import ssh_crypto as crypto

# kex of the ssh client as each distribution ships it
CLIENTS = {
    "Debian 11 (8.4)": ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "diffie-hellman-group16-sha512"],
    "RHEL 8 (8.0)": ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "diffie-hellman-group16-sha512"],
    "RHEL 8 in FIPS mode": ["ecdh-sha2-nistp256", "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512"],
    "Ubuntu 18.04 (7.6)": ["curve25519-sha256", "curve25519-sha256@libssh.org", "diffie-hellman-group16-sha512"],
    "Debian 12 (9.2)": ["sntrup761x25519-sha512@openssh.com", "curve25519-sha256"],
    "Debian 13 (10.0)": ["mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com", "curve25519-sha256"]}
PASSED = {
    "mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com", "chacha20-poly1305@openssh.com",
    "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr", "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com", "ssh-ed25519",
    "ssh-ed25519-cert-v01@openssh.com", "rsa-sha2-512", "rsa-sha2-256", "rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com"}
"""Rated without failure and warning in ssh-audit 3.9's own table."""
RELEASES = [(7, 6), (8, 0), (8, 4), (8, 7), (8, 9), (9, 2), (9, 6), (9, 9), (10, 0), (10, 2)]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("version", RELEASES)
def test_every_client_gets_into_a_compatible_server(version: crypto.Version, client: str) -> None:
    offered, why = crypto.key_exchange(crypto.COMPATIBLE, version, (), ())
    assert set(offered) & set(CLIENTS[client]) and not why


@pytest.mark.parametrize("version", RELEASES)
def test_what_is_offered_is_known_to_the_release_and_passes_the_auditor(version: crypto.Version) -> None:
    offered, why = crypto.key_exchange(crypto.POST_QUANTUM, version, (), ())
    if version >= (8, 5):
        assert set(offered) <= PASSED and not why
    else:
        assert "no post-quantum" in why and "curve25519-sha256" in offered
    keys, _why = crypto.host_key_algorithms(version, {"ed25519": 256, "rsa": 3072, "ecdsa": 256}, False)
    assert {*crypto.ciphers(version, ()), *crypto.macs(version, ()), *keys} <= PASSED
    assert not any("nistp" in name or "cbc" in name or name == "ssh-rsa" for name in [*offered, *keys, *crypto.ciphers(version, ())])


def test_the_best_comes_first_and_what_the_node_tells_counts_more_than_its_release() -> None:
    assert crypto.key_exchange(crypto.COMPATIBLE, (10, 0), (), ())[0][0] == "mlkem768x25519-sha256"
    assert crypto.key_exchange(crypto.COMPATIBLE, (9, 2), (), ())[0][0] == "sntrup761x25519-sha512@openssh.com"
    assert crypto.key_exchange(crypto.POST_QUANTUM, (8, 7), ["curve25519-sha256"], ())[0] == ["curve25519-sha256"]


def test_a_controller_that_is_too_old_is_not_shut_out() -> None:
    offered, why = crypto.key_exchange(crypto.POST_QUANTUM, (9, 2), (), CLIENTS["Debian 11 (8.4)"])
    assert "curve25519-sha256" in offered and "this controller" in why
    assert "curve25519-sha256" not in crypto.key_exchange(crypto.POST_QUANTUM, (9, 2), (), CLIENTS["Debian 12 (9.2)"])[0]


def test_short_rsa_keys_are_not_shown() -> None:
    names, why = crypto.host_key_algorithms((9, 2), {"ed25519": 256, "rsa": 2048}, False)
    assert names == ["ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"] and "2048 bits" in why
    assert crypto.host_key_algorithms((9, 2), {"ecdsa": 256}, False) == ([], "")
    assert "ssh-ed25519" in crypto.host_key_algorithms((9, 2), {}, True)[0]


@pytest.mark.parametrize(("text", "version"), [("9.2p1", (9, 2)), ("10.0p2", (10, 0)), ("8.4p1", (8, 4)), ("", (7, 4))])
def test_versions(text: str, version: crypto.Version) -> None:
    assert crypto.version_of(text) == version
