"""What the feed answers on its socket: the last state, its own health, and control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from market import messages
from market.feed import rows, store
from market.feed.intake import standing
from market.feed.metrics import families
from market.feed.publisher import encode
from market.feed.turns import TURNS
from market.feed.worldclock import SPEED_MAX
from market.rulebook import as_date
from market.sources.failover import Failover
from market.sources.live.life import Live
from simgame.kernel import clock

if TYPE_CHECKING:
    from market.feed.process import Feed

Question = dict[str, Any]
Answer = dict[str, Any]


def answer(feed: Feed, question: Question) -> Answer:
    """One answer per question; a question that cannot be answered gets `op: error` with a sentence."""
    known = {
        "latest": latest,
        "status": status,
        "metrics": metrics,
        "control": control,
        "trades": trades,
        "bars": bars,
        "subscriptions": subscriptions,
        "subscribe": subscribe,
        "force": force,
        "look": look,
        "source": of_source,
    }
    asked = known.get(str(question.get("op")))
    if asked is None:
        return _error(f"op {question.get('op')!r} is not known: {', '.join(known)}, snapshot.")
    try:
        return {"op": question["op"], **asked(feed, question)}
    except ValueError as error:
        return _error(str(error))


def latest(feed: Feed, _: Question) -> Answer:
    """The snapshot and its rows: what Redis holds, for whoever cannot read Redis."""
    state, plan, publisher = feed.state, feed.plan, feed.publisher
    quotes = {symbol: rows.quote_row(scale, state) for symbol, scale in plan.scales.items()}
    phase = messages.phase_row(plan.world.slug, plan.world.timezone, state.phase) if state.phase else None
    return {
        "epoch": publisher.epoch,
        "seq": state.seq,
        "ticks": state.snapshot(),
        "quotes": quotes,
        "depth": {
            symbol: messages.depth_row(plan.scales[symbol], quote) for symbol, quote in state.quotes.items()
        },
        "phase": phase,
        "offsets": dict(publisher.offsets),
    }


def trades(feed: Feed, question: Question) -> Answer:
    """`symbol`: the last 50 trades that were said, with the position of their topic."""
    said = encode(feed.publisher.trades_of(str(question.get("symbol"))))
    return dict(msgspec.json.decode(said))


def bars(feed: Feed, question: Question) -> Answer:
    """`symbol`, `interval`: the newest two bars, or the last 300 of 1s bars (they live only here)."""
    symbol, interval = str(question.get("symbol")), str(question.get("interval"))
    series = feed.bars.series.get(symbol)
    if series is None or interval not in series.forming:
        return {**feed.publisher.bars_said(symbol, interval, []), "bars": []}
    newest = [kept[interval] for kept in (series.before, series.forming) if interval in kept]
    if interval == "1s":
        newest = list(feed.bars.seconds.get(symbol, ()))
    scale = feed.plan.scales[symbol]
    where = feed.publisher.bars_said(symbol, interval, [bar.start for bar in newest])
    return {**where, "bars": [rows.bar_row(scale, bar) for bar in newest]}


def status(feed: Feed, _: Question) -> Answer:
    """Counters since the process began, and how full its queues are.

    `world_time` is the clock's, which a seek moves at once; `phase` and `market_day` are those last said to
    everybody, as of `phase_at`: up to a beat behind.
    """
    ingress, sequence, gate = feed.ingress, feed.pipeline.sequence, feed.pipeline.gate
    now_ns = clock.now_ns()
    phase = feed.state.phase
    newest = max((quote.received_ns for quote in feed.state.quotes.values()), default=0)
    return {
        "world": feed.plan.world.slug,
        "epoch": feed.epoch,
        "seq": feed.state.seq,
        "source": feed.source.describe(),
        "phase": phase.phase if phase else None,
        "market_day": as_date(phase.market_day).isoformat() if phase else None,
        "phase_at": clock.rfc3339(phase.at_ns) if phase else None,
        "world_time": clock.rfc3339(feed.world_ns()),
        "speed": feed.speed,
        "paused": feed.paused,
        "published": feed.published,
        "last_quote_age_ms": (now_ns - newest) // clock.NS_PER_MS if newest else None,
        "ingress": {
            "policy": str(ingress.policy),
            "waiting": len(ingress),
            "turn_ms": TURNS.length_ms,
            "capacity": ingress.capacity,
            "longest": ingress.longest,
            "accepted": ingress.accepted,
            "dropped_newest": ingress.dropped_newest,
            "dropped_oldest": ingress.dropped_oldest,
            "blocked": ingress.blocked,
        },
        "sequence": {
            "duplicates": sequence.duplicates,
            "gaps": sequence.gaps,
            "missing": sequence.missing,
            "late": sequence.late,
            "out_of_order": sequence.out_of_order,
            "old_epoch": sequence.old_epoch,
        },
        "quarantined": dict(gate.refused),
        "switches": standing(feed.intake.valve),
        "bars_too_late": feed.bars.too_late,
        "bars_filled": feed.backfill.filled,
        "bars_partial": feed.backfill.waiting,
        "wal": {"segment": feed.wal.segment, "bytes": feed.wal.bytes_written, "fsync": str(feed.wal.fsync)},
        "links": [
            {
                "name": link.name,
                "waiting": link.waiting,
                "sent": link.sent_frames,
                "conflated": link.conflated_frames,
            }
            for link in feed.server.links
        ],
        "redis": {
            "published": feed.publisher.news.published,
            "dropped": feed.publisher.news.dropped,
            "unread": feed.publisher.unread,
            "trades_left_out": feed.publisher.trades_left_out,
        },
    }


def metrics(feed: Feed, _: Question) -> Answer:
    """Families of samples, as `market.feed.metrics` describes them."""
    return {"families": families(feed)}


def control(feed: Feed, question: Question) -> Answer:
    """`paused`, `speed`, `seek`: at once, and remembered in the lease (but seek)."""
    wanted = store.Wanted(feed.paused, feed.speed)
    paused, speed = question.get("paused", wanted.paused), question.get("speed", wanted.speed)
    if not isinstance(paused, bool):
        raise ValueError("paused is true or false.")
    if type(speed) is not int or not 1 <= speed <= SPEED_MAX:
        raise ValueError(f"speed is a whole number from 1 to {SPEED_MAX}.")
    if "seek" in question:
        feed.seek(str(question["seek"]))
    if speed != feed.speed:
        feed.clock.set_speed(speed, clock.now_ns())
    feed.want(store.Wanted(paused, speed))
    return {"paused": feed.paused, "speed": feed.speed, "world_time": clock.rfc3339(feed.world_ns())}


def subscriptions(feed: Feed, _: Question) -> Answer:
    """How every wanted instrument stands at each source that has subscriptions."""
    return {"sources": {leaf.name: leaf.standing() for leaf in _live(feed)}}


def subscribe(feed: Feed, question: Question) -> Answer:
    """`source`, `symbols`: ask the venue for these (again)."""
    symbols = question.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(one, str) for one in symbols):
        raise ValueError("symbols is a list of symbols.")
    if unknown := [one for one in symbols if one not in feed.plan.scales]:
        raise ValueError(f"This world has no {', '.join(unknown[:5])}.")
    named = {leaf.name: leaf for leaf in _live(feed)}
    source = str(question.get("source"))
    if source not in named:
        raise ValueError(
            f"This world has no source {source!r} with subscriptions: {', '.join(named) or 'none'}."
        )
    named[source].ask_again(symbols)
    return {"asked": len(symbols)}


def force(feed: Feed, question: Question) -> Answer:
    """`source`: it speaks whatever its health, until "" ends that."""
    if not isinstance(feed.source, Failover):
        raise ValueError("This world has one source only: there is nothing to switch to.")
    feed.source.force(str(question.get("source", "")))
    return {"forced": feed.source.forced}


def look(feed: Feed, _: Question) -> Answer:
    """A switch was turned: look at once."""
    feed.background(feed.look_at_switches())
    return {}


def of_source(feed: Feed, question: Question) -> Answer:
    """What only this kind of source understands: scenarios, players' taking, the end of a season."""
    return feed.source.asked(question)


def _live(feed: Feed) -> list[Live]:
    return [leaf for leaf in feed.source.leaves() if isinstance(leaf, Live)]


def _error(detail: str) -> Answer:
    return {"op": "error", "code": "BAD_CONTROL", "detail": detail}
