"""LOBSTER order messages of one US share: the book is rebuilt from them.

`TICKER_DATE_…_message_N.csv`: seconds after midnight, type, order id, size, price x 10,000, side of
the resting order (1 buy, -1 sell). Types: 1 new, 2 part cancel, 3 delete, 4 visible execution,
5 hidden execution, 6 cross trade, 7 halt. Format: lobsterdata.com, "Data structure".

Orders from before the first message are not in the file. The starting book is the first row of an
`…_orderbook_N.csv` whose own messages begin with the same message; its row k is the book after
message k. Levels that fall out of the N best cannot be followed; with the order book file of this
very message file they are read again when they come back, else they grow from the messages alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from market import errors
from market.rulebook import PhaseNow
from market.sources.base import PastBar
from market.sources.items import Item, Malformed
from market.sources.replay import text
from market.sources.replay.facts import RecordingFacts
from market.sources.replay.hours import local_ns
from market.ticks import DEPTH_LEVELS_MAX, Level, Print, Quote
from simgame.kernel.clock import NS_PER_S

SOURCE = "lobster"
TIMEZONE = "America/New_York"
NAME = re.compile(r"(?P<ticker>[A-Z.]+)_(?P<day>\d{4}-\d\d-\d\d)_.+_message_(?P<levels>\d+)\.csv(\.gz)?")
PRICE_EXPONENT, TICK = 4, 100
NEW, PART_CANCEL, DELETE, EXECUTED, HIDDEN, CROSS, HALT = range(1, 8)


class Message(msgspec.Struct, frozen=True, gc=False):
    at_ns: int  # since midnight
    kind: int
    order: int
    size: int
    price: int
    side: int


class LobsterBook:
    """Price levels of both sides. `unknown`: cancels and executions of orders that we never saw."""

    def __init__(self) -> None:
        self.sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.unknown = 0
        self.adopted = 0
        self.disagreed = 0

    def apply(self, message: Message) -> None:
        levels = self.sides[message.side]
        if message.kind == NEW:
            levels[message.price] = levels.get(message.price, 0) + message.size
        elif message.kind in (PART_CANCEL, DELETE, EXECUTED):
            if message.price not in levels:
                self.unknown += 1
                return
            levels[message.price] -= message.size
            if levels[message.price] <= 0:
                del levels[message.price]

    def top(self, most: int = DEPTH_LEVELS_MAX) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        bids = tuple(sorted(self.sides[1].items(), reverse=True)[:most])
        return bids, tuple(sorted(self.sides[-1].items())[:most])

    def learn(self, row: tuple[tuple[Level, ...], tuple[Level, ...]]) -> None:
        """A row of the order book file: levels we had lost come back; what differs is counted."""
        for side, reference in ((1, row[0]), (-1, row[1])):
            levels = self.sides[side]
            for price, size in reference:
                if price not in levels:
                    levels[price] = size
                    self.adopted += 1
            self.disagreed += tuple(sorted(levels.items(), reverse=side == 1)[: len(reference)]) != reference

    def forget_below(self, most: int) -> None:
        """Drop what lies below the `most` best levels: later changes there are not in the file."""
        for price in sorted(self.sides[1], reverse=True)[most:]:
            del self.sides[1][price]
        for price in sorted(self.sides[-1])[most:]:
            del self.sides[-1][price]


class LobsterReader:
    name = "lobster"

    def recognises(self, path: Path) -> bool:
        return NAME.fullmatch(path.name) is not None or (path.is_dir() and bool(_message_files(path)))

    def open(self, path: Path, options: dict[str, Any]) -> LobsterRecording:
        if path.is_dir():
            path = max(_message_files(path), key=lambda file: file.stat().st_size)
        return LobsterRecording(path)


class LobsterRecording:
    def __init__(self, path: Path):
        self.path = path
        named = NAME.fullmatch(path.name)
        assert named is not None
        self.ticker, self.levels = named["ticker"], int(named["levels"])
        self.day = date.fromisoformat(named["day"])
        self._midnight_ns = local_ns(self.day, time(), ZoneInfo(TIMEZONE))
        self._rows_file = _order_book_of(path)
        self._start_file = self._rows_file if self._rows_file else self._sister()
        self.book = LobsterBook()
        self._shown: tuple[tuple[Level, ...], tuple[Level, ...]] = ((), ())
        times = [message.at_ns for message in self._messages() if isinstance(message, Message)]
        if not times:
            raise errors.RecordingUnknown(f"{path} holds no readable LOBSTER message.")
        self.facts = self._facts(times[0], times[-1])

    def phase(self, at_ns: int) -> PhaseNow | None:
        return None

    def previous_closes(self) -> dict[str, int]:
        return {}

    def history(self) -> Iterable[PastBar]:
        return ()

    def play(self) -> Iterator[tuple[int, Item]]:
        for at_ns, message in self.steps():
            if isinstance(message, Malformed):
                yield at_ns, message
                continue
            if message.kind in (EXECUTED, HIDDEN, CROSS):
                yield at_ns, self._print(message, at_ns)
            shown = self.book.top()
            if shown != self._shown:
                self._shown = shown
                yield at_ns, Quote(self.ticker, *shown, at_ns, at_ns, SOURCE)

    def steps(self) -> Iterator[tuple[int, Message | Malformed]]:
        """Every message, with `book` as it is after it."""
        self.book, self._shown = LobsterBook(), ((), ())
        rows = _rows_of(self._rows_file) if self._rows_file else iter(())
        at_ns = 0
        for number, message in enumerate(self._messages()):
            if isinstance(message, Malformed):
                yield at_ns, message
                continue
            at_ns = max(at_ns, self._midnight_ns + message.at_ns)
            row = next(rows, None)
            if number == 0 and self._start_file:
                self.book.learn(row or next(_rows_of(self._start_file)))
            elif message.side in self.book.sides:
                self.book.apply(message)
                if row is not None:
                    self.book.forget_below(self.levels)
                    self.book.learn(row)
            yield at_ns, message

    def _print(self, message: Message, at_ns: int) -> Print:
        """An execution of a resting buy order was a sell; of a cross nobody can say."""
        side = "" if message.kind == CROSS else "sell" if message.side == 1 else "buy"
        return Print(self.ticker, message.price, message.size, side, at_ns, at_ns, SOURCE)  # type: ignore[arg-type]

    def _messages(self) -> Iterator[Message | Malformed]:
        waiting: Malformed | None = None
        try:
            for number, line in text.numbered(self.path):
                if waiting:
                    yield waiting
                    waiting = None
                try:
                    message = _message(line)
                except ValueError:
                    waiting = Malformed(
                        SOURCE, "unreadable_message", f"{self.path.name}:{number}: {line[:200]}"
                    )
                    continue
                if message.kind != HALT:
                    yield message
        except text.Torn as torn:
            yield Malformed(SOURCE, text.TORN, str(torn))
        if waiting:
            yield msgspec.structs.replace(waiting, reason=text.TORN)

    def _sister(self) -> Path | None:
        """Another order book file of the same ticker and day whose messages begin with ours."""
        ours = f"{self.ticker}_{self.day}"
        for messages in _message_files(self.path.parent):
            rows = _order_book_of(messages)
            if rows and messages.name.startswith(ours) and _first_line(messages) == _first_line(self.path):
                return rows
        return None

    def _facts(self, first_ns: int, last_ns: int) -> RecordingFacts:
        start = (
            f"The starting book is the first row of {self._start_file.name}."
            if self._start_file
            else ("No order book file: the book grows from the messages alone.")
        )
        return RecordingFacts(
            format="lobster",
            slug=f"replay-{self.ticker.lower().replace('.', '-')}-{self.day:%Y%m%d}-{self.levels}",
            name=f"{self.ticker}, recorded {self.day}",
            recording=str(self.path),
            currency="USD",
            timezone=TIMEZONE,
            rulebook="us",
            start_ns=self._midnight_ns + first_ns // NS_PER_S * NS_PER_S,
            end_ns=self._midnight_ns + last_ns,
            instruments=[
                {
                    "symbol": self.ticker,
                    "name": self.ticker,
                    "kind": "stock",
                    "venue": "NASDAQ",
                    "board": "main",
                    "currency": "USD",
                    "price_exponent": PRICE_EXPONENT,
                    "qty_exponent": 0,
                    "tick": TICK,
                    "lot": 1,
                }
            ],
            options={"hours": "always"},
            notes=[start, "Hidden executions between two ticks are quarantined as off_tick."],
        )


def _message(line: str) -> Message:
    """Raises ValueError for a line that is no whole message."""
    at, kind, order, size, price, side, *more = line.split(",")
    if more and more != [""]:
        raise ValueError("too many columns")
    seconds, _, rest = at.partition(".")
    if side not in ("1", "-1") or not 1 <= int(kind) <= HALT:
        raise ValueError("not a whole message")
    at_ns = int(seconds) * NS_PER_S + int((rest or "0").ljust(9, "0")[:9])
    return Message(at_ns, int(kind), int(order), int(size), int(price), int(side))


def _rows_of(path: Path) -> Iterator[tuple[tuple[Level, ...], tuple[Level, ...]]]:
    """(bids, asks) of each row: ask price, ask size, bid price, bid size per level; ±9999999999 is empty."""
    for _, line in text.numbered(path):
        values = [int(value) for value in line.split(",")]
        levels = [values[n : n + 4] for n in range(0, len(values) - 3, 4)]
        asks = tuple((level[0], level[1]) for level in levels if level[1] > 0)
        yield tuple((level[2], level[3]) for level in levels if level[3] > 0), asks


def _message_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))


def _order_book_of(path: Path) -> Path | None:
    found = path.with_name(path.name.replace("_message_", "_orderbook_"))
    return found if found.is_file() else None


def _first_line(path: Path) -> str:
    return next((line for _, line in text.numbered(path)), "")
