"""Every operation that the API's own description knows, ready to be sent with this id or that."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.integration.kinds import ENDING, FIELDS, NEEDED, PLACES, SAMPLES, SUSPECT, Own
from tests.integration.places import Place

METHODS = ("get", "post", "put", "patch", "delete")
HINT = "say in tests/integration/kinds.py what {} stands for"

Schema = dict[str, Any]


@dataclass(frozen=True)
class Slot:
    """Where a value goes; `parts` lead to it in a body. Of a `kind` if it is an id or a name."""

    where: str
    parts: tuple[str, ...]
    kind: str | None
    required: bool
    sample: Any = field(compare=False)
    several: bool = False


@dataclass(frozen=True)
class Call:
    """A request; `sent` may be seen again in the reply, as may the tenant `acting_for`."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    sent: str = ""
    acting_for: str = ""

    def by(self, http: FlaskClient, headers: dict[str, str]) -> TestResponse:
        """The reply to somebody with these headers."""
        plain = isinstance(self.body, bytes)
        return http.open(
            self.path,
            method=self.method.upper(),
            query_string=self.query,
            headers=self.headers | headers,
            data=self.body if plain else None,
            json=None if plain else self.body,
            buffered=True,
        )


class Operation:
    """One operation, and where it takes what."""

    def __init__(self, path: str, method: str, told: Schema, schemas: dict[str, Schema]) -> None:
        self.name, self.path, self.method = f"{method} {path}", path, method
        self.open = not told.get("security")
        self.rank = ENDING.index(self.name) if self.name in ENDING else -1
        self.ends = method == "delete" or self.rank >= 0
        self._schemas = schemas
        self._content = told.get("requestBody", {}).get("content", {})
        schema = self._content.get("application/json", {}).get("schema", {})
        parameters = [self._parameter(one) for one in told.get("parameters", [])]
        self._all = [*parameters, *self._in_body(schema, (), required=True)]
        self.slots = [one for one in self._all if one.kind]

    def _parameter(self, told: Schema) -> Slot:
        name, where, words = told["name"], told["in"], self.path.split("/")
        if where == "path":
            before = words[words.index(f"{{{name}}}") - 1]
            assert before in PLACES, HINT.format(f"{{{name}}} in {self.path}")
            kind = PLACES[before]
        else:
            kind = self._kind(name)
        sample = self._sample(told.get("schema", {}), name)
        return Slot(where, (name,), kind, bool(told.get("required")), sample)

    def _in_body(self, schema: Schema, parts: tuple[str, ...], *, required: bool) -> Iterator[Slot]:
        schema = self._resolved(schema)
        for name, inner in schema.get("properties", {}).items():
            found, path = self._resolved(inner), (*parts, name)
            needed = required and name in schema.get("required", ())
            if found.get("properties"):
                yield from self._in_body(found, path, required=needed)
            else:
                several = found.get("type") == "array"
                sample = self._sample(found, name)
                yield Slot("body", path, self._kind(name), needed, sample, several)

    def _kind(self, name: str) -> str | None:
        here = f"{self.path} {name}"
        known = here in FIELDS or name in FIELDS
        assert known or not SUSPECT.search(name), HINT.format(here)
        return FIELDS.get(here, FIELDS.get(name))

    def _resolved(self, schema: Schema) -> Schema:
        """The schema behind a reference, or the first of several that is not null."""
        while "$ref" in schema or "anyOf" in schema:
            if "$ref" in schema:
                schema = self._schemas[schema["$ref"].rpartition("/")[2]]
            else:
                schema = next((one for one in schema["anyOf"] if one.get("type") != "null"), {})
        return schema

    def _sample(self, schema: Schema, name: str) -> Any:
        """A value that the schema lets through."""
        schema = self._resolved(schema)
        if name in SAMPLES or "const" in schema or "enum" in schema:
            return SAMPLES.get(name, schema.get("const", (schema.get("enum") or [None])[0]))
        if schema.get("type") == "array":
            return [self._sample(schema.get("items", {}), name)]
        plain = {"integer": max(1, schema.get("minimum", 1)), "number": 1.0, "boolean": False}
        return plain.get(schema.get("type", ""), {} if schema.get("type") == "object" else "made")

    def call(self, place: Place, who: str, slot: Slot | None = None, value: Any = None) -> Call:
        """With that value in the slot; with the caller's own, or a sample, where one is needed."""
        takes_file = "application/octet-stream" in self._content
        body: Any = b"some text" if takes_file else {} if self._content else None
        if slot and slot.kind == "data" and takes_file:
            body = b""
        call = Call(self.method, self.path, {}, {}, body)
        needed = NEEDED.get(self.name, {})
        for one in self._all:
            if one == slot:
                call = replace(_filled(call, one, value), sent=str(value))
            elif one.required or one.parts[-1] in needed:
                given = needed.get(one.parts[-1], Own(one.kind) if one.kind else one.sample)
                value_of = place.own(who, given.kind) if isinstance(given, Own) else given
                call = _filled(call, one, value_of)
        return call


def _filled(call: Call, slot: Slot, value: Any) -> Call:
    text, name = str(value), slot.parts[-1]
    match slot.where:
        case "path":
            return replace(call, path=call.path.replace(f"{{{name}}}", text))
        case "query":
            return replace(call, query=call.query | {name: text})
        case "header":
            return replace(call, headers=call.headers | {name: text})
    body = inner = copy.deepcopy(call.body)
    for part in slot.parts[:-1]:
        inner = inner.setdefault(part, {})
    told = f"@{value}" if slot.kind == "served" else value
    inner[name] = [told] if slot.several and not isinstance(told, list) else told
    return replace(call, body=body)


def operations(description: Schema) -> list[Operation]:
    """Of the whole description; what ends something comes last."""
    schemas = description.get("components", {}).get("schemas", {})
    found = [
        Operation(path, method, item[method], schemas)
        for path, item in description["paths"].items()
        for method in METHODS
        if method in item
    ]
    return sorted(found, key=lambda one: (one.ends, one.rank, one.path))
