# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses, security groups, keys, power and tags against a Nova and a Neutron that other runs use at the same time."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogFlavor, CatalogImage, CatalogNetwork
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import Order, SecurityRule, Status
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.actions import OpenStackActions
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.client import BareMetal
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.region import AnswerLost
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.security import Allowed, allowed_by, as_row, wanted
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.spec import SPEC
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.openstack_reader import Opened, opening
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.openstack_server import Fault

KEY = "ssh-ed25519 AAAAC3Nz me@here"
ORDER = Order(
    name="web-1", image=CatalogImage("i1", "Debian"), flavor=CatalogFlavor("f1", "small", 1, 512, 10), token="t", reachable="public",
    network=CatalogNetwork("n1", "inside", reach={"ipv4": "floating"}, how={"ipv4": "floating"}))


def floating(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"a{number}", "floating_ip_address": f"203.0.113.{number}", "floating_network_id": "pub", "port_id": None, "description": "",
            "revision_number": 1, **changes}


class Stand:
    """A node with a port on a network that a router joins to an external one, and what may be written."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.fake = opened.fake
        self.fake.page_size = 100
        self.fake.lists["servers"] = [{"id": "s1", "name": "web-1", "status": "ACTIVE", "metadata": {"role": "web"}, "created": "x"}]
        self.fake.lists["networks"].append({"id": "pub", "name": "public", "router:external": True, "subnets": ["sub2"]})
        self.fake.lists["subnets"].append({"id": "sub2", "network_id": "pub", "cidr": "203.0.113.0/24"})
        self.fake.lists["routers"] = [{"id": "r1", "name": "router", "external_gateway_info": {"network_id": "pub"}}]
        self.fake.lists["ports"] = [
            {"id": "p0", "device_id": "r1", "device_owner": "network:router_interface", "network_id": "n1",
             "fixed_ips": [{"subnet_id": "sub1", "ip_address": "10.0.0.1"}]},
            {"id": "p1", "device_id": "s1", "device_owner": "compute:nova", "network_id": "n1",
             "fixed_ips": [{"subnet_id": "sub6", "ip_address": "2001:db8::5"}, {"subnet_id": "sub1", "ip_address": "10.0.0.5"}]}]
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.keys: dict[str, str] = {}
        self.fake.change = self.change
        self.headers: list[dict[str, str]] = []
        cloud = parse_clouds({"dream": {"provider": "openstack"}}, "fleet.yml")[0]
        run = dataclasses.replace(opened.run(), warn=opened.notes.append)
        actions = SPEC.open(cloud, run).actions("RegionOne")
        assert isinstance(actions, OpenStackActions)
        self.actions = actions
        for part in (actions._addresses, actions._security):
            part._sleep = lambda seconds: None

    @property
    def addresses(self) -> list[dict[str, Any]]:
        return self.fake.lists["floatingips"]

    @property
    def groups(self) -> list[dict[str, Any]]:
        return self.fake.lists["security-groups"]

    def change(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        self.headers.append(headers)
        service, *parts = path.strip("/").replace("/v2.0", "").replace("/v2.1", "").split("/")
        told = self.answers.get((method, parts[0])) or self.answers.get((method, parts[-1]))
        if told:
            return told
        if parts[0] == "floatingips":
            return self.floating(method, parts, body, headers)
        if parts[0].startswith("security-group"):
            return self.security(method, parts, body)
        if parts[0] == "os-keypairs":
            name = body["keypair"]["name"] if body else parts[1]
            if method == "POST":
                return (409, {"conflictingRequest": {"message": "exists"}}) if name in self.keys else (201, self.keys.update({name: KEY}) or {})
            return (202, None) if self.keys.pop(name, None) else (404, {})
        return (202, None) if service == "nova" else (405, {})

    def floating(self, method: str, parts: list[str], body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        if method == "POST":
            row = floating(50 + len(self.addresses), **body["floatingip"])
            self.addresses.append(row)
            return 201, {"floatingip": row}
        row = next((row for row in self.addresses if row["id"] == parts[1]), {})
        if not row:
            return 404, {}
        if headers.get("If-Match") != f"revision_number={row['revision_number']}":
            return 412, {"NeutronError": {"type": "RevisionNumberConstraintFailed", "message": "Constrained to"}}
        if method == "DELETE":
            self.addresses.remove(row)
            return 204, None
        row.update(body["floatingip"], revision_number=row["revision_number"] + 1)
        return 200, {"floatingip": row}

    def security(self, method: str, parts: list[str], body: Any) -> tuple[int, Any]:
        if parts[0] == "security-group-rules":
            if method == "DELETE":
                for group in self.groups:
                    group["security_group_rules"] = [row for row in group["security_group_rules"] if row["id"] != parts[1]]
                return 204, None
            row = {**body["security_group_rule"], "id": f"r{len(self.fake.changes)}"}
            next(group for group in self.groups if group["id"] == row["security_group_id"])["security_group_rules"].append(row)
            return 201, {"security_group_rule": row}
        if method == "DELETE":
            self.fake.lists["security-groups"] = [group for group in self.groups if group["id"] != parts[1]]
            return 204, None
        egress = {"id": f"e{len(self.groups)}", "direction": "egress", "ethertype": "IPv4"}
        group = {"id": f"g{len(self.groups)}", "security_group_rules": [egress], **body["security_group"]}
        self.groups.append(group)
        return 201, {"security_group": group}

    def sent(self) -> list[tuple[str, str]]:
        return [(method, path.rpartition("/v2.")[2].partition("/")[2]) for method, path, _body in self.fake.changes]


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    with opening(tmp_path, monkeypatch) as opened:
        yield Stand(opened)


class TestFloating:
    def test_allocated_marked_and_attached_in_one_request(self, stand: Stand) -> None:
        assert stand.actions.publish(ORDER, "s1") == "allocated floating IP 203.0.113.50"
        assert stand.fake.changes[0][2] == {"floatingip": {
            "floating_network_id": "pub", "port_id": "p1", "fixed_ip_address": "10.0.0.5", "description": "fleet_node=web-1"}}
        assert stand.actions.publish(ORDER, "s1") is None
        assert len(stand.fake.changes) == 1

    @pytest.mark.parametrize("change", [
        {"reachable": "any"}, {"reachable": "private"}, {"families": ("ipv6",)}, {"network": None},
        {"network": dataclasses.replace(ORDER.network, how={"ipv4": "direct"}) if ORDER.network else None}])
    def test_nothing_to_do(self, stand: Stand, change: dict[str, Any]) -> None:
        assert stand.actions.publish(dataclasses.replace(ORDER, **change), "s1") is None
        assert stand.fake.changes == []

    def test_a_free_one_is_reused_and_stays_unmarked(self, stand: Stand) -> None:
        stand.addresses.extend([
            floating(1, port_id="other"), floating(2, description="fleet_node=db-1"), floating(3, floating_network_id="elsewhere"),
            floating(4, revision_number=None), floating(5, description="of the web team")])
        assert stand.actions.publish(ORDER, "s1") == "attached floating IP 203.0.113.5, which was free"
        assert stand.addresses[4]["port_id"] == "p1"
        assert stand.actions.leftovers("web-1") == stand.actions.clean("web-1") == []

    def test_what_an_earlier_run_allocated_comes_first(self, stand: Stand) -> None:
        stand.addresses.extend([floating(1), floating(2, description="fleet_node=web-1")])
        assert "203.0.113.2" in str(stand.actions.publish(ORDER, "s1"))

    def test_one_that_another_run_takes_first_is_left_to_it(self, stand: Stand) -> None:
        stand.addresses.extend([floating(1), floating(2)])
        change = stand.change

        def raced(method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
            if path.endswith("/a1"):
                stand.addresses[0].update(port_id="other", revision_number=2)
            return change(method, path, body, headers)

        stand.fake.change = raced
        assert "203.0.113.2" in str(stand.actions.publish(ORDER, "s1"))
        assert stand.addresses[0]["port_id"] == "other"

    def test_lost_answer(self, stand: Stand) -> None:
        stand.fake.faults = [Fault("/floatingips", status=503, method="POST", after=True, times=1)]
        assert stand.actions.publish(ORDER, "s1") == "allocated floating IP 203.0.113.50"
        assert len(stand.addresses) == 1

    def test_a_request_that_was_not_carried_out_is_sent_again(self, stand: Stand) -> None:
        stand.fake.faults = [Fault(path, status=503, method="POST", times=1) for path in (
            "/floatingips", "/security-groups", "/security-group-rules", "/os-keypairs", "/action")]
        stand.actions.publish(ORDER, "s1")
        stand.actions._groups(dataclasses.replace(ORDER, rules=TestSecurity.RULES[:1]))
        stand.actions.add_key("k", KEY)
        stand.actions.power("s1", "stop")
        assert [path for _method, path in stand.sent()] == [
            "floatingips", "security-groups", "security-group-rules", "security-group-rules", "os-keypairs", "servers/s1/action"]
        assert len(stand.opened.waits) == 5

    @pytest.mark.parametrize(("kind", "status", "code"), [
        ("IpAddressGenerationFailure", 409, "address_pool"), ("ExternalIpAddressExhausted", 400, "address_pool"), ("OverQuota", 409, "quota"),
        ("Odd", 400, "refused")])
    def test_none_to_be_had(self, stand: Stand, kind: str, status: int, code: str) -> None:
        stand.answers["POST", "floatingips"] = status, {"NeutronError": {"type": kind, "message": "no.", "detail": ""}}
        with pytest.raises(FleetError) as refused:
            stand.actions.publish(ORDER, "s1")
        assert (refused.value.code, bool(refused.value.fix)) == (code, True)

    def test_no_router(self, stand: Stand) -> None:
        stand.fake.lists["routers"] = []
        with pytest.raises(FleetError) as refused:
            stand.actions.publish(ORDER, "s1")
        assert refused.value.code == "address_pool"

    def test_another_run_attached_one_meanwhile(self, stand: Stand) -> None:
        stand.answers["POST", "floatingips"] = 409, {"NeutronError": {"type": "FloatingIPPortAlreadyAssociated", "message": "has one"}}
        assert stand.actions.publish(ORDER, "s1") is None

    def test_only_marked_ones_are_released(self, stand: Stand) -> None:
        stand.addresses.extend([floating(1), floating(2, description="fleet_node=web-1"), floating(3, description="fleet_node=web-10")])
        assert stand.actions.leftovers("web-1") == ["floating IP 203.0.113.2"]
        assert stand.actions.clean("web-1") == ["floating IP 203.0.113.2"]
        assert [row["id"] for row in stand.addresses] == ["a1", "a3"]

    def test_one_in_use_elsewhere_is_not_released(self, stand: Stand) -> None:
        stand.addresses.append(floating(2, description="fleet_node=web-1", port_id="other"))
        ticks = iter(range(0, 1000, 9))
        stand.actions._addresses._clock = lambda: float(next(ticks))
        assert stand.actions.clean("web-1") == []
        assert len(stand.addresses) == 1
        assert "203.0.113.2" in stand.opened.notes[-1]


class TestSecurity:
    RULES = (SecurityRule(22, 22, "tcp", ("203.0.113.0/24", "2001:db8::/64")), SecurityRule(8000, 8010, "udp", ("0.0.0.0/0",)),
             SecurityRule(None, None, "icmp", ("0.0.0.0/0", "::/0")))

    def test_made_once_with_just_these_rules(self, stand: Stand) -> None:
        group = stand.actions._groups(dataclasses.replace(ORDER, rules=self.RULES))
        assert group == ["g0"]
        assert (stand.groups[0]["name"], stand.groups[0]["description"]) == ("fleet-web-1", "fleet_node=web-1")
        before = len(stand.fake.changes)
        assert stand.actions._groups(dataclasses.replace(ORDER, rules=self.RULES)) == group
        assert len(stand.fake.changes) == before
        assert {allowed_by(row) for row in stand.groups[0]["security_group_rules"]} == {
            None, Allowed("IPv4", "tcp", 22, 22, "203.0.113.0/24"), Allowed("IPv6", "tcp", 22, 22, "2001:db8::/64"),
            Allowed("IPv4", "udp", 8000, 8010, "0.0.0.0/0"), Allowed("IPv4", "icmp", None, None, "0.0.0.0/0"),
            Allowed("IPv6", "icmp", None, None, "::/0")}

    def test_brought_into_line(self, stand: Stand) -> None:
        stand.actions._groups(dataclasses.replace(ORDER, rules=self.RULES))
        stand.groups[0]["security_group_rules"].append({"id": "odd", "direction": "ingress", "ethertype": "IPv4", "protocol": None})
        stand.fake.changes.clear()
        stand.actions._groups(dataclasses.replace(ORDER, rules=(SecurityRule(22, 22, "tcp", ("203.0.113.0/24",)),)))
        assert {method for method, _path in stand.sent()} == {"DELETE"}
        assert [allowed_by(row) for row in stand.groups[0]["security_group_rules"]] == [
            None, Allowed("IPv4", "tcp", 22, 22, "203.0.113.0/24")]

    def test_a_group_of_that_name_without_the_mark_is_not_ours(self, stand: Stand) -> None:
        stand.groups.append({"id": "g-theirs", "name": "fleet-web-1", "description": "", "security_group_rules": []})
        assert stand.actions._groups(dataclasses.replace(ORDER, rules=())) == ["g1"]
        assert stand.actions.clean("web-1") == ["security group fleet-web-1"]
        assert [group["id"] for group in stand.groups] == ["g-theirs"]

    def test_lost_answers(self, stand: Stand) -> None:
        stand.fake.faults = [Fault("/security-groups", status=502, method="POST", after=True, times=1)]
        assert stand.actions._groups(dataclasses.replace(ORDER, rules=())) == ["g0"]
        assert len(stand.groups) == 1

    def test_in_use_is_waited_for_and_then_told(self, stand: Stand) -> None:
        stand.actions._groups(dataclasses.replace(ORDER, rules=()))
        stand.answers["DELETE", "security-groups"] = 409, {"NeutronError": {"type": "SecurityGroupInUse", "message": "Security Group g0 in use."}}
        ticks = iter(range(0, 1000, 9))
        stand.actions._security._clock = lambda: float(next(ticks))
        with pytest.raises(FleetError) as refused:
            stand.actions.clean("web-1")
        assert "in use" in refused.value.why
        assert len(stand.sent()) > 5

    def test_port_security_off_is_told(self, stand: Stand) -> None:
        network = dataclasses.replace(ORDER.network, extra={"port_security": "disabled"}) if ORDER.network else None
        assert stand.actions._groups(dataclasses.replace(ORDER, rules=self.RULES, network=network)) is None
        assert "port security disabled" in stand.opened.notes[-1]

    def test_defaults_stay_when_no_rules_are_given(self, stand: Stand) -> None:
        assert stand.actions._groups(ORDER) is None
        assert stand.fake.changes == []

    def test_icmp_of_ipv6_has_a_name_of_its_own(self) -> None:
        assert as_row("g", next(iter(wanted((SecurityRule(None, None, "icmp", ("::/0",)),)))))["protocol"] == "ipv6-icmp"

    def test_a_source_that_is_none(self) -> None:
        with pytest.raises(FleetError, match="security group"):
            wanted((SecurityRule(22, 22, "tcp", ("everywhere",)),))


class TestKeys:
    def test_there_and_gone(self, stand: Stand) -> None:
        stand.actions.add_key("k", KEY)
        assert stand.fake.changes[0][2] == {"keypair": {"name": "k", "public_key": KEY, "type": "ssh"}}
        assert [stand.actions.remove_key("k"), stand.actions.remove_key("k")] == [True, False]

    @pytest.mark.parametrize(("status", "message", "code"), [
        (403, "Quota exceeded, too many key pairs.", "quota"), (400, "Keypair data is invalid", "refused")])
    def test_refused(self, stand: Stand, status: int, message: str, code: str) -> None:
        stand.answers["POST", "os-keypairs"] = status, {"badRequest": {"message": message}}
        with pytest.raises(FleetError) as refused:
            stand.actions.add_key("k", KEY)
        assert (refused.value.code, message in refused.value.why) == (code, True)


class TestMarks:
    def test_whose_things_there_are(self, stand: Stand) -> None:
        stand.fake.lists["keypairs"] = [{"keypair": {"name": name}} for name in ("x-1", "theirs", "my-x-1")]
        stand.addresses.extend([floating(1, description="fleet_node=x-2"), floating(2, description="x-3"), floating(3, description=None)])
        stand.groups.extend({"id": name, "name": "fleet-x", "description": f"fleet_node={name}"} for name in ("x-4", "y-4"))
        for name, task in (("x-5", None), ("x-6", "deleting"), ("y-5", None)):
            stand.fake.lists["servers"].append(
                {"id": name, "name": "renamed", "status": "ACTIVE", "OS-EXT-STS:task_state": task, "metadata": {"fleet_node": name}})
        assert stand.actions.marked("x-") == {"x-1", "x-2", "x-4", "x-5"}
        assert stand.fake.changes == []

    def test_a_cloud_without_a_network_service(self, stand: Stand) -> None:
        del stand.fake.services["network"]
        stand.fake.lists["keypairs"] = [{"keypair": {"name": "x-1"}}]
        assert stand.actions.marked("x-") == {"x-1"}


class TestNodes:
    @pytest.mark.parametrize(("status", "task", "action", "asked"), [
        ("ACTIVE", None, "start", None), ("SHUTOFF", None, "start", {"os-start": None}), ("SHUTOFF", "powering-on", "start", None),
        ("PAUSED", None, "start", {"unpause": None}), ("SHELVED_OFFLOADED", None, "start", {"unshelve": None}),
        ("SHUTOFF", None, "stop", None), ("ACTIVE", None, "stop", {"os-stop": None}), ("ACTIVE", "powering-off", "stop", None),
        ("ACTIVE", None, "reboot", {"reboot": {"type": "SOFT"}})])
    def test_power(self, stand: Stand, status: str, task: str | None, action: str, asked: Any) -> None:
        stand.fake.lists["servers"][0].update({"status": status, "OS-EXT-STS:task_state": task})
        assert stand.actions.power("s1", action) == (asked is not None)
        assert [body for _method, _path, body in stand.fake.changes] == ([asked] if asked else [])

    @pytest.mark.parametrize(("status", "action"), [("BUILD", "start"), ("SHUTOFF", "reboot"), ("PAUSED", "stop")])
    def test_power_in_the_wrong_state(self, stand: Stand, status: str, action: str) -> None:
        stand.fake.lists["servers"][0]["status"] = status
        with pytest.raises(FleetError) as refused:
            stand.actions.power("s1", action)
        assert (refused.value.code, status in refused.value.why) == ("wrong_state", True)

    def test_power_conflict(self, stand: Stand) -> None:
        stand.answers["POST", "action"] = 409, {"conflictingRequest": {"message": "Cannot 'stop' instance s1 while it is in task_state migrating"}}
        with pytest.raises(FleetError) as refused:
            stand.actions.power("s1", "stop")
        assert (refused.value.code, "migrating" in refused.value.why) == ("wrong_state", True)

    @pytest.mark.parametrize("others", [0, 9])
    def test_status(self, stand: Stand, others: int) -> None:
        stand.fake.lists["servers"] += [{"id": "s2", "status": "ERROR", "fault": {"message": "No valid host was found.", "code": 500}},
                                        {"id": "s3", "status": "SOFT_DELETED"}, {"id": "s4", "status": "ACTIVE", "OS-EXT-STS:task_state": "deleting"}]
        for row in stand.fake.lists["servers"]:
            row.setdefault("flavor", {"original_name": "x"})
        told = stand.actions.status(["s1", "s2", "s3", "s4", *(f"gone{number}" for number in range(others))])
        assert told == {"s1": Status("running"), "s2": Status("error", "No valid host was found."), "s4": Status("deleting", "", "deleting")}
        assert stand.fake.count("/servers/detail") == (1 if others else 0)
        assert stand.actions.status([]) == {}

    def test_delete(self, stand: Stand) -> None:
        stand.actions.delete("s1")
        stand.answers["DELETE", "s1"] = 404, {}
        stand.actions.delete("s1")
        stand.answers["DELETE", "s1"] = 409, {"conflictingRequest": {"message": "Instance s1 is locked"}}
        with pytest.raises(FleetError, match="remove node") as refused:
            stand.actions.delete("s1")
        assert "locked" in refused.value.why

    def test_host_keys(self, stand: Stand) -> None:
        key = "ssh-ed25519 " + "A" * 40
        block = f"boot\n-----BEGIN SSH HOST KEY KEYS-----\n{key} root@web-1\n-----END SSH HOST KEY KEYS-----\n"
        stand.answers["POST", "action"] = 200, {"output": block}
        assert stand.actions.host_keys("s1") == (key,)
        stand.answers["POST", "action"] = 200, {"output": "still booting"}
        assert stand.actions.host_keys("s1") is None
        stand.answers["POST", "action"] = 409, {"conflictingRequest": {"message": "not ready"}}
        assert stand.actions.host_keys("s1") is None


def test_bare_metal_sends(stand: Stand) -> None:
    """A request that may have been carried out is not sent again by itself; refusals asked for come back."""
    stand.fake.services["baremetal"] = "/ironic"
    ironic = BareMetal(stand.actions._region)
    stand.fake.change = lambda method, path, body, headers: (409, {"error_message": "locked"})
    assert ironic.send("PATCH", "/nodes/n", [{"op": "add"}], what="change node", ok=(409,)) == (409, {"error_message": "locked"})
    assert stand.fake.changes == [("PATCH", "/ironic/v1/nodes/n", [{"op": "add"}])]
    with pytest.raises(FleetError, match="change node"):
        ironic.send("PUT", "/nodes/n", {}, what="change node")
    stand.fake.faults = [Fault("/nodes", status=503, method="POST")]
    with pytest.raises(AnswerLost):
        ironic.send("POST", "/nodes", {}, what="enrol")
    stand.fake.faults = [Fault("/nodes/n", status=503, method="PUT", times=2)]
    stand.fake.change = lambda method, path, body, headers: (202, None)
    assert ironic.send("PUT", "/nodes/n", {}, what="change node") == (202, {})
