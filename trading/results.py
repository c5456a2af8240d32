"""What a portfolio earned, by instrument and by day: reads for the portfolio's page. Every sum is exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Count, Sum

from market import queries as market_queries
from market.rulebook.hours import as_date
from simgame.kernel import money
from trading import equity, queries, ranking
from trading.models import EquityPoint, Fill, Portfolio, Position
from trading.portfolios import value_now

DAYS_SHOWN: Final = 60
JSON = dict[str, Any]


def by_instrument(portfolio: Portfolio) -> list[JSON]:
    """The best result first: realised + unrealised, fees included in both."""
    world = portfolio.game.world
    marks, scales = market_queries.marks(world), ranking.scales_of(world.number)
    traded = {
        row["symbol"]: row
        for row in Fill.objects.filter(portfolio=portfolio, reverses=None)
        .values("symbol")
        .annotate(n=Count("id"), fees=Sum("fee"), turnover=Sum("cash"))
    }
    rows = []
    for position in Position.objects.filter(portfolio=portfolio):
        scale = scales[position.symbol]
        now, _ = value_now(position, marks.get(position.symbol, (0, 0)), scale)
        open_ = now if scale.is_contract else now - position.cost if position.qty else 0
        trades = traded.get(position.symbol, {"n": 0, "fees": 0, "turnover": 0})
        rows.append((position, scale, open_, trades))
    rows.sort(key=lambda row: -(row[0].realised + row[2]))
    return [_instrument(*row) for row in rows]


def _instrument(position: Position, scale: ranking.Scale, open_: int, trades: JSON) -> JSON:
    return {
        "symbol": position.symbol,
        "qty": scale.qty(position.qty),
        "trades": trades["n"],
        "turnover": scale.cash(trades["turnover"]),
        "fees": scale.cash(trades["fees"]),
        "realised": scale.cash(position.realised),
        "unrealised": scale.cash(open_),
        "result": scale.cash(position.realised + open_),
    }


def by_day(portfolio: Portfolio, known: Sequence[EquityPoint]) -> list[JSON]:
    """Market days, the newest first: worth at the end, how it changed since the day before, trades, fees."""
    exponent = money.CURRENCY_EXPONENT[portfolio.game.currency]
    ends = equity.by_day(known)
    fills = {
        row["market_day"]: row
        for row in Fill.objects.filter(portfolio=portfolio, reverses=None)
        .values("market_day")
        .annotate(n=Count("id"), fees=Sum("fee"))
    }
    rows, before = [], portfolio.game.start_cash
    for day in sorted(ends):
        trades = fills.get(day, {"n": 0, "fees": 0})
        rows.append(
            {
                "day": as_date(day),
                "equity": money.show(ends[day], exponent),
                "change": money.show(ends[day] - before, exponent),
                "change_pct": queries.percent(ends[day] - before, before),
                "trades": trades["n"],
                "fees": money.show(trades["fees"], exponent),
            }
        )
        before = ends[day]
    return rows[::-1][:DAYS_SHOWN]


def exposure(portfolio: Portfolio) -> JSON:
    """What is at stake now: long and short holdings, and both against the equity in percent."""
    worth = ranking.worths(portfolio.game, [portfolio.pk])[portfolio.pk]
    exponent = money.CURRENCY_EXPONENT[portfolio.game.currency]
    gross = worth.long + abs(worth.short)
    return {
        "long": money.show(worth.long, exponent),
        "short": money.show(worth.short, exponent),
        "gross_pct": queries.percent(gross, worth.equity) if worth.equity > 0 else None,
        "net_pct": queries.percent(worth.long + worth.short, worth.equity) if worth.equity > 0 else None,
    }
