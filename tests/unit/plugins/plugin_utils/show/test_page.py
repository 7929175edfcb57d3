# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page and its picture: well-formed, self-contained, escaped, complete, and readable with hundreds of nodes."""
from __future__ import annotations

import html.parser
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import ROLES
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.nodes import fleet_records
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.page import ROLE_MEANINGS, page
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.picture import Drawing, pack, picture
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.table import EMPTY
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.topology import SHOWN_ALIKE, SHOWN_CLUSTERS, More, clouds
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.show.fleets import HOSTILE, host, interface, many

VOID = {"meta", "br", "line", "circle", "rect"}
FLOATING = host("web-1", interfaces=[interface("private-network", ("203.0.113.9", "floating", "10.0.0.5"), ("10.0.0.5", "private"))])
TWO_NICS = host("router-1", interfaces=[interface("wan", ("198.51.100.7", "public")), interface("lan", ("10.1.0.7", "private"))])


class Reader(html.parser.HTMLParser):
    """Checks that tags are closed in order; collects tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _page(*hosts: dict[str, Any]) -> str:
    return page(fleet_records(hosts))


def test_every_tag_is_closed_and_nothing_is_loaded_or_run() -> None:
    text = _page(FLOATING, TWO_NICS)
    reader = Reader(text)
    assert reader.open == []
    assert reader.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"} == set()
    assert [name for name, _value in reader.attributes if name.startswith("on") or name in ("src", "srcset", "action")] == []
    assert all(str(value).startswith("#") for name, value in reader.attributes if name == "href")
    assert "url(" not in text
    assert "@import" not in text


def test_every_text_of_a_cloud_is_escaped() -> None:
    text = _page(host(
        HOSTILE, HOSTILE, provider=HOSTILE, state=HOSTILE, domain=HOSTILE, user=HOSTILE, role=HOSTILE, zone=HOSTILE,
        image={"id": HOSTILE, "name": HOSTILE, "distro": HOSTILE, "version": HOSTILE}, address=HOSTILE,
        interfaces=[interface(HOSTILE, (HOSTILE, HOSTILE, HOSTILE), (HOSTILE, HOSTILE), network_id=HOSTILE)]))
    reader = Reader(text)
    assert reader.open == []
    assert "script" not in reader.tags
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;{{ 7*7 }}" in text
    assert not any("script" in str(value) for name, value in reader.attributes if name == "class")


def test_the_picture_is_well_formed_xml_whatever_a_cloud_says() -> None:
    ET.fromstring(picture(fleet_records([host(f"{HOSTILE}\x00\x1b\ud800", HOSTILE, interfaces=[interface(HOSTILE, (HOSTILE, "private"))])])))


def test_the_page_tells_of_each_node_its_address_user_and_reasons() -> None:
    text = _page(FLOATING)
    for told in ("web-1", "203.0.113.9", "10.0.0.5", "debian", "image property os_admin_user", "told of 203.0.113.9", "private-network"):
        assert told in text


def test_the_reason_of_a_public_address_stands_for_that_of_the_role() -> None:
    assert "role: told of 203.0.113.9" in _page(FLOATING)
    text = _page({**FLOATING, "fleet_public_ip": "203.0.113.9"})
    assert "public address: 203.0.113.9: told" in text
    assert "told of 203.0.113.9" not in text


def test_a_floating_address_is_drawn_outside_on_a_dashed_line() -> None:
    drawn = picture(fleet_records([FLOATING]))
    assert 'class="nat"' in drawn
    assert "outside, by NAT" in drawn
    assert "203.0.113.9: floating, mapped onto 10.0.0.5" in drawn
    assert 'class="nat"' not in picture(fleet_records([TWO_NICS]))


def test_a_network_has_the_role_of_the_addresses_on_it_not_of_those_mapped_onto_it() -> None:
    cluster = clouds(fleet_records([FLOATING]))[0].domains[0].clusters[0]
    assert [(network.label, network.role) for network in cluster.networks] == [("private-network", "private")]


def test_nodes_on_several_networks_join_them() -> None:
    alone = host("db-1", interfaces=[interface("lan", ("10.1.0.8", "private"))])
    apart = host("other-1", interfaces=[interface("elsewhere", ("10.9.0.8", "private"))])
    drawn = clouds(fleet_records([TWO_NICS, alone, apart]))[0].domains[0].clusters
    assert [[network.label for network in cluster.networks] for cluster in drawn] == [["wan", "lan"], ["elsewhere"]]


def test_networks_that_a_later_node_joins_become_one_group() -> None:
    hosts = [host(f"a-{net}", interfaces=[interface(net, (f"10.{number}.0.1", "private"))]) for number, net in enumerate(("x", "y", "z"))]
    joint = host("z-joint", interfaces=[interface("z", ("10.2.0.9", "private")), interface("x", ("10.0.0.9", "private"))])
    drawn = clouds(fleet_records([*hosts, joint]))[0].domains[0].clusters
    assert [sorted(network.label for network in cluster.networks) for cluster in drawn] == [["x", "z"], ["y"]]


def test_domains_that_a_network_joins_are_drawn_together() -> None:
    vps = [host("vps-1", domain="network:ext", interfaces=[interface("Ext-Net", ("198.51.100.11", "public"))]),
           host("vps-2", domain="network:vrack",
                interfaces=[interface("Ext-Net", ("198.51.100.12", "public")), interface("vrack", ("10.0.0.2", "private"))]),
           host("far-1", domain="vpc-9", interfaces=[interface("sub", ("10.9.0.2", "private"))])]
    drawn = clouds(fleet_records(vps))[0].domains
    assert [domain.names for domain in drawn] == [("network:ext", "network:vrack"), ("vpc-9",)]
    assert "2 domains: network:ext, network:vrack" in picture(fleet_records(vps))


def test_equal_names_of_networks_in_two_clouds_are_two_networks() -> None:
    drawn = clouds(fleet_records([host("a", "one", interfaces=[interface("net", ("10.0.0.1", "private"))]),
                                  host("b", "two", interfaces=[interface("net", ("10.0.0.1", "private"))])]))
    assert [cloud.name for cloud in drawn] == ["one", "two"]


@pytest.mark.parametrize("number", [SHOWN_ALIKE, SHOWN_ALIKE + 1, 300])
def test_many_nodes_of_a_kind_are_counted(number: int) -> None:
    rows = clouds(fleet_records(many(number)))[0].domains[0].clusters[0].rows
    more = [row for row in rows if isinstance(row, More)]
    assert len(rows) <= SHOWN_ALIKE
    assert len(rows) - len(more) + sum(row.number for row in more) == number


def test_three_hundred_nodes_fit_a_screen_and_are_all_in_the_table() -> None:
    records = fleet_records(many(300))
    height = float(re.search(r' height="([\d.]+)"', picture(records)).group(1))  # type: ignore[union-attr]
    assert height < 900
    assert len(re.findall(r'<th scope="row">worker-', page(records))) == 300


def test_many_networks_of_a_domain_are_counted() -> None:
    hosts = [host(f"n-{number}", interfaces=[interface(f"net-{number}", (f"10.0.{number}.1", "private"))]) for number in range(SHOWN_CLUSTERS + 5)]
    assert clouds(fleet_records(hosts))[0].domains[0].left_out == (5, 5)
    assert "+ 5 nodes, 5 more networks" in picture(fleet_records(hosts))


def test_a_node_without_network_or_address_is_drawn() -> None:
    drawn = picture(fleet_records([host("lost-1", state="error", domain=None), host("bare-1", interfaces=[interface("net")])]))
    assert "lost-1" in drawn
    assert "no layer-3 domain told" in drawn
    assert "no address" in drawn


def test_an_empty_fleet_says_so() -> None:
    text = _page()
    assert EMPTY.split(":", maxsplit=1)[0] in text
    assert Reader(text).open == []


def test_stale_clouds_are_announced() -> None:
    assert 'class="notice"' in _page(host("old-1", stale=True))
    assert 'class="notice"' not in _page(FLOATING)


def test_the_same_fleet_makes_the_same_page_in_any_order() -> None:
    assert _page(FLOATING, TWO_NICS, *many(30)) == _page(*many(30), TWO_NICS, FLOATING)


def test_every_role_is_in_the_legend() -> None:
    assert tuple(ROLE_MEANINGS) == ROLES


def test_pack_fills_shelves_in_order() -> None:
    drawn = pack([Drawing(60, 10, "a"), Drawing(60, 30, "b"), Drawing(200, 5, "c")], 130, 10)
    assert (drawn.width, drawn.height) == (200, 45)
    assert re.findall(r"translate\(([\d ]+)\)\">(\w)", drawn.svg) == [("0 0", "a"), ("70 0", "b"), ("0 40", "c")]
