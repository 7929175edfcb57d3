# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pod network of one node: a bridge for its own pods, a VXLAN to those of the others. Needs Python 3.7 and the programs ip, bridge and nft.

It asks the API for the nodes with kubelet's own certificate and follows what changes, so that a node that comes or goes needs no run on the others.
Settings: JSON in the file that is its argument (pods: network of all pods, ip: of this node, node: its name, device, port, mtu: 0 for what fits).
"""
import http.client
import ipaddress
import json
import re
import ssl
import subprocess
import sys
import time
import urllib.parse

KUBECONFIG = "/etc/kubernetes/kubelet.conf"
AUTHORITY = "/etc/kubernetes/pki/ca.crt"
CERTIFICATE = "/var/lib/kubelet/pki/kubelet-client-current.pem"
PLUGIN = "/etc/cni/net.d/10-hybridops-fleet.conflist"
TABLE = "hybridops_fleet_pods"
IDENTIFIER = 4242
OVERHEAD = 50  # bytes that VXLAN adds to a packet of IPv4
LOOK = 60  # seconds after which all is looked at again, even if nothing was reported


def run(*words, text=None, check=True):
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError("{}: {}".format(" ".join(words[:4]), done.stderr.strip()[:300]))
    return done.stdout


# -- what is wanted ------------------------------------------------------------------------------------------------
def wanted(nodes):
    """Name -> (address, network of its pods) of every node that has both."""
    found = {}
    for node in nodes:
        network = node.get("spec", {}).get("podCIDR", "")
        address = next((row["address"] for row in node.get("status", {}).get("addresses", ()) if row["type"] == "InternalIP"), "")
        if network and ":" not in network and address and ":" not in address:
            found[node["metadata"]["name"]] = (address, network)
    return found


def hardware(address):
    """The hardware address of a node's end of the VXLAN: every node can tell that of every other."""
    return "0a:58:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)


def end(network):
    """The address of a node's end of the VXLAN: the first of its network, which no pod has."""
    return str(ipaddress.IPv4Network(network).network_address)


# -- what is there -------------------------------------------------------------------------------------------------
def path_mtu(address):
    """Of the interface that has this address."""
    for link in json.loads(run("ip", "-json", "address", "show")):
        if any(row.get("local") == address for row in link.get("addr_info", ())):
            return int(link["mtu"])
    raise RuntimeError(f"no interface has {address}")


def device(settings, network):
    """The VXLAN's own end, made anew where it was made for another address."""
    name, mtu = settings["device"], settings["mtu"] or path_mtu(settings["ip"]) - OVERHEAD
    told = json.loads(run("ip", "-json", "-details", "link", "show", "dev", name, check=False) or "[]")
    data = told[0].get("linkinfo", {}).get("info_data", {}) if told else {}
    if told and (data.get("local") != settings["ip"] or data.get("port") != settings["port"]):
        run("ip", "link", "delete", name)
        told = []
    if not told:
        run("ip", "link", "add", name, "address", hardware(settings["ip"]), "type", "vxlan", "id", str(IDENTIFIER), "local", settings["ip"],
            "dstport", str(settings["port"]), "nolearning")
    run("ip", "link", "set", name, "mtu", str(mtu), "up")
    run("ip", "address", "replace", end(network) + "/32", "dev", name)
    return mtu


def others(settings, nodes):
    """Routes, neighbours and places of all other nodes, and none of those that have gone."""
    name = settings["device"]
    there = {network: address for node, (address, network) in nodes.items() if node != settings["node"]}
    for network, address in there.items():
        run("bridge", "fdb", "replace", hardware(address), "dev", name, "dst", address, "self", "permanent")
        run("ip", "neighbour", "replace", end(network), "lladdr", hardware(address), "dev", name, "nud", "permanent")
        run("ip", "route", "replace", network, "via", end(network), "dev", name, "onlink")
    for route in json.loads(run("ip", "-json", "route", "show", "dev", name) or "[]"):
        if "gateway" in route and route["dst"] not in there:
            run("ip", "route", "delete", route["dst"], "dev", name, check=False)
            run("ip", "neighbour", "delete", route["gateway"], "dev", name, check=False)
    known = {hardware(address) for address in there.values()}
    for row in json.loads(run("bridge", "-json", "fdb", "show", "dev", name) or "[]"):
        if row.get("dst") and row["mac"] not in known:
            run("bridge", "fdb", "delete", row["mac"], "dev", name, "dst", row["dst"], "self", check=False)


def plugin(network, mtu):
    """What the container runtime reads: a pod gets an address of the node's network on its bridge."""
    text = json.dumps({"cniVersion": "0.4.0", "name": "hybridops-fleet", "plugins": [
        {"type": "bridge", "bridge": "cni0", "isGateway": True, "isDefaultGateway": True, "hairpinMode": True, "mtu": mtu,
         "ipam": {"type": "host-local", "ranges": [[{"subnet": network}]]}},
        {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}]}, indent=1) + "\n"
    try:
        with open(PLUGIN) as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        subprocess.run(["mkdir", "-p", PLUGIN.rpartition("/")[0]], check=True)
    with open(PLUGIN, "w") as file:
        file.write(text)


def way_out(settings):
    """Pods leave the cluster with the node's address."""
    rule = "ip saddr {} ip daddr != {} ip daddr != 224.0.0.0/4 masquerade".format(settings["pods"], settings["pods"])
    if "masquerade" not in run("nft", "list", "table", "ip", TABLE, check=False):
        chain = f"chain leave {{\ntype nat hook postrouting priority srcnat; policy accept;\n{rule}\n}}"
        run("nft", "-f", "-", text=f"table ip {TABLE} {{\n{chain}\n}}\n")


# -- the API -------------------------------------------------------------------------------------------------------
def connect():
    with open(KUBECONFIG) as file:
        server = urllib.parse.urlsplit(re.search(r"(?m)^\s*server:\s*(\S+)", file.read()).group(1))
    context = ssl.create_default_context(cafile=AUTHORITY)
    context.load_cert_chain(CERTIFICATE)
    return http.client.HTTPSConnection(server.hostname, server.port or 443, context=context, timeout=LOOK + 30)


def ask(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"the API answers {answer.status}: {answer.read(300).decode('utf-8', 'replace')}")
    return answer


def follow(settings):
    """One list of the nodes, and what changes in it for some time."""
    told = json.loads(ask(connect(), "/api/v1/nodes").read())
    known = {node["metadata"]["name"]: node for node in told["items"]}
    done = bring_about(settings, wanted(known.values()))
    path = f"/api/v1/nodes?watch=1&timeoutSeconds={LOOK}&resourceVersion={told['metadata']['resourceVersion']}"
    for line in ask(connect(), path):
        event = json.loads(line)
        node = event["object"]
        if event["type"] == "ERROR":
            return
        known[node["metadata"]["name"]] = node
        if event["type"] == "DELETED":
            del known[node["metadata"]["name"]]
        now = wanted(known.values())
        if now != done:
            done = bring_about(settings, now)


def bring_about(settings, nodes):
    if settings["node"] in nodes:
        network = nodes[settings["node"]][1]
        mtu = device(settings, network)
        others(settings, nodes)
        way_out(settings)
        plugin(network, mtu)  # last: from now on pods come
    return nodes


def main():
    with open(sys.argv[1]) as file:
        settings = json.load(file)
    said = ""
    while True:
        try:
            follow(settings)
            said = ""
        except (OSError, RuntimeError, ValueError, KeyError, AttributeError, http.client.HTTPException) as failure:
            if str(failure) != said:  # once, not every three seconds
                said = str(failure)
                print(f"pod network: {said}; trying again", flush=True)
            time.sleep(3)


if __name__ == "__main__":
    main()
