"""A sealed season: a seeded world whose seed nobody knows until it is over, and anybody can check then.

Before: `seal` draws the seed and publishes SHA-256 of seed, code version, rulebook and place in time.
While it runs: every event is logged, every hour of ticks gets a mark. After: `reveal` publishes the seed;
`market.verification` recomputes every tick.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

from django.conf import settings
from django.db import transaction

from market import errors, rulebook, worlds
from market.feed import client
from market.models import Instrument, Season, World
from market.rulebook.book import DATA
from market.simulation import MODEL, SeededMarket, code_hash
from market.sources import choose
from simgame.kernel import clock
from simgame.kernel.errors import Invalid

SEED_BITS = 256  # nobody finds it by trying
SLUG = re.compile(r"^[a-z0-9][a-z0-9-]{2,39}\Z")
Facts = dict[str, Any]


def commitment_of(season: Season, world: World) -> str:
    """SHA-256, hexadecimal, over the text that `sealed_text` gives."""
    return hashlib.sha256(sealed_text(season, world).encode()).hexdigest()


def sealed_text(season: Season, world: World) -> str:
    """What is sealed, a line each: anybody can hash it once the seed is known."""
    facts = {
        "world": world.slug,
        "seed": season.seed,
        "model": season.model,
        "code": season.code,
        "rulebook": world.rulebook,
        "rules": season.rules,
        "start_ns": world.options["start_ns"],
        "hours": world.options["hours"],
        "instruments": world.options["instruments"],
    }
    return "".join(f"{name}={value}\n" for name, value in facts.items())


def rules_hash(name: str) -> str:
    return hashlib.sha256((DATA / f"{name}.toml").read_bytes()).hexdigest()


@transaction.atomic
def seal(slug: str, name: str, *, hours: str = "", rules: str = "") -> Season:
    """A new world, with a seed that is drawn now. Raises Invalid, RulesDoNotFit."""
    if not SLUG.match(slug) or World.objects.filter(slug=slug).exists():
        raise Invalid(f"{slug[:60]!r} is no free name: 3 to 40 of a-z, 0-9 and dashes, not used before.")
    hours = hours or settings.SEEDED_HOURS
    try:
        book = rulebook.load(rules or settings.SEEDED_RULES)
    except (rulebook.UnknownRulebook, rulebook.BadRulebook) as error:
        raise errors.RulesDoNotFit(str(error)) from error

    # From here it must succeed.
    world = World(
        slug=slug,
        name=name or slug,
        kind=World.Kind.SEEDED,
        currency=worlds.SEEDED_CURRENCY,
        rulebook=book.name,
        timezone=book.timezone,
        options={"start_ns": clock.now_ns(), "hours": hours, "instruments": 30},
        stream_epoch=worlds.new_stream_epoch(),
    )
    season = Season(
        world=world,
        seed=str(secrets.randbits(SEED_BITS)),
        model=MODEL,
        code=code_hash(),
        rules=rules_hash(book.name),
        sealed_at=clock.now(),
    )
    season.commitment = world.options["sealed"] = commitment_of(season, world)
    world.save()
    season.world = world
    season.save()
    market = market_of(season)
    Instrument.objects.bulk_create(worlds.seeded_instruments(world, market.instruments))
    return season


def market_of(season: Season) -> SeededMarket:
    """The market at its first step."""
    return choose.seeded(season.world, None).market


def of(world: World) -> Season:
    """Raises NotSealed."""
    season = Season.objects.filter(world=world).select_related("world").first()
    if season is None:
        raise errors.NotSealed(f"{world.name} is no sealed season: its seed is open.")
    return season


def end(season: Season) -> Facts:
    """Nothing more happens in its market. Raises FeedUnavailable."""
    facts: Facts = {}
    if season.ended_at is None:
        facts = client.ask_sync(season.world.number, {"op": "source", "what": "end"})
        season.ended_at = clock.now()
        season.save(update_fields=["ended_at"])
    return facts


def reveal(season: Season) -> None:
    """The seed is everybody's. Raises Invalid while it is played."""
    if season.ended_at is None:
        raise Invalid(
            "The season is still played: whoever knew its seed would know its prices. End it first."
        )
    if season.revealed_at is None:
        season.revealed_at = clock.now()
        season.save(update_fields=["revealed_at"])


def shown(season: Season) -> Facts:
    """What anybody may know of it now."""
    world = season.world
    facts: Facts = {
        "world": world.slug,
        "commitment": season.commitment,
        "model": season.model,
        "code": season.code,
        "rulebook": world.rulebook,
        "rules": season.rules,
        "start_ns": str(world.options["start_ns"]),
        "hours": world.options["hours"],
        "instruments": world.options["instruments"],
        "sealed_at": _when(season.sealed_at),
        "ended_at": _when(season.ended_at),
        "revealed_at": _when(season.revealed_at),
        "seed": None,
        "sealed_text": None,
    }
    if season.revealed_at is not None:
        facts |= {"seed": season.seed, "sealed_text": sealed_text(season, world)}
    return facts


def _when(at: Any) -> str | None:
    return clock.rfc3339(int(at.timestamp()) * clock.NS_PER_S) if at else None
