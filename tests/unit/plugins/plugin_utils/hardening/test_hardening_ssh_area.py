# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What role ssh_hardening decides, from the role's own data, for every release that it has data for and for what it finds on a node."""
from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import profiles
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.areas import ssh
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.decision import Connection, Decision, Options

DATA = Path(__file__).resolve().parents[5] / "roles" / "ssh_hardening" / "vars"
PROFILES = ["baseline", "strict", "cis_level1_server", "anssi_intermediary"]
SHOWN = {
    "port", "addressfamily", "listenaddress", "usepam", "logingracetime", "permitrootlogin", "ignorerhosts", "hostbasedauthentication",
    "pubkeyauthentication", "gssapiauthentication", "passwordauthentication", "kbdinteractiveauthentication", "x11forwarding",
    "printlastlog", "tcpkeepalive", "strictmodes", "permitemptypasswords", "compression", "gatewayports", "usedns", "allowtcpforwarding",
    "allowagentforwarding", "allowstreamlocalforwarding", "clientaliveinterval", "clientalivecountmax", "loglevel", "permituserenvironment",
    "permittunnel", "maxauthtries", "maxsessions", "maxstartups", "banner", "versionaddendum", "ciphers", "macs", "kexalgorithms",
    "hostkeyalgorithms", "rekeylimit", "authorizedkeysfile", "hostkey"}
RELEASES = {  # os facts, OpenSSH, sshd reads a folder of files
    "Debian 11": ({"id": "debian", "major": "11", "version": "11"}, "8.4p1"),
    "Debian 12": ({"id": "debian", "major": "12", "version": "12"}, "9.2p1"),
    "Debian 13": ({"id": "debian", "major": "13", "version": "13"}, "10.0p2"),
    "Ubuntu 22.04": ({"id": "ubuntu", "major": "22", "version": "22.04", "like": ["debian"]}, "8.9p1"),
    "Ubuntu 24.04": ({"id": "ubuntu", "major": "24", "version": "24.04", "like": ["debian"]}, "9.6p1"),
    "Ubuntu 26.04": ({"id": "ubuntu", "major": "26", "version": "26.04", "like": ["debian"]}, "10.2p1"),
    "RHEL 8": ({"id": "rhel", "major": "8", "version": "8.10"}, "8.0p1"), "Rocky 8": ({"id": "rocky", "major": "8", "version": "8.10"}, "8.0p1"),
    "Alma 9": ({"id": "almalinux", "major": "9", "version": "9.6"}, "8.7p1"),
    "Rocky 10": ({"id": "rocky", "major": "10", "version": "10.0"}, "9.9p1"),
    "Amazon Linux 2023": ({"id": "amzn", "major": "2023", "version": "2023"}, "8.7p1"),
}


def facts(release: str = "Debian 12", **sshd: Any) -> dict[str, Any]:
    system, version = RELEASES[release]
    values: dict[str, list[str]] = {name: ["x"] for name in SHOWN}
    values.update(permitrootlogin=["without-password"], authenticationmethods=["any"], passwordauthentication=["yes"],
                  hostkey=["/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ed25519_key"], listenaddress=["[::]:22", "0.0.0.0:22"])
    about = {"lines": [], "login": dict(values), "root": dict(values), "knows": {}, "host_keys": {"ed25519": 256, "rsa": 3072, "ecdsa": 256},
             "moduli": 2048, "socket": {"unit": "", "follows_config": False}, "fips": False,
             "crypto_policy": system["id"] not in ("debian", "ubuntu"), "access": {"keys": 1, "other_ways": [], "locked": False}, **sshd}
    accounts = [{"name": name, "uid": uid, "shell": shell, "keys": keys, "password": password, "groups": [name], "expires": None}
                for name, uid, shell, keys, password in (
                    ("root", 0, "/bin/bash", 1, "locked"), ("daemon", 1, "/usr/sbin/nologin", 0, "locked"),
                    ("git", 110, "/usr/bin/git-shell", 3, "locked"), ("ops", 1000, "/bin/bash", 1, "locked"), ("bob", 1001, "/bin/bash", 0, "set"))]
    return {"os": system, "ssh": {"version": version}, "sshd": about, "accounts": accounts, "unread": {},
            "login": {"user": "ops", "address": "203.0.113.9", "to_address": "198.51.100.7", "to_port": "22", "today": 20000}}


def options(seen: dict[str, Any], profile: str = "baseline", switches: dict[str, bool] | None = None, values: dict[str, Any] | None = None,
            workloads: dict[str, str] | None = None, **variables: Any) -> Options:
    controls = profiles.controls(DATA, profile, switches or {}, values or {})
    return Options(profile, controls, profiles.distribution(DATA, seen["os"]), workloads or {}, {}, variables, Connection("ssh", "ops"))


def decide(seen: dict[str, Any], *words: Any, **more: Any) -> dict[str, Decision]:
    return {one.control: one for one in ssh.decide(seen, options(seen, *words, **more))}


def text(found: dict[str, Decision]) -> str:
    return str(next(item["content"] for item in found["configuration"].items if item["kind"] == "sshd"))


def values(found: dict[str, Decision]) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text(found).splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("release", RELEASES)
def test_every_release_and_profile_renders_what_that_sshd_knows(release: str, profile: str) -> None:
    seen = facts(release)
    found = decide(seen, profile)
    known = {*SHOWN, *ssh.NOT_SHOWN, *(word.lower() for word in options(seen, profile).distribution["keywords"])}
    settings = values(found)
    assert {name.lower() for name in settings} <= known
    assert settings["PasswordAuthentication"] == "no" and settings["PermitRootLogin"] == ("prohibit-password" if profile == "baseline" else "no")
    assert ("DebianBanner" in settings) == (RELEASES[release][0]["id"] in ("debian", "ubuntu"))
    assert "AddressFamily any" in text(found), "IPv6 stays"
    assert int(settings["MaxAuthTries"]) >= (4 if profile == "cis_level1_server" else 5), "four other keys in the agent"
    assert not re.search(r"nistp|cbc|hmac-sha1|ssh-rsa\b|\bumac-64", text(found))
    one = next(item for item in found["configuration"].items if item["kind"] == "sshd")
    assert one["guarded"] and one["everywhere"] == (profile != "baseline") and one["path"] > "/etc/ssh/sshd_config.d/00-hybridops-fleet.conf"
    policy = [item for item in found["crypto_policy"].items if item["path"] == "/etc/sysconfig/sshd"] if found["crypto_policy"].apply else []
    assert bool(policy) == (release in ("RHEL 8", "Rocky 8"))
    group = [item.get("group") for item in found["permissions"].items if "/etc/ssh/ssh_host_*_key" in item["paths"]]
    assert group == (["root"] if RELEASES[release][0]["id"] in ("debian", "ubuntu") else [None])


def test_the_order_of_items_is_that_of_the_engine() -> None:
    """Values are told only after the file they are of."""
    kinds = [item["kind"] for decision in ssh.decide(facts(), options(facts(), "strict")) if decision.apply for item in decision.items]
    assert kinds.index("sshd") < kinds.index("sshd_value")


def test_strict_offers_only_what_holds_tomorrow_where_it_can() -> None:
    assert values(decide(facts("Debian 12"), "strict"))["KexAlgorithms"] == "sntrup761x25519-sha512@openssh.com"
    old = decide(facts("Debian 11"), "strict")
    assert "curve25519" in values(old)["KexAlgorithms"] and "no post-quantum" in old["key_exchange"].why
    behind = decide(facts("Debian 12"), "strict", client_key_exchanges="curve25519-sha256")
    assert "curve25519" in values(behind)["KexAlgorithms"] and "this controller" in behind["key_exchange"].why


@pytest.mark.parametrize(("now", "profile", "said", "access", "then"), [
    ("yes", "baseline", "", "", "prohibit-password"), ("without-password", "baseline", "", "", "prohibit-password"), ("no", "baseline", "", "", "no"),
    ("forced-commands-only", "baseline", "", "", "forced-commands-only"), ("yes", "strict", "", "", "no"),
    ("yes", "strict", "prohibit-password", "", "prohibit-password"), ("without-password", "strict", "", "prohibit-password", "prohibit-password"),
    ("no", "baseline", "", "no", "no"), ("no", "strict", "prohibit-password", "prohibit-password", "prohibit-password"),
    ("yes", "baseline", False, "", "no")])
def test_root(now: str, profile: str, said: Any, access: str, then: str) -> None:
    seen = facts(lines=[["/etc/ssh/sshd_config.d/00-hybridops-fleet.conf", 3, "permitrootlogin", access, ""]] if access else [])
    seen["sshd"]["root"]["permitrootlogin"] = [now]
    assert values(decide(seen, profile, root_login=said))["PermitRootLogin"] == then


def test_two_roles_do_not_contradict_each_other() -> None:
    seen = facts(lines=[["/etc/ssh/sshd_config.d/00-hybridops-fleet.conf", 3, "permitrootlogin", "prohibit-password", ""]])
    with pytest.raises(FleetError, match="set access_root_login to the same"):
        decide(seen, root_login="no")


def test_the_account_of_ansible_is_never_shut_out() -> None:
    seen = facts()
    seen["login"]["user"] = "root"
    with pytest.raises(FleetError, match="Ansible logs in as root"):
        decide(seen, "strict")
    decide(seen, "baseline")
    with pytest.raises(FleetError, match="AllowGroups wheel"):
        decide(facts(), allow_groups=["wheel"])
    with pytest.raises(FleetError, match="no authorized key"):
        decide(facts(access={"keys": 0, "other_ways": []}))
    with pytest.raises(FleetError, match="look at sshd"):
        decide({**facts(), "unread": {"sshd": "no answer"}})


def test_accounts_of_the_system_are_refused_but_never_who_works() -> None:
    found = decide(facts(), "strict")
    assert values(found)["DenyUsers"] == "daemon"
    assert not decide(facts(), "strict", allow_users=["ops"])["denied_accounts"].apply
    assert "bob" in found["password_login"].notes[0]


def test_accounts_whose_keys_cannot_be_seen_are_left_alone() -> None:
    seen = facts(lines=[["/etc/ssh/sshd_config", 90, "forcecommand", "internal-sftp", "User daemon,git"]])
    assert not decide(seen, "strict")["denied_accounts"].apply
    seen = facts()
    seen["sshd"]["root"]["authorizedkeysfile"] = ["/etc/ssh/keys/%u"]
    assert "from elsewhere" in decide(seen, "strict")["denied_accounts"].why


def test_match_blocks_that_say_something_else_are_told() -> None:
    found = decide(facts(lines=[["/etc/ssh/sshd_config", 88, "passwordauthentication", "yes", "Address 10.0.0.0/8"]]))
    assert "for some it stays yes (Match Address 10.0.0.0/8, /etc/ssh/sshd_config line 88)" in found["password_login"].notes
    assert not decide(facts(lines=[["/etc/ssh/sshd_config", 8, "passwordauthentication", "yes", ""]]))["password_login"].notes[1:]


def test_a_second_factor_stays() -> None:
    seen = facts()
    seen["sshd"]["login"]["authenticationmethods"] = ["publickey,keyboard-interactive"]
    found = decide(seen)
    assert "KbdInteractiveAuthentication" not in values(found) and "beside the key" in found["password_login"].why


def test_a_jump_host_keeps_its_way_through() -> None:
    shut = {"forwarding": {"settings": {"AllowTcpForwarding": "no"}}}
    found = decide(facts(), "strict", values=shut, workloads={"bastion": "fleet_workloads says so"})
    assert values(found)["AllowTcpForwarding"] == "local" and "MaxStartups" not in values(found)
    assert values(decide(facts(), "strict"))["AllowTcpForwarding"] == "local", "others may jump through any host"


def test_host_keys() -> None:
    assert "rsa-sha2-512" not in values(decide(facts(host_keys={"ed25519": 256, "rsa": 2048})))["HostKeyAlgorithms"]
    made = decide(facts(host_keys={"rsa": 4096}))
    assert [item["kind"] for item in made["host_keys"].items] == ["host_key", "sshd_value"] and "ssh-ed25519" in values(made)["HostKeyAlgorithms"]
    assert not decide(facts(fips=True))["ciphers"].apply and "KexAlgorithms" not in values(decide(facts(fips=True)))


def test_ports_are_told_to_systemd_too_where_it_listens() -> None:
    socket = {"unit": "ssh.socket", "follows_config": False}
    found = decide(facts(socket=socket), ports=[22, 2200])
    assert "Port 22\nPort 2200\n" in text(found)
    drop_in = next(item for item in found["listen"].items if item["kind"] == "file")
    assert drop_in["path"] == "/etc/systemd/system/ssh.socket.d/hybridops-fleet.conf" and drop_in["guarded"]
    assert "ListenStream=\nListenStream=0.0.0.0:22\nListenStream=[::]:22\n" in drop_in["content"]
    follows = decide(facts(socket={**socket, "follows_config": True}), ports=[22, 2200])
    assert not [item for item in follows["listen"].items if item["kind"] == "file"]


def test_one_family_only_is_told() -> None:
    seen = facts()
    seen["sshd"]["root"]["listenaddress"] = ["0.0.0.0:22"]
    assert "IPv4 only" in decide(seen, listen_addresses=[])["listen"].notes[0]


def test_no_server_no_hardening_and_single_controls() -> None:
    assert not any(one.apply for one in ssh.decide({"sshd": None}, options(facts())))
    found = decide(facts(), switches={"moduli": False, "banner": True})
    assert not found["moduli"].apply and "Banner" in values(found)


@pytest.mark.parametrize(("transport", "address", "refused"), [
    ("ssh", "203.0.113.9", True), ("ssh", None, True), ("community.docker.docker", None, False), ("local", None, False),
    ("local", "203.0.113.9", True)])
def test_who_does_not_come_by_this_server_is_not_shut_out_by_it(transport: str, address: str | None, refused: bool) -> None:
    """A container's root comes by its engine; who runs Ansible on the node itself may have come by ssh all the same."""
    seen = facts()
    seen["login"].update(user="root", address=address)
    given = dataclasses.replace(options(seen, "strict"), connection=Connection(transport, "root"))
    if refused:
        with pytest.raises(FleetError, match="PermitRootLogin"):
            ssh.decide(seen, given)
    else:
        found = {one.control: one for one in ssh.decide(seen, given)}
        assert values(found)["PermitRootLogin"] == "no"
        assert next(item["login"] for item in found["configuration"].items if item["kind"] == "sshd") == {}, "the node would refuse it in turn"
