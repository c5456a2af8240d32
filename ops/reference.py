"""The reference of the API as rows for a page: made from the documents that are served, and from nothing
else."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any, Final

from ops import contract

Schema = dict[str, Any]
ALMOST_ALWAYS: Final = {"400", "401", "403", "404", "406", "413", "415", "422", "429", "503"}
DEPTH_MAX: Final = 3  # of fields within fields: below that stands the name of the shape


@cache
def groups() -> list[Schema]:
    """[{name, id, operations: [{method, path, summary, ...}]}], by tag; they do not change in a process."""
    said = contract.documents()["openapi"]
    found: dict[str, list[Schema]] = defaultdict(list)
    for path, operations in said["paths"].items():
        for method, operation in operations.items():
            found[operation.get("tags", ["api"])[0]].append(_operation(said, method, path, operation))
    return [
        {"name": name, "id": name.replace(" ", "-"), "operations": rows}
        for name, rows in sorted(found.items())
    ]


@cache
def messages() -> list[Schema]:
    """[{name, summary, fields}] of the stream, what is heard first."""
    said = contract.documents()["asyncapi"]
    schemas = said["components"]["schemas"]
    names = [name for name in schemas if name.endswith("Push")]
    names += ["Hello", "Agreement", "Results", "Refusal", "Auth", "Subscribe", "Unsubscribe", "Pong"]
    return [{"name": name, "fields": _fields(said, schemas[name])} for name in names]


def version() -> str:
    return contract.version()


def _operation(said: Schema, method: str, path: str, operation: Schema) -> Schema:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    status, answer = next(iter(operation["responses"].items()))
    shape = answer.get("content", {}).get("application/json", {}).get("schema")
    return {
        "method": method.upper(),
        "path": path,
        "id": operation["operationId"],
        "summary": _plain(operation.get("description", "")),
        "open": {} in operation["security"],
        "parameters": [_parameter(said, one) for one in operation.get("parameters", ())],
        "body": _fields(said, body) if body else [],
        "status": status,
        "answer": _fields(said, shape) if shape else [],
        "shape": _type(shape) if shape else "",
        "refusals": sorted(operation["responses"].keys() & contract.REFUSALS - ALMOST_ALWAYS),
    }


def _parameter(said: Schema, one: Schema) -> Schema:
    schema = one.get("schema", {})
    return {
        "name": one["name"],
        "where": one["in"],
        "type": _type(contract.resolved(said, schema)),
        "required": one.get("required", False),
        "text": _plain(one.get("description", "")),
    }


def _fields(said: Schema, schema: Schema, before: str = "", depth: int = 0) -> list[Schema]:
    """{name, type, required, text}; a field of a field as `take_profit.limit_price`, of a row `[].t`."""
    whole = contract.resolved(said, schema)
    for one in contract.alternatives(whole).values():
        if (found := contract.resolved(said, one)).get("properties") or "items" in found:
            whole = found
            break
    if "items" in whole:
        return _fields(said, whole["items"], f"{before}[]", depth)
    found = []
    for name, field in whole.get("properties", {}).items():
        inner = contract.resolved(said, field)
        place = f"{before}.{name}".lstrip(".")
        row = {"name": place, "type": _type(inner), "text": _plain(inner.get("description", ""))}
        found.append(row | {"required": name in whole.get("required", ())})
        if depth < DEPTH_MAX and before.count("[]") + before.count(".") < DEPTH_MAX - 1:
            found += _fields(said, inner, place, depth + 1)
    return found


def _plain(text: str) -> str:
    return text.replace("`", "").strip()


def _type(schema: Schema) -> str:
    if kinds := contract.alternatives(schema):
        words = [_type(one) for one in kinds.values()]
        return " | ".join(dict.fromkeys(words))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(str(value) or '""' for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "object")
    if kind == "string":
        return {"date-time": "time", "date": "day", "uuid": "UUID"}.get(
            schema.get("format", ""), "decimal" if "0-9" in schema.get("pattern", "") else "text"
        )
    return " | ".join(kind) if isinstance(kind, list) else str(kind)
