# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ssh's words mean."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import answers
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.action import _sudo_words
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.answers import judge

VERBOSE = (
    "OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19\ndebug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1 Debian-2\r\n"
    "debug1: Server host key: ssh-ed25519 SHA256:abc\n")


def _judge(err: str, out: str = "", **more: object) -> answers.Answer:
    return judge(out, VERBOSE + err, **{"user": "debian", "host": "203.0.113.7", "alias": "lab/i-1", **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(("out", "name"), [
    ('Please login as the user "debian" rather than the user "root".\n\n', "debian"),
    ("Please login as the ec2-user user rather than root user.", "ec2-user"),
    ('Please login as the user "-oProxyCommand=x" rather than the user "root".', None),
    ('Please login as the user "a b" rather than the user "root".', None),
    ("Welcome", None),
])
def test_the_images_own_answer_names_the_account(out: str, name: str | None) -> None:
    assert answers.redirect(out) == name
    assert (_judge("Authenticated to 203.0.113.7\n", out).kind == answers.REDIRECT) is (name is not None)


def test_the_same_words_in_a_banner_are_no_answer_to_a_key() -> None:
    banner = 'Please login as the user "admin" rather than the user "root".\ndebug1: Offering public key: /k ED25519\n'
    assert _judge(banner + "debian@203.0.113.7: Permission denied (publickey).\n").kind == answers.DENIED
    assert _judge(banner + "Connection timed out during banner exchange\n").kind == answers.UNREACHABLE


@pytest.mark.parametrize(("err", "told"), [
    ("sudo: unable to resolve host web-1: Temporary failure in name resolution\nsudo: a password is required\n", "sudo: a password is required"),
    ("sudo: unable to resolve host web-1: Name or service not known\n", ""),
    ("debian is not in the sudoers file.\nsudo: unable to resolve host web-1: x\n", "debian is not in the sudoers file."),
    ("debug1: client_input_channel_req: channel 0\n", ""),
])
def test_why_sudo_refuses(err: str, told: str) -> None:
    assert _sudo_words(err) == told


def test_a_refusal_is_the_nodes_only_when_the_node_says_it() -> None:
    refused = _judge("debug1: Offering public key: /k ED25519\ndebian@203.0.113.7: Permission denied (publickey,password).\n")
    assert (refused.kind, refused.methods, refused.offered) == (answers.DENIED, ("publickey", "password"), True)
    assert refused.server == "OpenSSH_9.2p1 Debian-2"
    by_bastion = _judge("jump@192.0.2.1: Permission denied (publickey).\nConnection closed by UNKNOWN port 65535\n")
    assert by_bastion.kind == answers.BASTION
    assert "jump@192.0.2.1" in by_bastion.text


@pytest.mark.parametrize("err", [
    "ssh: connect to host 203.0.113.7 port 22: Connection refused\n",
    "ssh: connect to host 203.0.113.7 port 22: Connection timed out\n",
    "kex_exchange_identification: Connection closed by remote host\n",
    "kex_exchange_identification: read: Connection reset by peer\n",
    "channel 0: open failed: connect failed: No route to host\nstdio forwarding failed\nConnection closed by UNKNOWN port 65535\n",
    "Connection timed out during banner exchange\n",
    "",
])
def test_silence_is_no_refusal(err: str) -> None:
    assert _judge(err).kind == answers.UNREACHABLE


def test_other_outcomes() -> None:
    assert _judge("Authenticated to 203.0.113.7\n", "motd\n" + answers.MARKER + "\n").kind == answers.OPEN
    assert _judge("", timed_out=25).text == "no answer within 25 s"
    assert _judge("Authenticated to 203.0.113.7\n", timed_out=25).kind == answers.NO_SHELL
    silent = _judge("Authenticated to 203.0.113.7\nTimeout, server 203.0.113.7 not responding.\n")
    assert silent.kind == answers.STALLED and "fell silent: Timeout, server 203.0.113.7 not responding" in silent.text
    assert _judge("Authenticated to 203.0.113.7\n", "This account is currently not available.\n").kind == answers.NO_SHELL
    booting = '"System is booting up. Unprivileged users are not permitted to log in yet."\nConnection closed by 203.0.113.7\n'
    assert _judge(booting).kind == answers.BOOTING
    assert _judge("channel 0: open failed: administratively prohibited: open failed\n").kind == answers.BASTION
    broken = _judge('Load key "/k": error in libcrypto\ndebian@203.0.113.7: Permission denied (publickey).\n')
    assert broken.kind == answers.KEY_FILE
    assert "error in libcrypto" in broken.text


def test_a_host_key_that_changed_says_whose() -> None:
    err = "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key for lab/i-1 has changed and you have requested strict checking.\n"
    changed = _judge(err + "Host key verification failed.\n")
    assert (changed.kind, changed.user) == (answers.HOST_KEY, "lab/i-1")
    assert "has changed" in changed.text
    unknown = _judge("No ED25519 host key is known for lab/i-1 and you have requested strict checking.\nHost key verification failed.\n")
    assert (unknown.kind, unknown.user) == (answers.HOST_KEY, "lab/i-1")
    assert "not among" in unknown.text


@pytest.mark.parametrize(("server", "counts"), [
    ("OpenSSH_9.2p1 Debian-2", False), ("OpenSSH_9.8", True), ("OpenSSH_10.0p2 Debian-7", True), ("dropbear", False),
])
def test_servers_that_count_refusals(server: str, counts: bool) -> None:
    assert answers.penalises(server) is counts
