# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the clouds in a fleet file."""
from __future__ import annotations


class ModuleDocFragment:
    """What an entry of ``clouds`` takes: the keys of all providers, then those of each."""

    DOCUMENTATION = r"""
options:
  clouds:
    description:
      - The clouds, by a name of your choice. The name becomes C(fleet_cloud) and group C(cloud_NAME).
      - Several accounts, projects and regions of one provider are several entries, or lists in one entry.
    type: dict
    required: true
    suboptions:
      provider:
        description: The kind of infrastructure.
        type: str
        required: true
        choices: [openstack, aws, gce, metal]
      enabled:
        description: Whether the cloud is read at all.
        type: bool
        default: true
      login_user:
        description: The account to log in with on all nodes of the cloud. Overrides what would be found out.
        type: str
      ssh_port:
        description: The port of the SSH server on all nodes of the cloud.
        type: int
      bastion:
        description: A host to jump through to the nodes of the cloud.
        type: dict
        suboptions:
          host:
            description: Name or address of the bastion.
            type: str
            required: true
          user:
            description: The account on the bastion. Without it, what your SSH configuration says.
            type: str
          port:
            description: Its SSH port.
            type: int
            default: 22
      networks:
        description:
          - What you know of the networks of the cloud and it does not tell. Overrides what would be found out.
          - The key is the name or id of a network, or a CIDR. A CIDR speaks of every address inside it, a name or id of
            the addresses configured on that network.
          - The value is a mapping with C(role), one of V(public), V(floating), V(external), V(private),
            V(management), V(unknown).
        type: dict
      filters:
        description: Which nodes of the cloud are wanted. Asked of its API where that can filter.
        type: dict
        suboptions:
          states:
            description: States wanted, instead of O(states).
            type: list
            elements: str
            choices: [pending, running, stopping, stopped, paused, error, deleting, unknown]
          tags:
            description: Tags that a node must have, with the value, or a list of possible values. Empty for any value.
            type: dict
          names:
            description: Names wanted. Shell patterns are possible.
            type: list
            elements: str
      cloud:
        description:
          - For C(provider=openstack), the name of the cloud in C(clouds.yaml).
          - Without it E(OS_CLOUD), else the C(OS_*) variables, else the only cloud of C(clouds.yaml).
        type: str
      regions:
        description:
          - For C(provider=openstack) and C(provider=aws), the regions to read.
          - Without it the regions of C(clouds.yaml); on AWS E(AWS_REGION), E(AWS_DEFAULT_REGION) or the region of the
            profile, else all regions the account has enabled. V(all) means all enabled ones.
        type: list
        elements: str
      all_projects:
        description: For C(provider=openstack), the servers of all projects. Needs an administrator.
        type: bool
        default: false
      profile:
        description: For C(provider=aws), the profile of the shared configuration and credentials files.
        type: str
      assume_role:
        description: For C(provider=aws), a role to assume before reading.
        type: dict
        suboptions:
          arn:
            description: The role.
            type: str
            required: true
          external_id:
            description: The external id that the role asks for.
            type: str
          session_name:
            description: The name of the session, as the other account's logs show it.
            type: str
            default: hybridops-fleet
          duration:
            description: Seconds the session lasts.
            type: int
      endpoint_url:
        description: For C(provider=aws), another endpoint than Amazon's. E(AWS_ENDPOINT_URL) is honoured too.
        type: str
      projects:
        description:
          - For C(provider=gce), the projects to read.
          - Without it the project of the credentials or of E(GOOGLE_CLOUD_PROJECT).
        type: list
        elements: str
      zones:
        description: For C(provider=gce), the zones to read. Without it all.
        type: list
        elements: str
      credentials_file:
        description:
          - For C(provider=gce), a file with a service account's key, a workload identity federation or a user's
            credentials. Relative to the fleet file.
          - Without it the application default credentials, which include the metadata server.
        type: path
      impersonate_service_account:
        description: For C(provider=gce), the email address of a service account to act as.
        type: str
      endpoint:
        description:
          - For C(provider=gce), another endpoint than Google's.
            E(CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE) is honoured too.
        type: str
      sources:
        description: For C(provider=metal), where the machines are listed.
        type: list
        elements: dict
        suboptions:
          kind:
            description: A rack file, an Ironic, or one or more Redfish services.
            type: str
            required: true
            choices: [file, ironic, redfish]
          path:
            description: For C(kind=file), the rack file. Relative to the fleet file.
            type: path
          cloud:
            description: For C(kind=ironic), the name of the cloud in C(clouds.yaml).
            type: str
          baseuri:
            description: For C(kind=redfish), the address of the service, for example V(https://bmc.example.com).
            type: str
          username:
            description: For C(kind=redfish), the account of the service.
            type: str
          password:
            description: For C(kind=redfish), its password. Keep it in a vault or an environment variable.
            type: str
          validate_certs:
            description: For C(kind=redfish), whether the certificate of the service is verified.
            type: bool
            default: true
          images:
            description:
              - For C(kind=ironic), the images that module M(hybridops.fleet.node) may deploy, as Ironic itself has no list of them.
            type: list
            elements: dict
            suboptions:
              name:
                description: Name to choose it by.
                type: str
                required: true
              source:
                description: What Ironic fetches (its C(image_source)), for example V(https://images.example.com/debian-12.qcow2).
                type: str
                required: true
              checksum:
                description: SHA-512, SHA-256 or MD5 checksum of the image, or the address of a file of checksums.
                type: str
              distro:
                description: Distribution in the image, for example V(debian).
                type: str
              version:
                description: Version of the distribution, for example V("12").
                type: str
              arch:
                description: Processor architecture that it is for, for example V(x86_64).
                type: str
              login_user:
                description: Account that the key of a new node is for. Default the one that the distribution has.
                type: str
          pool:
            description:
              - For C(kind=redfish), names or ids of the systems that nodes may be bound to. All others are in use, and never touched.
              - A machine of a rack file is in the pool when the file says C(pool=true) of it. A machine of Ironic is when it is available.
            type: list
            elements: str
          addresses:
            description:
              - For C(kind=redfish), addresses of the systems that run, by name or id of the machine. A management board rarely knows them.
            type: dict
          boot:
            description:
              - For C(kind=redfish), how a machine is started when a node is bound to it. V(pxe) lets it boot from the network once, to be
                installed. Default is to switch it on as it is.
            type: str
            choices: [pxe]
          reservations:
            description:
              - For C(kind=file) and C(kind=redfish), the file in which module M(hybridops.fleet.node) notes which machines are taken.
                Relative to the fleet file.
              - Default is the rack file's name with C(.reservations.yml) at its end, or C(redfish-HOST.reservations.yml) beside the fleet file.
            type: path
"""
