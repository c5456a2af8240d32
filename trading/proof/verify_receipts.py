"""One world's receipts, recomputed from the stored ticks, rules and fills, all in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from market import rulebook, worlds
from market.models import World
from simgame.kernel import clock
from simgame.kernel.ids import world_key
from trading.engine.commands import NewOrder
from trading.engine.events import FillRow, OrderRow
from trading.engine.orders import TERMINAL
from trading.exchange import ticks
from trading.exchange.streams import Streams
from trading.proof import journal, progress, receipts
from trading.proof.compare import FILLS, ORDERS
from trading.proof.evidence import Evidence
from trading.proof.journal import Connection
from trading.proof.replay import Astray, Replay

TRANSFERS = """
SELECT t.fill_id, t.code, t.amount FROM trading_transfer t
WHERE t.id BETWEEN %s AND %s AND t.fill_id IS NOT NULL ORDER BY t.seq, t.id"""
FEE = 4  # trading.models.Transfer.Code
WRONG_KEPT_MAX = 100


class Mistake(msgspec.Struct, frozen=True):
    """Something in a stored receipt that the stored ticks and rules do not make."""

    seq: int  # the command that made it
    kind: str  # fill | order
    key: str
    field: str
    stored: Any
    recomputed: Any

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.key} (command {self.seq}), {self.field}: "
            f"stored {self.stored}, recomputed {self.recomputed}"
        )


class Report(msgspec.Struct):
    world: str
    since_ns: int
    commands: int = 0
    ticks: int = 0
    fills: int = 0
    orders: int = 0  # that ended: filled, canceled, expired, refused
    fee_rows: int = 0  # dated rulebook rows that fees were held against
    mistakes: int = 0
    found: list[Mistake] = []
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return msgspec.to_builtins(self)


class Recount(Replay):
    """Follows the journal for the states of orders; judges every stored fill by its own evidence."""

    def __init__(self, world: World, streams: Streams, connection: Connection, report: Report):
        super().__init__(world.number, streams)
        self.report = report
        self.connection = connection
        self.evidence = Evidence()
        self.judge = receipts.Judge(self.evidence)
        self.played = world
        self.rows_seen: set[tuple[str, int]] = set()
        span = world_key(world.number, 1), world_key(world.number + 1, 0) - 1
        self.stored = _stream(connection, "fills", FILLS, span)
        self.moved = _stream(connection, "transfers", TRANSFERS, span)
        self.ahead: tuple[Any, ...] | None = next(self.moved, None)
        self.ended: list[tuple[int, OrderRow, tuple[int, int], tuple[int, int], int]] = []

    def before(self, said: Any, at_ns: int) -> None:
        self.evidence.hear(said, at_ns)
        self.judge.begin()

    def after(self, seq: int, said: Any, events: list[Any]) -> None:
        counted = self.evidence.at >= self.report.since_ns
        collar = self._collar(said)
        for event in events:
            if not (isinstance(event, OrderRow) and event.exec_type == "expired"):
                self.judge.go_through_lines()  # orders whose time has come are gone before a tick fills
            if isinstance(event, FillRow):
                self._fill(seq, event, collar, counted=counted)
            elif isinstance(event, OrderRow):
                self._order(seq, event, counted=counted)
        self.judge.go_through_lines()
        for wrong in self.judge.end():
            self._mistake(seq, "fill", "", wrong, counted=counted)

    def settle(self) -> None:
        """The stored rows of orders that ended, held against what was noted when they did."""
        ended, self.ended = self.ended, []
        keys = [row.id for _, row, *_ in ended]
        stored = {row["id"]: row for (row,) in self.connection.execute(ORDERS, (keys,)).fetchall()}
        for seq, row, *noted in ended:
            found = stored.get(row.id)
            if found is None or found["version"] > row.version:
                continue  # a correction came later: replay_journal holds it against its own row
            for wrong in receipts.order(found, *noted):
                self._mistake(seq, "order", row.id, wrong, counted=True)

    def _collar(self, said: Any) -> int | None:
        """What a plain market order may trade at worst, by what was displayed when it came."""
        if type(said) is not NewOrder or said.type != "market" or said.symbol not in self.evidence.rules:
            return None
        best = self.evidence.best(said.symbol, said.side == "sell")
        return self.evidence.collar(said.symbol, best, said.side == "buy") if best else None

    def _fill(self, seq: int, event: FillRow, collar: int | None, *, counted: bool) -> None:
        row = next(self.stored, None)
        if row is None or row[0]["id"] != world_key(self.world, event.n):
            raise Astray(seq, f"fill {event.n} is not stored", row and row[0]["id"], event)
        fill = row[0]
        self.report.fills += counted
        if event.reverses:
            return
        for name in ("order_id", "symbol", "side"):  # else the evidence would be that of another order
            if fill[name] != getattr(event, name):
                self._mistake(
                    seq, "fill", str(event.n), (name, fill[name], getattr(event, name)), counted=counted
                )
        limit = self.evidence.limit_of.get(event.order_id)
        by_collar = collar if collar and event.n == event.match else fill["receipt"].get("collar")
        worst = limit if limit is not None else by_collar
        if worst is None:
            worst = event.price
        for wrong in self.judge.fill(fill, worst):
            self._mistake(seq, "fill", str(event.n), wrong, counted=counted)
        for wrong in self._fees_are_dated(fill):
            self._mistake(seq, "fill", str(event.n), wrong, counted=counted)
        for wrong in self._moved(fill):
            self._mistake(seq, "fill", str(event.n), wrong, counted=counted)

    def _moved(self, fill: dict[str, Any]) -> Iterator[receipts.Wrong]:
        """The fee that left the account for this fill is the fee that the fill states."""
        paid = 0
        while self.ahead is not None and self.ahead[0] <= fill["id"]:
            if self.ahead[0] == fill["id"] and self.ahead[1] == FEE:
                paid += self.ahead[2]
            self.ahead = next(self.moved, None)
        if paid != fill["fee"]:
            yield "fee", fill["fee"], f"{paid} were transferred"

    def _fees_are_dated(self, fill: dict[str, Any]) -> Iterator[receipts.Wrong]:
        """Each fee line names a row of the rulebook that held on that day, at that rate."""
        day = worlds.rules_day(self.played, fill["market_day"])
        for line in fill["receipt"]["fees"]:
            key = (line["row"], fill["market_day"])
            if not line["row"] or key in self.rows_seen:
                continue
            self.rows_seen.add(key)
            self.report.fee_rows += 1
            row = rulebook.row_named(line["row"])  # of any book: the world may have had another then
            if row is None:
                yield "receipt.fees.row", line["row"], "no row of any rulebook"
                continue
            if not row.holds_on(day):
                yield "receipt.fees.row", line["row"], f"does not hold on {day}"
            if (rate_ppb := row.rate_ppb) != line["rate_ppb"]:
                yield "receipt.fees.rate_ppb", line["rate_ppb"], rate_ppb

    def _order(self, seq: int, row: OrderRow, *, counted: bool) -> None:
        evidence = self.evidence
        known = evidence.orders.get(row.id)
        evidence.follow(row)
        if row.status not in TERMINAL:
            for wrong in receipts.rested(row, known, evidence):
                self._mistake(seq, "order", row.id, wrong, counted=counted)
            return
        sums = evidence.sums.pop(row.id, (0, 0))
        if counted:
            self.report.orders += 1
            rules = evidence.rules.get(row.symbol)
            tick = rules.tick if rules and not rules.tick_small else 0
            self.ended.append((seq, row, sums, evidence.limits.get(row.symbol, (0, 0)), tick))

    def _mistake(self, seq: int, kind: str, key: str, wrong: receipts.Wrong, *, counted: bool) -> None:
        if not counted:
            return
        self.report.mistakes += 1
        if len(self.report.found) < WRONG_KEPT_MAX:
            self.report.found.append(Mistake(seq, kind, key, *wrong))


def verify(world: World, *, since_ns: int = 0) -> Report:
    """Raises UnreadableJournal, NotReplayable, and Astray where the journal is not what is stored."""
    began = clock.monotonic_s()
    report = Report(world.slug, since_ns, found=[])
    scales = ticks.Rules(world)
    scales.of(0)
    with journal.snapshot() as connection:
        head = journal.head(connection, world.number)
        streams = Streams(world.number, world.stream_epoch, scales.scales, {})
        recount = Recount(world, streams, connection, report)
        with progress.bar(f"Recomputing receipts of {world.slug}", head) as advance:
            for chunk in recount.chunks(journal.read(connection, world.number, head)):
                recount.settle()
                advance(len(chunk.stored))
    report.commands, report.ticks = recount.seq, recount.heard
    report.seconds = round(clock.monotonic_s() - began, 3)
    return report


def _stream(connection: Connection, name: str, sql: str, span: tuple[int, int]) -> Iterator[tuple[Any, ...]]:
    with connection.cursor(name=name) as rows:
        rows.itersize = journal.ROWS_AT_ONCE
        rows.execute(sql, span)
        yield from rows
