# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore is refused where what was before would shut today's account out, and only there."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import former
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.decision import Connection

NOW = {"permitrootlogin": ["no"], "passwordauthentication": ["no"], "usepam": ["yes"], "strictmodes": ["yes"], "port": ["22", "2222"],
       "allowusers": ["ops", "later"]}
THEN = {"permitrootlogin": ["without-password"], "passwordauthentication": ["yes"], "usepam": ["yes"], "strictmodes": ["yes"], "port": ["22"],
        "listenaddress": ["[::]:22", "0.0.0.0:22"]}
ACCESS = {"keys": 1, "types": ["ssh-ed25519"], "loose": []}


def facts(**login: Any) -> dict[str, Any]:
    return {"login": {"user": "later", "address": "203.0.113.9", "to_address": "198.51.100.7", "to_port": "22", "today": 20000, **login},
            "accounts": [{"name": "later", "groups": ["later"], "last_change": 19000, "max_days": 90}], "sshd": {"login": NOW, "access": ACCESS}}


def told(**more: Any) -> dict[str, Any]:
    return {"sshd": THEN, "refused": "", "access": ACCESS, "shell": "", "ages": False, **more}


@pytest.mark.parametrize(("seen", "said", "words"), [
    (facts(), told(sshd={**THEN, "allowusers": ["ops"]}), "later would not be let in by AllowUsers ops"),
    (facts(to_port="2222"), told(), "connects to port 2222"),
    (facts(user="root"), told(sshd={**THEN, "permitrootlogin": ["no"]}), "logs in as root"),
    (facts(), told(sshd={**THEN, "pubkeyauthentication": ["no"]}), "PubkeyAuthentication would be no"),
    (facts(), told(sshd={**THEN, "passwordauthentication": ["no"], "authorizedkeysfile": ["/etc/keys/%u"]}, access={"keys": 0}), ""),
    (facts(method="publickey", key="ED25519"), told(sshd={**THEN, "pubkeyacceptedalgorithms": ["rsa-sha2-512"]}), "a key of type ED25519"),
    (facts(), told(sshd={}, access={**ACCESS, "loose": ["/home/later"]}), "others can write to /home/later"),
    (facts(), told(access={**ACCESS, "loose": ["/home/later"]}), "others can write to /home/later"),
    (facts(), told(access={**ACCESS, "loose": ["/home/later"]}, sshd={**THEN, "strictmodes": ["no"]}), ""),
    (facts(), told(shell="/usr/sbin/nologin"), "the shell /usr/sbin/nologin again"),
    (facts(), told(ages=True), "the password of later is too old"),
    (facts(), told(refused="Bad configuration option: x"), "sshd would not start"),
    (facts(config="/root/second"), told(sshd={**THEN, "allowusers": ["ops"]}), ""), (facts(), told(), ""), (facts(), told(sshd={}), "")])
def test_refusals(seen: dict[str, Any], said: dict[str, Any], words: str) -> None:
    found = former.refusals(seen, said, Connection("ssh", "later"))
    assert len(found) == bool(words) and all(words in one for one in found), found
