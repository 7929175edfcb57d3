# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fleet as one HTML page that needs nothing but itself: no script, no font, no image from elsewhere. Pure."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from .nodes import Record, by_cloud, count_roles, count_states, number_of
from .picture import escape, picture
from .style import CSS
from .table import EMPTY, NO_ADDRESS, NO_USER

ROLE_MEANINGS = {
    "public": "on the internet, configured on the node itself",
    "floating": "on the internet through 1:1 NAT (floating, elastic, NAT address)",
    "external": "reached from outside the cloud, not from the internet",
    "private": "inside only",
    "management": "for management, as the operator says",
    "unknown": "the cloud does not tell",
}


def page(records: Sequence[Record]) -> str:
    """The page. It holds no time and no random part: the same fleet makes the same page."""
    body = _fleet(records) if records else f"<main><p>{escape(EMPTY)}</p></main>"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # nothing that a cloud's text might smuggle in could load or run
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>Fleet: {number_of(len(records))}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        f"<header><h1>Fleet</h1>\n{_facts(records)}</header>\n{body}\n"
        "<footer>Made by hybridops.fleet from the inventory. Every address and user says why it was chosen.</footer>\n"
        "</body>\n</html>\n")


def _facts(records: Sequence[Record]) -> str:
    clouds = by_cloud(records)
    in_clouds = "1 cloud" if len(clouds) == 1 else f"{len(clouds)} clouds"
    told = f"{number_of(len(records))} in {in_clouds}" + (f": {count_states(records)}" if records else "")
    stale = [name for name, nodes in clouds.items() if any(node["stale"] for node in nodes)]
    notice = (f'<p class="notice" role="status"><strong>Stale:</strong> {escape(", ".join(stale))} did not answer completely; '
              "nodes marked stale are of the last good answer.</p>\n") if stale else ""
    return f'<p class="soft">{escape(told)}</p>\n{notice}'


def _fleet(records: Sequence[Record]) -> str:
    clouds = by_cloud(records)
    links = "".join(f'<a href="#cloud-{number}">{escape(name)}</a>' for number, name in enumerate(clouds))
    tables = "\n".join(_cloud(number, name, nodes) for number, (name, nodes) in enumerate(clouds.items()))
    return (f'<main>\n<nav aria-label="Clouds">{links}</nav>\n'
            f'<h2 id="picture">Clouds, networks and nodes</h2>\n{_legend()}\n'
            f'<div class="scroll canvas" tabindex="0" role="region" aria-labelledby="picture">{picture(records)}</div>\n'
            f'<h2 id="summary">Summary</h2>\n{_summary(records)}\n<h2>Nodes</h2>\n{tables}\n</main>')


def _legend() -> str:
    items = [
        f'<li class="role-{role}"><svg width="16" height="16" aria-hidden="true">{_swatch(role)}</svg><strong>{role}</strong>: {meaning}</li>'
        for role, meaning in ROLE_MEANINGS.items()]
    return (f'<ul class="legend">{"".join(items)}</ul>\n<p class="soft">A vertical line is a network, in the colour of its addresses. A node '
            "hangs on the lines of its networks; addresses given to it by NAT stand outside, on a dashed line.</p>")


def _swatch(role: str) -> str:
    if role == "floating":
        return '<line x1="0" y1="8" x2="16" y2="8" class="nat"/><circle cx="8" cy="8" r="5" class="ring"/>'
    return '<line x1="8" y1="0" x2="8" y2="16" class="rail"/><circle cx="8" cy="8" r="5" class="dot"/>'


def _table(label: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{label}"><table aria-labelledby="{label}">'
            f'<thead><tr>{head}</tr></thead>\n<tbody>\n{"".join(rows)}</tbody></table></div>')


def _summary(records: Sequence[Record]) -> str:
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(nodes[0]["provider"])}</td><td class="number">{len(nodes)}</td>'
        f"<td>{escape(count_states(nodes))}</td><td>{escape(count_roles(nodes))}</td></tr>\n"
        for name, nodes in by_cloud(records).items()]
    return _table("summary", ("Cloud", "Provider", "Nodes", "States", "Roles"), rows)


def _cloud(number: int, name: str, nodes: Sequence[Record]) -> str:
    label = f"cloud-{number}"
    title = f'<h3 id="{label}">{escape(name)} <small>{escape(nodes[0]["provider"])}, {number_of(len(nodes))}</small></h3>\n'
    return title + _table(label, ("Name", "State", "Role", "Address", "User", "Where", "System", "Why"), map(_row, nodes))


def _row(node: Record) -> str:
    state, image = str(node["state"]), node["image"] or {}
    system = " ".join(filter(None, (image.get("distro"), image.get("version")))) or image.get("name")
    kind = state if state in ("running", "error") else "other"
    cells = (
        f'<th scope="row">{escape(node["inventory_hostname"])}</th>',
        f'<td><span class="state-word is-{kind}">{escape(state)}{" (stale)" if node["stale"] else ""}</span></td>',
        f"<td>{_role(str(node['network_role']))}</td>",
        f'<td class="mono">{_addresses(node)}</td>',
        f'<td class="mono">{escape(_user(node))}</td>',
        f'<td class="where">{escape(node["zone"] or node["region"])}</td>',
        f"<td>{escape(system)}</td>",
        f'<td class="why">{_why(node)}</td>',
    )
    return f"<tr>{''.join(cells)}</tr>\n"


def _role(role: str) -> str:
    known = role if role in ROLE_MEANINGS else "unknown"
    return f'<span class="role role-{known} {known}-role">{escape(role)}</span>'


def _addresses(node: Record) -> str:
    """The address in use first, then the node's others."""
    used = node["ansible_host"]
    found = dict.fromkeys([used] if used else [])
    found.update(dict.fromkeys(row["ip"] for interface in node["interfaces"] or () for row in interface["addresses"]))
    if not found:
        return escape(NO_ADDRESS)
    items = (f"<li>{escape(ip)}</li>" if ip == used else f'<li class="soft">{escape(ip)}</li>' for ip in found)
    return f"<ul>{''.join(items)}</ul>"


def _user(node: Record) -> str:
    port = node["ansible_port"]
    user = str(node["ansible_user"] or node["login_user"] or NO_USER)
    return user if port in (None, 22, "22") else f"{user}, port {port}"


def _why(node: Record) -> str:
    """Reasons in full. Where there is a public address, the reason of the role only repeats that of the address."""
    why = node["why"] or {}
    address = ("public address", why.get("public_ip")) if node["public_ip"] else ("role", why.get("network_role"))
    items = (f"<li>{word}: {escape(text)}</li>" for word, text in (address, ("user", why.get("login_user"))) if text)
    return f"<ul>{''.join(items)}</ul>"
