"""What a portfolio was worth over time, as every page and every door tells it.

The story is what each ranking noted (`trading.curve`): a step from one point to the next, from the start cash
to the worth of now. Of a game that does not run it ends with the last ranking.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from market import queries as market_queries
from market import rulebook, trading_days
from market.feed.bars import day_start
from market.models import World
from simgame.kernel import clock, money
from simgame.kernel.errors import Invalid
from trading import curve, queries, ranking
from trading.alpaca import share
from trading.errors import Unsupported
from trading.messages import JSON
from trading.models import EquityPoint, Game, Portfolio, Rank

SHOWN_MAX: Final = 2_000  # more points than a screen has columns
DAY_S: Final = 86_400
FRAMES: Final = {"1Min": 60, "5Min": 300, "15Min": 900, "1H": 3_600, "1D": DAY_S}  # seconds
UNIT_DAYS: Final = {"D": 1, "W": 7, "M": 30, "A": 365}
POINTS_MAX: Final = 5_000
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,3})([DWMA])\Z").match


def points(portfolio: Portfolio) -> list[EquityPoint]:
    """All that is known, oldest first: the start, what was noted, and now. Some six thousand at most."""
    game = portfolio.game
    with queries.one_snapshot():
        noted = list(EquityPoint.objects.filter(portfolio=portfolio).order_by("at"))
        began = min([portfolio.created_at, *(point.at for point in noted[:1])])
        found = [EquityPoint(at=began, market_day=0, equity=game.start_cash), *noted]
        if game.status == Game.Status.RUNNING and portfolio.status != Portfolio.Status.OPENING:
            worth = ranking.worths(game, [portfolio.pk])[portfolio.pk]
            day = market_queries.market_day(game.world)
            found.append(curve.point(portfolio.pk, worth, day, clock.now()))
    return found


def by_day(known: Sequence[EquityPoint]) -> dict[int, int]:
    """Market day → worth at its end (of the present one: now), oldest first."""
    return {point.market_day: point.equity for point in known if point.market_day}


def shown(portfolio: Portfolio, known: Sequence[EquityPoint]) -> list[JSON]:
    """{t (Unix seconds), equity, drawdown (percent below the highest so far), exposure}, oldest first."""
    exponent = money.CURRENCY_EXPONENT[portfolio.game.currency]
    peak, rows = portfolio.game.start_cash, []
    for point in known:
        peak = max(peak, point.equity)
        rows.append(
            {
                "t": int(point.at.timestamp()),
                "equity": money.show(point.equity, exponent),
                "drawdown": queries.percent(-ranking.fall_ppb(peak, point.equity), money.PPB),
                "exposure": money.show(point.exposure, exponent),
            }
        )
    every = -(-len(rows) // SHOWN_MAX)  # thinned from the newest, which stays
    return rows[::-1][::every][::-1]


def deepest(portfolio: Portfolio, known: Sequence[EquityPoint]) -> str:
    """The deepest fall from the highest worth, percent, as the standings have it: they saw each minute."""
    ranked = Rank.objects.filter(portfolio=portfolio).values_list("max_drawdown_ppb", flat=True).first()
    peak, fall = portfolio.game.start_cash, ranked or 0
    for point in known:
        peak = max(peak, point.equity)
        fall = max(fall, ranking.fall_ppb(peak, point.equity))
    return queries.percent(-fall, money.PPB)


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
    buckets = _buckets(portfolio, start, end, now_s, frame)
    known = points(portfolio)
    worth = _of_days(known, buckets) if frame == "1D" else _of_times(known, buckets, frame, end >= now_s)
    return _arrays(buckets, worth, frame, portfolio.game.currency)


def _of_days(known: Sequence[EquityPoint], buckets: list[int]) -> list[int]:
    """The worth at the end of each market day."""
    ends = by_day(known)
    days = [0, *sorted(ends)]
    ends[0] = known[0].equity
    return [ends[days[bisect_right(days, int(f"{_day(at):%Y%m%d}")) - 1]] for at in buckets]


def _of_times(known: Sequence[EquityPoint], buckets: list[int], frame: str, to_now: bool) -> list[int]:
    """The worth when each bucket ended, which is where the next one begins; the last one maybe has not."""
    if not buckets:
        return []
    times = [point.at.timestamp() for point in known]
    ends = [*buckets[1:], float("inf") if to_now else buckets[-1] + FRAMES[frame]]
    return [known[max(bisect_left(times, end) - 1, 0)].equity for end in ends]


def _seconds(ns: int | None) -> int | None:
    return None if ns is None else ns // clock.NS_PER_S


def _period_s(text: str) -> int:
    if not (read := _PERIOD(text)):
        raise Invalid("period: a number and D, W, M or A, such as 1M.", pointer="/period")
    return int(read[1]) * UNIT_DAYS[read[2]] * DAY_S


def _frame_for(span_s: int) -> str:
    return "1Min" if span_s < 7 * DAY_S else "15Min" if span_s < 30 * DAY_S else "1D"


def _buckets(portfolio: Portfolio, start: int, end: int, now_s: int, frame: str) -> list[int]:
    """When the buckets begin, Unix seconds: those in which the venue matches, since it has been opened.

    There is one at least, unless all that is asked for lies before the portfolio.
    """
    world, step = portfolio.game.world, FRAMES[frame]
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


def _arrays(buckets: list[int], worth: list[int], frame: str, currency: str) -> JSON:
    exponent = money.CURRENCY_EXPONENT[currency]
    base = worth[0] if worth else 0
    return {
        "timestamp": buckets,
        "equity": [money.show(each, exponent) for each in worth],
        "profit_loss": [money.show(each - base, exponent) for each in worth],
        "profit_loss_pct": [share(each - base, base) if base > 0 else None for each in worth],
        "base_value": money.show(base, exponent),
        "timeframe": frame,
        "currency": currency,
    }
