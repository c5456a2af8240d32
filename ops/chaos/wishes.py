"""What a player of a drill wants next: chance decides, from what they know of the market and their orders."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ops.chaos.acklog import Answer, Wish

OPEN = frozenset(("new", "partially_filled", "held"))
KNOWN_MAX = 40
CENT = Decimal("0.01")
Quotes = dict[str, dict[str, Any]]


class Player:
    """One portfolio. `wish` makes the next wish, `told` learns from its answer."""

    def __init__(self, number: int, portfolio: int, seed: int):
        self.number, self.portfolio = number, portfolio
        self.chance = random.Random(f"player {seed} {number}")
        self.count = 0
        self.open: dict[str, dict[str, Any]] = {}
        self.done: deque[tuple[Wish, Answer]] = deque(maxlen=KNOWN_MAX)  # orders that were executed
        self._verbs: list[tuple[int, Callable[[Quotes], dict[str, Any] | None]]] = [
            (64, self._order),
            (12, self._cancel),
            (10, self._replace),
            (3, self._cancel_all),
            (5, self._repeat),
            (3, self._reuse),
            (3, self._with_terms),
        ]

    def wish(self, quotes: Quotes, at_ns: int) -> Wish:
        weights, verbs = zip(*self._verbs, strict=True)
        (verb,) = self.chance.choices(verbs, weights)
        self.count += 1
        fields = verb(quotes) or self._order(quotes)
        return Wish(n=self.count, at_ns=at_ns, portfolio=self.portfolio, **fields)

    def told(self, wish: Wish, answer: Answer) -> None:
        order = answer.order
        if order is not None and wish.kind in ("new_order", "replace") and not wish.reuse:
            if order["status"] in OPEN and len(self.open) < KNOWN_MAX:
                self.open[order["id"]] = order
            else:
                self.open.pop(order["id"], None)
        if answer.executed and wish.kind == "new_order" and not wish.again:
            self.done.append((wish, answer))

    def _key(self, word: str) -> str:
        return f"{word}{self.number}-{self.count}"

    def _order(self, quotes: Quotes) -> dict[str, Any]:
        """Near the market on both sides of it: some rest, some meet, some trade, some are refused."""
        symbol = self.chance.choice(sorted(quotes))
        side = self.chance.choice(["buy", "buy", "buy", "sell", "sell"])
        body = {
            "symbol": symbol,
            "side": side,
            "qty": str(self.chance.choice([100, 100, 200, 300, 1000])),
            "type": "market",
            "time_in_force": self.chance.choice(["day", "gtc", "gtc", "ioc", "fok"]),
            "client_order_id": self._key("o"),
        }
        if self.chance.random() > 0.15:
            body |= {"type": "limit", "limit_price": self._near(quotes[symbol])}
        return _new(body)

    def _with_terms(self, quotes: Quotes) -> dict[str, Any]:
        """A stop: refused where the API does not know it, and then nothing may be stored."""
        body = self._order(quotes)["body"] | {"type": "stop", "time_in_force": "gtc"}
        price = Decimal(body.pop("limit_price", None) or "10.00")
        away = 20 * CENT if body["side"] == "buy" else -20 * CENT
        return _new(body | {"stop_price": str(price + away)})

    def _near(self, quote: dict[str, Any]) -> str:
        touch = Decimal(quote["bid"] or quote["ask"] or "10.00")
        return str(touch + self.chance.randint(-6, 7) * CENT)

    def _cancel(self, _: Quotes) -> dict[str, Any] | None:
        if not self.open:
            return None
        order_id = self.chance.choice(sorted(self.open))
        del self.open[order_id]
        return {
            "kind": "cancel",
            "key": self._key("c"),
            "method": "DELETE",
            "path": f"/v2/orders/{order_id}",
        }

    def _replace(self, _: Quotes) -> dict[str, Any] | None:
        if not self.open:
            return None
        order = self.open[self.chance.choice(sorted(self.open))]
        change = {"qty": str(int(order["qty"]) + self.chance.choice([-100, 100, 200]))}
        if order["limit_price"] and self.chance.random() < 0.5:
            change = {"limit_price": str(Decimal(order["limit_price"]) + self.chance.choice([-1, 1]) * CENT)}
        return {
            "kind": "replace",
            "key": self._key("r"),
            "method": "PATCH",
            "path": f"/v2/orders/{order['id']}",
            "body": change,
        }

    def _cancel_all(self, _: Quotes) -> dict[str, Any]:
        self.open.clear()
        return {"kind": "cancel_all", "key": self._key("a"), "method": "DELETE", "path": "/v2/orders"}

    def _repeat(self, _: Quotes) -> dict[str, Any] | None:
        """The same order under the same key: the stored answer, and nothing happens."""
        if not self.done:
            return None
        before, _answer = self.chance.choice(list(self.done))
        assert before.body is not None
        return _new(before.body) | {"again": before.n}

    def _reuse(self, _: Quotes) -> dict[str, Any] | None:
        """Another order under a key that was used: refused, and the first stays as it is."""
        if not self.done:
            return None
        before, _answer = self.chance.choice(list(self.done))
        assert before.body is not None
        return _new(before.body | {"qty": "77700"}) | {"reuse": True}


def _new(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "new_order",
        "key": body["client_order_id"],
        "method": "POST",
        "path": "/v2/orders",
        "body": body,
    }
