"""The seeded market halts a price that moves too far too fast; so does the exchange, and goes on with it.

What the feed says **now** is compared with what the engine knows, twice a second: so after any crash, on
either side, a halt is neither forgotten nor kept. While the market is halted its books are empty, so the
half second in between fills nothing. See docs/decisions/0051.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from django.db import Error as DatabaseError

from market import errors
from market.feed import client
from market.models import World
from market.rulebook.rules import VOLATILITY_HALT
from trading.engine.commands import Halt
from trading.engine.state import State

LOOK_S = 0.5
RETRY_S = 1.0  # the feed is away, or the database that says where it is

log = structlog.get_logger(__name__)


class VenueHalts:
    """`submit`: hands commands to the loop, among the ticks."""

    def __init__(self, world: World, state: State, submit: Callable[[list[Any]], None]):
        self.world, self.state, self.submit = world, state, submit
        self.feed = client.Line(world.number)

    async def run(self) -> None:
        """For ever. Worlds that are not made from a seed halt nothing by themselves."""
        if self.world.kind != World.Kind.SEEDED:
            return
        silent = False
        while True:
            try:
                await self._compare()
                silent = False
                await asyncio.sleep(LOOK_S)
            except (errors.MarketError, DatabaseError) as error:
                if not silent:  # once, however long it takes
                    log.warning("venue_halts_wait", world=self.world.slug, why=str(error))
                silent = True
                await asyncio.sleep(RETRY_S)

    async def _compare(self) -> None:
        if not any(market.rules and "breaker" in market.rules.rows for market in self.state.markets.values()):
            return
        said = await self.feed.ask({"op": "source", "what": "halts"})
        if due := commands(self.state, set(said["halts"])):
            self.submit(due)


def commands(state: State, halted: set[str]) -> list[Halt]:
    """What makes the engine halt what the market has halted. An operator's halts are left alone."""
    due = []
    for symbol, market in state.markets.items():
        if symbol in halted and not market.halted and market.rules:
            due.append(Halt(symbol, True, VOLATILITY_HALT, ""))
        elif market.halted and market.halt_reason == VOLATILITY_HALT and symbol not in halted:
            due.append(Halt(symbol, False, "", ""))
    return due
