"""What an order asks for beyond price and quantity: which of it goes together, in scaled integers. Pure.

Every refusal names the field that is wrong or missing, and what would be right. What only the exchange
can know (the last price, the clock of the world, what is held) it decides itself.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final, NoReturn

from simgame.kernel import clock, money
from simgame.kernel.errors import Invalid
from trading.engine.commands import FiredBy, Leg, OrderClass, Terms
from trading.gateway.bodies import Asked, StopLoss, TakeProfit
from trading.messages import PERCENT_EXPONENT, Scale

PLAIN: Final = ("market", "limit")
WAIT_FOR_STOP: Final = ("stop", "stop_limit")
STOPS: Final = ("stop", "stop_limit", "trailing_stop")
HAVE_LIMIT: Final = ("limit", "stop_limit")
MAY_REST: Final = ("day", "gtc", "gtd")
CLASSES: Final = ("simple", "bracket", "oco", "oto")
FIRED_BY: Final = ("print", "quote")
NAMES: Final = (
    "stop_price", "trail_price", "trail_percent", "fired_by", "expires_at", "post_only", "reduce_only",
    "notional", "take_profit", "stop_loss", "position_intent",
)  # fmt: skip
_asked = attrgetter(*NAMES)


def of(found: Any, asked: Asked, scale: Scale) -> Terms | None:
    """The terms of the order body `found`; None when it has none. Its legs have no ids yet.

    Raises Invalid with the pointer of the culprit.
    """
    is_plain = asked.type in PLAIN and asked.time_in_force != "gtd" and asked.order_class == "simple"
    if is_plain and _asked(found).count(None) == len(NAMES):
        return None
    _refuse_stop(found, asked)
    _refuse_times(found, asked)
    _refuse_amount(found, asked)
    _refuse_class(found, asked)
    made = Terms(
        stop_price=number("stop_price", found.stop_price, scale.price_exponent),
        trail_price=number("trail_price", found.trail_price, scale.price_exponent),
        trail_ppb=percentage("trail_percent", found.trail_percent),
        fired_by=fired_by(found.fired_by),
        expire_ns=instant("expires_at", found.expires_at),
        post_only=bool(found.post_only),
        reduce_only=bool(found.reduce_only),
        notional=number("notional", found.notional, scale.cash_exponent),
        order_class=_class(asked.order_class),
        take_profit=None if asked.order_class == "oco" else _profit(found.take_profit, scale),
        stop_loss=_loss(found.stop_loss, scale),
        position_intent=found.position_intent or "",
    )
    _refuse_sides(asked, made, scale)
    return None if made == Terms() else made


def _refuse_stop(found: Any, asked: Asked) -> None:
    waits, trails = asked.type in WAIT_FOR_STOP, asked.type == "trailing_stop"
    if waits and found.stop_price is None:
        no("stop_price", f"a {asked.type} order waits for one")
    if not waits and found.stop_price is not None:
        no("stop_price", "only stop and stop_limit orders have one")
    distances = (found.trail_price is not None) + (found.trail_percent is not None)
    if trails and distances != 1:
        no("trail_price", "a trailing_stop order has trail_price or trail_percent, one of the two")
    if not trails and distances:
        name = "trail_price" if found.trail_price is not None else "trail_percent"
        no(name, "only trailing_stop orders trail the market")
    if found.fired_by is not None and asked.type not in STOPS and found.stop_loss is None:
        no("fired_by", "only what has a stop is fired")


def _refuse_times(found: Any, asked: Asked) -> None:
    in_force = asked.time_in_force
    if asked.type in STOPS and in_force not in MAY_REST:
        no("time_in_force", f"a {asked.type} order waits: day, gtc or gtd, not {in_force}")
    if in_force == "gtd" and found.expires_at is None:
        no("expires_at", "a gtd order says when it ends, such as 2026-11-06T15:00:00+08:00")
    if in_force != "gtd" and found.expires_at is not None:
        no("expires_at", f"only gtd orders have one; this one is {in_force}")
    if found.post_only and (asked.type != "limit" or in_force not in MAY_REST):
        no("post_only", "only a limit order that may rest (day, gtc, gtd) can be post-only")


def _refuse_amount(found: Any, asked: Asked) -> None:
    if found.notional is None:
        return
    if asked.qty is not None:
        no("notional", "say qty or notional, not both")
    if asked.type not in PLAIN:
        no("notional", "only market and limit orders are for an amount of money; say qty")
    if asked.order_class != "simple":
        no("notional", "an order with legs has a qty")


def _refuse_class(found: Any, asked: Asked) -> None:
    kind, profit, loss = asked.order_class, found.take_profit, found.stop_loss
    if kind == "simple":
        if profit is not None or loss is not None:
            no("order_class", "legs need order_class bracket, oto or oco")
        return
    if asked.time_in_force not in MAY_REST:
        no("time_in_force", f"an order with legs is day, gtc or gtd, not {asked.time_in_force}")
    if asked.type not in (("limit",) if kind == "oco" else PLAIN):
        allowed = "a limit order, the take profit" if kind == "oco" else "a market or limit order"
        no("type", f"{kind} begins with {allowed}, not {asked.type}")
    if kind == "bracket" and profit is None:
        no("take_profit", "a bracket has both legs: take_profit with a limit_price, and stop_loss")
    if kind in ("bracket", "oco") and loss is None:
        no("stop_loss", f"{kind} needs one, with a stop_price")
    if kind == "oto" and (profit is None) == (loss is None):
        no("take_profit", "oto has one leg: take_profit or stop_loss; for both say bracket")
    if profit is not None and profit.limit_price is None and kind != "oco":
        no("take_profit/limit_price", "at which price is the profit taken?")
    if loss is not None and loss.stop_price is None:
        no("stop_loss/stop_price", "at which price is the loss stopped?")


def _refuse_sides(asked: Asked, made: Terms, scale: Scale) -> None:
    """A long entry's profit lies above its price and its loss below; a short's the other way round."""
    long = (asked.side == "buy") != (asked.order_class == "oco")
    profit, loss, price = made.take_profit, made.stop_loss, asked.limit_price
    above, below = ("above", "below") if long else ("below", "above")
    target, stop = profit.limit_price if profit else None, loss.stop_price if loss else None
    if target is not None and price is not None and (target <= price if long else target >= price):
        no("take_profit/limit_price", f"must lie {above} the order's price, {scale.price(price)}")
    middle = price if price is not None else target
    if stop is not None and middle is not None and (stop >= middle if long else stop <= middle):
        word = "order's" if price is not None else "take profit's"
        no("stop_loss/stop_price", f"must lie {below} the {word} price, {scale.price(middle)}")


def oco_price(found: Any, scale: Scale) -> int | None:
    """The limit price of an order: that of an oco may stand in its take_profit, as Alpaca has it."""
    own = number("limit_price", found.limit_price, scale.price_exponent)
    if found.order_class != "oco" or found.take_profit is None:
        return own
    other = number("take_profit/limit_price", found.take_profit.limit_price, scale.price_exponent)
    if own is not None and other is not None and own != other:
        no("take_profit/limit_price", "an oco order is its take profit: say its limit_price once")
    return other if own is None else own


def _profit(found: TakeProfit | None, scale: Scale) -> Leg | None:
    if found is None:
        return None
    return Leg("", "", number("take_profit/limit_price", found.limit_price, scale.price_exponent))


def _loss(found: StopLoss | None, scale: Scale) -> Leg | None:
    if found is None:
        return None
    limit = number("stop_loss/limit_price", found.limit_price, scale.price_exponent)
    return Leg("", "", limit, number("stop_loss/stop_price", found.stop_price, scale.price_exponent))


def _class(word: str) -> OrderClass:
    return word  # type: ignore[return-value]  # one of CLASSES: parse saw to it


def fired_by(word: str | None) -> FiredBy:
    if word is not None and word not in FIRED_BY:
        no("fired_by", f"one of {', '.join(FIRED_BY)}, not {word[:20]!r}")
    return "quote" if word == "quote" else "print"


def number(name: str, value: Any, exponent: int) -> int | None:
    """The scaled integer; None of None. It must be more than zero."""
    if value is None:
        return None
    try:
        scaled = money.parse(value, exponent)
    except ValueError as error:
        raise Invalid(f"{name}: {error}.", pointer=f"/{name}") from error
    if scaled <= 0:
        no(name, "must be more than zero")
    return scaled


def percentage(name: str, value: Any, *, whole: bool = False) -> int | None:
    """Parts per billion of a percentage above 0 and below 100, or 100 where it may be the `whole`."""
    ppb = number(name, value, PERCENT_EXPONENT)
    if ppb is not None and ppb >= money.PPB + whole:
        no(name, f"a percentage {'of at most' if whole else 'below'} 100, such as 2.5")
    return ppb


def instant(name: str, value: str | None) -> int:
    """Nanoseconds of an RFC 3339 instant; 0 of None."""
    if value is None:
        return 0
    try:
        at_ns = clock.parse_rfc3339(value)
    except ValueError:
        at_ns = 0
    if "T" not in value.upper() or not 0 < at_ns <= money.INT64_MAX:
        no(name, "an instant such as 2026-11-06T15:00:00+08:00")
    return at_ns


def no(name: str, why: str) -> NoReturn:
    raise Invalid(f"{name}: {why}.", pointer=f"/{name}")
