"""Parts of a coin, to the millionth: bought by quantity and for an amount of money, sold by halves.

The coin stands at 59,999.99 / 60,000.01 all day (`coins`). A trade costs 0.1 %, at least a cent; what it
moves is rounded down to the cent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.scenarios import coins
from tests.scenarios.coins import SYMBOL
from tests.scenarios.people import D, Person
from tests.scenarios.town import MANAGE, Town

BUY = {"symbol": SYMBOL, "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.fixture(scope="module")
def world(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    slug = town.seed(f"replay:{coins.record(tmp_path_factory.mktemp('coins'))}@{coins.DAYS[1]}")
    with town.open_world(slug):
        town.go_to(slug, f"{coins.DAYS[1]}T10:00:00.000000Z")
        yield slug


@pytest.fixture
def mia(town: Town, world: str) -> Iterator[Person]:
    """She begins with a million dollars."""
    yield Person(town, "Mia", world)
    assert town.breaks(world) == []


def sold(mia: Person, asked: str) -> Any:
    answer = mia.ask("DELETE", f"/v2/positions/{SYMBOL}{asked}")
    assert answer.status == 200, answer
    return {name: answer.json[name] for name in ("status", "filled_qty", "filled_avg_price", "fees")}


def receipts(town: Town, world: str) -> Any:
    said = town.run([*MANAGE, "verify_receipts", "--world", world, "--format", "json"])
    return msgspec.json.decode(said.stdout)


def test_parts_of_a_coin_are_bought_shown_and_sold_to_the_last(town: Town, world: str, mia: Person) -> None:
    by_quantity = mia.placed("buy", "0.015", SYMBOL)
    for_money = mia.ask("POST", "/v2/orders", BUY | {"notional": "900.03"}).json  # 0.0150005, in millionths
    said = [(order["filled_qty"], order["notional"], order["fees"]) for order in (by_quantity, for_money)]
    assert said == [("0.015", None, "0.90"), ("0.015", "900.03", "0.90")]
    assert mia.cash() == D("1000000.00") - 2 * (D("900.00") + D("0.90"))

    ours, theirs = mia.position(SYMBOL), mia.read(f"/v2/positions/{SYMBOL}")
    assert [(row["qty"], row["avg_entry_price"], row["cost_basis"]) for row in (ours, theirs)] == [
        ("0.03", "60060.00", "1801.80")
    ] * 2
    assert (theirs["market_value"], theirs["unrealized_pl"]) == ("1800.00", "-1.80")
    receipt = mia.receipt(for_money)["receipt"]
    assert [(level["size"], level["taken"]) for level in receipt["levels"]] == [("999.985", "0.015")]
    asset = mia.read(f"/v2/assets/{SYMBOL}")
    assert (asset["fractionable"], asset["min_trade_increment"]) == (True, "0.000001")
    assert mia.read("/v2/account/configurations")["fractional_trading"] is True

    half = {"status": "filled", "filled_qty": "0.015", "filled_avg_price": "59999.99", "fees": "0.90"}
    assert [sold(mia, "?percentage=50"), sold(mia, "")] == [half, half]
    assert mia.get(f"/v2/positions/{SYMBOL}").status == 404
    assert mia.position(SYMBOL)["realised"] == "-3.62"
    assert mia.balance() == (D("999996.38"), D("0.00"))
    report = receipts(town, world)
    assert report["mistakes"] == 0
    assert report["worlds"][0]["fills"] >= 4


def test_what_is_too_small_is_refused_and_nothing_is_had_for_less_than_a_cent(mia: Person) -> None:
    finer = mia.order("buy", "0.0000001", SYMBOL).json
    assert (finer["reason"], finer["detail"]) == ("INVALID", "qty: more than 6 decimals.")
    too_little = mia.ask("POST", "/v2/orders", BUY | {"notional": "0.05"}).json
    assert (too_little["reason"], too_little["facts"]) == (
        "BAD_QTY_OR_LOT", {"notional": "0.05", "lot": "0.000001"},
    )  # fmt: skip
    assert mia.placed("buy", "0.000001", SYMBOL)["fees"] == "0.01"
    assert mia.cash() == D("1000000.00") - D("0.06") - D("0.01")
    assert sold(mia, "?percentage=100")["fees"] == "0.01"  # 0.05 are left of 0.06
    assert mia.cash() == D("1000000.00") - D("0.07") + D("0.04")
