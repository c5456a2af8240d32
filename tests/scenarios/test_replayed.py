"""Trading on what was really recorded: a Binance connection, SHFE rebar ticks, LOBSTER order messages.

Every fill is looked up in the feed's write-ahead log: what was taken was displayed at that moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import pytest

from market.ticks import Print, Quote
from simgame.kernel.clock import NS_PER_S, parse_rfc3339
from tests.scenarios.people import D, Person
from tests.scenarios.town import Town, wait_for

FAST = 50


class Place(NamedTuple):
    """A recorded world, one instrument of it, and what trading there costs."""

    recording: str
    symbol: str
    qty: int
    lot: int
    multiplier: int
    price_exponent: int
    cent: Decimal
    commission: Decimal  # of the value
    each: Decimal = D(0)  # for each share
    least: Decimal = D(0)
    duty: Decimal = D(0)  # of the value of sells
    taf: Decimal = D(0)  # for each share sold
    contract: bool = False  # nothing is paid for it: what it won or lost is settled
    slug: str = ""

    def fee(self, side: str, value: Decimal, qty: Decimal) -> Decimal:
        lines = [max(self.rounded(value * self.commission + qty * self.each), self.least)]
        lines += [self.rounded(value * self.duty), self.rounded(qty * self.taf)] if side == "sell" else []
        return sum(lines, D(0))

    def rounded(self, amount: Decimal) -> Decimal:
        return amount.quantize(self.cent, ROUND_HALF_UP)

    def worth(self, fills: list[Any]) -> Decimal:
        return sum((D(fill["price"]) * D(fill["qty"]) * self.multiplier for fill in fills), D(0))


REBAR = Place("rb1910", "rb1910", 2, 1, 10, 0, D("0.01"), D("0.0001"), contract=True)
PLACES = [
    Place("binance", "NKNUSDT", 5000, 10, 1, 4, D("0.00000001"), D("0.001")),
    REBAR,
    # 2012-06-21: 0.005 a share, at least 1.00; SEC 22.40 a million and FINRA 0.000095 a share sold.
    Place(
        *("lobster", "AAPL", 300, 10, 1, 4, D("0.01"), D(0)),
        *(D("0.005"), D("1.00"), D("0.0000224"), D("0.000095")),
    ),
]


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: place.recording)
def place(town: Town, request: pytest.FixtureRequest) -> Iterator[Place]:
    found = request.param
    slug = town.slugs.get(found.recording)
    if slug is None:
        pytest.skip(f"the recording {found.recording} is not beside the checkout (../shared/data)")
    with town.open_world(slug):
        if found.recording == "rb1910":  # it begins long before the venue opens
            town.go_to(slug, "2019-06-10T01:30:00.000000Z")
        wait_for(lambda: found.symbol in town.quotes(slug), f"a quote of {found.symbol}")
        yield found._replace(slug=slug)


@pytest.fixture(scope="module")
def alice(town: Town, place: Place) -> Person:
    return Person(town, "Alice", place.slug)


@pytest.fixture(autouse=True)
def _the_books_balance(town: Town, place: Place) -> Iterator[None]:
    yield
    assert town.breaks(place.slug) == []


def was_there(town: Town, place: Place, receipt: Any) -> None:
    """No fill took more than was displayed or printed at that moment, nor at another price."""
    written = {tick.seq: tick for tick in town.written_ahead(place.slug)}
    assert receipt["fills"], receipt
    taken: Counter[tuple[int, Decimal]] = Counter()
    for fill in receipt["fills"]:
        assert fill["against"] == "market"
        why = fill["receipt"]
        if "print" in why:
            tick = written[why["print"]["seq"]]
            assert isinstance(tick, Print)
            assert D(fill["qty"]) <= tick.size
            continue
        quote = written[why["quote"]["seq"]]
        assert isinstance(quote, Quote)
        side = quote.asks if fill["side"] == "buy" else quote.bids
        shown = {D(price).scaleb(-place.price_exponent): size for price, size in side}
        for level in why["levels"]:
            price = D(level["price"])
            taken[quote.seq, price] += int(level["taken"])
            assert taken[quote.seq, price] <= shown[price], (level, side)


def test_alice_buys_and_sells_what_was_really_there(town: Town, place: Place, alice: Person) -> None:
    start = alice.cash()
    bought = alice.receipt(alice.placed("buy", place.qty, place.symbol))
    was_there(town, place, bought)
    paid = place.worth(bought["fills"])
    held = bought["order"]["filled_qty"]
    fee = place.fee("buy", paid, D(held))
    assert alice.cash() == start - fee - (D(0) if place.contract else paid)
    assert alice.position(place.symbol)["qty"] == held
    if not place.contract:
        assert D(alice.position(place.symbol)["cost_basis"]) == paid + fee

    sold = alice.receipt(alice.placed("sell", held, place.symbol))
    was_there(town, place, sold)
    got = place.worth(sold["fills"])
    fee += place.fee("sell", got, D(held))
    assert alice.balance() == (start - paid + got - fee, D(0))


def test_at_fifty_times_the_speed_it_is_still_what_was_there(town: Town, place: Place, alice: Person) -> None:
    told = town.steer(place.slug, speed=FAST)
    assert told["speed"] == FAST
    before = town.ask_feed(place.slug, op="status")
    for side in ("buy", "sell", "buy", "sell"):
        was_there(town, place, alice.receipt(alice.placed(side, place.lot, place.symbol)))
    now = wait_for(lambda: later_than(town, place, before), "the world's clock to run")
    assert now["speed"] == FAST
    assert alice.position(place.symbol)["qty"] == "0"
    town.steer(place.slug, speed=1)


def later_than(town: Town, place: Place, before: dict[str, Any]) -> dict[str, Any] | None:
    """The feed's status once a minute has passed in the world."""
    now = town.ask_feed(place.slug, op="status")
    passed = parse_rfc3339(now["world_time"]) - parse_rfc3339(before["world_time"])
    return now if passed >= 60 * NS_PER_S else None


def test_while_the_world_is_paused_orders_rest_and_nothing_fills(
    town: Town, place: Place, alice: Person
) -> None:
    town.steer(place.slug, paused=True)
    wait_for(lambda: town.ask_feed(place.slug, op="status")["phase"] == "paused", "the pause")
    town.in_step(place.slug)
    refused = alice.refused("buy", place.lot, place.symbol)
    assert (refused["reason"], refused["facts"]["phase"]) == ("MARKET_CLOSED", "paused"), refused
    ask = D(alice.read(f"/api/v1/depth/{place.symbol}?world={place.slug}")["asks"][-1][0])
    generous = (ask * D("1.02")).quantize(D(1).scaleb(-min(place.price_exponent, 2)))
    waits = alice.placed("buy", place.lot, place.symbol, generous, time_in_force="gtc")
    assert alice.receipt(waits)["receipt"]["waits"] == "phase"
    fills = len(alice.desk()["fills"])
    stood = town.ask_feed(place.slug, op="status")["world_time"]
    beats = town.ask_feed(place.slug, op="status")["seq"] + 2  # two more seconds of wall time
    wait_for(lambda: town.ask_feed(place.slug, op="status")["seq"] >= beats, "the feed to beat")
    town.in_step(place.slug)
    assert town.ask_feed(place.slug, op="status")["world_time"] == stood
    assert (alice.sees(waits)["status"], len(alice.desk()["fills"])) == ("new", fills)

    resumed = town.steer(place.slug, paused=False)
    assert resumed["paused"] is False
    filled = alice.receipt(alice.waits_until(waits, "filled"))
    assert D(filled["order"]["filled_avg_price"]) <= generous
    was_there(town, place, filled)


@pytest.mark.parametrize("place", [REBAR], indirect=True, ids=["rb1910"])
def test_a_contract_held_over_night_is_settled_at_the_days_average(
    town: Town, place: Place, alice: Person
) -> None:
    """The recording has no settlement price: it is what the feed's own log says was traded, by volume."""
    alice.receipt(alice.placed("buy", place.qty, place.symbol))
    held, cash = alice.position(place.symbol), alice.cash()
    day = int(town.ask_feed(place.slug, op="status")["market_day"].replace("-", ""))
    town.go_to(place.slug, "2019-06-10T01:05:00.000000Z")  # back is into the next lap: the next market day
    wait_for(lambda: any(each["code"] == "SETTLED" for each in alice.desk()["notices"]), "the settlement")
    value, volume = town.traded_on(place.slug, day)
    average = (D(value) / D(volume)).quantize(D(1), ROUND_HALF_UP)
    worth = average * D(held["qty"]) * place.multiplier

    def told() -> str | None:  # the exchange hears the feed before Redis does
        return alice.read(f"/api/v1/quotes?world={place.slug}")["quotes"][place.symbol]["settlement"]

    assert D(wait_for(told, "the settlement price")) == average
    assert alice.cash() == cash + worth - D(held["cost_basis"])
    assert D(alice.position(place.symbol)["cost_basis"]) == worth
