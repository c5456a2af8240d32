"""What no venue should ever say: frames that must fill nobody and stop nothing. Pure; by seed.

Every kind is a way in which venues, proxies or attackers have gone wrong: numbers that are none, prices that
would fill every resting order, times of another day, instruments nobody knows, shapes of another message.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from ops.soak.dialects import frame
from ops.soak.street import Instrument, Market

SLICE = 250
NS_PER_MS = 1_000_000
NO_NUMBERS: tuple[Any, ...] = (
    "NaN", "nan", "-NaN", "Infinity", "-Infinity", "inf", "1e308", "1.797e308", "-1e308", "1e-308",
    "1e999999999", "-1.00", "0", "0.00", "-0.00", "", " ", "abc", "１２", "0x10", "1_000", "1,5", "1.2.3",
    "12.345678901", "9" * 400, None, True, False, [], {}, ["1"], {"p": 1}, 1e308, -1, 0, 10**40,
    "\u0000", "💥", "1\n",
)  # fmt: skip
DEEP = 100_000  # brackets in each other
HUGE, TOO_HUGE = 2 * 1024 * 1024, 9 * 1024 * 1024


class Hostile:
    def __init__(self, count: int, seed: int):
        self.left = count
        self.chance = random.Random(seed)
        self.kinds: Counter[str] = Counter()
        self._makers: dict[str, tuple[int, Callable[[Instrument, int], bytes]]] = {
            "price": (25, self._price),
            "size": (15, self._size),
            "absurd_jump": (20, self._jump),
            "book": (1, self._book),
            "stale": (8, lambda one, ms: self._tempting(one, ms - self.chance.randrange(3_600_000, 10**12))),
            "future": (8, lambda one, ms: self._tempting(one, ms + self.chance.randrange(3_600_000, 10**15))),
            "no_time": (8, self._no_time),
            "unknown": (5, self._unknown),
            "wrong_type": (6, self._wrong_type),
            "garbage": (4, self._garbage),
        }
        self._names = list(self._makers)
        self._weights = [weight for weight, _ in self._makers.values()]

    def slice(self, market: Market, now_ns: int) -> bytes:
        """The next frames; now and then deep and long ones, at the end those that cost the connection."""
        ms, frames = now_ns // NS_PER_MS, []
        count = min(SLICE, self.left)
        for name in self.chance.choices(self._names, self._weights, k=count):
            self.kinds[name] += 1
            frames.append(self._makers[name][1](self.chance.choice(market.instruments), ms))
        self.left -= count
        if not self.left or self.left % 100_000 < SLICE:
            frames += [frame(b"[" * DEEP), frame(b'{"a":' * DEEP), frame(b'{"data":"' + b"x" * HUGE + b'"}')]
        if not self.left:
            frames += [frame(b"\xff\xfe\x00"), frame(b"x" * TOO_HUGE)]
        return b"".join(frames)

    def _print(self, one: Instrument, ms: Any, price: Any, size: Any, **more: Any) -> bytes:
        """Numbered as the next trade: it must get as far as a true one would."""
        one.trade += 1
        row = {
            "e": "aggTrade",
            "E": ms,
            "T": ms,
            "s": one.symbol,
            "a": one.trade,
            "p": price,
            "q": size,
            "m": False,
        }
        return _said(one, "aggTrade", row | more)

    def _tempting(self, one: Instrument, ms: int) -> bytes:
        """A price that would fill whoever rests far from the market: only its time gives it away."""
        cents = one.middle // 2 if self.chance.random() < 0.5 else one.middle * 2
        return self._print(one, ms, f"{cents // 100}.{cents % 100:02d}", "100000")

    def _price(self, one: Instrument, ms: int) -> bytes:
        return self._print(one, ms, self.chance.choice(NO_NUMBERS), "5")

    def _size(self, one: Instrument, ms: int) -> bytes:
        return self._print(one, ms, f"{one.middle / 100:.2f}", self.chance.choice(NO_NUMBERS))

    def _jump(self, one: Instrument, ms: int) -> bytes:
        cents = self.chance.choice((1, one.middle // 50, one.middle * 8, one.middle * 1_000, 10**13))
        return self._print(one, ms, f"{cents // 100}.{cents % 100:02d}", "100000")

    def _no_time(self, one: Instrument, ms: int) -> bytes:
        return self._print(one, self.chance.choice((None, "now", -1, 0, 1e308, [], 10**30)), "1.00", "5")

    def _unknown(self, one: Instrument, ms: int) -> bytes:
        symbol = self.chance.choice(
            ("NOSUCHUSDT", "", "../../etc", "A" * 500, "'; DROP TABLE market_bar; --")
        )
        return self._print(one, ms, "1.00", "5", s=symbol)

    def _wrong_type(self, one: Instrument, ms: int) -> bytes:
        row: Any = {"e": "aggTrade", "E": ms, "T": ms, "s": one.symbol, "a": one.trade, "p": "1",
                    "q": "1", "m": False}  # fmt: skip
        for name in self.chance.sample(list(row), 2):
            row[name] = self.chance.choice(NO_NUMBERS)
        return _said(one, "aggTrade", row if self.chance.random() < 0.9 else [row])

    def _book(self, one: Instrument, ms: int) -> bytes:
        """The next change of the book, with levels that are none: what follows does not fit any more."""
        one.quote += 1
        levels = [[self.chance.choice(NO_NUMBERS), self.chance.choice(NO_NUMBERS)] for _ in range(3)]
        row = {
            "e": "depthUpdate",
            "E": ms,
            "s": one.symbol,
            "U": one.quote,
            "u": one.quote,
            "b": levels,
            "a": "x",
        }
        return _said(one, "depth@100ms", row)

    def _garbage(self, one: Instrument, ms: int) -> bytes:
        text = self.chance.choice((
            "", "{", "}", "null", "[]", "0", '"x"', '{"e":', "\x00\x01\x02", '{"data":null}', '{"data":[]}',
            '{"id":{}}', '{"id":[1]}', '{"stream":1,"data":{"e":{"e":1}}}', '{"e":"aggTrade"}', "NaN",
            '{"e":"depthUpdate","s":[]}', "�" * 50,
            '{"e":"aggTrade","e":"depthUpdate"}', '{"result":null,"id":1e999}',
        ))  # fmt: skip
        return frame(text.encode())


def _said(one: Instrument, stream: str, row: Any) -> bytes:
    return frame(json.dumps({"stream": f"{one.symbol.lower()}@{stream}", "data": row}).encode())
