"""What the market tells over the stream: quotes, depth, trades, bars, board and phase. Public.

The feed publishes; these are the snapshots that a reader begins with, read where the feed keeps its
last state, together with the position of the topic.
"""

from __future__ import annotations

from collections.abc import Callable

from channels.db import database_sync_to_async

from market import latest, queries
from market.errors import BadInterval, UnknownInstrument
from market.models import World
from realtime.identity import Who
from realtime.topics import Policy, Snapshot, TopicKind, register

Found = Snapshot | None
ON_DEMAND = {"trades", "bars"}  # of hundreds of instruments: what nobody reads is not sent


def register_topics() -> None:
    """Call once, from AppConfig.ready()."""
    ask = database_sync_to_async(snapshot, thread_sensitive=False)  # gives its connection back
    for name, (policy, _) in KINDS.items():
        register(TopicKind(name, policy, ask, _anybody, on_demand=name in ON_DEMAND))


def snapshot(topic: str) -> Found:
    """`kind:<world>[:<rest>]` → rows and position; None when there is no such thing."""
    kind, _, name = topic.partition(":")
    slug, _, rest = name.partition(":")
    world = World.objects.filter(slug=slug).first()
    if world is None:
        return None
    try:
        return KINDS[kind][1](world, rest)
    except (UnknownInstrument, BadInterval):
        return None


async def _anybody(_topic: str, _who: Who | None) -> bool:
    return True


def _quote(world: World, symbol: str) -> Found:
    state = latest.of_symbol(world, symbol)
    if state and symbol in state.quotes:
        row = state.quotes[symbol]
        return Snapshot(state.epoch, row["seq"], row)
    queries.instrument(world, symbol)
    found = queries.board(world)
    return Snapshot(found.epoch, 0, found.quotes[symbol])


def _depth(world: World, symbol: str) -> Found:
    state = latest.of_symbol(world, symbol)
    if state and symbol in state.depth:
        row = state.depth[symbol]
        return Snapshot(state.epoch, row["seq"], row)
    return Snapshot(state.epoch if state else queries.no_epoch(world), 0, queries.depth(world, symbol))


def _trades(world: World, symbol: str) -> Found:
    tail = latest.trades(world, symbol)
    if tail is None or not tail.rows:
        queries.instrument(world, symbol)
    if tail is None:
        return Snapshot(queries.no_epoch(world), 0, {"trades": []})
    return Snapshot(tail.epoch, tail.offset, {"trades": tail.rows})


def _bars(world: World, rest: str) -> Found:
    symbol, _, interval = rest.rpartition(":")
    row = queries.instrument(world, symbol)
    stored = queries.bars(row, interval)
    tail = latest.bars(world, symbol, interval)
    if tail is None:
        return Snapshot(queries.no_epoch(world), 0, {"bars": stored})
    return Snapshot(
        tail.epoch, tail.offset, {"bars": queries.merged(stored, tail.rows)[-queries.BARS_SHOWN :]}
    )


def _board(world: World, rest: str) -> Found:
    if rest:
        return None
    found = queries.board(world)
    return Snapshot(found.epoch, found.offset, found.quotes)


def _phase(world: World, rest: str) -> Found:
    if rest:
        return None
    state = latest.of_phase(world)
    if state is None or state.phase is None:
        return Snapshot(queries.no_epoch(world), 0, queries.phase(world))
    return Snapshot(state.epoch, state.phase_offset, state.phase)


KINDS: dict[str, tuple[Policy, Callable[[World, str], Found]]] = {
    "quote": (Policy.LATEST, _quote),
    "depth": (Policy.LATEST, _depth),
    "trades": (Policy.EVERY, _trades),
    "bars": (Policy.EVERY, _bars),
    "board": (Policy.MERGE, _board),
    "phase": (Policy.LATEST, _phase),
}
