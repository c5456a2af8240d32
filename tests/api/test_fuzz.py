"""Every address of the schema is asked nonsense: the answer is a clear no, never a fault of ours."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

from tests.api.test_bad_input import NO_ORDER, ODD
from tests.api.wire import Answer, Client

SEED = 20261101
TEXTS = [
    *(
        "",
        "x",
        "0",
        "-1",
        "9" * 40,
        "1e400",
        "NaN",
        "１２",
        "\x00",
        "../..",
        "🦄",
        "a" * 2000,
        "2026-13-45",
        "null",
    ),
    *("2026-11-02T09:30:00", "00000000-0000-0000-0000-000000000000", "[]", "%", "SHARE,SHARE", "1d", "true"),
]
WORDS = (
    "limit",
    "cursor",
    "after",
    "until",
    "start",
    "end",
    "symbols",
    "interval",
    "timeframe",
    "status",
    "nope",
)
TYPES = (
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "",
    "é/{",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW")
QUERIES = 7  # nonsense queries an address
BODIES = 10  # nonsense bodies an operation that writes


class Nonsense:
    """The same nonsense at every run."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)

    def address(self, path: str) -> str:
        while "{" in path:
            before, _, rest = path.partition("{")
            after = rest.partition("}")[2]
            path = before + quote(self.random.choice([*TEXTS[1:], "SHARE", "1"]), safe="") + after
        return path

    def query(self, names: list[str]) -> str:
        chosen = self.random.sample([*names, *WORDS], k=self.random.randint(1, 3))
        pairs = [f"{name}={quote(self.random.choice(TEXTS), safe='')}" for name in chosen]
        return "&".join([*pairs, pairs[0]] if self.random.random() < 0.1 else pairs)

    def body(self, fields: list[str]) -> bytes:
        if not fields or self.random.random() < 0.2:
            return self.random.choice([*NO_ORDER, b"", b"null", b'"x"', b"{}", b'{"a":' * 500])
        chosen = self.random.sample(fields, k=self.random.randint(1, len(fields)))
        return json.dumps({name: self.random.choice(ODD) for name in chosen}).encode()


def fields_of(operation: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """The names in the body that an operation reads."""
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("schema", {})
    named = schema["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], body)
    return list(named.get("properties", {}))


def check(answer: Answer, asked: object) -> None:
    assert answer.status < 500 or answer.status == 503, (asked, answer)  # 503: no whole feed runs here
    if answer.status < 400 or not answer.body:
        return
    assert answer.headers["content-type"].startswith("application/problem+json"), (asked, answer)
    said = answer.json
    assert said["status"] == answer.status, (asked, said)
    assert all(said[name] for name in ("code", "detail", "title", "request_id")), (asked, said)


async def test_no_nonsense_is_answered_by_a_fault(alice: Client, settings: Any) -> None:
    settings.REGISTER_RATE = settings.ORDER_RATE = settings.REQUEST_RATE = 1_000_000
    schema = (await alice.get("/api/schema/?format=json")).json
    made, asked = Nonsense(), 0
    stranger = Client(authorization="Bearer a.b.c")
    for path, operations in schema["paths"].items():
        names = [given["name"] for way in operations.values() for given in way.get("parameters", [])]
        for who in (alice, stranger):
            for _ in range(QUERIES):
                url = f"{made.address(path)}?{made.query(names)}"
                check(await who.get(url), url)
        if path.endswith(("/auth/logout", "/auth/sessions")):
            continue  # they would end alice's own session
        for method in METHODS:
            url = made.address(path)
            check(
                await alice.ask(method, url, made.body([]), content_type=made.random.choice(TYPES)),
                (method, url),
            )
        for method in sorted(operations.keys() - {"get"}):
            for _ in range(BODIES):
                url, body = made.address(path), made.body(fields_of(operations[method], schema))
                check(await alice.ask(method.upper(), url, body), (method, url, body[:200]))
                asked += 1
        asked += 2 * QUERIES + len(METHODS)
    assert asked > 800
    assert (await alice.get("/v2/account")).status == 200
