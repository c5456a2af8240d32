"""A-share rules, Monday 2026-11-02 and the days after it, in a market that stands still (`shanghai`).

Fees: commission 0.025 %, at least 5.00 an order; transfer fee 0.001 %; stamp duty 0.05 % on sells.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.people import D, Person
from tests.scenarios.shanghai import DEAR, FIVE, FOUR, MONDAY, ONE, SEVEN, SIX, STAR, TUESDAY, TWO, at
from tests.scenarios.town import Town

START = D("1000000.00")


@pytest.fixture(scope="module")
def world(town: Town) -> Iterator[str]:
    """Its Monday has begun: 09:31 in Shanghai. Every test may let days pass, none goes back."""
    slug = town.slugs["shanghai"]
    stays = """UPDATE market_world SET options = options || '{"skip_idle": false}'"""  # through auctions
    town.sql(f"{stays} WHERE slug = '{slug}'")
    with town.open_world(slug):
        town.go_to(slug, at(MONDAY, "09:31"))
        yield slug


@pytest.fixture
def alice(town: Town, world: str) -> Person:
    return Person(town, "Alice", world)


@pytest.fixture
def bob(town: Town, world: str) -> Person:
    return Person(town, "Bob", world)


@pytest.fixture(autouse=True)
def _the_books_balance(town: Town, world: str) -> Iterator[None]:
    yield
    assert town.breaks(world) == []


def test_the_world_has_the_rules_of_its_day(alice: Person) -> None:
    rules = {row["name"]: row["value"] for row in alice.desk()["rules"]}
    assert {"lock": "T+1", "band": "±10%", "lot": "100", "stamp_duty": "0.05%"}.items() <= rules.items()
    assert alice.desk()["phase"]["market_day"] == MONDAY


def test_band_lot_and_cage_say_no_with_the_numbers_that_decided(alice: Person) -> None:
    # Yesterday's close is 10.00: the band is 9.00 to 11.00.
    band = alice.refused("buy", 100, FIVE, "11.01")
    assert band["reason"] == "PRICE_OUT_OF_BAND"
    assert band["facts"] == {"price": "11.01", "limit_low": "9.00", "limit_high": "11.00"}
    assert alice.refused("buy", 100, FIVE, "8.99")["facts"]["limit_low"] == "9.00"
    # The cage: a buy at most 102 % of the best ask (10.01 → 10.2102), a sell at least 98 % of the best bid
    # (9.99 → 9.7902), rounded to the cent.
    cage = alice.refused("buy", 100, FIVE, "10.22")
    assert (cage["reason"], cage["facts"]["cage"]) == ("PRICE_OUT_OF_BAND", "10.21"), cage
    assert alice.refused("sell", 100, FIVE, "9.78")["facts"]["cage"] == "9.79"
    # Lots of 100; on the STAR market at least 200, then any number.
    lot = alice.refused("buy", 150, FIVE, "9.90")
    assert (lot["reason"], lot["facts"]["lot"]) == ("BAD_QTY_OR_LOT", "100"), lot
    star = alice.refused("buy", 199, STAR, "19.90")
    assert (star["reason"], star["facts"]["least_qty"]) == ("BAD_QTY_OR_LOT", "200"), star
    # What is refused is kept as a rejected order, with the dated row of the rulebook; nothing else changed.
    receipt = alice.receipt(band["order"])["receipt"]
    assert receipt["rule"]["row"] == "cn_a.band.main.1996-12-16"
    assert alice.balance() == (START, D(0))


def test_an_odd_number_of_star_shares(alice: Person) -> None:
    """201 up to 20.02: 100 × 20.01 + 101 × 20.02 = 2001.00 + 2022.02; 5.00 + 0.04 of fees."""
    order = alice.placed("buy", 201, STAR, "20.02")
    assert (order["status"], order["fees"]) == ("filled", "5.04")
    assert alice.cash() == START - D("4023.02") - D("5.04")


def test_what_alice_bought_today_she_sells_tomorrow(
    town: Town, world: str, alice: Person, bob: Person
) -> None:
    """600 up to 10.03: 100 × 10.01 + 200 × 10.02 + 300 × 10.03 = 1001 + 2004 + 3009 = 6014.00.

    Commission 1.50, so 5.00; transfer fee 0.06. She has paid 6019.06, 10.0318 a share.
    """
    order = alice.placed("buy", 600, ONE, "10.03")
    assert (order["status"], order["filled_avg_price"]) == ("filled", "10.023333")
    fills = alice.receipt(order)["fills"]
    assert [(fill["qty"], fill["price"], fill["cash"]) for fill in fills] == [
        ("100", "10.01", "1001.00"),
        ("200", "10.02", "2004.00"),
        ("300", "10.03", "3009.00"),
    ]
    assert [fill["fee"] for fill in fills] == ["5.01", "0.02", "0.03"]  # the minimum is taken once an order
    assert alice.cash() == D("993980.94")
    position = alice.position(ONE)
    assert (position["cost_basis"], position["avg_entry_price"]) == ("6019.06", "10.031767")
    assert (position["qty"], position["qty_available"], position["bought_today"]) == ("600", "0", "600")

    # Three levels are used up, for everybody: the cheapest left is 10.04.
    taken = bob.placed("buy", 100, ONE, "10.04")
    assert bob.receipt(taken)["fills"][0]["price"] == "10.04"

    refused = alice.refused("sell", 300, ONE, "9.98")
    assert refused["reason"] == "INSUFFICIENT_SELLABLE"
    assert refused["facts"] == {
        "qty": "300",
        "held": "600",
        "bought_today": "600",
        "reserved_qty": "0",
        "sellable": "0",
    }
    assert "T+1" in refused["detail"]

    town.go_to(world, at(TUESDAY, "09:31"))
    assert alice.desk()["phase"]["market_day"] == TUESDAY
    position = alice.position(ONE)
    assert (position["qty_available"], position["bought_today"]) == ("600", "0")
    assert position["day_start_qty"] == "600"

    # 300 down to 9.98: 100 × 9.99 + 200 × 9.98 = 2995.00, less 5.00, 0.03 and 1.50 of stamp duty.
    sold = alice.placed("sell", 300, ONE, "9.98")
    assert (sold["status"], sold["fees"]) == ("filled", "6.53")
    assert alice.cash() == D("993980.94") + D("2995.00") - D("6.53")
    position = alice.position(ONE)
    # Half of 6019.06 is left, but each fill takes its share rounded down: 1003.17, then 2006.35.
    assert (position["qty"], position["cost_basis"]) == ("300", "3009.54")
    assert D(position["realised"]) == D("2995.00") - D("6.53") - D("1003.17") - D("2006.35")
    # What was bought today is locked again, what was held is not.
    alice.placed("buy", 100, ONE, "10.05")
    assert alice.position(ONE)["qty_available"] == "300"
    alice.placed("sell", 300, ONE, "10.50")
    assert alice.refused("sell", 100, ONE, "10.50")["facts"]["reserved_qty"] == "300"
    assert town.ask_feed(world, op="status")["quarantined"] == {}


def test_the_minimum_commission_is_taken_once_however_often_an_order_is_filled(
    town: Town, world: str, alice: Person, bob: Person
) -> None:
    """Alice wants 300 at 100.00; Bob sells her 100 three times, as three orders.

    Her order is worth 10,000, 20,000, 30,000: F = 5.00, 5.00, 7.50, so she pays 5.00, 0.00, 2.50, and
    0.10 of transfer fee each time. Bob pays 5.00 + 0.10 + 5.00 of stamp duty for each of his.
    """
    bob.placed("buy", 300, DEAR, "100.02")
    town.go_to(world, at("2026-11-04", "09:31"))
    before = bob.cash()
    resting = alice.placed("buy", 300, DEAR, "100.00", time_in_force="gtc")
    assert resting["reserved_cash"] == "30007.80"
    held = []
    for _ in range(3):
        sold = bob.placed("sell", 100, DEAR, "100.00", time_in_force="ioc")
        assert (sold["status"], sold["fees"]) == ("filled", "10.10"), sold
        held.append(alice.sees(resting)["reserved_cash"])
    fills = alice.receipt(resting)["fills"]
    assert [(fill["price"], fill["against"], fill["fee"]) for fill in fills] == [
        ("100.00", "player", "5.10"),
        ("100.00", "player", "0.10"),
        ("100.00", "player", "2.60"),
    ]
    assert held == ["20002.70", "10002.60", "0.00"]  # what the rest may still cost, fees included
    assert alice.balance() == (START - D("30000.00") - D("7.80"), D(0))
    assert bob.cash() == before + D("30000.00") - D("30.30")


def test_at_lunch_the_exchange_takes_no_orders_and_lets_none_go(
    town: Town, world: str, alice: Person
) -> None:
    """SSE trading rules 3.3.1: orders 9:15 to 9:25, 9:30 to 11:30, 13:00 to 15:00."""
    town.go_to(world, at("2026-11-05", "11:00"))
    rests = alice.placed("buy", 100, FOUR, "9.90")
    town.go_to(world, at("2026-11-05", "11:31"), "break")
    closed = alice.refused("buy", 100, FOUR, "10.01")
    assert (closed["reason"], closed["facts"]["phase"]) == ("MARKET_CLOSED", "break"), closed
    assert alice.cancel(rests).status == 422
    town.go_to(world, at("2026-11-05", "13:01"))
    assert alice.sees(rests)["status"] == "new"
    assert alice.cancel(rests).status == 204
    bought = alice.placed("buy", 100, FOUR, "10.01")
    assert (bought["status"], bought["filled_avg_price"]) == ("filled", "10.01")
    assert alice.cash() == START - D("1001.00") - D("5.01")


def test_a_day_order_ends_with_its_day_and_gtc_stays(town: Town, world: str, alice: Person) -> None:
    town.go_to(world, at("2026-11-06", "14:00"))
    day = alice.placed("buy", 100, TWO, "9.50")
    gtc = alice.placed("buy", 100, TWO, "9.50", time_in_force="gtc")
    assert alice.balance() == (START, D("1910.02"))  # twice 950.00 + 5.00 + 0.01
    town.go_to(world, at("2026-11-09", "09:31"))  # over the weekend
    ended = alice.waits_until(day, "expired")  # the exchange hears of the roll a moment after the feed
    assert (ended["status"], ended["reason"]) == ("expired", "DAY_ENDED")
    assert alice.sees(gtc)["status"] == "new"
    assert alice.balance() == (START, D("955.01"))
    assert alice.cancel(gtc).status == 204
    assert alice.balance() == (START, D(0))


def test_the_closing_auction_and_what_comes_after_it(
    town: Town, world: str, alice: Person, bob: Person
) -> None:
    """All meet at 10.00: there 200 are bid and 200 offered; at 10.01 100 more are offered by the market.

    Source: SSE trading rules 3.6.2; fixed-price trading after hours for all A-shares from 2026-07-06.
    """
    town.go_to(world, at("2026-11-09", "14:00"))
    for share in (SIX, TWO, FIVE):
        assert bob.placed("buy", 300, share, "10.05")["status"] == "filled"
    town.go_to(world, at("2026-11-10", "14:58"), "auction_locked")
    buys = alice.placed("buy", 200, SIX, "10.03", time_in_force="cls")
    sells = bob.placed("sell", 200, SIX, "10.00", time_in_force="cls")
    lonely = alice.placed("buy", 100, TWO, "9.50", time_in_force="cls")
    assert [each["status"] for each in (buys, sells, lonely)] == ["new"] * 3
    assert alice.cancel(buys).status == 422  # nothing is taken back in the last three minutes
    assert alice.refused("buy", 100, SIX, time_in_force="opg")["reason"] == "MARKET_CLOSED"

    town.go_to(world, at("2026-11-10", "15:06"), "after_hours")
    for who, order in ((alice, buys), (bob, sells)):
        met = who.waits_until(order, "filled")
        assert (met["filled_qty"], met["filled_avg_price"]) == ("200", "10.00")
    assert alice.waits_until(lonely, "canceled")["reason"] == "AUCTION_ENDED"

    late = alice.placed("buy", 300, FIVE, "10.50")
    assert alice.refused("buy", 100, FIVE)["reason"] == "MARKET_CLOSED"
    dear = bob.placed("sell", 100, FIVE, "10.01")  # the close is not good enough
    gives = bob.placed("sell", 200, FIVE, "9.90")
    assert (gives["status"], gives["filled_avg_price"]) == ("filled", "10.00")
    assert (alice.sees(late)["filled_qty"], bob.sees(dear)["filled_qty"]) == ("200", "0")
    assert alice.receipt(late)["fills"][0]["receipt"]["rule"]["name"] == "after_hours"


def test_the_opening_auction(town: Town, world: str, alice: Person, bob: Person) -> None:
    """300 up to 10.03 against 100 from 9.98: the market gives the rest at 10.02, its second level."""
    town.go_to(world, at("2026-11-11", "14:00"))
    assert bob.placed("buy", 100, SEVEN, "10.05")["status"] == "filled"
    town.go_to(world, at("2026-11-12", "09:16"), "auction")
    buys = alice.placed("buy", 300, SEVEN, "10.03", time_in_force="opg")
    sells = bob.placed("sell", 100, SEVEN, "9.98", time_in_force="opg")
    taken_back = alice.placed("buy", 100, SEVEN, "10.03", time_in_force="opg")
    assert alice.cancel(taken_back).status == 204
    town.go_to(world, at("2026-11-12", "09:31"))
    opened = alice.waits_until(buys, "filled")
    assert opened["filled_avg_price"] == bob.waits_until(sells, "filled")["filled_avg_price"] == "10.02"
    assert alice.refused("buy", 100, SEVEN, "10.01", time_in_force="opg")["reason"] == "MARKET_CLOSED"
