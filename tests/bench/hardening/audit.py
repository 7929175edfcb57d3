# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Independent auditors on a lab host: OpenSCAP with Debian's own content, lynis, ssh-audit.

They are run past the host's sshd and PAM, so that they see a host that shut everybody out as well.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

from fleetlab.core import Lab, LabError
from fleetlab.hosts import base
from fleetlab.hosts.endpoint import inside
from fleetlab.hosts.fresh import VERSIONS, Machine, Rack

from . import results

PROFILES = ("cis_level1_server", "cis_level2_server", "anssi_bp28_minimal", "anssi_bp28_intermediary", "anssi_bp28_enhanced")
_FEWEST = {"anssi_bp28_minimal": 20}  # which has 36 rules in all
CONTENT_RELEASE = "sid"
"""The content of a stable Debian does not know that Debian itself; it is data only, so the newest is taken."""
AUDITED = ("bookworm", "trixie")  # bullseye has no OpenSCAP, and the content has neither CIS nor BP-028 for it
FURNISHING = (  # what a cloud image has and the lab's lean base lacks: it makes most of the content's rules applicable
    "linux-base", "grub2-common", "systemd-timesyncd", "unattended-upgrades", "rsyslog")
_AUDITORS = ("openscap-scanner", "lynis")
_STAND_INS = r"""set -e
# The kernel lets no container have its audit socket or its clock: sleeping processes stand for the daemons, so that roles which install them come to
# their end. Nothing boots by a boot loader: GRUB's own scripts write its configuration for a disk and a kernel that are names only.
for folder in /sbin /usr/sbin; do
  for program in auditd auditctl grub-probe; do
    dpkg-divert --quiet --local --rename --divert $folder/$program.real --add $folder/$program
  done
done
printf '%s\n' '#!/bin/sh' 'sleep infinity & echo $! >/run/auditd.pid' >/usr/sbin/auditd
printf '%s\n' '#!/bin/sh' 'exit 0' >/usr/sbin/auditctl
cat >/usr/sbin/grub-probe <<'SCRIPT'
#!/bin/sh
case "$*" in
  *target=device*|*-t\ device*) echo /dev/vda1;;
  *fs_uuid*) echo 5f0a3c5e-6d0e-4c55-9d3a-0d5b5f6f7a11;;
  *target=fs\ *|*target=fs|*-t\ fs*) echo ext2;;
  *partmap*) echo gpt;;
esac
SCRIPT
chmod 755 /usr/sbin/auditd /usr/sbin/auditctl /usr/sbin/grub-probe
mkdir -p /boot/grub /etc/default
[ -e /etc/default/grub ] || printf '%s\n' GRUB_DISTRIBUTOR=Debian 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"' 'GRUB_CMDLINE_LINUX=""' >/etc/default/grub
echo kernel >/boot/vmlinuz-0-lab-amd64
for unit in systemd-timesyncd chrony; do
  mkdir -p /etc/systemd/system/$unit.service.d
  cat >/etc/systemd/system/$unit.service.d/lab.conf <<'UNIT'
[Unit]
ConditionVirtualization=
ConditionCapability=
[Service]
Type=simple
PIDFile=
ExecStart=
ExecStart=/bin/sleep infinity
AmbientCapabilities=
CapabilityBoundingSet=
UNIT
done
"""
_FOLDER = "/opt/audit"
_SSH_AUDIT = Path(__file__).resolve().parents[2] / "requirements" / "ssh-audit.txt"


@dataclasses.dataclass(frozen=True)
class Audit:
    """All figures of one host."""

    openscap: tuple[results.OpenScap, ...]
    lynis: results.Lynis
    ssh_audit: results.SshAudit

    def profile(self, name: str) -> results.OpenScap:
        return next(found for found in self.openscap if found.profile == name)


class Auditors:
    """The auditors of one lab, kept in its cache."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._cache = lab.cache / "audit"

    def prepare(self) -> None:
        """Fetch what is missing. Raises LabError where something cannot be had."""
        self._cache.mkdir(parents=True, exist_ok=True)
        content = self._cache / "content"
        if not content.exists():
            package = base.fetch_package(CONTENT_RELEASE, "ssg-debian", self._cache)
            spare = self._cache / "content.new"
            shutil.rmtree(spare, ignore_errors=True)
            subprocess.run(["dpkg-deb", "--extract", str(package), str(spare)], check=True)
            spare.rename(content)
        self._ssh_audit()

    def version(self) -> str:
        """Of the content."""
        return next((file.name.split("_")[1] for file in sorted(self._cache.glob("ssg-debian_*.deb"))), "unknown")

    def _ssh_audit(self) -> Path:
        return self._lab.venv("ssh-audit", _SSH_AUDIT) / "bin" / "ssh-audit"

    def furnish(self, rack: Rack, machine: Machine) -> None:
        """What every contestant's host has before anything is done to it."""
        rack.root(machine, _STAND_INS)
        names = " ".join((*FURNISHING, *_AUDITORS))
        rack.root(machine, f"apt-get -qq update && apt-get install -y -qq --no-install-recommends {names} >/dev/null && update-grub 2>&1")
        leader = rack.container(machine).leader()
        source = self._cache / f"content/usr/share/xml/scap/ssg/content/ssg-debian{VERSIONS[machine.suite]}-ds.xml"
        target = Path(f"/proc/{leader}/root{_FOLDER}")
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / "content.xml")

    def audit(self, rack: Rack, machine: Machine, profiles: tuple[str, ...] = PROFILES) -> Audit:
        """Raises UnusableAudit when an auditor's answer says nothing, LabError when one does not run."""
        rack.root(machine, 'for _ in $(seq 300); do [ -n "$(systemctl list-jobs --no-legend)" ] || break; sleep 1; done')  # begun in the background
        return Audit(tuple(self.openscap(rack, machine, profile) for profile in profiles), self.lynis(rack, machine), self.ssh_audit(machine))

    def openscap(self, rack: Rack, machine: Machine, profile: str) -> results.OpenScap:
        script = f"""cd {_FOLDER} && rm -f {profile}.xml && umask 077
oscap xccdf eval --profile xccdf_org.ssgproject.content_profile_{profile} --results {profile}.xml content.xml >{profile}.out 2>{profile}.err
status=$?; [ $status = 0 ] || [ $status = 2 ] || {{ tail -5 {profile}.err >&2; exit 1; }}"""
        rack.root(machine, script)
        return results.openscap(profile, self._read(rack, machine, f"{_FOLDER}/{profile}.xml"), _FEWEST.get(profile, results.FEWEST_RULES))

    def lynis(self, rack: Rack, machine: Machine) -> results.Lynis:
        rack.root(machine, f"cd {_FOLDER} && rm -f lynis.dat && lynis audit system --quick --no-colors --report-file {_FOLDER}/lynis.dat "
                           f"--logfile {_FOLDER}/lynis.log >lynis.out 2>&1", check=False)
        return results.lynis(self._read(rack, machine, f"{_FOLDER}/lynis.dat"))

    def ssh_audit(self, machine: Machine) -> results.SshAudit:
        done = subprocess.run(
            [*inside(self._lab), str(self._ssh_audit()), "--json", "--skip-rate-test", "--timeout", "10", machine.ipv4],
            capture_output=True, text=True, check=False)
        return results.ssh_audit(done.stdout or done.stderr)

    @staticmethod
    def _read(rack: Rack, machine: Machine, path: str) -> str:
        try:
            return Path(f"/proc/{rack.container(machine).leader()}/root{path}").read_text(encoding="utf-8", errors="replace")
        except OSError as failure:
            raise LabError(f"{machine.name}: the auditor left nothing at {path}: {failure.strerror}") from None
