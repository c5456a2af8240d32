"""An operator gives the seeded world the rules of A-shares (SIMGAME_SEEDED_RULES=cn_a), around the clock.

Commission as before (0.025 %, at least 5.00), and now a transfer fee of 0.001 %, T+1, a price cage of 2 %.
"""

from __future__ import annotations

import pytest

from tests.scenarios.people import D, Person
from tests.scenarios.town import Town

START = D("1000000.00")
SYMBOL = "ALB"


def quote_of(person: Person) -> dict[str, str]:
    return person.read(f"/api/v1/quotes?symbols={SYMBOL}")["quotes"][SYMBOL]


def cents(amount: str) -> int:
    return int(D(amount) * 100)


@pytest.fixture(scope="module")
def bob(town: Town) -> Person:
    """He bought and rests an order while the plain rules held."""
    town.play_seeded("plain")
    bob = Person(town, "Bob")
    bob.placed("buy", 100, SYMBOL)
    # Well inside the band: with the rules the market day may turn (Shanghai's date), and the band with it.
    low = (D(quote_of(bob)["limit_low"]) * D("1.05")).quantize(D("0.01"))
    bob.resting = bob.placed("buy", 700, SYMBOL, str(low), time_in_force="gtc")
    return bob


@pytest.fixture
def world(town: Town, bob: Person) -> str:
    return town.play_seeded("cn_a")


@pytest.fixture
def alice(town: Town, world: str) -> Person:
    return Person(town, "Alice")


def test_bobs_order_holds_the_new_fee_too_and_he_may_sell_what_he_bought_freely(
    town: Town, world: str, bob: Person
) -> None:
    value = 700 * cents(bob.resting["limit_price"])
    commission = max((value * 25 + 50_000) // 100_000, 500)
    transfer = (value + 50_000) // 100_000
    now = bob.sees(bob.resting)
    assert cents(bob.resting["reserved_cash"]) == value + commission
    assert (now["status"], cents(now["reserved_cash"])) == ("new", value + commission + transfer)
    assert cents(str(bob.balance()[1])) == value + commission + transfer
    assert bob.placed("sell", 100, SYMBOL)["status"] == "filled"
    assert town.breaks(world) == []


def test_what_alice_buys_today_is_locked_today(town: Town, world: str, alice: Person) -> None:
    bought = alice.receipt(alice.placed("buy", 300, SYMBOL))
    value = sum(cents(fill["cash"]) for fill in bought["fills"])
    transfer = (value + 50_000) // 100_000
    assert cents(bought["order"]["fees"]) == 500 + transfer  # 300 shares are worth less than 20,000.00
    assert alice.cash() == START - D(value + 500 + transfer) / 100
    names = {line["name"]: line["row"] for line in bought["fills"][0]["receipt"]["fees"]}
    assert names.keys() == {"commission", "transfer_fee"}
    assert all(row.startswith("cn_a.fee.") for row in names.values())
    refused = alice.refused("sell", 100, SYMBOL)
    assert refused["reason"] == "INSUFFICIENT_SELLABLE"
    assert refused["facts"] == {
        "qty": "100",
        "held": "300",
        "bought_today": "300",
        "reserved_qty": "0",
        "sellable": "0",
    }
    assert alice.position(SYMBOL)["qty_available"] == "0"
    assert town.breaks(world) == []


def test_the_cage_and_the_lot_bind(world: str, alice: Person) -> None:
    high = quote_of(alice)["limit_high"]  # ten percent up: far beyond the cage of two
    caged = alice.refused("buy", 100, SYMBOL, high)
    assert caged["reason"] == "PRICE_OUT_OF_BAND"
    assert D(caged["facts"]["cage"]) < D(high)
    assert alice.receipt(caged["order"])["receipt"]["rule"]["name"] == "cage"
    lot = alice.refused("buy", 150, SYMBOL, quote_of(alice)["limit_low"])
    assert (lot["reason"], lot["facts"]["lot"]) == ("BAD_QTY_OR_LOT", "100")
    rules = {row["name"]: row["value"] for row in alice.desk()["rules"]}
    assert (rules["lock"], rules["transfer_fee"]) == ("T+1", "0.001%")
    assert alice.balance() == (START, D(0))
