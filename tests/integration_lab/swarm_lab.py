# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A swarm on booted hosts of a rack, for its suite: plays, services, what is running where. Image and a newer engine are made in the hosts."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from ansible_collections.hybridops.fleet.tests.integration_lab.watching import until  # noqa: E402
from fleetlab.core import Lab  # noqa: E402
from fleetlab.hosts.endpoint import inside  # noqa: E402
from fleetlab.hosts.fresh import Machine, Rack  # noqa: E402

TREE = next((parent.parent for parent in Path(__file__).parents if parent.name == "ansible_collections"), None) or os.environ.get(
    "ANSIBLE_COLLECTIONS_PATH", "")
IMAGE = r"""
set -e
mkdir -p /tmp/image/bin /tmp/image/etc && cp /bin/busybox /tmp/image/bin/ && ln -sf busybox /tmp/image/bin/sh
for program in /usr/bin/getent /usr/bin/curl; do
  for file in $program $(ldd $program | grep -o '/[^ ]*') /lib/x86_64-linux-gnu/libnss_dns.so.2 /lib/x86_64-linux-gnu/libresolv.so.2; do
    mkdir -p /tmp/image$(dirname $file) && cp -L $file /tmp/image$file
  done
done
echo 'hosts: dns' >/tmp/image/etc/nsswitch.conf
tar -C /tmp/image -c . | docker import - web:1 >/dev/null
rm -rf /tmp/image
"""
"""A web server, a client and a resolver; no registry is reached from a host. busybox itself cannot resolve names, not even numbers."""
NEWER = r"""
set -e
mkdir -p /srv/mirror && cd /srv/mirror
[ -e Packages ] && exit 0
file=$(ls /srv/repo/docker.io_*.deb)
dpkg-deb -R $file /tmp/newer
sed -i 's/^Version: .*/&.fleet2/' /tmp/newer/DEBIAN/control
dpkg-deb -Zgzip -z1 -b /tmp/newer docker.io_newer.deb >/dev/null
rm -rf /tmp/newer
{ dpkg-deb -f docker.io_newer.deb; echo "Filename: ./docker.io_newer.deb"; echo "Size: $(stat -c %s docker.io_newer.deb)"
  echo "SHA256: $(sha256sum docker.io_newer.deb | cut -d' ' -f1)"; } >Packages
"""
"""The same engine as a newer package in a repository of files, as an offline mirror offers it."""
MIRROR = {"container_engine_source": "vendor", "container_engine_packages": ["docker.io"],
          "container_engine_repository": {"url": "file:///srv/mirror", "suite": "./", "options": "trusted=yes"}}


class Swarm:
    """Machines of a rack, what the inventory says of each, and runs of Ansible over them."""

    def __init__(self, lab: Lab, rack: Rack, folder: Path, machines: Sequence[Machine]) -> None:
        self.lab, self.rack, self.folder, self.all = lab, rack, folder, {machine.name: machine for machine in machines}
        self.hosts: dict[str, dict[str, Any]] = {}

    def member(self, name: str, role: str = "", **more: Any) -> None:
        machine = self.all[name]
        self.hosts[name] = {**self.rack.variables(machine), "fleet_cluster_role": role, "fleet_private_ipv4": machine.private,
                            "fleet_public_ipv4": machine.ipv4, "fleet_arch": "x86_64", **more}

    def play(self, book: str, *words: str, ok: bool = True, seconds: float = 580, **variables: Any) -> str:
        """One of the collection's playbooks, or a play in YAML, over all members."""
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": self.hosts}}), encoding="utf-8")
        if "\n" in book:
            (self.folder / "play.yml").write_text(book, encoding="utf-8")
            book = str(self.folder / "play.yml")
        environment = {
            **os.environ, "HOME": str(self.folder), "ANSIBLE_COLLECTIONS_PATH": str(TREE), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_HOME": str(self.folder / ".ansible"), "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_FORKS": "10", "ANSIBLE_TIMEOUT": "60",
            "LC_ALL": "C.UTF-8"}
        program = Path(sys.executable).with_name("ansible-playbook")
        given = {"fleet_cluster": "swarm", **variables}
        began = time.monotonic()
        done = subprocess.run([*inside(self.lab), str(program), "-i", str(inventory), book, "-e", json.dumps(given), *words],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds,
                              env=environment, check=False)
        self.took = time.monotonic() - began
        (self.folder / "out").write_text(done.stdout, encoding="utf-8")
        print(f"{Path(book).name}: {self.took:.0f} s, {len(self.hosts)} hosts")
        telling = "\n".join(line[:800] for line in done.stdout.splitlines() if re.match(r"fatal|\[ERROR|TASK|changed:", line))
        assert (done.returncode == 0) is ok, telling
        assert "Traceback" not in done.stdout, telling
        assert "SWMTKN" not in done.stdout and "SWMKEY" not in done.stdout, "a secret of the swarm is in the output"
        self.changed = sum(int(number) for number in re.findall(r"changed=(\d+)", done.stdout))
        self.changes = re.findall(r"^changed: \[[^\]]+\].*$", done.stdout, re.MULTILINE)
        return done.stdout

    def wait(self, *names: str) -> None:
        """Return when these let Ansible in: cloud-init ends a moment before sshd is there on a busy machine."""
        self.rack.wait()
        for name in names:
            until(lambda name=name: self.rack.ssh(self.all[name], "sudo -n true").returncode == 0, f"{name} lets us in")  # type: ignore[misc]

    # -- what runs ----------------------------------------------------------------------------------------------
    def root(self, name: str, script: str, check: bool = True) -> str:
        return self.rack.root(self.all[name], script, check=check, timeout=120).stdout.strip()

    def nodes(self, manager: str) -> dict[str, str]:
        """Host name -> status, availability, part in the management."""
        rows = self.root(manager, "timeout 20 docker node ls --format '{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}'").splitlines()
        return {line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in rows}

    def leader(self, *managers: str) -> str:
        """Raises AssertionError when there is none."""
        for name in managers:
            for node, status in (self.nodes(name) if self.rack.container(self.all[name]).ready() else {}).items():
                if status.endswith("Leader"):
                    return node
        raise AssertionError(f"no leader among {managers}")

    def serve(self, manager: str, replicas: int = 2) -> None:
        """A service that is found by name (dnsrr) and published on port 8080 of the hosts that run it, and a client on every node."""
        self.root(manager, f"""
          docker network create -d overlay --attachable inner >/dev/null
          docker service create -d --name web --endpoint-mode dnsrr --network inner --replicas {replicas} --restart-delay 1s --no-resolve-image \
            --publish mode=host,target=80,published=8080 web:1 /bin/busybox sh -c \
            'hostname >/index.html; exec /bin/busybox httpd -f -p 80 -h /' >/dev/null
          docker service create -d --name client --mode global --endpoint-mode dnsrr --network inner --no-resolve-image web:1 \
            /bin/busybox sleep 100000 >/dev/null""")

    def answers(self) -> set[str]:
        """Hosts on whose public address the service answers somebody outside."""
        return {name for name in self.hosts if self._fetch(self.all[name])}

    def served(self) -> bool:
        """Whether the service answers on any host."""
        return any(self._fetch(machine) for name, machine in self.all.items() if name in self.hosts)

    def _fetch(self, machine: Machine) -> bool:
        command = [*inside(self.lab), "curl", "-s", "-o", "/dev/null", "--max-time", "3", f"http://{machine.ipv4}:8080/index.html"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def seen_from(self, name: str) -> tuple[int, int]:
        """From a container on that node: how many addresses the service has by its name, and how many of them answer."""
        out = self.root(name, """
          id=$(docker ps -q --filter label=com.docker.swarm.service.name=client | head -1)
          for address in $(docker exec $id /usr/bin/getent ahostsv4 web | awk '$2 == "STREAM" {print $1}'); do
            echo known; docker exec $id /usr/bin/curl -s -m 4 http://$address/index.html >/dev/null && echo answers
          done""", check=False)
        return out.count("known"), out.count("answers")


def load(swarm: Swarm, *names: str) -> None:
    """The image on these nodes."""
    for name in names:
        swarm.root(name, "apt-get install -y -qq busybox-static >/dev/null; " + IMAGE)
