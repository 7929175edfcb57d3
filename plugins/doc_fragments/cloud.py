# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation that the modules share."""
from __future__ import annotations


class ModuleDocFragment:
    """Which cloud, and how patiently."""

    DOCUMENTATION = r"""
options:
  fleet:
    description:
      - Path of the fleet file in which O(cloud) is an entry of C(clouds). A relative path starts at the playbook.
      - Templates and vaulted values in it are evaluated on the controller, as the inventory plugin does.
      - Without it the environment variable E(HYBRIDOPS_FLEET_FILE) is used, unless O(definition) is given.
    type: path
  cloud:
    description: Name of the cloud in the fleet file. With O(definition), the name to call it by.
    type: str
  definition:
    description:
      - The settings of the cloud, as they would stand in O(hybridops.fleet.nodes#inventory:clouds) of the fleet file, for example C(provider)
        V(aws) with C(regions) V([eu-west-1]).
      - Keep secrets out of it where the cloud's own files or environment variables can hold them.
    type: dict
  definitions:
    description:
      - Settings of several clouds by name, as JSON. Filled from O(fleet) and O(definition) by the controller; of use where no fleet file
        can be read.
      - It is one text so that it is hidden as a whole wherever the arguments of the module are shown.
    type: json
  base_dir:
    description: Folder against which relative paths in the settings of the cloud are resolved. Default that of O(fleet).
    type: path
  timeout:
    description: Seconds to wait for what was asked for.
    type: int
    default: 300
  retries:
    description: Further tries after an answer that may pass (throttling, a service that restarts), with growing waits.
    type: int
    default: 3
  workers:
    description: Requests made at the same time.
    type: int
    default: 16
attributes:
  platform:
    description: Where the module can run. It needs the Python libraries of the cloud there, usually on the controller.
    support: full
    platforms: posix
  action_group:
    description: Use C(group/hybridops.fleet.fleet) in C(module_defaults) to set options of all modules of the collection.
    support: full
    membership: [hybridops.fleet.fleet]
requirements:
  - Python >= 3.11
  - openstacksdk for C(provider=openstack) and for Ironic
  - boto3 for C(provider=aws)
  - google-auth and requests for C(provider=gce)
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: none
    details: It changes nothing.
"""
