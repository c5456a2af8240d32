"""Whether a result is more than luck: the same stakes, and a coin that says which way.

The time of a portfolio is cut into pieces; in each its worth changed by some amount. A thousand portfolios
that nobody leads stake the same amounts in the same pieces, and for each piece a coin says whether the amount
is gained or lost. Where ninety in a hundred of them end is the *luck band*. This is the randomisation test
by signs of R. A. Fisher (The Design of Experiments, 1935, section 21). The coins are always the same, so
that the same curve has the same band.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from django.db import connection, transaction

from trading.models import Game, Rank

PIECES: Final = 64
MOVED_MIN: Final = 6  # pieces: with fewer, one in a hundred coins does as well as anybody can
COHORT: Final = 1_000
EDGE: Final = COHORT // 20  # so many end below the band, and so many above
BYTES: Final = PIECES // 8
_chance = random.Random("the luck band of SimGame")
COINS: Final = tuple(_chance.randbytes(BYTES) for _ in range(COHORT))

# The last worth in each piece of the time from the first point to the last.
ENDS: Final = """
WITH span AS (
  SELECT p.portfolio_id, extract(epoch FROM min(p.at)) AS first, extract(epoch FROM max(p.at)) AS last
  FROM trading_equitypoint p JOIN trading_portfolio f ON f.id = p.portfolio_id
  WHERE f.game_id = %(game)s GROUP BY 1 HAVING min(p.at) < max(p.at)),
placed AS (
  SELECT p.portfolio_id, p.at, p.equity,
    least(width_bucket(extract(epoch FROM p.at), s.first, s.last, %(pieces)s), %(pieces)s) AS piece
  FROM trading_equitypoint p JOIN span s USING (portfolio_id))
SELECT DISTINCT ON (portfolio_id, piece) portfolio_id, equity FROM placed
ORDER BY portfolio_id, piece, at DESC"""


class Band(NamedTuple):
    """Results in minor units, between which ninety in a hundred end; `beats`: per mille that end lower."""

    low: int
    high: int
    beats: int


def band(changes: Sequence[int]) -> Band | None:
    """`changes` of the worth, piece by piece, at most PIECES. None: too few of them moved to tell."""
    moved = [change for change in changes if change]
    if len(moved) < MOVED_MIN:
        return None
    result, tables = sum(moved), _tables(moved)
    ends = sorted(
        result - 2 * sum(table[byte] for table, byte in zip(tables, coins, strict=False)) for coins in COINS
    )
    ties = bisect_right(ends, result) - bisect_left(ends, result)
    return Band(ends[EDGE], ends[-1 - EDGE], (bisect_left(ends, result) + ties // 2) * 1_000 // COHORT)


def _tables(moved: Sequence[int]) -> list[list[int]]:
    """For each eight pieces what a byte of the coins turns round: the sum of those whose bit is set."""
    tables = []
    for at in range(0, len(moved), 8):
        table = [0]
        for change in moved[at : at + 8]:
            table += [turned + change for turned in table]
        tables.append(table * (256 // len(table)))  # the bits of pieces that there are not turn nothing
    return tables


def judge(game: Game) -> int:
    """Work out the band of every ranked portfolio of the game; returns how many have one. Idempotent."""
    with connection.cursor() as cursor:
        cursor.execute(ENDS, {"game": game.pk, "pieces": PIECES})
        ends: dict[int, list[int]] = defaultdict(lambda: [game.start_cash])
        for portfolio, equity in cursor.fetchall():
            ends[portfolio].append(equity)
    bands = {
        portfolio: band([after - before for before, after in pairwise(worths)])
        for portfolio, worths in ends.items()
    }
    with transaction.atomic():
        rows = list(Rank.objects.select_for_update().filter(game=game))
        for row in rows:
            row.luck_low, row.luck_high, row.luck_beats = bands.get(row.portfolio_id) or (None, None, None)
        Rank.objects.bulk_update(rows, ["luck_low", "luck_high", "luck_beats"], batch_size=500)
    return sum(row.luck_low is not None for row in rows)
