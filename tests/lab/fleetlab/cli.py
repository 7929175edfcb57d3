# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands of the lab: up, seed, status, env, down. Needs Python 3.11 or newer and nothing else installed."""
from __future__ import annotations

import argparse
import importlib
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

from .controller import controller, tour
from .core import CHECKOUT, Endpoint, Lab, LabError
from .hosts import endpoint as hosts
from .kubernetes import made as kubernetes

# part of the lab -> module with a class Part(Endpoint); started in this order
PARTS = {
    "openstack": "fleetlab.openstack.endpoint",
    "ec2": "fleetlab.ec2.endpoint",
    "gce": "fleetlab.gce.endpoint",
    "metal": "fleetlab.metal.endpoint",
    "hosts": "fleetlab.hosts.endpoint",
}
CLOUDS = [name for name in PARTS if name != "hosts"]


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status (0 done, 1 failed, 2 wrong words)."""
    arguments = _parser().parse_args(argv)
    lab = Lab(Path(arguments.state).resolve())
    try:
        return int(arguments.command(lab, arguments) or 0)
    except LabError as failure:
        print(f"lab: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; 'down' ends what was started, 'up' goes on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/lab", description="Real and emulated cloud APIs on loopback.")
    parser.add_argument("--state", default=os.environ.get("FLEET_LAB_STATE", str(CHECKOUT / ".lab")),
                        help="folder of this lab (default: .lab in the checkout, or FLEET_LAB_STATE)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function, text in (
        ("demo", demo, "up, seed, and a look at the mixed fleet with Ansible"),
        ("up", up, "install what is missing and start the endpoints"),
        ("seed", seed, "fill the running endpoints with the mixed fleet"),
        ("status", status, "what runs, on which port, with how much memory"),
        ("exec", execute, "run a command as the controller, where the hosts' addresses lead to the hosts"),
        ("env", env, "shell lines that point the clouds' own tools and the fleet file at the lab"),
        ("down", down, "end the lab; keeps only the cache for the next start"),
        ("kubernetes", build_kubernetes, "build packages and images of Kubernetes for the hosts (once; kept in the cache)"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(command=function)
        if name in ("demo", "up", "seed"):
            command.add_argument("--only", default=",".join(CLOUDS), metavar="PART,...", help=f"of {', '.join(CLOUDS)}")
            command.add_argument("--hosts", action=argparse.BooleanOptionalAction, default=None,
                                 help="a real booted host behind every running machine (needs root; demo: on when root)")
        if name == "exec":
            command.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
        if name == "down":
            command.add_argument("--purge", action="store_true", help="delete the cache as well")
    return parser


def _parts(lab: Lab, names: list[str]) -> list[Endpoint]:
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise LabError(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return [importlib.import_module(PARTS[name]).Part(lab) for name in PARTS if name in names]


def demo(lab: Lab, arguments: argparse.Namespace) -> None:
    reason = hosts.why_not()
    if arguments.hosts is None:
        arguments.hosts = reason is None
        if reason:
            lab.say(f"hosts are skipped: {reason}")
    up(lab, arguments)
    seed(lab, arguments)
    tour(lab, environment(lab))
    lab.say(f"the lab still runs; end it with: python3 {os.path.relpath(CHECKOUT / 'tests' / 'lab')} down")


def up(lab: Lab, arguments: argparse.Namespace) -> None:
    parts = _parts(lab, [*arguments.only.split(","), *(["hosts"] if arguments.hosts else [])])
    for part in parts:
        part.prepare()
    lab.say("installed; starting")
    for part in parts:
        if lab.state()["endpoints"].get(part.name) == "up" and all(c.alive for c in lab.children()):
            continue
        began = time.monotonic()
        part.start()
        lab.update(lambda state, name=part.name: state["endpoints"].update({name: "up"}))
        lab.say(f"{part.name}: answers (start took {time.monotonic() - began:.1f} s)")
    lab.say(f"up; memory {sum(child.memory_mib() for child in lab.children() if child.alive):.0f} MiB")


def seed(lab: Lab, arguments: argparse.Namespace) -> None:
    if arguments.hosts and "hosts" not in lab.state()["endpoints"]:
        up(lab, arguments)
    running = lab.state()["endpoints"]
    for part in _parts(lab, [name for name in arguments.only.split(",") if name in running]):
        began = time.monotonic()
        part.seed()
        lab.say(f"{part.name}: seeded ({time.monotonic() - began:.1f} s)")


def status(lab: Lab, arguments: argparse.Namespace) -> int:
    children = lab.children()
    if not children:
        print(f"no lab runs in {lab.root}")
        return 1
    for child in children:
        print(f"{child.name:22} pid {child.pid:<8} {'running' if child.alive else 'ENDED':8} {child.memory_mib():7.0f} MiB")
    for name, port in sorted(lab.state()["ports"].items()):
        print(f"{name:22} 127.0.0.1:{port}")
    return 0 if all(child.alive for child in children) else 1


def environment(lab: Lab) -> dict[str, str]:
    """All variables of the parts that run."""
    variables: dict[str, str] = {"FLEET_LAB_STATE": str(lab.root)}
    for part in _parts(lab, list(lab.state()["endpoints"])):
        variables.update(part.env())
    return variables


def env(lab: Lab, arguments: argparse.Namespace) -> int:
    for name, value in sorted({**environment(lab), **controller(lab)}.items()):
        print(f"export {name}={shlex.quote(value)}")
    return 0


def execute(lab: Lab, arguments: argparse.Namespace) -> None:
    """Ends as the command ends: it takes the place of this process."""
    words = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    if not words:
        raise LabError("exec needs a command")
    command = [*hosts.inside(lab), *words]
    variables = {**os.environ, **environment(lab), **controller(lab)}
    sys.stdout.flush()
    os.execvpe(command[0], command, variables)


def build_kubernetes(lab: Lab, arguments: argparse.Namespace) -> None:
    kubernetes.build(lab)


def down(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.stop()
    hosts.clean(lab)
    shutil.rmtree(lab.run, ignore_errors=True)
    if arguments.purge:
        shutil.rmtree(lab.cache, ignore_errors=True)
    lab.say("down; nothing of it runs any more")
