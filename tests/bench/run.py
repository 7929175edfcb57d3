# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an inventory costs, ours beside the clouds' own plugins: ``python3 tests/bench/run.py``.

Makes its virtual environment, serves recorded clouds on loopback, measures every plugin on the same pages, prints the
figures beside their goals. Takes a quarter of an hour, most of it the upstream plugins at 10,000 hosts; for a quick
look: ``--hosts 1000`` or ``--skip-upstream``. The exit status does not depend on the figures.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tests" / "bench"), str(CHECKOUT / "tests" / "lab")]

from fleetbench import compare, report  # noqa: E402
from fleetbench.environment import Environment, better_python  # noqa: E402
from fleetbench.measure import MeasuringError  # noqa: E402
from fleetlab.core import Lab, LabError  # noqa: E402

SIZES = (1_000, 10_000)


def main() -> int:
    """0 when every measurement came about, whatever its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--hosts", type=int, action="append", metavar="N", help="size to measure; may be repeated (1000, 10000)")
    parser.add_argument("--skip-upstream", action="store_true", help="measure ours only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument(
        "--this-python", action="store_true", help="do not look for a Python that runs a newer ansible-core")
    arguments = parser.parse_args()
    other = None if arguments.this_python else better_python()
    if other:
        return subprocess.run([other, *sys.argv, "--this-python"], check=False).returncode
    try:
        return run(sorted(arguments.hosts or SIZES), upstream=not arguments.skip_upstream, target=arguments.json)
    except (LabError, subprocess.CalledProcessError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1


def run(sizes: list[int], *, upstream: bool, target: Path | None) -> int:
    """Measure, print as the figures come, write them to target."""
    lab = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
    environment = Environment(lab)
    versions = environment.versions()
    print(report.heading(versions, os.cpu_count() or 1, os.getloadavg()[0]), flush=True)
    failures: list[MeasuringError] = []
    figures: dict[str, object] = {"versions": versions, "cores": os.cpu_count(), "duels": []}
    try:
        lab.say("start-up")
        start_up = compare.start_up(environment)
        figures["start_up"] = start_up
        print("\n" + "\n".join(report.start_up_lines(start_up)), flush=True)
        fleet = compare.fleet(environment, sizes[-1], lab.say)
        figures["fleet"] = fleet
        print("\n" + "\n".join(report.fleet_lines(fleet)), flush=True)
    except MeasuringError as failure:
        failures.append(failure)
    print("\n" + report.duel_heading(), flush=True)
    duels: list[compare.Duel] = []
    for hosts in sizes:
        for outcome in compare.duels(environment, hosts, upstream=upstream, say=lab.say):
            if isinstance(outcome, MeasuringError):
                failures.append(outcome)
            else:
                duels.append(outcome)
                print(report.duel_row(outcome), flush=True)
    for failed in failures:
        print(f"bench: {failed}", file=sys.stderr)
    if target:
        figures["duels"] = [compare.as_data(duel) for duel in duels]
        figures["failures"] = [str(failed) for failed in failures]
        target.write_text(json.dumps(compare.as_data(figures), indent=1) + "\n", encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
