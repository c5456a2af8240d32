"""How the players of a game stand, as everybody reads it; `renew` reckons it anew and tells the stream."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Max

from realtime.publish import Message, Publisher
from simgame.kernel import money
from trading import queries, ranking
from trading.messages import JSON
from trading.models import Game, Participant, Rank

TOPIC: Final = "game"
STANDINGS_SHOWN: Final = 100
NEIGHBOURS: Final = 2  # rows above and below the asking portfolio
RETURN_STEP: Final = 2  # percent a bucket of the histogram
RETURN_EDGE: Final = 40  # percent: everything beyond is counted in the outer bucket
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def renew(game: Game) -> int:
    """Rank the game and tell who follows it; returns how many portfolios were ranked.

    Call outside of transactions: what is told must be committed.
    """
    ranked = ranking.rank(game)
    publisher = Publisher(settings.REDIS_URL)
    try:
        publisher.publish_now_sync([told(game)])
    finally:
        publisher.close()
    return ranked


def told(game: Game) -> Message:
    """The standings as a message: all of them, whoever reads; the newest one counts."""
    with queries.one_snapshot():
        return Message.of(f"{TOPIC}:{game.pk}", game.world.stream_epoch, version(game), table(game))


def version(game: Game) -> int:
    """Grows with each ranking: microseconds (Unix time) of the newest one; 0 before the first."""
    newest = Rank.objects.filter(game=game).aggregate(at=Max("at"))["at"]
    return (newest - EPOCH) // timedelta(microseconds=1) if newest else 0


def table(game: Game, portfolio_id: int | None = None) -> JSON:
    """The ranked portfolios of a game, best first; the asking one with its neighbours; all returns.

    `neighbours` are the rows around the asking portfolio when it stands below the shown ones.
    """
    rows = Rank.objects.filter(game=game).order_by("rank")
    top = list(rows[:STANDINGS_SHOWN])
    mine = rows.filter(portfolio_id=portfolio_id).first() if portfolio_id else None
    near: list[Rank] = []
    if mine and mine.rank > STANDINGS_SHOWN:
        first = max(mine.rank - NEIGHBOURS, STANDINGS_SHOWN + 1)
        near = list(rows.filter(rank__range=(first, mine.rank + NEIGHBOURS)))
    names = Participant.objects.in_bulk(
        [row.portfolio_id for row in [*top, *near, *([mine] if mine else [])]]
    )
    exponent = money.CURRENCY_EXPONENT[game.currency]
    return {
        "game": {
            "id": game.id,
            "slug": game.slug,
            "name": game.name,
            "currency": game.currency,
            "start_cash": money.show(game.start_cash, exponent),
            "starts_at": game.starts_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "at": top[0].at.strftime("%Y-%m-%dT%H:%M:%SZ") if top else None,
        "players": rows.count(),
        "rows": [_standing(row, names[row.portfolio_id], game) for row in top],
        "neighbours": [_standing(row, names[row.portfolio_id], game) for row in near],
        "mine": _standing(mine, names[mine.portfolio_id], game) if mine else None,
        "returns": _returns(game),
    }


def _returns(game: Game) -> list[JSON]:
    """How many portfolios ended in each return bucket: {"from": percent, "to": percent, "n": count}."""
    counts: Counter[int] = Counter()
    for equity in Rank.objects.filter(game=game).values_list("equity", flat=True):
        share = 100 * (equity - game.start_cash) // game.start_cash
        counts[max(-RETURN_EDGE, min(RETURN_EDGE - RETURN_STEP, share - share % RETURN_STEP))] += 1
    return [
        {"from": edge, "to": edge + RETURN_STEP, "n": counts[edge]}
        for edge in range(-RETURN_EDGE, RETURN_EDGE, RETURN_STEP)
    ]


def _standing(row: Rank, name: Participant, game: Game) -> JSON:
    exponent = money.CURRENCY_EXPONENT[game.currency]
    return {
        "rank": row.rank,
        "moved": row.previous_rank - row.rank if row.previous_rank else 0,
        "player": name.username,
        "guest": name.guest,
        "portfolio_id": row.portfolio_id,
        "equity": money.show(row.equity, exponent),
        "return_pct": queries.percent(row.equity - game.start_cash, game.start_cash),
        "today_pct": queries.percent(row.equity - row.day_start_equity, row.day_start_equity),
        "drawdown_pct": queries.percent(-row.max_drawdown_ppb, money.PPB),
        "fills": row.fills,
        "luck": _luck(row, game),
    }


def _luck(row: Rank, game: Game) -> JSON | None:
    """The band in percent of the start cash, and how many in a hundred coins ended lower; None: too early."""
    if row.luck_low is None or row.luck_high is None:
        return None
    return {
        "low_pct": queries.percent(row.luck_low, game.start_cash),
        "high_pct": queries.percent(row.luck_high, game.start_cash),
        "beats_pct": money.show(row.luck_beats or 0, 1),
        "place": _place(row.equity - game.start_cash, row.luck_low, row.luck_high),
    }


def _place(result: int, low: int, high: int) -> str:
    return "below" if result < low else "above" if result > high else "inside"
