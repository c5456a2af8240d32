"""Whether what desks were shown is what the database held (`manage.py drill frames`). Pure.

A *seen* is one thing that a reader applied: a snapshot, a message, or the answer to a poll. The judge folds
them as a browser does and compares the state after each with the truth at the same position.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

ORDERS_KEPT: Final = 50  # closed ones, as the desk's snapshot
FILLS_KEPT: Final = 100
OPEN: Final = frozenset(("new", "partially_filled", "suspended", "held", "pending_new", "accepted"))
FINDINGS_MAX: Final = 30
State = dict[str, Any]
Kind = Literal["snapshot", "message", "poll"]


class Seen(msgspec.Struct):
    topic: str
    epoch: str
    offset: int
    kind: Kind
    data: Any


class Found(msgspec.Struct, frozen=True):
    """`what`: false (not the database's at it), back, two (one position, two contents), missing."""

    what: Literal["false", "back", "two", "missing"]
    reader: str
    topic: str
    told: str


def core(desk: Mapping[str, Any]) -> State:
    """What of a desk's snapshot the private stream carries, in one order."""
    return _sorted(
        {
            "orders": {row["id"]: row for row in desk["orders"]},
            "fills": {row["id"]: row for row in desk["fills"]},
            "positions": {row["symbol"]: row for row in desk["positions"]},
            "balances": {row["asset"]: row for row in desk["balances"]},
            "status": desk["portfolio"]["status"],
        }
    )


def folded(state: State, data: Mapping[str, Any]) -> State:
    """The state after a message: whole rows by key; an order's older version changes nothing."""
    keys = {"fills": "id", "positions": "symbol", "balances": "asset"}
    after = {
        name: state[name] | {row[key]: row for row in data.get(name) or ()} for name, key in keys.items()
    }
    after["orders"] = dict(state["orders"])
    for row in data.get("orders") or ():
        known = after["orders"].get(row["id"])
        if known is None or row["version"] >= known["version"]:
            after["orders"][row["id"]] = row
    after["status"] = (data.get("portfolio") or {}).get("status", state["status"])
    return _sorted(after)


def _sorted(state: State) -> State:
    closed = sorted((id_ for id_, row in state["orders"].items() if row["status"] not in OPEN), reverse=True)
    for id_ in closed[ORDERS_KEPT:]:
        del state["orders"][id_]
    for id_ in sorted(state["fills"], key=int, reverse=True)[FILLS_KEPT:]:
        del state["fills"][id_]
    return {
        name: dict(sorted(rows.items())) if isinstance(rows, dict) else rows for name, rows in state.items()
    }


class Books:
    """The truth about one portfolio: tables as they were read at some versions, and every event between."""

    def __init__(self, epoch: str, tables: Mapping[int, State], events: Mapping[int, Mapping[str, Any]]):
        """`tables`: version → `core` of the tables at it; `events`: seq → body, all of them."""
        self.epoch, self.tables = epoch, dict(tables)
        self.head = max([*events, *tables], default=0)
        self._states: dict[int, State] = {}
        known = sorted(self.tables)
        for start, end in zip(known, [*known[1:], self.head + 1], strict=True):
            state = self._states[start] = self.tables[start]
            for seq in range(start + 1, end):
                if seq not in events:
                    break
                state = self._states[seq] = folded(state, events[seq])
        self.events = events

    def at(self, version: int) -> State | None:
        """None: the database never had this version, or it is older than the first look."""
        return self._states.get(version)

    def torn(self) -> list[int]:
        """Versions at which the tables are not what the events before make of the tables before."""
        return [
            at
            for at, state in sorted(self.tables.items())
            if at - 1 in self._states
            and at in self.events
            and folded(self._states[at - 1], self.events[at]) != state
        ]


class Judge:
    """Takes everything that the readers of one run saw. `books`: portfolio id → Books.

    `nobody`: the epoch in which rows come while no feed speaks. They are worked out from what is stored, at
    position 0, as often as somebody asks: neither a version nor a promise.
    """

    def __init__(self, books: Mapping[int, Books], nobody: str = ""):
        self.books, self.nobody = books, nobody
        self.counts: Counter[str] = Counter()
        self.found: list[Found] = []
        self.shown: dict[tuple[str, str], Any] = {}  # (reader, topic) → the state at the end
        self._at: dict[tuple[str, str], tuple[str, int]] = {}
        self._epochs: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._contents: dict[tuple[str, str, int], bytes] = {}

    def read(self, reader: str, seen: Iterable[Seen]) -> None:
        """Everything of one reader, in the order it was applied."""
        for one in seen:
            self.counts[one.kind] += 1
            self._order(reader, one)
            kind = one.topic.partition(":")[0]
            _KINDS.get(kind, Judge._plain)(self, reader, one)

    def _order(self, reader: str, one: Seen) -> None:
        """Positions never go back, and an epoch that was left never returns."""
        key = reader, one.topic
        epoch, offset = self._at.get(key, ("", 0))
        if one.epoch == epoch and one.offset < offset:
            self._find("back", reader, one.topic, f"{one.kind} {one.offset} after {offset}")
        if one.epoch != epoch and one.epoch in self._epochs[key] - {self.nobody}:
            self._find("back", reader, one.topic, f"{one.kind} of {one.epoch}, left before")
        self._at[key] = one.epoch, one.offset
        self._epochs[key].add(one.epoch)

    def _portfolio(self, reader: str, one: Seen) -> None:
        books = self.books[int(one.topic.partition(":")[2])]
        key = reader, one.topic
        state = folded(self.shown[key], one.data) if one.kind == "message" else core(one.data)
        self.shown[key] = state
        self.counts["states"] += 1
        truth = books.at(one.offset)
        if one.epoch != books.epoch or truth is None:
            self._find("false", reader, one.topic, f"{one.epoch} {one.offset}: there is no such version")
        elif state != truth:
            self._find("false", reader, one.topic, f"at {one.offset}: {difference(state, truth)}")

    def _plain(self, reader: str, one: Seen) -> None:
        """The whole row each time: one position, one content, whoever shows it."""
        self.shown[reader, one.topic] = one.data
        self._same(reader, one.topic, one.epoch, one.offset, one.data)

    def _board(self, reader: str, one: Seen) -> None:
        """Rows by symbol; each has a number of its own."""
        key = reader, one.topic
        before = {} if one.kind == "snapshot" else self.shown.get(key, {})
        self.shown[key] = before | one.data
        for symbol, row in one.data.items():
            if row:
                self._same(reader, f"row of {symbol}", one.epoch, row["seq"], row)

    def _trades(self, reader: str, one: Seen) -> None:
        for row in one.data["trades"]:
            self._same(reader, one.topic, one.epoch, row["seq"], row)
        self.shown[reader, one.topic] = one.data["trades"][-1:] or self.shown.get((reader, one.topic), [])

    def _same(self, reader: str, topic: str, epoch: str, offset: int, data: Any) -> None:
        if epoch == self.nobody:
            return
        text = msgspec.json.encode(data, order="sorted")
        known = self._contents.setdefault((topic, epoch, offset), text)
        self.counts["rows"] += 1
        if known != text:
            self._find("two", reader, topic, f"{epoch} {offset}: {text[:200]!r}, elsewhere {known[:200]!r}")

    def missing(self, reader: str, topic: str, told: str) -> None:
        self._find("missing", reader, topic, told)

    def _find(self, what: Any, reader: str, topic: str, told: str) -> None:
        self.counts[f"found {what}"] += 1
        if len(self.found) < FINDINGS_MAX:
            self.found.append(Found(what, reader, topic, told))


_KINDS: dict[str, Callable[[Judge, str, Seen], None]] = {
    "portfolio": Judge._portfolio,
    "board": Judge._board,
    "trades": Judge._trades,
    "bars": lambda judge, reader, one: judge.shown.update({(reader, one.topic): one.data}),
}


def difference(one: State, other: State) -> str:
    """The first row in which two states differ."""
    for name in sorted({*one, *other}):
        mine, theirs = one.get(name), other.get(name)
        if mine == theirs:
            continue
        if not isinstance(mine, dict) or not isinstance(theirs, dict):
            return f"{name}: shown {mine!r}, true {theirs!r}"
        key = next(key for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key))
        return f"{name} {key}: shown {mine.get(key)!r}, true {theirs.get(key)!r}"
    return "nothing"
