# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All tests, from nothing installed: ``python3 tests/run.py``.

Makes its virtual environment, lays the collection out as Ansible wants it, runs the static gates and the tests, brings
up the lab for those that need it, and takes it down again. ``--list`` shows the steps, ``--only`` picks some,
``--all-cores`` runs ansible-test on every supported ansible-core whose Python is on this machine.
"""
from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.controller import ansible_core, environment_with_ansible  # noqa: E402
from fleetlab.core import Lab, LabError, make_venv  # noqa: E402

CORES = {"2.16": "3.11", "2.18": "3.11", "2.19": "3.11", "2.20": "3.12", "2.21": "3.13"}
"""Supported ansible-core -> the Python it is tested with."""

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

HARDENING = ("runs", "swarm", "ways")
"""Files of tests of the suite hardening, tests/integration_lab/test_hardening_<name>.py."""
LOCKOUT = ("safety", "refusals", "examples")
"""Those of the suite lockout, which attacks."""
SITE = {"FLEET_LAB_BOOT": "site-*,rack-*"}
"""The suites of site boot their own nodes only: those of the seeded fleet would take the machine from them."""
PIP_FOR_BOOTSTRAP = {"2.16": "23.1.2", "2.18": "24.2", "2.19": "24.2", "2.20": "25.2", "2.21": "25.2"}


@dataclasses.dataclass
class Outcome:
    """Result of one step. counts: passed, failed, skipped tests where the step runs a test runner."""

    name: str
    ok: bool
    seconds: float
    counts: tuple[int, int, int] = (0, 0, 0)
    failures: tuple[str, ...] = ()
    """The test runner's line for each test that failed."""


class Runner:
    """The steps, and what they share: the environment, the collection's tree, the lab."""

    def __init__(self, core: str) -> None:
        self.core = core
        self.lab = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
        self.logs = self.lab.root / "log"
        self.tree = self.lab.cache / "tree"
        self.collection = self.tree / "ansible_collections" / "hybridops" / "fleet"
        self.bin = Path()
        self.outcomes: list[Outcome] = []

    # -- preparation ------------------------------------------------------------------------------------------
    def prepare(self) -> None:
        """The virtual environment and a copy of the collection where Ansible finds it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.bin = environment_with_ansible(self.lab, f"tests-{self.core}", "tools.txt", self.core) / "bin"
        copy_collection(self.collection)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_COLLECTIONS_PATH": str(self.tree),
            "PYTHONPATH": str(self.tree), "MYPYPATH": str(self.tree), "ANSIBLE_HOME": str(self.lab.cache / "ansible-home"),
            # two labs have hosts of the same addresses, and an open connection to one would be taken for the other's
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.lab.run / "cp"),
            "FLEET_LAB_STATE": str(self.lab.root), "PYTHONDONTWRITEBYTECODE": "1", "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false", "LC_ALL": "C.UTF-8",
        }

    # -- running ----------------------------------------------------------------------------------------------
    def step(self, name: str, *commands: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> bool:
        """Run commands one after another until one fails; their output goes to a log, its end is shown on failure."""
        began = time.monotonic()
        log = self.logs / f"{name}.log"
        ok = True
        with log.open("w", encoding="utf-8") as out:
            for command in commands:
                out.write("$ " + " ".join(command) + "\n")
                out.flush()
                done = subprocess.run(command, cwd=cwd or self.collection, env={**self.environment(), **(env or {})},
                                      stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False)
                if done.returncode:
                    out.write(f"exit status {done.returncode}\n")
                    ok = False
                    break
        text = log.read_text(encoding="utf-8", errors="replace")
        outcome = Outcome(name, ok, time.monotonic() - began, counts(text), failures(text))
        self.outcomes.append(outcome)
        summary = next((line.strip("= ") for line in reversed(text.splitlines()) if re.search(r"\d+ (passed|failed|error)", line)), "")
        print(f"{'ok    ' if ok else 'FAILED'} {name:28} {outcome.seconds:6.0f} s  {summary}", flush=True)
        for line in text.splitlines():
            if line.startswith("SKIPPED"):
                print(f"       {line}", flush=True)
        if not ok:
            print("\n".join("       | " + line for line in text.splitlines()[-80:]), flush=True)
        return ok

    def pytest(self, name: str, *paths: str, env: dict[str, str] | None = None) -> bool:
        # the controller-side tests import the collection by its full name, so they run inside the tree
        return self.step(name, [str(self.bin / "python"), "-m", "pytest", "-q", "-rfEs", "-p", "no:cacheprovider", *paths], env=env)

    # -- the steps --------------------------------------------------------------------------------------------
    def lint(self) -> None:
        self.step("ruff", ["ruff", "check", "."])
        self.step("mypy", ["mypy", "--config-file", str(self.collection / "pyproject.toml"),
                           "-p", "ansible_collections.hybridops.fleet.plugins"], cwd=self.tree)
        self.step("yamllint", ["yamllint", "--strict", "."])
        self.step("ansible-lint", ["ansible-lint", "--profile", "production", "--offline", "--strict"])
        self.step("antsibull-docs", ["antsibull-docs", "lint-collection-docs", ".", "--plugin-docs", "--validate-collection-refs=all"])
        self.step("antsibull-changelog", ["antsibull-changelog", "lint"])

    def units(self) -> None:
        self.pytest("units", "tests/unit")

    def sanity(self) -> None:
        seed_bootstrap(self.bin, self.core)
        self.step("ansible-test-sanity", sanity(PYTHON))

    def ansible_units(self) -> None:
        seed_bootstrap(self.bin, self.core)
        self.step("ansible-test-units", ["ansible-test", "units", "--venv", "--python", PYTHON, "--color", "no"])

    def importer(self) -> None:
        dist = self.lab.cache / "dist"
        shutil.rmtree(dist, ignore_errors=True)
        package = str(dist / f"hybridops-fleet-{version()}.tar.gz")
        self.step("galaxy-importer",
                  ["ansible-galaxy", "collection", "build", "--output-path", str(dist), "--force"],
                  [str(self.bin / "python"), "-m", "galaxy_importer.main", package])
        installed = str(dist / "installed")
        self.step("install-and-verify",
                  ["ansible-galaxy", "collection", "install", package, "-p", installed, "--offline"],
                  ["ansible-galaxy", "collection", "verify", "--offline", "hybridops.fleet", "-p", installed],
                  ["ansible-doc", "-t", "inventory", "hybridops.fleet.nodes"],
                  cwd=dist, env={"ANSIBLE_COLLECTIONS_PATH": installed, "PYTHONPATH": ""})

    def live(self) -> None:
        """Everything that talks to the lab's endpoints. Without hosts: what those change is for the suites of their own."""
        # suites with a name of their own
        others = ("access", "awx", "hosts", "provision", "ssh_hardening", "firewall", "mesh", "swarm", "swarm_life", "kubernetes",
                  "site_swarm", "site_kubernetes", "hardening_fleet",
                  *(f"hardening_{name}" for name in (*HARDENING, *LOCKOUT)))
        ignored = [f"--ignore=tests/integration_lab/test_{name}.py" for name in others]
        self.on_lab("live", [], "tests/contract", "tests/integration_lab", *ignored, booted=False)

    def hosts(self) -> None:
        """The life of the lab's booted hosts behind every cloud."""
        self.on_lab("hosts", [], "tests/integration_lab/test_hosts.py")

    def access(self) -> None:
        """Role access on booted hosts, with every failure that it must survive."""
        self.on_fresh_hosts("access")

    def ssh_hardening(self) -> None:
        """Role ssh_hardening on booted hosts: refusals, the switch, restarts, both address families, beside role access,
        and what an auditor says."""
        audit = self.lab.venv("ssh-audit", CHECKOUT / "tests" / "requirements" / "ssh-audit.txt") / "bin" / "ssh-audit"
        self.on_fresh_hosts("ssh_hardening", {"SSH_AUDIT": str(audit)})

    def firewall(self) -> None:
        """Role firewall on a booted rack: real traffic, refusals, the switch, restore."""
        self.on_lab("firewall", [], "tests/integration_lab/test_firewall.py", only="metal")

    def mesh(self) -> None:
        """Role mesh over two clouds behind NAT and a rack: real traffic, members that come and go, keys, reboot, the preflight, the firewall."""
        self.on_lab("mesh", [], "tests/integration_lab/test_mesh.py", only="ec2,gce,metal")

    def swarm(self) -> None:
        """Docker Swarm on hardened booted hosts: made, used, drained, upgraded, broken, grown, backed up and restored."""
        self.on_lab("swarm", [], "tests/integration_lab/test_swarm.py", only="metal")

    def swarm_life(self) -> None:
        """A swarm that is joined through one manager, and what goes wrong in its life; the examples of clusters' modules."""
        self.on_lab("swarm_life", [], "tests/integration_lab/test_swarm_life.py", only="metal")

    def awx(self) -> None:
        """The whole way as a job of AWX goes it: its runner, a private data folder, values of a survey, no terminal."""
        runner = environment_with_ansible(self.lab, "awx", "awx.txt", self.core) / "bin" / "ansible-runner"
        self.on_lab("awx", [], "tests/integration_lab/test_awx.py", env={"FLEET_AWX_RUNNER": str(runner)}, only="gce")

    def provision(self) -> None:
        """Two nodes on every cloud through all eight steps, again, away again, and killed in between."""
        self.on_lab("provision", [], "tests/integration_lab/test_provision.py")

    def hardening(self) -> None:
        """All hardening roles on booted Debian 11, 12 and 13: fresh, with Docker, in a Swarm, and in every way to use them."""
        self.on_lab("hardening", [], *(f"tests/integration_lab/test_hardening_{name}.py" for name in HARDENING), env=self.releases(), only="metal")

    def hardening_fleet(self) -> None:
        """Playbook harden on a mixed fleet: Debian 11, 12 and 13 of two clouds and of metal, looked at from outside, and back."""
        self.on_lab("hardening_fleet", [], "tests/integration_lab/test_hardening_fleet.py", env=self.releases(), only="gce,openstack,metal")

    @staticmethod
    def releases() -> dict[str, str]:
        return {"FLEET_LAB_SUITES": os.environ.get("FLEET_LAB_SUITES", "bookworm,trixie,bullseye")}

    def lockout(self) -> None:
        """The hardening attacked on booted hosts: switches, restores, refusals, reports, and the examples of its modules."""
        self.on_lab("lockout", [], *(f"tests/integration_lab/test_hardening_{name}.py" for name in LOCKOUT), only="metal")

    def kubernetes(self) -> None:
        """A real cluster by kubeadm on booted hosts: three control planes, two workers, from nothing to a reset. Builds Kubernetes at first."""
        if self.step("kubernetes-build", self.lab_command("kubernetes"), cwd=CHECKOUT):
            self.on_lab("kubernetes", [], "tests/integration_lab/test_kubernetes.py", only="metal")

    def site_swarm(self) -> None:
        """Playbook site on three infrastructures, from nothing to a swarm's service on public addresses; the swarm's life; its end."""
        self.on_lab("site_swarm", [], "tests/integration_lab/test_site_swarm.py", env=SITE, only="gce,openstack,metal")

    def site_kubernetes(self) -> None:
        """The same for Kubernetes with three control planes, which is built at first."""
        if self.step("kubernetes-build", self.lab_command("kubernetes"), cwd=CHECKOUT):
            self.on_lab("site_kubernetes", [], "tests/integration_lab/test_site_kubernetes.py", env=SITE, only="gce,openstack,metal")

    def molecule(self) -> None:
        """Molecule's scenarios of the hardening roles, each on hosts of its own."""
        suites = os.environ.get("FLEET_LAB_SUITES", "bookworm,trixie,bullseye")
        inventory = self.lab.run / "molecule.json"
        variables = {"FLEET_LAB_STATE": str(self.lab.root), "FLEET_LAB_SUITES": suites, "FLEET_MOLECULE_INVENTORY": str(inventory)}
        program = environment_with_ansible(self.lab, "molecule", "molecule.txt", self.core) / "bin" / "molecule"
        make = [sys.executable, "tests/integration_lab/molecule_hosts.py", str(inventory)]
        try:
            if self.step("molecule-lab-up", self.lab_command("up", "--only", "metal", "--hosts"), cwd=CHECKOUT, env=variables):
                for scenario, kind in (("default", "fresh"), ("docker", "docker"), ("lockout", "fresh")):
                    if self.step(f"molecule-{scenario}-hosts", [*make, kind], cwd=CHECKOUT, env=variables):
                        test = self.lab_command("exec", str(program), "test", "--scenario-name", scenario)
                        self.step(f"molecule-{scenario}", test, cwd=CHECKOUT / "extensions", env=variables)
        finally:
            self.step("molecule-lab-down", self.lab_command("down"), cwd=CHECKOUT)

    def conformance(self) -> None:
        """The conformance suite on every cloud of the lab, compared with what the layouts make true."""
        self.on_lab("conformance", [], "tests/conformance")

    def lab_command(self, *words: str) -> list[str]:
        return [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(self.lab.root), *words]

    def on_fresh_hosts(self, name: str, env: dict[str, str] | None = None) -> None:
        """Run the suite of that name on three hosts as their image made them."""
        folder = self.lab.run / name
        boot = [*self.lab_command("exec"), str(self.bin / "python"), "tests/integration_lab/fresh_hosts.py", str(folder), "3"]
        self.on_lab(name, [boot], f"tests/integration_lab/test_{name}.py", env={"FLEET_ACCESS_HOSTS": str(folder / "hosts.json"), **(env or {})})

    def on_lab(
        self, name: str, first: list[list[str]], *paths: str, env: dict[str, str] | None = None, booted: bool = True, only: str = "",
    ) -> None:
        """Bring the lab up and fill it, do what comes first, run the tests, take it down. booted: with a host behind every machine;
        only: parts of the lab that are needed, all when empty."""
        parts = ["--only", only] if only else []
        start = [self.lab_command("up", *parts, *(["--hosts"] if booted else [])), self.lab_command("seed", *parts)]
        variables = {"FLEET_LAB_STATE": str(self.lab.root), **(env or {})}
        try:
            if self.step(f"{name}-lab-up", *start, *first, cwd=CHECKOUT, env=variables):
                self.pytest(name, *paths, env=variables)
        finally:
            self.step(f"{name}-lab-down", self.lab_command("down"), cwd=CHECKOUT)


STEPS: dict[str, Callable[[Runner], None]] = {
    "lint": Runner.lint,
    "units": Runner.units,
    "sanity": Runner.sanity,
    "ansible-units": Runner.ansible_units,
    "importer": Runner.importer,
    "live": Runner.live,
}

EXTRA: dict[str, Callable[[Runner], None]] = {
    "access": Runner.access,
    "awx": Runner.awx,
    "ssh_hardening": Runner.ssh_hardening,
    "firewall": Runner.firewall,
    "hosts": Runner.hosts,
    "mesh": Runner.mesh,
    "provision": Runner.provision,
    "swarm": Runner.swarm,
    "swarm_life": Runner.swarm_life,
    "hardening": Runner.hardening,
    "hardening_fleet": Runner.hardening_fleet,
    "lockout": Runner.lockout,
    "kubernetes": Runner.kubernetes,
    "site_swarm": Runner.site_swarm,
    "site_kubernetes": Runner.site_kubernetes,
    "molecule": Runner.molecule,
    "conformance": Runner.conformance,
}
"""Suites that take too long for every run; each is run by its name, as root."""


def version() -> str:
    """The collection's version, from galaxy.yml."""
    found = re.search(r"^version: (\S+)", (CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise LabError("galaxy.yml tells no version")
    return found[1]


def sanity(python: str) -> list[str]:
    """All sanity tests for one Python; naming it keeps ansible-test from trying others that are half installed."""
    return ["ansible-test", "sanity", "--python", python, "--color", "no"]


def copy_collection(target: Path) -> None:
    """A fresh copy of what git tracks or would track; ansible-test wants a checkout of its own in the right place."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT,
                            check=True, capture_output=True, text=True).stdout.split("\0")
    shutil.rmtree(target, ignore_errors=True)
    for name in filter(None, listed):
        source = CHECKOUT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    subprocess.run(["git", "init", "-q"], cwd=target, check=True)
    subprocess.run(["git", "add", "-A"], cwd=target, check=True)


def seed_bootstrap(binaries: Path, core: str) -> None:
    """ansible-test fetches a get-pip script from a file host; where only a package index is reached, ours does it."""
    cache = Path("~/.ansible/test/cache").expanduser()
    version = PIP_FOR_BOOTSTRAP[core]
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(binaries / "pip"), "download", "-q", "--no-deps", f"pip=={version}", "-d", str(cache)], check=True)
    shutil.copy(CHECKOUT / "tests" / "tools" / "get_pip_shim.py", script)


def counts(text: str) -> tuple[int, int, int]:
    """Passed, failed (errors included) and skipped tests in pytest's closing line; zeros where there is none."""
    line = next((line for line in reversed(text.splitlines()) if re.search(r"\d+ (passed|failed|error)", line)), "")
    found = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", line)}
    return found.get("passed", 0), found.get("failed", 0) + found.get("error", 0), found.get("skipped", 0)


def failures(text: str) -> tuple[str, ...]:
    """Pytest's line for each test that failed or could not be set up."""
    return tuple(line for line in text.splitlines() if re.match(r"(FAILED|ERROR) \S+\.py", line))


def all_cores() -> bool:
    """ansible-test sanity and units on every core; each in a virtual environment of the Python it needs."""
    ok = True
    for core, python in CORES.items():
        interpreter = shutil.which(f"python{python}")
        if not interpreter or subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode:
            print(f"FAILED core {core}: needs python{python} on the PATH", flush=True)
            ok = False
            continue
        runner = Runner(core)
        folder = runner.lab.cache / f"venv-core-{core}"
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            make_venv(folder, interpreter)
            subprocess.run([str(folder / "bin" / "pip"), "install", "-q", f"ansible-core=={core}.*", "-r",
                            str(CHECKOUT / "tests" / "requirements" / "runtime.txt")], check=True)
            (folder / "complete").touch()
        runner.bin = folder / "bin"
        runner.logs = runner.lab.root / "log" / core
        runner.logs.mkdir(parents=True, exist_ok=True)
        copy_collection(runner.collection)
        seed_bootstrap(runner.bin, core)
        print(f"-- ansible-core {core}, Python {python}", flush=True)
        ok &= runner.step("ansible-test-sanity", sanity(python))
        ok &= runner.step("ansible-test-units", ["ansible-test", "units", "--venv", "--python", python, "--color", "no"])
    return ok


def main() -> int:
    """0 when every step passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="STEP,...", help=f"of {', '.join([*STEPS, *EXTRA])}")
    parser.add_argument("--list", action="store_true", help="show the steps")
    parser.add_argument("--all-cores", action="store_true", help="ansible-test sanity and units on every supported core")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join([*STEPS, *(f"{name} (only when named)" for name in EXTRA)]))
        return 0
    try:
        if arguments.all_cores:
            return 0 if all_cores() else 1
        return run(arguments.only.split(",") if arguments.only else list(STEPS))
    except (LabError, subprocess.CalledProcessError) as failure:
        print(f"tests: {failure}", file=sys.stderr)
        return 1


def run(names: list[str]) -> int:
    """Run those steps and print the closing lines."""
    steps = {**STEPS, **EXTRA}
    unknown = [name for name in names if name not in steps]
    if unknown:
        print(f"no such step: {', '.join(unknown)}; there are {', '.join(steps)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    runner = Runner(ansible_core())
    runner.prepare()
    print(f"ansible-core {runner.core}, Python {sys.version.split()[0]}; logs in {runner.logs.relative_to(runner.lab.root.parent)}", flush=True)
    for name in names:
        steps[name](runner)
    broken = [outcome.name for outcome in runner.outcomes if not outcome.ok]
    passed, failed, skipped = (sum(column) for column in zip(*(outcome.counts for outcome in runner.outcomes), strict=True))
    print()
    for outcome in runner.outcomes:  # once more at the end, where also who sees only the last lines finds them
        for line in outcome.failures:
            print(f"{outcome.name}: {line}")
    print(f"{len(runner.outcomes) - len(broken)} steps ok, {len(broken)} failed{': ' + ', '.join(broken) if broken else ''}; "
          f"{time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
