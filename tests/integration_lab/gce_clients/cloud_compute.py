# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Witness: google-cloud-compute. It signs its own JWT for the API and asks no token endpoint."""

from __future__ import annotations

import json
from typing import Any

from google.api_core import exceptions
from google.cloud import compute_v1
from local import PROJECT, URL, ZONE, instance_body, main

OPTIONS = {"api_endpoint": URL}


def lifecycle() -> dict[str, Any]:
    """Create, read, stop, delete, with an operation waited for each time."""
    instances, operations = (
        compute_v1.InstancesClient(client_options=OPTIONS),
        compute_v1.ZoneOperationsClient(client_options=OPTIONS),
    )

    def wait(operation: Any) -> str:
        return str(operations.wait(project=PROJECT, zone=ZONE, operation=operation.name).status.name)

    def read() -> Any:
        return instances.get(project=PROJECT, zone=ZONE, instance="witness")

    body = compute_v1.Instance.from_json(json.dumps(instance_body("witness")))
    waited = [wait(instances.insert_unary(project=PROJECT, zone=ZONE, instance_resource=body))]
    running = read()
    metadata = compute_v1.Metadata(
        fingerprint=running.metadata.fingerprint, items=[compute_v1.Items(key="ssh-keys", value="a:ssh-ed25519 AAAA a")]
    )
    waited.append(
        wait(instances.set_metadata_unary(project=PROJECT, zone=ZONE, instance="witness", metadata_resource=metadata))
    )
    waited.append(wait(instances.stop_unary(project=PROJECT, zone=ZONE, instance="witness")))
    stopped = read()
    waited.append(wait(instances.delete_unary(project=PROJECT, zone=ZONE, instance="witness")))
    return {
        "waited": waited,
        "running": running.status,
        "nat": running.network_interfaces[0].access_configs[0].nat_i_p,
        "stopped": stopped.status,
        "keys": stopped.metadata.items[0].value,
        "nat_when_stopped": stopped.network_interfaces[0].access_configs[0].nat_i_p,
    }


def listing() -> dict[str, Any]:
    """The seeded fleet, read in pages of two."""
    instances = compute_v1.InstancesClient(client_options=OPTIONS)
    request = compute_v1.AggregatedListInstancesRequest(project="acme-prod", max_results=2)
    found = {
        vm.name: vm.status for _scope, scoped in instances.aggregated_list(request=request) for vm in scoped.instances
    }
    running = compute_v1.ListInstancesRequest(project="acme-prod", zone=ZONE, filter="status = RUNNING")
    return {"aggregated": found, "running": [vm.name for vm in instances.list(request=running)]}


def shared() -> dict[str, Any]:
    """A Shared VPC, made and read: the host project and what a service project may use."""
    projects = compute_v1.ProjectsClient(client_options=OPTIONS)
    operations = compute_v1.GlobalOperationsClient(client_options=OPTIONS)
    host = compute_v1.EnableXpnResourceProjectRequest(
        project=PROJECT,
        projects_enable_xpn_resource_request_resource=compute_v1.ProjectsEnableXpnResourceRequest(
            xpn_resource=compute_v1.XpnResourceId(id="acme-dev", type_="PROJECT")
        ),
    )
    operations.wait(project=PROJECT, operation=projects.enable_xpn_host_unary(project=PROJECT).name)
    operations.wait(project=PROJECT, operation=projects.enable_xpn_resource_unary(request=host).name)
    usable = compute_v1.ListUsableSubnetworksRequest(project=PROJECT, max_results=2, service_project="acme-dev")
    subnetworks = compute_v1.SubnetworksClient(client_options=OPTIONS).list_usable(request=usable)
    return {
        "resources": [(row.id, row.type_) for row in projects.get_xpn_resources(project=PROJECT)],
        "of the host itself": projects.get_xpn_host(project=PROJECT).name,
        "usable": sorted(row.subnetwork.rpartition("/projects/")[2] for row in subnetworks),
    }


def errors() -> dict[str, str]:
    """The exceptions Google's client makes of the emulator's errors."""
    instances = compute_v1.InstancesClient(client_options=OPTIONS)
    raised = {}
    for what, keywords in {
        "missing": {"project": PROJECT, "zone": ZONE, "instance": "none"},
        "closed": {"project": "closed-to-us", "zone": ZONE, "instance": "x"},
        "bad zone": {"project": PROJECT, "zone": "nowhere", "instance": "x"},
    }.items():
        try:
            instances.get(**keywords)
        except exceptions.GoogleAPICallError as failure:
            raised[what] = type(failure).__name__
    return raised


def throttled() -> str:
    """One read while a fault is in force."""
    try:
        compute_v1.InstancesClient(client_options=OPTIONS).get(project="acme-prod", zone=ZONE, instance="web-1")
    except exceptions.GoogleAPICallError as failure:
        return type(failure).__name__
    return "answered"


if __name__ == "__main__":
    main(lifecycle, listing, shared, errors, throttled)
