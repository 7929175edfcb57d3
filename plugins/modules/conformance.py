#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.conformance, which runs on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: conformance
short_description: Take a node of each cloud through the eight steps and tell where clouds differ
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Makes one node on each cloud of a fleet file, all clouds at the same time, and asks of each whether it behaves as AWS does. From a key of
    the node's own to a node that only the fleet's key opens, what happens to it over stop, start and reboot, and whether it goes without a
    trace. Each answer is V(YES), V(PARTIAL) or V(NO) with its evidence and the time it took.
  - V(ERROR) is given where a question could not be asked, which says nothing about the cloud, and V(-) where it has no meaning.
  - Everything that is made carries the tag C(fleet_conformance), has a name that begins with C(fleet-conformance-), and is removed at the
    end, also when the run is ended by a signal. With O(sweep) what a run that was killed has left is removed later.
  - Playbook C(hybridops.fleet.conformance) runs it. It runs once for all hosts of a play, on the controller.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  fleet:
    description: Path of the fleet file. Without it the environment variable E(HYBRIDOPS_FLEET_FILE) is used.
    type: path
  clouds:
    description: Names of the clouds to ask. Without any, all that are enabled in the fleet file.
    type: list
    elements: str
    default: []
  requirement:
    description:
      - What the nodes must be, as M(hybridops.fleet.node) takes it (C(image), C(flavor), C(network), C(scope), C(zone), C(tags), C(security),
        C(user_data)).
      - By default a known distribution (Debian 12 where there is one), the smallest flavor with 512 MiB, any network, SSH let in from everywhere.
        How the node is reached is what is asked, so C(network.reachable) does not count.
    type: dict
    default: {}
  requirements:
    description: The same for single clouds, by name; it goes before O(requirement).
    type: dict
    default: {}
  only:
    description: Ids of checks to make, with those they need. Without any, all. C(docs/conformance.md) lists them.
    type: list
    elements: str
    default: []
  skip:
    description: Ids of checks to leave out. Checks that need one of them are not made either.
    type: list
    elements: str
    default: []
  ssh:
    description: Whether to make the checks that log in to the nodes, for which this controller must reach them.
    type: bool
    default: true
  ssh_common_args:
    description: Arguments for ssh. A bastion of the fleet file is used without them.
    type: str
    default: ''
  max_nodes:
    description:
      - The cost guard. Nothing is made when the checks could need more nodes than that, over all clouds, and never more than that are.
      - By default two for each cloud, which is what all checks need.
    type: int
  tags:
    description: Further tags for the nodes.
    type: dict
    default: {}
  yardstick:
    description:
      - Name of a cloud of the run with whose answers the others are compared.
      - Without it, or with V(aws), the others are compared with what AWS does with its defaults, and the first AWS cloud is shown first.
    type: str
  run:
    description:
      - Id of the run, at most 20 small letters and digits. Drawn at random without it.
      - With O(sweep), the only run whose remains are removed.
    type: str
  sweep:
    description:
      - Ask nothing, but remove what earlier runs have left on the clouds, also those of other controllers. Found by the mark of nodes, keys,
        addresses, security groups and volumes, and by the notes in O(state_dir).
      - A run that is still going on this machine is left alone.
    type: bool
    default: false
  state_dir:
    description:
      - Folder in which runs are noted before they make anything, with their keys. Default E(HYBRIDOPS_FLEET_CONFORMANCE_DIR), else
        C(hybridops_fleet/conformance) in E(ANSIBLE_HOME) (C(~/.ansible)). A run's part of it is removed when nothing of it is left.
    type: path
  json:
    description: File for the report as JSON.
    type: path
  junit:
    description: File for the report as JUnit XML.
    type: path
  html:
    description: File for the report as an HTML page that needs nothing but itself.
    type: path
  width:
    description: Columns of the table. V(0) means the width of the terminal, or 160 when the output goes elsewhere.
    type: int
    default: 0
  timeout:
    description: Seconds that each wait may take.
    type: int
    default: 600
  retries:
    description: Further tries after an answer that may pass, with growing waits.
    type: int
    default: 3
  workers:
    description: Requests made at the same time, for each cloud.
    type: int
    default: 16
attributes:
  check_mode:
    support: partial
    details: It says how many nodes it would make on each cloud, or what it would sweep, and asks no question.
  diff_mode:
    support: none
  platform:
    details: It runs on the controller.
requirements:
  - Python >= 3.11
  - The libraries of the clouds, as for M(hybridops.fleet.node)
  - OpenSSH client
seealso:
  - module: hybridops.fleet.node
  - module: hybridops.fleet.catalog_info
"""

EXAMPLES = r"""
- name: Ask all clouds, and have a page of it
  hybridops.fleet.conformance:
    fleet: inventories/lab/fleet.yml
    html: /tmp/conformance.html

- name: Only the steps up to the address, on two clouds, with a node on each at most
  hybridops.fleet.conformance:
    fleet: inventories/lab/fleet.yml
    clouds: [floating, google]
    only: [public_address, deletion]
    max_nodes: 2

- name: Remove what a run that was killed has left
  hybridops.fleet.conformance:
    fleet: inventories/lab/fleet.yml
    sweep: true
"""

RETURN = r"""
report:
  description: The answers as data, as in the file O(json). C(docs/conformance.md) describes it.
  type: dict
  returned: when the run came to its end
errors:
  description: Questions that could not be asked, with the reason. The task does not fail for them; the playbook does.
  type: list
  elements: str
  returned: when the run came to its end
lacking:
  description: Clouds and checks whose answer is V(NO) where the yardstick says V(YES).
  type: list
  elements: str
  returned: when the run came to its end
left:
  description: What could not be removed, or written, with the reason.
  type: list
  elements: str
  returned: when the run came to its end
run:
  description: Id of the run.
  type: str
  returned: when the run came to its end
files:
  description: Files that were written.
  type: list
  elements: str
  returned: when the run came to its end
plan:
  description: Nodes that would be made on each cloud, at most.
  type: dict
  returned: in check mode
checks:
  description: Ids of the checks that would be made.
  type: list
  elements: str
  returned: in check mode
swept:
  description: What was done in each cloud.
  type: list
  elements: dict
  returned: with O(sweep)
  contains:
    cloud:
      description: Name of the cloud.
      type: str
      returned: always
    removed:
      description: What was removed, in words.
      type: list
      elements: str
      returned: not in check mode
    left:
      description: What could not be removed, and why.
      type: list
      elements: str
      returned: not in check mode
    spared:
      description: Runs that are still going and were left alone.
      type: list
      elements: str
      returned: not in check mode
    names:
      description: Names of the nodes that would be removed with all that was made for them, also of those that are gone.
      type: list
      elements: str
      returned: in check mode
"""
