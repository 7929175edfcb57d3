# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nodes as plain data: complete, JSON-able, and the same node again."""
from __future__ import annotations

import dataclasses
import json

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.records import as_dict, from_dict
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import (
    AddressEvidence,
    Image,
    InterfaceEvidence,
    LoginEvidence,
    Node,
    NodeEvidence,
)

NODE = assemble.node(
    NodeEvidence(
        id="42", name="web-1", state="running", account="acme", region="r", zone="z", created="2026-01-02T03:04:05Z", flavor="f",
        arch="x86_64", image=Image("i", "Debian 12", "debian", "12"), tags={"role": "web"}, security_groups=("ssh",),
        host_keys=("ssh-ed25519 AAAA",), extra={"key_name": "k"}, login=LoginEvidence(metadata={"ssh_port": "2222"}),
        access_ips=("192.0.2.99",),
        interfaces=(InterfaceEvidence("net", "net-1", "fa:16:3e:00:00:01", 1450, "router:1", (
            AddressEvidence("10.0.0.5", network_known=True),
            AddressEvidence("203.0.113.9", nat_of="10.0.0.5", nat_kind="floating IP"))),),
    ), provider="openstack", cloud="dream")


def test_every_field_is_there_and_json_can_hold_it() -> None:
    data = as_dict(NODE)
    assert set(data) == {field.name for field in dataclasses.fields(Node)}
    assert json.loads(json.dumps(data)) == data


def test_there_and_back() -> None:
    assert from_dict(json.loads(json.dumps(as_dict(NODE)))) == NODE


def test_what_was_concluded() -> None:
    data = as_dict(NODE)
    assert (data["public_ip"], data["private_ip"], data["public_ip_on_interface"]) == ("203.0.113.9", "10.0.0.5", False)
    assert (data["network_role"], data["network_domain"], data["mtu"], data["ssh_port"]) == ("floating", "router:1", 1450, 2222)
    assert data["login_user"] == "debian"
    assert "192.0.2.99 ignored" in data["why"]["public_ip"]
    assert data["interfaces"][0]["addresses"][1]["nat_of"] == "10.0.0.5"


def test_an_address_named_by_a_tag_is_the_public_one() -> None:
    evidence = NodeEvidence(id="1", name="n", state="running", tags={"fleet_public_ip": "10.0.0.6"}, interfaces=(
        InterfaceEvidence("net", addresses=(AddressEvidence("10.0.0.5", network_known=True), AddressEvidence("10.0.0.6", network_known=True))),))
    found = assemble.node(evidence, provider="openstack", cloud="c")
    assert found.public_ip == "10.0.0.6"
    assert "fleet_public_ip" in found.why.public_ip


def test_the_operator_s_port_and_user_come_first() -> None:
    evidence = NodeEvidence(id="1", name="n", state="running", login=LoginEvidence(metadata={"ssh_port": "2222", "ssh_user": "x"}))
    found = assemble.node(evidence, provider="openstack", cloud="c", operator_login_user="ops", operator_ssh_port=2200)
    assert (found.login_user, found.ssh_port) == ("ops", 2200)
