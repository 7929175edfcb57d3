# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the one shape, the host's facts and the operator's words to what is let in; and what is refused before anything changes."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import outcome
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.areas import firewall
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.hardening import firewall_hosts as given

NAT = given.host(given.address("10.0.0.5", "private"), given.address("198.51.100.5", "floating", "10.0.0.5"), cluster="c")
NAT_FACTS = given.facts(("eth0", ("10.0.0.5/24", "fe80::5/64")), login=("192.0.2.9", "10.0.0.5", 22))
TWO = given.host(given.address("203.0.113.5", "public"), given.address("2001:db8::5", "public"), given.address("10.0.0.5", "private"), cluster="c")
TWO_FACTS = given.facts(("eth0", ("203.0.113.5/24", "2001:db8::5/64")), ("eth1", ("10.0.0.5/24",)), login=("192.0.2.9", "203.0.113.5", 22))

WEB_AND_DB = [{"name": "web", "port": 80, "role": "public"}, {"name": "db", "port": 5432, "role": "private"}]


def member(ip: str, **more: Any) -> dict[str, Any]:
    return given.host(given.address(ip, "private"), given.address("198.51.100.99", "public"), **{"cluster": "c", **more})


def rules(text: str, name: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().endswith(f'comment "{name}"')]


# ---------------------------------------------------------------------------------------------------- members
def test_members_come_in_on_private_addresses_only() -> None:
    text = given.table(TWO_FACTS, given.options(TWO, others={"b": member("10.0.0.6")}))
    assert rules(text, "members of the cluster") == [
        'iifname "eth1" ip daddr != 203.0.113.5 ip saddr 10.0.0.6 accept comment "members of the cluster"']
    assert "198.51.100.99" not in text


def test_members_on_a_host_behind_nat() -> None:
    text = given.table(NAT_FACTS, given.options(NAT, others={"b": member("10.0.0.6")}))
    assert rules(text, "members of the cluster") == ['iifname "eth0" ip daddr 10.0.0.5 ip saddr 10.0.0.6 accept comment "members of the cluster"']


def test_the_same_private_address_in_another_cloud_is_no_member() -> None:
    decided = given.decided(TWO_FACTS, given.options(TWO, others={"b": member("10.0.0.6", domain="vpc:2")}))
    assert "members of the cluster" not in decided.why
    assert any("b: in another network" in note for note in decided.notes)


def test_members_of_another_cloud_come_by_the_mesh() -> None:
    other = member("10.0.0.6", domain="vpc:2", fleet_mesh_addresses=["10.99.0.6", "fd00:99::6"])
    text = given.table(TWO_FACTS, given.options(TWO, others={"b": other}, workloads={"mesh": "seen"}, mesh_interfaces=["wg0"]))
    assert rules(text, "members by the mesh") == ['iifname "wg0" ip saddr 10.99.0.6 accept comment "members by the mesh"',
                                                  'iifname "wg0" ip6 saddr fd00:99::6 accept comment "members by the mesh"']
    assert rules(text, "mesh") == ['ip saddr 198.51.100.99 udp dport 51820 accept comment "mesh"']


@pytest.mark.parametrize(("words", "groups"), [(["db"], {"db": ["b", "me"]}), (["b"], {}), ([], {"c": ["b", "me"]})])
def test_members_by_group_by_name_and_by_the_group_of_the_cluster(words: list[str], groups: dict[str, list[str]]) -> None:
    stranger = member("10.0.0.7")
    text = given.table(TWO_FACTS, given.options(TWO, others={"b": member("10.0.0.6"), "stranger": stranger}, groups=groups, members=words))
    assert "10.0.0.6" in text and "10.0.0.7" not in text


def test_who_is_in_no_cluster_has_no_members() -> None:
    alone = given.host(given.address("10.0.0.5", "private"))
    other = given.host(given.address("10.0.0.6", "private"))
    assert "10.0.0.6" not in given.table(NAT_FACTS, given.options(alone, others={"b": other}))


def test_many_members_are_a_named_set_without_overlaps() -> None:
    others = {f"n{number}": member(f"10.0.1.{number}") for number in range(1, 40, 2)}
    text = given.table(TWO_FACTS, given.options(TWO, others=others))
    assert "ip saddr @sources4_1 accept" in text
    near = given.table(TWO_FACTS, given.options(TWO, others={f"n{number}": member(f"10.0.1.{number}") for number in range(8, 16)}))
    assert "ip saddr 10.0.1.8/29 accept" in near


# ---------------------------------------------------------------------------------------------------- roles
def test_a_role_is_an_interface_where_it_has_its_own() -> None:
    text = given.table(TWO_FACTS, given.options(TWO, rules=WEB_AND_DB))
    assert [line.split(" accept")[0] for line in rules(text, "web")] == ['iifname "eth0" ip daddr != 10.0.0.5 tcp dport 80',
                                                                         'meta nfproto ipv6 iifname "eth0" tcp dport 80']


def test_behind_nat_the_source_tells_outside_from_inside() -> None:
    text = given.table(NAT_FACTS, given.options(NAT, rules=WEB_AND_DB))
    assert "ip daddr 10.0.0.5 ip saddr != { 10.0.0.0/8" in rules(text, "web")[0]
    assert "ip daddr 10.0.0.5 ip saddr { 10.0.0.0/8" in rules(text, "db")[0]


def test_a_role_that_the_host_does_not_have_opens_nothing_and_is_told() -> None:
    decided = given.decided(NAT_FACTS, given.options(NAT, rules=[{"name": "ipmi", "port": 623, "role": "management"}]))
    assert "ipmi" not in decided.why
    assert any("rule 'ipmi': this host has no address of role management" in note for note in decided.notes)


def test_sources_of_another_family_than_the_role_are_told() -> None:
    decided = given.decided(NAT_FACTS, given.options(NAT, rules=[{"name": "six", "port": 80, "from": ["2001:db8::/64"], "role": "private"}]))
    assert any("different families" in note for note in decided.notes)


def test_a_plain_inventory_without_the_one_shape() -> None:
    text = given.table(TWO_FACTS, given.options(
        {"ansible_host": "203.0.113.5"}, others={"b": {"ansible_host": "10.0.0.6"}}, members=["b"], rules=WEB_AND_DB[1:]))
    assert 'ip saddr 10.0.0.6 accept comment "members of the cluster"' in text
    assert rules(text, "db")[0].startswith('iifname "eth1"')


def test_an_unknown_group_is_refused_before_anything_changes() -> None:
    for variables in ({"rules": [{"name": "a", "port": 80, "from": ["nobody"]}]}, {"members": ["nobody"]}, {"ssh_from": ["nobody", "any"]}):
        with pytest.raises(FleetError, match="'nobody' is neither a network nor a group or host"):
            firewall.decide(TWO_FACTS, given.options(TWO, **variables))


# ---------------------------------------------------------------------------------------------------- lockout
@pytest.mark.parametrize(("variables", "word"), [
    ({"ssh_from": ["198.51.100.0/24"]}, "Add 192.0.2.9"),
    ({"ssh_ports": [2222]}, "Add 22 to firewall_ssh_ports"),
    ({"ssh_on": "private"}, "firewall_ssh_on"),
])
def test_who_would_shut_himself_out_is_refused(variables: dict[str, Any], word: str) -> None:
    with pytest.raises(FleetError) as failure:
        firewall.decide(TWO_FACTS, given.options(TWO, **variables))
    assert failure.value.code == "lockout"
    assert word in str(failure.value) and "192.0.2.9" in str(failure.value) and "nothing was changed" in str(failure.value)


def test_a_connection_from_a_member_or_over_the_mesh_is_no_lockout() -> None:
    seen = given.facts(("eth0", ("203.0.113.5/24",)), ("eth1", ("10.0.0.5/24",)), login=("10.0.0.6", "10.0.0.5", 22))
    given.decided(seen, given.options(TWO, others={"b": member("10.0.0.6")}, ssh_from=["198.51.100.0/24"]))


def test_the_port_of_this_connection_stays_open() -> None:
    seen = given.facts(("eth0", ("203.0.113.5/24",)), login=("192.0.2.9", "203.0.113.5", 2022), ssh={"effective": {"port": ["22"]}})
    assert rules(given.table(seen, given.options(TWO)), "ssh 2022")


def test_a_link_local_connection_and_one_that_is_not_seen() -> None:
    seen = given.facts(("eth0", ("fe80::5/64",)), login=("fe80::9%eth0", "fe80::5%eth0", 22))
    given.decided(seen, given.options(TWO))
    unseen = given.decided(given.facts(("eth0", ("203.0.113.5/24",))), given.options(TWO))
    assert any("could not be seen" in note for note in unseen.notes)


def test_a_node_is_not_cut_from_its_cluster() -> None:
    seen = given.facts(("eth0", ("10.0.0.5/24",)), login=("192.0.2.9", "10.0.0.5", 22),
                       firewall={"peers": [{"source": "10.0.0.8", "destination": "10.0.0.5", "port": 7946}]})
    alone = given.host(given.address("10.0.0.5", "private"))
    with pytest.raises(FleetError, match=r"swarm runs here and 10.0.0.8 is connected"):
        firewall.decide(seen, given.options(alone, workloads={"docker": "seen", "swarm": "seen"}))
    given.decided(seen, given.options(alone, others={"b": member("10.0.0.8")}, members=["b"], workloads={"docker": "seen", "swarm": "seen"}))
    worker = given.facts(("eth0", ("10.0.0.5/24",)), login=("192.0.2.9", "10.0.0.5", 22),
                         firewall={"joined": [{"source": "10.0.0.8", "destination": "10.0.0.5", "port": 2377}]})
    with pytest.raises(FleetError, match=r"swarm runs here and 10.0.0.8 is connected"):
        firewall.decide(worker, given.options(alone, workloads={"docker": "seen", "swarm": "seen"}))
    given.decided(worker, given.options(alone, others={"b": member("10.0.0.8")}, members=["b"], workloads={"docker": "seen", "swarm": "seen"}))
    given.decided(worker, given.options(alone))
    told = given.decided(seen, given.options(alone))
    assert any("connected now, and not let in again: tcp 7946 from 10.0.0.8" in note for note in told.notes)


def test_what_comes_from_the_node_itself_or_its_own_containers_is_no_member_that_is_cut_off() -> None:
    rows = [{"source": source, "destination": "10.213.0.5", "port": port} for source, port in (("10.213.0.5", 2379), ("10.244.0.2", 6443))]
    seen = given.facts(("eth0", ("10.0.0.5/24",)), ("fleet0", ("10.213.0.5/16",)), ("cni0", ("10.244.0.1/24",)), login=("192.0.2.9", "10.0.0.5", 22),
                       firewall={"peers": rows})
    alone = given.host(given.address("10.0.0.5", "private"))
    given.decided(seen, given.options(alone, workloads={"kubernetes": "seen"}))
    strange = {"peers": [*rows, {"source": "10.245.0.2", "destination": "10.213.0.5", "port": 6443}]}
    with pytest.raises(FleetError, match=r"kubernetes runs here and 10.245.0.2 is connected"):
        given.decided({**seen, "firewall": {**seen["firewall"], **strange}}, given.options(alone, workloads={"kubernetes": "seen"}))


# ---------------------------------------------------------------------------------------------------- workloads and others
def test_nothing_is_forwarded_only_where_nothing_works_as_a_router() -> None:
    def forward(seen: dict[str, Any], **more: Any) -> str:
        return given.table(seen, given.options(TWO, profile="strict", **more)).partition("chain forward")[2]

    assert 'iifname { "eth0", "eth1" } oifname { "eth0", "eth1" } drop' in forward(TWO_FACTS)
    assert "drop" not in forward(TWO_FACTS, workloads={"docker": "seen"})
    assert "drop" not in forward(TWO_FACTS, workloads={"router": "the operator says so"})
    assert "drop" not in forward(given.facts(("eth0", ("203.0.113.5/24",)), login=("192.0.2.9", "203.0.113.5", 22), forwarding={"ipv4": True}))


def test_bridges_of_containers_and_a_bridge_that_only_looks_like_one() -> None:
    seen = given.facts(("br-ex", ("203.0.113.5/24",)), ("br-0123456789ab", ("172.18.0.1/16",)), login=("192.0.2.9", "203.0.113.5", 22))
    text = given.table(seen, given.options(TWO, workloads={"docker": "seen"}))
    assert 'iifname "br-*" iifname != "br-ex" accept' in text
    assert "docker0" not in given.table(seen, given.options(TWO))


def test_published_ports_are_told_and_guarded_when_wanted() -> None:
    given_options = given.options(TWO, workloads={"docker": "seen"})
    told = {decision.control: decision for decision in firewall.decide(TWO_FACTS, given_options)}
    assert "stay reachable as the container engine says" in told["published_ports"].why
    assert "chain published" not in given.table(TWO_FACTS, given_options)
    guarded = given.table(TWO_FACTS, given.options(TWO, workloads={"docker": "seen"}, switches={"published_ports": True}))
    assert 'iifname != { "eth0", "eth1" } accept' in guarded.partition("chain published")[2]


def test_what_dockers_own_program_publishes_stays_open_unless_guarded() -> None:
    seen = given.facts(("eth0", ("203.0.113.5/24",)), login=("192.0.2.9", "203.0.113.5", 22), firewall={"programs": {"tcp 8080": "docker-proxy"}},
                       listening=[{"protocol": "tcp", "address": "::", "port": 8080}, {"protocol": "tcp", "address": "127.0.0.1", "port": 8081}])
    name = "published by Docker, tcp 8080"
    assert rules(given.table(seen, given.options(TWO, workloads={"docker": "seen"})), name) == [f'tcp dport 8080 accept comment "{name}"']
    assert not rules(given.table(seen, given.options(TWO, workloads={"docker": "seen"}, switches={"published_ports": True})), name)


def test_what_listens_and_is_closed_is_told() -> None:
    seen = given.facts(("eth0", ("203.0.113.5/24",)), login=("192.0.2.9", "203.0.113.5", 22), firewall={"programs": {"tcp 80": "nginx"}}, listening=[
        {"protocol": "tcp", "address": "0.0.0.0", "port": 80}, {"protocol": "tcp", "address": "::", "port": 22},
        {"protocol": "tcp", "address": "127.0.0.1", "port": 5432}, {"protocol": "udp", "address": "0.0.0.0", "port": 68}])
    assert any(note.endswith("no rule opens it: tcp 80 (nginx)") for note in given.decided(seen, given.options(TWO)).notes)
    opened = given.decided(seen, given.options(TWO, rules=[{"name": "web", "port": 79, "last_port": 81}]))
    assert not any("closed" in note for note in opened.notes)


@pytest.mark.parametrize("seen", [
    {"firewall": {"ufw": True}},
    {"units": {"firewalld.service": {"active": True, "enabled": "enabled"}}},
    {"units": {"netfilter-persistent.service": {"active": True, "enabled": "enabled"}}, "firewall": {"persistent": ["/etc/iptables/rules.v4"]}},
])
def test_another_firewall_is_refused_or_taken_over(seen: dict[str, Any]) -> None:
    found = given.facts(("eth0", ("203.0.113.5/24",)), login=("192.0.2.9", "203.0.113.5", 22), **seen)
    with pytest.raises(FleetError) as failure:
        firewall.decide(found, given.options(TWO))
    assert failure.value.code == "conflict" and "firewall_take_over" in str(failure.value)
    decided = given.decided(found, given.options(TWO, take_over=True))
    assert [item for item in decided.items if item["kind"] == "unit"] == [
        {"kind": "unit", "name": decided.items[-1]["name"], "enabled": False, "active": False, "guarded": True}]
    assert any("a restore switches it on again" in note for note in decided.notes)


def test_programs_that_filter_nothing_are_no_conflict() -> None:
    units = {"netfilter-persistent.service": {"active": True, "enabled": "enabled"}, "firewalld.service": {"active": False, "enabled": "disabled"}}
    given.decided(given.facts(("eth0", ("203.0.113.5/24",)), login=("192.0.2.9", "203.0.113.5", 22), units=units), given.options(TWO))


def test_the_service_of_nftables_carries_the_table_only_where_it_has_no_rules_of_its_own() -> None:
    def drop_in(rules_of_its_own: bool) -> str:
        configuration = {"path": "/etc/nftables.conf", "flush": True, "rules": rules_of_its_own}
        seen = given.facts(("eth0", ("203.0.113.5/24",)), login=("192.0.2.9", "203.0.113.5", 22), firewall={"configuration": configuration})
        items = given.decided(seen, given.options(TWO, profile="strict")).items
        assert ("nftables.service" in [item.get("name") for item in items]) is not rules_of_its_own
        return str(next(item["content"] for item in items if item.get("path") == firewall.DROP_IN))

    assert "ExecStart=\nExecStart=/usr/sbin/nft -f /etc/hybridops-fleet/firewall.nft" in drop_in(False)
    assert "ExecStart=\n" not in drop_in(True) and "ExecStartPost=-/usr/sbin/nft -f" in drop_in(True)


def test_everything_that_can_cut_access_is_guarded() -> None:
    assert all(item["guarded"] for item in given.decided(TWO_FACTS, given.options(TWO, profile="strict")).items)


def test_switched_off_by_name() -> None:
    assert not any(decision.apply for decision in firewall.decide(TWO_FACTS, given.options(TWO, switches={"default_deny": False})))
    assert "echo-request" not in given.table(TWO_FACTS, given.options(TWO, switches={"ping": False}))
    assert " log " not in given.table(TWO_FACTS, given.options(TWO, switches={"log": False}))
    assert "limit rate over 60/minute" in given.table(TWO_FACTS, given.options(TWO, switches={"ssh_rate": True}))


def test_a_container_that_may_not_filter_packets_is_left_as_it_is() -> None:
    seen = given.facts(("eth0", ("172.17.0.2/16",)), virtual={"container": True}, firewall={"allowed": False})
    decisions = firewall.decide(seen, given.options(given.host()))
    assert not any(one.apply or one.items or one.present for one in decisions)
    assert all("CAP_NET_ADMIN" in one.why for one in decisions)
    assert firewall.decide({**seen, "firewall": {**seen["firewall"], "allowed": True}}, given.options(given.host()))[0].apply


@pytest.mark.parametrize(("status", "expected"), [("would_change", "would_change"), ("changed", "changed"), ("right", "right"), ("failed", "failed")])
def test_what_the_table_holds_is_told_as_the_table_itself(status: str, expected: str) -> None:
    """A control that is a line of the table is not right before the table is there."""
    options = given.options(TWO, profile="strict")
    decisions = firewall.decide(TWO_FACTS, options)
    items = [{"control": "default_deny", "kind": "nft_table", "what": "t", "status": status, "why": "", "details": []}]
    rows = {row["control"]: row for row in outcome.report(decisions, options, items, ([], []), check=status == "would_change")}
    assert {rows[name]["status"] for name in ("default_deny", "ping", "log", "ssh_rate", "nftables_service")} == {expected}
    assert rows["published_ports"]["status"] == "left_out"


MESH = {"cluster": "fleet", "port": 51820, "peers": [
    {"name": "far", "ipv4": "10.213.0.7", "ipv6": "fd00::7", "endpoint": "198.51.100.9:51820"},
    {"name": "far6", "ipv4": "10.213.0.8", "ipv6": "fd00::8", "endpoint": "[2001:db8::9]:51820"}]}


def test_a_run_on_one_host_alone_does_not_cut_its_mesh_off() -> None:
    seen = given.facts(("eth0", ("198.51.100.1/24",)), ("fleet0", ("10.213.0.1/16",)), mesh=MESH)
    me = given.host(given.address("198.51.100.1", "public"))
    text = given.table(seen, given.options(me, mesh_interfaces=["fleet*"]))
    assert rules(text, "mesh") == ['ip saddr 198.51.100.9 udp dport 51820 accept comment "mesh"',
                                   'ip6 saddr 2001:db8::9 udp dport 51820 accept comment "mesh"']
    assert any("10.213.0.7" in rule and 'fleet' in rule for rule in rules(text, "members by the mesh")), text
    hidden = {**MESH, "peers": [{**MESH["peers"][0], "endpoint": ""}]}  # type: ignore[dict-item]
    text = given.table({**seen, "mesh": hidden}, given.options(me, mesh_interfaces=["fleet*"]))
    assert rules(text, "mesh") == ['udp dport 51820 accept comment "mesh"']


def test_members_that_are_told_go_before_what_the_mesh_knows() -> None:
    seen = given.facts(("eth0", ("198.51.100.1/24",)), ("fleet0", ("10.213.0.1/16",)), mesh=MESH)
    other = given.host(given.address("198.51.100.20", "public"))
    text = given.table(seen, given.options(given.host(given.address("198.51.100.1", "public")), others={"b": other}, members=["b"], mesh_port=51820))
    assert rules(text, "mesh") == ['ip saddr 198.51.100.20 udp dport 51820 accept comment "mesh"']
