"""Orders as many people send them: buys and sells, at prices of now. Pure.

Prices of the first second would be the market's for some seconds only: it moves away, what was to fill waits,
and the quote that comes back fills thousands at once.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

FAR_PERCENT, NEAR_PERCENT = 5, 1  # away from the market, and into it
CENTS: Final = 100
SIDES: Final = ("buy", "sell")


class Offer(NamedTuple):
    """Prices of an instrument by side: one that can fill and one that rests, inside the day's limits."""

    symbol: str
    reaches: dict[str, str]
    rests: dict[str, str]


def offer(quote: dict[str, Any]) -> Offer | None:
    """From a row of /api/v1/quotes; None while a side of the market is empty."""
    if not quote["bid"] or not quote["ask"]:
        return None
    bid, ask = cents(quote["bid"]), cents(quote["ask"])
    least = cents(quote["limit_low"]) if quote["limit_low"] else 1
    most = cents(quote["limit_high"]) if quote["limit_high"] else ask * 2
    reaches = {"buy": ask * (100 + NEAR_PERCENT) // 100, "sell": bid * (100 - NEAR_PERCENT) // 100}
    rests = {"buy": bid * (100 - FAR_PERCENT) // 100, "sell": ask * (100 + FAR_PERCENT) // 100}
    within = [{side: text(min(max(each[side], least), most)) for side in SIDES} for each in (reaches, rests)]
    return Offer(quote["symbol"], *within)


def nth(n: int, offers: list[Offer], marketable: int) -> tuple[str, str, str]:
    """Symbol, side and limit price of the n-th order: one instrument after the other, round by round buys
    and sells; `marketable` percent of them can fill."""
    one, side = offers[n % len(offers)], SIDES[n // len(offers) % 2]
    prices = one.reaches if n * 37 % 100 < marketable else one.rests
    return one.symbol, side, prices[side]


def body(n: int, offers: list[Offer], question: dict[str, Any]) -> bytes:
    """The n-th order of a run as JSON. Without offers it is a buy at the question's own prices."""
    orders, marketable = question["orders"], question["marketable"]
    if offers:
        symbol, side, price = nth(n, offers, marketable)
    else:
        order = orders[n % len(orders)]
        symbol, side, price = order["symbol"], "buy", order["high" if n * 37 % 100 < marketable else "low"]
    return (
        f'{{"symbol":"{symbol}","qty":"100","side":"{side}","type":"limit","time_in_force":"day",'
        f'"limit_price":"{price}","client_order_id":"{question["run"]}-{n}"}}'
    ).encode()


def cents(price: str) -> int:
    whole, _, part = price.partition(".")
    return int(whole) * CENTS + int(f"{part:0<2}"[:2])


def text(price: int) -> str:
    return f"{price // CENTS}.{price % CENTS:02d}"
