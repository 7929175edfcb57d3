# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host works for."""
from __future__ import annotations

from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.workloads import workloads


def test_what_runs_and_what_the_operator_says() -> None:
    assert workloads({"docker": "unit docker.service"}, ["router"]) == {"docker": "unit docker.service", "router": "fleet_workloads says so"}
    assert workloads({"docker": "unit docker.service"}, ["no-docker", "router"]) == {"router": "fleet_workloads says so"}


def test_a_host_is_made_fit_for_the_cluster_that_it_is_going_to_be_in() -> None:
    assert workloads({}, [], "swarm", "mesh") == {
        "docker": "fleet_cluster says so", "swarm": "fleet_cluster says so", "mesh": "fleet_cluster_via says so"}
    assert set(workloads({}, [], "kubernetes", "private")) == {"containerd", "kubernetes"}
    assert workloads({"swarm": "docker info"}, ["no-docker"], "swarm") == {"swarm": "docker info"}
    assert workloads({}, [], "", "public") == {}
