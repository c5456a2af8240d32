"""The engine against the naive one, after every command: who traded, at which price, at what cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from ops.drills.crowd import COIN, Crowd, Told, opening
from ops.drills.duel import Differ, Duel, shortest
from ops.drills.engine import fight
from ops.drills.margin_crowd import MarginCrowd
from trading.engine.commands import Freeze, Halt, SetRules

SEQUENCES = range(20)  # the drill runs millions: docs/performance.md


def test_both_engines_agree() -> None:
    commands, fills = fight("suite", SEQUENCES)
    assert commands == 1_000 * len(SEQUENCES)
    assert fills > commands / 10, "a crowd that does not trade proves nothing"


def test_the_crowd_is_the_same_for_the_same_seed() -> None:
    assert list(Crowd("a/1").commands(300)) == list(Crowd("a/1").commands(300))
    assert list(Crowd("a/1").commands(300)) != list(Crowd("a/2").commands(300))


def depth_that_nobody_took(duel: Duel) -> None:
    for market in duel.engine.state.markets.values():
        market.bids.taken.clear()
        market.asks.taken.clear()


def a_cent_too_much(duel: Duel) -> None:
    duel.engine.state.portfolios[1].cash.posted += 1


def a_queue_that_moved(duel: Duel) -> None:
    for order in duel.engine.state.orders.values():
        order.queue_ahead = max(order.queue_ahead - 1, 0)


def another_fee(duel: Duel) -> None:
    fees = (msgspec.structs.replace(COIN.fees[0], rate_ppb=1_010_000),)
    duel.engine.apply(SetRules(msgspec.structs.replace(COIN, fees=fees)), duel.place, 0)


def a_loan_for_nothing(duel: Duel) -> None:
    lenient(duel, interest_ppb=0)


def more_time_to_pay(duel: Duel) -> None:
    lenient(duel, call_s=3_600)


def a_contract_settled_elsewhere(duel: Duel) -> None:
    for portfolio in duel.engine.state.portfolios.values():
        if rebar := portfolio.positions.get("REBAR"):
            rebar.cost += 1 if rebar.held.posted else 0


def a_short_sale_lent_for_nothing(duel: Duel) -> None:
    for market in duel.engine.state.markets.values():
        market.rules = msgspec.structs.replace(market.rules, borrow_ppb=0)


def lenient(duel: Duel, **terms: int) -> None:
    for portfolio in duel.engine.state.portfolios.values():
        if portfolio.margin is not None:
            portfolio.margin = msgspec.structs.replace(portfolio.margin, **terms)


FAULTS = [depth_that_nobody_took, a_cent_too_much, a_queue_that_moved, another_fee]
MARGIN_FAULTS = [
    a_loan_for_nothing,
    more_time_to_pay,
    a_contract_settled_elsewhere,
    a_short_sale_lent_for_nothing,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_in_the_engine_is_found(fault: Callable[[Duel], None]) -> None:
    duel = Duel()
    told = list(Crowd("faults").commands(900))
    duel.run(told[:300])
    with pytest.raises(Differ) as found:
        duel.run(tampered(duel, fault, told[300:]))
    assert 300 < found.value.place <= 900


@pytest.mark.parametrize("fault", MARGIN_FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_on_margin_is_found(fault: Callable[[Duel], None]) -> None:
    duel = Duel()
    told = list(MarginCrowd("faults").commands(3_000))
    duel.run(told[:300])
    with pytest.raises(Differ) as found:
        duel.run(tampered(duel, fault, told[300:]))
    assert "Error" not in found.value.what


def test_the_crowd_on_margin_is_called_and_reduced() -> None:
    duels = [Duel() for _ in range(6)]
    for n, duel in enumerate(duels):
        duel.run(MarginCrowd(f"calls/{n}").commands(1_000))
    reduced = [len(duel.forced) for duel in duels]
    assert sum(reduced) > 2, "hardly anybody was reduced: margin calls were not compared"


def tampered(duel: Duel, fault: Callable[[Duel], None], told: list[Told]) -> Iterator[Told]:
    for command in told:
        fault(duel)
        yield command


def test_what_is_not_needed_to_fail_is_left_out() -> None:
    """As if a halt and a freeze in one sequence were too much."""

    def fails(told: list[Told]) -> bool:
        return {Halt, Freeze} <= {type(command) for command, _, _ in told}

    needed = shortest(list(Crowd("halts").commands(4_000)), len(opening()), fails)
    assert [type(command) for command, _, _ in needed[len(opening()) :]] in ([Halt, Freeze], [Freeze, Halt])
