"""What players took goes back to the seeded market, so that their taking moves it.

Only committed fills count: they are read from the table, summed up, and handed to the feed with the number
of the last one. The feed writes them into its log before the market hears of them and says up to which
fill it knows: so after any crash, on either side, every fill counts once. See docs/decisions/0031.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.db import Error as DatabaseError
from django.db import connection

from market import errors
from market.feed import client
from market.models import World
from simgame.kernel.ids import row_number, world_key

LOOK_S = 0.25  # a step of the market
RETRY_S = 1.0  # the feed is away, or the database
FILLS_MAX = 5_000  # in one question
FORGOTTEN_S = 60  # fills of longer ago (an outage, another life of the market) no longer move it
# Where a print filled a resting order, the market's own taker moved it already.
READ = """
SELECT symbol, side, price, (sum(qty) FILTER (WHERE counts))::bigint, max(id)
FROM (SELECT id, symbol, side, price, qty,
             against = 'market' AND reverses IS NULL AND receipt::jsonb -> 'print' IS NULL
             AND at > now() - make_interval(secs => %s) AS counts
      FROM trading_fill WHERE id > %s AND id <= %s ORDER BY id LIMIT %s) fill
GROUP BY GROUPING SETS ((symbol, side, price), ())
HAVING GROUPING(symbol) = 1 OR bool_or(counts)"""

log = structlog.get_logger(__name__)
Rows = list[list[Any]]


class Takings:
    """`fills`: the number of the last fill that the exchange made, committed or not."""

    def __init__(self, world: World, fills: Callable[[], int]):
        self.world, self.fills = world, fills
        self.feed = client.Line(world.number)
        self.upto = -1  # the feed has not said yet what it knows

    async def run(self) -> None:
        """For ever. Worlds that are not made from a seed hear nothing."""
        if self.world.kind != World.Kind.SEEDED:
            return
        while True:
            try:
                await self._tell()
                await asyncio.sleep(LOOK_S)
            except (errors.MarketError, DatabaseError) as error:
                if self.upto >= 0:  # once, however long it takes
                    log.warning("takings_wait", world=self.world.slug, why=str(error))
                self.upto = -1
                await asyncio.sleep(RETRY_S)

    async def _tell(self) -> None:
        if self.upto < 0:
            self.upto = (await self._ask(-1, 0, []))["upto"]
        if self.fills() <= self.upto:
            return
        upto, rows = await database_sync_to_async(read)(self.world.number, self.upto)
        if upto > self.upto:
            answer = await self._ask(self.upto, upto, rows)
            self.upto = answer["upto"]

    async def _ask(self, after: int, upto: int, rows: Rows) -> dict[str, Any]:
        return await self.feed.ask(
            {"op": "source", "what": "taken", "after": after, "upto": upto, "rows": rows}
        )


def read(world_number: int, after: int) -> tuple[int, Rows]:
    """(the last committed fill, what was taken between): rows of symbol, side, price, size."""
    first, last = world_key(world_number, after), world_key(world_number + 1, 0) - 1
    with connection.cursor() as cursor:
        cursor.execute(READ, [FORGOTTEN_S, first, last, FILLS_MAX])
        found = cursor.fetchall()
    highest = max((row[4] for row in found if row[4] is not None), default=0)
    rows = sorted(list(row[:4]) for row in found if row[0] is not None)
    return (row_number(highest) if highest else after), rows
