"""The exchange halts what the seeded market's own rule has halted, and leaves an operator's halts alone."""

from __future__ import annotations

import msgspec

from market.models import Instrument, World
from market.rulebook.rules import VOLATILITY_HALT
from tests.engine.pit import ALICE, PLAIN, Pit
from tests.exchange import street
from trading.engine.commands import Halt
from trading.engine.events import Notice
from trading.exchange.venue_halts import commands
from trading.proof.verify import replay_world

ROW = "plain.breaker.main.2000-01-01"


def pit_with_alice() -> Pit:
    pit = Pit(msgspec.structs.replace(PLAIN, rows={"breaker": ROW}))
    pit.quote(bids=((99, 500),), asks=((101, 500),))
    pit.open(ALICE)
    return pit


def test_alices_order_waits_through_a_volatility_halt_and_its_receipt_names_the_row() -> None:
    pit = pit_with_alice()
    order = pit.buy(ALICE, 100, 98)
    for command in commands(pit.engine.state, {"NLB"}):
        events = pit.do(command)
    assert pit.row(order.id).status == "suspended"
    assert pit.row(order.id).receipt["rule"] == {"name": "halt", "row": ROW, "text": VOLATILITY_HALT}
    assert [event.code for event in events if isinstance(event, Notice)] == ["HALTED"]
    assert commands(pit.engine.state, {"NLB"}) == []  # once
    second = pit.buy(ALICE, 100, 98)
    assert (second.status, second.reason) == ("rejected", "HALTED")
    assert second.receipt["rule"]["row"] == ROW
    for command in commands(pit.engine.state, set()):
        pit.do(command)
    assert pit.row(order.id).status == "new"
    assert commands(pit.engine.state, set()) == []


def test_an_operators_halt_is_neither_ended_nor_taken_for_the_rules() -> None:
    pit = pit_with_alice()
    pit.do(Halt("NLB", True, "A wrong price from the source", "op"))
    assert commands(pit.engine.state, set()) == []
    assert commands(pit.engine.state, {"NLB"}) == []
    order = pit.buy(ALICE, 100, 98)
    assert order.receipt["rule"]["row"] == ""


def test_what_was_halted_before_a_crash_of_the_exchange_goes_on_after_it() -> None:
    """The reason is all that the table keeps."""
    pit = pit_with_alice()
    again = pit.engine.state.markets["NLB"]
    again.halted, again.halt_reason = True, VOLATILITY_HALT
    assert commands(pit.engine.state, set()) == [Halt("NLB", False, "", "")]


def test_a_halt_of_what_nobody_has_an_order_in_is_kept_and_replays(
    world: World, exchange: street.InThread
) -> None:
    """Nothing follows from it, so it is a row by itself: desks read it, and so does the next exchange."""
    life = exchange.exchange._life
    assert life is not None
    for halted, why in ((True, VOLATILITY_HALT), (False, ""), (True, VOLATILITY_HALT)):
        exchange._loop.call_soon_threadsafe(life.loop.submit_ticks, [Halt(street.PENNY, halted, why, "")])
        row = street.wait_for(
            lambda halted=halted: Instrument.objects.filter(
                world=world, symbol=street.PENNY, halted=halted
            ).first(),
            "the halt in the table",
        )
        assert row.halt_reason == why
    found = replay_world(world, verify=True)
    assert found.difference is None, str(found.difference)
