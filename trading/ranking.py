"""How portfolios of a game stand: by equity, recomputed once a minute and at the day's end."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from market import queries as market_queries
from simgame.kernel import clock, money
from trading import curve
from trading.messages import Scale, scale_of
from trading.models import Balance, Fill, Game, Portfolio, Position, Rank
from trading.portfolios import Worth, worth

DUE = "due."
_IS_MONEY = Q(asset__in=list(money.CURRENCY_EXPONENT)) | Q(asset__startswith=DUE)
FIELDS = ["rank", "previous_rank", "equity", "day_start_equity", "market_day", "fills", "peak_equity"]
FIELDS += ["max_drawdown_ppb", "at"]


def scales_of(world_number: int) -> dict[str, Scale]:
    return {row.symbol: scale_of(row) for row in market_queries.instruments(world_number)}


def worths(game: Game, portfolio_ids: list[int] | None = None) -> dict[int, Worth]:
    """What each active portfolio of the game is worth now."""
    rows = Portfolio.objects.filter(game=game).exclude(status=Portfolio.Status.OPENING)
    wanted = list(rows.values_list("id", flat=True)) if portfolio_ids is None else portfolio_ids
    cash = _cash(wanted)
    positions: dict[int, list[Position]] = defaultdict(list)
    for position in Position.objects.filter(portfolio_id__in=wanted):
        positions[position.portfolio_id].append(position)
    marks, scales = market_queries.marks(game.world), scales_of(game.world_id)
    return {id_: worth(cash[id_], positions[id_], marks, scales, game.currency) for id_ in wanted}


def _cash(portfolio_ids: list[int]) -> dict[int, dict[str, int]]:
    """Cash of each by currency, with what it is owed until a pay date (`due.<currency>.<action>`)."""
    rows = Balance.objects.filter(_IS_MONEY, account__in=portfolio_ids)
    cash: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for account, asset, posted in rows.values_list("account", "asset", "posted"):
        currency = asset.split(".")[1] if asset.startswith(DUE) else asset
        cash[account][currency] += posted
    return cash


def rank(game: Game) -> int:
    """Recompute the standings of a game; returns how many portfolios were ranked. Idempotent.

    What each was worth becomes a point of its curve.
    """
    day = market_queries.market_day(game.world)
    values = worths(game)
    made = Fill.objects.filter(portfolio__game=game).values_list("portfolio")
    undone = Q(reverses__isnull=False, receipt__decided="busted")
    again = Q(reverses__isnull=False, receipt__decided="reinstated")
    fills = dict(
        made.annotate(
            n=Count("id", filter=Q(reverses=None)) - Count("id", filter=undone) + Count("id", filter=again)
        )
    )
    with transaction.atomic():
        before = {row.portfolio_id: row for row in Rank.objects.select_for_update().filter(game=game)}
        now = max([clock.now(), *(row.at + timedelta(microseconds=1) for row in before.values())])
        ordered = sorted(values.items(), key=lambda item: (-item[1].equity, item[0]))
        rows = [
            _row(
                game,
                worth_,
                before.get(portfolio),
                portfolio_id=portfolio,
                rank=place,
                fills=fills.get(portfolio, 0),
                market_day=day,
                at=now,
            )
            for place, (portfolio, worth_) in enumerate(ordered, start=1)
        ]
        Rank.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["portfolio"], update_fields=FIELDS
        )
    curve.record(game, values, day)
    return len(rows)


def fall_ppb(peak: int, equity: int) -> int:
    """How far equity lies below its highest so far, in parts of a thousand million; rounded down."""
    return money.PPB * (peak - equity) // peak if peak > 0 else 0


def _row(game: Game, value: Worth, before: Rank | None, **facts: Any) -> Rank:
    peak = max(before.peak_equity if before else game.start_cash, value.equity)
    fall = fall_ppb(peak, value.equity)
    previous = None
    if before:
        same_day = before.market_day == facts["market_day"]
        previous = before.previous_rank if same_day else before.rank
    return Rank(
        game=game,
        previous_rank=previous,
        equity=value.equity,
        day_start_equity=value.day_start,
        peak_equity=peak,
        max_drawdown_ppb=max(before.max_drawdown_ppb if before else 0, fall),
        **facts,
    )
