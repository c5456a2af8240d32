"""Luck and skill in the standings: the same stakes, and a coin that says which way."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from accounts.models import Player
from simgame.kernel import clock
from tests.exchange.street import CASH, make_world
from trading import luck, standings
from trading.models import EquityPoint, Game, Portfolio, Rank

pytestmark = pytest.mark.django_db
HOURS = 48


def plays(game: Game, name: str, changes: list[int]) -> Rank:
    """Somebody whose worth changed so, hour by hour."""
    portfolio = Portfolio.objects.create(
        player=Player.objects.create(username=name), game=game, status="active"
    )
    began, worth = clock.now() - timedelta(hours=len(changes)), CASH
    for hour, change in enumerate([0, *changes]):
        worth += change
        at = began + timedelta(hours=hour)
        EquityPoint.objects.create(portfolio=portfolio, at=at, market_day=20261102, equity=worth)
    return Rank.objects.create(
        portfolio=portfolio, game=game, rank=1, equity=worth, day_start_equity=worth, at=clock.now()
    )


def test_the_steady_winner_is_beyond_luck_and_the_gambler_is_not() -> None:
    game = Game.objects.get(world=make_world())
    chance = random.Random(7)
    ranks = {
        "Stella wins a little, three hours in four": [20_000, 20_000, -20_000, 20_000] * (HOURS // 4),
        "Gus wins once and big": [*(chance.choice((-50_000, 50_000)) for _ in range(HOURS - 1)), 900_000],
        "Nora has hardly traded": [0] * (HOURS - 2) + [30_000, 30_000],
        "Lena loses as steadily": [-20_000, -20_000, 20_000, -20_000] * (HOURS // 4),
    }
    rows = {
        name.split()[0].lower(): plays(game, name.split()[0].lower(), each) for name, each in ranks.items()
    }
    assert luck.judge(game) == 3
    shown = {row["player"]: row["luck"] for row in standings.table(game)["rows"]}
    assert shown["nora"] is None
    assert [shown[name]["place"] for name in ("stella", "gus", "lena")] == ["above", "inside", "below"]
    assert float(shown["stella"]["beats_pct"]) > 99 and float(shown["lena"]["beats_pct"]) < 1

    # Nine in ten of many people who really toss a coin lie inside; the band is that of the formula.
    spread = 1.645 * 20_000 * HOURS**0.5
    rows["stella"].refresh_from_db()
    assert rows["stella"].luck_high == pytest.approx(spread, rel=0.1)
    assert rows["stella"].luck_low == pytest.approx(-spread, rel=0.1)
    inside = 0
    for _ in range(400):
        changes = [chance.choice((-1, 1)) * chance.randrange(1, 100_000) for _ in range(HOURS)]
        low, high, _beats = luck.band(changes)
        inside += low <= sum(changes) <= high
    assert 0.85 < inside / 400 < 0.95

    before = list(Rank.objects.order_by("pk").values_list("luck_low", "luck_high", "luck_beats"))
    luck.judge(game)
    assert before == list(Rank.objects.order_by("pk").values_list("luck_low", "luck_high", "luck_beats"))
