# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings a node's part of the mesh about, and takes it away. Runs on nodes: Python 3.7 is enough.

The interface is not restarted unless it is missing or made by something else: peers, addresses and MTU change while it carries traffic.
"""
from __future__ import annotations

import os
import shutil
from typing import Any, Sequence

from .._hardening.system import PATH, Ran, System
from . import facts, record, wireguard
from .wireguard import Live, Wanted


class MeshError(Exception):
    """What failed, why, and what to do."""


class Mesh:
    """One node's mesh. check: look only. changes: what was, or would be, done, in words."""

    def __init__(self, system: System, interface: str, check: bool = False) -> None:
        self._system = system
        self._check = check
        self.interface = interface
        self.changes: list[str] = []
        self.notes: list[str] = []
        self.before: dict[str, str] = {}
        self.after: dict[str, str] = {}
        self.started = False

    # ------------------------------------------------------------------------------------------------ the key
    def key(self, rotate: bool = False) -> str:
        """The node's public key; made when there is none. rotate: a new one, which ``present`` puts in place. Empty where a key could not be
        made in check mode. Raises MeshError."""
        waiting, now = self._system.text(record.NEXT_KEY).strip(), self._system.text(record.KEY).strip()
        if waiting:
            return self._public(waiting)
        if now and not rotate:
            return self._public(now)
        self.changes.append("a new key" if now else "a key")
        if self._check:
            return self._public(now) if now else ""
        made = self._run(["wg", "genkey"], "make a key").out.strip()
        self._folder()
        self._system.write(record.NEXT_KEY if now else record.KEY, (made + "\n").encode(), 0o600)
        return self._public(made)

    def _public(self, private: str) -> str:
        if self._check and not self._system.has("wg"):
            return ""
        return self._run(["wg", "pubkey"], "read the node's key", private + "\n").out.strip()

    # ------------------------------------------------------------------------------------------------ there
    def present(self, values: dict[str, Any], keys: dict[str, str], implementation: str = "auto") -> dict[str, Any]:
        """Returns what cluster_facts would tell as the node's record. Raises MeshError."""
        known = record.read(self._system) or {}
        private = self._system.text(record.NEXT_KEY).strip() or self._system.text(record.KEY).strip()
        wanted = wireguard.wanted_of({**values, "interface": self.interface}, keys, known.get("peers") or ())
        live = self._live()
        made_by = self._implementation(implementation, str(known.get("implementation") or ""), live)
        public = self._public(private) if private else ""
        told = {**values, "interface": self.interface, "public_key": public, "implementation": made_by,
                "peers": [dict(peer._asdict()) for peer in wanted.peers]}
        if not private or not made_by:  # check mode on a node without WireGuard
            self.changes.append(f"interface {self.interface} with {len(wanted.peers)} peers")
            return told
        self._files(wanted, private, made_by, record.text(told))
        self._bring_up(wanted, public, live, made_by == known.get("implementation"))
        return told

    def _files(self, wanted: Wanted, private: str, made_by: str, text: str) -> None:
        programs = {"ip": self._path("ip"), "wg": self._path("wg"), "wireguard_go": self._path("wireguard-go") if made_by == "userspace" else ""}
        unit = wireguard.unit(wanted, programs, made_by == "kernel")
        configuration = wireguard.configuration(wanted, private)
        self._folder()
        if self._system.exists(record.NEXT_KEY):
            self.changes.append("the new key in place")
            if not self._check:
                os.rename(self._system.real(record.NEXT_KEY), self._system.real(record.KEY))
        self._file(wireguard.configuration_file(self.interface), configuration, 0o600, private)
        self._file(record.RECORD, text, 0o644)
        if self._file(self._unit_file, unit, 0o644) and not self._check:
            self._run(["systemctl", "daemon-reload"], "read the unit")

    def _bring_up(self, wanted: Wanted, public: str, live: Live | None, same: bool) -> None:
        name = wireguard.unit_name(self.interface)
        self._system.forget_units()
        state = self._system.unit(name)
        if state.get("UnitFileState") != "enabled":
            self.changes.append(f"{name} starts at boot")
            if not self._check:
                self._run(["systemctl", "enable", name], "enable the unit")
        if live is None or not same or state.get("ActiveState") != "active":
            self.changes.append(f"interface {self.interface} started")
            self.started = True
            if not self._check:
                self._run(["systemctl", "restart", name], "start the interface", hint="See: journalctl -u " + name)
        else:
            self._adjust(wanted, public, live)
        if not self._check:
            self._missing_addresses(wanted)

    def _adjust(self, wanted: Wanted, public: str, live: Live) -> None:
        """Change a running interface in place."""
        found = wireguard.differs(live, wanted, public)
        if found:
            self.changes += found
        if (found or wireguard.configuration_file(self.interface) in self.after) and not self._check:
            self._run(["wg", "syncconf", self.interface, self._system.real(wireguard.configuration_file(self.interface))], "change the peers")
        mtu, addresses = self._addresses()
        if mtu != wanted.mtu:
            self.changes.append(f"MTU {mtu} -> {wanted.mtu}")
            if not self._check:
                self._run(["ip", "link", "set", "dev", self.interface, "mtu", str(wanted.mtu)], "set the MTU")
        for address in wanted.addresses:
            if address not in addresses and not (":" in address and self._without_ipv6()):
                self.changes.append(f"address {address} comes")
                if not self._check:
                    self._run(["ip", "address", "add", address, "dev", self.interface, *(["nodad"] if ":" in address else [])], "add an address")
        for address in addresses:
            if address not in wanted.addresses:
                self.changes.append(f"address {address} goes")
                if not self._check:
                    self._run(["ip", "address", "delete", address, "dev", self.interface], "remove an address")

    # ------------------------------------------------------------------------------------------------ away
    def absent(self) -> None:
        """Leaves nothing but the packages. Raises MeshError."""
        name = wireguard.unit_name(self.interface)
        if self._system.exists(self._unit_file):
            self.changes.append(f"{name} removed")
            if not self._check:
                self._run(["systemctl", "disable", "--now", name], "stop the interface")
                os.unlink(self._system.real(self._unit_file))
                self._run(["systemctl", "daemon-reload"], "forget the unit")
        if self._system.run(["ip", "link", "show", "dev", self.interface]).rc == 0:
            self.changes.append(f"interface {self.interface} removed")
            if not self._check:
                self._run(["ip", "link", "delete", "dev", self.interface], "remove the interface")
        if self._system.exists(record.FOLDER):
            self.changes.append("key and record removed")
            if not self._check:
                shutil.rmtree(self._system.real(record.FOLDER))

    # ------------------------------------------------------------------------------------------------ details
    @property
    def _unit_file(self) -> str:
        return "/etc/systemd/system/" + wireguard.unit_name(self.interface)

    def _implementation(self, wanted: str, now: str, live: Live | None) -> str:
        """kernel or userspace. What runs stays, as a change restarts the interface; empty in check mode where neither is there yet."""
        if wanted == "auto" and live is not None and now:
            return now
        there = facts.wireguard(self._system)
        if there["kernel"] and wanted in ("auto", "kernel"):
            return "kernel"
        if wanted == "kernel":
            raise MeshError("this kernel has no WireGuard, which mesh_implementation asks for. Install a kernel that has it (5.6 or newer, or its "
                            "module), or set mesh_implementation: auto.")
        if there["userspace"] and there["tun"]:
            return "userspace"
        if self._check:
            return ""
        if there["userspace"]:
            raise MeshError("wireguard-go needs /dev/net/tun, which this machine does not have. In a container it has to be passed in.")
        raise MeshError("the kernel has no WireGuard and there is no wireguard-go. Install one of them: your distribution's package "
                        "wireguard-go, or a kernel of 5.6 or newer.")

    def _live(self) -> Live | None:
        if not self._system.has("wg"):
            return None
        answer = self._system.run(["wg", "show", self.interface, "dump"])
        return wireguard.parse_dump(answer.out) if answer.rc == 0 else None

    def _addresses(self) -> tuple[int, list[str]]:
        """MTU in bytes, and addresses with prefix length."""
        row = next((row for row in facts.interfaces(self._system) if row["name"] == self.interface), {})
        return int(row.get("mtu") or 0), list(row.get("addresses") or ())

    def _missing_addresses(self, wanted: Wanted) -> None:
        missing = [address for address in wanted.addresses if address not in self._addresses()[1]]
        if any("." in address for address in missing):
            raise MeshError("interface {} did not take its address {}".format(self.interface, ", ".join(missing)))
        if missing:
            self.notes.append("this machine has IPv6 switched off, so the mesh carries IPv4 only here")

    def _without_ipv6(self) -> bool:
        path = "/proc/sys/net/ipv6/conf/{}/disable_ipv6"
        return not self._system.exists("/proc/net/if_inet6") or self._system.text(path.format(self.interface)).strip() == "1"

    def _folder(self) -> None:
        if not self._check:
            for path, mode in ((os.path.dirname(record.FOLDER), 0o755), (record.FOLDER, 0o700)):
                if not self._system.exists(path):
                    os.mkdir(self._system.real(path), mode)

    def _file(self, path: str, text: str, mode: int, secret: str = "") -> bool:
        """Write it where it differs; a secret in it is not shown."""
        now = self._system.text(path)
        if now == text:
            return False
        hide = (lambda content: "\n".join("PrivateKey = (not shown)" if line.startswith("PrivateKey") else line
                                          for line in content.split("\n"))) if secret else str
        self.before[path], self.after[path] = hide(now), hide(text)
        self.changes.append(path)
        if not self._check:
            self._system.write(path, text.encode(), mode)
        return True

    def _path(self, program: str) -> str:
        return next((folder + "/" + program for folder in PATH.split(":") if self._system.has(folder + "/" + program)), program)

    def _run(self, words: Sequence[str], what: str, text: str | None = None, hint: str = "") -> Ran:
        answer = self._system.run(words, text)
        if answer.rc:
            said = " ".join((answer.err or answer.out).split())[-300:]
            raise MeshError("could not {}: {}: {}. {}".format(what, " ".join(words[:3]), said or f"exit {answer.rc}", hint).rstrip())
        return answer


def keys_of(found: dict[str, Any]) -> dict[str, str]:
    """Public keys by name; whatever is no key is left out."""
    return {str(name): str(key) for name, key in found.items() if wireguard.valid_key(str(key))}
