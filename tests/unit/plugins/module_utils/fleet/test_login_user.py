# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Login users: every row of the known tables, the images that lie, and the images that say nothing."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.login_user import LoginDecision, decide
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Image, LoginEvidence

OWN_ACCOUNT = "111122223333"


def openstack(name: str | None = None, **properties: str) -> LoginDecision:
    return decide("openstack", Image(id="i-1", name=name), LoginEvidence(image_properties=properties))


def aws(name: str | None, owner: str | None = OWN_ACCOUNT, platform: str | None = "Linux/UNIX") -> LoginDecision:
    return decide("aws", Image(id="ami-1", name=name), LoginEvidence(image_owner=owner, platform=platform))


# ---------------------------------------------------------------------------------------------- operator
def test_the_fleet_file_beats_everything() -> None:
    evidence = LoginEvidence(metadata={"fleet_login_user": "tag"}, image_properties={"image_original_user": "image"})
    got = decide("openstack", Image(), evidence, operator="deploy")
    assert got == LoginDecision("deploy", "the fleet file's login_user", ("deploy",))
    got = decide("gce", Image(), evidence, operator="deploy", operator_why="fleet.yml, cloud google")
    assert got.why == "fleet.yml, cloud google"


@pytest.mark.parametrize(("provider", "metadata", "user", "why"), [
    ("openstack", {"ssh_user": "ops"}, "ops", "node metadata ssh_user"),
    ("openstack", {"ssh_user": "ops", "fleet_login_user": "deploy"}, "deploy", "node metadata fleet_login_user"),
    ("aws", {"fleet_login_user": "deploy"}, "deploy", "node tag fleet_login_user"),
    ("gce", {"ssh_user": "ops"}, "ops", "node metadata ssh_user"),
    ("metal", {"login_user": "root"}, "root", "node data login_user"),
    ("metal", {"login_user": "ACME\\svc.deploy"}, "ACME\\svc.deploy", "node data login_user"),
])
def test_the_nodes_own_tags_beat_the_image(provider: str, metadata: dict[str, str], user: str, why: str) -> None:
    evidence = LoginEvidence(
        metadata=metadata, image_properties={"image_original_user": "image"}, key_users=("keys",), os_login="on")
    assert decide(provider, Image(name="Ubuntu 24.04"), evidence) == LoginDecision(user, why, (user,))


@pytest.mark.parametrize("hostile", [
    "-oProxyCommand=id", "{{ lookup('pipe', 'id') }}", "a b", "root\nUser x", "root\n", 'a"b', "$(id)", " ",
])
def test_what_is_no_user_name_never_gets_through(hostile: str) -> None:
    tagged = decide("aws", Image(name="debian-12-amd64"), LoginEvidence(metadata={"ssh_user": hostile}))
    assert tagged.value == "admin"
    assert tagged.why.endswith("(node tag ssh_user ignored: not a user name)")
    image = openstack("Debian 12", image_original_user=hostile, ssh_user=hostile)
    assert image.value == "debian"
    assert image.why.endswith(
        "(image property image_original_user and image property ssh_user ignored: not a user name)")
    keys = decide("gce", Image(), LoginEvidence(key_users=(hostile, "anna"), key_source="instance metadata"))
    assert keys.candidates == ("anna",)


# ------------------------------------------------------------------------------------------- cloud-init
@pytest.mark.parametrize(("os_distro", "user"), [
    ("almalinux", "almalinux"), ("alpine", "alpine"), ("aosc", "aosc"), ("arch", "arch"), ("cloudlinux", "cloudlinux"),
    ("debian", "debian"), ("dragonfly", "dragonfly"), ("eurolinux", "eurolinux"), ("fedora", "fedora"),
    ("freebsd", "freebsd"), ("gentoo", "gentoo"), ("mariner", "mariner"), ("miraclelinux", "miraclelinux"),
    ("netbsd", "netbsd"), ("openbsd", "openbsd"), ("openeuler", "openeuler"), ("OpenCloudOS", "OpenCloudOS"),
    ("rocky", "rocky"), ("suse", "suse"), ("TencentOS", "TencentOS"), ("ubuntu", "ubuntu"), ("virtuozzo", "virtuozzo"),
    ("amazon", "ec2-user"), ("azurelinux", "azureuser"), ("centos", "cloud-user"), ("rhel", "cloud-user"),
    ("openmandriva", "omv"), ("raspberry-pi-os", "pi"), ("photon", "root"),
])
def test_variants_of_cloud_init(os_distro: str, user: str) -> None:
    got = openstack("golden", os_distro=os_distro)
    assert (got.value, got.candidates[0]) == (user, user)
    assert got.why.startswith(f"os_distro {os_distro}: {user}")


# -------------------------------------------------------------------------------------------- openstack
@pytest.mark.parametrize(("name", "user"), [
    ("AlmaLinux 9", "almalinux"), ("CentOS 7", "centos"), ("CentOS 8", "centos"), ("CirrOS 0.6.2", "cirros"),
    ("Debian 12", "debian"), ("Fedora 40", "fedora"), ("Flatcar Container Linux", "core"),
    ("openSUSE Leap 15.6", "opensuse"), ("SLES 15 SP5", "sles"),
    ("OPNsense 24.1", "root"), ("Rocky 9", "rocky"), ("Ubuntu 24.04", "ubuntu"), ("Garden Linux 1443.3", "admin"),
    ("CentOS Stream 9", "cloud-user"), ("centos10stream", "cloud-user"), ("RHEL 9.4", "cloud-user"),
    ("rhcos-415.92.202402201450-0", "core"), ("fedora-coreos-40.20240616.3.0", "core"), ("CoreOS 2512.3.0", "core"),
    ("CentOS Stream CoreOS 4.15", "core"),
])
def test_image_names_of_openstack(name: str, user: str) -> None:
    got = openstack(name)
    assert got.value == user
    assert got.why.startswith(f"image name '{name}': {user}")


@pytest.mark.parametrize(("name", "os_distro", "user"), [
    ("AlmaLinux 9", "centos", "almalinux"),
    ("Flatcar Container Linux 3815.2.2", "fedora", "core"),
    ("Garden Linux 1443.3", "debian", "admin"),
    ("Rocky 9", "CentOS", "rocky"),
])
def test_a_name_beats_an_os_distro_that_lies(name: str, os_distro: str, user: str) -> None:
    got = openstack(name, os_distro=os_distro)
    assert got.value == user
    assert got.why.startswith(f"os_distro says {os_distro}, but the image is named '{name}': {user}")


@pytest.mark.parametrize("name", ["golden", "ubuntu-to-debian", None])
def test_a_name_that_is_not_clear_leaves_os_distro_its_say(name: str | None) -> None:
    assert openstack(name, os_distro="Rocky").why == "os_distro Rocky: rocky"


def test_image_properties_in_their_order() -> None:
    told = {"image_original_user": "first", "ssh_user": "second", "os_admin_user": "third", "os_distro": "debian"}
    for user, key in (("first", "image_original_user"), ("second", "ssh_user"), ("third", "os_admin_user")):
        assert openstack("Ubuntu 24.04", **told) == LoginDecision(user, f"image property {key}", (user,))
        del told[key]
    assert openstack("golden", **told).why == "os_distro debian: debian"


def test_os_admin_user_root_is_glances_default_and_believed_last() -> None:
    assert openstack("golden", os_admin_user="root", os_distro="ubuntu").value == "ubuntu"
    assert openstack("Debian 12", os_admin_user="root").value == "debian"
    got = openstack("golden", os_admin_user="root")
    assert got.value == "root"
    assert got.why == "weak: os_admin_user root, which is Glance's default, and nothing else tells"
    assert got.candidates[:2] == ("root", "ubuntu")
    assert len(set(got.candidates)) == len(got.candidates)


def test_image_original_user_may_be_root_for_good() -> None:
    assert openstack("Flatcar", image_original_user="root", os_distro="fedora").value == "root"


@pytest.mark.parametrize("none", ["none", "None"])
def test_image_original_user_none_means_no_login(none: str) -> None:
    got = openstack("Ubuntu 24.04", image_original_user=none)
    assert got == LoginDecision(None, "image property image_original_user is none: the image has no login user", ())


def test_talos_has_no_login() -> None:
    got = openstack("Talos v1.7.0")
    assert (got.value, got.candidates) == (None, ())
    assert "neither users nor SSH" in got.why


@pytest.mark.parametrize(("properties", "user", "others"), [
    ({"os_distro": "centos", "os_version": "7"}, "centos", "cloud-user"),
    ({"os_distro": "centos", "os_version": "8-stream"}, "centos", "cloud-user"),
    ({"os_distro": "centos", "os_version": "9"}, "cloud-user", "centos, ec2-user"),
    ({"os_distro": "centos", "os_version": "10"}, "cloud-user", "centos, ec2-user"),
    ({"os_distro": "flatcar"}, "core", "root"),
    ({"os_distro": "opensuse"}, "opensuse", "suse, root"),
])
def test_distributions_with_several_answers_name_the_others(properties: dict[str, str], user: str, others: str) -> None:
    got = openstack("golden", **properties)
    assert got.why == f"os_distro {properties['os_distro']}: {user}; others use {others}"
    assert got.candidates == (user, *others.split(", "))


def test_version_in_the_name_counts_when_os_version_is_missing() -> None:
    assert openstack("CentOS 7", os_distro="centos").value == "centos"
    assert openstack("CentOS Stream 9", os_distro="centos").value == "cloud-user"


def test_rackspaces_property_names() -> None:
    assert openstack("golden", **{"org.openstack__1__os_distro": "org.debian"}).value == "debian"


@pytest.mark.parametrize("properties", [{"os_distro": "windows"}, {"os_type": "windows"}])
def test_windows_is_not_for_ssh(properties: dict[str, str]) -> None:
    got = openstack("golden", **properties)
    assert got.value == "Administrator"
    assert "no SSH" in got.why


def test_the_images_distribution_as_the_shape_has_it_is_used_last() -> None:
    got = decide("openstack", Image(distro="centos", version="7"), LoginEvidence())
    assert (got.value, got.why) == ("centos", "image distribution centos: centos; others use cloud-user")


@pytest.mark.parametrize(("name", "why"), [
    ("golden", "neither properties nor name of image 'golden' tell the user"),
    (None, "the cloud does not tell the image"),
])
def test_an_openstack_image_that_tells_nothing(name: str | None, why: str) -> None:
    got = openstack(name)
    assert (got.value, got.why) == (None, f"{why}; try root, ubuntu, debian or set login_user")
    assert got.candidates[0] == "root"


def test_os_distro_unknown_is_no_evidence() -> None:
    assert openstack("golden", os_distro="unknown").value is None


# -------------------------------------------------------------------------------------------------- aws
@pytest.mark.parametrize(("owner", "publisher", "name", "users"), [
    ("137112412989", "Amazon", "amzn-ami-hvm-2018.03.0.20230404.0-x86_64-gp2", "ec2-user"),
    ("137112412989", "Amazon", "amzn2-ami-hvm-2.0.20240620.0-x86_64-gp2", "ec2-user"),
    ("137112412989", "Amazon", "al2023-ami-2023.5.20240701.0-kernel-6.1-x86_64", "ec2-user"),
    ("099720109477", "Canonical", "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250115", "ubuntu"),
    ("136693071363", "Debian", "debian-12-amd64-20240507-1740", "admin debian"),
    ("379101102735", "Debian up to 9", "debian-stretch-hvm-x86_64-gp2-2020-07-06", "admin debian"),
    ("309956199498", "Red Hat", "RHEL-9.4.0_HVM-20240605-x86_64-82-Hourly2-GP3", "ec2-user root"),
    ("309956199498", "Red Hat", "RHEL-6.4_GA-x86_64-10-Hourly2", "ec2-user root"),
    ("309956199498", "Red Hat", "RHEL-6.3-Starter-i386-1-Hourly2", "root ec2-user"),
    ("125523088429", "Fedora and CentOS", "Fedora-Cloud-Base-AmazonEC2.x86_64-40-1.14", "fedora ec2-user"),
    ("125523088429", "Fedora and CentOS", "fedora-coreos-40.20240616.3.0-x86_64", "core"),
    ("125523088429", "Fedora and CentOS", "CentOS 7.9.2009 x86_64", "centos ec2-user"),
    ("125523088429", "Fedora and CentOS", "CentOS Stream 8 x86_64 20230830", "centos ec2-user"),
    ("125523088429", "Fedora and CentOS", "CentOS Stream 9 x86_64 20240703", "ec2-user centos cloud-user"),
    ("125523088429", "Fedora and CentOS", "CentOS Stream 10 x86_64 20250101", "ec2-user centos cloud-user"),
    ("792107900819", "Rocky Linux", "Rocky-9-EC2-Base-9.4-20240523.0.x86_64", "rocky"),
    ("764336703387", "AlmaLinux", "AlmaLinux OS 9.4.20240513 x86_64", "ec2-user almalinux"),
    ("118940168514", "FreeBSD", "FreeBSD 14.0-RELEASE-amd64", "ec2-user freebsd"),
    ("100343932686", "Amazon, macOS", "amzn-ec2-macos-14.5-20240527-234917", "ec2-user"),
    ("898082745236", "AWS Deep Learning", "Deep Learning Base AMI (Ubuntu 22.04) 20240625", "ubuntu"),
    ("898082745236", "AWS Deep Learning", "Deep Learning AMI GPU (Amazon Linux 2) 20240625", "ec2-user"),
    ("679593333241", "AWS Marketplace", "suse-sles-15-sp5-v20240321-hvm-ssd-x86_64", "ec2-user root"),
    ("679593333241", "AWS Marketplace", "suse-manager-server-5-0-byos-v20240701", "ec2-user root"),
    ("679593333241", "AWS Marketplace", "Oracle Linux 9 with support", "ec2-user"),
    ("679593333241", "AWS Marketplace", "Oracle-8-hardened", "ec2-user"),
    ("679593333241", "AWS Marketplace", "bitnami-wordpress-6.5.3-r06-linux-debian-12-x86_64-hvm-ebs", "bitnami"),
    # a publisher's other AMIs, by the distribution their names tell
    ("137112412989", "Amazon", "amazon-eks-node-1.28-v20240101", "ec2-user"),
    ("309956199498", "Red Hat", "ha-rhel-9.4-hourly", "ec2-user root"),
    ("679593333241", "AWS Marketplace", "debian-12-amd64-20240507-1740-a1b2c3d4", "admin debian"),
])
def test_owner_and_name_of_an_ami(owner: str, publisher: str, name: str, users: str) -> None:
    got = aws(name, owner)
    assert got.candidates == tuple(users.split())
    assert got.value == got.candidates[0]
    assert got.why.startswith(f"AMI owner {owner} ({publisher}) and name '{name}': {got.value}")


@pytest.mark.parametrize(("name", "users"), [
    ("amzn2-ami-hvm-2.0.20240620.0-x86_64-gp2 copy", "ec2-user"),
    ("oraclelinux-9.3-golden", "ec2-user"),
    ("centos-7-golden", "centos ec2-user"),
    ("centos-stream-9-golden", "ec2-user centos cloud-user"),
    ("debian-12-amd64-20240507-1740", "admin debian"),
    ("Fedora-Cloud-Base-40-1.14", "fedora ec2-user"),
    ("RHEL-9.4-golden", "ec2-user root"),
    ("rhel-6.3-golden", "root ec2-user"),
    ("suse-sles-15-sp5", "ec2-user root"),
    ("suse", "ec2-user root"),
    ("openSUSE-Leap-15.6-golden", "ec2-user root"),
    ("amzn-ec2-macos-14.5-20240527-234917", "ec2-user"),
    ("ubuntu-noble-24.04-golden", "ubuntu"),
    ("rocky-9-golden", "rocky"),
    ("almalinux-9-golden", "ec2-user almalinux"),
    ("FreeBSD 14.0-RELEASE-amd64", "ec2-user freebsd"),
    ("bitnami-wordpress-on-debian-12", "bitnami"),
    ("Flatcar-stable-3815.2.2-hvm", "core root"),
])
def test_a_copied_ami_tells_by_its_name_alone_which_is_weak(name: str, users: str) -> None:
    got = aws(name)
    assert got.candidates == tuple(users.split())
    weak = f"weak: only the AMI name '{name}' tells"
    assert got.why.startswith(f"{weak}, owner {OWN_ACCOUNT} is no known publisher (a copied AMI?): {got.value}")
    assert aws(name, None).why.startswith(f"{weak}, its owner is unknown: {got.value}")


@pytest.mark.parametrize(("platform", "value"), [
    ("Red Hat Enterprise Linux", "ec2-user"), ("SUSE Linux", "ec2-user"), ("Ubuntu Pro", "ubuntu"),
])
def test_the_platform_billed_for_tells_when_the_name_does_not(platform: str, value: str) -> None:
    got = aws("golden", platform=platform)
    assert got.value == value
    assert got.why.startswith(f"AMI platform {platform}: {value}")


@pytest.mark.parametrize("platform", ["windows", "Windows", "Windows with SQL Server Standard"])
def test_platform_windows_beats_owner_and_name(platform: str) -> None:
    got = aws("ubuntu/images/odd", "099720109477", platform)
    assert got.candidates == ("Administrator",)
    assert got.why == f"AMI platform {platform}: Administrator, but over WinRM or RDP: Windows has no SSH by default"


@pytest.mark.parametrize(("owner", "publisher", "value"), [
    ("137112412989", "Amazon", "ec2-user"), ("099720109477", "Canonical", "ubuntu"),
    ("136693071363", "Debian", "admin"), ("379101102735", "Debian up to 9", "admin"),
    ("309956199498", "Red Hat", "ec2-user"), ("792107900819", "Rocky Linux", "rocky"),
    ("764336703387", "AlmaLinux", "ec2-user"), ("118940168514", "FreeBSD", "ec2-user"),
    ("100343932686", "Amazon, macOS", "ec2-user"),
])
def test_a_publisher_of_one_distribution_tells_without_a_name(owner: str, publisher: str, value: str) -> None:
    got = aws(None, owner)
    assert got.value == value
    assert got.why.startswith(f"AMI owner {owner} ({publisher}): {value}")


@pytest.mark.parametrize("owner", ["125523088429", "898082745236", "679593333241"])
def test_a_publisher_of_several_distributions_does_not(owner: str) -> None:
    assert aws(None, owner).value is None


def test_the_distribution_as_the_shape_has_it() -> None:
    got = decide("aws", Image(distro="debian", version="12"), LoginEvidence())
    assert (got.value, got.why) == ("admin", "image distribution debian: admin; others use debian")


@pytest.mark.parametrize(("name", "owner", "why"), [
    ("golden v3", OWN_ACCOUNT,
     f"neither owner ({OWN_ACCOUNT}), name ('golden v3') nor platform of the AMI tells the user"),
    (None, None, "the AMI cannot be read (deregistered or private)"),
])
def test_an_ami_that_tells_nothing(name: str | None, owner: str | None, why: str) -> None:
    got = aws(name, owner)
    assert (got.value, got.why) == (None, f"{why}; try ec2-user, ubuntu, admin or set login_user")
    assert got.candidates[:4] == ("ec2-user", "ubuntu", "admin", "debian")


# -------------------------------------------------------------------------------------------------- gce
def test_gce_takes_the_first_user_of_the_keys() -> None:
    evidence = LoginEvidence(key_users=("anna", "ben", "anna"), key_source="instance metadata ssh-keys")
    got = decide("gce", Image(name="debian-12", distro="debian"), evidence)
    assert got == LoginDecision(
        "anna", "ssh key for anna in instance metadata ssh-keys; there are keys for ben too", ("anna", "ben"))


def test_gce_os_login_means_the_google_account() -> None:
    evidence = LoginEvidence(key_users=("anna",), os_login="OS Login is on in the project metadata")
    got = decide("gce", Image(), evidence)
    assert (got.value, got.candidates) == (None, ())
    assert got.why == ("OS Login is on in the project metadata; the user comes from the Google account "
                       "(as user_domain_com): set login_user")


@pytest.mark.parametrize(("source", "where"), [
    ("", "the instance or project metadata"),
    ("the instance metadata (project keys are blocked)", "the instance metadata (project keys are blocked)"),
])
def test_gce_without_keys_has_no_user_whatever_the_image(source: str, where: str) -> None:
    got = decide("gce", Image(name="debian-12", distro="debian"), LoginEvidence(key_source=source))
    assert got == LoginDecision(None, f"no ssh key in {where}; the image has no default user", ())


def test_gce_windows_has_no_user_before_a_password_is_made() -> None:
    got = decide("gce", Image(distro="windows"), LoginEvidence(key_users=("anna",)))
    assert got.value is None
    assert "no SSH user" in got.why


# ------------------------------------------------------------------------------------------------ metal
def test_metal_by_its_image_as_cloud_init_has_it() -> None:
    got = decide("metal", Image(distro="debian", version="12"), LoginEvidence())
    assert got == LoginDecision("debian", "image distribution debian: debian", ("debian",))
    assert decide("metal", Image(name="Rocky 9"), LoginEvidence()).value == "rocky"


def test_metal_that_tells_nothing_is_unknown_and_root_is_tried_first() -> None:
    got = decide("metal", Image(), LoginEvidence())
    assert got.value is None
    assert got.why == (
        "neither the machine's data nor an image tells the user; try root, ubuntu, debian or set login_user")
    assert got.candidates[0] == "root"


def test_a_newer_provider_is_judged_by_its_image() -> None:
    assert decide("hcloud", Image(name="ubuntu-24.04"), LoginEvidence()).value == "ubuntu"
