"""Rebar in its last days (`rebar`): open, close today's and yesterday's, marked to market, expiry.

A point is 10.00 a contract. Fees 0.01 % of each side: 3.50 a contract at 3,500.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios import rebar
from tests.scenarios.people import Person
from tests.scenarios.rebar import MONDAY, RB, TUESDAY, WEDNESDAY
from tests.scenarios.shanghai import at
from tests.scenarios.town import Town


@pytest.fixture(scope="module")
def world(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    slug = town.seed(f"replay:{rebar.record(tmp_path_factory.mktemp('rebar'))}")
    with town.open_world(slug):
        town.go_to(slug, at(MONDAY, "09:03"))
        yield slug


@pytest.fixture(scope="module")
def dave(town: Town, world: str) -> Person:
    return Person(town, "Dave", world)


@pytest.fixture(autouse=True)
def _the_books_balance(town: Town, world: str) -> Iterator[None]:
    yield
    assert town.breaks(world) == []


def by(town: Town, world: str, day: str) -> None:
    """That morning has come; nothing happens where it is past."""
    if town.ask_feed(world, op="status")["phase_at"] < at(day, "09:03"):
        town.go_to(world, at(day, "09:03"))


def books(dave: Person) -> tuple[str, str]:
    """Cash, contracts."""
    return str(dave.cash()), dave.position(RB)["qty"]


def codes(dave: Person) -> list[tuple[str, int, int]]:
    told = [notice for notice in dave.desk()["notices"] if "price" in notice["facts"]]
    return [(each["code"], each["facts"]["price"], each["facts"].get("result", 0)) for each in told]


def test_a_contract_costs_only_its_fee_and_margin_is_set_aside(dave: Person) -> None:
    """5 at 3,501: 17.51 of 175,050.00; margin 5 % of the settlement price, 8,750.00 (3,500 x 10 x 5)."""
    bought = dave.placed("buy", 5, RB, "3501")
    assert (bought["filled_qty"], bought["fees"], bought["position_intent"]) == ("5", "17.51", "buy_to_open")
    said = dave.read("/v2/account")
    assert (said["cash"], said["equity"], said["initial_margin"]) == ("999982.49", "999932.49", "8750.00")


def test_todays_lots_are_closed_as_todays_and_not_as_yesterdays(dave: Person) -> None:
    """One of them at 3,499: two points lost, 20.00, and 3.50 of fees."""
    wrong = dave.refused("sell", 1, RB, "3499", position_intent="sell_to_close")
    assert wrong["reason"] == "INSUFFICIENT_SELLABLE"
    assert "5 of it are of today" in wrong["detail"]
    closed = dave.placed("sell", 1, RB, "3499", position_intent="sell_to_close_today")
    assert (closed["status"], closed["fees"]) == ("filled", "3.50")
    assert books(dave) == ("999958.99", "4")


def test_the_day_is_settled_in_cash_and_todays_lots_become_yesterdays(
    town: Town, world: str, dave: Person
) -> None:
    """4 from 3,501 to the day's 3,500: 40.00. Then one of yesterday's at 3,539: 390.00, less 3.54."""
    by(town, world, TUESDAY)
    assert codes(dave) == [("SETTLED", 3_500, -40_00)]
    assert books(dave) == ("999918.99", "4")
    assert dave.position(RB)["avg_entry_price"] == "3500"
    wrong = dave.refused("sell", 1, RB, "3539", position_intent="sell_to_close_today")
    assert wrong["reason"] == "INSUFFICIENT_SELLABLE"
    dave.placed("sell", 1, RB, "3539", position_intent="sell_to_close")
    assert books(dave) == ("1000305.45", "3")


def test_after_its_last_day_the_rest_is_settled_in_cash_and_it_trades_no_more(
    town: Town, world: str, dave: Person
) -> None:
    """3 from 3,500 to 3,540: 1,200.00, no fee."""
    by(town, world, WEDNESDAY)
    assert codes(dave)[:2] == [("SETTLED", 3_540, 1_200_00), ("EXPIRED", 3_540, 0)]
    assert books(dave) == ("1001505.45", "0")
    assert dave.refused("buy", 1, RB, "3541")["reason"] == "NOT_TRADABLE"
