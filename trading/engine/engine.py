"""The pure core: commands in, events out. No clock, no chance, no I/O, no Django.

The same commands with the same `seq` and `at_ns` give the same events, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from market.rulebook.rules import InstrumentRules
from market.ticks import PhaseTick, Print, Quote, Reference
from trading.engine import (
    actions,
    calls,
    changes,
    corrections,
    days,
    entry,
    halts,
    linked,
    portfolios,
    preview,
    restoring,
    ticks,
)
from trading.engine.commands import (
    Adjust,
    CancelAll,
    CancelOrder,
    ClosePosition,
    Command,
    CorporateAction,
    Correct,
    ExerciseRights,
    Freeze,
    Halt,
    NewOrder,
    NewOrderWithTerms,
    OpenPortfolio,
    ReplaceOrder,
    ReplaceWithTerms,
    SetRules,
    SettleAction,
)
from trading.engine.events import BalanceRow, Event, OrderRow, PositionRow
from trading.engine.invariants import Breach, breaches
from trading.engine.records import PortfolioState
from trading.engine.state import State
from trading.engine.turn import Turn

VERBS: dict[type, Callable[[Turn, Any], None]] = {
    NewOrder: entry.place,
    NewOrderWithTerms: entry.place,
    ClosePosition: entry.close_position,
    CancelOrder: entry.cancel,
    ReplaceOrder: changes.replace,
    ReplaceWithTerms: changes.replace,
    CancelAll: entry.cancel_all,
    Quote: ticks.on_quote,
    Print: ticks.on_print,
    PhaseTick: days.on_phase,
    Reference: days.on_reference,
    SetRules: days.set_rules,
    OpenPortfolio: portfolios.open_books,
    Adjust: portfolios.adjust,
    Freeze: portfolios.freeze,
    Halt: halts.halt,
    CorporateAction: actions.apply_action,
    SettleAction: actions.settle_action,
    ExerciseRights: actions.exercise_rights,
    Correct: corrections.correct,
}


class Engine:
    """One world's books. One caller, one command at a time."""

    def __init__(self, world_number: int) -> None:
        assert world_number > 0, "worlds count from 1"
        self.state = State(world_number)

    def apply(self, command: Command, seq: int, at_ns: int) -> list[Event]:
        """What the command does, as whole rows in the order they happened; nothing when it changed nothing.

        `seq` gives orders their time priority and `at_ns` is engine time; neither ever goes back.
        Refusals are events. An exception means that the engine itself is wrong: stop, and rebuild.
        """
        state = self.state
        state.turns += 1
        turn = Turn(state, state.turns, seq, at_ns)
        VERBS[type(command)](turn, command)
        if turn.links:
            linked.follow(turn)
        if turn.marked is not None or turn.clocked:
            calls.follow(turn)
        return turn.close()

    def preview(self, order: NewOrder, at_ns: int) -> dict[str, Any]:
        """What the order would do now, as README.md describes it. Changes nothing."""
        return preview.preview(self.state, order, at_ns)

    def restore(
        self,
        *,
        portfolios: Iterable[PortfolioState],
        balances: Iterable[BalanceRow],
        positions: Iterable[PositionRow],
        orders: Iterable[OrderRow],
        rules: Iterable[InstrumentRules] = (),
        fills_n: int = 0,
        transfers_n: int = 0,
        halted: Iterable[str] = (),
        closed: Iterable[tuple[str, int, str]] = (),
        has_opened: bool = False,
        actions: Iterable[tuple[CorporateAction, str]] = (),
        undone: Iterable[int] = (),
    ) -> None:
        """Rebuild an empty engine from rows: all balances and positions, the open orders, the counters.

        `halted`: symbols, with the reason of each when it is a mapping. `closed`: recently ended orders as
        (id, portfolio, status), so that a late cancel hears that it is late. `has_opened`: continuous
        trading has begun on the market day, so that its next auction is the closing one even when the
        market does not close right after it. `actions`: every corporate action applied so far with its
        status; `undone`: numbers of the transfers that were taken back. Phase, references and quotes come
        with the feed's snapshot afterwards.
        """
        restoring.restore(
            self.state,
            portfolios=portfolios,
            balances=balances,
            positions=positions,
            orders=orders,
            rules=rules,
            fills_n=fills_n,
            transfers_n=transfers_n,
            halted=halted,
            closed=closed,
            has_opened=has_opened,
            actions=actions,
            undone=undone,
        )

    def state_hash(self) -> str:
        return restoring.state_hash(self.state)

    def breaches(self) -> list[Breach]:
        """The invariants that do not hold over everything in memory: for recovery, drills and tests."""
        return breaches(self.state)
