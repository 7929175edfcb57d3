# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The account to log in with, its reason, and what else to try. Pure: evidence in, decision out.

Rule order, strongest first:
1. what the operator says: the fleet file, then the node's own tags or metadata;
2. aws: platform Windows, owner and name of the AMI, its name alone, its owner alone, the platform billed for;
   gce: OS Login (nobody but Google knows the user), else the users of the SSH keys in the metadata;
   openstack, metal and any other: the image's properties image_original_user, ssh_user, os_admin_user (not its
   default, root), then the distribution by os_distro and name, the name being the more honest of the two;
3. otherwise unknown, with what is worth trying.
The distribution alone is never the key: the same one has different users on different clouds (tables in
``login_tables``). Whatever is decided here is a claim that only a login proves.
"""
from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from . import distro as distributions
from . import login_tables as tables
from .shape import Image, LoginEvidence

# user, DOMAIN\user, user@domain. Anything else (an ssh option, a template, a line break) must not get to ssh.
_USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,127}\$?")
_GLANCE_DEFAULT_ADMIN = "root"


@dataclasses.dataclass(frozen=True, slots=True)
class LoginDecision:
    """value: the login user, None when it is unknown or when nobody can log in; why: the reason, for an operator;
    candidates: the users to try in order, value first, empty when trying is pointless."""

    value: str | None
    why: str
    candidates: tuple[str, ...]


class _ImageFacts(NamedTuple):
    """The few strings that decide by image: the key under which answers are kept, as fleets share few images."""

    provider: str
    name: str | None
    distro: str | None
    version: str | None
    owner: str | None
    platform: str | None
    original_user: str | None
    ssh_user: str | None
    admin_user: str | None
    os_distro: str | None
    os_version: str | None
    os_type: str | None


def decide(
    provider: str,
    image: Image,
    evidence: LoginEvidence,
    *,
    operator: str | None = None,
    operator_why: str = "the fleet file's login_user",
) -> LoginDecision:
    """The login user of one node.

    provider: openstack, aws, gce, metal or a newer one, which is judged by its image alone. operator: user the fleet
    file names for the cloud, operator_why says where it stands.
    """
    if operator:
        return LoginDecision(operator, operator_why, (operator,))
    ignored: list[str] = []
    for key in tables.NODE_KEYS:
        told = evidence.metadata.get(key)
        if told:
            source = f"node {tables.NODE_WORDS.get(provider, 'metadata')} {key}"
            if _USER_NAME.fullmatch(told):
                return LoginDecision(told, source, (told,))
            ignored.append(source)
    if provider == "gce":
        decision = _from_keys(evidence.os_login, evidence.key_users, evidence.key_source, image.distro)
    else:
        decision = _from_image(_facts(provider, image, evidence))
    return _with_ignored(decision, ignored)


def _facts(provider: str, image: Image, evidence: LoginEvidence) -> _ImageFacts:
    told = evidence.image_properties.get
    return _ImageFacts(
        provider=provider,
        name=image.name,
        distro=image.distro,
        version=image.version,
        owner=evidence.image_owner,
        platform=evidence.platform,
        original_user=told("image_original_user"),
        ssh_user=told("ssh_user"),
        admin_user=told("os_admin_user"),
        # the long names are those of Rackspace's images
        os_distro=told("os_distro") or told("org.openstack__1__os_distro"),
        os_version=told("os_version") or told("org.openstack__1__os_version"),
        os_type=told("os_type"),
    )


def _with_ignored(decision: LoginDecision, ignored: list[str]) -> LoginDecision:
    if not ignored:
        return decision
    note = f"{decision.why} ({' and '.join(ignored)} ignored: not a user name)"
    return dataclasses.replace(decision, why=note)


# --------------------------------------------------------------------------------------------------- gce
@lru_cache(maxsize=4096)
def _from_keys(os_login: str, key_users: tuple[str, ...], key_source: str, distro: str | None) -> LoginDecision:
    """Google's images have no default user; the guest agent makes the users of the keys in the metadata."""
    if distro == "windows":
        return LoginDecision(None, "Windows image: no SSH user; make a Windows user with reset-windows-password", ())
    if os_login:
        return LoginDecision(
            None, f"{os_login}; the user comes from the Google account (as user_domain_com): set login_user", ())
    users = tuple(dict.fromkeys(user for user in key_users if _USER_NAME.fullmatch(user)))
    where = key_source or "the instance or project metadata"
    if not users:
        return LoginDecision(None, f"no ssh key in {where}; the image has no default user", ())
    others = f"; there are keys for {', '.join(users[1:])} too" if users[1:] else ""
    return LoginDecision(users[0], f"ssh key for {users[0]} in {where}{others}", users)


# ------------------------------------------------------------------------------------------------ by image
@lru_cache(maxsize=4096)
def _from_image(facts: _ImageFacts) -> LoginDecision:
    return _from_ami(facts) if facts.provider == "aws" else _from_properties(facts)


def _from_ami(facts: _ImageFacts) -> LoginDecision:
    if facts.platform and facts.platform.lower().startswith("windows"):
        return _windows(f"AMI platform {facts.platform}")
    name = facts.name or ""
    publisher = tables.AMI_PUBLISHERS.get(facts.owner or "")
    owner = f"AMI owner {facts.owner} ({publisher.name})" if publisher else ""
    if owner:
        reason = f"{owner} and name '{name}'"
    elif facts.owner:
        reason = f"weak: only the AMI name '{name}' tells, owner {facts.owner} is no known publisher (a copied AMI?)"
    else:
        reason = f"weak: only the AMI name '{name}' tells, its owner is unknown"
    if "bitnami" in name.lower():
        return _listed(tables.BITNAMI_USERS, reason)
    by_name = _from_distribution(tables.AWS_USERS, *distributions.identify(name), reason)
    if by_name:
        return by_name
    if publisher and publisher.users:
        return _listed(publisher.users, owner)
    return (
        _from_distribution(tables.AWS_USERS, *distributions.identify(facts.platform), f"AMI platform {facts.platform}")
        or _from_distribution(tables.AWS_USERS, facts.distro, facts.version, f"image distribution {facts.distro}")
        or _untold_ami(facts)
    )


def _untold_ami(facts: _ImageFacts) -> LoginDecision:
    if not facts.name and not facts.owner:
        seen = "the AMI cannot be read (deregistered or private)"
    else:
        seen = (f"neither owner ({facts.owner or 'unknown'}), name ('{facts.name or ''}') nor platform of the AMI "
                "tells the user")
    return _untold(seen, tables.UNTOLD_AWS)


def _from_properties(facts: _ImageFacts) -> LoginDecision:
    if facts.original_user and facts.original_user.lower() == "none":
        return LoginDecision(None, "image property image_original_user is none: the image has no login user", ())
    admin_user = None if facts.admin_user == _GLANCE_DEFAULT_ADMIN else facts.admin_user
    ignored: list[str] = []
    for key, user in (
        ("image_original_user", facts.original_user), ("ssh_user", facts.ssh_user), ("os_admin_user", admin_user)
    ):
        if user:
            source = f"image property {key}"
            if _USER_NAME.fullmatch(user):
                return _with_ignored(LoginDecision(user, source, (user,)), ignored)
            ignored.append(source)
    by_distro = _from_distribution({}, *_distribution(facts))
    if by_distro:
        return _with_ignored(by_distro, ignored)
    return _with_ignored(_untold_image(facts), ignored)


def _distribution(facts: _ImageFacts) -> tuple[str | None, str | None, str]:
    """Distribution, version and the reason. os_distro is often that of a relative (centos for AlmaLinux, fedora for
    Flatcar), because hypervisor tools know only the relative; so a name that says otherwise wins."""
    named, named_version = distributions.identify(facts.name)
    told, told_version = distributions.identify(facts.os_distro, facts.os_version)
    if named and told and named != told:
        return named, named_version, f"os_distro says {facts.os_distro}, but the image is named '{facts.name}'"
    if told:
        return told, told_version or named_version, f"os_distro {facts.os_distro}"
    if named:
        return named, named_version, f"image name '{facts.name}'"
    if facts.distro:
        return facts.distro, facts.version, f"image distribution {facts.distro}"
    if facts.os_type and facts.os_type.lower() == "windows":
        return "windows", None, "os_type windows"
    return None, None, ""


def _untold_image(facts: _ImageFacts) -> LoginDecision:
    if facts.admin_user == _GLANCE_DEFAULT_ADMIN:
        others = tuple(user for user in tables.UNTOLD_IMAGE if user != facts.admin_user)
        return LoginDecision(
            facts.admin_user, "weak: os_admin_user root, which is Glance's default, and nothing else tells",
            (facts.admin_user, *others))
    if facts.provider == "metal" and not facts.name:
        return _untold("neither the machine's data nor an image tells the user", tables.UNTOLD_IMAGE)
    if not facts.name and not facts.os_distro:
        return _untold("the cloud does not tell the image", tables.UNTOLD_IMAGE)
    return _untold(f"neither properties nor name of image '{facts.name or ''}' tell the user", tables.UNTOLD_IMAGE)


# ------------------------------------------------------------------------------------------------- answers
def _from_distribution(
    cloud_users: Mapping[str, tables.Users], distro: str | None, version: str | None, reason: str
) -> LoginDecision | None:
    """The users of a distribution in one cloud's images (cloud_users), else in any image; None when none is known."""
    if distro is None:
        return None
    if distro == "windows":
        return _windows(reason)
    if distro in tables.NO_LOGIN:
        return LoginDecision(None, f"{reason}: {tables.NO_LOGIN[distro]}", ())
    users = cloud_users.get(distro) or tables.IMAGE_USERS.get(distro)
    if users is None:
        return None
    numbers = tuple(int(number) for number in re.findall(r"\d+", version or ""))
    return _listed(users.older if numbers and numbers < users.before else users.names, reason)


def _listed(users: tuple[str, ...], reason: str) -> LoginDecision:
    others = f"; others use {', '.join(users[1:])}" if users[1:] else ""
    return LoginDecision(users[0], f"{reason}: {users[0]}{others}", users)


def _windows(reason: str) -> LoginDecision:
    users = tables.WINDOWS_USERS
    return LoginDecision(users[0], f"{reason}: {users[0]}, but over WinRM or RDP: Windows has no SSH by default", users)


def _untold(seen: str, candidates: tuple[str, ...]) -> LoginDecision:
    return LoginDecision(None, f"{seen}; try {', '.join(candidates[:3])} or set login_user", candidates)
