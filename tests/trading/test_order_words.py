"""The words of an order: which go together, and the field that each refusal names. Pure."""

from __future__ import annotations

import json

import pytest

from simgame.kernel.errors import SimGameError
from trading.engine.commands import Leg, Terms
from trading.gateway import parse
from trading.gateway.bodies import Change, Wanted
from trading.messages import Scale

SHARE = Scale("SHARE", "u", "CNY", 2, 0, 1, "us_equity")
BUY = {"symbol": "SHARE", "side": "buy", "type": "limit", "qty": "100", "limit_price": "10.00"}
SELL = BUY | {"side": "sell"}
PROFIT, LOSS = {"limit_price": "11.00"}, {"stop_price": "9.50"}
LATER = "2026-11-06T15:00:00+08:00"
FIVE = 1_793_948_400_000_000_000  # the same instant


def without(fields: dict, *names: str) -> dict:
    return {name: value for name, value in fields.items() if name not in names}


MARKET = without(BUY, "limit_price") | {"type": "market"}
STOP = without(SELL, "limit_price") | {"type": "stop"}
TRAIL = without(SELL, "limit_price") | {"type": "trailing_stop"}
BRACKET = BUY | {"order_class": "bracket", "take_profit": PROFIT, "stop_loss": LOSS}
OCO = SELL | {"order_class": "oco", "limit_price": "11.00", "stop_loss": LOSS}


def read(fields: dict) -> Wanted:
    return parse.wanted(parse.order_body(json.dumps(fields).encode()), SHARE)


GOOD = {
    "plain": (BUY, None),
    "all said, nothing asked": (
        BUY | {"order_class": "simple", "post_only": False, "extended_hours": False},
        None,
    ),
    "stop": (STOP | {"stop_price": "9.5"}, Terms(stop_price=950)),
    "stop by quote": (
        STOP | {"stop_price": 9.5, "fired_by": "quote"},
        Terms(stop_price=950, fired_by="quote"),
    ),
    "stop limit": (SELL | {"type": "stop_limit", "stop_price": "9.80"}, Terms(stop_price=980)),
    "trail price": (TRAIL | {"trail_price": "0.30"}, Terms(trail_price=30)),
    "trail percent": (TRAIL | {"trail_percent": "2.5"}, Terms(trail_ppb=25_000_000)),
    "gtd": (BUY | {"time_in_force": "gtd", "expires_at": LATER}, Terms(expire_ns=FIVE)),
    "opg": (BUY | {"time_in_force": "opg"}, None),
    "cls at market": (MARKET | {"time_in_force": "cls"}, None),
    "post only": (BUY | {"post_only": True}, Terms(post_only=True)),
    "reduce only": (SELL | {"reduce_only": True}, Terms(reduce_only=True)),
    "notional": (without(MARKET, "qty") | {"notional": "2500"}, Terms(notional=250_000)),
    "bracket": (
        BRACKET,
        Terms(order_class="bracket", take_profit=Leg("", "", 1100), stop_loss=Leg("", "", None, 950)),
    ),
    "bracket at market": (
        without(BRACKET, "limit_price") | {"type": "market"},
        Terms(order_class="bracket", take_profit=Leg("", "", 1100), stop_loss=Leg("", "", None, 950)),
    ),
    "oto": (
        BUY | {"order_class": "oto", "stop_loss": LOSS | {"limit_price": "9.40"}},
        Terms(order_class="oto", stop_loss=Leg("", "", 940, 950)),
    ),
    "oco": (OCO, Terms(order_class="oco", stop_loss=Leg("", "", None, 950))),
    "oco as alpaca has it": (
        without(OCO, "limit_price") | {"take_profit": PROFIT},
        Terms(order_class="oco", stop_loss=Leg("", "", None, 950)),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_it_reads(name):
    fields, terms = GOOD[name]
    assert read(fields).terms == terms


def test_an_ocos_price_is_that_of_its_take_profit():
    assert read(GOOD["oco as alpaca has it"][0]).limit_price == 1100


BAD = {
    "stop without its price": (STOP, "/stop_price", "waits for one"),
    "stop price of a limit": (BUY | {"stop_price": "9"}, "/stop_price", "only stop"),
    "stop limit without limit": (
        without(SELL, "limit_price") | {"type": "stop_limit", "stop_price": "9"}, "/limit_price", "needs one",
    ),
    "limit of a stop": (SELL | {"type": "stop", "stop_price": "9"}, "/limit_price", "has none"),
    "limit of a market": (BUY | {"type": "market"}, "/limit_price", "has none"),
    "stop price of a trail": (TRAIL | {"trail_price": "1", "stop_price": "9"}, "/stop_price", "only stop"),
    "trail without distance": (TRAIL, "/trail_price", "one of the two"),
    "two trails": (TRAIL | {"trail_price": "1", "trail_percent": "1"}, "/trail_price", "one of the two"),
    "trail of a limit": (BUY | {"trail_percent": "1"}, "/trail_percent", "only trailing_stop"),
    "trail of everything": (TRAIL | {"trail_percent": "100"}, "/trail_percent", "below 100"),
    "trail of nothing": (TRAIL | {"trail_percent": "0"}, "/trail_percent", "more than zero"),
    "too exact a trail": (TRAIL | {"trail_percent": "0.123456789"}, "/trail_percent", "decimals"),
    "stop now": (STOP | {"stop_price": "9", "time_in_force": "ioc"}, "/time_in_force", "day, gtc or gtd"),
    "stop at the opening": (STOP | {"stop_price": "9", "time_in_force": "opg"}, "/time_in_force", "waits"),
    "gtd till when": (BUY | {"time_in_force": "gtd"}, "/expires_at", "says when"),
    "a day till when": (BUY | {"expires_at": LATER}, "/expires_at", "only gtd"),
    "till teatime": (BUY | {"time_in_force": "gtd", "expires_at": "teatime"}, "/expires_at", "an instant"),
    "till a date": (BUY | {"time_in_force": "gtd", "expires_at": "2026-11-06"}, "/expires_at", "an instant"),
    "till the year 9999": (
        BUY | {"time_in_force": "gtd", "expires_at": "9999-01-01T00:00:00Z"}, "/expires_at", "an instant",
    ),
    "fok and opg": (BUY | {"time_in_force": "fok,opg"}, "/time_in_force", "one of day"),
    "post-only at market": (MARKET | {"post_only": True}, "/post_only", "only a limit order"),
    "post-only ioc": (BUY | {"post_only": True, "time_in_force": "ioc"}, "/post_only", "may rest"),
    "qty and notional": (MARKET | {"notional": "5"}, "/notional", "not both"),
    "no qty": (without(BUY, "qty"), "/qty", "required"),
    "notional stop": (
        without(STOP, "qty") | {"stop_price": "9", "notional": "50"}, "/notional", "say qty",
    ),
    "notional bracket": (without(BRACKET, "qty") | {"notional": "5000"}, "/notional", "has a qty"),
    "half a cent": (without(MARKET, "qty") | {"notional": "50.005"}, "/notional", "decimals"),
    "legs of a simple": (BUY | {"take_profit": PROFIT}, "/order_class", "bracket, oto or oco"),
    "bracket without profit": (without(BRACKET, "take_profit"), "/take_profit", "both legs"),
    "bracket without loss": (without(BRACKET, "stop_loss"), "/stop_loss", "stop_price"),
    "bracket ioc": (BRACKET | {"time_in_force": "ioc"}, "/time_in_force", "day, gtc or gtd"),
    "bracket of a stop": (
        without(BRACKET, "limit_price") | {"type": "stop", "stop_price": "10"}, "/type", "market or limit",
    ),
    "profit below the price": (
        BRACKET | {"take_profit": {"limit_price": "9.99"}}, "/take_profit/limit_price",
        "above the order's price, 10.00",
    ),
    "loss above the price": (
        BRACKET | {"stop_loss": {"stop_price": "10.00"}}, "/stop_loss/stop_price", "below the order's price",
    ),
    "legs crossed, at market": (
        without(BRACKET, "limit_price") | {"type": "market", "stop_loss": {"stop_price": "12"}},
        "/stop_loss/stop_price", "below the take profit's price, 11.00",
    ),
    "loss without stop": (
        BRACKET | {"stop_loss": {"limit_price": "9"}}, "/stop_loss/stop_price", "which price",
    ),
    "profit without price": (BRACKET | {"take_profit": {}}, "/take_profit/limit_price", "which price"),
    "unknown word in a leg": (BRACKET | {"stop_loss": LOSS | {"qty": 5}}, "/stop_loss", "unknown"),
    "leg of text": (BRACKET | {"take_profit": "11"}, "/take_profit", "Expected"),
    "oto with both": (BRACKET | {"order_class": "oto"}, "/take_profit", "one leg"),
    "oto with none": (BUY | {"order_class": "oto"}, "/take_profit", "one leg"),
    "oco without loss": (without(OCO, "stop_loss"), "/stop_loss", "needs one"),
    "oco at market": (without(OCO, "limit_price") | {"type": "market"}, "/type", "a limit order"),
    "oco with two prices": (OCO | {"take_profit": {"limit_price": "12"}}, "/take_profit/limit_price", "once"),
    "oco stop above": (OCO | {"stop_loss": {"stop_price": "11.50"}}, "/stop_loss/stop_price", "below"),
    "unknown class": (BUY | {"order_class": "ladder"}, "/order_class", "one of simple"),
    "options": (BUY | {"legs": []}, "/legs", "several instruments"),
    "extended hours": (BUY | {"extended_hours": True}, "/extended_hours", "market hours"),
    "fired by rumour": (STOP | {"stop_price": "9", "fired_by": "rumour"}, "/fired_by", "one of print"),
    "fired without stop": (BUY | {"fired_by": "quote"}, "/fired_by", "stop"),
    "a leg's name": (BUY | {"client_order_id": "leg-1"}, "/client_order_id", "those of legs"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_it_refuses(name):
    fields, pointer, words = BAD[name]
    with pytest.raises(SimGameError) as refused:
        read(fields)
    assert refused.value.status == 422
    assert refused.value.pointer.startswith(pointer)
    assert words in refused.value.detail


def change(by_percent: bool = False, **fields) -> Change:
    return parse.change(parse.replace_body(json.dumps(fields).encode()), SHARE, by_percent=by_percent)


def test_a_change_of_terms():
    assert change(stop_price="9.10").stop_price == 910
    assert (change(trail="0.50").trail_price, change(True, trail="0.5").trail_ppb) == (50, 5_000_000)
    assert change(time_in_force="gtd", expires_at=LATER).expire_ns == FIVE
    assert not change(qty="5").has_terms


def test_a_change_of_nothing():
    with pytest.raises(SimGameError, match="Say what to change"):
        change()
