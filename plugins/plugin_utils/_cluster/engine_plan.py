# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node's container engine is to be: packages, where from, settings. Pure. ``options``: all those of module container_engine."""
from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from . import free_networks

KEYRING = "/etc/apt/keyrings/hybridops-fleet-engine.asc"
CRI = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime"}
IMAGES = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.images"}


def distribution(facts: Mapping[str, Any], data: Mapping[str, Any], host: str) -> dict[str, Any]:
    """The entry of the role's data for this node's distribution, by its name, else by what it says it is like. Raises FleetError."""
    told = facts.get("os") or {}
    for name in (told.get("id"), *(told.get("like") or ())):
        if name in data:
            return dict(data[name])
    raise FleetError(f"{host}: container engine", why=f"no packages are known for distribution '{told.get('id')}'", code="unsupported",
                     fix="Name them with container_engine_packages, or use one of " + ", ".join(sorted(data)) + ".")


def packages(facts: Mapping[str, Any], entry: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Names to install, each with the version that is asked for in the way of the package manager."""
    names = [str(name) for name in options["packages"] or entry[options["source"]][options["engine"]]]
    optional = [name for name in entry.get("optional", {}).get(options["engine"], ()) if options["source"] == "distribution"]
    known = (facts.get("packages") or {}).get("known") or ()
    if not options["packages"]:
        names += [name for name in optional if name in known and name not in names]
    version = options["version"]
    return [name + (("=" if facts.get("manager") == "apt" else "-") + version if version and place == 0 else "") for place, name in enumerate(names)]


def outdated(facts: Mapping[str, Any], name: str, version: str) -> bool:
    """Whether that package is there in another version than asked for; without a version, than the newest that can be had."""
    told = facts.get("packages") or {}
    installed = str((told.get("installed") or {}).get(name) or "")
    wanted = version or str((told.get("candidates") or {}).get(name) or "")
    return bool(installed and wanted and not fnmatch.fnmatch(installed, wanted))


def repository(facts: Mapping[str, Any], entry: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
    """The vendor's repository: url, key (address or text) and apt's line, as the operator or the data say; {} for the distribution's packages."""
    if options["source"] != "vendor":
        return {}
    told = facts.get("os") or {}
    given = options["repository"]
    found = {name: str(given.get(name) or entry.get("repository", {}).get(name, "")) for name in ("url", "suite", "components", "key", "options")}
    for name, value in found.items():
        found[name] = value.replace("{codename}", str(told.get("codename", ""))).replace("{version}", str(told.get("version", "")).partition(".")[0])
    if "trusted=yes" in found["options"]:  # an unsigned mirror, as the operator says
        found["key"] = ""
    if not found["url"]:
        raise FleetError("container engine", why="no repository of the vendor is known for this distribution", code="argument",
                         fix="Give container_engine_repository.url.")
    if found["suite"].endswith("/"):  # a flat repository, which has none
        found["components"] = ""
    signed = ["signed-by=" + KEYRING] if found["key"] else []
    words = ["deb", f"[{' '.join([*signed, found['options']]).strip()}]", found["url"], found["suite"], found["components"]]
    return {"url": found["url"], "key": found["key"], "line": " ".join(word for word in words if word not in ("", "[]"))}


# ---------------------------------------------------------------------------------------------------- settings of Docker
def address_pools(facts: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Networks for the engine's bridges, with the reason. avoid: what the fleet uses. An engine keeps those that it has unless they overlap
    something. Raises FleetError."""
    used = free_networks.taken((), facts.get("networks") or (), options["avoid"])
    given = [str(name) for name in options["address_pools"]]
    for name in given:
        other = free_networks.clash(name, used)
        if other:
            raise FleetError(f"container_engine_address_pools: {name} overlaps {other}", code="argument",
                             fix="Choose another network, or leave the list empty and one is chosen.")
    if given:
        return [_pool(name) for name in given], "the operator's"
    present = [str(name) for name in (facts.get("docker") or {}).get("pools") or ()]
    if present and not any(free_networks.clash(name, used) for name in present):
        return [_pool(name) for name in present], "those that it has overlap nothing"
    chosen = free_networks.free(free_networks.BRIDGES, used, 16, 2)
    if not chosen:
        raise FleetError("container engine: no network is free for its bridges", why="the fleet uses all of " + ", ".join(free_networks.BRIDGES),
                         code="argument", fix="Give container_engine_address_pools.")
    return [_pool(name) for name in chosen], "the first that overlap nothing"


def _pool(name: str) -> dict[str, Any]:
    one = free_networks.network(name, "container_engine_address_pools")
    return {"base": str(one), "size": max(24, one.prefixlen) if one.version == 4 else max(64, one.prefixlen)}


def docker_settings(facts: Mapping[str, Any], options: Mapping[str, Any], address: list[dict[str, Any]]) -> dict[str, Any]:
    """What daemon.json is to say; ``settings`` of the operator win. version: decides what this engine understands."""
    seen = facts.get("docker") or {}
    swarm = options["swarm"] or seen.get("swarm", "inactive") != "inactive"
    wanted: dict[str, Any] = {
        "exec-opts": [f"native.cgroupdriver={options['cgroup_driver']}"],
        "log-driver": options["log_driver"],
        "default-address-pools": address,
    }
    if options["log_driver"] in ("json-file", "local"):
        wanted["log-opts"] = {"max-size": str(options["log_size"]), "max-file": str(options["log_files"])}
    if options["registry_mirrors"]:
        wanted["registry-mirrors"] = list(options["registry_mirrors"])
    if options["insecure_registries"]:
        wanted["insecure-registries"] = list(options["insecure_registries"])
    live = options["live_restore"]
    if live == "true" and swarm:
        raise FleetError("container_engine_live_restore is true, but the node belongs to a swarm", why="Docker refuses live-restore in a swarm",
                         fix="Leave it at auto.", code="argument")
    if live == "true" or (live == "auto" and not swarm):
        wanted["live-restore"] = True
    mtu = options["mtu"]
    if mtu:
        wanted["mtu"] = mtu
        if _major(seen.get("version")) >= 24:
            wanted["default-network-opts"] = {"bridge": {"com.docker.network.driver.mtu": str(mtu)}}
    return {**wanted, **options["settings"]}


def _major(version: Any) -> int:
    found = re.match(r"v?(\d+)", str(version or ""))
    return int(found.group(1)) if found else 0


# ---------------------------------------------------------------------------------------------------- settings of containerd
def containerd_settings(facts: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """containerd's whole configuration, in version 3 from containerd 2 on, else in version 2; ``containerd_settings`` are laid over it."""
    version = 3 if _major((facts.get("containerd") or {}).get("version")) >= 2 else 2
    runtime: dict[str, Any] = {"runc": {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": options["cgroup_driver"] == "systemd"}}}
    # where the project's own packages of the plugins put them; Debian's containerd looks elsewhere unless told
    cri: dict[str, Any] = {"containerd": {"default_runtime_name": "runc", "runtimes": runtime}, "cni": {"bin_dir": "/opt/cni/bin"}}
    images: dict[str, Any] = {"registry": {"config_path": "/etc/containerd/certs.d"}}
    sandbox = options["sandbox_image"]
    if version == 2:
        cri.update(images)
        if sandbox:
            cri["sandbox_image"] = sandbox
        plugins = {CRI[2]: cri}
    else:
        if sandbox:
            images["pinned_images"] = {"sandbox": sandbox}
        plugins = {CRI[3]: cri, IMAGES[3]: images}
    return merged({"version": version, "plugins": plugins}, options["containerd_settings"])


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings key by key, all else as ``over`` says."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def registry_hosts(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Registry -> what its hosts.toml says. rows: registry, server, mirrors (url, capabilities, skip_verify)."""
    told: dict[str, Any] = {}
    for row in rows:
        hosts: dict[str, Any] = {}
        for mirror in row.get("mirrors") or ():
            hosts[str(mirror["url"])] = {"capabilities": list(mirror.get("capabilities") or ["pull", "resolve"]),
                                         **({"skip_verify": True} if mirror.get("skip_verify") else {})}
        told[str(row["registry"])] = {**({"server": str(row["server"])} if row.get("server") else {}), "host": hosts}
    return told
