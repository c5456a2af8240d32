"""The REST contract as OpenAPI 3.1: what drf-spectacular reads from the doors, and what all of them share.

Security, refusals, headers and the shapes of answers are said here once, not at every door.
"""

from __future__ import annotations

from typing import Any, Final

from simgame import answers

Schema = dict[str, Any]
PROBLEM: Final = "application/problem+json"
WHY: Final = {
    "400": "The request cannot be read",
    "401": "Not signed in, or a key or token that is not good",
    "403": "Not allowed",
    "404": "There is nothing here under this name, for you",
    "406": "JSON only",
    "409": "It cannot be done any more, or not at the same time",
    "412": "It changed since you read it",
    "413": "The body is too long",
    "415": "The body must be JSON",
    "422": "A field has a value that cannot be used, or is not known",
    "429": "Too many requests: see Retry-After",
    "503": "Not just now: see Retry-After",
    "504": "The exchange did not answer in time: the outcome is not known, ask again with the same id",
}
ALWAYS: Final = ("400", "404", "406", "422", "429", "503")
TEXT: Final[Schema] = {"type": "string"}
PROBLEM_FIELDS: Final[Schema] = {
    **dict.fromkeys(("type", "title", "detail", "instance", "message", "request_id"), TEXT),
    "status": {"type": "integer"},
    "errors": {
        "type": "array",
        "items": {"type": "object", "properties": {"pointer": TEXT, "detail": TEXT}, "required": ["detail"]},
    },
    "facts": {"type": "object"},
    "retryable": {"type": "boolean"},
    "outcome": {"enum": ["executed", "not_executed", "unknown"]},
}
# Instruments of the seeded world, which every game begins with: what is shown can be tried as it stands.
EXAMPLES: Final = {"symbol": "ALB", "symbols": "ALB,PWS", "symbol_or_id": "ALB"}
BODIES: Final[dict[str, Schema]] = {
    "OrderForm": {"symbol": "ALB", "qty": "100", "side": "buy", "type": "market", "time_in_force": "day"},
    "AlertForm": {"symbol": "ALB", "price": "13.00", "way": "above"},
    "WatchlistForm": {"name": "Spirits and banks", "symbols": ["PWS", "ALB"]},
    "ListForm": {"name": "Spirits and banks", "symbols": ["PWS", "ALB"]},
    "SymbolForm": {"symbol": "ALB"},
}
HEADERS: Final[dict[str, Schema]] = {
    "RateLimit": {"description": 'What is left: `"requests";r=49;t=1`', "schema": TEXT},
    "RateLimit-Policy": {"description": 'The limit: `"requests";q=50;w=1`', "schema": TEXT},
    "Retry-After": {"description": "Seconds", "schema": {"type": "integer"}},
    "ETag": {"description": "The version, for If-Match", "schema": TEXT},
    "Idempotent-Replayed": {"description": "`true`: this is the first answer again", "schema": TEXT},
    "Link": {"description": '`<…>; rel="next"`, where there is a next page', "schema": TEXT},
}


def complete(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """POSTPROCESSING_HOOKS: everything that the doors share. The shapes of answers: `simgame.answers`."""
    result["servers"] = [{"url": "/"}]
    result["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    parts = result["components"]
    parts["securitySchemes"] = _sign_ins()
    parts["headers"] = HEADERS
    parts["responses"] = {
        f"{name}{status}": _refusal(name, status) for name in ("Problem", "AlpacaProblem") for status in WHY
    }
    parts["schemas"]["Problem"] = _problem(TEXT)
    parts["schemas"]["AlpacaProblem"] = _problem({"type": "integer"}, reason=TEXT)
    parts["schemas"] |= answers.COMPONENTS
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            _answer(operation, answers.ANSWERS.get((method, path)))
            _refusals(path, method, operation)
            _examples(operation)
    return result


def _sign_ins() -> Schema:
    header = {"type": "apiKey", "in": "header"}
    return {
        "token": {"type": "http", "scheme": "bearer", "description": "From POST /api/v1/auth/token"},
        "keyId": {**header, "name": "APCA-API-KEY-ID", "description": "POST /api/v1/keys"},
        "keySecret": {**header, "name": "APCA-API-SECRET-KEY"},
        "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "With X-CSRFToken"},
    }


def _problem(code: Schema, **more: Schema) -> Schema:
    fields = {**PROBLEM_FIELDS, "code": code, **more}
    return {
        "type": "object",
        "description": "RFC 9457. Every code: docs/errors.md",
        "properties": fields,
        "required": sorted(fields),
    }


def _answer(operation: Schema, shape: Schema | None) -> None:
    for status, said in operation["responses"].items():
        if not status.startswith("2"):
            continue
        if shape is not None and "content" in said:
            said["content"] = {"application/json": {"schema": shape}}
        names = ["RateLimit", "RateLimit-Policy"]
        asked = {parameter["name"] for parameter in operation.get("parameters", ())}
        names += ["Idempotent-Replayed"] if "Idempotency-Key" in asked else []
        names += ["ETag"] if "If-Match" in asked else []
        said["headers"] = _headers(*names)


def _examples(operation: Schema) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in EXAMPLES:
            parameter["example"] = EXAMPLES[parameter["name"]]
    for said in operation.get("requestBody", {}).get("content", {}).values():
        form = said["schema"].get("$ref", "").rpartition("/")[2]
        if form in BODIES:
            said["example"] = BODIES[form]


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refusals(path: str, method: str, operation: Schema) -> None:
    asked = {parameter["name"] for parameter in operation.get("parameters", ())}
    statuses = [*ALWAYS, "401", "403"]  # also where nobody need sign in: a key that is sent must be good
    statuses += ["413", "415"] if "requestBody" in operation or path.startswith("/v2/orders") else []
    statuses += ["409", "504"] if method != "get" else []
    statuses += ["412"] if "If-Match" in asked else []
    name = "AlpacaProblem" if path.startswith("/v2/") else "Problem"
    kept = {status: said for status, said in operation["responses"].items() if status < "400"}
    refused = {status: {"$ref": f"#/components/responses/{name}{status}"} for status in sorted(set(statuses))}
    operation["responses"] = kept | refused


def _refusal(name: str, status: str) -> Schema:
    content = {PROBLEM: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    headers = {"headers": _headers("Retry-After")} if status in {"429", "503"} else {}
    return {"description": WHY[status], "content": content, **headers}
