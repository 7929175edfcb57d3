# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each way of shutting Ansible out is refused with its reason; what cannot be known is not refused."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import lockout
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.lockout import Login

NOW = {
    "permitrootlogin": ["yes"], "passwordauthentication": ["yes"], "kbdinteractiveauthentication": ["no"], "usepam": ["yes"], "strictmodes": ["no"],
    "pubkeyacceptedalgorithms": ["ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256"]}


def login(**more: Any) -> Login:
    values: dict[str, Any] = {"user": "fleet", "address": "203.0.113.9", "to_address": "198.51.100.7", "keys": 1, "groups": ("fleet", "sudo"), **more}
    return Login(**values)


REFUSED = [
    (login(user="root"), {"permitrootlogin": "no"}, "logs in as root"),
    (login(user="root", keys=0, by_password=True), {"permitrootlogin": "prohibit-password"}, "with a password"),
    (login(keys=0), {"passwordauthentication": "no"}, "has no authorized key"),
    (login(), {"pubkeyauthentication": "no"}, "PubkeyAuthentication would be no"),
    (login(), {"allowusers": "admin deploy"}, "would not be let in by AllowUsers admin deploy"),
    (login(), {"allowusers": "fleet@10.0.0.0/8"}, "from 203.0.113.9 would not be let in by AllowUsers"),
    (login(), {"allowusers": "*@192.0.2.*"}, "from 203.0.113.9"),
    (login(address="2001:db8::9"), {"allowusers": "fleet@2001:db8:1::/48"}, "from 2001:db8::9"),
    (login(), {"allowgroups": "wheel"}, "AllowGroups wheel (it is in fleet, sudo)"),
    (login(), {"denygroups": "sudo"}, "would be refused by DenyGroups"),
    (login(), {"denyusers": "flee?"}, "would be refused by DenyUsers"),
    (login(), {"denyusers": "*@203.0.113.0/24"}, "would be refused by DenyUsers"),
    (login(), {"port": "2222"}, "connects to port 22"),
    (login(), {"listenaddress": "192.0.2.1 [2001:db8::1]:22"}, "connects to 198.51.100.7"),
    (login(), {"listenaddress": "::"}, "connects to 198.51.100.7"),
    (login(), {"addressfamily": "inet6"}, "AddressFamily would be inet6"),
    (login(locked=True), {"usepam": "no"}, "usermod -p '*' fleet"),
    (login(loose=("/home/fleet",)), {"strictmodes": "yes"}, "others can write to /home/fleet"),
    (login(method="password", by_password=True), {"passwordauthentication": "no"}, "was let in by its password"),
    (login(method="keyboard-interactive/pam"), {"passwordauthentication": "no"}, "was let in by its password"),
    (login(method="publickey", key="RSA", types=("ssh-rsa", "ssh-ed25519")), {"pubkeyacceptedalgorithms": "ssh-ed25519,sk-*"}, "a key of type RSA"),
    (login(method="publickey", key="ED25519-CERT"), {"pubkeyacceptedalgorithms": "ssh-ed25519,rsa-sha2-512"}, "a key of type ED25519-CERT"),
    (login(method="publickey", key="ECDSA"), {"pubkeyacceptedalgorithms": "-ecdsa-*"}, "a key of type ECDSA"),
    (login(types=("ssh-dss",)), {"pubkeyacceptedkeytypes": "ssh-ed25519,rsa-sha2-512"}, "a key of type ssh-dss"),
    (login(method="publickey", key="RSA", fingerprint="SHA256:a", rsa_bits={"SHA256:a": 2048, "SHA256:b": 4096}), {"requiredrsasize": "3072"},
     "an RSA key of 2048 bits"),
    (login(types=("ssh-rsa",), rsa_bits={"SHA256:a": 2048}), {"requiredrsasize": "3072"}, "an RSA key of 2048 bits"),
]


@pytest.mark.parametrize(("who", "wanted", "words"), REFUSED, ids=lambda value: str(value)[:40] if isinstance(value, str) else "")
def test_it_is_told_beforehand(who: Login, wanted: dict[str, str], words: str) -> None:
    told = lockout.sshd(who, NOW, wanted)
    assert len(told) == 1 and words in told[0]
    with pytest.raises(FleetError, match="would lock Ansible out, so nothing was changed") as failure:
        lockout.refuse("web-1", "ssh_hardening", told)
    assert failure.value.code == "lockout"


@pytest.mark.parametrize(("who", "wanted"), [
    (login(), {"permitrootlogin": "no", "passwordauthentication": "no", "kbdinteractiveauthentication": "no"}),
    (login(user="root"), {"permitrootlogin": "prohibit-password"}),
    (login(keys=0, other_ways=("authorizedkeyscommand",)), {"passwordauthentication": "no"}),
    (login(), {"allowusers": "fleet"}), (login(), {"allowusers": "f*@203.0.113.0/24"}), (login(), {"allowgroups": "wheel sudo"}),
    (login(address="::ffff:203.0.113.9"), {"allowusers": "fleet@203.0.113.9"}),
    (login(), {"port": "22 2222"}), (login(), {"listenaddress": "0.0.0.0 ::"}), (login(), {"listenaddress": "198.51.100.7:22"}),
    (login(), {"denyusers": "nobody daemon"}), (login(), {"strictmodes": "yes"}),
    (login(), {"allowusers": "fleet@office.example.org"}),
    (login(method="publickey", by_password=True), {"passwordauthentication": "no"}),
    (login(method="publickey", key="RSA"), {"pubkeyacceptedalgorithms": "ssh-ed25519,rsa-sha2-*"}),
    (login(method="publickey", key="ECDSA"), {"pubkeyacceptedalgorithms": "+ssh-rsa"}),
    (login(types=("ssh-dss", "cert-authority")), {"pubkeyacceptedalgorithms": "ssh-ed25519"}),
    (login(types=("ssh-dss",), other_ways=("trustedusercakeys",)), {"pubkeyacceptedalgorithms": "ssh-ed25519"}),
    (login(method="publickey", key="RSA", fingerprint="SHA256:b", rsa_bits={"SHA256:a": 2048, "SHA256:b": 4096}), {"requiredrsasize": "3072"}),
    (login(types=("ssh-rsa", "ssh-ed25519"), rsa_bits={"SHA256:a": 2048}), {"requiredrsasize": "3072"}),
    (login(groups=None), {"allowgroups": "directory-admins"}), (login(groups=None), {"denygroups": "directory-guests"}),
    (login(address=""), {"allowusers": "fleet@10.0.0.0/8"})])
def test_what_lets_it_in_or_cannot_be_known_is_not_refused(who: Login, wanted: dict[str, str]) -> None:
    assert lockout.sshd(who, NOW, wanted) == []


def test_lists_that_are_there_already_go_on() -> None:
    assert lockout.sshd(login(), {**NOW, "allowusers": ["fleet"]}, {"allowusers": "admin"}) == []
    assert lockout.sshd(login(), {**NOW, "permitrootlogin": ["no"]}, {"permitrootlogin": "no"}) == []


def test_what_the_configuration_refuses_already_is_refused_too() -> None:
    """The server may not have read it again, and only an open connection goes on; the reload would shut the door for good."""
    told = lockout.sshd(login(user="root"), {**NOW, "permitrootlogin": ["no"]}, {"permitrootlogin": "no"})
    assert len(told) == 1 and "PermitRootLogin is no" in told[0]
    told = lockout.sshd(login(), {**NOW, "denyusers": ["fleet"]}, {"passwordauthentication": "no"})
    assert len(told) == 1 and "would be refused by DenyUsers fleet" in told[0]


def test_what_the_facts_tell_of_the_login() -> None:
    facts = {"login": {"user": "fleet", "address": "203.0.113.9", "to_port": "2201", "today": 20000},
             "accounts": [{"name": "fleet", "groups": ["fleet"], "shell": "/bin/bash", "expires": 19000}],
             "sshd": {"access": {"keys": 2, "other_ways": [], "locked": True}}}
    found = lockout.of(facts, by_password=False, port=None)
    assert (found.port, found.keys, found.locked, found.expired, found.groups) == (2201, 2, True, True, ("fleet",))
    assert lockout.of({**facts, "accounts": []}, by_password=False, port=None).groups is None
    assert lockout.of({**facts, "login": {"user": "fleet", "groups": ["of-a-directory"]}}, by_password=False, port=None).groups == ("of-a-directory",)
    assert "past its end" in lockout.sshd(found, {**NOW, "usepam": ["no"]}, {"usepam": "yes"})[0]


@pytest.mark.parametrize(("last_change", "max_days", "aged"), [
    (19000, 90, True), (19950, 90, False), (0, None, True), (19000, -1, False), (19000, None, False), (None, 90, False)])
def test_a_password_that_is_too_old_shuts_keys_out_once_pam_is_asked(last_change: int | None, max_days: int | None, aged: bool) -> None:
    facts = {"login": {"user": "fleet", "today": 20000}, "accounts": [{"name": "fleet", "last_change": last_change, "max_days": max_days}]}
    told = lockout.sshd(lockout.of(facts, by_password=False, port=None), {**NOW, "usepam": ["no"]}, {"usepam": "yes"})
    assert bool(told) is aged and all("is too old" in words for words in told)
    lenient = lockout.of({**facts, "sshd": {"access": {"ages": False}}}, by_password=False, port=None)  # PAM has no_pass_expiry
    assert not lockout.sshd(lenient, {**NOW, "usepam": ["no"]}, {"usepam": "yes"})
