# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hardening is worth and what it costs, judged by others: ``python3 tests/bench/hardening`` (as root, on Linux).

Brings up a lab of its own, boots one fresh Debian for each contestant, lets each harden its machine twice, and has OpenSCAP, lynis and
ssh-audit judge it afterwards. The exit status is 0 when the strict profile meets every goal, 1 when it misses one, 2 when something could
not be measured. A rule that fails without a reason in ``accepted.yml``, or passes with one, is a miss.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(CHECKOUT / "tests" / "bench"), str(CHECKOUT / "tests" / "lab")]

from fleetlab.core import Lab, LabError  # noqa: E402
from fleetlab.hosts.fresh import Machine, Rack  # noqa: E402

from hardening import accepted, contestants, report  # noqa: E402
from hardening.audit import AUDITED, Auditors  # noqa: E402
from hardening.measure import Measurer  # noqa: E402
from hardening.results import UnusableAudit  # noqa: E402

ALL = ("before", "devsec", "baseline", "strict")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench/hardening", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(ALL), metavar="NAME,...", help=f"of {', '.join(ALL)}, cis_level1_server, anssi_intermediary")
    parser.add_argument("--suite", default=AUDITED[0], choices=AUDITED, help="Debian release (default %(default)s)")
    parser.add_argument("--failing", action="store_true", help="list what the auditors still say")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--keep", action="store_true", help="leave the lab up, with the machines as they are")
    arguments = parser.parse_args()
    lab = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
    try:
        return bench(lab, arguments)
    except (LabError, UnusableAudit, subprocess.SubprocessError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 2
    finally:
        if not arguments.keep:
            _lab(lab, "down")


def bench(lab: Lab, arguments: argparse.Namespace) -> int:
    reasons = accepted.load()
    chosen = [found for name in arguments.only.split(",") if (found := _contestant(lab, name))]
    auditors = Auditors(lab)
    auditors.prepare()
    _lab(lab, "up", "--only", "metal", "--hosts", FLEET_LAB_SUITES=arguments.suite)
    rack = Rack(lab, "hardening")
    rack.renew([Machine(f"bench-{contestant.name.replace('_', '-')}", arguments.suite, number) for number, contestant in enumerate(chosen, 1)])
    found = []
    for contestant, machine in zip(chosen, rack.machines, strict=True):
        found.append(_one(lab, rack, auditors, contestant, machine))
    print(f"Debian {arguments.suite}; content ssg-debian {auditors.version()}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(report.table(found))
    if arguments.failing:
        print("\n" + "\n\n".join(report.failing(figures) for figures in found))
    if arguments.json:
        arguments.json.write_text(json.dumps([report.as_data(figures) for figures in found], indent=1) + "\n", encoding="utf-8")
    misses = []
    for figures in found:
        if figures.contestant == report.GOAL_OF:
            misses += report.missed(figures) + accepted.faults(figures.audit.openscap, reasons)
    print("\n" + ("\n".join(f"MISSED {miss}" for miss in misses) or "every goal is met"))
    return 1 if misses else 0


def _one(lab: Lab, rack: Rack, auditors: Auditors, contestant: contestants.Contestant, machine: Machine) -> report.Figures:
    measurer = Measurer(lab, rack)
    auditors.furnish(rack, machine)
    keys = "/root/.ssh/authorized_keys"  # a fleet's own key opens root as well
    rack.root(machine, f"mkdir -p /root/.ssh && sed 's/^.*\\(ssh-ed25519\\)/\\1/' /home/*/.ssh/authorized_keys >{keys} && chmod -R go= /root/.ssh")
    runs = ()
    if contestant.playbook:
        lab.say(f"{contestant.name}: first run")
        first = measurer.run(contestant, machine, f"{contestant.name}-1")
        lab.say(f"{contestant.name}: {first.seconds:.0f} s; second run")
        runs = (first, measurer.run(contestant, machine, f"{contestant.name}-2"))
    time.sleep(1)  # sshd limits how fast strangers may come
    reach = measurer.reach(machine)
    lab.say(f"{contestant.name}: the auditors")
    return report.Figures(contestant.name, machine.suite, auditors.audit(rack, machine), reach, runs)


def _contestant(lab: Lab, name: str) -> contestants.Contestant | None:
    if name == "before":
        return contestants.before()
    if name == "devsec":
        found = contestants.peer(lab)
        if found is None:
            lab.say(f"devsec is left out: {contestants.PEER_VARIABLE} does not say where its collection is")
        return found
    return contestants.ours(lab, name)


def _lab(lab: Lab, *words: str, **variables: str) -> None:
    command = [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(lab.root), *words]
    if subprocess.run(command, env={**os.environ, **variables}, check=False).returncode and words[0] == "up":
        raise LabError("the lab does not come up; what it said stands above")


if __name__ == "__main__":
    sys.exit(main())
