"""The quality gate: what no exchange may ever see is refused here, with its reason. Pure.

It also scales: venue decimals (`RawQuote`, `RawPrint`) become whole numbers with the instrument's
exponents, or are refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from market.sources.items import Malformed, Number, RawPrint, RawQuote, Settled
from market.ticks import DEPTH_LEVELS_MAX, Level, Print, Quote, Reference
from simgame.kernel import money
from simgame.kernel.clock import NS_PER_S

FUTURE_NS_MAX = (
    60 * NS_PER_S
)  # (at speed 1) ahead of the world's clock: more is another day's or another zone's stamp
STALE_NS_MAX = 10 * 60 * NS_PER_S  # behind it: what a venue re-sends at login
JUMP_MAX = 5  # a price more than 5 times the last one, or less than a fifth, where no band binds
ABSURD = 1e15  # no price or size is that large; 1.797e308 is how C++ feeds write "no value"

SCALED_MAX = 10**15  # scaled: below 2**53, so that every reader can hold it


class Reason(StrEnum):
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    NOT_A_NUMBER = "not_a_number"
    INFINITE = "infinite"
    ABSURD = "absurd"
    NEGATIVE = "negative"
    ZERO_SIZE = "zero_size"
    OFF_TICK = "off_tick"
    OUT_OF_BAND = "out_of_band"
    CROSSED = "crossed"
    UNSORTED = "unsorted"
    STALE = "stale"
    FROM_THE_FUTURE = "from_the_future"
    OUT_OF_HOURS = "out_of_hours"


class Refused(msgspec.Struct, frozen=True):
    source: str
    reason: str
    payload: Any  # JSON value


class Scale(Protocol):
    """What the gate needs of an instrument."""

    symbol: str
    price_exponent: int
    qty_exponent: int
    tick: int


_NO_SIDES = (object(), object())


class _No(Exception):
    def __init__(self, reason: Reason):
        self.reason = reason


def never(_at_ns: int) -> bool:
    """The hours of a venue that does not close."""
    return False


class Gate:
    """`closed` says whether the venue had closed by a tick's own time."""

    def __init__(self, instruments: Iterable[Scale], closed: Callable[[int], bool] = never):
        self._closed = closed
        self.refused: Counter[str] = Counter()
        self._scales = {scale.symbol: scale for scale in instruments}
        self._bands: dict[str, tuple[int, int]] = {}
        self._last: dict[str, int] = {}
        self._sound: dict[str, tuple[object, object]] = {}  # the sides of the last quote that passed

    def learn(self, tick: Reference | Print) -> None:
        """The day's band and the last price, from what has been accepted."""
        if isinstance(tick, Print):
            self._last[tick.symbol] = tick.price
            return
        self._bands[tick.symbol] = (tick.limit_low, tick.limit_high)
        if tick.previous_close:
            self._last[tick.symbol] = tick.previous_close

    def admit(
        self, item: Quote | Print | RawQuote | RawPrint, clock_ns: int, speed: int = 1
    ) -> Quote | Print | Refused:
        """The tick, scaled and sound, or why not. `clock_ns`: the world's clock now, `speed` its pace."""
        try:
            return self._judged(item, clock_ns, speed)
        except _No as no:
            return self.refuse(item.source, no.reason, _payload(item))

    def settlement(self, item: Settled) -> int | Refused:
        """The settlement price, scaled, or why it is none."""
        scale = self._scales.get(item.symbol)
        if scale is None:
            return self.refuse(item.source, Reason.UNKNOWN_INSTRUMENT, _payload(item))
        try:
            price = _scaled(item.price, scale.price_exponent)
            _judge_level(price, 1, scale.tick)
        except _No as no:
            return self.refuse(item.source, no.reason, _payload(item))
        return price

    def refuse(self, source: str, reason: str, payload: Any) -> Refused:
        self.refused[reason] += 1
        return Refused(source, reason[:32], payload)

    def refuse_number(self, item: Quote | Print | RawQuote | RawPrint) -> Refused:
        """Its `source_seq` is no number of a message."""
        return self.refuse(item.source, Reason.ABSURD, _payload(item))

    def refuse_malformed(self, item: Malformed) -> Refused:
        return self.refuse(item.source, item.reason, item.payload)

    def _judged(self, item: Quote | Print | RawQuote | RawPrint, clock_ns: int, speed: int) -> Quote | Print:
        scale = self._scales.get(item.symbol) if isinstance(item.symbol, str) else None
        if scale is None:
            raise _No(Reason.UNKNOWN_INSTRUMENT)
        self._judge_time(item.at_ns, clock_ns, speed)
        if isinstance(item, RawQuote):
            item = _scaled_quote(item, scale)
        elif isinstance(item, RawPrint):
            item = _scaled_print(item, scale)
        if self._closed(item.at_ns):
            raise _No(Reason.OUT_OF_HOURS)
        if isinstance(item, Print):
            _judge_level(item.price, item.size, scale.tick)
            self._judge_band(item.symbol, item.price)
            self._last[item.symbol] = item.price
            return item
        return self._judged_quote(item, scale.tick)

    def _judged_quote(self, quote: Quote, tick: int) -> Quote:
        bids, asks = quote.bids, quote.asks
        known = self._sound.get(quote.symbol, _NO_SIDES)  # a side that did not change is the very same
        if not (bids is known[0] or _are_sound(bids, tick, -1)) or not (
            asks is known[1] or _are_sound(asks, tick, 1)
        ):
            quote = _of_sound_shape(quote)
            bids, asks = quote.bids, quote.asks
            _judge_levels(bids, tick, -1)
            _judge_levels(asks, tick, 1)
        if bids and asks and bids[0][0] >= asks[0][0]:
            raise _No(Reason.CROSSED)
        for side in (bids, asks):
            if side:
                self._judge_band(quote.symbol, side[0][0])
        self._sound[quote.symbol] = (bids, asks)
        return quote

    def _judge_time(self, at_ns: int, clock_ns: int, speed: int) -> None:
        if type(at_ns) is not int:
            raise _No(Reason.NOT_A_NUMBER)
        if at_ns - clock_ns > FUTURE_NS_MAX * speed:
            raise _No(Reason.FROM_THE_FUTURE)
        if clock_ns - at_ns > STALE_NS_MAX * speed:
            raise _No(Reason.STALE)

    def _judge_band(self, symbol: str, price: int) -> None:
        low, high = self._bands.get(symbol, (0, 0))
        if high:
            if not low <= price <= high:
                raise _No(Reason.OUT_OF_BAND)
            return
        last = self._last.get(symbol)
        if last and not last <= price * JUMP_MAX <= last * JUMP_MAX * JUMP_MAX:
            raise _No(Reason.OUT_OF_BAND)


def _are_sound(levels: object, tick: int, sign: int) -> bool:
    """Whether all levels of a side are good, as nearly all are: in the fewest steps.

    `sign`: 1 for asks, -1 for bids; either begins with its best price.
    """
    if type(levels) is not tuple or len(levels) > DEPTH_LEVELS_MAX:
        return False
    last = -SCALED_MAX - 1 if sign < 0 else 0
    try:
        for level in levels:
            price, size = level
            if type(price) is not int or type(size) is not int or type(level) is not tuple or price % tick:
                return False
            if not (last < price * sign and 0 < price <= SCALED_MAX and 0 < size <= SCALED_MAX):
                return False
            last = price * sign
    except (TypeError, ValueError):
        return False
    return True


def _judge_levels(levels: tuple[Level, ...], tick: int, sign: int) -> None:
    """Says what is wrong with them, level by level; nothing may be."""
    last = -SCALED_MAX - 1
    for price, size in levels:
        _judge_level(price, size, tick)
        if price * sign <= last:
            raise _No(Reason.UNSORTED)
        last = price * sign


def _judge_level(price: int, size: int, tick: int) -> None:
    if type(price) is int and type(size) is int:
        if 0 < price <= SCALED_MAX and 0 < size <= SCALED_MAX and not price % tick:
            return  # nearly every level there is
    else:
        raise _No(_reason_of(price) or _reason_of(size) or Reason.NOT_A_NUMBER)
    if price <= 0 or size < 0:
        raise _No(Reason.NEGATIVE)
    if not size:
        raise _No(Reason.ZERO_SIZE)
    raise _No(Reason.ABSURD if price > SCALED_MAX or size > SCALED_MAX else Reason.OFF_TICK)


def _of_sound_shape(quote: Quote) -> Quote:
    bids, asks = _levels(quote.bids), _levels(quote.asks)
    if bids is quote.bids and asks is quote.asks:
        return quote
    return msgspec.structs.replace(quote, bids=bids, asks=asks)


def _scaled_quote(raw: RawQuote, scale: Scale) -> Quote:
    _judge_rest(raw.also)
    return Quote(
        raw.symbol,
        _scaled_levels(raw.bids, scale),
        _scaled_levels(raw.asks, scale),
        raw.at_ns,
        raw.received_ns,
        raw.source,
        raw.source_epoch,
        raw.source_seq,
        raw.made,
    )


def _scaled_print(raw: RawPrint, scale: Scale) -> Print:
    _judge_rest(raw.also)
    if raw.side not in ("buy", "sell", ""):
        raise _No(Reason.NOT_A_NUMBER)
    return Print(
        raw.symbol,
        _scaled(raw.price, scale.price_exponent),
        _scaled(raw.size, scale.qty_exponent),
        raw.side,  # type: ignore[arg-type]
        raw.at_ns,
        raw.received_ns,
        raw.source,
        raw.source_epoch,
        raw.source_seq,
        raw.made,
    )


def _scaled_levels(levels: object, scale: Scale) -> tuple[Level, ...]:
    prices, sizes = scale.price_exponent, scale.qty_exponent
    return tuple([(_scaled(price, prices), _scaled(size, sizes)) for price, size in _levels(levels)])


def _levels(side: object) -> tuple[tuple[Any, Any], ...]:
    """The best levels of a side, of whatever came: a shape that is none is refused."""
    if not isinstance(side, tuple):
        raise _No(Reason.NOT_A_NUMBER)
    if len(side) > DEPTH_LEVELS_MAX:
        side = side[:DEPTH_LEVELS_MAX]
    for level in side:
        if not isinstance(level, tuple) or len(level) != 2:
            raise _No(Reason.NOT_A_NUMBER)
    return side


def _scaled(value: Number, exponent: int) -> int:
    # Texts only: to the cache 1, 1.0 and True would be one and the same.
    return _parsed_text(value, exponent) if type(value) is str else _parsed(value, exponent)


def _parsed(value: Number, exponent: int) -> int:
    """The scaled integer. Raises _No, which says what is wrong with it."""
    try:
        return money.parse(value, exponent)
    except money.NotExact:
        raise _No(_reason_of(value) or Reason.OFF_TICK) from None
    except ValueError:
        raise _No(_reason_of(value) or Reason.NOT_A_NUMBER) from None


_parsed_text = lru_cache(65_536)(_parsed)  # the prices of a day come again and again


def _judge_rest(also: dict[str, Number]) -> None:
    """Numbers that we do not pass on still tell whether the message is sound."""
    for value in also.values():
        reason = _reason_of(value)
        if reason:
            raise _No(reason)


def _reason_of(value: object) -> Reason | None:
    """Why this is no number that a market can mean; None when it may be one."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return Reason.NOT_A_NUMBER
    except OverflowError:
        return Reason.ABSURD
    if math.isnan(number):
        return Reason.NOT_A_NUMBER
    if math.isinf(number):
        return Reason.INFINITE
    if abs(number) > ABSURD:
        return Reason.ABSURD
    return Reason.NEGATIVE if number < 0 else None


def _payload(item: Any) -> dict[str, Any]:
    """What came, as JSON can hold it (NaN and huge integers as text)."""
    return {name: _plain(getattr(item, name)) for name in item.__struct_fields__}


def _plain(value: Any) -> Any:
    match value:
        case bool() | None:
            return value
        case int():
            return value if abs(value) <= money.INT64_MAX else hex(value)
        case float():
            return value if math.isfinite(value) else repr(value)
        case str():
            return value.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")[:200]
        case tuple() | list():
            return [_plain(inner) for inner in value[:DEPTH_LEVELS_MAX]]
        case dict():
            return {str(key)[:40]: _plain(inner) for key, inner in list(value.items())[:40]}
    return repr(value)[:200]
