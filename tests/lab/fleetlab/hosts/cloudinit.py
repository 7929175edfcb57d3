# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an image of a cloud brings with it: cloud-init's settings, and for metal the seed that its installer would have left."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from .model import Host
from .network import METADATA

# What cloud-init looks for on the mainboard to know the cloud; in a container it takes PID 1's environment.
PRODUCTS = {"openstack": "OpenStack Nova", "ec2": "Amazon EC2", "gce": "Google Compute Engine", "metal": "Metal"}
_SOURCES = {"openstack": "OpenStack", "ec2": "Ec2", "gce": "GCE", "metal": "NoCloud"}


def config(host: Host) -> str:
    """The cloud.cfg.d file of the image this host was made from (JSON is YAML)."""
    only_v6 = not any(address.version == 4 for nic in host.nics for address in nic.addresses)
    url = f"http://[{METADATA[1]}]" if only_v6 else f"http://{METADATA[0]}"
    patience = {"timeout": 5, "max_wait": 30}
    settings: dict[str, object] = {
        "datasource": {
            "Ec2": {"strict_id": False, "metadata_urls": [url], **patience},
            "OpenStack": {"metadata_urls": [url], "apply_network_config": False, **patience},
            "GCE": {"metadata_url": f"{url}/computeMetadata/v1/"},
        },
    }
    if host.user is None or host.user == "root":
        settings["users"] = []
        settings["disable_root"] = host.user is None
    else:
        settings["users"] = ["default"]
        settings["system_info"] = {
            "default_user": {
                "name": host.user,
                "gecos": "Cloud user",
                "lock_passwd": True,
                "groups": ["adm", "sudo"],
                "sudo": ["ALL=(ALL) NOPASSWD:ALL"],
                "shell": "/bin/bash",
            }
        }
    if host.cloud == "gce":
        settings["manage_etc_hosts"] = False  # the image's own hosts file names the metadata server
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in settings.items()]
    return f"#cloud-config\ndatasource_list: [ {_SOURCES[host.cloud]} ]\n" + "".join(lines)  # ds-identify, a shell script, reads this line


def seed(host: Host, install_key: str, password: str | None) -> dict[str, str]:
    """NoCloud's files for a metal machine: the installer's key, and for one machine a password login left on."""
    keys = [str(key) for key in host.metadata.get("public_keys", [])] or [install_key]
    user_data = str(host.metadata.get("user_data") or "#cloud-config\n{}\n")
    if password and host.user:
        user_data = "#cloud-config\n" + json.dumps({"ssh_pwauth": True, "chpasswd": {"expire": False, "list": f"{host.user}:{password}\n"}}) + "\n"
    meta = {"instance-id": host.ident, "local-hostname": host.hostname, "public-keys": keys}
    return {"meta-data": json.dumps(meta) + "\n", "user-data": user_data}


def without_account(table: str, user: str) -> str:
    """passwd, shadow, group or gshadow without that name."""
    return "".join(line for line in table.splitlines(keepends=True) if line.split(":")[0] != user)


def write(upper: Path, host: Host, base: Path, install_key: str, password: str | None) -> None:
    """Lay the image's own settings over the base."""
    _put(upper, "etc/cloud/cloud.cfg.d/90_image.cfg", config(host))
    # a user's manager that is being stopped holds up that user's next login, in a container on a busy machine for longer than ssh waits
    _put(upper, "etc/systemd/logind.conf.d/10-lab.conf", "[Login]\nUserStopDelaySec=infinity\n")
    if host.user and host.user != "root":
        for name in ("passwd", "shadow", "group", "gshadow"):
            table = (base / "etc" / name).read_text(encoding="utf-8")
            if any(line.split(":")[0] == host.user for line in table.splitlines()):  # of a daemon; here it is a person's
                _put(upper, f"etc/{name}", without_account(table, host.user))
                _like(upper / "etc" / name, base / "etc" / name)
    if host.cloud == "gce":
        _put(
            upper,
            "etc/hosts",
            f"127.0.0.1 localhost\n127.0.1.1 {host.hostname}\n::1 localhost ip6-localhost\n"
            f"{_metadata_address(host)} metadata.google.internal metadata\n",
        )
        _link(upper, "etc/systemd/system/multi-user.target.wants/lab-google-guest-agent.service", "../lab-google-guest-agent.service")
    if host.cloud == "metal":
        for name, text in seed(host, install_key, password).items():
            _put(upper, f"var/lib/cloud/seed/nocloud/{name}", text)
    port = host.metadata.get("ssh_port")
    if port not in (None, 22):
        _put(upper, "etc/ssh/sshd_config.d/10-port.conf", f"Port {port}\n")
    _folders(upper, base, ["etc", "var", "etc/systemd", "etc/systemd/system"])


def _metadata_address(host: Host) -> str:
    v4 = any(address.version == 4 for nic in host.nics for address in nic.addresses)
    return METADATA[0] if v4 else METADATA[1]


def _put(upper: Path, name: str, text: str) -> None:
    path = upper / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _link(upper: Path, name: str, target: str) -> None:
    path = upper / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def _like(path: Path, model: Path) -> None:
    status = model.stat()
    os.chown(path, status.st_uid, status.st_gid)
    path.chmod(status.st_mode & 0o7777)


def _folders(upper: Path, base: Path, names: Iterable[str]) -> None:
    """A folder of the overlay shows the mode and owner of its upper half."""
    for name in names:
        if (upper / name).is_dir() and (base / name).is_dir():
            _like(upper / name, base / name)
