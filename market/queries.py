"""What anybody may read of a market: instruments, quotes, depth, bars, phase, rules of the day.

Each function takes a World and gives rows for the wire (`market.messages`). When no feed is alive the
last bars stand in, and the rows say `stale`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.db.models import OuterRef, Q, QuerySet, Subquery

from market import latest, messages, rulebook, rulewords
from market.errors import BadInterval, UnknownInstrument
from market.messages import JSON
from market.models import Bar, Instrument, World
from market.ticks import PhaseTick
from simgame.kernel import clock, money

BARS_SHOWN: Final = 300
BARS_MAX: Final = 10_000
SPARK_POINTS: Final = 60
SPARK_SPAN: Final = timedelta(minutes=5 * SPARK_POINTS)


def instruments(world_number: int) -> QuerySet[Instrument]:
    """By symbol."""
    return Instrument.objects.filter(world_id=world_number).order_by("symbol")


def instrument(world: World, symbol: str) -> Instrument:
    """Raises UnknownInstrument."""
    found = instruments(world.number).filter(symbol=symbol).first()
    if found is None:
        raise UnknownInstrument(f"{world.name} has no instrument {symbol[:40]!r}.", symbol=symbol[:40])
    return found


def found_instruments(world: World, text: str) -> QuerySet[Instrument]:
    """Instruments whose symbol begins with `text` or whose name (either language) or sector has it."""
    rows = instruments(world.number)
    if not text:
        return rows
    names = Q(name__icontains=text) | Q(name_zh__icontains=text) | Q(sector__icontains=text)
    return rows.filter(Q(symbol__istartswith=text) | names)


def quotes(world: World, symbols: Iterable[str] | None = None) -> dict[str, JSON]:
    """Symbol → QuoteRow, of all instruments or of `symbols` (unknown ones raise UnknownInstrument)."""
    rows = _quotes(world, latest.of(world))
    if symbols is None:
        return rows
    return {symbol: rows[symbol] for symbol in known(world, symbols)}


def known(world: World, symbols: Iterable[str]) -> list[str]:
    """The symbols, each once, in their order. Raises UnknownInstrument for the first that is none."""
    wanted = list(dict.fromkeys(symbols))
    there = set(instruments(world.number).filter(symbol__in=wanted).values_list("symbol", flat=True))
    for symbol in wanted:
        if symbol not in there:
            raise UnknownInstrument(f"{world.name} has no instrument {symbol[:40]!r}.", symbol=symbol[:40])
    return wanted


def depth(world: World, symbol: str) -> JSON:
    """DepthRow; with empty sides and `stale` when nobody shows any."""
    row = instrument(world, symbol)
    state = latest.of(world)
    if state is not None and symbol in state.depth:
        return state.depth[symbol]
    empty = {"bids": [], "asks": [], "at": None, "source": None, "made": False, "seq": 0}
    return {"symbol": row.symbol, **empty, "stale": True}


def phase(world: World) -> JSON:
    """PhaseRow: the feed's, else what the rulebook says of the wall clock, marked `stale`."""
    return latest.phase_of(world) or _phase_by_the_book(world)


def market_day(world: World) -> int:
    """20261102."""
    return messages.day_number(phase(world)["market_day"])


def rules_today(world: World) -> list[JSON]:
    """[{name, value, text, source, row}]: see `market.rulewords`."""
    return rulewords.lines(world, rulebook.as_date(market_day(world)))


def marks(world: World) -> dict[str, tuple[int, int]]:
    """Symbol → (last price, previous close), scaled; a symbol without a last price is missing.

    Last price: of the last trade, else the middle of the best quotes (rounded down), else one side.
    """
    found: dict[str, tuple[int, int]] = {}
    rows = _quotes(world, latest.of(world))
    for row in instruments(world.number):
        quote = rows[row.symbol]
        last = _scaled(quote["last"], row) or _middle(quote, row)
        if last:
            found[row.symbol] = last, _scaled(quote["previous_close"], row)
    return found


def bars(row: Instrument, interval: str, before: int | None = None, limit: int = BARS_SHOWN) -> list[JSON]:
    """The last `limit` BarRows that begin before `before` (Unix seconds, world time), oldest first."""
    if interval not in Bar.Interval.values:
        raise BadInterval(
            f"There are no bars of {interval[:20]!r}; there are {', '.join(Bar.Interval.values)}."
        )
    found = Bar.objects.filter(instrument=row, interval=interval)
    if before is not None:
        found = found.filter(start__lt=clock.from_ns(before * clock.NS_PER_S))
    return [bar_json(row, bar) for bar in reversed(found.order_by("-start")[:limit])]


def bar_json(row: Instrument, bar: Bar) -> JSON:
    corners = bar.open, bar.high, bar.low, bar.close
    return messages.bar_row(row, int(bar.start.timestamp()), corners, bar.volume, partial=bar.partial)


def sparks(world: World) -> dict[str, list[str]]:
    """Symbol → the last closes of five minutes, oldest first: the small lines."""
    by_id = {row.id: row for row in instruments(world.number)}
    five = Bar.objects.filter(instrument_id__in=by_id, interval=Bar.Interval.M5)
    newest = five.order_by("-start").first()
    closes: dict[str, list[str]] = {row.symbol: [] for row in by_id.values()}
    if newest is None:
        return closes
    recent = five.filter(start__gt=newest.start - SPARK_SPAN).order_by("start")
    for instrument_id, close in recent.values_list("instrument_id", "close"):
        row = by_id[instrument_id]
        closes[row.symbol].append(money.show(close, row.price_exponent))
    return closes


def _quotes(world: World, state: latest.Latest | None) -> dict[str, JSON]:
    """A row for every instrument: what is known of it, down to nothing but its last bar."""
    known_rows = state.quotes if state is not None else {}
    rows = list(instruments(world.number))
    missing = [row for row in rows if row.symbol not in known_rows]
    stand_ins = _from_bars(missing) if missing else {}
    return {row.symbol: known_rows.get(row.symbol) or stand_ins[row.symbol] for row in rows}


def _from_bars(rows: list[Instrument]) -> dict[str, JSON]:
    """QuoteRows without quotes: the last close and the day's bar, marked `stale`."""
    days = Bar.objects.filter(instrument=OuterRef("pk"), interval=Bar.Interval.D1).order_by("-start")
    marked = Instrument.objects.filter(id__in=[row.id for row in rows]).annotate(
        last_start=Subquery(days.values("start")[:1]), day_before=Subquery(days.values("close")[1:2])
    )
    starts = {row.id: (row.last_start, row.day_before) for row in marked}
    newest = Bar.objects.filter(
        instrument_id__in=starts,
        interval=Bar.Interval.D1,
        start__in={start for start, _ in starts.values() if start},
    )
    by_key = {(bar.instrument_id, bar.start): bar for bar in newest}
    return {
        row.symbol: _stale_row(row, by_key.get((row.id, starts[row.id][0])), starts[row.id][1])
        for row in rows
    }


def _stale_row(row: Instrument, bar: Bar | None, previous_close: int | None) -> JSON:
    quote = messages.quote_row(row, None, None, None)
    quote["previous_close"] = messages.price(row, previous_close or row.previous_close)
    quote["stale"] = True
    if bar is None:
        return quote
    return quote | {
        "last": messages.price(row, bar.close),
        "open": messages.price(row, bar.open),
        "high": messages.price(row, bar.high),
        "low": messages.price(row, bar.low),
        "volume": messages.size(row, bar.volume),
        "turnover": messages.turnover(row, int(bar.turnover)),
    }


def _phase_by_the_book(world: World) -> JSON:
    book = rulebook.load(world.rulebook)
    now_ns = clock.now_ns()
    now = book.hours(str(world.options.get("hours", "always")), world.timezone).at(now_ns)
    tick = PhaseTick(now.market_day, now.phase, now.next_phase, now.next_change_ns, now_ns, now_ns)
    return {**messages.phase_row(world.slug, world.timezone, tick), "stale": True}


def _scaled(text: Any, row: Instrument) -> int:
    return money.parse(text, row.price_exponent) if text else 0


def _middle(quote: JSON, row: Instrument) -> int:
    sides = [side for side in (_scaled(quote["bid"], row), _scaled(quote["ask"], row)) if side]
    return sum(sides) // len(sides) if sides else 0
