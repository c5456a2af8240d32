"""What anybody may read of a market: instruments, quotes, depth, bars, phase, rules of the day.

Each function takes a World and gives rows for the wire. When no feed is alive the last rows, or the
last bars, stand in and say `"stale": true`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, NamedTuple

import msgspec
from django.db.models import OuterRef, Q, QuerySet, Subquery

from market import hidden, latest, rulebook, rulewords, worlds
from market.errors import BadInterval, UnknownInstrument
from market.feed.state import Day
from market.messages import JSON, phase_row, quote_row
from market.models import Bar, Instrument, World
from market.shapes import bar_json, world_json
from market.ticks import PhaseTick, Reference
from simgame.kernel import clock, money

BARS_SHOWN: Final = 300
SPARK_POINTS: Final = 60
SPARK_SPAN: Final = timedelta(minutes=5 * SPARK_POINTS)


PHASES_AHEAD: Final = 24  # phases in which a venue surely opens and closes once


class VenueClock(NamedTuple):
    """World time in nanoseconds; all but `is_open`."""

    now_ns: int
    is_open: bool
    next_open_ns: int
    next_close_ns: int


class Board(msgspec.Struct, frozen=True):
    """The quotes of a world at one instant: the state of the topic `board:<slug>` after `offset`."""

    epoch: str
    offset: int
    quotes: dict[str, JSON]

    @property
    def seq(self) -> int:
        return max((row["seq"] for row in self.quotes.values()), default=0)


# --- instruments ------------------------------------------------------------------------------------


def instruments(world_number: int) -> QuerySet[Instrument]:
    """By symbol."""
    return Instrument.objects.filter(world_id=world_number).order_by("symbol")


def instrument(world: World, symbol: str) -> Instrument:
    """Raises UnknownInstrument."""
    return known(world, [symbol])[0]


def instrument_named(world: World, symbol_or_id: str) -> Instrument:
    """By symbol, or by the UUID that Alpaca calls asset_id. Raises UnknownInstrument."""
    try:
        named = instruments(world.number).filter(uid=uuid.UUID(symbol_or_id)).first()
    except ValueError:
        named = None
    return named or instrument(world, symbol_or_id)


def known(world: World, symbols: Iterable[str]) -> list[Instrument]:
    """The instruments of these symbols, each once, in their order. Raises UnknownInstrument."""
    wanted = list(dict.fromkeys(symbols))
    possible = [symbol for symbol in wanted if "\0" not in symbol]  # no text for PostgreSQL
    there = {row.symbol: row for row in instruments(world.number).filter(symbol__in=possible)}
    for symbol in wanted:
        if symbol not in there:
            raise UnknownInstrument(f"{world.name} has no instrument {symbol[:40]!r}.", symbol=symbol[:40])
    return [there[symbol] for symbol in wanted]


def search(world: World, text: str) -> QuerySet[Instrument]:
    """Instruments whose symbol begins with `text`, or whose name (either language) or sector has it."""
    found = instruments(world.number)
    if not text:
        return found
    names = Q(name__icontains=text) | Q(name_zh__icontains=text) | Q(sector__icontains=text)
    return found.filter(Q(symbol__istartswith=text) | names)


# --- prices -----------------------------------------------------------------------------------------


def board(world: World) -> Board:
    """A QuoteRow for every instrument: what is known of it, down to nothing but its last bar."""
    state = latest.of(world)
    said = state.quotes if state else {}
    listed = list(instruments(world.number))
    stand_ins = _from_bars([row for row in listed if row.symbol not in said])
    quotes = {row.symbol: said.get(row.symbol) or stand_ins[row.symbol] for row in listed}
    if not latest.alive(world):
        quotes = {symbol: row | {"stale": True} for symbol, row in quotes.items()}
    if state is None:
        return Board(no_epoch(world), 0, quotes)
    return Board(state.epoch, state.board_offset, quotes)


def quotes(world: World, symbols: Iterable[str] | None = None) -> dict[str, JSON]:
    """Symbol → QuoteRow, of all instruments or of `symbols`. Raises UnknownInstrument."""
    found = board(world).quotes
    return found if symbols is None else {row.symbol: found[row.symbol] for row in known(world, symbols)}


def quotes_since(world: World, symbols: Iterable[str] | None, since: str) -> JSON:
    """{world, epoch, version, quotes}: the rows that are newer than the version `since` ("": all).

    A version of another epoch counts as none. Raises UnknownInstrument.
    """
    found = board(world)
    wanted = found.quotes if symbols is None else [row.symbol for row in known(world, symbols)]
    epoch, _, seq = since.rpartition(":")
    seen = int(seq) if epoch == found.epoch and seq.isascii() and seq.isdigit() else -1
    return {
        "world": world.slug,
        "epoch": found.epoch,
        "version": f"{found.epoch}:{found.seq}",
        "quotes": {name: found.quotes[name] for name in wanted if found.quotes[name]["seq"] > seen},
    }


def depth(world: World, symbol: str) -> JSON:
    """DepthRow, with empty sides when nobody shows any. Raises UnknownInstrument."""
    row = instrument(world, symbol)
    state = latest.of_symbol(world, symbol)
    shown = state.depth.get(symbol) if state else None
    nothing: JSON = {"bids": [], "asks": [], "at": None, "source": None, "made": False, "seq": 0}
    found = shown or {"symbol": row.symbol, **nothing}
    return found if shown and latest.alive(world) else found | {"stale": True}


def trades(world: World, symbol: str) -> list[JSON]:
    """The last TradeRows, oldest first; none when no feed said any. Raises UnknownInstrument."""
    instrument(world, symbol)
    tail = latest.trades(world, symbol)
    return tail.rows if tail else []


def last_trades(world: World, symbols: Iterable[str]) -> dict[str, JSON]:
    """Symbol → its last TradeRow; who has not traded is missing. Raises UnknownInstrument."""
    tails = {row.symbol: latest.trades(world, row.symbol) for row in known(world, symbols)}
    return {symbol: tail.rows[-1] for symbol, tail in tails.items() if tail and tail.rows}


def marks(world: World) -> dict[str, tuple[int, int]]:
    """Symbol → (last price, previous close), scaled; a symbol without a last price is missing.

    Last price: of the last trade, else the middle of the best quotes (rounded down), else one side.
    """
    found: dict[str, tuple[int, int]] = {}
    said = board(world).quotes
    for row in instruments(world.number):
        quote = said[row.symbol]
        last = _scaled(quote["last"], row) or _middle(quote, row)
        if last:
            found[row.symbol] = last, _scaled(quote["previous_close"], row)
    return found


def settlements(world: World) -> dict[str, int]:
    """Contract → what it was settled at before this market day, scaled; others are missing."""
    said = board(world).quotes
    told = {row.symbol: _scaled(said[row.symbol].get("settlement"), row) for row in instruments(world.number)}
    return {symbol: price for symbol, price in told.items() if price}


# --- bars -------------------------------------------------------------------------------------------


def stored_bars(row: Instrument, interval: str) -> QuerySet[Bar]:
    """Raises BadInterval."""
    if interval not in Bar.Interval.values:
        there = ", ".join(Bar.Interval.values)
        raise BadInterval(f"There are no bars of {interval[:20]!r}; there are {there}.", pointer="/interval")
    return Bar.objects.filter(instrument=row, interval=interval)


def bars(row: Instrument, interval: str, before_ns: int | None = None, limit: int = BARS_SHOWN) -> list[JSON]:
    """The last `limit` stored BarRows that begin before `before_ns` (world time), oldest first.

    The forming bar is among them as it stood about a second ago. Raises BadInterval.
    """
    found = stored_bars(row, interval)
    if before_ns is not None:
        found = found.filter(start__lt=clock.from_ns(before_ns))
    return [bar_json(row, bar) for bar in reversed(found.order_by("-start")[:limit])]


def last_bars(world: World, symbols: Iterable[str]) -> list[tuple[Instrument, Bar]]:
    """The newest minute bar of each; who has none is missing. Raises UnknownInstrument."""
    rows = known(world, symbols)
    newest = [(row, stored_bars(row, Bar.Interval.M1).order_by("-start").first()) for row in rows]
    return [(row, bar) for row, bar in newest if bar is not None]


def merged(stored: list[JSON], newest: list[JSON]) -> list[JSON]:
    """Both lists as one, by time; where both have a bar the newest counts."""
    by_time = {bar["t"]: bar for bar in (*stored, *newest)}
    return [by_time[at] for at in sorted(by_time)]


def sparks(world: World) -> dict[str, list[str]]:
    """Symbol → the last closes of five minutes, oldest first: the small lines."""
    by_id = {row.id: row for row in instruments(world.number)}
    five = Bar.objects.filter(instrument_id__in=by_id, interval=Bar.Interval.M5)
    closes: dict[str, list[str]] = {row.symbol: [] for row in by_id.values()}
    newest = five.order_by("-start").values_list("start", flat=True).first()
    if newest is None:
        return closes
    recent = five.filter(start__gt=newest - SPARK_SPAN).order_by("start")
    for instrument_id, close in recent.values_list("instrument_id", "close"):
        row = by_id[instrument_id]
        closes[row.symbol].append(money.show(close, row.price_exponent))
    return closes


# --- the world's clock and rules ------------------------------------------------------------------


def phase(world: World) -> JSON:
    """PhaseRow: the feed's, else what the rulebook says of the wall clock; `stale` without a feed."""
    state = latest.of_phase(world)
    said = (state.phase if state else None) or _phase_by_the_book(world)
    return said if latest.alive(world) else said | {"stale": True}


def market_day(world: World) -> int:
    """20261102."""
    return int(phase(world)["market_day"].replace("-", ""))


def hours(world: World) -> rulebook.Hours:
    """When the world's venue does what, by its rulebook."""
    kept = str(world.options.get("hours", "always"))
    places = Instrument.objects.filter(world_id=world.number).values_list("venue", "board", "kind", "product")
    boards = [rulebook.Where(*place) for place in places.distinct()] if kept == "venue" else ()
    return rulebook.load(world.rulebook).hours(kept, world.timezone, boards)


def world_today(world: World) -> JSON:
    """The world with its clock and the rules of its day."""
    listed = instruments(world.number).count()
    return {
        **world_json(world),
        "instruments": listed,
        "phase": phase(world),
        "rules": rules_today(world),
        "hidden": hidden.told(world),
    }


def clock_of(world: World) -> VenueClock:
    """Is the venue open, and when does it open and close next (world time)."""
    now = phase(world)
    now_ns = clock.parse_rfc3339(now["now"])
    open_ns, close_ns = _next_changes(hours(world), now_ns)
    return VenueClock(now_ns, rulebook.PERMITS[now["phase"]].match, open_ns, close_ns)


def _next_changes(kept: rulebook.Hours, now_ns: int) -> tuple[int, int]:
    """(next opening, next closing). A venue that never closes closes and opens when its day turns."""
    at = kept.at(now_ns)
    day_turns_ns, opens_ns, closes_ns = 0, 0, 0
    for _ in range(PHASES_AHEAD):
        then_ns = at.next_change_ns
        later = kept.at(then_ns)
        was, is_ = rulebook.PERMITS[at.phase].match, rulebook.PERMITS[later.phase].match
        opens_ns = opens_ns or (then_ns if is_ and not was else 0)
        closes_ns = closes_ns or (then_ns if was and not is_ else 0)
        day_turns_ns = day_turns_ns or (then_ns if later.market_day != at.market_day else 0)
        at = later
    return opens_ns or day_turns_ns, closes_ns or day_turns_ns


def rules_today(world: World) -> list[JSON]:
    """[{name, value, text, source, row}]: see `market.rulewords`."""
    return rulewords.lines(world, rulebook.as_date(rules_day(world)))


def rules_day(world: World) -> int:
    """The day whose rules are played, 20261102: a replay may be played by those of another day."""
    return rulebook.as_number(worlds.rules_day(world, market_day(world)))


# --- what stands in -------------------------------------------------------------------------------


def no_epoch(world: World) -> str:
    """Of a world that no feed speaks for: any feed's epoch differs."""
    return f"{world.stream_epoch}.0"


def _from_bars(listed: list[Instrument]) -> dict[str, JSON]:
    """QuoteRows without quotes, from the last two days' bars."""
    if not listed:
        return {}
    days = Bar.objects.filter(instrument=OuterRef("pk"), interval=Bar.Interval.D1).order_by("-start")
    dated = Instrument.objects.filter(pk__in=[row.pk for row in listed]).annotate(
        newest=Subquery(days.values("start")[:1]), before=Subquery(days.values("close")[1:2])
    )
    last = {row.pk: (row.newest, row.before) for row in dated}
    starts = {newest for newest, _ in last.values() if newest}
    bars_ = Bar.objects.filter(instrument_id__in=last, interval=Bar.Interval.D1, start__in=starts)
    by_key = {(bar.instrument_id, bar.start): bar for bar in bars_}
    return {
        row.symbol: _stand_in(row, by_key.get((row.pk, last[row.pk][0])), last[row.pk][1]) for row in listed
    }


def _stand_in(row: Instrument, bar: Bar | None, before: int | None) -> JSON:
    reference = Reference(row.symbol, 0, before or row.previous_close, 0, 0, 0, 0, "bars")
    day = bar and Day(
        open=bar.open,
        high=bar.high,
        low=bar.low,
        last=bar.close,
        volume=bar.volume,
        turnover=int(bar.turnover),
        prints=bar.prints,
    )
    return quote_row(row, None, day, reference) | {"stale": True}


def _phase_by_the_book(world: World) -> JSON:
    now_ns = clock.now_ns()
    now = hours(world).at(now_ns)
    tick = PhaseTick(now.market_day, now.phase, now.next_phase, now.next_change_ns, now_ns, now_ns)
    return phase_row(world.slug, world.timezone, tick)


def _scaled(text: Any, row: Instrument) -> int:
    return money.parse(text, row.price_exponent) if text else 0


def _middle(quote: JSON, row: Instrument) -> int:
    sides = [side for side in (_scaled(quote["bid"], row), _scaled(quote["ask"], row)) if side]
    return sum(sides) // len(sides) if sides else 0
