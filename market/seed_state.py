"""Where the seeded market stands: what somebody needs to reproduce it."""

from __future__ import annotations

from market import latest
from market.errors import NotSeeded
from market.messages import JSON
from market.models import World
from simgame.kernel import clock


def of(world: World) -> JSON:
    """{world, seed, start_ns, start, hours, step, journal, hash, sequence, epoch}.

    `hash` is SHA-256 of the market's state: a `SeededMarket(seed, start_ns)` that relives `journal` up to
    `step` has the same.
    Raises NotSeeded, FeedUnavailable.
    """
    if world.kind != World.Kind.SEEDED:
        raise NotSeeded(f"{world.name} is not made from a seed: it is of kind {world.kind}.")
    said = latest.feed_status(world)
    source = said["source"]
    return {
        "world": world.slug,
        "seed": source["seed"],
        "start_ns": str(world.options["start_ns"]),
        "start": clock.rfc3339(int(world.options["start_ns"])),
        "hours": world.options["hours"],
        "step": source["step"],
        "journal": source["journal"],
        "hash": source["hash"],
        "sequence": said["seq"],
        "epoch": said["epoch"],
    }
