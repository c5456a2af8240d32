"""The equity curve of a portfolio: a point a minute of today, thinner the older it gets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.db import connection

from simgame.kernel import clock, money
from trading.models import EquityPoint, Game, Portfolio
from trading.portfolios import Worth

SHOWN_MAX: Final = 2_000  # more points than a screen has columns
FINE: Final = timedelta(days=2)  # every point of so long is kept
COARSE: Final = timedelta(days=30)  # then one in a quarter of an hour; beyond this one a market day

# Of each portfolio the last point of a quarter (or a day) stays.
THIN = """
DELETE FROM trading_equitypoint p USING trading_equitypoint later
WHERE p.portfolio_id = later.portfolio_id AND p.at < later.at AND p.at < %s AND later.at < %s
AND {same} AND later.at <= p.at + interval %s"""
SAME_QUARTER = "floor(extract(epoch FROM p.at) / 900) = floor(extract(epoch FROM later.at) / 900)"
SAME_DAY = "p.market_day = later.market_day"


def record(game: Game, values: Mapping[int, Worth], market_day: int) -> int:
    """A point for each portfolio whose worth changed since its last one; returns how many."""
    now = clock.now()
    newest = EquityPoint.objects.filter(portfolio__game=game).order_by("portfolio_id", "-at")
    before = {
        portfolio: (equity, exposure)
        for portfolio, equity, exposure in newest.distinct("portfolio_id").values_list(
            "portfolio_id", "equity", "exposure"
        )
    }
    points = [
        EquityPoint(
            portfolio_id=id_, at=now, market_day=market_day, equity=value.equity, exposure=_exposure(value)
        )
        for id_, value in values.items()
        if before.get(id_) != (value.equity, _exposure(value))
    ]
    EquityPoint.objects.bulk_create(points, ignore_conflicts=True)
    return len(points)


def _exposure(value: Worth) -> int:
    return value.long + abs(value.short)


def thin() -> None:
    """Old points make room. Idempotent."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(THIN.format(same=SAME_QUARTER), [now - FINE, now - FINE, "15 minutes"])
        cursor.execute(THIN.format(same=SAME_DAY), [now - COARSE, now - COARSE, "2 days"])


def points(portfolio_id: int) -> list[EquityPoint]:
    """The newest ones, the oldest of them first."""
    rows = EquityPoint.objects.filter(portfolio_id=portfolio_id).order_by("-at")[:SHOWN_MAX]
    return list(rows)[::-1]


def shown(portfolio: Portfolio) -> list[dict[str, Any]]:
    """{t (Unix seconds), equity, drawdown (percent below the highest so far), exposure}, oldest first.

    It begins with the start cash.
    """
    exponent = money.CURRENCY_EXPONENT[portfolio.game.currency]
    start = portfolio.game.start_cash
    began = EquityPoint(at=portfolio.created_at, equity=start)
    peak, rows = start, []
    for point in [began, *points(portfolio.pk)]:
        peak = max(peak, point.equity)
        hundredths = 10_000 * (peak - point.equity) // peak if peak > 0 else 0
        rows.append(
            {
                "t": int(point.at.timestamp()),
                "equity": money.show(point.equity, exponent),
                "drawdown": money.show(-hundredths, 2),
                "exposure": money.show(point.exposure, exponent),
            }
        )
    return rows
