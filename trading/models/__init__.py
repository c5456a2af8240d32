from trading.models.action import ActionEntry, AppliedAction
from trading.models.game import Game, Participant, Portfolio, PortfolioKind, Rank
from trading.models.ledger import Balance, LedgerAccount, Position, Transfer
from trading.models.listing import Listing
from trading.models.notes import Alert, EquityPoint, JournalNote
from trading.models.order import Fill, Order
from trading.models.process import AccountEvent, Command, ExchangeLease, Heard
from trading.models.proposal import Proposal
from trading.models.report import Break, CheckerState, Reconciliation
from trading.models.watchlist import Watchlist

__all__ = [
    "AccountEvent",
    "ActionEntry",
    "Alert",
    "AppliedAction",
    "Balance",
    "Break",
    "CheckerState",
    "Command",
    "EquityPoint",
    "ExchangeLease",
    "Fill",
    "Game",
    "Heard",
    "JournalNote",
    "LedgerAccount",
    "Listing",
    "Order",
    "Participant",
    "Portfolio",
    "PortfolioKind",
    "Position",
    "Proposal",
    "Rank",
    "Reconciliation",
    "Transfer",
    "Watchlist",
]
