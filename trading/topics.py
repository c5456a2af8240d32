"""What trading tells over the stream: `portfolio:<id>` (private, every message), `game:<id>`,
and `halts:<world>`: what is halted, to everybody.

The offset of a private topic is the database's own sequence, so what a socket missed is read from
`trading_accountevent`; nothing depends on what a worker remembers. The exchange sends what somebody reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from channels.db import database_sync_to_async

from market.models import World
from realtime.identity import Who
from realtime.publish import Message
from realtime.topics import Policy, Snapshot, TopicKind, register
from simgame.kernel import viewer
from trading import lobby, queries, standings
from trading.models import Game, Portfolio

PORTFOLIO = "portfolio"
GAME = standings.TOPIC
HALTS = "halts"
POLL_MESSAGES_MAX = 500  # a client further behind takes a snapshot

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


def in_a_thread(read: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """The read in a thread of its own, which gives its database connection back."""
    return database_sync_to_async(read, thread_sensitive=False)


def register_topics() -> None:
    mine = TopicKind(PORTFOLIO, Policy.EVERY, _desk, _own_portfolio, _missed, private=True, on_demand=True)
    register(mine)
    register(TopicKind(GAME, Policy.LATEST, _standings, _game_to_see))
    register(TopicKind(HALTS, Policy.LATEST, _halts, _anybody))


def _number(topic: str) -> int:
    """The id in a topic; 0, which no row has, for anything else."""
    _, _, text = topic.partition(":")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


@in_a_thread
def _own_portfolio(topic: str, who: Who | None) -> bool:
    if who is None:
        return False
    if who.portfolio_ids and _number(topic) not in who.portfolio_ids:
        return False  # an API key speaks for its own portfolio only
    with viewer.player(who.player_id):
        return Portfolio.objects.filter(id=_number(topic), player_id=who.player_id).exists()


@contextmanager
def _as_owner(portfolio_id: int) -> Iterator[None]:
    """What a private stream reads, its owner reads, whoever follows it: see `_own_portfolio`."""
    with viewer.house():
        owner = Portfolio.objects.filter(id=portfolio_id).values_list("player_id", flat=True).first()
    with viewer.player(owner or 0):
        yield


@in_a_thread
def _game_to_see(topic: str, who: Who | None) -> bool:
    """Public games, and of private ones those that they host or play."""
    with viewer.player(who.player_id if who else 0):
        return lobby.visible(who.player_id if who else None).filter(id=_number(topic)).exists()


async def _anybody(_topic: str, _who: Who | None) -> bool:
    return True


@in_a_thread
def _desk(topic: str) -> Snapshot | None:
    try:
        with _as_owner(_number(topic)):
            desk = queries.desk_snapshot(_number(topic))
    except Portfolio.DoesNotExist:
        return None
    return Snapshot(desk["epoch"], desk["version"], desk)


@in_a_thread
def _missed(topic: str, epoch: str, offset: int, limit: int) -> Sequence[Message] | None:
    """Messages after `offset`, oldest first; None when the caller must take a snapshot."""
    portfolio_id = _number(topic)
    with _as_owner(portfolio_id), queries.one_snapshot():
        now = queries.stream_epoch(portfolio_id)
        head = queries.desk_version(portfolio_id)
        if epoch != now or not 0 <= offset <= head or head - offset > min(limit, POLL_MESSAGES_MAX):
            return None
        rows = queries.events_after(portfolio_id, offset, limit)
    return [Message(topic, epoch, seq, _encode(body)) for seq, body in rows]


@in_a_thread
def _standings(topic: str) -> Snapshot | None:
    with viewer.house():  # who follows a private game was let in by `_game_to_see`
        game = Game.objects.select_related("world").filter(id=_number(topic)).first()
    if game is None:
        return None
    with queries.one_snapshot():
        return Snapshot(game.world.stream_epoch, standings.version(game), standings.table(game))


@in_a_thread
def _halts(topic: str) -> Snapshot | None:
    """The newest command of the journal is its position: the tables are at least that far."""
    world = World.objects.filter(slug=topic.partition(":")[2]).first()
    if world is None:
        return None
    with queries.one_snapshot():
        return Snapshot(world.stream_epoch, queries.journal_head(world), {"halts": queries.halts(world)})
