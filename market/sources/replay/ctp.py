"""CTP ticks of one futures contract as CSV, without a header:

    YYYYMMDD HH:MM:SS,last,volume,open_interest,pre_open_interest,open,high,low

What the format does and we undo:

* volume is the day's sum: a print is its difference; the first row of a day is no trade;
* 1.797693e+308 means "no value" (before the first trade): such a row goes to the quality gate as it
  is, which refuses it; its last price is the previous close;
* the date is the market day's: rows from 18:00 on were the evening of the trading day before, rows
  before 04:00 the night after that evening;
* there are no milliseconds: a second row of the same second is half a second later, and its print is
  marked `made`;
* rows after the close say nothing new; the gate refuses them as out of hours;
* there is no depth: it is made (`market.sources.replay.made`), 100 lots at the touch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from market import errors, rulebook
from market.rulebook import Day, PhaseNow, Where
from market.sources.base import PastBar
from market.sources.items import Item, Malformed, RawPrint
from market.sources.replay import made, text
from market.sources.replay.facts import RecordingFacts
from market.sources.replay.hours import NIGHT, RecordedHours, local_ns
from market.ticks import Print, Quote
from simgame.kernel import money
from simgame.kernel.clock import NS_PER_S

SOURCE = "ctp"
TIMEZONE = "Asia/Shanghai"
NO_VALUE = 1e300
SMALL_HOURS = time(4)
TOUCH_LOTS = 100
ROW = re.compile(r"\d{8} \d\d:\d\d:\d\d,")
COLUMNS = ("last", "volume", "open_interest", "pre_open_interest", "open", "high", "low")
BOOK = "cn_futures"


class Row(msgspec.Struct, frozen=True):
    at_ns: int
    market_day: date
    night: bool
    values: dict[str, str]

    @property
    def sound(self) -> bool:
        return all(abs(float(value)) < NO_VALUE for value in self.values.values())


class CtpReader:
    name = "ctp"

    def recognises(self, path: Path) -> bool:
        if not (path.is_file() and re.fullmatch(r"[a-zA-Z]{1,2}\d{3,4}\.csv(\.gz)?", path.name)):
            return False
        return any(ROW.match(line) for _, line in zip(range(3), _lines(path), strict=False))

    def open(self, path: Path, options: dict[str, Any]) -> CtpRecording:
        return CtpRecording(path)


class CtpRecording:
    def __init__(self, path: Path):
        self.path = path
        self.symbol = path.name.partition(".")[0].lower()
        self.book = rulebook.load(BOOK)
        product = self.book.product_named(self.symbol.rstrip("0123456789"))
        if product is None:
            raise errors.RecordingUnknown(
                f"{path.name}: the terms of this contract are not known:"
                f" `manage.py rulebook show --venue {BOOK}` lists the products that are."
            )
        self.product = product
        self.exponent = len(product.tick.partition(".")[2])
        self.tick = money.parse(product.tick, self.exponent)
        rows = [row for row in self._rows() if isinstance(row, Row)]
        if not rows:
            raise errors.RecordingUnknown(f"{path} holds no readable CTP tick.")
        days = sorted({row.market_day for row in rows})
        has_night = any(row.night for row in rows)
        where = Where(product.venue, "main", "future", product.product)

        def day_of(on: date) -> Day:
            day = self.book.day_of(where, on)
            return day if has_night else msgspec.structs.replace(day, night=())

        self._hours = RecordedHours(days, day_of, TIMEZONE, self.book.calendar)
        self._close = next((row.values["last"] for row in rows if not row.sound), "")
        self.facts = self._facts(rows[0], rows[-1])

    def phase(self, at_ns: int) -> PhaseNow | None:
        return self._hours.at(at_ns)

    def previous_closes(self) -> dict[str, int]:
        return {self.symbol: money.parse(self._close, self.exponent)} if self._close else {}

    def history(self) -> Iterable[PastBar]:
        return ()

    def play(self) -> Iterator[tuple[int, Item]]:
        before: Row | None = None
        played_ns = last = volume = 0
        side = ""
        shown: tuple[Any, ...] = ()
        for row in self._rows():
            if isinstance(row, Malformed):
                yield played_ns, row
                continue
            at_ns = _spread(row.at_ns, played_ns)
            played_ns = max(played_ns, at_ns)
            if not row.sound:
                yield (
                    played_ns,
                    RawPrint(
                        self.symbol,
                        row.values["last"],
                        row.values["volume"],
                        "",
                        at_ns,
                        at_ns,
                        SOURCE,
                        also=dict(row.values),
                    ),
                )
                continue
            try:
                price = money.parse(row.values["last"], self.exponent)
                total = money.parse(row.values["volume"], 0)
            except ValueError as error:
                yield played_ns, Malformed(SOURCE, "unreadable_message", row.values, str(error)[:32])
                continue
            new_day = before is None or before.market_day != row.market_day
            size = total if new_day else total - volume
            side = made.taker(price, last, side)
            if size:
                moved = at_ns != row.at_ns
                yield (
                    played_ns,
                    Print(self.symbol, price, size, side, at_ns, at_ns, SOURCE, made=moved),  # type: ignore[arg-type]
                )
            depth = made.depth(price, side, self.tick, TOUCH_LOTS)
            if depth != shown or not size:
                shown = depth
                yield played_ns, Quote(self.symbol, *depth, at_ns, at_ns, SOURCE, made=True)
            before, last, volume = row, price, total

    @property
    def _month(self) -> str:
        """ "1910" of rb1910; three digits on CZCE."""
        return self.symbol.removeprefix(self.product.product.lower())

    def _expires_on(self, day: date) -> date | None:
        """The last trading day of the contract, which is traded on `day`."""
        month, year = int(self._month[-2:]), int(self._month[:-2])
        if not 1 <= month <= 12:
            return None
        span = 10 ** len(self._month[:-2])
        year += day.year // span * span
        year += span if year < day.year else 0
        return rulebook.expiry(self.product.last_day, year, month, self.book.calendar)

    def _rows(self) -> Iterator[Row | Malformed]:
        """Every row; a torn last one as Malformed."""
        waiting: Malformed | None = None
        try:
            for number, line in text.numbered(self.path):
                if waiting:
                    yield waiting
                    waiting = None
                try:
                    yield _row(line)
                except ValueError:
                    waiting = Malformed(
                        SOURCE, "unreadable_message", f"{self.path.name}:{number}: {line[:200]}"
                    )
        except text.Torn as torn:
            yield Malformed(SOURCE, text.TORN, str(torn))
        if waiting:
            yield msgspec.structs.replace(waiting, reason=text.TORN)

    def _facts(self, first: Row, last: Row) -> RecordingFacts:
        return RecordingFacts(
            format="ctp",
            slug=f"replay-{self.symbol}-{first.market_day:%Y%m%d}",
            name=f"{self.product.name} {self.symbol}, recorded {first.market_day}",
            recording=str(self.path),
            currency="CNY",
            timezone=TIMEZONE,
            rulebook=BOOK,
            start_ns=first.at_ns,
            end_ns=last.at_ns,
            instruments=[
                {
                    "symbol": self.symbol,
                    "name": f"{self.product.name} {self._month}",
                    "name_zh": f"{self.product.name_zh}{self._month}",
                    "kind": "future",
                    "venue": self.product.venue,
                    "board": "main",
                    "product": self.product.product,
                    "expires_on": self._expires_on(first.market_day),
                    "currency": "CNY",
                    "price_exponent": self.exponent,
                    "qty_exponent": 0,
                    "tick": self.tick,
                    "lot": 1,
                    "multiplier": self.product.multiplier,
                    "previous_close": self.previous_closes().get(self.symbol, 0),
                }
            ],
            options={"hours": "venue"},
            made=["depth", "milliseconds"],
            notes=[
                "The recording has no depth: it is made, five levels a side, and marked.",
                "It has no milliseconds: trades of one second are spread over it, and marked.",
                "Volume as recorded.",
            ],
        )


def _row(line: str) -> Row:
    """Raises ValueError for a line that is no whole row."""
    stamp, *values = line.split(",")
    if len(values) != len(COLUMNS) or any(not _is_number(value) for value in values):
        raise ValueError("not a whole row")
    moment = datetime.strptime(stamp, "%Y%m%d %H:%M:%S")
    day, at = moment.date(), moment.time()
    on, eve = day, rulebook.load(BOOK).calendar.before(day)
    if at >= NIGHT:
        on = eve
    elif at < SMALL_HOURS:
        on = eve + timedelta(days=1)
    at_ns = local_ns(on, at, ZoneInfo(TIMEZONE))
    return Row(at_ns, day, at >= NIGHT or at < SMALL_HOURS, dict(zip(COLUMNS, values, strict=True)))


def _is_number(value: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", value) is not None


def _spread(at_ns: int, played_ns: int) -> int:
    """Rows of one second follow each other: half a second, then milliseconds."""
    if at_ns > played_ns or at_ns + NS_PER_S <= played_ns:
        return at_ns
    half = at_ns + NS_PER_S // 2
    return half if half > played_ns else played_ns + NS_PER_S // 1000


def _lines(path: Path) -> Iterator[str]:
    try:
        yield from text.lines(path)
    except text.Torn:
        return
