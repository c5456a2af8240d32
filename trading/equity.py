"""What a portfolio was worth over time, worked out backwards from what it is worth now.

No curve is stored: the books and the bars already hold it. Cash before a bucket is the cash of now
less everything that flowed since, holdings likewise, and holdings count at the closes of their bars.
A contract counts as if its price had been paid: its variation is left out, the result is the same.
Money in other currencies counts at the rates of now.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db.models import DateTimeField, F, Func, Sum

from market import queries as market_queries
from market import rulebook, trading_days
from market.feed.bars import day_start
from market.models import Bar, Instrument, World
from simgame.kernel import clock, money
from simgame.kernel.errors import Invalid
from trading import activities, ranking
from trading.alpaca import share
from trading.errors import Unsupported
from trading.messages import JSON, currency_of
from trading.models import Fill, Portfolio, Position, Transfer
from trading.portfolios import Rates, value_of

DAY_S: Final = 86_400
FRAMES: Final = {
    **{"1Min": ("1m", 60), "5Min": ("5m", 300), "15Min": ("15m", 900)},
    **{"1H": ("1h", 3_600), "1D": ("1d", DAY_S)},
}
UNIT_DAYS: Final = {"D": 1, "W": 7, "M": 30, "A": 365}
POINTS_MAX: Final = 5_000
CELLS_MAX: Final = 100_000  # points times instruments: bars that are read
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,3})([DWMA])\Z").match
FLOWS: Final = tuple(code for code in activities.WORDS if code != Transfer.Code.VARIATION)
Flows = dict[int, list[tuple[str, int, int]]]  # bucket → (symbol or "", quantity, cash at home)


def history(portfolio_id: int, asked: Mapping[str, Any]) -> JSON:
    """Alpaca's portfolio history: arrays, oldest first, money as decimal strings.

    asked: maybe period ("1M"), timeframe, start, end (nanoseconds). Raises Invalid or Unsupported.
    """
    portfolio = Portfolio.objects.select_related("game__world").get(id=portfolio_id)
    world = portfolio.game.world
    now_s = market_queries.clock_of(world).now_ns // clock.NS_PER_S
    end = min(_seconds(asked.get("end")) or now_s, now_s)
    start = _seconds(asked.get("start")) or end - _period_s(asked.get("period") or "1M")
    frame = asked.get("timeframe") or _frame_for(end - start)
    if frame != "1D" and world.kind == World.Kind.REPLAY:
        raise Unsupported("The clock of a replay is not that of its fills: ask for timeframe=1D.")
    points = _points(portfolio, start, end, now_s, frame)
    worth = _Backwards(portfolio, frame, points).equities() if points else []
    return _shown(points, worth, frame, portfolio.game.currency)


def _seconds(ns: int | None) -> int | None:
    return None if ns is None else ns // clock.NS_PER_S


def _period_s(text: str) -> int:
    if not (read := _PERIOD(text)):
        raise Invalid("period: a number and D, W, M or A, such as 1M.", pointer="/period")
    return int(read[1]) * UNIT_DAYS[read[2]] * DAY_S


def _frame_for(span_s: int) -> str:
    return "1Min" if span_s < 7 * DAY_S else "15Min" if span_s < 30 * DAY_S else "1D"


def _points(portfolio: Portfolio, start: int, end: int, now_s: int, frame: str) -> list[int]:
    """When the buckets begin, Unix seconds: those in which the venue matches, since it has been opened.

    There is one at least, unless all that is asked for lies before the portfolio.
    """
    world, step = portfolio.game.world, FRAMES[frame][1]
    if world.kind != World.Kind.REPLAY:
        # A feed tells the world's clock now and then: it may stand before a portfolio that is just made.
        opened = int(portfolio.created_at.timestamp())
        start = max(start, opened if end < now_s else min(opened, end))
    if end < start:
        return []
    if (end - start) // step > 20 * POINTS_MAX:
        raise Invalid("That are too many points: a shorter period or a longer timeframe.", pointer="/period")
    if frame == "1D":
        days = trading_days.rows(world, _day(start), _day(end))
        found = [day_start(int(row["date"].replace("-", ""))) for row in days]
    else:
        kept = market_queries.hours(world)
        grid = range(start // step * step, end + 1, step)
        found = [at for at in grid if rulebook.PERMITS[kept.at(at * clock.NS_PER_S).phase].match]
    if len(found) > POINTS_MAX:
        raise Invalid("That are too many points: a shorter period or a longer timeframe.", pointer="/period")
    return found or [end // step * step]


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


class _Backwards:
    """The fold from now back to the first point."""

    def __init__(self, portfolio: Portfolio, frame: str, points: list[int]):
        self.portfolio, self.points = portfolio, points
        self.interval, self.step = FRAMES[frame]
        self.world = portfolio.game.world
        self.scales = ranking.scales_of(self.world.number)
        marks = market_queries.marks(self.world)
        self.rates = Rates(marks, self.scales, portfolio.game.currency)
        self.marks = {symbol: last for symbol, (last, _) in marks.items()}
        rows = Position.objects.filter(portfolio=portfolio).exclude(qty=0)
        self.held: dict[str, int] = defaultdict(int, {row.symbol: row.qty for row in rows})
        self.costs = {row.symbol: (row.qty, row.cost) for row in rows}
        self.flows = self._fills()
        self._add_moves()
        self.closes = self._closes()

    def equities(self) -> list[int]:
        """Minor units, one per point: what it was worth at the end of the bucket."""
        now = ranking.worths(self.portfolio.game, [self.portfolio.pk])[self.portfolio.pk].equity
        cash = now - sum(self._value(symbol, None) for symbol in self.held)
        found = []
        last = len(self.points) - 1
        for place in range(last, -1, -1):
            found.append(
                cash + sum(self._value(symbol, None if place == last else place) for symbol in self.held)
            )
            for symbol, qty, paid in self.flows.pop(self.points[place], ()):
                if symbol:
                    self.held[symbol] -= qty
                cash -= paid
        return found[::-1]

    def _bucket(self, at_s: int) -> int | None:
        """The last point that began by then: what flowed while the venue was closed belongs to it."""
        place = bisect_right(self.points, at_s) - 1
        return self.points[place] if place >= 0 else None

    def _fills(self) -> Flows:
        rows = Fill.objects.filter(portfolio=self.portfolio)
        if self.interval == Bar.Interval.D1:
            first = int(f"{_day(self.points[0]):%Y%m%d}")
            dated = rows.filter(market_day__gte=first).annotate(bucket=F("market_day"))
        else:
            since = datetime.fromtimestamp(self.points[0], UTC)
            dated = rows.filter(at__gte=since).annotate(bucket=_DateBin(F("at"), step=self.step))
        flows: Flows = defaultdict(list)
        summed = dated.values("bucket", "symbol", "side").annotate(q=Sum("qty"), c=Sum("cash"), f=Sum("fee"))
        for row in summed:
            of_day = isinstance(row["bucket"], int)
            at = day_start(row["bucket"]) if of_day else int(row["bucket"].timestamp())
            if (point := self._bucket(at)) is None:
                continue
            sign = 1 if row["side"] == "buy" else -1
            paid = -sign * int(row["c"]) - int(row["f"])
            currency = self.scales[row["symbol"]].currency
            flows[point].append((row["symbol"], sign * int(row["q"]), self.rates.home(paid, currency)))
        return flows

    def _add_moves(self) -> None:
        if self.world.kind == World.Kind.REPLAY:
            return  # they are dated by the wall; what they brought was there from the beginning on
        for _, _, _, asset, amount, at in activities.moved(self.portfolio.pk, self.world.number, FLOWS):
            if (point := self._bucket(int(at.timestamp()))) is None:
                continue
            if currency := currency_of(asset):
                self.flows[point].append(("", 0, self.rates.home(amount, currency)))
            else:
                self.flows[point].append((asset, amount, 0))

    def _closes(self) -> dict[str, list[tuple[int, int]]]:
        """Symbol → (begin of the bar, close), from before the first point on."""
        symbols = set(self.held) | {symbol for day in self.flows.values() for symbol, _, _ in day if symbol}
        if len(symbols) * len(self.points) > CELLS_MAX:
            raise Invalid(
                "That is too much to work out: a shorter period or a longer timeframe.", pointer="/period"
            )
        rows = Instrument.objects.filter(world=self.world, symbol__in=symbols)
        named = {row.pk: row.symbol for row in rows}
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        begin, end = (datetime.fromtimestamp(self.points[n], UTC) for n in (0, -1))
        bars = Bar.objects.filter(instrument_id__in=named, interval=self.interval)
        for pk in named:  # the close that still held when the first point began
            if before := bars.filter(instrument_id=pk, start__lt=begin).order_by("-start").first():
                found[named[pk]].append((int(before.start.timestamp()), before.close))
        within = bars.filter(start__gte=begin, start__lte=end).order_by("start")
        for pk, at, close in within.values_list("instrument_id", "start", "close"):
            found[named[pk]].append((int(at.timestamp()), close))
        return found

    def _value(self, symbol: str, place: int | None) -> int:
        """What is held of it was worth at a point; `None`: is worth now. Without any price: its cost."""
        qty = self.held[symbol]
        scale = self.scales.get(symbol)
        if not qty or scale is None:
            return 0
        price = self.marks.get(symbol, 0) if place is None else self._close(symbol, self.points[place])
        price = price or self.marks.get(symbol, 0)
        value = value_of(qty, price, scale) if price else self._cost(symbol, qty)
        return self.rates.home(value, scale.currency)

    def _close(self, symbol: str, point: int) -> int:
        closes = self.closes.get(symbol, [])
        place = bisect_right(closes, point, key=lambda each: each[0]) - 1
        return closes[place][1] if place >= 0 else 0

    def _cost(self, symbol: str, qty: int) -> int:
        held, cost = self.costs.get(symbol, (0, 0))
        return cost * qty // held if held else 0


class _DateBin(Func):
    """The beginning of the bucket that an instant lies in."""

    function = "date_bin"
    output_field = DateTimeField()

    def __init__(self, *expressions: Any, step: int):
        bins = f"interval '{int(step)} seconds', %(expressions)s, timestamptz 'epoch'"
        super().__init__(*expressions, template=f"date_bin({bins})")


def _shown(points: list[int], worth: list[int], frame: str, currency: str) -> JSON:
    exponent = money.CURRENCY_EXPONENT[currency]
    base = worth[0] if worth else 0
    return {
        "timestamp": points,
        "equity": [money.show(each, exponent) for each in worth],
        "profit_loss": [money.show(each - base, exponent) for each in worth],
        "profit_loss_pct": [share(each - base, base) if base > 0 else None for each in worth],
        "base_value": money.show(base, exponent),
        "timeframe": frame,
        "currency": currency,
    }
