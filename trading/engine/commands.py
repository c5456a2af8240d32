"""What the engine is told. Ticks (market.ticks) are commands too.

Numbers are scaled integers (simgame.kernel.money) with the instrument's exponents; ids and times
come from outside, because the engine knows no clock and no chance. Every command is applied with
`at_ns`, the engine time its caller assigns (never going back).
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Literal

import msgspec

from market.rulebook.rules import InstrumentRules
from market.ticks import PhaseTick, Print, Quote, Reference

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["day", "gtc", "ioc", "fok", "gtd", "opg", "cls"]
OrderClass = Literal["simple", "bracket", "oco", "oto"]
ActionKind = Literal["dividend", "split", "bonus", "rights", "rename", "delisting"]
Intent = Literal[
    "", "buy_to_open", "buy_to_close", "buy_to_close_today", "sell_to_open", "sell_to_close",
    "sell_to_close_today",
]  # fmt: skip
FiredBy = Literal["print", "quote"]  # what sets a stop off: trade prints, or the best displayed price


class MarginTerms(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a margin portfolio may do beyond what a cash portfolio may. Chosen when it opens."""

    leverage: int = 1  # at most this many times its own money in securities; contracts have their own rates
    shorts: bool = False  # may sell what it does not hold, where the rulebook allows it
    interest_ppb: int = 0  # a year, on what it owes
    call_s: int = 1_800  # world seconds that a margin call leaves


class OpenPortfolio(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="open_portfolio"):
    """Opens the books of a portfolio and grants its start cash. Once per portfolio."""

    portfolio: int
    currency: str
    cash: int
    client_id: str
    margin: MarginTerms | None = None  # None: a cash portfolio, which owes nothing ever


class NewOrder(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="new_order"):
    portfolio: int
    order_id: str  # UUIDv7, made at the edge
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: int
    limit_price: int | None
    deadline_ns: int  # refused as STALE_ORDER when applied later


class Leg(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A protective order. A take profit has a limit price; a stop loss a stop price, and perhaps a limit."""

    order_id: str
    client_order_id: str
    limit_price: int | None = None
    stop_price: int | None = None


class Terms(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an order may ask for beyond price, quantity and time in force. README.md says what each does."""

    stop_price: int | None = None
    trail_price: int | None = None  # a trailing stop has this distance …
    trail_ppb: int | None = None  # … or this one, in parts per billion of the best price since
    fired_by: FiredBy = "print"
    expire_ns: int = 0  # world time at which a gtd order ends
    post_only: bool = False
    reduce_only: bool = False
    notional: int | None = None  # minor units to spend or to raise; then `qty` is 0
    order_class: OrderClass = "simple"
    take_profit: Leg | None = None
    stop_loss: Leg | None = None
    position_intent: Intent = ""  # a guard: refused when the order would do something else


class NewOrderWithTerms(NewOrder, frozen=True, gc=False, tag_field="command", tag="new_order_with_terms"):
    terms: Terms = Terms()


class ClosePosition(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="close_position"):
    """Sell a holding at market: all that may be sold, or so much of it. A new order like any other."""

    portfolio: int
    order_id: str
    client_order_id: str
    symbol: str
    deadline_ns: int
    qty: int | None = None
    share_ppb: int | None = None  # parts per billion of what is held, rounded down to the lot


class CancelOrder(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="cancel"):
    portfolio: int
    order_id: str
    client_id: str
    deadline_ns: int
    if_version: int = 0  # 0: any


class ReplaceOrder(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="replace"):
    """The order keeps its id. None leaves a field as it is; `qty` counts what is filled already."""

    portfolio: int
    order_id: str
    client_id: str
    deadline_ns: int
    qty: int | None = None
    limit_price: int | None = None
    time_in_force: TimeInForce | None = None
    if_version: int = 0


class ReplaceWithTerms(ReplaceOrder, frozen=True, gc=False, tag_field="command", tag="replace_with_terms"):
    stop_price: int | None = None
    trail_price: int | None = None
    trail_ppb: int | None = None
    expire_ns: int | None = None


class CancelAll(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="cancel_all"):
    portfolio: int
    client_id: str
    deadline_ns: int
    symbol: str = ""  # "" means every instrument


class Adjust(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="adjust"):
    """An operator's correction of cash or holdings, against the mint. `amount` may be negative."""

    portfolio: int
    asset: str
    amount: int
    reason: str
    client_id: str


class Freeze(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="freeze"):
    portfolio: int
    frozen: bool
    reason: str
    client_id: str


class Halt(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="halt"):
    symbol: str
    halted: bool
    reason: str
    client_id: str


class CorporateAction(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="corporate_action"):
    """What becomes of every holding of `symbol` on the ex-date. Once per `client_id`, the action's key.

    dividend: `cash` minor units for every `per` of quantity. split, bonus: `old` held become `new`; what is
    left of a unit is paid at `price`. rights: `new` rights for every `old` held, each buys one at `price`.
    rename: the holding becomes one of `into`. delisting: it is paid out at `price`, and 0 means worthless.
    """

    account: int  # system_account(world, CORPORATE)
    client_id: str
    symbol: str
    kind: ActionKind
    cash: int = 0
    per: int = 1
    new: int = 1
    old: int = 1
    price: int = 0
    reduce_by: int = 0  # dividend, rights: so much lower are open buys and sell stops from now on
    into: str = ""
    settles: bool = False  # dividend: paid later, by SettleAction; rights always are


class SettleAction(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="settle_action"):
    """The pay date of a dividend; the last day of rights, when those left are worth `price` each."""

    account: int
    client_id: str  # the action's key
    price: int = 0  # what a right that nobody used is sold for; 0: it lapses


class ExerciseRights(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="exercise_rights"):
    """A player subscribes for `qty` new shares with rights of the action `key`."""

    portfolio: int
    key: str
    qty: int
    client_id: str
    deadline_ns: int


class Undone(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A transfer that is taken back: its row, and the instrument whose position it belongs to."""

    n: int
    debit: int
    credit: int
    asset: str
    amount: int
    symbol: str
    fill: int = 0  # n of the fill it belonged to


class UndoneFill(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A fill that is taken back: its row."""

    n: int
    match: int
    order_id: str
    portfolio: int
    symbol: str
    side: Side
    price: int
    qty: int
    cash: int
    fees: tuple[tuple[str, int], ...]
    fee: int
    against: Literal["market", "player"]
    market_day: int


class Settlement(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How a position that a correction touches is settled.

    What the portfolio would have to give back and has not any more counts as bought at `price`, the fair
    one. `cost` is the position's after it, with `found`, what the position must be now for that to hold:
    (qty, cost, realised). Without them its cost changes by `cost_change`.

    A margin portfolio's may be the other way round: what it covered of a short position that is no more
    counts as sold at the fair price, and `missing` is below nothing.
    """

    portfolio: int
    symbol: str
    price: int
    missing: int = 0  # sold since the undone fill, though nobody held it then; at least what lacks now
    cost_change: int = 0
    cost: int | None = None
    found: tuple[int, int, int] | None = None
    result: int = 0  # of a contract: what its days would have paid more, or less, without the fills
    day: tuple[int, int, int] | None = None  # bought_today, day_cash, day_start_qty after it


class OrderWas(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An open order as it was before an action restated it, and its version since."""

    order_id: str
    version: int
    qty: int
    price: int  # the worst price it may trade at
    limit_price: int | None
    stop_price: int | None = None
    trail_price: int | None = None
    hwm: int | None = None


class Correct(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="correct"):
    """Takes back what was wrong: fills at bad prices, a corporate action, or an earlier correction.

    One command, all of it or nothing. README.md, "Corrections", says by which rules.
    """

    account: int
    client_id: str
    reason: str
    what: Literal["bust", "action", "reinstate"]
    transfers: tuple[Undone, ...]
    fills: tuple[UndoneFill, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    orders: tuple[OrderWas, ...] = ()
    action: str = ""  # key of the corporate action that is reversed
    house_pays: bool = False  # what a player cannot pay back; else the correction is refused


class SetRules(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="rules"):
    """The rules of one instrument from now on: sent at start and at each market day."""

    rules: InstrumentRules


class Recovered(msgspec.Struct, frozen=True, gc=False, tag_field="command", tag="recovered"):
    """An exchange read the books from their rows and begins from there: the first command of its life.

    The engine forgets what no row holds: displayed depth and what was taken of it, quotes, references,
    the phase. It is told to no engine (`Engine.restore` made it), but to whoever reads the journal.
    `rules`: those that the books were restored under; in general they follow as SetRules.
    """

    engine: str  # which code decides from here on
    halted: tuple[str, ...] = ()
    why_halted: tuple[str, ...] = ()  # the reason of each
    rules: tuple[InstrumentRules, ...] = ()

    def why(self) -> dict[str, str]:
        """Reasons by symbol of what is halted."""
        return dict(zip_longest(self.halted, self.why_halted, fillvalue=""))


PlayerCommand = (
    OpenPortfolio
    | NewOrder
    | NewOrderWithTerms
    | ClosePosition
    | CancelOrder
    | ReplaceOrder
    | ReplaceWithTerms
    | CancelAll
    | Adjust
    | Freeze
    | Halt
    | CorporateAction
    | SettleAction
    | ExerciseRights
    | Correct
)
Command = PlayerCommand | SetRules | Recovered | Quote | Print | Reference | PhaseTick
