"""What every address keeps, asked of the schema itself: refusals, pages, versions, repeated writes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from accounts.models import FirstAnswer
from market.simulation.companies import COMPANIES
from ops import contract
from tests.api.wire import Client
from trading.models import JournalNote

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]
Schema = dict[str, Any]
# Lists that end by themselves, and by what.
WHOLE = {
    **{"/api/v1/alerts": "200 of a portfolio", "/api/v1/watchlists": "50 of a portfolio"},
    **{"/v2/watchlists": "50 of a portfolio", "/v2/watchlists/{watchlist_id}": "200 symbols"},
    **{"/v2/watchlists:by_name": "200 symbols", "/api/v1/keys": "20 of a portfolio"},
    **{"/api/v1/auth/sessions": "a player's devices", "/api/v1/rights": "a portfolio's open rights"},
    **{"/v2/positions": "a portfolio's instruments", "/v2/assets": "a world's, without pages as Alpaca's"},
    **{"/v2/calendar": "ten years of days", "/api/v1/worlds": "a server's worlds"},
    **{"/api/v1/trades/{symbol}": "the last 50", "/api/v1/bars/{symbol}": "limit and before"},
    **{"/api/v1/chart/{symbol}": "from, to and countback", "/api/v1/portfolio/curve": "2,000 points"},
    **{"/api/v1/desk": "what a screen shows", "/api/v1/games/{game}/standings": "the first 100"},
    **{"/api/v1/orders/{order_id}/receipt": "one order", "/api/v1/worlds/{slug}": "a day's rules"},
    **{"/.well-known/jwks.json": "the key that signs and those before it whose tokens live"},
}
# Writes without If-Match: what has no versions.
UNVERSIONED = {
    **{
        "/v2/orders": "all of them",
        "/v2/positions": "what is there now",
        "/v2/positions/{symbol}": "likewise",
    },
    **{"/api/v1/alerts/{alert_id}": "never changes", "/api/v1/keys/{key_id}": "never changes"},
    **{"/api/v1/auth/sessions": "all of them", "/api/v1/auth/sessions/{login_id}": "never changes"},
    **{"/v2/account/configurations": "the game has chosen"},
}
# POSTs without Idempotency-Key: secrets that are kept nowhere, and what has the same effect twice.
UNKEYED = {
    **{f"/api/v1/auth/{verb}": "secrets" for verb in ("register", "token", "refresh")},
    **{f"/api/v1/auth/{verb}": "twice is once" for verb in ("guest", "keep", "logout")},
    **{"/api/v1/keys": "a secret", "/api/v1/orders/preview": "changes nothing"},
    **{"/api/v1/games/{game}/join": "twice is once", "/api/v1/games/{game}/{act}": "twice is once"},
    **{"/v2/watchlists/{watchlist_id}": "twice is once; If-Match"},
}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return contract.documents()["openapi"]


def operations(schema: Schema, *methods: str) -> Iterator[tuple[str, str, Schema, set[str]]]:
    """(method, path, operation, names of parameters)."""
    for path, ways in schema["paths"].items():
        for method in ways.keys() & set(methods):
            yield method, path, ways[method], {one["name"] for one in ways[method].get("parameters", ())}


def _is_list(schema: Schema, shape: Schema) -> bool:
    """Is it a list of objects, or has it one?"""
    whole = contract.resolved(schema, shape)
    parts = [whole, *(contract.resolved(schema, each) for each in whole.get("properties", {}).values())]
    return any("properties" in contract.resolved(schema, each.get("items", {})) for each in parts)


async def test_every_list_has_pages_or_an_end(schema: Schema) -> None:
    for _, path, operation, asked in operations(schema, "get"):
        content = operation["responses"]["200"].get("content", {}).get("application/json", {})
        if not path.startswith("/udf/") and _is_list(schema, content.get("schema", {})):
            assert ("page_token" in asked) != (path in WHOLE), path


async def test_every_write_to_something_that_changes_may_name_the_version_it_saw(schema: Schema) -> None:
    for method, path, operation, asked in operations(schema, "put", "patch", "delete"):
        assert ("If-Match" in asked) != (path in UNVERSIONED), (method, path)
        assert ("412" in operation["responses"]) == ("If-Match" in asked), (method, path)


async def test_every_example_fits_its_schema_and_names_what_a_new_game_has(schema: Schema) -> None:
    listed, shown = {company.symbol for company in COMPANIES}, 0
    for _, path, operation, _ in operations(schema, *contract.METHODS):
        bodies = operation.get("requestBody", {}).get("content", {}).values()
        for said in [*operation.get("parameters", ()), *bodies]:
            if "example" not in said:
                assert "symbol" not in str(said.get("name", "")), (path, said["name"])
                continue
            shape = contract.resolved(schema, said["schema"])
            Draft202012Validator(shape | {"components": schema["components"]}).validate(said["example"])
            words = said["example"] if isinstance(said["example"], str) else said["example"].get("symbol", "")
            assert set(words.split(",")) - {""} <= listed, (path, words)
            shown += 1
    assert shown > 20


async def test_every_post_may_be_said_again(schema: Schema) -> None:
    for _, path, _, asked in operations(schema, "post"):
        assert ("Idempotency-Key" in asked) != (path in UNKEYED), path


async def test_every_address_refuses_in_the_same_form(schema: Schema, alice: Client, settings: Any) -> None:
    settings.REQUEST_RATE = settings.ORDER_RATE = settings.REGISTER_RATE = 1_000_000
    stranger = Client(authorization="Bearer a.b.c")
    refused = 0
    for method, path, operation, _ in operations(schema, *contract.METHODS):
        if path.endswith(("/auth/logout", "/auth/sessions")):
            continue  # they would end alice's own session
        url = path.replace("{", "no-").replace("}", "")
        for client, query, body in ((alice, "?no_such=1", b"{"), (stranger, "", b"{}")):
            answer = await client.ask(method.upper(), url + query, None if method == "get" else body)
            if answer.status < 400:
                continue
            refused += 1
            assert str(answer.status) in operation["responses"] or answer.status == 405, (
                method,
                path,
                answer,
            )
            assert answer.headers["content-type"] == "application/problem+json", (method, path)
            said = answer.json
            assert {"type", "title", "status", "detail", "code", "instance", "request_id"} <= said.keys()
            assert said["status"] == answer.status
            assert isinstance(said["code"], int if path.startswith("/v2/") else str), path
    assert refused > 150


async def test_a_note_is_written_once_however_often_it_is_sent(alice: Client, bob: Client) -> None:
    sent = {"text": "Bought too early.", "tags": ["patience"]}
    answers = await asyncio.gather(
        *(alice.post("/api/v1/journal", sent, idempotency_key='"a-1"') for _ in range(12))
    )
    assert {(answer.status, answer.body, answer.headers["etag"]) for answer in answers} == {
        (201, answers[0].body, '"1"')
    }
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count("true") == 11
    assert await JournalNote.objects.acount() == 1
    other = await alice.post("/api/v1/journal", {"text": "Another."}, idempotency_key='"a-1"')
    assert (other.status, other.json["code"]) == (422, "KEY_FOR_ANOTHER_REQUEST")
    assert (await bob.post("/api/v1/journal", sent, idempotency_key='"a-1"')).status == 201, "hers is hers"
    refused = await alice.post("/api/v1/journal", {"text": ""}, idempotency_key="a-2")
    assert refused.status == 422
    assert (await alice.post("/api/v1/journal", sent, idempotency_key="a-2")).status == 201, (
        "no refusal is kept"
    )
    assert await FirstAnswer.objects.acount() == 3
    assert (await alice.post("/api/v1/journal", sent, idempotency_key="x" * 300)).status == 422


async def test_who_saw_an_older_list_does_not_write_over_the_newer(alice: Client) -> None:
    made = await alice.post("/api/v1/watchlists", {"name": "Banks", "symbols": ["SHARE"]})
    path, seen = f"/api/v1/watchlists/{made.json['id']}", made.headers["etag"]
    assert (await alice.get(path)).headers["etag"] == seen
    changed = await alice.put(path, {"symbols": ["SHARE", "PENNY"]}, if_match=seen)
    assert (changed.status, changed.headers["etag"] != seen) == (200, True)
    for answer in (
        await alice.put(path, {"name": "Mine"}, if_match=seen),
        await alice.put("/api/v1/watchlist", {"symbols": []}, if_match=seen),
        await alice.delete(path, if_match=seen),
        await alice.delete(f"/v2/watchlists/{made.json['id']}", if_match='"nonsense"'),
    ):
        assert (answer.status, answer.json["title"]) == (412, "The row changed since you read it")
    assert (await alice.get(path)).json["symbols"] == ["SHARE", "PENNY"]
    assert (await alice.delete(path, if_match=changed.headers["etag"])).status == 204


async def test_notes_and_orders_come_in_pages(alice: Client) -> None:
    for n in range(5):
        await alice.post("/api/v1/journal", {"text": f"Note {n}."})
        rest = {"symbol": "SHARE", "side": "buy", "type": "limit", "qty": "100", "limit_price": "9.50"}
        await alice.post("/v2/orders", rest | {"client_order_id": f"o{n}"})
    texts: list[str] = []
    page: Schema = {"next_page_token": ""}
    while page["next_page_token"] is not None:
        query = f"limit=2&page_token={page['next_page_token']}" if page["next_page_token"] else "limit=2"
        page = (await alice.get(f"/api/v1/journal?{query}")).json
        texts += [note["text"] for note in page["notes"]]
    assert texts == [f"Note {n}." for n in (4, 3, 2, 1, 0)]
    for direction, order in (("desc", "43210"), ("asc", "01234")):
        names, url = "", f"/v2/orders?limit=2&direction={direction}"
        while url:
            answer = await alice.get(url)
            names += "".join(row["client_order_id"][1:] for row in answer.json)
            url = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
        assert names == order
