# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters between an operator's list of nodes and the modules."""
from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.hybridops.fleet.plugins.filter.requirement_keys import FilterModule as KeysFilter
from ansible_collections.hybridops.fleet.plugins.filter.requirement_keys import requirement_keys
from ansible_collections.hybridops.fleet.plugins.filter.requirements import FilterModule, requirements
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import OPTIONS


def test_defaults_tags_and_keys() -> None:
    wishes = [{"cloud": "dream", "name": "a", "tags": {"role": "db"}, "groups": ["x"], "variables": {"y": 1}},
              {"cloud": "amazon", "name": "a", "image": {"distro": "rocky"}, "ssh_key": "shared"}]
    defaults = {"image": {"distro": "debian", "version": "12"}, "tags": {"role": "web", "env": "prod"}}
    assert requirements(wishes, defaults) == [
        {"cloud": "dream", "name": "a", "ssh_key": "a", "image": {"distro": "debian", "version": "12"}, "tags": {"role": "db", "env": "prod"}},
        {"cloud": "amazon", "name": "a", "ssh_key": "shared", "image": {"distro": "rocky"}, "tags": {"role": "web", "env": "prod"}}]
    assert wishes[0]["groups"] == ["x"]  # the operator's list stays as it is
    assert requirements([{"cloud": "c", "name": "n"}]) == [{"cloud": "c", "name": "n", "ssh_key": "n", "tags": {}}]
    assert requirements([{"cloud": "c", "name": "n", "image": {"id": None}, "zone": None}])[0]["zone"] is None  # as left out
    assert requirements([]) == []


def test_every_key_is_one_that_the_module_knows() -> None:
    row, = requirements([{"cloud": "c", "name": "n", "groups": ["g"], "variables": {}}])
    assert set(row) <= {option.name for option in OPTIONS} | {"cloud"}


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ([{"name": "a"}], "fleet_nodes[0] needs 'cloud' and 'name'"),
        ([{"cloud": "c", "name": "a"}, {"cloud": "c", "name": ""}], "fleet_nodes[1] needs 'cloud' and 'name'"),
        (["a"], "fleet_nodes[0] needs 'cloud' and 'name'"),
        ([{"cloud": "c", "name": "a"}, {"cloud": "c", "name": "a"}], "fleet_nodes names a of cloud c twice"),
        ({"cloud": "c", "name": "a"}, "fleet_nodes must be a list"),
        ("a", "fleet_nodes must be a list"),
        ([{"cloud": "c", "name": "a", "imgae": {}}], "fleet_nodes[0]: unknown key 'imgae'. Did you mean 'image'?"),
        ([{"cloud": "c", "name": "a"}, {"cloud": "c", "name": "b", "flavor": {"vcpus": 0}}], "fleet_nodes[1]: flavor.vcpus: 0 is not more than 0"),
        ([{"cloud": "c", "name": 42}], 'fleet_nodes[0]: name: expected a string, found 42. Put it in quotes: name: "42"'),
        (None, "fleet_nodes must be a list"),
    ])
def test_what_cannot_be_meant(wishes: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        requirements(wishes)
    assert said in str(caught.value)


def test_the_key_of_each() -> None:
    rows = requirements([{"cloud": "c", "name": "n", "scope": "r1"}, {"cloud": "c", "name": "m", "ssh_key": "k"}])
    assert requirement_keys(rows, "/keys") == [
        {"cloud": "c", "name": "n", "private_key_file": "/keys/c/n", "scope": "r1"}], "none for a key that is the operator's own"


def test_ansible_finds_them() -> None:
    assert FilterModule().filters()["requirements"] is requirements
    assert KeysFilter().filters()["requirement_keys"] is requirement_keys
