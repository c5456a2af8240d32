"""What players were told against what the database holds (reliability 5.1: O1, O2, O3, O5, O6; I16, I23)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from market.models import Instrument, World
from market.rulebook.rules import InstrumentRules
from ops.chaos import stream, told
from ops.chaos.acklog import Answer, Look, Reader, Wish
from ops.chaos.told import Story
from ops.chaos.town import InVain, wait_for
from ops.drills.history import check, witness_of
from simgame.kernel import ids
from trading import account_events, invariants, messages
from trading.engine.events import OrderRow
from trading.exchange import recovery, replies
from trading.exchange.client import ask_sync
from trading.exchange.database import connect
from trading.exchange.wire import Status
from trading.models import AccountEvent, Command
from trading.proof.verify import replay_world

ASK_MAX = 2_000  # keys in one query
REPLAY_GROWTH = 1.5  # the whole journal is replayed when it is so much longer than the last time
HASH_TRIES = 60  # the market moves on between two looks
STREAM_S = 15.0  # a push may be lost with its Redis; a sweep finds it within 10 s
DOCUMENTED = frozenset((0, 200, 204, 207, 403, 404, 409, 422, 429, 503, 504))
Key = tuple[int, str, str]


@dataclass(frozen=True)
class Finding:
    """What must not be. `kind`: see README.md."""

    kind: str
    what: str
    evidence: dict[str, Any] = field(default_factory=dict)


class Judge:
    def __init__(self, world: World, folder: Path, portfolios: list[int], watched: list[int]):
        """`portfolios`: of all players; `watched`: of those who read their private stream."""
        self.world, self.folder, self.portfolios, self.watched = world, folder, portfolios, watched
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.acks_ns: list[tuple[int, int]] = []  # (sent, answered) of what was executed
        self._log = Reader(folder)
        self._stories: dict[tuple[str, int], Story] = {}
        self._by_key: dict[Key, Story] = {}
        self._unjudged: list[Story] = []
        self._looks: list[Look] = []
        self._seq = 0
        rows = Instrument.objects.filter(world=world)
        self._scales = {row.symbol: messages.scale_of(row) for row in rows}
        self._rules: list[InstrumentRules] = []

    # --- reading the log ---------------------------------------------------------------------------

    def read(self) -> None:
        """Take in what was written since the last time."""
        for player, entry in self._log.news():
            if isinstance(entry, Look):
                self._looks.append(entry)
                continue
            if isinstance(entry, Wish):
                story = self._stories[player, entry.n] = Story(entry)
                if not entry.again and not entry.reuse:
                    self._by_key[entry.portfolio, entry.kind, entry.key] = story
                continue
            story = self._stories[player, entry.n]
            story.attempts.append(entry)
            self.statuses[f"{entry.status}"] += 1
            if entry.decided:
                self._unjudged.append(story)
                self.counts["acked" if entry.executed else "refused"] += 1
                self.counts["asked_again"] += len(story.attempts) - 1
                if entry.executed:
                    self.acks_ns.append((entry.sent_ns, entry.at_ns))

    def first_ack_ns(self, since_ns: int) -> int:
        """When the first request that was sent after `since_ns` was executed; 0: none was yet."""
        return min((at for sent, at in self.acks_ns[-5_000:] if sent > since_ns), default=0)

    def acks_since(self, since_ns: int) -> int:
        return sum(sent > since_ns for sent, _ in self.acks_ns[-5_000:])

    # --- judging -----------------------------------------------------------------------------------

    def judge(self) -> list[Finding]:
        """Call while nobody asks: everything decided since the last time, and the books as they are now."""
        self.read()
        stories, self._unjudged = self._unjudged, []
        found = list(self._acks(stories))
        found += self._ghosts()
        found += self._invariants()
        found += self._hashes()
        found += self._replay(self.counts["replayed"] * REPLAY_GROWTH)
        found += self._streams()
        return found

    def judge_everything(self) -> list[Finding]:
        """Once more over the whole log, at the end."""
        self.read()
        self._unjudged = []
        found = [*self._replay(0), *self._history()]
        self.counts["unanswered"] = sum(story.final is None for story in self._stories.values())
        return found + list(self._acks([story for story in self._stories.values() if story.final]))

    def _acks(self, stories: list[Story]) -> Iterator[Finding]:
        stored = self._stored([story.wish for story in stories])
        for story in stories:
            yield from self._story(story, stored)

    def _stored(self, wishes: list[Wish]) -> dict[Key, tuple[bytes, dict[str, Any]]]:
        rows: dict[Key, tuple[bytes, dict[str, Any]]] = {}
        keys = list({wish.key for wish in wishes})
        for start in range(0, len(keys), ASK_MAX):
            part = keys[start : start + ASK_MAX]
            asked = Command.objects.filter(portfolio_id__in=self.portfolios, client_id__in=part)
            for row in asked.values_list("portfolio_id", "kind", "client_id", "fingerprint", "result"):
                key = row[0], row[1], row[2]
                rows[key] = (bytes(row[3] or b""), row[4])
        return rows

    def _story(self, story: Story, stored: dict[Key, tuple[bytes, dict[str, Any]]]) -> Iterator[Finding]:
        wish, last = story.wish, story.final
        assert last is not None
        evidence = {"wish": msgspec.to_builtins(wish), "answers": msgspec.to_builtins(story.attempts)}
        odd = [each.status for each in story.attempts if each.status not in DOCUMENTED]
        if odd:
            yield Finding("status", f"answered {odd} to {wish.method} {wish.path}", evidence)
        if wish.reuse:
            if last.reason != replies.REUSED:
                yield Finding("changed", f"key {wish.key} was taken for another request", evidence)
            return
        row = stored.get((wish.portfolio, wish.kind, wish.key))
        before = self._first(wish)
        if wish.again:
            if (
                before is None
                or (last.status, last.order) != (before.status, before.order)
                or not last.replayed
            ):
                yield Finding("changed", f"{wish.key} asked again was answered otherwise", evidence)
            return
        if last.replayed and all(each.surely_not_executed for each in story.attempts[:-1]):
            yield Finding("lied", f"{wish.key} was surely not executed, and was", evidence)
        if last.executed and row is None:
            yield Finding("lost", f"{wish.key} was acked and is not in the journal", evidence)
        elif row is not None and not last.executed:
            yield Finding(
                "changed", f"{wish.key} was refused and is in the journal", evidence | {"row": row[1]}
            )
        elif row is not None and last.order is not None and self._shown(row) != last.order:
            yield Finding(
                "changed", f"{wish.key} is stored otherwise", evidence | {"stored": self._shown(row)}
            )

    def _first(self, wish: Wish) -> Answer | None:
        story = self._by_key.get((wish.portfolio, wish.kind, wish.key)) if wish.again else None
        return story.final if story else None

    def _shown(self, row: tuple[bytes, dict[str, Any]]) -> Any:
        """The stored answer as the exchange shows it to players."""
        reply = replies.repeated(0, row[0], row, self._show)
        return msgspec.json.decode(reply.shown) if reply.shown else None

    def _show(self, result: dict[str, Any]) -> bytes:
        order, *legs = msgspec.convert([result["order"], *result.get("legs", ())], list[OrderRow])
        scale = self._scales[order.symbol]
        shown = [messages.order_json(leg, scale) for leg in legs]
        return msgspec.json.encode(messages.nested(messages.order_json(order, scale), shown))

    def _ghosts(self) -> Iterator[Finding]:
        """Nothing is in the journal that nobody asked for, and nothing twice."""
        floor = self._seq
        rows = Command.objects.filter(portfolio_id__in=self.portfolios, id__gt=floor)
        kinds = {wish_kind for _, wish_kind, _ in self._by_key}
        for number, portfolio, kind, key in rows.values_list("id", "portfolio_id", "kind", "client_id"):
            self._seq = max(self._seq, number)
            if kind in kinds and (portfolio, kind, key) not in self._by_key:
                yield Finding("doubled", f"nobody asked for {kind} {key}", {"command": number})

    def _invariants(self) -> Iterator[Finding]:
        """All of them, also I16: one order of epochs."""
        with connect("judge") as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for found in invariants.find(connection, self.world.number):
                yield Finding("invariant", f"{found.invariant} {found.subject}", found.evidence)
            connection.rollback()

    def _hashes(self) -> Iterator[Finding]:
        """The memory of the exchange against an engine made of the rows, at the same sequence number."""
        seen: tuple[Any, ...] = ()
        for _ in range(HASH_TRIES):
            live = ask_sync(self.world.number, Status(hashed=True)).result
            with connect("judge") as connection:
                books = recovery.read(connection, self.world.number)
            after = ask_sync(self.world.number, Status()).result
            if live and after and live["seq"] == books.head.seq == after["seq"]:
                engine = recovery.engine_of(books, self.world.number, (), ())
                seen = live["state_hash"], engine.state_hash()
                self.counts["hashes"] += 1
                if seen[0] != seen[1]:
                    yield Finding("hash", f"at {live['seq']} memory and rows differ", {"hashes": seen})
                if live["state"] != "serving":
                    yield Finding("invariant", f"the exchange is {live['state']}", {"why": live["why"]})
                return
        yield Finding("hash", "exchange and rows were never seen at the same number", {"last": live})

    def _replay(self, floor: float) -> Iterator[Finding]:
        """The journal folded through a fresh engine against every table, when it has grown so far."""
        span = ids.world_key(self.world.number, 0), ids.world_key(self.world.number + 1, 0) - 1
        if Command.objects.filter(id__range=span).count() < floor:
            return
        report = replay_world(self.world, verify=True)
        self.counts["replays"] += 1
        self.counts["replayed"] = report.commands
        if report.difference is not None:
            yield Finding("replay", f"the journal makes other rows: {report.difference}", report.as_dict())
        elif report.state_hash != report.stored_hash:
            yield Finding("replay", "the journal makes another state", report.as_dict())

    def _history(self) -> Iterator[Finding]:
        """What all players saw, as one history, with the journal as its witness (reliability 5.4)."""
        history = told.history_of(self._stories.values(), self._looks)
        self.counts["reads"] = len(history.reads)
        for violation in check(history, witness_of(self.world.number)):
            yield Finding("history", f"{violation.rule}: {violation.what}", msgspec.to_builtins(violation))

    def _streams(self) -> Iterator[Finding]:
        """What sockets were told: every event once, none other, in order, none missing."""
        pushed_n = 0
        for portfolio in self.watched:
            path = self.folder / stream.NAME.format(portfolio)
            try:
                told = wait_for(
                    lambda p=path, n=portfolio: self._up_to_date(p, n), f"news on {path.stem}", STREAM_S
                )
            except InVain as late:
                yield Finding("push", str(late), {"told": _last_told(path), "head": self._head(portfolio)})
                continue
            stored = dict(account_events.bodies(portfolio, told[0].offset - 1))
            pushed = [each for each in told if each.data is not None]
            wrong = [each.offset for each in pushed if each.data != stored.get(each.offset)]
            wrong += [b.offset for a, b in pairwise(told) if b.data is not None and b.offset != a.offset + 1]
            pushed_n += len(pushed)
            if wrong:
                what = f"the stream of {portfolio} differs from its table"
                yield Finding("push", what, {"offsets": wrong[:20]})
        self.counts["pushed"] = pushed_n

    def _head(self, portfolio: int) -> int:
        return (
            AccountEvent.objects.filter(portfolio_id=portfolio)
            .order_by("-seq")
            .values_list("seq", flat=True)[0]
        )

    def _up_to_date(self, path: Path, portfolio: int) -> list[stream.Told]:
        told = _told(path)
        return told if told and told[-1].offset >= self._head(portfolio) else []


def _told(path: Path) -> list[stream.Told]:
    data = path.read_bytes() if path.exists() else b""
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    return [msgspec.json.decode(line, type=stream.Told) for line in lines]


def _last_told(path: Path) -> int:
    told = _told(path)
    return told[-1].offset if told else 0
