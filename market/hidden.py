"""A recorded day drawn by lot, its date and names hidden until it is over (or an operator reveals it)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from django.db import transaction

from market import errors
from market.messages import JSON
from market.models import World
from market.sources import replay
from market.sources.replay import shelf
from market.sources.replay.facts import Recording
from simgame.kernel import clock

RANDOM: Final = "random"
DAYS_LEAST: Final = 60  # with fewer days to draw from, hiding the date hides nothing
HISTORY_LEAST: Final = 30  # days before the drawn one: charts begin with something, and a previous close
KINDS: Final = {"stock", "etf", "crypto", "fx"}  # rules on the pages name a contract's product


def world_of(recording: str) -> World | None:
    """The newest drawn world, of `random` or `random:<recording>`; None: nothing was drawn yet."""
    drawn = World.objects.filter(options__has_key="hidden").order_by("-number")
    wanted = recording.removeprefix(RANDOM).removeprefix(":")
    if wanted:
        drawn = drawn.filter(recording__in=[str(path) for path in _named(wanted)])
    return drawn.first()


def is_random(recording: str) -> bool:
    return recording == RANDOM or recording.startswith(f"{RANDOM}:")


def over(world: World) -> bool:
    """Whether it is known which day it was."""
    return bool(world.options["hidden"]["revealed_at"])


def draw(recording: str) -> replay.RecordingFacts:
    """The facts of a day drawn from all recordings, or from those at `random:<file or folder>`.

    Raises RecordingMissing when there is none that has enough days.
    """
    chance = secrets.SystemRandom()
    paths = list(_named(recording.removeprefix(RANDOM).removeprefix(":")))
    while paths:
        path = paths.pop(chance.randrange(len(paths)))
        days = _days(path)
        if len(days) < DAYS_LEAST:
            continue
        day = chance.choice(days[HISTORY_LEAST:])
        options = {"from": day, "days": 1}
        names = [row["symbol"] for row in replay.open_recording(str(path), options).facts.instruments]
        chance.shuffle(names)
        masks = {name: f"S{n:02}" for n, name in enumerate(names, 1)}
        hidden = {"token": secrets.token_hex(3), "day": day, "names": masks, "revealed_at": ""}
        facts = replay.open_recording(str(path), options | {"hidden": hidden}).facts
        kept = {"hidden": hidden, "loop": False, "rules_day": int(f"{clock.now():%Y%m%d}")}
        return msgspec.structs.replace(facts, options=facts.options | kept)
    raise errors.RecordingMissing(
        f"There is no recording of shares or coins with at least {DAYS_LEAST} days to draw one from:"
        " name a file or a folder, replay:random:<path>."
    )


@transaction.atomic
def reveal(world: World) -> JSON:
    """Tell everybody which day it was; what it tells. Idempotent. Raises NotHidden."""
    world = World.objects.select_for_update().get(pk=world.pk)
    if "hidden" not in world.options:
        raise errors.NotHidden(f"{world.slug} hides nothing: its day and its names are known.")
    hidden = world.options["hidden"]
    if not hidden["revealed_at"]:
        hidden["revealed_at"] = clock.rfc3339(clock.now_ns())
        world.name = f"Hidden day: {hidden['day']}"
        world.save(update_fields=["name", "options"])
        true_names = {masked: name for name, masked in hidden["names"].items()}
        for row in world.instruments.all():
            row.name = true_names[row.symbol]
            row.save(update_fields=["name"])
    return told(world) or {}


def told(world: World) -> JSON | None:
    """{revealed, day, instruments: {symbol here: true symbol}}; the last two null while hidden.

    None of a world that never hid anything.
    """
    hidden = world.options.get("hidden")
    if hidden is None:
        return None
    if not hidden["revealed_at"]:
        return {"revealed": False, "day": None, "instruments": None}
    names = {masked: name for name, masked in sorted(hidden["names"].items(), key=lambda pair: pair[1])}
    return {"revealed": True, "day": hidden["day"], "instruments": names}


def _named(wanted: str) -> Iterator[Path]:
    """Recordings at a place, or all that have a short name and are there."""
    if not wanted:
        yield from (
            shelf.SHARED / place for place in shelf.SHORT_NAMES.values() if (shelf.SHARED / place).exists()
        )
        return
    found = shelf.find(wanted)
    inside = sorted(found.iterdir()) if found.is_dir() else []
    yield from inside or [found]


def _days(path: Path) -> list[str]:
    """The recorded days, when the recording has any choice of them and its kind can be hidden."""
    try:
        recording: Recording = replay.open_recording(str(path))
    except errors.MarketError:
        return []
    kinds: set[Any] = {row["kind"] for row in recording.facts.instruments}
    days = getattr(recording, "all_days", []) if kinds <= KINDS else []
    return [day.isoformat() for day in days]
