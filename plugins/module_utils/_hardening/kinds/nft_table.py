# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``nft_table``: a table of nftables that is exactly as its text says, and loaded again at boot. No other table is touched.

Whether the kernel's table is right is found by loading the text in an empty network namespace and comparing how the kernel shows both; so a
rule that somebody added or took out by hand is seen, and the text is proved to load before anything is changed.
"""
from __future__ import annotations

import hashlib
import json
import os

from .. import undo
from ..facts import network
from ..plan import Change, Item, Plan
from ..system import System
from ..undo import Step

WANTS = "/etc/systemd/system/multi-user.target.wants/"
LOADED = "/run/hybridops-fleet-firewall.json"
"""How the kernel showed the table right after it was loaded; asked only where no namespace can be had."""
MOST = 20000
"""Connections that are open and kept so."""


def plan(system: System, item: Item) -> Plan:
    """family, name; content: the text, which makes or replaces the table; unit: what loads it at boot, its file being an item of its own."""
    if not system.has("nft"):
        return Plan(not_possible="nft is not installed")
    if system.image:
        return Plan(_link(system, item["unit"]), not_possible="this is an image: its first boot loads the rules, not the machine that builds it")
    live = _listing(system, item)
    told, wanted = _expected(system, item)
    if told:
        return Plan(failed=told)
    changes: list[Change] = []
    if live.strip() != wanted.strip():
        changes.append(_load(system, item, live, wanted))
    if system.systemd:
        changes += _at_boot(system, item["unit"])
        return Plan(changes)
    return Plan(changes, not_possible="no systemd runs here, so nothing loads the table at boot")


def loads(system: System, table: str) -> Step:
    """The step that brings a table ("inet name") back as the kernel has it now, be it that there is none."""
    family, _blank, name = table.partition(" ")
    item = {"family": family, "name": name}
    return _loads(item, _listing(system, item))


def replaced(item: Item, listing: str) -> str:
    """A listing as text that makes the table or replaces it."""
    head = f"table {_table(item)}\n"
    return f"{head}delete {head}{listing}\n"


# ---------------------------------------------------------------------------------------------------- details
def _load(system: System, item: Item, live: str, wanted: str) -> Change:
    def act() -> None:
        answer = system.run(["nft", "-f", "-"], item["content"] + "".join(_open_now(system, item)))
        if answer.rc:
            raise ValueError("nft: " + " ".join((answer.err or answer.out).split())[:500])
        _remember(system, item)

    def back(keep: undo.Keep) -> list[Step]:
        return [_loads(item, live)]

    table = _table(item)
    return Change("nft:" + table, back, act, before=live, after=wanted, detail=f"table {table} {'replaced' if live else 'made'}")


def _open_now(system: System, item: Item) -> list[str]:
    """Commands that put the connections that are open now into the sets for them, so that none is cut."""
    found: dict[int, list[str]] = {4: [], 6: []}
    for row in network.established(system)[:MOST]:
        source = row["source"].split("%")[0]
        found[6 if ":" in source else 4].append("{} . {} . {}".format(source, row["source_port"], row["port"]))
    return ["add element {} open_before{} {{ {} }}\n".format(_table(item), family, ", ".join(sorted(set(rows))))
            for family, rows in found.items() if rows and f"set open_before{family} " in item["content"]]


def _loads(item: Item, live: str) -> Step:
    if not live:
        return _gone(item)
    return {"do": "command", "words": ["sh", "-c", 'printf "%s" "$1" | nft -f -', "sh", replaced(item, live)]}


def _gone(item: Item) -> Step:
    table = _table(item)
    return {"do": "command", "words": ["nft", f"add table {table}; delete table {table}"],
            "check": ["sh", "-c", f"nft list tables | grep -cx 'table {table}' || true"], "text": "0"}


def _table(item: Item) -> str:
    return "{} {}".format(item["family"], item["name"])


def _at_boot(system: System, unit: str) -> list[Change]:
    """Enabled by its link and started, as the unit may be as new as this run."""
    changes = _link(system, unit)
    if system.unit(unit).get("ActiveState") != "active":
        def start() -> None:
            answer = system.run(["systemctl", "start", unit], None, 60)
            if answer.rc:
                raise ValueError("systemctl start {}: {}".format(unit, (answer.err or answer.out).strip().split("\n")[0]))
            system.forget_units()

        changes.append(Change("unit:" + unit, lambda keep: [{"do": "unit", "name": unit, "enabled": "", "active": False}], start,
                              detail=unit + " started"))
    return changes


def _link(system: System, unit: str) -> list[Change]:
    """What enables it, unless it is there."""
    link = WANTS + unit
    if system.exists(link):
        return []

    def enable() -> None:
        os.makedirs(os.path.dirname(system.real(link)), exist_ok=True)
        os.symlink("/etc/systemd/system/" + unit, system.real(link))
        if system.systemd:
            system.run(["systemctl", "daemon-reload"])

    return [Change("path:" + link, lambda keep: [undo.of_path(system, link, keep)], enable, detail=unit + " enabled")]


def _listing(system: System, item: Item) -> str:
    """The table as the kernel has it, without counters and what sets have learned; empty when there is none."""
    answer = system.run(["nft", "-s", "list", "table", item["family"], item["name"]])
    return "" if answer.rc else without_learned(answer.out)


def _expected(system: System, item: Item) -> tuple[str, str]:
    """(what is wrong with the text, how the kernel would show the table)."""
    script = 'nft -f "$1" && exec nft -s list table "$2" "$3"'
    path = system.real(f"/run/hybridops-fleet-firewall-{os.getpid()}.nft")
    with open(path, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(item["content"])
    try:
        answer = system.run(["unshare", "--net", "sh", "-c", script, "sh", path, item["family"], item["name"]])
        if answer.rc == 0:
            return "", without_learned(answer.out)
        checked = system.run(["nft", "-c", "-f", path])
    finally:
        os.unlink(path)
    if checked.rc:
        return "nft refuses the rules: " + " ".join((checked.err or checked.out).replace(path, "line").split())[:500], ""
    return "", _remembered(system, item)


def _remember(system: System, item: Item) -> None:
    system.write(LOADED, json.dumps({"text": _mark(item), "listing": _listing(system, item)}).encode(), 0o600)


def _remembered(system: System, item: Item) -> str:
    """How the kernel showed this very text when it was loaded; the text itself, which equals no listing, when that is not known."""
    try:
        told = json.loads(system.text(LOADED) or "{}")
    except ValueError:
        told = {}
    return str(told["listing"]) if told.get("text") == _mark(item) else str(item["content"])


def _mark(item: Item) -> str:
    return hashlib.sha256(item["content"].encode()).hexdigest()


def without_learned(listing: str) -> str:
    """A listing without the elements of sets that the kernel fills itself."""
    lines: list[str] = []
    dynamic = skipping = False
    for line in listing.splitlines():
        words = line.split()
        if words[:1] == ["set"]:
            dynamic = False
        if words[:1] == ["flags"]:
            dynamic = "dynamic" in line
        if dynamic and words[:2] == ["elements", "="]:
            skipping = True
        if not skipping:
            lines.append(line)
        if skipping and line.rstrip().endswith("}"):
            skipping = False
    return "\n".join(lines).rstrip()
