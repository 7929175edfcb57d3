# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's AWS accounts: who may call, and the role the second account lends to the first.

Keys are made anew for every lab; none is in the source.
"""

from __future__ import annotations

import json
import secrets
import string
from pathlib import Path

MAIN = "111111111111"
SECOND = "222222222222"
ROLE = f"arn:aws:iam::{SECOND}:role/fleet-reader"
ADMIN_ROLE = f"arn:aws:iam::{SECOND}:role/fleet-admin"
EXTERNAL_ID = "fleet-lab"
# role -> actions its policy allows
ROLES = {ROLE: ["ec2:Describe*", "ec2:Get*"], ADMIN_ROLE: ["ec2:*"]}

# user name -> (account, actions its policy allows)
USERS = {
    "fleet": (MAIN, ["ec2:*", "sts:*", "ssm:*"]),
    "denied": (MAIN, ["sts:*"]),  # signs rightly, may do nothing with EC2
    "owner": (SECOND, ["ec2:*", "sts:*", "ssm:*"]),  # fills the second account; nobody's profile
}
Keys = dict[str, dict[str, str]]


def make_keys() -> Keys:
    """A fresh key pair for each user: {user: {"id": ..., "secret": ...}}."""
    letters = string.ascii_uppercase + "234567"
    return {
        user: {"id": "AKIA" + "".join(secrets.choice(letters) for _number in range(16)), "secret": secrets.token_urlsafe(30)}
        for user in USERS
    }


def allow(actions: list[str]) -> str:
    """An identity policy that allows those actions on everything."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})


def trust(account: str, external_id: str) -> str:
    """A trust policy: that account may assume the role when it names the external id."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
                }
            ],
        }
    )


def write_profiles(folder: Path, keys: Keys) -> None:
    """The files `config` and `credentials` as the AWS tools read them, readable by their owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    common = "region = us-east-1\noutput = json\n"
    _write_private(
        folder / "config",
        (
            f"[profile lab]\n{common}\n"
            f"[profile lab-second]\nrole_arn = {ROLE}\nsource_profile = lab\nexternal_id = {EXTERNAL_ID}\n"
            f"role_session_name = fleet-lab\n{common}\n"
            f"[profile lab-second-admin]\nrole_arn = {ADMIN_ROLE}\nsource_profile = lab\nexternal_id = {EXTERNAL_ID}\n"
            f"role_session_name = fleet-lab\n{common}\n"
            f"[profile lab-denied]\n{common}"
        ),
    )
    _write_private(
        folder / "credentials",
        "\n".join(
            f"[{profile}]\naws_access_key_id = {keys[user]['id']}\naws_secret_access_key = {keys[user]['secret']}\n"
            for profile, user in (("lab", "fleet"), ("lab-denied", "denied"))
        ),
    )


def load_keys(path: Path) -> Keys:
    """The lab's keys; made and written on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_private(path, json.dumps(make_keys()))
    keys: Keys = json.loads(path.read_text(encoding="utf-8"))
    return keys


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
