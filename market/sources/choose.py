"""Which source a world has, from its kind and options."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from zoneinfo import ZoneInfo

from django.conf import settings

from market import hidden
from market.models import Instrument, Season, World
from market.rulebook import Where, as_date, load
from market.simulation.companies import COMPANIES
from market.sources.base import Source
from market.sources.hidden import HiddenSource
from market.sources.live import shelf
from market.sources.replay import open_recording
from market.sources.replay.source import ReplaySource
from market.sources.seeded import SeededSource
from market.sources.together import Together
from simgame.kernel import clock

SEEDED_PLACE = Where()  # of every instrument of a seeded world


def source_for(world: World, instruments: Sequence[Instrument], *, seed: int | None = None) -> Source:
    """Raises MarketError when the world's source cannot be opened."""
    if world.kind == World.Kind.SEEDED:
        return seeded(world, seed)
    if world.kind == World.Kind.REPLAY:
        return replayed(world, instruments)
    return live(world, instruments)


def seeded(world: World, seed: int | None) -> SeededSource:
    """Options `seed`, `hours` ("always" | "venue"), `start_ns` (of step 0; default: now), `instruments`;
    `sealed` instead of `seed` in a sealed season.
    """
    start_ns = int(world.options.get("start_ns", 0)) or clock.now_ns()
    offset = clock.from_ns(start_ns).astimezone(ZoneInfo(world.timezone)).utcoffset()
    season = Season.objects.filter(world=world).first() if world.options.get("sealed") else None
    if season is not None:
        seed = int(season.seed)
    return SeededSource(
        int(world.options.get("seed", settings.SEED)) if seed is None else seed,
        start_ns,
        hours=world.options.get("hours", settings.SEEDED_HOURS),
        utc_offset_s=int(offset.total_seconds()) if offset else 0,
        count=int(world.options.get("instruments", len(COMPANIES))),
        sealed=season.commitment if season is not None and season.revealed_at is None else "",
        over=season is not None and season.ended_at is not None,
        breaker=lambda market_day: load(world.rulebook).breaker(SEEDED_PLACE, as_date(market_day)),
    )


def replayed(world: World, instruments: Sequence[Instrument]) -> ReplaySource:
    """Options `loop`, `skip_idle` (default: both), and those of the recording's format."""
    kept = world.options.get("hours", "always")
    hours = load(world.rulebook).hours(kept, world.timezone, instruments)
    recording = open_recording(world.recording, world.options)
    ways = {"loop": True, "skip_idle": True}
    chosen = {name: bool(world.options.get(name, default)) for name, default in ways.items()}
    if "hidden" in world.options:
        return HiddenSource(recording, hours.at, reveal=partial(hidden.reveal, world), **chosen)
    return ReplaySource(recording, hours.at, **chosen)


def live(world: World, instruments: Sequence[Instrument]) -> Source:
    """Option `sources`: lists of names in order of preference, by the kind of instrument they speak for
    ("" for all others).
    """
    folder = settings.WAL_DIR / world.slug
    groups: dict[str, list[Instrument]] = {}
    chosen = world.options.get("sources", {})
    for instrument in instruments:
        groups.setdefault(instrument.kind if instrument.kind in chosen else "", []).append(instrument)
    sources = [shelf.best_of(chosen.get(kind, []), listed, folder) for kind, listed in groups.items()]
    return sources[0] if len(sources) == 1 else Together(sources)
