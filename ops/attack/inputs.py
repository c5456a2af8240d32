"""S16 to S19 and S27: fields that are not ours to set, words that are code elsewhere, numbers that bite,
and requests that are made to be expensive."""

from __future__ import annotations

import asyncio
import json
import zlib
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from asgiref.sync import sync_to_async
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Player
from ops.attack import memory
from ops.attack.line import Answer, Line
from ops.attack.stage import Stage, in_thread
from ops.attack.tally import Tally, attack
from ops.drills import bad_input
from ops.drills.nonsense import MASS, NUMBERS, OTHERS

FORGED = {
    **dict.fromkeys(MASS, 1),
    **{
        "player_id": 1,
        "player": 1,
        "posted": 10**9,
        "fee": 0,
        "role": "admin",
        "is_superuser": True,
        "cash": "9",
    },
    **{"user_permissions": [1], "token_generation": 0, "host_id": 1, "created_at": "2020-01-01T00:00:00Z"},
}
INJECTIONS = (
    *(
        "' OR '1'='1",
        "1; DROP TABLE trading_order; --",
        "1) UNION SELECT password FROM accounts_player --",
        "\\' --",
    ),
    *(
        "<script>alert(1)</script>",
        "{{7*7}}",
        "${7*7}",
        "%s%s%s%n",
        "=cmd|' /C calc'!A0",
        "@SUM(1)",
        "../../etc/passwd",
    ),
    *(
        "_connector",
        "password__startswith",
        "__class__",
        "\r\nSet-Cookie: a=b",
        "%0d%0aX-Evil:%201",
        "\x00",
        "a" * 9000,
    ),
    *(
        "(a+)+$",
        "((((((((((a*)*)*)*)*)*)*)*)*)*)b",
        "\u202e",
        "😀" * 500,
        "1" * 5000,
        "-1",
        "NaN",
        "[]",
        "{}",
    ),
)


@attack("S16", "A field that is not the caller's to set is refused, nested, repeated or in another form too.")
async def s16(stage: Stage, tally: Tally) -> None:
    schema = await sync_to_async(SchemaGenerator().get_schema)(request=None, public=True)
    who = await stage.newcomer("mallory")
    before = await in_thread(lambda: _power(who.player.pk))()
    writes = [
        (method.upper(), path)
        for path, methods in schema["paths"].items()
        for method, about in methods.items()
        if method in ("post", "put", "patch") and "requestBody" in about and "{" not in path
    ]
    sources = (f"127.0.{part}.{number}" for part in range(40, 50) for number in range(1, 250))

    async def one(_: Line, write: tuple[str, str]) -> None:
        method, path = write
        line = stage.line(
            next(sources), **who.bearer
        )  # of its own: a limit of tries would hide what is asked
        good = _example(schema, schema["paths"][path][method.lower()]["requestBody"])
        for name, value in FORGED.items():
            if name in good:
                continue
            said = await line.ask(method, path, good | {name: value})
            tally.expect(
                400 <= said.status < 500, f"{method} {path} takes {name}: {said.status} {said.body[:120]!r}"
            )
        texts = [
            json.dumps(good)[:-1] + ',"status":"filled","status":"new"}',
            json.dumps([good]),
            json.dumps({"data": good}),
            json.dumps(good | {"__proto__": {"is_staff": True}}),
        ]
        for text in texts:
            said = await line.ask(method, path, text.encode())
            tally.expect(400 <= said.status < 500, f"{method} {path} takes {text[:120]}: {said.status}")
        form = "&".join(f"{name}={value}" for name, value in FORGED.items()).encode()
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/xml"):
            said = await line.ask(method, path, form, content_type=kind)
            tally.expect(400 <= said.status < 500, f"{method} {path} takes {kind}: {said.status}")
        line.close()

    await stage.each(writes, one)
    tally.expect(await in_thread(lambda: _power(who.player.pk))() == before, "a field made Mallory mightier")
    tally.facts["doors"] = len(writes)


def _power(player: int) -> tuple[Any, ...]:
    row = Player.objects.get(pk=player)
    return row.is_staff, row.is_superuser, row.token_generation, row.portfolios.count()


def _example(schema: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Something of the right shape, so that the forged field is what is wrong with it."""
    form = next(iter(about["content"].values()))["schema"]
    form = schema["components"]["schemas"].get(form.get("$ref", "").rpartition("/")[2], form)
    made = {}
    for name in form.get("required", ()):
        field = form["properties"].get(name, {})
        kind = field.get("type")
        made[name] = (
            field["enum"][0]
            if "enum" in field
            else {"integer": 1, "array": [], "boolean": True}.get(kind, "1")
        )
    return made


@attack(
    "S17", "Words that are code elsewhere are words here: no error of ours, no header, no page of theirs."
)
async def s17(stage: Stage, tally: Tally) -> None:
    schema = await sync_to_async(SchemaGenerator().get_schema)(request=None, public=True)
    asked = []
    for path, methods in schema["paths"].items():
        if "get" not in methods:
            continue
        names = [each["name"] for each in methods["get"].get("parameters", ()) if each["in"] == "query"]
        for word in INJECTIONS if stage.full else stage.chance.sample(INJECTIONS, 2):
            filled = _filled(path, word) if "{" in path else path
            query = "&".join(f"{name}={quote(word)}" for name in (*names, "order_by", "page_token"))
            asked.append(f"{filled}?{query}"[:16_000])
    asked += [f"/{quote(word)}/" for word in INJECTIONS] + [
        f"/standings/{quote(word)}/" for word in INJECTIONS
    ]
    asked += [f"/games/x/join/?invitation={quote(word)}" for word in INJECTIONS]

    async def one(line: Line, path: str) -> None:
        said = await line.ask("GET", path, x_request_id="evil\tid", accept="*/*")
        tally.expect(0 < said.status < 500, f"GET {path[:200]}: {said.status}")
        tally.expect(not ({"x-evil"} & said.headers.keys()), f"GET {path[:200]} made a header")
        html = said.headers.get("content-type", "").startswith("text/html")
        tally.expect(
            not (html and b"<script>alert" in said.body), f"GET {path[:200]} wrote a script into a page"
        )

    await stage.each(asked, one, **stage.bob.bearer)
    for name in ("=1+1", "<b>x</b>", "a\r\nb", "{{7*7}}", "../x", "' OR 1=1"):
        said = await stage.line().ask(
            "POST", "/api/v1/auth/register", {"username": name, "password": "q" * 12}
        )
        tally.expect(said.status in (422, 429), f"somebody may be called {name!r}: {said.status}")


def _filled(path: str, word: str) -> str:
    begin, _, rest = path.partition("{")
    return begin + quote(word, safe="") + rest.partition("}")[2].replace("{", "").replace("}", "")


@attack("S18", "Whatever is asked is answered as documented: no fault of ours, and the books hold.", 420)
async def s18(stage: Stage, tally: Tally) -> None:
    if stage.town is None:
        return  # tests/api/test_bad_orders.py does it inside the suite
    drill = await in_thread(bad_input.Drill)(stage.town, stage.world, stage.chance.randrange(1_000_000))
    drill.told = set(await in_thread(_orders)(stage.world))
    requests = stage.count(10_000, 500)
    with stage.counted(requests):
        await drill.ask(requests, stage.tick)
    await in_thread(drill.settle)()
    tally.tried += requests
    tally.breaches += drill.findings[:20]
    tally.facts["statuses"] = {str(status): count for status, count in sorted(drill.statuses.items())}


def _orders(world: Any) -> list[str]:
    rows = bad_input.Order.objects.filter(world=world).exclude(client_order_id__startswith="leg-")
    return [str(order) for order in rows.values_list("id", flat=True)]


@attack("S19", "A number is taken exactly as it was said, or refused: never rounded, never another one.")
async def s19(stage: Stage, tally: Tally) -> None:
    symbol, price = sorted((await stage.prices()).items())[0]
    good = {"symbol": symbol, "side": "buy", "type": "limit", "time_in_force": "ioc", "qty": "100"}
    good["limit_price"] = f"{price // 200}.00"

    async def one(line: Line, asked: tuple[str, Any]) -> None:
        name, value = asked
        body = json.dumps(good | {name: value}).encode()
        said = await line.ask("POST", "/v2/orders", body)
        told = f"{name} = {str(value)[:40]!r}: {said.status} {said.body[:160]!r}"
        tally.expect(0 < said.status < 500, told)
        if said.status == 200:
            tally.expect(_is(said.json[name], value), f"taken as another number: {told}")

    numbers = [
        (name, value)
        for name in ("qty", "limit_price")
        for value in (*NUMBERS, *OTHERS, 1e308, "1e5", "100.0000")
    ]
    await stage.each(numbers, one, **stage.bob.key)
    raw = ("NaN", "Infinity", "-Infinity", "1e400", "0x10", "1_0", "00", "+1", "1.", ".5", "١", "1e", "--1")
    line = stage.line(**stage.bob.key)
    for text in raw:
        body = json.dumps(good).replace('"100"', text).encode()
        said = await line.ask("POST", "/v2/orders", body)
        tally.expect(400 <= said.status < 500, f"qty {text}: {said.status}")
    others = (("/api/v1/games", "start_cash"), ("/api/v1/alerts", "price"), ("/api/v1/orders/preview", "qty"))

    async def elsewhere(line: Line, asked: tuple[str, str, Any]) -> None:
        path, name, value = asked
        body = {"name": "x", "symbol": symbol} | (good if "preview" in path else {}) | {name: value}
        said = await line.ask("POST", path, body)
        tally.expect(0 < said.status < 500, f"POST {path} {name} {str(value)[:40]!r}: {said.status}")

    asked = [(path, name, value) for path, name in others for value in (*NUMBERS, *OTHERS)]
    await stage.each(asked, elsewhere, **stage.bob.bearer)


def _is(told: Any, sent: Any) -> bool:
    if isinstance(sent, bool) or not isinstance(sent, str | int | float):
        return False
    try:
        return Decimal(str(told)) == Decimal(str(sent))
    except InvalidOperation:
        return False


@attack("S27", "An expensive request is refused or cheap: others are answered meanwhile, memory stays flat.")
async def s27(stage: Stage, tally: Tally) -> None:
    before = memory.of_web(stage)
    line = stage.line(**stage.bob.bearer)
    deep = b"[" * 100_000 + b"]" * 100_000
    bomb = zlib.compress(b"0" * 50_000_000)
    for name, path, body, headers in (
        ("deep nesting", "/api/v1/journal", deep, {}),
        ("deep objects", "/v2/orders", b'{"a":' * 50_000 + b"1" + b"}" * 50_000, {}),
        (
            "a long list",
            "/api/v1/watchlists",
            json.dumps({"name": "x", "symbols": ["A"] * 60_000}).encode(),
            {},
        ),
        ("20 MB", "/api/v1/journal", b"x" * 20_000_000, {}),
        ("a bomb", "/api/v1/journal", bomb, {"content_encoding": "deflate"}),
        ("a long number", "/v2/orders", b'{"qty":' + b"9" * 200_000 + b"}", {}),
        ("a long string", "/api/v1/auth/token", b'{"username":"' + b"a" * 200_000 + b'","password":"x"}', {}),
    ):
        said = await line.ask("POST", path, body, **headers)
        tally.expect(400 <= said.status < 500 or said.status == 0, f"{name} at {path}: {said.status}")
        line.close()
    for query in (
        "&".join(f"a{n}=1" for n in range(5_000)),
        "q=" + "(a+)+" * 3_000,
        "symbols=" + "A," * 20_000,
    ):
        said = await line.ask("GET", f"/api/v1/quotes?{query}")
        tally.expect(said.status < 500, f"a query of {len(query)}: {said.status}")
        line.close()
    await _slowloris(stage, tally)
    await _chunks(stage, tally)
    grown = memory.of_web(stage) - before
    tally.facts["grown_mb"] = round(grown, 1)
    tally.expect(grown < memory.FLAT_MB, f"the web server grew by {grown:.0f} MB")


async def _slowloris(stage: Stage, tally: Tally) -> None:
    """Connections that begin a request and never end it: others are answered."""
    held: list[tuple[Line, Any]] = []
    for _ in range(stage.count(300, 40)):
        slow = stage.line()
        _, writer = await slow.open()
        writer.write(b"POST /v2/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\nX-Slow: ")
        held.append((slow, writer))
    answers: list[Answer] = await asyncio.gather(*(stage.line().ask("GET", "/livez") for _ in range(10)))
    tally.expect({each.status for each in answers} == {200}, "slow connections keep others out")
    for slow, _ in held:
        slow.close()


async def _chunks(stage: Stage, tally: Tally) -> None:
    """A body without a length, longer than any may be."""
    for path in ("/v2/orders", "/api/v1/journal"):
        line = stage.line(**stage.bob.bearer)
        reader, writer = await line.open()
        head = "".join(f"{name}: {value}\r\n" for name, value in line.headers.items())
        kind = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        writer.write(f"POST {path} HTTP/1.1\r\n{head}{kind}\r\n".encode())
        status = 0
        try:
            for _ in range(300):
                writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                await asyncio.wait_for(writer.drain(), 10)
            writer.write(b"0\r\n\r\n")
            status = (await asyncio.wait_for(line.read(reader), 20)).status
        except (OSError, TimeoutError, EOFError):
            status = 0  # hung up on us: also an answer
        tally.expect(status == 0 or 400 <= status < 500, f"20 MB in chunks to {path}: {status}")
        line.close()
