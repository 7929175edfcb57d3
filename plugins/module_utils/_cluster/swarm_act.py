# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is done to a swarm: by a node for itself, and by a manager for all. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, Mapping, Sequence

from .docker_api import Docker, DockerError
from .swarm_look import DRAINED, nodes


class SwarmError(Exception):
    """In words for an operator."""


def port(address: str, number: int) -> str:
    return f"[{address}]:{number}" if ":" in address and not address.startswith("[") else f"{address}:{number}"


def wait(ready: Callable[[], bool], seconds: float) -> bool:
    """Ask until it is so; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


# ---------------------------------------------------------------------------------------------------- by a node for itself
class Node:
    """This node. seconds: how long a step may take."""

    def __init__(self, docker: Docker, seconds: float) -> None:
        self._docker, self._seconds = docker, seconds

    @property
    def info(self) -> dict[str, Any]:
        return dict(self._docker.get("/info").get("Swarm") or {})

    @property
    def state(self) -> str:
        return str(self.info.get("LocalNodeState") or "inactive")

    def init(self, given: Mapping[str, Any]) -> bool:
        """A new swarm, or with force_new_cluster one manager's swarm out of what this node has kept. Returns whether anything changed."""
        if self.state == "active" and not given["force_new_cluster"]:
            return False
        body = {"ListenAddr": port(given["listen"], 2377), "AdvertiseAddr": port(given["advertise"], 2377), "DataPathAddr": given["data_path"],
                "DataPathPort": given["data_path_port"], "ForceNewCluster": given["force_new_cluster"],
                "Spec": {"EncryptionConfig": {"AutoLockManagers": given["autolock"]}}}
        if given["pools"] and not given["force_new_cluster"]:
            body.update(DefaultAddrPool=given["pools"], SubnetSize=given["subnet_size"])
        self._docker.post("/swarm/init", body, self._seconds)
        self._active("the new swarm")
        return True

    def join(self, given: Mapping[str, Any]) -> bool:
        state = self.state
        if state == "active":
            return False
        if state in ("pending", "error"):  # an earlier attempt that came to nothing
            self.leave(True)
        body = {"ListenAddr": port(given["listen"], 2377), "AdvertiseAddr": port(given["advertise"], 2377), "DataPathAddr": given["data_path"],
                "RemoteAddrs": [port(address, 2377) for address in given["managers"]], "JoinToken": given["token"], "Availability": "active"}
        try:
            self._docker.post("/swarm/join", body, max(30, self._seconds))
        except DockerError as failure:
            if "will continue in the background" not in str(failure):
                raise
        self._active("managers " + ", ".join(given["managers"]))
        return True

    def _active(self, whom: str) -> None:
        if not wait(lambda: self.state == "active", self._seconds):
            info = self.info
            why = f" ({info['Error']})" if info.get("Error") else ""
            raise SwarmError(f"it did not come into the swarm of {whom} within {self._seconds:.0f} seconds: it is {info.get('LocalNodeState')}{why}. "
                             "Look whether it reaches them on TCP 2377")

    def leave(self, force: bool) -> bool:
        if self.state == "inactive":
            return False
        self._docker.post("/swarm/leave?force=" + ("true" if force else "false"), {}, self._seconds)
        with contextlib.suppress(DockerError):
            self._docker.ask("DELETE", "/networks/docker_gwbridge")  # made for the swarm; where a container still uses it, it stays
        return True

    def unlock(self, key: str) -> bool:
        if self.state != "locked":
            return False
        try:
            self._docker.post("/swarm/unlock", {"UnlockKey": key}, self._seconds)
        except DockerError as failure:
            raise SwarmError(f"the key does not unlock it: {failure}. Was it rotated while this node was away? Give the key of that time") from None
        if not wait(lambda: self.state == "active", self._seconds):
            raise SwarmError(f"it is unlocked, but {self.state} after {self._seconds:.0f} seconds: {self.info.get('Error') or 'no reason is told'}")
        return True


# ---------------------------------------------------------------------------------------------------- by a manager for all
class Manager:
    """A manager of the swarm that has its quorum."""

    def __init__(self, docker: Docker, seconds: float) -> None:
        self._docker, self._seconds = docker, seconds

    def node(self, which: str) -> dict[str, Any] | None:
        """By id, host name or address; None when there is none. Of several with one name the one that is ready."""
        found = [one for one in nodes(self._docker) if which in (one["id"], one["hostname"], one["address"])]
        return sorted(found, key=lambda one: one["state"] != "ready")[0] if found else None

    def settle(self, wishes: Sequence[Mapping[str, Any]], check: bool) -> list[str]:
        """Labels, role and availability of nodes by id. Returns what changed, in words."""
        known = {one["id"]: one for one in nodes(self._docker)}
        told: list[str] = []
        for wish in wishes:
            wanted = {**wish, "labels": dict(wish.get("labels") or {})}
            before = known[str(wish["id"])]["labels"].get(DRAINED) if str(wish["id"]) in known else None
            if before:  # a run that had drained it was ended
                wanted.update(availability=wish.get("availability") or before)
                wanted["labels"][DRAINED] = None
            told += self._change(str(wish["id"]), wanted, check)
        return told

    def _change(self, number: str, wish: Mapping[str, Any], check: bool) -> list[str]:
        """wish: labels (None takes one away), role, availability; what is not named stays."""
        for attempt in range(5):
            row = self._docker.get("/nodes/" + number)
            spec, told = dict(row["Spec"]), []
            labels = dict(spec.get("Labels") or {})
            for name, value in (wish.get("labels") or {}).items():
                if value is None:
                    labels.pop(name, None)
                else:
                    labels[name] = str(value)
            who = (row.get("Description") or {}).get("Hostname") or number
            if labels != (spec.get("Labels") or {}):
                told.append(f"labels of {who}")
            told += [f"{who} is {wish[key]}" for key, field in (("role", "Role"), ("availability", "Availability"))
                     if wish.get(key) and spec.get(field) != wish[key]]
            if not told or check:
                return told
            spec.update(Labels=labels, Role=wish.get("role") or spec.get("Role"), Availability=wish.get("availability") or spec.get("Availability"))
            try:
                self._docker.post("/nodes/{}/update?version={}".format(number, row["Version"]["Index"]), spec)
                return told
            except DockerError as failure:  # somebody else was quicker
                if "out of sequence" not in str(failure) or attempt == 4:
                    raise
        return []

    def drain(self, which: str, check: bool) -> bool:
        """Its work goes elsewhere; what it was before stands in a label, so that an interrupted run can be mended. Waits until no task runs there."""
        one = self._known(which)
        if one["availability"] == "drain":
            return False
        if one["role"] == "manager" and not check and not wait(lambda: not self._away(one["id"]), self._seconds):
            raise SwarmError("{} is not drained, as the swarm would hang if it stopped: managers {} are away. Bring them back first".format(
                one["hostname"], ", ".join(self._away(one["id"]))))
        self._change(one["id"], {"availability": "drain", "labels": {DRAINED: one["availability"]}}, check)
        if not check and not wait(lambda: not self._running(one["id"]), self._seconds):
            raise SwarmError("{} is drained, but after {:.0f} seconds tasks still run there: {}".format(
                one["hostname"], self._seconds, ", ".join(self._running(one["id"])[:5])))
        return True

    def activate(self, which: str, check: bool) -> bool:
        """Back to what it was before it was drained; waits until it is ready, and a manager until the others reach it."""
        one = self._known(which)
        if not check and not wait(lambda: self._well(one["id"]), self._seconds):
            now = self._known(one["id"])
            raise SwarmError("{} is not back within {:.0f} seconds: it is {}{}".format(
                one["hostname"], self._seconds, now["state"], ", " + now["reachability"] if now["reachability"] else ""))
        before = one["labels"].get(DRAINED)
        return bool(before and self._change(one["id"], {"availability": before, "labels": {DRAINED: None}}, check))

    def demote(self, which: str, check: bool) -> bool:
        one = self._known(which)
        if one["role"] != "manager" or not one["reachability"]:  # without it only an entry of a manager that a restore has left out
            return False
        if sum(1 for other in nodes(self._docker) if other["reachability"]) == 1:
            raise SwarmError("{} is the only manager and cannot go. Make another one first, or end the swarm with playbook cluster_reset".format(
                one["hostname"]))
        self._change(one["id"], {"role": "worker"}, check)
        return True

    def remove(self, which: str, check: bool) -> bool:
        """Out of the list, once it is down; a node that still answers after the time is taken out by force."""
        one = self.node(which)
        if one is None:
            return False
        if not check:
            self.demote(one["id"], check)
            wait(lambda: self._known(one["id"])["state"] == "down", min(20, self._seconds))
            self._docker.ask("DELETE", "/nodes/{}?force=true".format(one["id"]))
        return True

    def swarm(self, autolock: bool | None, check: bool, rotate: Sequence[str] = ()) -> list[str]:
        """Settings of the whole swarm, and new secrets (worker, manager, unlock, ca). Returns what changed."""
        told: list[str] = []
        row = self._docker.get("/swarm")
        spec = dict(row["Spec"])
        encryption = dict(spec.get("EncryptionConfig") or {})
        if autolock is not None and bool(encryption.get("AutoLockManagers")) != autolock:
            told.append("autolock is " + ("on" if autolock else "off"))
            spec["EncryptionConfig"] = {**encryption, "AutoLockManagers": autolock}
        told += [f"a new {'certificate authority' if name == 'ca' else name + (' key' if name == 'unlock' else ' token')}" for name in rotate]
        if "ca" in rotate:
            authority = dict(spec.get("CAConfig") or {})
            spec["CAConfig"] = {**authority, "ForceRotate": int(authority.get("ForceRotate") or 0) + 1}
        if told and not check:
            flags = {"worker": "rotateWorkerToken", "manager": "rotateManagerToken", "unlock": "rotateManagerUnlockKey"}
            words = ["version={}".format(row["Version"]["Index"]), *(f"{flags[name]}=true" for name in rotate if name in flags)]
            self._docker.post("/swarm/update?" + "&".join(words), spec)
            if "ca" in rotate and not wait(lambda: not self._docker.get("/swarm").get("RootRotationInProgress"), self._seconds):
                raise SwarmError(f"the new certificate authority is not with all nodes after {self._seconds:.0f} seconds: a node that is down "
                                 "keeps it waiting. Bring it back or remove it; the swarm goes on by itself")
        return told

    def secrets(self) -> dict[str, str]:
        """Tokens, and the key that unlocks managers, empty without autolock."""
        tokens = self._docker.get("/swarm").get("JoinTokens") or {}
        return {"worker": str(tokens.get("Worker", "")), "manager": str(tokens.get("Manager", "")),
                "unlock": str((self._docker.get("/swarm/unlockkey") or {}).get("UnlockKey", ""))}

    def ready(self, ids: Sequence[str]) -> list[str]:
        """Waits for those nodes; returns who is not ready then, with its state."""
        wait(lambda: all(self._well(number) for number in ids), self._seconds)
        known = {one["id"]: one for one in nodes(self._docker)}
        return ["{} is {}".format(known[number]["hostname"], known[number]["state"]) if number in known else f"{number} is not in the swarm"
                for number in ids if not self._well(number)]

    # ------------------------------------------------------------------------------------------------ details
    def _known(self, which: str) -> dict[str, Any]:
        one = self.node(which)
        if one is None:
            raise SwarmError(f"the swarm has no node {which}. It has " + ", ".join(other["hostname"] for other in nodes(self._docker)))
        return one

    def _well(self, number: str) -> bool:
        one = self.node(number)
        return bool(one and one["state"] == "ready" and one["reachability"] in ("", "reachable"))

    def _away(self, number: str) -> list[str]:
        """Managers beside that one that are not reached, where too few would be left without it."""
        managers = [one for one in nodes(self._docker) if one["reachability"]]
        away = [one["hostname"] for one in managers if one["id"] != number and one["reachability"] != "reachable"]
        left = len(managers) - 1 - len(away)
        return away if len(managers) > 1 and left <= len(managers) // 2 else []

    def _running(self, number: str) -> list[str]:
        rows = self._docker.get("/tasks?filters=%7B%22node%22%3A%5B%22" + number + "%22%5D%7D")
        return [str((row.get("Status") or {}).get("ContainerStatus", {}).get("ContainerID", row["ID"]))[:12] for row in rows
                if (row.get("Status") or {}).get("State") in ("running", "starting")]
