"""Every way trading says no. Source of the list: reliability section 3.4 (FIX reasons in brackets).

Rejections (`Rejection`) are stored: the order exists with status "rejected" and this code as its
reason. The others store nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from simgame.kernel import errors
from simgame.kernel.errors import SimGameError


class TradingError(SimGameError):
    """A refusal of an order call."""


# --- nothing was stored -----------------------------------------------------------------------
class UnknownOrder(TradingError):
    """[CxlRejReason 1] The same answer for an order of somebody else."""

    code, status, alpaca = "UNKNOWN_ORDER", 404, 40410000
    title = "You have no such order"


class GameEnded(TradingError):
    code, status, alpaca = "GAME_ENDED", 409, 40910000
    title = "The game is over"


class UnknownPortfolio(TradingError):
    code, status, alpaca = "UNKNOWN_PORTFOLIO", 404, 40410000
    title = "You have no such portfolio"


class NotJoined(TradingError):
    """Only to an operator who looks at the game as a player: anybody else's first look joins."""

    code, status, alpaca = "NOT_JOINED", 404, 40410000
    title = "This player has not joined yet"


class TooLateToCancel(TradingError):
    """[CxlRejReason 0]"""

    code, status, alpaca = "TOO_LATE_TO_CANCEL", 409, 42210000
    title = "The order was filled before the cancel arrived"


class AlreadyTerminal(TradingError):
    code, status, alpaca = "ALREADY_TERMINAL", 409, 42210000
    title = "The order has ended already"


class NothingToReplace(TradingError):
    code, status, alpaca = "NOTHING_TO_REPLACE", 422, 42210000
    title = "The change would leave the order as it is"


class OrderVersionConflict(errors.VersionConflict):
    title = "The order changed since you read it"


class IdempotencyKeyReused(TradingError):
    """[OrdRejReason 6] The first order under this key is untouched."""

    code, status, alpaca = "IDEMPOTENCY_KEY_REUSED", 422, 40010001
    title = "client_order_id must be unique: this one belongs to another request"


class Overloaded(errors.Unavailable):
    code = "OVERLOADED"
    title = "More orders are waiting than can be served: try again"


class OrdersPaused(errors.Unavailable):
    code = "ORDERS_PAUSED"
    title = "Only cancelling is possible just now: an operator has paused new orders"


class EngineRecovering(errors.Unavailable):
    code = "ENGINE_RECOVERING"
    title = "The exchange of this world is starting: nothing was executed, try again"


class Quarantined(errors.Unavailable):
    code, retryable = "QUARANTINED", False
    title = "The exchange found its books in doubt: only cancelling is possible until an operator looked"


class OutcomeUnknown(errors.Unavailable):
    code, status, alpaca, outcome = "OUTCOME_UNKNOWN", 504, 50410000, "unknown"
    title = "No answer in time: ask again with the same client_order_id"


class PortfolioExists(TradingError):
    code, status, alpaca = "PORTFOLIO_EXISTS", 409, 42210000
    title = "The books of this portfolio are open already"


# --- stored: the order is rejected ------------------------------------------------------------
class Rejection(TradingError):
    """A decision of the exchange: the stored order is in the answer under `order`, and its outcome is
    `executed`. Some are known before the exchange is asked; then nothing is stored.

    at_fault: JSON pointer to the field that a change of would help; "" when it is not the order's fault.
    """

    status, alpaca = 422, 42210000
    at_fault: ClassVar[str] = ""


class UnknownSymbol(Rejection):
    """[OrdRejReason 1]"""

    code, alpaca = "UNKNOWN_SYMBOL", 42210000
    at_fault = "/symbol"
    title = "This world has no such instrument"


class NotTradable(Rejection):
    code = "NOT_TRADABLE"
    at_fault = "/symbol"
    title = "This instrument cannot be traded here"


class Halted(Rejection):
    code = "HALTED"
    at_fault = "/symbol"
    title = "Trading in this instrument is halted"


class MarketClosed(Rejection):
    """[OrdRejReason 2]"""

    code = "MARKET_CLOSED"
    title = "The market takes no orders in this phase"


class ExceedsLimit(Rejection):
    """[OrdRejReason 3]"""

    code = "EXCEEDS_LIMIT"
    at_fault = "/qty"
    title = "The order is larger than the venue allows"


class InsufficientCash(Rejection):
    code, status, alpaca = "INSUFFICIENT_CASH", 403, 40310000
    at_fault = "/qty"
    title = "insufficient buying power"


class InsufficientSellable(Rejection):
    """Its text tells when shares bought today are locked until the next market day (T+1)."""

    code, status, alpaca = "INSUFFICIENT_SELLABLE", 403, 40310000
    at_fault = "/qty"
    title = "insufficient qty available for order"


class PositionIntent(Rejection):
    """The order would do another thing to the position than it says, or than is possible."""

    code = "POSITION_INTENT"
    at_fault = "/position_intent"
    title = "The order does not fit the position"


class ShortNotAllowed(Rejection):
    """By the game, or by the rulebook: its text says which."""

    code, status, alpaca = "SHORT_NOT_ALLOWED", 403, 40310000
    at_fault = "/side"
    title = "This cannot be sold short, or traded on margin, here"


class StaleOrder(Rejection):
    """[OrdRejReason 8]"""

    code = "STALE_ORDER"
    title = "The order arrived after its deadline and was not executed"


class Unsupported(Rejection):
    """[OrdRejReason 11]"""

    code = "UNSUPPORTED"
    title = "This kind of order does not exist here"


class BadExpiry(Rejection):
    """[OrdRejReason 99] The time is the world's, which may be another than that on the wall."""

    code = "BAD_EXPIRY"
    at_fault = "/expires_at"
    title = "The order would have expired already"


class BadQtyOrLot(Rejection):
    """[OrdRejReason 13]"""

    code = "BAD_QTY_OR_LOT"
    at_fault = "/qty"
    title = "The quantity does not fit the instrument's lot"


class AccountFrozen(Rejection):
    """[OrdRejReason 15]"""

    code, status, alpaca = "ACCOUNT_FROZEN", 403, 40310000
    title = "The portfolio is frozen: only cancelling is possible"


class UnknownAccount(Rejection):
    """[OrdRejReason 15]"""

    code, status, alpaca = "UNKNOWN_ACCOUNT", 404, 40410000
    title = "The exchange has no books of this portfolio"


class PriceOutOfBand(Rejection):
    """[OrdRejReason 16]"""

    code = "PRICE_OUT_OF_BAND"
    at_fault = "/limit_price"
    title = "The price lies outside what the venue allows now"


class BadTickSize(Rejection):
    """[OrdRejReason 18]"""

    code = "BAD_TICK_SIZE"
    at_fault = "/limit_price"
    title = "The price is not a multiple of the instrument's tick"


class SelfTrade(Rejection):
    code = "SELF_TRADE"
    title = "The order would have met an order of your own"


class NoFreshPrice(Rejection):
    code = "NO_FRESH_PRICE"
    title = "There is no fresh quote to trade against"


# --- corporate actions and repairs --------------------------------------------------------------
class UnknownAction(TradingError):
    code, status, alpaca = "UNKNOWN_ACTION", 404, 40410000
    title = "There is no such corporate action"


class ActionApplied(TradingError):
    code, status, alpaca = "ACTION_APPLIED", 409, 40910000
    title = "The corporate action was applied already"


class NoRights(TradingError):
    code, status, alpaca = "NO_RIGHTS", 422, 42210000
    title = "You do not have so many rights"


class RightsEnded(TradingError):
    code, status, alpaca = "RIGHTS_ENDED", 409, 40910000
    title = "The time to use these rights is over"


class NothingToRepair(TradingError):
    code, status, alpaca = "NOTHING_TO_REPAIR", 404, 40410000
    title = "There is nothing that could be taken back"


class AlreadyReversed(TradingError):
    code, status, alpaca = "ALREADY_REVERSED", 409, 40910000
    title = "It was taken back already"


class BooksMoved(TradingError):
    code, status, alpaca, retryable = "BOOKS_MOVED", 409, 40910000, True
    title = "A position changed while the correction was made: try again"


class RepairShort(TradingError):
    """`facts.short`: what each portfolio lacks, in minor units."""

    code, status, alpaca = "REPAIR_SHORT", 409, 40910000
    title = "Some players cannot pay it back: say who pays instead"


class TwoPersons(errors.Forbidden):
    code = "TWO_PERSONS"
    title = "Another person must approve it than the one who proposed it"


class ProposalClosed(TradingError):
    code, status, alpaca = "PROPOSAL_CLOSED", 409, 40910000
    title = "The proposal was applied or withdrawn already"


def by_code() -> dict[str, type[SimGameError]]:
    """Every refusal that an exchange may answer with, by its code."""
    return {cls.code: cls for cls in errors.catalogue() if cls.code != SimGameError.code}


_CLASSES = by_code()


# Where a rule speaks of one field of an order, whatever the code of the refusal.
FIELD_OF_RULE = {
    "stop_price": "/stop_price",
    "trail": "/trail_price",
    "notional": "/notional",
    "expires_at": "/expires_at",
    "legs": "/order_class",
    "leg_prices": "/stop_loss",
}


def make(code: str, detail: str = "", facts: Mapping[str, Any] | None = None, rule: str = "") -> SimGameError:
    """The refusal of a code that came over the wire; a code that nobody knows is our own fault.

    rule: the name of the rule that bound, if the receipt says one.
    """
    cls = _CLASSES.get(code, TradingError)
    at_fault = cls.at_fault if issubclass(cls, Rejection) else ""
    refusal = cls(detail, pointer=FIELD_OF_RULE.get(rule, at_fault))
    refusal.facts.update(facts or {})
    return refusal
