"""What an order may ask for beyond price and quantity: what is refused of it, and how it begins.

Protective orders (bracket, oto, oco) close a long holding: an entry buys, legs sell.
"""

from __future__ import annotations

from typing import Final

from simgame.kernel.money import PPB, show
from trading.engine import refusals
from trading.engine.commands import Leg, NewOrderWithTerms, Terms
from trading.engine.draft import Draft
from trading.engine.events import OrderTerms
from trading.engine.orders import STOPS
from trading.engine.refusals import Refusal, unsupported
from trading.engine.state import State

NO_TRAIL: Final = unsupported("A trail is positive, and less than 100 percent.", "trail")
INTENTS: Final = {True: "buy_to_open", False: "sell_to_close"}  # of a cash portfolio
MAY_REST: Final = frozenset(("day", "gtc", "gtd"))


def refuse(state: State, new: NewOrderWithTerms, draft: Draft) -> Refusal | None:
    """Why these terms cannot be; None when they can. Prices and money are judged with every order's."""
    asked, in_force = new.terms, new.time_in_force
    if refusal := _refuse_stop(new, draft):
        return refusal
    if (in_force == "gtd") != bool(asked.expire_ns):
        return unsupported("A gtd order, and no other, says when it expires.", time_in_force=in_force)
    if asked.expire_ns and asked.expire_ns <= state.world_ns:
        return refusals.expired(asked.expire_ns, state.world_ns)
    if asked.post_only and (new.type != "limit" or in_force not in MAY_REST):
        return unsupported("Only a limit order that may rest can be post-only.", type=new.type)
    if asked.reduce_only and draft.opens:
        return unsupported("It reduces nothing: there is no such position.", side=new.side)
    if asked.position_intent and not draft.effect and asked.position_intent != INTENTS[draft.buys]:
        return refusals.no_shorts(draft, False)
    if asked.notional is not None:
        return _refuse_notional(new, draft)
    return _refuse_class(new, draft) if asked.order_class != "simple" else _refuse_legs_of_simple(asked)


def _refuse_stop(new: NewOrderWithTerms, draft: Draft) -> Refusal | None:
    asked = new.terms
    trails = (asked.trail_price is not None) + (asked.trail_ppb is not None)
    if new.type in STOPS and new.time_in_force not in MAY_REST:
        return unsupported(
            "A stop order is day, gtc or gtd.", "time_in_force", time_in_force=new.time_in_force
        )
    if (new.type in ("stop", "stop_limit")) != (asked.stop_price is not None):
        return unsupported("Stop and stop limit orders, and no others, have a stop price.", type=new.type)
    if trails != (new.type == "trailing_stop"):
        return unsupported(
            "A trailing stop, and no other, trails: by a price or a percentage.", trails=trails
        )
    if not is_trail(asked.trail_price, asked.trail_ppb):
        return NO_TRAIL
    if new.type == "trailing_stop" and not draft.stop:
        return Refusal("NO_FRESH_PRICE", "There was no trade yet that a stop could trail.", {})
    return refuse_passed(draft) if new.type in STOPS else None


def refuse_passed(draft: Draft) -> Refusal | None:
    """A buy stops above the last trade and a sell below it: else it would be a market order."""
    last, stop = draft.market.last_price, draft.stop
    if not last or stop is None or (stop > last if draft.buys else stop < last):
        return None
    word = "above" if draft.buys else "below"
    return Refusal(
        "PRICE_OUT_OF_BAND",
        f"The stop price must be {word} the last price, {show(last, draft.rules.price_exponent)}.",
        {"price": stop, "last_price": last},
        "stop_price",
    )


def _refuse_notional(new: NewOrderWithTerms, draft: Draft) -> Refusal | None:
    notional = new.terms.notional or 0
    if new.qty or new.terms.order_class != "simple" or new.type in STOPS:
        return unsupported(
            "An amount of money goes with no quantity, legs or stop price.", "notional", qty=new.qty
        )
    if draft.qty > 0:
        return None
    exponent = draft.rules.cash_exponent
    facts = {"notional": notional, "lot": draft.rules.lot}
    detail = f"{show(notional, exponent)} is not worth one lot of {draft.rules.symbol}, or it has no price."
    return Refusal("BAD_QTY_OR_LOT", detail, facts, "lot", draft.rules.rows.get("lot", ""))


def _refuse_legs_of_simple(asked: Terms) -> Refusal | None:
    if asked.take_profit or asked.stop_loss:
        return unsupported("A simple order has no legs: say bracket, oto or oco.", "legs")
    return None


def _refuse_class(new: NewOrderWithTerms, draft: Draft) -> Refusal | None:
    asked, legs = new.terms, legs_of(new.terms)
    if new.time_in_force not in MAY_REST:
        return unsupported("An order with legs is day, gtc or gtd.", "legs", time_in_force=new.time_in_force)
    if asked.order_class == "oco":
        if draft.buys or new.type != "limit" or asked.take_profit or not asked.stop_loss:
            return unsupported(
                "An oco order is a limit sell, the take profit, with a stop loss beside it.", "legs"
            )
    elif not draft.buys or new.type in STOPS or len(legs) != (2 if asked.order_class == "bracket" else 1):
        return unsupported(
            "A bracket is a buy with take profit and stop loss; an oto is a buy with one of them.",
            "legs",
        )
    elif draft.rules.lock_days:
        return unsupported(
            "What is bought today cannot be sold today (T+1): legs could protect nothing.", "legs"
        )
    return _refuse_leg_prices(new, draft)


def _refuse_leg_prices(new: NewOrderWithTerms, draft: Draft) -> Refusal | None:
    profit, loss = new.terms.take_profit, new.terms.stop_loss
    if (profit and (profit.limit_price is None or profit.stop_price is not None)) or (
        loss and loss.stop_price is None
    ):
        return unsupported(
            "A take profit has a limit price and no stop price; a stop loss has a stop price.", "legs"
        )
    for leg in legs_of(new.terms):
        for price in (leg.limit_price, leg.stop_price):
            if price is not None and not draft.rules.is_on_tick(price):
                return refusals.tick(draft, price)
    low, high = loss.stop_price if loss else None, profit.limit_price if profit else None
    middle = new.limit_price
    rising = [price for price in (low, middle, high) if price is not None]
    if sorted(set(rising)) != rising:
        return Refusal(
            "PRICE_OUT_OF_BAND",
            "The stop loss lies below the order's price, and the take profit above it.",
            {"stop_loss": low, "price": middle, "take_profit": high},
            "leg_prices",
        )
    return None


def is_trail(price: int | None, ppb: int | None) -> bool:
    return (price is None or price > 0) and (ppb is None or 0 < ppb < PPB)


def legs_of(asked: Terms) -> list[Leg]:
    return [leg for leg in (asked.take_profit, asked.stop_loss) if leg is not None]


def begun(new: NewOrderWithTerms, draft: Draft) -> OrderTerms:
    """The terms as the order begins with them."""
    asked = new.terms
    trails = asked.trail_price is not None or asked.trail_ppb is not None
    oco = asked.order_class == "oco"
    return OrderTerms(
        stop_price=draft.stop,
        trail_price=asked.trail_price,
        trail_ppb=asked.trail_ppb,
        hwm=draft.market.base_price() if trails else None,
        fired_by=asked.fired_by,
        expire_ns=asked.expire_ns,
        post_only=asked.post_only,
        reduce_only=asked.reduce_only,
        notional=asked.notional,
        order_class=asked.order_class,
        legs=() if oco else tuple(leg.order_id for leg in legs_of(asked)),
        leg="take_profit" if oco else "",
        sibling=asked.stop_loss.order_id if oco and asked.stop_loss else "",
    )
