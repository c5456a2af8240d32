"""What a CTP market data field means. Pure.

* 1.797…e308 is "no value": a level with it is none, a last price with it makes no print;
* `Volume` is the trading day's sum: a print is its growth at the last price, marked `made`; it never
  shrinks, and the first look of a day is no trade;
* the date is neither `ActionDay` nor `TradingDay` (each venue means something else by them): from 20:00 on
  it is the evening of the trading day before, before 04:00 the night after that evening;
* `PreSettlementPrice` comes with every tick, `SettlementPrice` after the close: each is said once a day;
* CZCE gives no milliseconds and several ticks a second: our own arrival number orders them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from market import rulebook
from market.sources.items import Item, Malformed, Number, RawPrint, RawQuote, Settled
from market.sources.polled.dialect import DayVolume, taker
from simgame.kernel.clock import NS_PER_MS, NS_PER_S

BOOK = "cn_futures"
NO_VALUE = 1e300
EVENING, SMALL_HOURS = time(20), time(4)
CHINA = ZoneInfo("Asia/Shanghai")
LEVELS = 5


class Normaliser:
    """One connection's ticks; `source` is how they are signed."""

    def __init__(self, source: str):
        self.source = source
        self._volume = DayVolume()
        self._arrived = 0
        self._settled: dict[tuple[str, bool], tuple[str, Any]] = {}

    def read(self, fields: dict[str, Any], received_ns: int) -> Iterator[Item]:
        """Never raises: what cannot be read is Malformed."""
        symbol = str(fields.get("InstrumentID", ""))
        try:
            at_ns = instant_ns(fields["TradingDay"], fields["UpdateTime"], fields["UpdateMillisec"])
            volume = int(fields["Volume"])
            bids, asks = _side(fields, "Bid"), _side(fields, "Ask")
        except (KeyError, TypeError, ValueError) as error:
            yield Malformed(self.source, "unreadable_message", f"{error}: {fields!r:.300}", symbol)
            return
        self._arrived += 1
        yield from self._settlements(symbol, fields)
        stamp = (at_ns, received_ns, self.source)
        yield RawQuote(symbol, bids, asks, *stamp, source_seq=self._arrived)
        grown = self._volume.grown(symbol, fields["TradingDay"], volume)
        last = fields["LastPrice"]
        if grown and _is_value(last):
            side = taker(last, fields.get("BidPrice1"), fields.get("AskPrice1"))
            yield RawPrint(symbol, _decimal(last), grown, side, *stamp, source_seq=self._arrived, made=True)

    def _settlements(self, symbol: str, fields: dict[str, Any]) -> Iterator[Settled]:
        for name, opens in (("PreSettlementPrice", True), ("SettlementPrice", False)):
            said: tuple[str, Any] = (str(fields["TradingDay"]), fields.get(name))
            if _is_value(said[1]) and self._settled.get((symbol, opens)) != said:
                self._settled[symbol, opens] = said
                yield Settled(symbol, _decimal(said[1]), int(said[0]), opens, self.source)


def instant_ns(trading_day: str, update_time: str, milliseconds: int) -> int:
    """Raises ValueError."""
    day, moment = datetime.strptime(trading_day, "%Y%m%d").date(), time.fromisoformat(update_time)
    if not 0 <= milliseconds < 1000:
        raise ValueError(f"{milliseconds} milliseconds")
    return _midnight_ns(calendar_day(day, moment)) + (
        (moment.hour * 3600 + moment.minute * 60 + moment.second) * NS_PER_S + milliseconds * NS_PER_MS
    )


def calendar_day(trading_day: date, moment: time) -> date:
    """The date on the wall when a tick of this trading day came at this time of day."""
    if SMALL_HOURS <= moment < EVENING:
        return trading_day
    eve = rulebook.load(BOOK).calendar.before(trading_day)
    return eve if moment >= EVENING else eve + timedelta(days=1)


def _midnight_ns(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp()) * NS_PER_S


def _side(fields: dict[str, Any], side: str) -> tuple[tuple[Number, Number], ...]:
    levels = ((fields.get(f"{side}Price{n}"), fields.get(f"{side}Volume{n}")) for n in range(1, LEVELS + 1))
    return tuple((_decimal(price), size) for price, size in levels if _is_value(price) and size)


def _is_value(price: Any) -> bool:
    return isinstance(price, int | float) and abs(price) < NO_VALUE and price != 0


def _decimal(price: Any) -> str:
    """The shortest decimal that is this double: 3786.0 → "3786.0", 0.1 + 0.2 would stay what it is."""
    return repr(price)
