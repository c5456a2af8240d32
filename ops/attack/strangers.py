"""S12: what is another player's does not exist."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Player
from ops.attack import timing
from ops.attack.line import Answer, Line
from ops.attack.stage import Person, Stage, in_thread
from ops.attack.tally import Tally, attack

PUBLIC = {"symbol_or_id", "activity_type", "slug"}  # what everybody may ask for by name
REFUSED = (401, 403, 404)
NOBODYS_PORTFOLIO = "999999999"


class Pair(NamedTuple):
    """One request for Alice's object, and the same for one that nobody has."""

    method: str
    hers: str
    nobodys: str
    body: Any


class Belongings:
    """What Alice has of each kind, by the name that the schema gives to its number."""

    def __init__(self, ids: dict[str, tuple[str, str]], secrets: tuple[str, ...]):
        self.ids, self.secrets = ids, secrets

    def pairs(self, schema: dict[str, Any]) -> Iterator[Pair]:
        for path, methods in schema["paths"].items():
            names = re.findall(r"{(\w+)}", path)
            if not names or set(names) <= PUBLIC or path.startswith(("/v2/stocks", "/udf", "/api/v1/bars")):
                continue
            if "{symbol}" in path and "watchlist" not in path and "positions" not in path:
                continue
            for method in methods:
                if method in ("get", "post", "put", "patch", "delete"):
                    hers, nobodys = (
                        re.sub(r"{(\w+)}", lambda found, at=at: self.ids[found[1]][at], path) for at in (0, 1)
                    )
                    yield Pair(method.upper(), hers, nobodys, BODIES.get((method, path.split("/")[3])))


BODIES: dict[tuple[str, str], Any] = {
    ("patch", "orders"): {"qty": "100"},
    ("patch", "{order_id}"): {"qty": "100"},
    ("patch", "journal"): {"text": "read", "version": 1},
    ("put", "watchlists"): {"name": "mine", "symbols": []},
    ("put", "{watchlist_id}"): {"name": "mine", "symbols": []},
    ("post", "{watchlist_id}"): {"symbol": "NOPE"},
    ("post", "games"): {},
    ("post", "rights"): {"qty": "1"},
}


async def belongings(stage: Stage, alice: Person) -> Belongings:
    """Made over the API, as she would."""
    line, prices = stage.line(**alice.bearer), await stage.prices()
    symbol, price = sorted(prices.items(), key=lambda item: item[1])[0]
    buy = {"symbol": symbol, "side": "buy", "qty": "100", "time_in_force": "day"}
    filled = await _made(line, "/v2/orders", {**buy, "type": "market", "client_order_id": "her-first"})
    low = f"{price * 95 // 10_000}.{price * 95 // 100 % 100:02}"
    resting = await _made(line, "/v2/orders", {**buy, "type": "limit", "limit_price": low})
    note = await _made(line, "/api/v1/journal", {"text": "her secret note"})
    alert = await _made(line, "/api/v1/alerts", {"symbol": symbol, "price": str(price // 50)})
    lists = await _made(line, "/v2/watchlists", {"name": "her-list", "symbols": [symbol]})
    key = await _made(line, "/api/v1/keys", {"name": "her-key"})
    game = await _made(line, "/api/v1/games", {"name": "her game"})
    desk = (await line.ask("GET", "/api/v1/desk")).json
    login = (await line.ask("GET", "/api/v1/auth/sessions")).json[0]["id"]
    fill = desk["fills"][0]["id"] if desk["fills"] else filled["id"]
    nobody = str(uuid.uuid4())
    ids = {
        "order_id": (resting["id"], nobody),
        "fill_id": (str(fill), "1"),
        "note_id": (str(note["id"]), "999999999"),
        "alert_id": (str(alert["id"]), "999999999"),
        "list_id": (lists["id"], nobody),
        "watchlist_id": (lists["id"], nobody),
        "symbol": (symbol, sorted(prices)[-1]),
        "key_id": (key["key_id"], "SGNOBODYNOBODYNOBODY"),
        "key": ("R" + nobody[:8], "R" + nobody[9:17]),
        "login_id": (login, nobody),
        "game": (game["slug"], "private-ffffffff"),
        "act": ("start", "start"),
    }
    words = (alice.player.username, "her-first", "her secret note", "her-list", "her-key", "her game")
    return Belongings(
        ids, (*words, resting["id"], filled["id"], key["key_id"], key["secret"], game["invitation"])
    )


async def _made(line: Line, path: str, body: Any) -> Any:
    said = await line.ask("POST", path, body)
    assert said.status in (200, 201), f"Alice could not {path}: {said.status} {said.body[:300]!r}"
    return said.json


async def ways(stage: Stage) -> AsyncIterator[tuple[str, Line]]:
    """Everybody who is not Alice, in every way that they may be known by."""
    yield "nobody", stage.line()
    yield "Bob by token", stage.line(**stage.bob.bearer)
    yield "Bob by key", stage.line(**stage.bob.key)
    browser = await stage.browser(stage.bob)
    browser.headers |= {
        "X-Csrftoken": browser.cookies["csrftoken"],
        "Origin": f"http://127.0.0.1:{stage.port}",
    }
    yield "Bob in a browser", browser
    clerk = await stage.newcomer("clerk")
    await in_thread(lambda: Player.objects.filter(pk=clerk.player.pk).update(is_staff=True))()
    yield "a clerk without rights", stage.line(**clerk.bearer)


@attack(
    "S12", "Another player's object answers as one that does not exist: status, body, rows and time.", 420
)
async def s12(stage: Stage, tally: Tally) -> None:
    hers = await belongings(stage, stage.alice)
    schema = await sync_to_async(SchemaGenerator().get_schema)(request=None, public=True)
    pairs = list(hers.pairs(schema))
    own = stage.line(**stage.alice.bearer)
    for pair in pairs:
        if pair.method == "GET":
            said = await own.ask("GET", pair.hers)
            tally.expect(said.status == 200, f"Alice cannot see her own {pair.hers}: {said.status}")
    before = await _as_she_sees(stage)
    strangers = [each async for each in ways(stage)]
    with stage.counted(len(strangers) * len(pairs)):
        await asyncio.gather(*(_stranger(stage, tally, *each, hers, schema) for each in strangers))
    tally.expect(await _as_she_sees(stage) == before, "something of Alice's changed")
    await in_thread(stage.renew)()
    await _sockets(stage, tally, hers)
    await _times(stage, tally, hers)


async def _stranger(
    stage: Stage, tally: Tally, who: str, line: Line, hers: Belongings, schema: dict[str, Any]
) -> None:
    """Everything of Alice's, and for each the same of nobody's: told alike."""
    for pair in hers.pairs(schema):
        theirs = await line.ask(pair.method, pair.hers, pair.body)
        missing = await line.ask(pair.method, pair.nobodys, pair.body)
        told = [(said.status, _without(said, path)) for said, path in
                ((theirs, pair.hers), (missing, pair.nobodys))]  # fmt: skip
        asked = f"{who}: {pair.method} {pair.hers}"
        tally.expect(
            told[0] == told[1] and theirs.status in REFUSED,
            f"{asked}: {theirs.status}, {missing.status}: {theirs.body[:200]!r} {missing.body[:200]!r}",
        )
        leaked = leaks(theirs, hers, pair.hers)
        tally.expect(not leaked, f"{asked} tells {leaked}")
        stage.tick(1)
    if stage.full or who == "Bob by token":
        await _borrowed(stage, tally, who, line, schema, hers)


async def _borrowed(
    stage: Stage, tally: Tally, who: str, line: Line, schema: dict[str, Any], hers: Belongings
) -> None:
    """Alice's portfolio in the header, or in the query, where it is read."""
    for path in schema["paths"]:
        if "{" in path or path.startswith("/udf"):
            continue
        for where in (
            {"x_portfolio": str(stage.alice.portfolio)},
            {"query": f"portfolio={stage.alice.portfolio}"},
        ):
            theirs = await _ask_with(line, path, where)
            missing = await _ask_with(
                line,
                path,
                {
                    name: value.replace(str(stage.alice.portfolio), NOBODYS_PORTFOLIO)
                    for name, value in where.items()
                },
            )
            told = leaks(theirs, hers, path)
            tally.expect(theirs.status == missing.status and not told, f"{who}: GET {path} with {where}: "
                         f"{theirs.status}, not {missing.status}; tells {told}")  # fmt: skip


async def _ask_with(line: Line, path: str, where: dict[str, str]) -> Answer:
    query = where.get("query")
    return await line.ask("GET", f"{path}?{query}" if query else path, **({} if query else where))


def _without(answer: Answer, path: str) -> str:
    """What it tells, without the words that the asker used."""
    text = json.dumps(answer.told, default=repr)
    for word in re.split(r"[/?=&]", path):
        text = text.replace(word, "…") if len(word) > 3 else text
    return text


def leaks(answer: Answer, hers: Belongings, path: str) -> list[str]:
    """Her words in it, but for those of the question and her name, which the standings tell."""
    public = "standings" in path or path == "/api/v1/games"
    text = answer.body.decode(errors="replace")
    return [word for word in hers.secrets[1 if public else 0 :] if word in text and word not in path]


async def _as_she_sees(stage: Stage) -> list[Any]:
    """What is hers alone; not what the market and newcomers change."""
    line = stage.line(**stage.alice.bearer)
    kept = {"/v2/orders": "id", "/v2/watchlists": "symbols", "/api/v1/keys": "key_id", "/api/v1/alerts": "id"}
    told: list[Any] = [(await line.ask("GET", "/api/v1/journal")).json]
    for path, name in kept.items():
        answer = await line.ask("GET", path)
        assert answer.status == 200, f"Alice cannot see her own {path}: {answer.status}"
        said = answer.json
        rows = said if isinstance(said, list) else next(iter(said.values()))
        told.append([row.get(name) for row in rows])
    return told


async def _sockets(stage: Stage, tally: Tally, hers: Belongings) -> None:
    tokens = {"nobody": "", "Bob by token": stage.bob.access, "Bob by key": ":".join(stage.bob.key.values())}
    topics = {f"portfolio:{stage.alice.portfolio}": f"portfolio:{NOBODYS_PORTFOLIO}"}
    for who, token in tokens.items():
        for mine, nobodys in topics.items():
            told = []
            for topic in (mine, nobodys):
                async with stage.socket() as socket:
                    await socket.recv()
                    if token:
                        await socket.send(json.dumps({"op": "auth", "id": 1, "token": token}))
                        await socket.recv()
                    await socket.send(json.dumps({"op": "subscribe", "id": 2, "topics": [{"topic": topic}]}))
                    said = str(await socket.recv())
                    told.append(re.sub(r'"request_id":"[^"]*"', "", said.replace(topic, "…")))
            tally.expect(told[0] == told[1] and '"results"' not in told[0], f"{who} on {mine}: {told}")


async def _times(stage: Stage, tally: Tally, hers: Belongings) -> None:
    line, samples = stage.line(**stage.bob.bearer), stage.count(150, 15)
    for name, path in (
        ("order_id", "/v2/orders/{}"),
        ("note_id", "/api/v1/journal/{}"),
        ("fill_id", "/api/v1/fills/{}/receipt"),
    ):
        hers_, nobodys = hers.ids[name]
        await timing.same(
            stage,
            tally,
            path,
            lambda path=path, of=hers_: line.ask("GET", path.format(of)),
            lambda path=path, of=nobodys: line.ask("GET", path.format(of)),
            samples,
        )
