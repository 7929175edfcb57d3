# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Volumes and key pairs: what is beside the instances of a region."""
from __future__ import annotations

import dataclasses

from ...errors import FleetError
from ..actions import MARK, StoredKey
from . import filters, xmltree
from .client import Ec2
from .operations import DELETE_KEY, DELETE_VOLUME, IMPORT_KEY, KEY_PAIRS, VOLUMES


@dataclasses.dataclass(frozen=True, slots=True)
class Volumes:
    """Volumes of one region that stayed when their node went: somebody may have told EC2 to keep them."""

    ec2: Ec2
    region: str

    def marked(self, node: str) -> list[str]:
        """Ids of those made for a node and attached to nothing."""
        wanted = [filters.exactly(f"tag:{MARK}", [node]), filters.exactly("status", ["available"])]
        return [item.findtext("volumeId", "") for item in self.ec2.items(self.region, VOLUMES, {"Filters": wanted})]

    def remove(self, node: str) -> list[str]:
        """Delete them; what was done."""
        done = []
        for volume in self.marked(node):
            try:
                self.ec2.ask(self.region, DELETE_VOLUME, {"VolumeId": volume})
            except FleetError as failure:
                if failure.code != "not_found":
                    raise
            done.append(f"volume {volume}")
        return done


@dataclasses.dataclass(frozen=True, slots=True)
class Keys:
    """The key pairs of one region."""

    ec2: Ec2
    region: str

    def find(self, name: str) -> StoredKey | None:
        wanted = {"Filters": [filters.exactly("key-name", [name])], "IncludePublicKey": True}
        for item in self.ec2.items(self.region, KEY_PAIRS, wanted):
            if item.findtext("keyName") == name:
                public = item.findtext("publicKey")
                ours = xmltree.tags(item).get(MARK) == name
                return StoredKey(name, item.findtext("keyFingerprint"), " ".join(public.split()) if public else None, ours)
        return None

    def add(self, name: str, public_key: str) -> None:
        tags = [{"Key": MARK, "Value": name}]
        try:
            self.ec2.ask(self.region, IMPORT_KEY, {
                "KeyName": name, "PublicKeyMaterial": public_key.encode(), "TagSpecifications": [{"ResourceType": "key-pair", "Tags": tags}]})
        except FleetError as failure:
            if failure.code != "exists":
                raise
            known = self.find(name)
            if known is None or known.public_key is None or known.public_key.split()[:2] != public_key.split()[:2]:
                raise FleetError(
                    f"add key {name}", code="key_differs", why="EC2 has another key of that name",
                    fix="Choose another name, or remove the key that is there first.") from None

    def remove(self, name: str) -> bool:
        if self.find(name) is None:
            return False
        self.ec2.ask(self.region, DELETE_KEY, {"KeyName": name})
        return True
