"""Was what concurrent clients saw one history? By witness order (docs/decisions/0018).

Clients note every write and read with the moments before and after (`History`). The journal is the
witness: it says in which order the writes happened, and the portfolios' streams say what each made. With
the order given, checking is one pass (`check`):

* **real time**: what was answered before another write was sent has the smaller number in the journal;
* **answers**: each is the order as the stream tells it at that command;
* **reads**: each is the portfolio at the version that it names;
* **sessions**: versions never go back, and cover whatever was answered before;
* **unknown**: what nobody could say happened at most once, and not before it was asked; what was surely
  not executed is nowhere.

The first three are strict serializability (reliability: 5.4).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from simgame.kernel import clock
from simgame.kernel.ids import world_key
from trading import account_events, ranking
from trading.proof import journal

Key = tuple[int, str, str]  # portfolio, kind of command, client id
Outcome = Literal["executed", "not_executed", "unknown"]
COMMANDS = """
SELECT portfolio_id, kind, client_id, id FROM trading_command
WHERE id BETWEEN %s AND %s AND client_id IS NOT NULL ORDER BY id"""
EVENTS = """
SELECT e.portfolio_id, e.seq, e.command, e.rows, e.body::json FROM trading_accountevent e
JOIN trading_ledgeraccount a ON a.portfolio_id = e.portfolio_id WHERE a.world_id = %s
ORDER BY e.portfolio_id, e.seq"""
COMPARED = ("status", "qty", "filled_qty", "limit_price", "fees", "version")  # of an order, when read
BALANCE = ("posted", "available", "reserved")


def now_ns() -> int:
    return round(clock.monotonic_s() * clock.NS_PER_S)


class Write(msgspec.Struct):
    """A request that changes something. `order` is the answer's body, when it was an order."""

    client: str
    key: Key
    sent_ns: int
    answered_ns: int = 0  # 0: never
    outcome: Outcome = "unknown"
    order: dict[str, Any] | None = None
    replayed: bool = False  # the stored answer of an earlier sending


class Read(msgspec.Struct):
    """A snapshot of a portfolio at its `version`: orders by id, balances by asset."""

    client: str
    portfolio: int
    sent_ns: int
    answered_ns: int
    version: int
    orders: list[dict[str, Any]] = []
    balances: list[dict[str, Any]] = []


class Event(msgspec.Struct):
    """One entry of a portfolio's stream."""

    version: int
    seq: int  # of the command that made it
    body: dict[str, Any]


class Violation(msgspec.Struct, frozen=True):
    rule: Literal["real time", "answer", "read", "session", "unknown"]
    what: str
    evidence: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.rule}: {self.what} {self.evidence}"


@dataclass
class Witness:
    """What the database says happened, and in which order."""

    seqs: dict[Key, list[int]] = field(default_factory=dict)
    streams: dict[int, list[Event]] = field(default_factory=dict)


@dataclass
class History:
    """What clients saw. One for all of them: may be used from many threads."""

    writes: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sending(self, client: str, key: Key) -> Write:
        """Call before sending; complete it with `answered`. What is never answered stays unknown."""
        write = Write(client, key, now_ns())
        with self._lock:
            self.writes.append(write)
        return write

    def answered(
        self, write: Write, outcome: Outcome, order: dict[str, Any] | None = None, *, replayed: bool = False
    ) -> None:
        write.answered_ns = now_ns()
        write.outcome, write.order, write.replayed = outcome, order, replayed

    def read(self, client: str, portfolio: int, sent_ns: int, desk: dict[str, Any]) -> None:
        """`desk`: what `GET /api/v1/desk` answered."""
        one = Read(client, portfolio, sent_ns, now_ns(), desk["version"])
        one.orders, one.balances = desk["orders"], desk["balances"]
        with self._lock:
            self.reads.append(one)


def witness_of(world: int) -> Witness:
    """The journal and the streams of a world, of one moment."""
    witness, scales = Witness(), ranking.scales_of(world)
    with journal.snapshot() as connection:
        span = world_key(world, 1), world_key(world + 1, 0) - 1
        for portfolio, kind, client_id, key in connection.execute(COMMANDS, span):
            witness.seqs.setdefault((portfolio, kind, client_id), []).append(journal.number_of(key))
        for portfolio, version, key, rows, body in connection.execute(EVENTS, (world,)):
            said = account_events.body_of(rows, body, scales, world)
            told = Event(version, journal.number_of(key), said)
            witness.streams.setdefault(portfolio, []).append(told)
    return witness


def check(history: History, witness: Witness) -> list[Violation]:
    """Everything that cannot be; empty when the clients saw one history."""
    return [
        *_presence(history, witness),
        *_real_time(history, witness),
        *_answers(history, witness),
        *_reads(history, witness),
        *_sessions(history, witness),
    ]


def _seq(write: Write, witness: Witness) -> int:
    found = witness.seqs.get(write.key)
    return found[0] if found else 0


def _presence(history: History, witness: Witness) -> Iterator[Violation]:
    executed = {write.key for write in history.writes if write.outcome == "executed"}
    unsure = {write.key for write in history.writes if write.outcome == "unknown"}
    for write in history.writes:
        times = len(witness.seqs.get(write.key, ()))
        facts = {"key": write.key, "client": write.client, "times": times}
        if write.outcome == "executed" and times != 1:
            yield Violation("answer", "acked, and not in the journal once", facts)
        if write.outcome == "unknown" and times > 1:
            yield Violation("unknown", "it happened more than once", facts)
        if write.outcome == "not_executed" and times and write.key not in executed | unsure:
            yield Violation("unknown", "surely not executed, and in the journal", facts)


def _real_time(history: History, witness: Witness) -> Iterator[Violation]:
    """Along the moments: whoever is sent later than an answer comes after it in the journal."""
    happened = [write for write in history.writes if _seq(write, witness) and not write.replayed]
    moments = [(write.sent_ns, 1, write) for write in happened]
    moments += [(write.answered_ns, 0, write) for write in happened if write.outcome == "executed"]
    last: Write | None = None
    for _, is_sent, write in sorted(moments, key=lambda moment: moment[:2]):
        seq = _seq(write, witness)
        if not is_sent:
            last = write if last is None or seq > _seq(last, witness) else last
        elif last is not None and seq < _seq(last, witness) and write.key != last.key:
            again = any(other.key == write.key and other.sent_ns < write.sent_ns for other in happened)
            if not again:  # a repeated sending of what happened already
                facts = {"later": write.key, "seq": seq, "earlier": last.key, "its_seq": _seq(last, witness)}
                yield Violation("real time", "answered first, and happened later", facts)


def _answers(history: History, witness: Witness) -> Iterator[Violation]:
    told = {
        (event.seq, order["id"]): order
        for stream in witness.streams.values()
        for event in stream
        for order in event.body.get("orders", ())
    }
    for write in history.writes:
        if write.outcome != "executed" or write.order is None:
            continue
        seq, shown = _seq(write, witness), write.order
        order = told.get((seq, shown["id"]))
        if order is None:
            yield Violation("answer", "no stream tells of it", {"key": write.key, "seq": seq})
        elif differing := _differing(order, shown, COMPARED):
            yield Violation("answer", "not what happened", {"key": write.key, "seq": seq, **differing})


def _reads(history: History, witness: Witness) -> Iterator[Violation]:
    """Folding each stream once, with the reads of it in the order of their versions."""
    waiting: dict[int, list[Read]] = {}
    for read in history.reads:
        waiting.setdefault(read.portfolio, []).append(read)
    for portfolio, reads in waiting.items():
        stream = iter(witness.streams.get(portfolio, ()))
        orders: dict[str, Any] = {}
        balances: dict[str, Any] = {}
        version = 0
        for read in sorted(reads, key=lambda each: each.version):
            while version < read.version and (event := next(stream, None)) is not None:
                version = event.version
                orders |= {order["id"]: order for order in event.body.get("orders", ())}
                balances |= {row["asset"]: row for row in event.body.get("balances", ())}
            yield from _one_read(read, version, orders, balances)


def _one_read(
    read: Read, version: int, orders: dict[str, Any], balances: dict[str, Any]
) -> Iterator[Violation]:
    facts = {"portfolio": read.portfolio, "version": read.version, "client": read.client}
    if version != read.version:
        yield Violation("read", "of a version that never was", facts | {"last": version})
        return
    for shown in read.orders:
        differing = _differing(orders.get(shown["id"], {}), shown, COMPARED)
        if differing:
            yield Violation("read", "an order as it was at another time", facts | differing)
    for shown in read.balances:
        differing = _differing(balances.get(shown["asset"], {}), shown, BALANCE)
        if differing:
            yield Violation("read", "a balance as it was at another time", facts | differing)
    seen = {order["id"] for order in read.orders}
    for order in orders.values():
        is_open = order["status"] in ("new", "partially_filled", "suspended", "held")
        if is_open and order["id"] not in seen and not order.get("parent_id"):
            yield Violation("read", "an open order is missing", facts | {"order": order["id"]})


def _sessions(history: History, witness: Witness) -> Iterator[Violation]:
    """A read covers everything about its portfolio that was answered, to anybody, before it was sent."""
    made = {
        (portfolio, event.seq): event.version
        for portfolio, stream in witness.streams.items()
        for event in stream
    }
    moments: list[tuple[int, int, Any]] = []
    for write in history.writes:
        if write.outcome == "executed":
            moments.append((write.answered_ns, 0, write))
    for read in history.reads:
        moments += [(read.sent_ns, 1, read), (read.answered_ns, 0, read)]
    floor: dict[int, int] = {}
    for _, is_sent, one in sorted(moments, key=lambda moment: moment[:2]):
        portfolio = one.portfolio if isinstance(one, Read) else one.key[0]
        if is_sent:
            least = floor.get(portfolio, 0)
            if one.version < least:
                facts = {"client": one.client, "portfolio": portfolio, "version": one.version}
                yield Violation("session", "older than what was answered before", facts | {"least": least})
            continue
        version = one.version if isinstance(one, Read) else made.get((portfolio, _seq(one, witness)), 0)
        floor[portfolio] = max(floor.get(portfolio, 0), version)


def _differing(told: dict[str, Any], shown: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The first of these fields that both have and that differ; empty when none does."""
    if not told:
        return {"id": shown.get("id") or shown.get("asset"), "told": None}
    for name in names:
        if name in told and name in shown and told[name] != shown[name]:
            return {"id": shown.get("id"), "field": name, "told": told[name], "shown": shown[name]}
    return {}
