# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fill the lab's OpenStack: ``python -m fleetlab.openstack.seed CLOUDS_YAML``, inside the services' environment.

Everything is looked up by name before it is made, so an interrupted run is simply run again. OS_CLIENT_CONFIG_FILE
must name the same clouds.yaml; the clouds' entries are added to it.
"""
from __future__ import annotations

import concurrent.futures
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openstack
import yaml
from openstack import exceptions
from openstack.connection import Connection

from . import clouds_yaml, seed_metal, seed_network
from .clouds import CLOUDS, FLAVORS
from .layout import Cloud, Image, SeedError, Server

# The key's private half was never kept: nothing logs in to servers that only the fake hypervisor knows.
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO5wf1zUwqDdJxqcVfGkmaqDqSxRtYyPxjxPbzEY4vG5 lab"
KEY_NAME = "lab"
BUILD_SECONDS = 400


def secret_of(cloud: Cloud) -> str:
    """Password and application credential secret: easily found, should one leak into an inventory or a log."""
    return f"secret-of-{cloud.name}"


def say(text: str) -> None:
    print(text, flush=True)


# -- accounts -------------------------------------------------------------------------------------------------
def make_account(admin: Connection, cloud: Cloud, file: Path) -> Any:
    """Project, user and clouds.yaml entry of one cloud; returns the project."""
    identity = admin.identity
    project = identity.find_project(cloud.name) or identity.create_project(
        name=cloud.name, domain_id=clouds_yaml.DOMAIN)
    user = identity.find_user(cloud.name) or identity.create_user(
        name=cloud.name, password=secret_of(cloud), domain_id=clouds_yaml.DOMAIN, default_project_id=project.id)
    identity.assign_project_role_to_user(project, user, identity.find_role("member"))
    clouds = yaml.safe_load(file.read_text(encoding="utf-8"))["clouds"]
    if cloud.name not in clouds:
        clouds[cloud.name] = _entry(clouds["admin"]["auth"]["auth_url"], cloud, user.id)
        clouds_yaml.write(file, clouds)
    return project


def _entry(identity_url: str, cloud: Cloud, user_id: str) -> clouds_yaml.Entry:
    entry = clouds_yaml.by_password(identity_url, cloud.name, secret_of(cloud), cloud.name)
    if cloud.credential == "password":
        return entry
    # Nobody but its owner may make one.
    identity = openstack.connect(load_yaml_config=False, load_envvars=False, **entry).identity
    left_over = identity.find_application_credential(user_id, "fleet")
    if left_over:   # of an interrupted run: made, but not written down
        identity.delete_application_credential(user_id, left_over)
    made = identity.create_application_credential(user=user_id, name="fleet", secret=secret_of(cloud))
    return clouds_yaml.by_application_credential(identity_url, made.id, secret_of(cloud))


# -- images, servers ------------------------------------------------------------------------------------------
def make_flavors(admin: Connection) -> None:
    there = {flavor.name for flavor in admin.compute.flavors()}
    for name, (vcpus, ram, disk) in FLAVORS.items():
        if name not in there:
            admin.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)


def make_image(admin: Connection, project_id: str, image: Image) -> str:
    """A private image of the project, so that no cloud shows another one's; returns its id.

    In Glance's own two requests: openstacksdk's create_image adds properties of its own, and the lab has images
    without any.
    """
    made = admin.image.post("/images", json={
        "name": image.name, "owner": project_id, "visibility": "private", "disk_format": "raw",
        "container_format": "bare", **image.properties})
    exceptions.raise_from_response(made)
    image_id = str(made.json()["id"])
    exceptions.raise_from_response(admin.image.put(
        f"/images/{image_id}/file", data=b"no disk", headers={"Content-Type": "application/octet-stream"}))
    return image_id


def make_cloud(admin: Connection, cloud: Cloud, project_id: str) -> None:
    """Images, networks, and the request for each server; Nova goes on building when this returns."""
    images = {image.name: image.id for image in admin.image.images(owner=project_id)}
    for image in cloud.images:
        if image.name not in images:
            images[image.name] = make_image(admin, project_id, image)
    ports = seed_network.Layout(admin, cloud, project_id).apply()
    tenant = openstack.connect(cloud=cloud.name)
    if not tenant.compute.find_keypair(KEY_NAME):
        tenant.compute.create_keypair(name=KEY_NAME, public_key=PUBLIC_KEY)
    flavors = {flavor.name: flavor.id for flavor in tenant.compute.flavors()}
    there = {server.name for server in tenant.compute.servers(details=False)}
    for server in cloud.servers:
        if server.name not in there:
            networks = [{"port": port} for port in ports[server.name]]
            if server.attach_to:
                networks = [{"uuid": tenant.network.find_network(server.attach_to, ignore_missing=False).id}]
            tenant.compute.create_server(**_request(server, images[server.image], flavors[server.flavor], networks))


def _request(server: Server, image: str, flavor: str, networks: list[dict[str, str]]) -> dict[str, Any]:
    optional = {"metadata": dict(server.metadata), "tags": list(server.tags), "access_ipv4": server.access_ipv4}
    return {
        "name": server.name, "image_id": image, "flavor_id": flavor, "networks": networks, "key_name": KEY_NAME,
        **{name: value for name, value in optional.items() if value},
    }


def finish(admin: Connection) -> None:
    """Wait for the builds, then bring each server into the state it is wanted in."""
    _wait(admin, {"ACTIVE": ("ACTIVE",), "SHUTOFF": ("ACTIVE", "SHUTOFF"), "ERROR": ("ERROR",)})
    for cloud in CLOUDS:
        to_stop = {server.name for server in cloud.servers if server.status == "SHUTOFF"}
        if to_stop:
            compute = openstack.connect(cloud=cloud.name).compute
            for server in compute.servers():
                if server.name in to_stop and server.status == "ACTIVE":
                    compute.stop_server(server)
    _wait(admin, {"ACTIVE": ("ACTIVE",), "SHUTOFF": ("SHUTOFF",), "ERROR": ("ERROR",)})


def _wait(admin: Connection, accepted: Mapping[str, tuple[str, ...]]) -> None:
    """Return when every server has a status accepted for the one it is wanted in; a failed build is an error."""
    projects = {project.id: project.name for project in admin.identity.projects()}
    deadline = time.monotonic() + BUILD_SECONDS
    while True:
        listed = {(projects[found.project_id], found.name): found for found in admin.compute.servers(all_projects=True)}
        wrong = []
        for cloud in CLOUDS:
            for server in cloud.servers:
                found = listed[cloud.name, server.name]
                if found.status in accepted[server.status]:
                    continue
                wrong.append(f"{cloud.name}/{server.name} is {found.status}, wanted {server.status}")
                if found.status == "ERROR":
                    raise SeedError(f"{wrong[-1]}: {(found.fault or {}).get('message', 'Nova gave no reason')}")
        if not wrong:
            return
        if time.monotonic() > deadline:
            raise SeedError(f"after {BUILD_SECONDS} s {'; '.join(wrong)}")
        time.sleep(0.5)


# -- all of it ------------------------------------------------------------------------------------------------
def seed(file: Path) -> None:
    admin = openstack.connect(cloud="admin")
    make_flavors(admin)
    projects = {cloud.name: make_account(admin, cloud, file).id for cloud in CLOUDS}
    say(f"accounts of {len(CLOUDS)} clouds: {', '.join(projects)}")
    with concurrent.futures.ThreadPoolExecutor(max_workers=3) as pool:
        metal = pool.submit(seed_metal.enroll, openstack.connect(cloud="bifrost").baremetal)
        laid_out = [pool.submit(make_cloud, admin, cloud, projects[cloud.name]) for cloud in CLOUDS]
        for job in laid_out:
            job.result()
        say("images, networks, floating addresses; servers asked for")
        finish(admin)
        say(f"{sum(len(cloud.servers) for cloud in CLOUDS)} servers built")
        say(f"{metal.result()} metal nodes enrolled")


def main() -> int:
    try:
        seed(Path(sys.argv[1]))
    except SeedError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
