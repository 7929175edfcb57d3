# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A snapshot of this control plane's etcd, taken by the etcdctl in its own pod. Needs Python 3.7 and crictl.

``etcd-snapshot.py FILE`` writes one; ``etcd-snapshot.py FOLDER NUMBER`` writes one more into the folder and keeps the newest of them.
Whoever has such a file has every secret of the cluster: files are root's own (0600), folders too (0700).
"""
import os
import re
import shutil
import subprocess
import sys
import time

MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"
SOCKETS = ("/run/containerd/containerd.sock", "/run/crio/crio.sock")
KEYS = ["--cacert=/etc/kubernetes/pki/etcd/ca.crt", "--cert=/etc/kubernetes/pki/etcd/peer.crt", "--key=/etc/kubernetes/pki/etcd/peer.key"]
WITHIN = 300  # seconds for one step


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=WITHIN, check=False)
    if done.returncode:
        raise SystemExit("etcd snapshot: {}: {}".format(" ".join(words[:3]), (done.stderr or done.stdout).strip()[-400:]))
    return done.stdout


def data_folder():
    """It is the same in the pod and on the node."""
    with open(MANIFEST) as file:
        found = re.search(r"--data-dir=(\S+)", file.read())
    return found.group(1) if found else "/var/lib/etcd"


def take(target):
    """Whole or not at all."""
    socket = next((path for path in SOCKETS if os.path.exists(path)), SOCKETS[0])
    crictl = ["crictl", "--runtime-endpoint", "unix://" + socket]
    ids = run(*crictl, "ps", "--quiet", "--state", "running", "--label", "io.kubernetes.container.name=etcd").split()
    if not ids:
        raise SystemExit("etcd snapshot: no etcd runs on this node")
    between = os.path.join(data_folder(), ".snapshot")
    try:
        run(*crictl, "exec", ids[0], "etcdctl", "--endpoints=https://127.0.0.1:2379", *KEYS, "snapshot", "save", between)
        run(*crictl, "exec", ids[0], "etcdutl", "snapshot", "status", between)
        shutil.move(between, target + ".new")  # it may be another disk
        os.chmod(target + ".new", 0o600)
        os.rename(target + ".new", target)
    finally:
        for path in (between, between + ".part", target + ".new"):
            if os.path.exists(path):
                os.unlink(path)


def main():
    os.umask(0o077)
    target = sys.argv[1]
    if len(sys.argv) == 2:
        take(target)
        return
    os.makedirs(target, mode=0o700, exist_ok=True)
    os.chmod(target, 0o700)
    take(os.path.join(target, time.strftime("etcd-%Y%m%dT%H%M%SZ.db", time.gmtime())))
    there = sorted(name for name in os.listdir(target) if re.fullmatch(r"etcd-\d{8}T\d{6}Z\.db", name))
    for name in there[:-int(sys.argv[2])]:
        os.unlink(os.path.join(target, name))


if __name__ == "__main__":
    main()
