# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The XML of EC2's answers as a tree without namespaces. Pure.

botocore's own walk over the same XML by its service model costs about 1 ms per instance; picking fields from an
ElementTree costs a tenth of it, and no answer needs more than a few of its fields.
"""
from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLParser

from ...errors import FleetError

# the namespace of the root holds the API version of the server; without it every path is a constant
_NAMESPACE = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<[A-Za-z]\w*[^>]*?(\sxmlns=(?:\"[^\"]*\"|'[^']*'))")

_SECRET = frozenset({"userData"})
_XML_NAMES = {
    # names of the EC2 API whose element is not the same name in lower camel case (EC2 API, data type Instance)
    "BlockDeviceMappings": "blockDeviceMapping",
    "ElasticGpuAssociations": "elasticGpuAssociationSet",
    "ElasticInferenceAcceleratorAssociations": "elasticInferenceAcceleratorAssociationSet",
    "Licenses": "licenseSet",
    "NetworkInterfaces": "networkInterfaceSet",
    "PublicDnsName": "dnsName",
    "PublicIpAddress": "ipAddress",
    "SecondaryInterfaces": "secondaryInterfaceSet",
    "SecurityGroups": "groupSet",
    "State": "instanceState",
    "StateTransitionReason": "reason",
    "Tags": "tagSet",
}


def parse(body: bytes, what: str) -> Element:
    """The root of an answer. what: the request, for the message.

    Raises FleetError "bad_answer" when the body is no XML (the page of a proxy, a cut-off answer).
    """
    namespace = _NAMESPACE.match(body)
    if namespace:
        body = body[:namespace.start(1)] + body[namespace.end(1):]
    parser = XMLParser()
    try:
        parser.feed(body)
        root: Element = parser.close()
    except ParseError as error:
        raise bad_answer(what, f"the answer is not the XML of EC2 ({error})") from None
    return root


def rows(root: Element, name: str, what: str) -> list[Element]:
    """The items of a list that the answer must have; raises FleetError "bad_answer" when it is absent.

    An absent list is not an empty one: taken for empty it would silently lose nodes.
    """
    listed = root.find(name)
    if listed is None:
        raise bad_answer(what, f"the answer has no <{name}> (it is a <{root.tag}>)")
    return listed.findall("item")


def bad_answer(what: str, why: str) -> FleetError:
    """An answer that cannot be right; asking again may help."""
    return FleetError(
        what, why=why, code="bad_answer", transient=True,
        fix="Check that the endpoint is EC2's and that no proxy answers in its place.")


def tags(element: Element) -> dict[str, str]:
    """The tags of a resource; a tag without a value has an empty one."""
    listed = element.find("tagSet")
    if listed is None:
        return {}
    return {item.findtext("key", ""): item.findtext("value", "") for item in listed}


def extra(element: Element, names: tuple[str, ...]) -> dict[str, Any]:
    """Fields of an instance by their names in the EC2 API ("KeyName", "keyName"), where present, as plain data."""
    found = {}
    for name in names:
        tag = _XML_NAMES.get(name[:1].upper() + name[1:]) or name[:1].lower() + name[1:]
        field = None if tag in _SECRET else element.find(tag) if tag.isidentifier() else None
        if field is not None:
            found[name] = _plain(field)
    return found


def _plain(element: Element) -> Any:
    """Text, list or dict of an element; keys begin with a capital, as in the API. None when it is empty."""
    if not len(element):
        return element.text
    if all(child.tag == "item" for child in element):
        return [_plain(child) for child in element]
    return {child.tag[:1].upper() + child.tag[1:]: _plain(child) for child in element}
