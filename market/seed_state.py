"""Where the seeded market stands: what somebody needs to reproduce it."""

from __future__ import annotations

from market import latest
from market.errors import NotSeeded
from market.messages import JSON
from market.models import MarketEvent, World
from simgame.kernel import clock

JOURNAL_SHOWN = 500
TOLD = (
    *("seed", "sealed", "model", "code", "life", "step", "hash", "ticks", "ticks_hash", "events"),
    *("events_hash", "mode", "ended", "instruments"),
)


def journal_of(world: World, life: int) -> list[JSON]:
    """The newest events of a life, oldest first."""
    rows = MarketEvent.objects.filter(world=world, life=life).order_by("-n")[:JOURNAL_SHOWN]
    return [{"n": row.n, "step": row.step, "what": row.what, "detail": row.detail} for row in reversed(rows)]


def of(world: World) -> JSON:
    """{world, seed, sealed, start_ns, start, hours, model, code, life, step, hash, ticks, ticks_hash, events,
    events_hash, journal, mode, ended, sequence, epoch}.

    `hash` is SHA-256 of the market's state: a `SeededMarket(seed, start_ns)` of this `model` that relives
    the events up to `step` has the same, and has said the same ticks (`ticks_hash`). `journal` holds the
    newest JOURNAL_SHOWN events, as of a second ago; `events` counts them all. `seed` is null while `sealed`.
    Raises NotSeeded, FeedUnavailable.
    """
    if world.kind != World.Kind.SEEDED:
        raise NotSeeded(f"{world.name} is not made from a seed: it is of kind {world.kind}.")
    said = latest.feed_status(world)
    source = said["source"]
    return {
        "world": world.slug,
        **{name: source[name] for name in TOLD},
        "start_ns": str(world.options["start_ns"]),
        "start": clock.rfc3339(int(world.options["start_ns"])),
        "hours": world.options["hours"],
        "journal": journal_of(world, source["life"]),
        "sequence": said["seq"],
        "epoch": said["epoch"],
    }
