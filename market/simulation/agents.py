"""Who acts in one instrument: news, value, momentum and noise traders, patient ones, market makers.

`act` is called when something happens in an instrument; between two calls its book stands still. One
kind acts, then the makers tend the book:

* **news**: right after news somebody who knows takes the stale depth, in size.
* **value**: knows what it is worth; takes when the book is on the wrong side of that, else waits there.
* **momentum**: follows a move that is larger than the spread.
* **noise**: takes at random; leans to where the mood and the last trades point.
* **patient**: places or cancels a limit order at, behind or inside the touch.
* **makers** keep LADDER prices a side around their view, pushed by what was taken from them. They take
  what others leave on the wrong side of their prices, cancel what has become too good or too far, and
  do not fill a price again that was eaten in the same moment.
"""

from __future__ import annotations

from typing import Final

from market.simulation import chance
from market.simulation.auction import Cross, cross_of
from market.simulation.orders import Deal
from market.simulation.stock import FAIR_SCALE, Stock

LADDER: Final = 8  # prices a side that makers keep; DEPTH of them are shown
SPARED_MAX: Final = 2  # eaten prices that wait: LADDER less these is still more than is shown
KEPT: Final = 16  # in the makers' distance: deeper orders go
IN_AUCTION_MAX: Final = 40  # orders in an auction, likewise
PATIENT_MAX: Final = 14  # orders of others: the oldest goes when there are more
SPREAD_EVER: Final = 24
WORTHY: Final = 2  # spreads: a move that momentum follows
_VALUE, _NEWS, _MOMENTUM, _NOISE = 44, 68, 92, 152  # of 256: up to here they act, the rest is patient


def act(stock: Stock, step: int, dice: chance.Dice) -> list[Deal]:
    """Somebody acts, then the makers tend the book. Returns the trades, in order."""
    book, fair = stock.book, stock.fair // FAIR_SCALE
    roll = dice.getrandbits(8)
    bid, ask = book.best_bid(), book.best_ask()
    wrong = ("buy" if ask and fair > ask else "sell" if bid and fair < bid else "") if roll < _NEWS else ""
    if wrong:
        in_the_know = abs(stock.fair - stock.view) * 200 > stock.view  # the makers are half a percent behind
        deals = _take(stock, wrong, stock.size(dice, 900 if in_the_know else 500), fair)
    elif roll < _VALUE:
        deals = []
        _wait_at(stock, step, dice, fair, bid, ask)
    elif roll < _MOMENTUM and abs(stock.trend) > WORTHY * stock.spread() * FAIR_SCALE:
        deals = _market_order(stock, "buy" if stock.trend > 0 else "sell", stock.size(dice, 160), bid, ask)
    elif roll < _NOISE:
        deals = _noise(stock, dice, bid, ask)
    else:
        deals = []
        _patience(stock, step, dice, bid, ask)
    spared = [(deal.side, deal.price) for deal in deals[:SPARED_MAX]]
    return deals + tend(stock, step, dice, spared)


def _take(stock: Stock, side: str, size: int, limit: int) -> list[Deal]:
    deals = stock.book.take(side, size, limit)
    if deals:
        stock.last = deals[-1].price
        stock.press(side, sum(deal.size for deal in deals))
    return deals


def _market_order(stock: Stock, side: str, size: int, bid: int, ask: int) -> list[Deal]:
    """Goes three usual spreads into the book, no further."""
    reach = 3 * stock.spread()
    return _take(stock, side, size, ask + reach if side == "buy" else bid - reach)


def _noise(stock: Stock, dice: chance.Dice, bid: int, ask: int) -> list[Deal]:
    lean = stock.mood.lean + (14 if stock.trend > 0 else -14 if stock.trend < 0 else 0)
    side = "buy" if dice.getrandbits(8) < 128 + lean else "sell"
    return _market_order(stock, side, stock.size(dice, 150), bid, ask)


def _wait_at(stock: Stock, step: int, dice: chance.Dice, fair: int, bid: int, ask: int) -> None:
    """An order where it is worth it, if that does not cross."""
    buys = bool(dice.getrandbits(1))
    price = fair - 1 if buys else fair + 1
    if buys and ask:
        price = min(price, ask - 1)
    elif not buys and bid:
        price = max(price, bid + 1)
    _place(stock, step, price, stock.size(dice, 220), buys=buys)


def _patience(stock: Stock, step: int, dice: chance.Dice, bid: int, ask: int) -> None:
    buys = bool(dice.getrandbits(1))
    where = dice.getrandbits(3)
    if where >= 3:
        others = stock.book.of_others()
        if others:
            stock.book.cancel(others[-1 - min(dice.getrandbits(2), len(others) - 1)])
        return
    best = bid if buys else ask
    if not best:
        return
    if where == 0 and bid and ask and ask - bid > 1:  # step in front of everybody
        price = bid + 1 if buys else ask - 1
    else:
        price = best - where if buys else best + where
    _place(stock, step, price, stock.size(dice, 260), buys=buys)


def _place(stock: Stock, step: int, price: int, size: int, *, buys: bool) -> None:
    """At a price that the makers' own next prices do not reach: else it would be gone before it is seen."""
    top_bid, top_ask, _ = prices(stock)
    price = min(price, top_ask - 1) if buys else max(price, top_bid + 1)
    if not stock.limit_low <= price <= stock.limit_high:
        return
    stock.book.place(price, size, step, buys=buys, maker=False)
    others = stock.book.of_others()
    for order in others[: max(len(others) - PATIENT_MAX, 0)]:
        stock.book.cancel(order)


# --- makers ---------------------------------------------------------------------------------------


def prices(stock: Stock) -> tuple[int, int, int]:
    """The makers' best bid and ask, and the distance of their prices."""
    spread = min(max(stock.spread() * stock.mood.spread // 1000, 1), SPREAD_EVER)
    around = stock.view + stock.pressure
    top_bid = (2 * around - spread * FAIR_SCALE + FAIR_SCALE) // (2 * FAIR_SCALE)
    top_bid = min(max(top_bid, stock.limit_low - spread), stock.limit_high)  # stuck at the limit
    return top_bid, top_bid + spread, (spread + 1) // 2


def tend(stock: Stock, step: int, dice: chance.Dice, eaten: list[tuple[str, int]]) -> list[Deal]:
    """The makers' turn; `eaten`: (side of the taker, price), at most SPARED_MAX, not filled again yet."""
    book = stock.book
    top_bid, top_ask, rung = prices(stock)
    deals: list[Deal] = []
    low, high = stock.limit_low, stock.limit_high
    _withdraw(stock, top_bid, top_ask, KEPT * rung)
    if (ask := book.best_ask()) and ask <= top_bid:
        deals = _sweep(stock, "buy", min(top_bid, high))
    elif (bid := book.best_bid()) and bid >= top_ask:
        deals = _sweep(stock, "sell", max(top_ask, low))
    bids, asks = book.bids, book.asks
    _renew(stock, top_bid, top_ask, rung, dice)
    share = 8 * stock.mood.depth // 10
    for n in range(LADDER):
        bid, ask = top_bid - n * rung, top_ask + n * rung
        if low <= bid <= high and bid not in bids and ("sell", bid) not in eaten:
            book.place(bid, stock.size(dice, share + 15 * n), step, buys=True, maker=True)
        if low <= ask <= high and ask not in asks and ("buy", ask) not in eaten:
            book.place(ask, stock.size(dice, share + 15 * n), step, buys=False, maker=True)
    return deals


def _renew(stock: Stock, top_bid: int, top_ask: int, rung: int, dice: chance.Dice) -> None:
    """Makers cancel at one of their prices, to quote another size there."""
    n, buys = dice.getrandbits(3), bool(dice.getrandbits(1))
    price = top_bid - n * rung if buys else top_ask + n * rung
    queue = (stock.book.bids if buys else stock.book.asks).get(price, ())
    for order in [order for order in queue if order.maker]:
        stock.book.cancel(order)


def _sweep(stock: Stock, side: str, limit: int) -> list[Deal]:
    """Orders of others that the makers' new prices reach are executed."""
    deals = stock.book.take(side, 1 << 60, limit)
    if deals:
        stock.last = deals[-1].price
    return deals


def _withdraw(stock: Stock, top_bid: int, top_ask: int, far: int) -> None:
    """Makers cancel what is too good for others now; what is too far away goes, whosever it is."""
    book = stock.book
    for price in [price for price in book.bids if price > top_bid or price < top_bid - far]:
        _withdraw_at(stock, price, buys=True, far=price < top_bid - far)
    for price in [price for price in book.asks if price < top_ask or price > top_ask + far]:
        _withdraw_at(stock, price, buys=False, far=price > top_ask + far)


def _withdraw_at(stock: Stock, price: int, *, buys: bool, far: bool) -> None:
    book = stock.book
    queue = (book.bids if buys else book.asks)[price]
    if far:
        book.cancel_level(price, buys=buys)
        return
    for order in [order for order in queue if order.maker]:
        book.cancel(order)


# --- auctions -------------------------------------------------------------------------------------


def bid_in_auction(stock: Stock, step: int, dice: chance.Dice) -> Cross:
    """Somebody sends an order to the auction, or takes one back. Where it would cross now."""
    roll = dice.getrandbits(3)
    if roll == 0:
        others = stock.book.of_others()
        if others:
            stock.book.cancel(others[-1])
    else:
        buys = dice.getrandbits(8) < 128 + stock.mood.lean
        off = stock.view * chance.normal4(dice) // (4 * 350)  # opinions differ by 0.3 %
        price = min(max((stock.view + off) // FAIR_SCALE, stock.limit_low), stock.limit_high)
        stock.book.place(price, stock.size(dice, 2_000), step, buys=buys, maker=False)
        others = stock.book.of_others()
        if len(others) > IN_AUCTION_MAX:
            stock.book.cancel(others[0])
    return cross_of(stock.book, stock.last)


def begin_auction(stock: Stock) -> None:
    """Makers leave; what others have in the book stays."""
    for side in (stock.book.bids, stock.book.asks):
        for price in list(side):
            for order in [order for order in side[price] if order.maker]:
                stock.book.cancel(order)
