"""Letting something happen in a seeded market: crash, squeeze, drought, news, halt.

Audited; the market logs it before it happens, so whoever lives the seed again has it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from kombu.exceptions import OperationalError

from accounts import audit
from market.errors import NotSeeded
from market.feed import client
from market.models import World
from market.simulation.scenarios import PLOTS
from trading import halts, tasks

HALT = "halt"
KINDS = tuple(PLOTS)
Facts = dict[str, Any]

log = structlog.get_logger(__name__)


def about() -> list[Facts]:
    """Every kind, in words, with its usual size and length."""
    return [
        {"kind": kind, "about": plot.about, "size_ppm": plot.size_ppm, "seconds": plot.seconds}
        for kind, plot in PLOTS.items()
    ]


def play(
    world: World,
    kind: str,
    *,
    symbols: Sequence[str] = (),
    sector: str = "",
    size_ppm: int | None = None,
    seconds: int | None = None,
    by: int | None = None,
) -> Facts:
    """Now, in these instruments, in a sector, or (neither) in all of them. {event, step, kind, size_ppm,
    seconds, symbols}. Raises NotSeeded, FeedUnavailable, BadControl, and what the exchange says to a halt.
    """
    facts = _ask(
        world, "scenario", kind=kind, symbols=list(symbols), sector=sector, size_ppm=size_ppm, seconds=seconds
    )
    audit.record(by, f"scenario.{kind}", world.slug, **facts)
    if kind == HALT:
        _halt(world, facts, by)
    return facts


def end_halts(world: World, symbols: Sequence[str], *, by: int | None = None) -> Facts:
    """The market reopens these (none: all) with an auction, and the exchange lets them go on."""
    facts = _ask(world, "resume", symbols=list(symbols))
    audit.record(by, "scenario.resume", world.slug, symbols=list(symbols))
    for symbol in symbols or list(world.instruments.filter(halted=True).values_list("symbol", flat=True)):
        halts.resume(world, symbol, by=by)
    return facts


def _halt(world: World, facts: Facts, by: int | None) -> None:
    """The exchange halts them too, and goes on when the market does."""
    symbols = facts["symbols"] or list(world.instruments.values_list("symbol", flat=True))
    for symbol in symbols:
        halts.halt(world, symbol, f"A halt of {facts['seconds']} s", by=by)
    try:
        tasks.end_halt.apply_async((world.number, symbols), countdown=facts["seconds"])
    except OperationalError as error:
        log.error("halt_without_an_end", world=world.slug, symbols=symbols, why=str(error))


def _ask(world: World, what: str, **details: Any) -> Facts:
    if world.kind != World.Kind.SEEDED:
        raise NotSeeded(f"{world.name} is not made from a seed: nothing can be let happen in it.")
    facts = client.ask_sync(world.number, {"op": "source", "what": what, **details})
    facts.pop("op")
    return facts
