"""Credit, short selling and foreign money on a street whose every price is known (`wall_street`).

Own money to open 50 %, to keep 25 % (short 30 %); interest 7.2 % a year on what is owed and 0.3 % on what is
borrowed, actual / 360. No commission; sells pay the SEC 0.00206 % and FINRA 0.000195 a share.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.scenarios import wall_street
from tests.scenarios.people import D, Person
from tests.scenarios.town import Town, wait_for
from tests.scenarios.wall_street import MONDAY, TUESDAY, WEDNESDAY, at

START = D("1000000.00")


class Street(NamedTuple):
    """Who is there, after what they did on Monday morning."""

    town: Town
    world: str
    alice: Person  # has bought FALL for all that she could borrow
    bob: Person  # is short of FLAT
    carol: Person  # has bought in EUR
    erin: Person  # has bought FALL and ABLE on credit
    dora: Person
    frank: Person

    def by(self, day: str, local: str) -> None:
        """That moment has come; nothing happens where it is past."""
        moment = at(day, local)
        if self.town.ask_feed(self.world, op="status")["phase_at"] < moment:
            self.town.go_to(self.world, moment)


@pytest.fixture(scope="module")
def street(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    slug = wall_street.found(town, tmp_path_factory.mktemp("street"))
    with town.open_world(slug):
        town.go_to(slug, at(MONDAY, "09:33"))
        names = ("Alice", "Bob", "Carol", "Erin", "Dora", "Frank")
        street = Street(town, slug, *(Person(town, name, slug) for name in names))
        street.alice.placed("buy", 19_990, "FALL", "100.01")
        street.bob.placed("sell", 1_000, "FLAT", "99.99")
        street.carol.placed("buy", 100, "BMW", "50.01")
        street.erin.placed("buy", 17_000, "FALL", "100.02")
        street.erin.placed("buy", 2_900, "ABLE", "100.01")
        yield street


@pytest.fixture(autouse=True)
def _the_books_balance(street: Street) -> Iterator[None]:
    yield
    assert street.town.breaks(street.world) == []


def account(who: Person, *names: str) -> list[str]:
    said = who.read("/v2/account")
    return [said[name] for name in names]


def forced(who: Person) -> list[Any]:
    """What the exchange ordered for them, in that order."""
    orders = who.read("/v2/orders?status=all&limit=50&direction=asc")
    return [order for order in orders if order["forced"]]


def told(who: Person, code: str) -> list[Any]:
    return [notice["facts"] for notice in who.desk()["notices"] if notice["code"] == code]


# --- Monday: every kind of order, and what is refused ------------------------------------------------


def test_legs_follow_what_their_entry_has_bought_so_far(street: Street) -> None:
    """Dora bids 100 between the bid and the ask; Frank sells her 40, then 60."""
    dora, frank = street.dora, street.frank
    legs = {"take_profit": {"limit_price": "120.00"}, "stop_loss": {"stop_price": "90.00"}}
    entry = dora.placed("buy", 100, "FALL", "100.00", order_class="bracket", time_in_force="gtc", **legs)
    stand = [(leg["leg"], leg["status"], leg["qty"]) for leg in entry["legs"]]
    assert stand == [("take_profit", "held", "100"), ("stop_loss", "held", "100")]
    frank.placed("sell", 40, "FALL", "100.00")
    take, stop = (dora.sees(leg) for leg in entry["legs"])
    assert [(take["status"], take["qty"]), (stop["status"], stop["qty"])] == [("new", "40"), ("held", "40")]
    frank.placed("sell", 60, "FALL", "100.00")
    assert dora.sees(entry)["status"] == "filled"
    assert [dora.sees(leg)["qty"] for leg in entry["legs"]] == ["100", "100"]
    assert dora.position("FALL")["qty_available"] == "0"  # all of it is on offer


def test_an_amount_of_money_buys_whole_shares_and_half_of_them_are_sold(street: Street) -> None:
    dora = street.dora
    words = {"symbol": "FLAT", "side": "buy", "notional": "1010.00", "type": "market"}
    bought = dora.ask("POST", "/v2/orders", words | {"time_in_force": "day"}).json
    assert (bought["filled_qty"], bought["status"]) == ("10", "filled")  # 10.09 at 100.01
    part = dora.refused("buy", "10.09", "FLAT")
    assert part["errors"] == [{"pointer": "/qty", "detail": "qty: a whole number, without decimals."}]
    assert dora.ask("DELETE", "/v2/positions/FLAT?percentage=50").status == 200
    wait_for(lambda: dora.position("FLAT")["qty"] == "5", "half of them to be sold")


def test_post_only_and_reduce_only_do_no_more_than_they_say(street: Street) -> None:
    frank = street.frank
    crossing = frank.order("buy", 10, "ABLE", "100.01", post_only=True).json
    assert (crossing["status"], crossing["reason"]) == ("canceled", "POST_ONLY")
    rests = frank.placed("buy", 10, "ABLE", "100.00", post_only=True)
    assert rests["status"] == "new"
    assert frank.cancel(rests).status == 204
    assert frank.refused("buy", 10, "ABLE", "100.01", reduce_only=True)["reason"] == "UNSUPPORTED"


def test_an_order_opens_or_closes_and_the_word_for_it_is_a_guard(street: Street) -> None:
    bob = street.bob
    wrong = bob.refused("sell", 10, "FLAT", "99.99", position_intent="sell_to_close")
    assert wrong["reason"] == "POSITION_INTENT"
    assert bob.refused("buy", 1_001, "FLAT", "100.01")["reason"] == "INSUFFICIENT_SELLABLE"


def test_what_is_not_free_is_refused_with_the_figures_that_decided(street: Street) -> None:
    """Half of 10,000.00, and 1.00 that the limit is above the last price."""
    facts = street.alice.refused("buy", 100, "ABLE", "100.01")["facts"]
    assert (facts["needed"], facts["free"]) == ("5001.00", "300.10")
    shown = [facts[name] for name in ("equity", "initial", "maintenance")]
    assert shown == ["999800.10", "999500.00", "499750.00"]


def test_what_a_short_sale_brings_is_collateral_and_buys_nothing(street: Street) -> None:
    """1,000 at 99.99, less 2.06 and 0.20; worth 100.00 each now: equity 999,987.74."""
    bob = street.bob
    shown = account(bob, "cash", "equity", "short_market_value", "initial_margin", "buying_power")
    assert shown == ["1099987.74", "999987.74", "-100000.00", "50000.00", "1899975.48"]
    assert (bob.position("FLAT")["side"], bob.position("FLAT")["qty"]) == ("short", "-1000")


def test_cash_in_two_currencies_is_one_figure(street: Street) -> None:
    """100 at 50.01 EUR are owed, and worth 5,000 EUR; a euro is 1.10 dollars."""
    carol = street.carol
    cash = {row["asset"]: row["posted"] for row in carol.desk()["balances"]}
    assert cash == {"USD": "1000000.00", "EUR": "-5001.00"}
    assert account(carol, "equity") == ["999998.90"]
    assert carol.desk()["portfolio"]["equity"] == "999998.90"


def test_a_gtd_order_ends_at_its_time_in_the_worlds_clock(street: Street) -> None:
    ends = at(MONDAY, "11:00")
    order = street.frank.placed("buy", 10, "ABLE", "90.00", time_in_force="gtd", expires_at=ends)
    assert order["expires_at"] == ends
    street.by(MONDAY, "11:01")
    assert street.frank.waits_until(order, "expired")["reason"] == "TIME_REACHED"


def test_a_stop_trails_the_best_price_by_percent(street: Street) -> None:
    """10 % under 100.00; FALL opens at 66.00 on Tuesday, and so it is sold."""
    grace = Person(street.town, "Grace", street.world)
    grace.placed("buy", 10, "FALL", "101.00")
    words = {"type": "trailing_stop", "trail_percent": "10", "time_in_force": "gtc"}
    stop = grace.placed("sell", 10, "FALL", **words)
    assert (stop["status"], stop["stop_price"], stop["hwm"]) == ("new", "90.00", "100.00")
    assert grace.refused("sell", 10, "FALL", **words)["reason"] == "INSUFFICIENT_SELLABLE"
    street.by(TUESDAY, "09:33")
    assert grace.waits_until(stop, "filled")["filled_avg_price"] == "66.00"


# --- Tuesday: FALL opens at 66.00 --------------------------------------------------------------------


def test_a_night_costs_interest_and_a_loan_of_shares_its_fee(street: Street) -> None:
    """999,199.90 owed at 7.2 %: 199.84. 100,000.00 borrowed at 0.3 %: 0.83."""
    street.by(TUESDAY, "09:33")
    (interest,) = told(street.alice, "INTEREST")
    assert (interest["owed"], interest["days"], interest["amount"]) == (999_199_90, 1, 199_84)
    (fee,) = told(street.bob, "BORROW_FEE")
    assert (fee["symbol"], fee["worth"], fee["amount"]) == ("FLAT", 100_000_00, 83)
    assert account(street.bob, "cash") == ["1099986.91"]


def test_a_stop_loss_sells_at_what_the_market_gives_and_its_take_profit_ends(street: Street) -> None:
    street.by(TUESDAY, "09:33")
    orders = street.dora.read("/v2/orders?status=all&symbols=FALL&limit=10")
    legs = {order["leg"]: order for order in orders if order["leg"]}
    assert (legs["stop_loss"]["status"], legs["stop_loss"]["filled_avg_price"]) == ("filled", "66.00")
    assert (legs["take_profit"]["status"], legs["take_profit"]["reason"]) == (
        "canceled", "LINKED_ORDER_TRIGGERED",
    )  # fmt: skip


def test_alice_is_called_and_told_until_when(street: Street) -> None:
    """19,990 at 66.00 less 999,399.74: 319,940.26; a quarter of their worth is 329,835.00."""
    street.by(TUESDAY, "09:33")
    alice = street.alice
    names = ("equity", "maintenance_margin", "margin_call_until")
    assert account(alice, *names) == ["319940.26", "329835.00", at(TUESDAY, "10:03")]
    assert told(alice, "MARGIN_CALL")[0]["equity"] == 319_940_26
    alice.placed("sell", 100, "FALL", "150.00", time_in_force="gtc")


def test_a_call_not_met_cancels_her_orders_and_sells_just_enough(street: Street) -> None:
    """339,729.74 are missing to the 33.00 a share that opening asks: 10,294.8 shares, at 66.00; and what
    selling them costs: 10,296. They bring 679,536.00, less 14.00 and 2.01.
    """
    street.by(TUESDAY, "10:05")
    alice = street.alice
    (order,) = wait_for(lambda: forced(alice), "the forced order")
    assert (order["side"], order["filled_qty"], order["filled_avg_price"]) == ("sell", "10296", "66.00")
    assert "was not met in time" in order["forced"]
    assert alice.receipt(order)["receipt"]["rule"]["name"] == "margin"
    (resting,) = [one for one in alice.desk()["orders"] if one["limit_price"] == "150.00"]
    assert (resting["status"], resting["reason"]) == ("canceled", "MARGIN_CALL")
    assert account(alice, "cash", "margin_call_until") == ["-319879.75", None]


def test_a_short_position_is_covered(street: Street) -> None:
    street.by(TUESDAY, "10:05")
    bob = street.bob
    bought = bob.placed("buy", 1_000, "FLAT", "100.01")
    assert (bought["status"], bought["position_intent"]) == ("filled", "buy_to_close")
    assert account(bob, "cash") == ["999976.91"]
    assert bob.position("FLAT")["qty"] == "0"


# --- Wednesday: FALL opens at 57.00, a euro costs 1.20 -----------------------------------------------


def test_the_position_that_asks_the_most_margin_is_reduced_first(street: Street) -> None:
    """ABLE comes first by name, FALL asks the most: 17,000 x 57.00 x 25 %. ABLE is left alone."""
    street.by(WEDNESDAY, "09:33")
    assert told(street.erin, "MARGIN_CALL")
    street.by(WEDNESDAY, "10:05")
    (first,) = wait_for(lambda: forced(street.erin), "the forced order")
    assert (first["symbol"], first["side"], first["status"]) == ("FALL", "sell", "filled")
    assert D(first["filled_qty"]) > 12_000
    equity, initial = account(street.erin, "equity", "initial_margin")
    assert D(initial) <= D(equity) < D(initial) + 29  # what one share less would have left


def test_the_one_figure_follows_the_rate(street: Street) -> None:
    """Two nights at 1.00 EUR each; 5,003.00 EUR owed, 5,000.00 EUR held: 3.00 x 1.20 are missing."""
    street.by(WEDNESDAY, "09:33")
    wait_for(lambda: account(street.carol, "equity") == ["999996.40"], "the rate of this morning")
    assert street.carol.desk()["portfolio"]["equity"] == "999996.40"
