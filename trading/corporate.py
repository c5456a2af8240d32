"""Corporate actions: announced by staff, applied by the exchange on their dates, previewed, listed.

What each kind does to a holding: `trading/engine/actions.py`. The prices it needs are worked out here,
from yesterday's close, and travel in the command: so the journal holds all that decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.core.exceptions import ValidationError

from accounts import audit
from market import queries as market_queries
from market import rulebook
from market.ex_dates import terms_of
from market.ex_price import ex_price
from market.models import CorporateAction, Instrument, World
from simgame.kernel import money
from simgame.kernel.errors import Invalid
from trading import errors
from trading.engine import commands
from trading.engine.accounts import CORPORATE, system_account
from trading.exchange.client import ask_sync
from trading.exchange.wire import Reply
from trading.models import AppliedAction

Kind = CorporateAction.Kind
# Of one day: each counts what was held the evening before, so what multiplies shares comes after what pays.
ORDER = (Kind.DIVIDEND, Kind.RIGHTS, Kind.BONUS, Kind.SPLIT, Kind.RENAME, Kind.DELISTING)
ANSWER_S = 30.0  # an action of every holder is one command
CloseOf = Callable[[str], int]


def issuers(world_number: int) -> int:
    return system_account(world_number, CORPORATE)


def announce(world: World, *, by: int | None, **facts: Any) -> CorporateAction:
    """A new action. Raises Invalid with what is wrong, in the words of the fields."""
    action = CorporateAction(world=world, **facts)
    try:
        action.full_clean()
    except ValidationError as error:
        raise Invalid("; ".join(_sentences(error))) from error
    if action.instrument.world_id != world.number:
        raise Invalid(f"{action.instrument.symbol} is not of this world.")
    action.save()
    audit.record(by, "action.announce", f"{world.slug} {action.key}", kind=action.kind)
    return action


def _sentences(error: ValidationError) -> list[str]:
    return [
        f"{field}: {' '.join(words)}" if field != "__all__" else " ".join(words)
        for field, words in error.message_dict.items()
    ]


def withdraw(action: CorporateAction, *, by: int | None) -> None:
    """Before its ex-date. Raises ActionApplied."""
    if status_of(action) != "announced":
        raise errors.ActionApplied("It was applied: reverse it instead.")
    CorporateAction.objects.filter(pk=action.pk).update(withdrawn=True)
    audit.record(by, "action.withdraw", f"{action.world.slug} {action.key}")


def named(world: World, key: str) -> CorporateAction:
    """Raises UnknownAction."""
    found = CorporateAction.objects.select_related("instrument", "into", "world")
    action = found.filter(world=world, key=key).first()
    if action is None:
        raise errors.UnknownAction(f"{world.slug} has no action {key!r}.")
    return action


def statuses(world_number: int) -> dict[str, str]:
    """Of the actions that the books know."""
    return dict(AppliedAction.objects.filter(world_id=world_number).values_list("key", "status"))


def status_of(action: CorporateAction) -> str:
    known = statuses(action.world_id).get(action.key)
    return known or ("withdrawn" if action.withdrawn else "announced")


# --- as commands ----------------------------------------------------------------------------------


def due(world: World, market_day: int, close_of: CloseOf) -> list[Any]:
    """What the exchange must apply on this market day, in order: ex-dates, then what is settled.

    What was missed while no exchange ran is due too. `close_of`: the last price of a symbol, scaled; 0
    unknown.
    """
    day, known = rulebook.as_date(market_day), statuses(world.number)
    announced = CorporateAction.objects.filter(world=world, withdrawn=False, ex_on__lte=day)
    waiting = [each for each in announced.select_related("instrument", "into") if each.key not in known]
    waiting.sort(key=lambda each: (each.ex_on, ORDER.index(Kind(each.kind)), each.key))
    begun = [applying(each, _close(each, close_of), waiting) for each in waiting]
    open_keys = {key for key, status in known.items() if status == AppliedAction.Status.OPEN}
    open_ones = [each for each in announced.select_related("instrument") if each.key in open_keys]
    later = [settling(each, _close(each, close_of)) for each in [*open_ones, *waiting] if _is_over(each, day)]
    return begun + later


def _close(action: CorporateAction, close_of: CloseOf) -> int:
    return close_of(action.instrument.symbol) or action.instrument.previous_close


def _is_over(action: CorporateAction, day: date) -> bool:
    if action.kind == Kind.RIGHTS:
        return action.last_on is not None and action.last_on < day
    return _pays_later(action) and action.pay_on is not None and action.pay_on <= day


def _pays_later(action: CorporateAction) -> bool:
    return action.kind == Kind.DIVIDEND and action.pay_on is not None and action.pay_on > action.ex_on


def applying(
    action: CorporateAction, close: int, together: list[CorporateAction] | None = None
) -> commands.CorporateAction:
    """The command of the ex-date, with the prices that it needs. `close`: before the action, scaled."""
    row = action.instrument
    same = [
        each for each in together or [action] if each.instrument_id == row.pk and each.ex_on == action.ex_on
    ]
    after = ex_price(close, [terms_of(each) for each in same], row.tick)
    per_share = terms_of(action)
    cash, per, reduce_by = 0, 1, 0
    if action.kind == Kind.DIVIDEND:
        share = Fraction(action.amount or 0) * 10 ** money.CURRENCY_EXPONENT[row.currency]
        share /= 10**row.qty_exponent
        cash, per = share.numerator, share.denominator
        reduce_by = -(-per_share.dividend.numerator // per_share.dividend.denominator)
    elif action.kind == Kind.RIGHTS and close:
        reduce_by = max(close - ex_price(close, [per_share], row.tick), 0)
    price = per_share.price if action.kind == Kind.RIGHTS else after
    if action.kind == Kind.DELISTING:
        price = close if action.price is None else _scaled(action.price, row)
    return commands.CorporateAction(
        account=issuers(action.world_id),
        client_id=action.key,
        symbol=row.symbol,
        kind=action.kind,
        cash=cash,
        per=per,
        new=action.new,
        old=action.old,
        price=price,
        reduce_by=reduce_by,
        into=action.into.symbol if action.into else "",
        settles=_pays_later(action),
    )


def _scaled(price: Decimal, row: Instrument) -> int:
    return money.parse(str(price.normalize()), row.price_exponent)


def settling(action: CorporateAction, close: int) -> commands.SettleAction:
    """The pay date; the end of rights, which are worth what the share is worth beyond their price."""
    worth = 0
    if action.kind == Kind.RIGHTS and action.unused == CorporateAction.Unused.SELL:
        worth = max(close - terms_of(action).price, 0)
    return commands.SettleAction(issuers(action.world_id), action.key, worth)


# --- by hand --------------------------------------------------------------------------------------


def last_prices(world: World) -> CloseOf:
    """The last price of each symbol as the market shows it; 0 unknown."""
    marks: Mapping[str, tuple[int, int]] = market_queries.marks(world)
    return lambda symbol: marks.get(symbol, (0, 0))[0]


def command_now(action: CorporateAction) -> Any:
    """What `apply` would send: the ex-date's command, or the settlement of an open one.

    Raises ActionApplied.
    """
    status = status_of(action)
    close = _close(action, last_prices(action.world))
    if status == "announced":
        return applying(action, close)
    if status == AppliedAction.Status.OPEN:
        return settling(action, close)
    raise errors.ActionApplied(f"{action.key} is {status}.")


def apply(action: CorporateAction, *, by: int | None) -> Reply:
    """At once, instead of on its date. Raises ActionApplied, and what the exchange says."""
    command = command_now(action)
    reply = ask_sync(action.world_id, command, timeout_s=ANSWER_S)
    facts = {"outcome": reply.outcome, "code": reply.code, "portfolios": reply.result.get("portfolios", 0)}
    audit.record(by, "action.apply", f"{action.world.slug} {action.key}", **facts)
    if reply.outcome != "executed":
        raise errors.make(reply.code, reply.detail, reply.result.get("facts"))
    return reply
