"""Order requests that bite: good ones of every kind, with something wrong about most of them. One seed, one
sequence. Pure."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

NUMBERS: list[Any] = [
    *(0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 2**200, -(2**63)),
    *(0.1, 1e-9, 1e300, 100.5, 0.30000000000000004),
    *("0", "-0", "-1", "+5", "1.", ".5", "1.0", "007", "1e2", "1E400", "1e-400", "0x10", "1_000", "1,000"),
    *("NaN", "Infinity", "-Infinity", "１２", "٣", "½", "१०", "9" * 30, "9" * 4000, "0." + "0" * 60 + "1"),
    *("100000000000000000.01", "99999999999999.999", "10.001", "0.001", "1000000000", "100.00000000"),
]
TEXTS: list[Any] = [
    *(
        "",
        " ",
        "\x00",
        "\ud83d",
        "🦄",
        "é",
        "ﬁ",
        "a\u0301",
        "\u202eabc",
        "\ufeffbuy",
        "BUY",
        "Buy ",
        "null",
        "true",
    ),
    *("x" * 49, "x" * 5000, "<script>", "'; --", '"', "\\", "../..", "%00", "\r\nX-Evil: 1", "leg-1", "{}"),
]
OTHERS: list[Any] = [None, True, False, [], {}, [[]], {"a": {"b": 1}}, [1, 2], ["buy"], {"limit_price": "x"}]
WORDS = (
    "symbol", "side", "type", "qty", "time_in_force", "limit_price", "client_order_id", "extended_hours",
    "order_class", "position_intent", "notional", "stop_price", "trail_price", "trail_percent", "expires_at",
    "fired_by", "post_only", "reduce_only", "take_profit", "stop_loss", "legs",
)  # fmt: skip
MASS = (
    "status",
    "portfolio_id",
    "filled_qty",
    "version",
    "id",
    "fees",
    "is_staff",
    "account_id",
    "__proto__",
)
INSTANTS = ("2026-13-45", "2026-11-06", "2026-11-06T15:00:00", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z",
            "2026-11-06T15:00:00+99:00", "0", "now")  # fmt: skip
BROKEN = (
    b"", b"{", b"nope", b"[]", b"1", b'""', b"null", b"[" * 30_000, b'{"a":' * 3_000, b'{"symbol": NaN}',
    b"\xff\xfe{}", b"\xef\xbb\xbf{}", b'{"qty":1,"qty":2}', b"{} {}", b"{'qty': 1}", b'{"qty": 01}', b"\x00",
)  # fmt: skip
TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/xml")
KINDS = (
    "limit",
    "limit",
    "market",
    "stop",
    "stop_limit",
    "trailing_stop",
    "bracket",
    "oco",
    "oto",
    "notional",
)
LONG = "x" * 70_000  # longer than any body may be


class Asked(NamedTuple):
    method: str
    path: str
    body: bytes
    headers: dict[str, str]


class Nonsense:
    """`symbols`: instruments with their last price in hundredths. `known` gets ids of orders that exist."""

    def __init__(self, seed: int, symbols: dict[str, int]):
        self.chance = random.Random(f"nonsense {seed}")
        self.symbols = symbols
        self.known: list[str] = []
        self.count = 0

    def requests(self, count: int) -> Iterator[Asked]:
        for _ in range(count):
            self.count += 1
            yield self._one()

    def _one(self) -> Asked:
        x = self.chance.random()
        headers = self._headers()
        if x < 0.72:
            return Asked("POST", "/v2/orders", self._body(self._order()), headers)
        if x < 0.80:
            return Asked("POST", "/api/v1/orders/preview", self._body(self._order()), headers)
        if x < 0.93:
            return Asked("PATCH", f"/v2/orders/{self._id()}", self._body(self._change()), headers)
        return Asked("DELETE", f"/v2/orders/{self._id()}", b"", headers)

    # --- good requests -----------------------------------------------------------------------------

    def _order(self) -> dict[str, Any]:
        chance, kind = self.chance, self.chance.choice(KINDS)
        symbol = chance.choice(sorted(self.symbols))
        price = self.symbols[symbol] * chance.randrange(96, 105) // 100
        side = chance.choice(("buy", "sell"))
        order = {"symbol": symbol, "side": side, "type": "limit", "qty": str(100 * chance.randrange(1, 6))}
        order |= {"time_in_force": chance.choice(("day", "gtc", "ioc", "fok", "opg", "cls", "gtd"))}
        if chance.random() < 0.3:
            order["client_order_id"] = f"n-{chance.randrange(self.count)}"  # some come twice
        terms = getattr(self, f"_{kind}")(price, side)
        order = {name: value for name, value in (order | terms).items() if value is not None}
        return order | ({"expires_at": "2999-01-01T00:00:00Z"} if order["time_in_force"] == "gtd" else {})

    def _limit(self, price: int, side: str) -> dict[str, Any]:
        extra = self.chance.choice(({}, {}, {}, {"post_only": True}, {"reduce_only": True}))
        return {"limit_price": money(price), **extra}

    def _market(self, price: int, side: str) -> dict[str, Any]:
        return {"type": "market"}

    def _notional(self, price: int, side: str) -> dict[str, Any]:
        return {"type": "market", "qty": None, "notional": money(self.chance.randrange(1, 10_000_00))}

    def _stop(self, price: int, side: str) -> dict[str, Any]:
        return {"type": "stop", "stop_price": money(price), "time_in_force": "gtc"}

    def _stop_limit(self, price: int, side: str) -> dict[str, Any]:
        return {"type": "stop_limit", "stop_price": money(price), "limit_price": money(price + 2)}

    def _trailing_stop(self, price: int, side: str) -> dict[str, Any]:
        way = self.chance.choice(({"trail_price": "0.50"}, {"trail_percent": "2.5"}))
        return {"type": "trailing_stop", "time_in_force": "gtc", **way}

    def _bracket(self, price: int, side: str) -> dict[str, Any]:
        legs = {
            "take_profit": {"limit_price": money(price * 2)},
            "stop_loss": {"stop_price": money(price // 2)},
        }
        return {"order_class": "bracket", "limit_price": money(price), "time_in_force": "gtc", **legs}

    def _oco(self, price: int, side: str) -> dict[str, Any]:
        return self._bracket(price, side) | {"order_class": "oco", "side": "sell", "limit_price": None}

    def _oto(self, price: int, side: str) -> dict[str, Any]:
        return self._bracket(price, side) | {"order_class": "oto", "take_profit": None}

    def _change(self) -> dict[str, Any]:
        price = self.chance.choice(sorted(self.symbols.values()))
        names = self.chance.sample(("qty", "limit_price", "time_in_force", "stop_price", "trail"), k=2)
        good = {"qty": "300", "time_in_force": "gtc", "trail": "0.40"}
        return {name: good.get(name, money(price)) for name in names}

    def _id(self) -> str:
        if self.known and self.chance.random() < 0.6:
            return self.chance.choice(self.known)
        made = str(uuid.UUID(int=self.chance.getrandbits(128)))
        return self.chance.choice((made, made[:-1], "x", "%00", "-1", "9" * 40, "%F0%9F%A6%84", "null"))

    # --- what is wrong with them ---------------------------------------------------------------------

    def _body(self, good: dict[str, Any]) -> bytes:
        if self.chance.random() < 0.04:
            return self.chance.choice(BROKEN)
        body = dict(good)
        for _ in range(self.chance.choice((0, 0, 0, 1, 1, 1, 2, 3))):
            self._spoil(body)
        text = json.dumps(body, ensure_ascii=self.chance.random() < 0.5)
        if self.chance.random() < 0.03:  # one name twice
            text = text[:-1] + f', "{self.chance.choice(WORDS)}": 1, "qty": "100"}}'
        return text.encode("utf-8", "surrogatepass")

    def _spoil(self, body: dict[str, Any]) -> None:
        chance, name = self.chance, self.chance.choice(WORDS)
        x = chance.random()
        if x < 0.15 and body:
            body.pop(chance.choice(sorted(body)))
        elif x < 0.20:
            body[chance.choice(MASS)] = chance.choice(NUMBERS)
        elif x < 0.30:
            body |= getattr(self, f"_{chance.choice(KINDS)}")(1_000, "buy")  # terms of another kind
        elif x < 0.32:
            body[name] = LONG
        elif x < 0.36:
            body["expires_at"] = chance.choice(INSTANTS)
        elif x < 0.44:
            part = chance.choice(("take_profit", "stop_loss"))
            body[part] = {chance.choice(("limit_price", "stop_price", "x")): chance.choice(NUMBERS)}
        else:
            if chance.random() < 0.7 and body:
                name = chance.choice(sorted(body))
            body[name] = chance.choice(chance.choice((NUMBERS, NUMBERS, TEXTS, OTHERS)))

    def _headers(self) -> dict[str, str]:
        x = self.chance.random()
        if x < 0.92:
            return {}
        if x < 0.94:
            return {"Content-Type": self.chance.choice(TYPES)}
        name = self.chance.choice(("If-Match", "X-Portfolio", "Idempotency-Key", "X-Request-ID"))
        return {name: self.chance.choice(('"1"', '"0"', "*", "W/x", "-1", "0", "9" * 30, "x", "a b", "~"))}


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
