"""The released contract: what a client that was written against it relies on, and what would break it.

`docs/api/openapi.json` and `asyncapi.json` are the documents of the last release. `breaks` compares two
documents and names every change that a client of the old one could trip over. Pure but for reading files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

from simgame.asyncapi import document
from simgame.openapi import WHY

FOLDER: Final[Path] = settings.BASE_DIR / "docs" / "api"
Schema = dict[str, Any]
REFUSALS: Final = frozenset(WHY)
METHODS: Final = ("get", "put", "post", "delete", "patch")
UPPER, LOWER = ("maxLength", "maximum", "maxItems"), ("minLength", "minimum", "minItems")


HOW_TO_BREAK: Final = (
    "\nA client of the last release would trip over this. Keep the old form, or release a new contract: "
    'raise the first number of SPECTACULAR_SETTINGS["VERSION"], run '
    "`manage.py api_schema --release --breaking`, and say in CHANGELOG.md what clients must do."
)


class Way(NamedTuple):
    """Which way the data goes. What a client sends may not be narrowed; what it hears may not be widened."""

    sent: bool
    what: str
    field: str = ""

    def at(self, field: str) -> Way:
        return self._replace(field=f"{self.field}.{field}".removeprefix("."))

    def said(self, what: str) -> str:
        return f"{self.what} {self.field}: {what}" if self.field else f"{self.what}: {what}"


def documents() -> dict[str, Schema]:
    """What this code serves, by name; as it comes out of JSON."""
    made = {"openapi": SchemaGenerator().get_schema(request=None, public=True), "asyncapi": document()}
    return {name: json.loads(json.dumps(one, default=str)) for name, one in made.items()}


def released(name: str) -> Schema:
    """A document of the last release; an empty one where there was none."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def broken() -> list[str]:
    """What would break a client of the last release."""
    served = documents()
    return [line for name, new in served.items() for line in breaks(released(name), new)]


def unreleased() -> list[str]:
    return [name for name, new in documents().items() if released(name) != new]


def release() -> list[str]:
    """Writes the documents that changed; returns their names."""
    FOLDER.mkdir(exist_ok=True)
    served = documents()
    changed = [name for name, new in served.items() if released(name) != new]
    for name in changed:
        (FOLDER / f"{name}.json").write_text(written(served[name]), encoding="utf-8")
    return changed


def version() -> str:
    return str(settings.SPECTACULAR_SETTINGS["VERSION"])


def is_new_major() -> bool:
    before = released("openapi").get("info", {}).get("version", "0")
    return int(version().split(".")[0]) > int(before.split(".")[0])


def written(document: Schema) -> str:
    """As it stands in the folder: the same document, the same text."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def breaks(old: Schema, new: Schema) -> list[str]:
    """Every change from `old` to `new` that can break a client, one line each."""
    compare = _Compare(old, new)
    if "paths" in old:
        return list(compare.paths())
    return list(compare.frames()) if "channels" in old else []


class _Compare:
    def __init__(self, old: Schema, new: Schema):
        self.old, self.new = old, new
        self.seen: set[tuple[str, str, bool]] = set()

    # --- OpenAPI -----------------------------------------------------------------------------------

    def paths(self) -> Iterator[str]:
        for path, operations in self.old["paths"].items():
            if path not in self.new["paths"]:
                yield f"{path}: the path is gone"
                continue
            for method in (name for name in METHODS if name in operations):
                now = self.new["paths"][path].get(method)
                what = f"{method.upper()} {path}"
                if now is None:
                    yield f"{what}: the method is gone"
                else:
                    yield from self.operation(what, operations[method], now)

    def operation(self, what: str, old: Schema, new: Schema) -> Iterator[str]:
        if {} in old.get("security", ()) and {} not in new.get("security", ()):
            yield f"{what}: asks for a sign-in now"
        yield from self.parameters(what, old.get("parameters", ()), new.get("parameters", ()))
        yield from self.bodies(what, old.get("requestBody"), new.get("requestBody"))
        for status, answer in old["responses"].items():
            if status not in new["responses"]:
                yield f"{what}: the answer {status} is gone"
                continue
            content = resolved(self.new, new["responses"][status]).get("content", {})
            for kind, said in resolved(self.old, answer).get("content", {}).items():
                if kind not in content:
                    yield f"{what}: the answer {status} is no {kind} any more"
                else:
                    way = Way(sent=False, what=f"{what} → {status}")
                    yield from self.schemas(way, said.get("schema", {}), content[kind].get("schema", {}))

    def parameters(self, what: str, old: Any, new: Any) -> Iterator[str]:
        before = {(one["in"], one["name"]): one for one in old}
        after = {(one["in"], one["name"]): one for one in new}
        for key, one in before.items():
            if key not in after:
                yield f"{what}: the {key[0]} parameter {key[1]} is gone"
                continue
            if after[key].get("required") and not one.get("required"):
                yield f"{what}: the {key[0]} parameter {key[1]} is required now"
            way = Way(sent=True, what=f"{what} ?{key[1]}")
            yield from self.schemas(way, one.get("schema", {}), after[key].get("schema", {}))
        for key in after.keys() - before.keys():
            if after[key].get("required"):
                yield f"{what}: a new required {key[0]} parameter {key[1]}"

    def bodies(self, what: str, old: Schema | None, new: Schema | None) -> Iterator[str]:
        if new and new.get("required") and not (old and old.get("required")):
            yield f"{what}: a body is required now"
        if old and not new:
            yield f"{what}: takes no body any more"
        for kind, said in (old or {}).get("content", {}).items():
            now = (new or {}).get("content", {}).get(kind)
            if now is not None:
                way = Way(sent=True, what=f"{what} ←")
                yield from self.schemas(way, said.get("schema", {}), now.get("schema", {}))
            elif new:
                yield f"{what}: takes no {kind} any more"

    # --- AsyncAPI ----------------------------------------------------------------------------------

    def frames(self) -> Iterator[str]:
        """Frames that the client hears, and those that it sends."""
        for name, channel in self.old["channels"].items():
            if self.new["channels"].get(name, {}).get("address") != channel["address"]:
                yield f"the channel {channel['address']} is gone"
        for name, sent in (("ServerFrame", False), ("ClientFrame", True)):
            way = Way(sent=sent, what=name)
            yield from self.schemas(way, {"$ref": _named(name)}, {"$ref": _named(name)})

    # --- schemas -----------------------------------------------------------------------------------

    def schemas(self, way: Way, old: Schema, new: Schema) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""), way.sent)
        if pair[0]:
            if pair in self.seen:
                return
            self.seen.add(pair)
        old, new = resolved(self.old, old), resolved(self.new, new)
        yield from self.types(way, old, new)
        yield from _bounds(way, old, new)
        yield from self.fields(way, old, new)
        if "items" in old and "items" in new:
            yield from self.schemas(way._replace(field=f"{way.field}[]"), old["items"], new["items"])
        yield from self.kinds(way, old, new)

    def types(self, way: Way, old: Schema, new: Schema) -> Iterator[str]:
        before, after = _types(self.old, old), _types(self.new, new)
        if before and after and (lost := before - after if way.sent else after - before):
            verb = "may not be {} any more" if way.sent else "may be {} now"
            yield way.said(verb.format(" or ".join(sorted(lost))))

    def fields(self, way: Way, old: Schema, new: Schema) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        must, now_must = set(old.get("required", ())), set(new.get("required", ()))
        for name in before.keys() - after.keys():
            yield way.at(name).said("is gone")
        for name in now_must - must if way.sent else ():
            yield way.at(name).said("is required now")
        for name in (must - now_must) & after.keys() if not way.sent else ():
            yield way.at(name).said("may be missing now")
        for name in sorted(before.keys() & after.keys()):
            yield from self.schemas(way.at(name), before[name], after[name])

    def kinds(self, way: Way, old: Schema, new: Schema) -> Iterator[str]:
        """The alternatives of oneOf and anyOf: by name where they have one, else in their order."""
        before, after = alternatives(old), alternatives(new)
        for name, one in before.items():
            if name in after:
                yield from self.schemas(way, one, after[name])
            elif way.sent or name.startswith("#"):
                yield way.said(f"the alternative {name.rpartition('/')[2]} is gone")


def _bounds(way: Way, old: Schema, new: Schema) -> Iterator[str]:
    if not way.sent:
        return
    for name in UPPER:
        if name in new and new[name] < old.get(name, float("inf")):
            yield way.said(f"{name} is {new[name]} now")
    for name in LOWER:
        if name in new and new[name] > old.get(name, float("-inf")):
            yield way.said(f"{name} is {new[name]} now")
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield way.said(f"must match {new['pattern']} now")
    if lost := [value for value in old.get("enum", ()) if "enum" in new and value not in new["enum"]]:
        yield way.said(f"may not be {', '.join(map(str, lost))} any more")


def resolved(document: Schema, schema: Schema) -> Schema:
    """Without its `$ref`, and with the parts of its allOf put together."""
    if "$ref" in schema:
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return resolved(document, {**found, **rest})
    if "allOf" not in schema:
        return schema
    whole: Schema = {name: value for name, value in schema.items() if name != "allOf"}
    for part in schema["allOf"]:
        one = resolved(document, part)
        fields = {**whole.get("properties", {}), **one.get("properties", {})}
        whole = {**whole, **one, "required": [*whole.get("required", ()), *one.get("required", ())]}
        whole |= {"properties": fields} if fields else {}
    return whole


def _types(document: Schema, schema: Schema) -> set[str]:
    """The JSON types that it allows; nothing where it does not say."""
    if kinds := alternatives(schema):
        return set().union(*(_types(document, resolved(document, one)) for one in kinds.values()))
    if "const" in schema or "enum" in schema:
        return {_type_of(value) for value in schema.get("enum", [schema.get("const")])}
    said = schema.get("type", [])
    return {said} if isinstance(said, str) else set(said)


def _type_of(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names.get(type(value), "object")


def alternatives(schema: Schema) -> dict[str, Schema]:
    """Of oneOf and anyOf: the reference, or the place and type, → schema."""
    found = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    return {one.get("$ref") or f"{place} ({one.get('type', '')})": one for place, one in enumerate(found)}


def _named(name: str) -> str:
    return f"#/components/schemas/{name}"
