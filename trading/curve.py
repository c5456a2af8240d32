"""Notes what portfolios are worth: a point a minute of today, thinner as it gets old; `equity` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from simgame.kernel import clock
from trading.models import EquityPoint, Game
from trading.portfolios import Worth

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
        point(id_, value, market_day, now)
        for id_, value in values.items()
        if before.get(id_) != (value.equity, _exposure(value))
    ]
    EquityPoint.objects.bulk_create(points, ignore_conflicts=True)
    return len(points)


def point(portfolio_id: int, value: Worth, market_day: int, at: datetime) -> EquityPoint:
    return EquityPoint(
        portfolio_id=portfolio_id,
        at=at,
        market_day=market_day,
        equity=value.equity,
        exposure=_exposure(value),
    )


def _exposure(value: Worth) -> int:
    return value.long + abs(value.short)


def thin() -> None:
    """Old points make room. Idempotent."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(THIN.format(same=SAME_QUARTER), [now - FINE, now - FINE, "15 minutes"])
        cursor.execute(THIN.format(same=SAME_DAY), [now - COARSE, now - COARSE, "2 days"])
