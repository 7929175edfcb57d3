#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether members of a cluster reach each other's ports, seen from one node."""
from __future__ import annotations

DOCUMENTATION = r"""
module: port_probe
short_description: Listen on ports for a while, or probe those of other nodes
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - A listener answers only to O(nonce), with O(name); so an answer proves that packets come through, and to whom. It ends by O(state=stop) or
    after O(seconds). A port on which something listens already is left alone.
  - M(hybridops.fleet.cluster_preflight) plans and judges it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  state:
    description: What to do.
    type: str
    choices: [listen, probe, stop]
    required: true
  nonce:
    description: A word of this run, by which its questions are known.
    type: str
    required: true
  name:
    description: Name of this node. Needed with O(state=listen).
    type: str
  ports:
    description: What to listen on.
    type: list
    elements: dict
    default: []
    suboptions:
      protocol:
        description: Protocol.
        type: str
        choices: [tcp, udp]
        required: true
      port:
        description: Port.
        type: int
        required: true
      address:
        description: Address of this node; without it all, of both families.
        type: str
        default: ""
  targets:
    description: What to probe.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the node that should answer.
        type: str
        required: true
      address:
        description: Its address.
        type: str
        required: true
      protocol:
        description: Protocol.
        type: str
        choices: [tcp, udp]
        required: true
      port:
        description: Port.
        type: int
        required: true
      size:
        description: Bytes of the IP packet of a datagram, which is not sent in fragments. V(0) for a short one.
        type: int
        default: 0
  served:
    description: Names of nodes, each with the ports that something else listens on there, written as C(tcp/2377). Those are proved by a connection.
    type: dict
    default: {}
  seconds:
    description: How long to listen, or to wait for one answer. Default 120 to listen, 4 to wait.
    type: int
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Answer on a port for a minute
  hybridops.fleet.port_probe:
    state: listen
    nonce: "5b0f"
    name: "{{ inventory_hostname }}"
    ports: [{protocol: tcp, port: 2377}]
    seconds: 60

- name: See whether another node's port is reached
  hybridops.fleet.port_probe:
    state: probe
    nonce: "5b0f"
    targets: [{name: node-2, address: 192.0.2.7, protocol: tcp, port: 2377}]
  register: probed
"""

RETURN = r"""
ports:
  description: For each port C(state), V(listening), V(served) where something else listens already, or what went wrong.
  type: list
  elements: dict
  returned: with O(state=listen)
served:
  description: Ports that something else listens on, written as C(tcp/2377).
  type: list
  elements: str
  returned: with O(state=listen)
failed_probes:
  description: Probes that had no answer, or a wrong one, each with C(why).
  type: list
  elements: dict
  returned: with O(state=probe)
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import probe


def main() -> None:
    text: dict[str, Any] = {"type": "str", "required": True}
    number: dict[str, Any] = {"type": "int", "required": True}
    protocol: dict[str, Any] = {"type": "str", "choices": ["tcp", "udp"], "required": True}
    module = AnsibleModule({
        "state": {"type": "str", "choices": ["listen", "probe", "stop"], "required": True},
        "nonce": text,
        "name": {"type": "str"},
        "ports": {"type": "list", "elements": "dict", "default": [], "options": {
            "protocol": protocol, "port": number, "address": {"type": "str", "default": ""}}},
        "targets": {"type": "list", "elements": "dict", "default": [], "options": {
            "name": text, "address": text, "protocol": protocol, "port": number, "size": {"type": "int", "default": 0}}},
        "served": {"type": "dict", "default": {}},
        "seconds": {"type": "int"},
    }, required_if=[("state", "listen", ["name"])], supports_check_mode=True)
    given = module.params
    if given["state"] == "stop":
        probe.stop(given["nonce"])
        module.exit_json(changed=False)
    if given["state"] == "probe":
        served = {(str(name), *_port(word)) for name, words in given["served"].items() for word in words}
        targets = [probe.Target(row["name"], row["address"], row["protocol"], row["port"], row["size"]) for row in given["targets"]]
        module.exit_json(changed=False, failed_probes=probe.probe_all(targets, served, given["nonce"], given["seconds"] or 4))
    sockets, rows = probe.open_ports([probe.Port(row["protocol"], row["port"], row["address"]) for row in given["ports"]])
    if sockets:
        probe.stay(sockets, given["nonce"], given["name"], given["seconds"] or 120)
    module.exit_json(changed=False, ports=rows, served=["{protocol}/{port}".format(**row) for row in rows if row["state"] == "served"])


def _port(word: str) -> tuple[str, int]:
    protocol, _slash, port = word.partition("/")
    return protocol, int(port)


if __name__ == "__main__":
    main()
