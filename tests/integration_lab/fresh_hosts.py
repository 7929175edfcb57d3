# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Boots hosts as their image made them, for the tests of role access: ``fresh_hosts.py FOLDER NUMBER`` writes FOLDER/hosts.json."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CLOUD, NETWORK, IMAGE, FLAVOR = "provider", "Ext-Net", "Debian 12", "m1.tiny"
KEY = "access-tests"


def main(folder: Path, number: int) -> int:
    import openstack

    folder.mkdir(parents=True, exist_ok=True)
    private = folder / "key"
    if not private.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(private)], check=True)
    cloud = openstack.connect(cloud=CLOUD)
    if cloud.compute.find_keypair(KEY):
        cloud.compute.delete_keypair(KEY)
    cloud.compute.create_keypair(name=KEY, public_key=(folder / "key.pub").read_text(encoding="utf-8"))
    image, flavor = cloud.image.find_image(IMAGE), cloud.compute.find_flavor(FLAVOR)
    network = cloud.network.find_network(NETWORK)
    servers = [
        cloud.compute.create_server(name=f"access-{place}", image_id=image.id, flavor_id=flavor.id, networks=[{"uuid": network.id}], key_name=KEY)
        for place in range(1, number + 1)]
    hosts = []
    for server in servers:
        ready = cloud.compute.wait_for_server(server, wait=300)
        address = next(row["addr"] for row in ready.addresses[NETWORK] if row["version"] == 4)
        hosts.append({"name": ready.name, "address": address, "private_key_file": str(private)})
    lab = str(Path(__file__).resolve().parents[1] / "lab")
    text = json.dumps({"exec": [sys.executable, lab, "exec"], "hosts": hosts})
    (folder / "hosts.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), int(sys.argv[2])))
