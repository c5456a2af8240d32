"""Worlds: finding the one that a text names, and making those that must exist."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from market import hidden, live, rulebook
from market.errors import RulesDoNotFit, UnknownWorld
from market.models import Instrument, World
from market.simulation import Listing, SeededMarket
from market.sources import replay
from simgame.kernel import clock

SEEDED = "seeded"
REPLAY = "replay:"
LIVE = {
    live.CRYPTO: live.ensure_crypto,
    live.CN: live.ensure_cn,
    live.CN_FUTURES: live.ensure_cn_futures,
}
SEEDED_NAME = "Lakeshore Exchange"
SEEDED_CURRENCY = "CNY"


def resolve(text: str) -> World:
    """The world that an operator names: `replay:<recording>`, or as `named`. Raises MarketError."""
    if hidden.is_random(text.removeprefix(REPLAY)) and text.startswith(REPLAY):
        drawn = hidden.world_of(text.removeprefix(REPLAY))
        return drawn or named(text)
    if text.startswith(REPLAY):
        return named(_slug_of(text.removeprefix(REPLAY)))
    return named(text)


@lru_cache(maxsize=64)
def _slug_of(recording: str) -> str:
    """Opening a recording takes a while, and the played world is asked for with every request."""
    return replay.describe(recording).slug


def named(text: str) -> World:
    """The world with this slug or number: what anybody may ask for. Raises UnknownWorld."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        found = World.objects.filter(number=int(text)).first()
    else:
        found = World.objects.filter(slug=text.replace("\0", "?")).first()
    if found is None:
        there = ", ".join(World.objects.values_list("slug", flat=True)) or "none yet: run `manage.py seed`"
        raise UnknownWorld(f"There is no world {text[:80]!r} (there are: {there}).", world=text[:80])
    return found


def every() -> QuerySet[World]:
    """By number, the oldest first."""
    return World.objects.all()


def ensure(text: str, rules: str = "") -> World:
    """The world with its instruments, made when it does not exist. Idempotent.

    text: `seeded`, `crypto`, `cn`, `cn-futures`, `replay:<recording>`, `replay:random` (the drawn day that
    is not over yet, else a new one), or the slug of a world that exists.
    rules: the rulebook that it is to have from now on, "" to leave the one it has (a recording knows its
    venue's). Raises UnknownWorld, RecordingMissing, RecordingUnknown, RulesDoNotFit, SourceAway, BadSource.
    """
    if text == SEEDED:
        world = ensure_seeded_world()
    elif text in LIVE:
        world = LIVE[text](new_stream_epoch())
    elif text.startswith(REPLAY) and hidden.is_random(text.removeprefix(REPLAY)):
        world = ensure_hidden_world(text.removeprefix(REPLAY))
    elif text.startswith(REPLAY):
        world = ensure_replay_world(replay.describe(text.removeprefix(REPLAY)))
    else:
        world = resolve(text)
    if rules and rules != world.rulebook:
        give_rules(world, rules)
    return world


def give_rules(world: World, rules: str) -> None:
    """The world's rulebook from now on. Raises RulesDoNotFit when it says nothing of its instruments."""
    try:
        book = rulebook.load(rules)
        for instrument in world.instruments.all():
            book.rules_for(instrument, rules_day(world, rulebook.as_number(_first_day(world))))
    except (rulebook.UnknownRulebook, rulebook.BadRulebook) as error:
        raise RulesDoNotFit(str(error)) from error

    # From here it must succeed.
    world.rulebook = book.name
    world.save(update_fields=["rulebook"])


def rules_day(world: World, market_day: int) -> date:
    """The day whose rules hold on a market day: itself, unless a replay is played by another day's."""
    return rulebook.as_date(int(world.options.get("rules_day", 0)) or market_day)


def trades_contracts(world: World) -> bool:
    """Whether an instrument of it is a contract by the rules of its first day: held on margin only."""
    book, on = rulebook.load(world.rulebook), _first_day(world)
    futures = world.instruments.filter(kind=Instrument.Kind.FUTURE)
    return any(book.rules_for(row, rules_day(world, rulebook.as_number(on))).is_contract for row in futures)


def _first_day(world: World) -> date:
    """The day on which a replay begins; today in other worlds."""
    if world.kind != World.Kind.REPLAY:
        return clock.now().date()
    start_ns = replay.open_recording(world.recording, world.options).facts.start_ns
    return clock.from_ns(start_ns).astimezone(ZoneInfo(world.timezone)).date()


@transaction.atomic
def ensure_seeded_world() -> World:
    """The seeded world. Seed and start stay as they were made; hours and rulebook follow the settings."""
    book = rulebook.load(settings.SEEDED_RULES)
    options = {"seed": settings.SEED, "start_ns": clock.now_ns(), "hours": settings.SEEDED_HOURS}
    world, made = World.objects.select_for_update().get_or_create(
        slug=SEEDED,
        defaults={
            "name": SEEDED_NAME,
            "kind": World.Kind.SEEDED,
            "currency": SEEDED_CURRENCY,
            "rulebook": book.name,
            "timezone": book.timezone,
            "options": options,
            "stream_epoch": new_stream_epoch(),
        },
    )
    if made:
        market = SeededMarket(options["seed"], options["start_ns"])
        Instrument.objects.bulk_create(seeded_instruments(world, market.instruments))
        return world
    world.options = options | {key: world.options[key] for key in ("seed", "start_ns")}
    world.rulebook, world.timezone = book.name, book.timezone
    world.save(update_fields=["options", "rulebook", "timezone"])
    return world


def seeded_instruments(world: World, listings: Iterable[Listing]) -> list[Instrument]:
    return [
        Instrument(
            world=world,
            symbol=listing.symbol,
            name=listing.name,
            name_zh=listing.name_zh,
            sector=listing.sector,
            kind=Instrument.Kind.STOCK,
            currency=world.currency,
            price_exponent=listing.price_exponent,
            qty_exponent=listing.qty_exponent,
            tick=listing.tick,
            lot=listing.lot,
            previous_close=listing.previous_close,
        )
        for listing in listings
    ]


@transaction.atomic
def ensure_replay_world(facts: replay.RecordingFacts) -> World:
    """The world of a recording; where the recording lies may change, what is in it may not."""
    world, made = World.objects.select_for_update().get_or_create(
        slug=facts.slug,
        defaults={
            "name": facts.name,
            "kind": World.Kind.REPLAY,
            "currency": facts.currency,
            "rulebook": facts.rulebook,
            "timezone": facts.timezone,
            "recording": facts.recording,
            "options": {**facts.options, "made": facts.made},
            "stream_epoch": new_stream_epoch(),
        },
    )
    if made:
        Instrument.objects.bulk_create(Instrument(world=world, **row) for row in facts.instruments)
    elif world.recording != facts.recording or "made" not in world.options:
        world.recording, world.options = facts.recording, {"made": facts.made, **world.options}
        world.save(update_fields=["recording", "options"])
    return world


def ensure_hidden_world(recording: str) -> World:
    """The world of the drawn day that is not over yet, or of one drawn now. Raises RecordingMissing."""
    world = hidden.world_of(recording)
    return world if world and not hidden.over(world) else ensure_replay_world(hidden.draw(recording))


def new_stream_epoch() -> str:
    """A new one whenever history is lost: clients then take snapshots."""
    return secrets.token_hex(4)
