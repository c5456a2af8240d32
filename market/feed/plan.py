"""What one feed needs to begin: its world, instruments, source, calendar, folders, policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from django.conf import settings

from market import errors
from market.ex_dates import ExDates
from market.feed import store, wal
from market.feed.bars import DAY, Series
from market.feed.calendar import Calendar
from market.feed.ingress import CAPACITY, Policy
from market.feed.state import Day
from market.models import Instrument, World
from market.rulebook import BadRulebook, PhaseNow, UnknownRulebook, load
from market.sources import choose
from market.sources.base import PastBar, Source
from market.sources.live import shelf
from market.sources.replay.own_wal import WorldFile
from market.ticks import Print, Quote
from simgame.kernel import clock

INSTRUMENT_FIELDS = (
    *(
        "symbol",
        "name",
        "name_zh",
        "kind",
        "venue",
        "board",
        "product",
        "sector",
        "currency",
        "price_exponent",
        "qty_exponent",
    ),
    *("tick", "lot", "multiplier", "previous_close", "special_treatment", "tradable", "why_not_tradable"),
)


@dataclass
class Plan:
    world: World
    instruments: Sequence[Instrument]
    source: Source
    calendar: Calendar
    folder: Path  # of the WAL
    socket_path: Path
    redis_url: str
    speed: int
    fsync: wal.Fsync = wal.Fsync.INTERVAL
    policy: Policy = Policy.BLOCK
    keep_hours: int = 48
    compress_hours: int = 24
    queue: int = CAPACITY
    nats: str = "off"  # off | json | msgpack
    nats_url: str = ""
    nats_credentials: Mapping[str, str] = field(default_factory=dict)
    ex_dates: ExDates | None = None

    def __post_init__(self) -> None:
        self.ids = {instrument.symbol: instrument.pk for instrument in self.instruments}
        self.scales = {instrument.symbol: instrument for instrument in self.instruments}
        self.first_closes = {
            **{instrument.symbol: instrument.previous_close for instrument in self.instruments},
            **self.source.previous_closes(),
        }

    def start_ns(self, last: Quote | Print | None) -> int | None:
        """World time at the start; None: the wall clock."""
        return self.source.start_ns(last)

    def world_file(self) -> bytes:
        """What the ticks in the WAL mean, for whoever replays it."""
        rows = [{name: getattr(row, name) for name in INSTRUMENT_FIELDS} for row in self.instruments]
        world = self.world
        hours = str(world.options.get("hours", "always"))
        described = (world.slug, world.name, world.currency, world.timezone, world.rulebook, hours, rows)
        return msgspec.json.encode(WorldFile(*described))

    def begin_of(self, forming: Iterable[PastBar]) -> wal.Begin:
        """The bars and the day that were running when the source began."""
        series: dict[str, Series] = {}
        days: dict[str, Day] = {}
        for past in forming:
            series.setdefault(past.symbol, Series()).forming[past.interval] = store.bar_of(past)
            if past.interval == DAY:
                days[past.symbol] = Day(
                    past.open, past.high, past.low, past.close, 0, past.volume, past.turnover, past.prints
                )
        return wal.Begin(series, days)


def plan_for(world: World, *, seed: int | None = None, speed: int | None = None) -> Plan:
    """Raises MarketError when the world cannot be served: no instruments, no recording, no rulebook."""
    instruments = list(Instrument.objects.filter(world=world))
    if not instruments:
        raise errors.UnknownWorld(f"World {world.slug!r} has no instruments yet: run `manage.py seed` first.")
    source = choose.source_for(world, instruments, seed=seed)
    try:
        book = load(world.rulebook)
        keeps_hours = world.options.get("hours") == "venue" and world.kind != World.Kind.REPLAY
        hours = book.hours(world.options.get("hours", "always"), world.timezone, instruments)
        ex_dates = ExDates(world.number)
        ex_dates.read()
        calendar = Calendar(
            book,
            lambda at_ns: _phase(source, at_ns) or hours.at(at_ns),
            instruments,
            ex_dates.previous_close,
            int(world.options.get("rules_day", 0)),
            book.calendar if keeps_hours else None,
        )
        day = calendar.now(source.start_ns(None) or clock.now_ns()).market_day
        calendar.references(day, lambda _: 0, 0, 0)
    except (UnknownRulebook, BadRulebook) as error:
        raise errors.UnknownWorld(f"World {world.slug!r} cannot be served: {error}") from error
    return Plan(
        world=world,
        instruments=instruments,
        source=source,
        calendar=calendar,
        folder=settings.WAL_DIR / world.slug,
        socket_path=settings.RUN_DIR / f"feed-{world.number}.sock",
        redis_url=settings.REDIS_URL,
        speed=speed or (1 if source.start_ns(None) is None else settings.REPLAY_SPEED),
        fsync=wal.Fsync(settings.WAL_FSYNC),
        policy=Policy(settings.FEED_POLICY),
        keep_hours=settings.WAL_KEEP_HOURS,
        compress_hours=settings.WAL_COMPRESS_HOURS,
        queue=settings.FEED_QUEUE,
        nats=settings.NATS_PUBLISH,
        nats_url=settings.NATS_URL,
        nats_credentials=shelf.nats_credentials(),
        ex_dates=ex_dates,
    )


def _phase(source: Source, at_ns: int) -> PhaseNow | None:
    return source.phase(at_ns)
