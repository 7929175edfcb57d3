# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Routes and parameters of the compute API, from the discovery document Google ships with google-api-python-client."""

from __future__ import annotations

import importlib.util
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ApiError, Json, invalid
from .schema import SchemaChecker

# Sent by gcloud and by clients made from newer documents to every list method; harmless where it is not declared.
_ALWAYS_ACCEPTED: Json = {"returnPartialSuccess": {"type": "boolean", "location": "query"}}


@dataclass(frozen=True)
class Method:
    """One method of the API."""

    id: str  # without "compute.": instances.insert
    http: str
    path: str
    parameters: Mapping[str, Json]
    request: str | None
    response: str | None
    scopes: frozenset[str]

    @property
    def resource(self) -> str:
        return self.id.rpartition(".")[0]

    @property
    def verb(self) -> str:
        return self.id.rpartition(".")[2]

    @property
    def only_reads(self) -> bool:
        return self.http == "GET" or self.verb == "wait"


@dataclass
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None
    methods: dict[str, tuple[Method, list[str]]] = field(
        default_factory=dict
    )  # HTTP verb -> method, names of its path parameters


class Discovery:
    """The document: which method a request means, and whether its parameters and bodies are right."""

    def __init__(self, document: Json) -> None:
        self.revision: str = document["revision"]
        self.checker = SchemaChecker(document["schemas"])
        self.methods: dict[str, Method] = {}
        self._common: Json = document["parameters"] | _ALWAYS_ACCEPTED
        self._root = _Node()
        for resource in document["resources"].values():
            for entry in resource["methods"].values():
                self._add(entry)

    @classmethod
    def load(cls) -> Discovery:
        """Read the document of the installed google-api-python-client.

        :raises FileNotFoundError: when that package is not installed.
        """
        package = importlib.util.find_spec("googleapiclient")
        if package is None or not package.submodule_search_locations:
            raise FileNotFoundError("google-api-python-client is not installed in this Python")
        folder = Path(package.submodule_search_locations[0])
        return cls(json.loads((folder / "discovery_cache/documents/compute.v1.json").read_text(encoding="utf-8")))

    def _add(self, entry: Json) -> None:
        method = Method(
            id=entry["id"].removeprefix("compute."),
            http=entry["httpMethod"],
            path=entry["flatPath"],
            parameters=entry.get("parameters", {}),
            request=entry.get("request", {}).get("$ref"),
            response=entry.get("response", {}).get("$ref"),
            scopes=frozenset(entry.get("scopes", ())),
        )
        self.methods[method.id] = method
        node, names = self._root, []
        for segment in method.path.split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.literals.setdefault(segment, _Node())
        node.methods[method.http] = (method, names)

    def match(self, http: str, path: str) -> tuple[Method, dict[str, str]]:
        """The method of a request line and its path parameters, unquoted.

        :param path: below ``/compute/v1/``.
        :raises ApiError: 404 when the document knows no such path.
        """
        segments = path.strip("/").split("/")
        found = _descend(self._root, segments, 0, http, [])
        if found is None:
            raise ApiError(404, "notFound", f"The requested URL /compute/v1/{path} was not found on this server.")
        (method, names), values = found
        return method, dict(zip(names, (urllib.parse.unquote(value) for value in values), strict=True))

    def parameters(self, method: Method, path: Mapping[str, str], query: Mapping[str, list[str]]) -> dict[str, Any]:
        """Path and query parameters with their types.

        :raises ApiError: 400 for unknown, missing or wrong ones.
        """
        values: dict[str, Any] = {}
        for name, text in path.items():
            values[name] = _convert(name, text, method.parameters.get(name, {"type": "string"}))
        for name, texts in query.items():
            declared = method.parameters.get(name) or self._common.get(name)
            if declared is None or declared["location"] != "query":
                raise ApiError(
                    400,
                    "badRequest",
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                    f"Field '{name}' could not be found in request message.",
                )
            values[name] = (
                [_convert(name, text, declared) for text in texts]
                if declared.get("repeated")
                else _convert(name, texts[-1], declared)
            )
        for name, declared in method.parameters.items():
            if declared.get("required") and values.get(name) in (None, ""):
                raise ApiError(400, "required", f"Required field '{name}' not specified")
        return values

    def list_item(self, method: Method) -> tuple[str, Json]:
        """For a list method: the property that holds the resources, and the schema of one resource."""
        answer = self.checker.schemas[method.response or ""]
        if method.verb == "aggregatedList":
            answer = self.checker.resolve(answer["properties"]["items"]["additionalProperties"])
        for name, schema in answer["properties"].items():
            if schema.get("type") == "array" and "$ref" in schema["items"]:
                return name, self.checker.resolve(schema["items"])
        raise LookupError(f"{method.id} has no list of resources in its answer")

    def kind(self, schema: str) -> str:
        """Google's ``kind`` of a schema, such as compute#instance."""
        return str(self.checker.schemas[schema]["properties"]["kind"]["default"])


def _descend(
    node: _Node, segments: list[str], at: int, http: str, values: list[str]
) -> tuple[tuple[Method, list[str]], list[str]] | None:
    if at == len(segments):
        return (node.methods[http], values) if http in node.methods else None
    literal = node.literals.get(segments[at])
    if literal is not None and (found := _descend(literal, segments, at + 1, http, values)):
        return found
    return _descend(node.any, segments, at + 1, http, [*values, segments[at]]) if node.any and segments[at] else None


def _convert(name: str, text: str, declared: Json) -> Any:
    kind = declared["type"]
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise invalid(name, text, "Must be true or false.")
        return text.lower() == "true"
    if kind == "integer":
        if not re.fullmatch(r"-?[0-9]{1,10}", text) or int(text) < int(declared.get("minimum", "-2147483648")):
            raise invalid(name, text, "Must be an integer in range.")
        return int(text)
    if "enum" in declared and text not in declared["enum"]:
        raise invalid(name, text, f"Must be one of {', '.join(declared['enum'])}.")
    # a zone of '-' means any zone where the API allows it (imageFamilyViews); the document's pattern leaves that out
    if "pattern" in declared and not re.fullmatch(declared["pattern"], text) and (name, text) != ("zone", "-"):
        raise invalid(name, text, f"Must be a match of regex '{declared['pattern']}'")
    return text
