# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A member out of variables that somebody wrote by hand."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import member


@pytest.mark.parametrize("family", [None, "ipv4", "4", 6])
def test_the_family_of_an_address_is_its_own(family: object) -> None:
    row = {"ip": "10.0.0.5", "role": "private"} | ({"family": family} if family else {})
    one = member.read("a", {"fleet_interfaces": [{"name": "eth0", "addresses": [row]}]})
    assert one.private(4) == "10.0.0.5" and one.private(6) is None


@pytest.mark.parametrize(("variables", "told"), [
    ({"fleet_interfaces": [{"addresses": [{"role": "private"}]}]}, "a: fleet_interfaces: 'ip' is missing"),
    ({"fleet_interfaces": [{"addresses": [{"ip": "10.0.0.5"}]}]}, "a: fleet_interfaces: 'role' is missing"),
    ({"fleet_interfaces": [{"addresses": [{"ip": "10.0.0.500", "role": "private"}]}]}, "a: fleet_interfaces: '10.0.0.500' does not appear to be"),
    ({"fleet_interfaces": ["10.0.0.5"]}, "a: fleet_interfaces: "),
    ({"fleet_interfaces": 5}, "a: fleet_interfaces: "),
    ({"fleet_private_ipv4": "fd00::1"}, "a: fleet_private_ipv4: 'fd00::1' is no IPv4 address"),
    ({"fleet_public_ipv6": "web-1"}, "a: fleet_public_ipv6: 'web-1' is no IPv6 address"),
    ({"fleet_mtu": "jumbo"}, "a: fleet_mtu: 'jumbo' is no number of bytes"),
])
def test_what_is_not_of_the_one_shape_is_told_by_host_and_variable(variables: dict[str, Any], told: str) -> None:
    with pytest.raises(FleetError) as failure:
        member.read("a", variables)
    assert str(failure.value).startswith(told) and "Write" in str(failure.value)
