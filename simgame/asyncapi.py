"""The stream as an AsyncAPI 3 document, written by hand and held against real traffic by
`tests/api/test_asyncapi.py` and by `manage.py drill frames`.

Schemas are closed (`additionalProperties: false`) where this document is the only list of the fields;
orders, fills, positions and the desk are those of the REST schema, of which only what a client needs to
find its way is repeated here.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, JsonResponse

from realtime.close_codes import CloseCode
from realtime.conversation import ID_CHARACTERS, PROTOCOL_VERSION, SAFE_INTEGER
from realtime.limits import Limits

Schema = dict[str, Any]
LIMITS: Final = Limits()

# --- schemas -------------------------------------------------------------------------------------
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "integer"}
DECIMAL: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
OBJECT: Schema = {"type": "object"}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def rows(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def closed(**fields: Schema) -> Schema:
    """An object with these fields and no others; a field that ends with `_` may be missing."""
    named = {name.rstrip("_"): schema for name, schema in fields.items()}
    required = [name for name in fields if not name.endswith("_")]
    return {"type": "object", "properties": named, "required": required, "additionalProperties": False}


def opened(**fields: Schema) -> Schema:
    return closed(**fields) | {"additionalProperties": True}


ID: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": -SAFE_INTEGER, "maximum": SAFE_INTEGER},
        {"type": "string", "maxLength": ID_CHARACTERS},
        {"type": "null"},
    ]
}
POSITION: Schema = closed(epoch=TEXT, offset=NUMBER)
PERCENT: Schema = maybe(DECIMAL)
LEVEL: Schema = {"type": "array", "prefixItems": [DECIMAL, DECIMAL], "minItems": 2, "maxItems": 2}
MARKET: dict[str, Schema] = {
    "Quote": closed(
        symbol=TEXT,
        source=maybe(TEXT),
        made=FLAG,
        seq=COUNT,
        at=maybe(TIME),
        volume=DECIMAL,
        turnover=DECIMAL,
        **dict.fromkeys(
            [
                "bid",
                "bid_size",
                "ask",
                "ask_size",
                "last",
                "last_size",
                "open",
                "high",
                "low",
                "previous_close",
                "settlement",
                "limit_low",
                "limit_high",
            ],
            maybe(DECIMAL),
        ),
    ),
    "Depth": closed(
        symbol=TEXT,
        bids=rows(LEVEL),
        asks=rows(LEVEL),
        at=maybe(TIME),
        source=maybe(TEXT),
        made=FLAG,
        seq=COUNT,
    ),
    "Trade": closed(
        symbol=TEXT,
        price=DECIMAL,
        size=DECIMAL,
        side={"enum": ["buy", "sell", ""]},
        at=TIME,
        made_=FLAG,
        seq=COUNT,
    ),
    "Bar": closed(t=NUMBER, o=DECIMAL, h=DECIMAL, l=DECIMAL, c=DECIMAL, v=DECIMAL, partial=FLAG),
    "Phase": closed(
        world=TEXT,
        market_day=TEXT,
        phase=TEXT,
        next_phase=maybe(TEXT),
        next_change=maybe(TIME),
        now=maybe(TIME),
        speed={"type": "number"},
        paused=FLAG,
        note=TEXT,
        timezone=TEXT,
    ),
}
LUCK: Schema = closed(
    low_pct=DECIMAL, high_pct=DECIMAL, beats_pct=DECIMAL, place={"enum": ["below", "inside", "above"]}
)
STANDING: Schema = closed(
    rank=COUNT,
    moved=NUMBER,
    player=TEXT,
    guest=FLAG,
    portfolio_id=COUNT,
    equity=DECIMAL,
    return_pct=PERCENT,
    today_pct=PERCENT,
    drawdown_pct=PERCENT,
    fills=COUNT,
    luck=maybe(LUCK),
)
TRADING: dict[str, Schema] = {
    "Order": opened(
        id=TEXT,
        client_order_id=TEXT,
        symbol=TEXT,
        side={"enum": ["buy", "sell"]},
        type=TEXT,
        time_in_force=TEXT,
        qty=DECIMAL,
        filled_qty=DECIMAL,
        filled_avg_price=maybe(DECIMAL),
        limit_price=maybe(DECIMAL),
        status=TEXT,
        submitted_at=TIME,
        updated_at=TIME,
        reason=maybe(TEXT),
        version=COUNT,
        portfolio_id=COUNT,
    ),
    "Fill": opened(
        id=TEXT,
        order_id=TEXT,
        symbol=TEXT,
        side={"enum": ["buy", "sell"]},
        price=DECIMAL,
        qty=DECIMAL,
        cash=DECIMAL,
        fee=DECIMAL,
        at=TIME,
    ),
    "Holding": opened(
        symbol=TEXT,
        side={"enum": ["long", "short"]},
        qty=DECIMAL,
        qty_available=DECIMAL,
        avg_entry_price=DECIMAL,
        cost_basis=DECIMAL,
        realised=DECIMAL,
    ),
    "Balance": closed(asset=TEXT, posted=DECIMAL, reserved=DECIMAL, available=DECIMAL),
    "Notice": opened(code=TEXT, text=TEXT, facts=OBJECT),
    "PortfolioChange": closed(
        portfolio_=opened(status=TEXT, reason=TEXT),
        orders=rows(ref("Order")),
        fills=rows(ref("Fill")),
        positions=rows(ref("Holding")),
        balances=rows(ref("Balance")),
        notices=rows(ref("Notice")),
    ),
    "Desk": opened(
        epoch=TEXT,
        version=COUNT,
        portfolio=OBJECT,
        balances=rows(ref("Balance")),
        orders=rows(ref("Order")),
        fills=rows(ref("Fill")),
        positions=rows(ref("Holding")),
        notices=rows(ref("Notice")),
        game=OBJECT,
        world=OBJECT,
        phase=ref("Phase"),
        rules=rows(OBJECT),
    ),
    "Standings": closed(
        game=OBJECT,
        at=maybe(TIME),
        players=COUNT,
        rows=rows(STANDING),
        neighbours=rows(STANDING),
        mine=maybe(STANDING),
        returns=rows(closed(**{"from": NUMBER, "to": NUMBER, "n": COUNT})),
    ),
}
HALTS: Schema = closed(halts={"type": "object", "additionalProperties": TEXT})  # why, by symbol
# kind → how its topics are spelt, data of a push, snapshot
TOPICS: dict[str, tuple[str, Schema, Schema]] = {
    "quote": ("quote:{world}:{symbol}", ref("Quote"), ref("Quote")),
    "depth": ("depth:{world}:{symbol}", ref("Depth"), ref("Depth")),
    "trades": (
        "trades:{world}:{symbol}",
        closed(trades=rows(ref("Trade"))),
        closed(trades=rows(ref("Trade"))),
    ),
    "bars": ("bars:{world}:{symbol}:{interval}", closed(bar=ref("Bar")), closed(bars=rows(ref("Bar")))),
    "board": (
        "board:{world}",
        {"type": "object", "additionalProperties": maybe(ref("Quote"))},
        {"type": "object", "additionalProperties": ref("Quote")},
    ),
    "phase": ("phase:{world}", ref("Phase"), ref("Phase")),
    "halts": ("halts:{world}", HALTS, HALTS),
    "game": ("game:{id}", ref("Standings"), ref("Standings")),
    "portfolio": ("portfolio:{id}", ref("PortfolioChange"), ref("Desk")),
}


def _topic(kind: str) -> Schema:
    return {"type": "string", "pattern": f"^{kind}:[!#-\\[\\]-~]{{1,96}}$"}


def _push(kind: str, data: Schema) -> Schema:
    return closed(topic=_topic(kind), epoch=TEXT, offset=COUNT, data=data)


def _result(kind: str, snapshot: Schema) -> Schema:
    where: dict[str, Schema] = {"topic": _topic(kind), "epoch": TEXT, "offset": COUNT}
    recovered = closed(**where, recovered={"const": True}, messages=rows(ref(f"{kind.title()}Push")))
    return {"oneOf": [recovered, closed(**where, recovered={"const": False}, snapshot=snapshot)]}


def _one(names: list[str]) -> Schema:
    return {"oneOf": [ref(name) for name in names]}


def _schemas() -> dict[str, Schema]:
    pushes = {f"{kind.title()}Push": _push(kind, data) for kind, (_, data, _) in TOPICS.items()}
    results = {f"{kind.title()}Result": _result(kind, snapshot) for kind, (_, _, snapshot) in TOPICS.items()}
    said = closed(code={"type": "string", "pattern": "^[A-Z][A-Z_]+$"}, message=TEXT, pointer_=TEXT)
    want = closed(topic=TEXT, since_=POSITION)
    answers = {
        "Hello": closed(
            type={"const": "hello"},
            v={"const": PROTOCOL_VERSION},
            session=TEXT,
            server_time=TIME,
            ping_s={"type": "number"},
        ),
        "Ping": closed(type={"const": "ping"}),
        "Agreement": closed(id=ID, ok={"const": True}),
        "Results": closed(id=ID, ok={"const": True}, results=rows(_one(list(results)))),
        "Refusal": closed(id=ID, ok={"const": False}, error=said),
    }
    commands = {
        "Auth": closed(id_=ID, op={"const": "auth"}, token=TEXT),
        "Subscribe": closed(
            id_=ID,
            op={"const": "subscribe"},
            topics={"type": "array", "items": want, "minItems": 1},
            interval_ms_={"type": "integer", "minimum": 0, "maximum": LIMITS.interval_ms_most},
        ),
        "Unsubscribe": closed(id_=ID, op={"const": "unsubscribe"}, topics=rows(TEXT)),
        "AskPing": closed(id_=ID, op={"const": "ping"}),
        "Pong": closed(id_=ID, op={"const": "pong"}),
    }
    one_heard, one_said = _one([*answers, *pushes]), _one(list(commands))
    frames = {
        "ServerFrame": {"oneOf": [one_heard, rows(_one(list(pushes))) | {"minItems": 2}]},
        "ClientFrame": {
            "oneOf": [one_said, rows(one_said) | {"minItems": 1, "maxItems": LIMITS.commands_per_frame}]
        },
    }
    return {**MARKET, **TRADING, **pushes, **results, **answers, **commands, **frames}


def _message(name: str, summary: str) -> Schema:
    return {"name": name, "summary": summary, "contentType": "application/json", "payload": ref(name)}


def document() -> Schema:
    spelt = ", ".join(f"`{spelling}`" for spelling, _, _ in TOPICS.values())
    codes = "\n".join(
        f"- {int(code)} {code.reason}: {'come back' if code.comes_back else 'stay away'}"
        for code in CloseCode
    )
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "SimGame's stream",
            "version": str(PROTOCOL_VERSION),
            "license": {"name": "Apache-2.0"},
            "description": f"Topics: {spelt}.\n\nClose codes:\n\n{codes}",
        },
        "defaultContentType": "application/json",
        "servers": {"here": {"host": "localhost:8000", "protocol": "ws"}},
        "channels": {
            "stream": {
                "address": "/ws/v1",
                "description": "Text frames; one object, or an array when several are sent together.",
                "messages": {
                    "server": {"$ref": "#/components/messages/ServerFrame"},
                    "client": {"$ref": "#/components/messages/ClientFrame"},
                },
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {
            "hear": _operation(
                "send", "server", "What the server says: hello first, then answers and pushes."
            ),
            "say": _operation("receive", "client", "What a client may say. Every command has one answer."),
        },
        "components": {
            "messages": {
                "ServerFrame": _message(
                    "ServerFrame", "hello, ping, an answer, a push, or an array of pushes"
                ),
                "ClientFrame": _message("ClientFrame", "a command, or an array of them"),
            },
            "schemas": _schemas(),
        },
    }


def _operation(action: str, message: str, summary: str) -> Schema:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{message}"}],
        "summary": summary,
    }


def asyncapi(_request: HttpRequest) -> JsonResponse:
    """`GET /api/asyncapi.json`"""
    return JsonResponse(document(), json_dumps_params={"ensure_ascii": False})
