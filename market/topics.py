"""What the market tells over the stream: quotes, depth, trades, bars, board and phase. Public.

The feed publishes; these are the snapshots that a reader begins with, read where the feed keeps its
last state, together with the position of the topic.
"""

from __future__ import annotations

from collections.abc import Callable

from channels.db import database_sync_to_async

from market import latest, queries
from market.errors import BadInterval, FeedUnavailable, UnknownInstrument
from market.messages import JSON
from market.models import World
from realtime.identity import Who
from realtime.publish import Message
from realtime.topics import Policy, Snapshot, TopicKind, register

Found = Snapshot | None
Data = Callable[[list[JSON]], JSON]  # rows to the data of a message
ON_DEMAND = {"trades", "bars"}  # of hundreds of instruments: what nobody reads is not sent


def register_topics() -> None:
    """Call once, from AppConfig.ready()."""
    # In a thread that gives its connection back.
    ask = database_sync_to_async(snapshot, thread_sensitive=False)
    ask_since = database_sync_to_async(messages_since, thread_sensitive=False)
    for name, (policy, _) in KINDS.items():
        since = ask_since if name in TAILS else None
        register(TopicKind(name, policy, ask, _anybody, since=since, on_demand=name in ON_DEMAND))


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


def messages_since(topic: str, epoch: str, offset: int, limit: int) -> list[Message] | None:
    """What a trades or bars topic said after a position; None when that is no longer known.

    Raises FeedUnavailable when nobody can say.
    """
    kind, _, name = topic.partition(":")
    slug, _, rest = name.partition(":")
    world = World.objects.filter(slug=slug).first()
    if world is None:
        return None
    tail, data = TAILS[kind](world, rest)
    if tail is None:
        if (epoch, offset) == (queries.no_epoch(world), 0):
            return []
        raise FeedUnavailable
    said = tail.since(offset) if epoch == tail.epoch else None
    if said is None:
        return None
    return [Message.of(topic, epoch, at, data(rows)) for at, rows in said[:limit]]


def _trades_tail(world: World, symbol: str) -> tuple[latest.Tail | None, Data]:
    return latest.trades(world, symbol), lambda rows: {"trades": rows}


def _bars_tail(world: World, rest: str) -> tuple[latest.Tail | None, Data]:
    symbol, _, interval = rest.rpartition(":")
    return latest.bars(world, symbol, interval), lambda rows: {"bar": rows[-1]}


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

TAILS = {"trades": _trades_tail, "bars": _bars_tail}
