# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way to a node, and the arguments in which the operator says his part of it."""
from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import arguments, route
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.route import Hop, Route

HOP = Hop("192.0.2.1", "jump", 2200, ("/k/fleet",), "[192.0.2.1]:2200")


def test_settings_are_found_however_they_are_written() -> None:
    words = shlex.split("-4C -oProxyJump=a -o 'UserKnownHostsFile x y' -p22 -i /k -J b -o StrictHostKeyChecking=no -L 1:a:2")
    assert [(name, value) for name, value, _start, _end in arguments.settings(words)] == [
        ("proxyjump", "a"), ("userknownhostsfile", "x y"), ("port", "22"), ("identityfile", "/k"), ("proxyjump", "b"),
        ("stricthostkeychecking", "no")]
    assert arguments.value_of(words, "proxyjump") == "a"
    assert arguments.join(arguments.without(words, {"proxyjump", "stricthostkeychecking", "userknownhostsfile"})) == "-4C -p22 -i /k -L 1:a:2"


@pytest.mark.parametrize(("text", "hops"), [
    ("none", []), ("a", [("a", None, None)]), ("u@a:22,[2001:db8::1]:2222", [("a", "u", 22), ("2001:db8::1", None, 2222)]),
    ("ssh://u@a:22", [("a", "u", 22)]),
])
def test_hops_of_a_proxy_jump(text: str, hops: list[tuple[str, str | None, int | None]]) -> None:
    assert [(hop.host, hop.user, hop.port) for hop in route.hops_of({"proxyjump": text})] == hops


def test_a_hop_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError):
        route.hops_of({"proxyjump": "a b"})


def test_the_alias_is_the_machines_and_harmless() -> None:
    assert route.alias_for("amazon", "i-0A b*?") == "amazon/i-0a_b__"
    assert route.alias_for("amazon", None) is None
    assert route.key_name(Route("203.0.113.7", 2222, "/kh")) == "[203.0.113.7]:2222"


def test_checking_is_never_off_on_the_node_or_the_bastion() -> None:
    for spare in (None, "/spare"):
        way = Route("203.0.113.7", 22, "/kh", "lab/i-1", (HOP,), {"stricthostkeychecking": "no"})
        words = route.command(way, "debian", "/k/node", "true", spare=spare)
        text = " ".join(words)
        assert "StrictHostKeyChecking=no" not in text
        assert text.count("StrictHostKeyChecking=" + ("accept-new" if spare else "yes")) == 2
        assert [value for name, value, _start, _end in arguments.settings(words) if name == "identityfile"] == ["/k/node"]
        assert arguments.value_of(words, "identitiesonly") == "yes"


def test_later_connections_lose_what_contradicts_and_keep_the_rest() -> None:
    way = Route("203.0.113.7", 22, "/kh", "lab/i-1", (HOP,))
    later = route.later_arguments(
        way, ["-C", "-o", "StrictHostKeyChecking=no"], ["-o", "ProxyJump=jump@192.0.2.1:2200", "-o", "Ciphers=x"],
        ["-o", "UserKnownHostsFile=/dev/null"])
    assert later["ansible_ssh_args"] == "-C"
    common, extra = shlex.split(later["ansible_ssh_common_args"]), shlex.split(later["ansible_ssh_extra_args"])
    assert arguments.value_of(common, "ciphers") == "x"
    assert "192.0.2.1" in str(arguments.value_of(common, "proxycommand"))
    assert arguments.value_of(common, "proxyjump") is None
    assert arguments.value_of(extra, "userknownhostsfile") == '"/kh"'
    assert arguments.value_of(extra, "stricthostkeychecking") == "yes"
    again = route.later_arguments(way, shlex.split(later["ansible_ssh_args"]), common, extra)
    assert again == later


def test_nested_proxy_commands_reach_each_ssh_as_meant(tmp_path: Path) -> None:
    """Expand the way ssh does, level by level, with a stand-in that records its arguments."""
    log = tmp_path / "log"
    fake = tmp_path / "a b%c ssh"
    fake.write_text(f'#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done >>"{log}"; echo END >>"{log}"\n')
    fake.chmod(0o755)
    way = Route("203.0.113.7", 22, "/k h%/x", "lab/i-1", (Hop("192.0.2.1", "one", 22), Hop("192.0.2.2", "two", None)), ssh=str(fake))
    command = route.proxy_command(way)
    for address, port in (("203.0.113.7", "22"), ("192.0.2.2", "22")):
        assert command
        expanded = command.replace("%%", "\0").replace("%h", address).replace("%p", port).replace("\0", "%")
        subprocess.run(["sh", "-c", expanded], check=True, env={**os.environ})
        words = log.read_text().split("END\n")[-2].splitlines()
        assert words[words.index("-W") + 1] == f"[{address}]:{port}"
        assert 'UserKnownHostsFile="/k h%%/x" "~/.ssh/known_hosts"' in words
        command = arguments.value_of(words, "proxycommand")
    assert command is None
    assert words[-1] == "192.0.2.1"


def test_resolved_values_are_read() -> None:
    told = route.parse_resolved("user root\nidentityfile ~/.ssh/a\nidentityfile ~/.ssh/b\nport 22\n")
    assert told == {"user": "root", "identityfile": "~/.ssh/a\n~/.ssh/b", "port": "22"}
