# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The services' configuration files, made for one lab. Pure: facts in, text out."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

SERVICES = ("keystone", "placement", "neutron", "glance", "nova", "ironic")
REGION = "RegionOne"
SERVICE_PASSWORD = "secret-of-service"  # the services' own account; loopback only, ends with the lab
ADMIN_PASSWORD = "secret-of-admin"

Sections = Mapping[str, Mapping[str, object]]


@dataclasses.dataclass(frozen=True)
class Stack:
    """One lab's OpenStack: its folder, the virtual environment with the code, the port of each service."""

    folder: Path
    venv: Path
    ports: Mapping[str, int]

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    @property
    def identity_url(self) -> str:
        return f"{self.url('keystone')}/v3"


def database(name: str) -> str:
    """SQLAlchemy address of a database file.

    Relative to the lab's run folder, in which every service is started: Nova stores the addresses of its cells
    in its own database, and a snapshot with absolute ones would belong to a single lab.
    """
    return f"sqlite:///openstack/db/{name}.sqlite?timeout=60"


def files(stack: Stack) -> dict[str, str]:
    """Name and text of every configuration file."""
    return {
        "keystone.conf": render(_keystone(stack)),
        "glance-api.conf": render(_glance(stack)),
        "placement.conf": render(_placement(stack)),
        "neutron.conf": render(_neutron(stack)),
        "nova.conf": render(_nova(stack)),
        "nova-api-paste.ini": (stack.venv / "etc/nova/api-paste.ini").read_text(encoding="utf-8"),
        "ironic.conf": render(_ironic(stack)),
    }


def render(sections: Sections) -> str:
    lines = []
    for section, options in sections.items():
        lines += [f"[{section}]", *(f"{option} = {value}" for option, value in options.items()), ""]
    return "\n".join(lines)


def _database(name: str) -> dict[str, object]:
    # The files end with the lab, so nothing is lost by not waiting for the disk.
    return {"connection": database(name), "sqlite_synchronous": "false"}


def _account(stack: Stack) -> dict[str, object]:
    """How one service logs in to another."""
    return {
        "auth_type": "password",
        "auth_url": stack.identity_url,
        "username": "service",
        "password": SERVICE_PASSWORD,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGION,
    }


def _token_check(stack: Stack) -> dict[str, object]:
    """How a service has the tokens of its callers checked."""
    return {**_account(stack), "www_authenticate_uri": stack.identity_url, "service_token_roles_required": "true"}


def _locks(stack: Stack) -> dict[str, object]:
    return {"lock_path": stack.folder / "lock"}


def _keystone(stack: Stack) -> Sections:
    return {
        "database": _database("keystone"),
        "fernet_tokens": {"key_repository": stack.folder / "db/fernet"},
        "fernet_receipts": {"key_repository": stack.folder / "db/receipts"},
        "credential": {"key_repository": stack.folder / "db/credential"},
        "identity": {"password_hash_rounds": 4},  # the least bcrypt takes: nothing here is worth slow logins
        "token": {"expiration": 86400},
        # Each service has Keystone check each caller's token; with a cache that costs half as much.
        "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
    }


def _glance(stack: Stack) -> Sections:
    return {
        "DEFAULT": {"enabled_backends": "file:file", "worker_self_reference_url": stack.url("glance")},
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": stack.folder / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": stack.folder / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": stack.folder / "tasks"},
        "database": _database("glance"),
        "paste_deploy": {"flavor": "keystone", "config_file": stack.venv / "etc/glance/glance-api-paste.ini"},
        "oslo_concurrency": _locks(stack),
        "keystone_authtoken": _token_check(stack),
    }


def _placement(stack: Stack) -> Sections:
    return {
        "api": {"auth_strategy": "keystone"},
        "placement_database": _database("placement"),
        "keystone_authtoken": _token_check(stack),
    }


def _neutron(stack: Stack) -> Sections:
    without_limit = ("port", "floatingip", "network", "subnet", "router", "rbac_policy", "security_group",
                     "security_group_rule")
    return {
        "DEFAULT": {
            "core_plugin": "ml2",
            "service_plugins": "fleetlab.openstack.neutron_driver.Router,tag,revisions,timestamp,auto_allocate,"
                               "network_ip_availability",
            "transport_url": "fake://",
            "api_paste_config": stack.venv / "etc/neutron/api-paste.ini",
            "state_path": stack.folder / "neutron",
            "dhcp_agent_notification": "false",
            # Nova lists floating addresses only because Neutron tells it about them.
            "notify_nova_on_port_status_changes": "true",
            "notify_nova_on_port_data_changes": "true",
            "send_events_interval": 1,
            "global_physnet_mtu": 1500,
        },
        "ml2": {
            "type_drivers": "flat,geneve",
            "tenant_network_types": "geneve",
            "mechanism_drivers": "fleetlab",
            "extension_drivers": "port_security",
            "overlay_ip_version": 4,
        },
        "ml2_type_flat": {"flat_networks": "*"},
        "ml2_type_geneve": {"vni_ranges": "1:10000", "max_header_size": 38},
        "securitygroup": {"enable_security_group": "true"},
        "quotas": {f"quota_{resource}": -1 for resource in without_limit},
        "database": _database("neutron"),
        "oslo_concurrency": _locks(stack),
        "keystone_authtoken": _token_check(stack),
        "nova": _account(stack),
        "placement": _account(stack),
    }


def _nova(stack: Stack) -> Sections:
    never = -1
    return {
        "DEFAULT": {
            "host": "lab-compute-1",
            "my_ip": "127.0.0.1",
            "compute_driver": "fleetlab_fake.Driver",
            "transport_url": "fake://",
            "state_path": stack.folder / "nova",
            "rpc_response_timeout": 120,
            "update_resources_interval": never,
            "sync_power_state_interval": never,
            "heal_instance_info_cache_interval": never,
            "periodic_fuzzy_delay": 0,
        },
        "api_database": _database("nova_api"),
        "database": _database("nova_cell1"),
        "oslo_concurrency": _locks(stack),
        "quota": dict.fromkeys(("instances", "cores", "ram", "key_pairs", "server_groups", "server_group_members"), never),
        "keystone_authtoken": _token_check(stack),
        "glance": _account(stack),
        "placement": _account(stack),
        "neutron": _account(stack),
        "service_user": {"send_service_user_token": "true", **_account(stack)},
    }


def _ironic(stack: Stack) -> Sections:
    only_fake = ("boot", "deploy", "management", "power")
    fake_or_none = ("bios", "console", "firmware", "inspect", "raid", "rescue", "vendor")
    return {
        "DEFAULT": {
            "auth_strategy": "noauth",
            "rpc_transport": "none",
            "host": "lab-ironic-1",
            "state_path": stack.folder / "ironic",
            "tempdir": stack.folder / "ironic",
            "enabled_hardware_types": "fake-hardware",
            **{f"enabled_{kind}_interfaces": "fake" for kind in only_fake},
            **{f"enabled_{kind}_interfaces": f"fake,no-{kind}" for kind in fake_or_none},
            "enabled_storage_interfaces": "fake,noop",
            "enabled_network_interfaces": "noop",
            "default_network_interface": "noop",
        },
        "api": {"host_ip": "127.0.0.1", "port": stack.ports["ironic"]},
        "conductor": {"automated_clean": "false"},
        "database": _database("ironic"),
        "oslo_concurrency": _locks(stack),
        "pxe": {"tftp_root": stack.folder / "ironic/tftp"},
        "deploy": {"http_root": stack.folder / "ironic/http"},
    }
