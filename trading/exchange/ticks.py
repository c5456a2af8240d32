"""From the world's feed into the exchange, with the rules of each market day before its first tick."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import structlog
from channels.db import database_sync_to_async

from market import rulebook, worlds
from market.models import Instrument, World
from market.rulebook import InstrumentRules
from market.ticks import PhaseTick, Tick
from simgame.kernel import clock
from trading import corporate, messages
from trading.engine.commands import SetRules

log = structlog.get_logger(__name__)


def today() -> int:
    return int(f"{clock.now():%Y%m%d}")


class Rules:
    """The instruments of a world and what binds them."""

    def __init__(self, world: World):
        self.world = world
        self.scales: dict[str, messages.Scale] = {}
        self.halted: dict[str, str] = {}  # symbol → why

    def of(self, market_day: int) -> list[InstrumentRules]:
        """Reads the instruments again: an admin may have changed them since the day before."""
        book = rulebook.load(self.world.rulebook)
        instruments = list(Instrument.objects.filter(world=self.world))
        self.scales.update({row.symbol: messages.scale_of(row) for row in instruments})
        self.halted = {row.symbol: row.halt_reason for row in instruments if row.halted}
        on = worlds.rules_day(self.world, market_day or today())
        return [book.rules_for(row, on) for row in instruments]


async def follow(
    feed: AsyncIterator[list[Tick]],
    rules: Rules,
    submit: Callable[[list[Any]], None],
    close_of: corporate.CloseOf,
) -> None:
    """For ever: hand each list of ticks on. `close_of`: the last price that the engine saw, before them."""
    known_day = 0
    async for ticks in feed:
        begun = 0
        for place, tick in enumerate(ticks):
            if isinstance(tick, PhaseTick) and tick.market_day != known_day:
                known_day = tick.market_day
                log.info("market_day", world=rules.world.slug, day=known_day)
                # Ahead of the whole list: its other ticks belong to the new day too.
                submit([SetRules(each) for each in await database_sync_to_async(rules.of)(known_day)])
                # After the roll, before the day's references: orders are restated, then held against them.
                due = await database_sync_to_async(corporate.due)(rules.world, known_day, close_of)
                if due:
                    submit([*ticks[begun : place + 1], *due])
                    begun = place + 1
        submit(ticks[begun:])
