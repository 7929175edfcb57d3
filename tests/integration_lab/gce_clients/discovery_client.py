# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Witness: google-api-python-client. It asks the token endpoint named in the service account's file."""

from __future__ import annotations

from typing import Any

import google.auth
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from local import PROJECT, SCOPE, URL, main


def _compute() -> Any:
    credentials, _project = google.auth.default(scopes=[SCOPE])
    return build(
        "compute",
        "v1",
        credentials=credentials,
        client_options={"api_endpoint": f"{URL}/compute/v1/"},
        cache_discovery=False,
    )


def paging() -> dict[str, Any]:
    """The seeded fleet, page by page, as the client's own paging reads it."""
    instances = _compute().instances()
    request, found, pages = instances.aggregatedList(project="acme-prod", maxResults=4), [], 0
    while request is not None:
        answer = request.execute()
        found += [vm["name"] for scope in answer["items"].values() for vm in scope.get("instances", [])]
        pages += 1
        request = instances.aggregatedList_next(request, answer)
    return {"found": sorted(found), "pages": pages}


def batch() -> dict[str, Any]:
    """Three requests in one, one of them failing."""
    compute, results = _compute(), {}

    def keep(identity: str, answer: Any, failure: HttpError | None) -> None:
        results[identity] = failure.resp.status if failure else answer["name"]

    requests = compute.new_batch_http_request(callback=keep)
    requests._batch_uri = f"{URL}/batch/compute/v1"  # the client has no option for it
    requests.add(compute.zones().get(project=PROJECT, zone="us-central1-a"), request_id="zone")
    requests.add(compute.instances().get(project=PROJECT, zone="us-central1-a", instance="none"), request_id="missing")
    requests.add(compute.images().getFromFamily(project="debian-cloud", family="debian-12"), request_id="image")
    requests.execute()
    return results


def project_keys() -> list[str]:
    """The keys in the project's metadata."""
    items = _compute().projects().get(project="acme-prod").execute()["commonInstanceMetadata"]["items"]
    return [item["key"] for item in items]


if __name__ == "__main__":
    main(paging, batch, project_keys)
