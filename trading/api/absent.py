"""Addresses of Alpaca's that have nothing behind them here: a clear no instead of a riddle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from simgame.kernel.errors import NotFound
from trading.api.door import Door

# What their clients may ask for, by the beginning of the address, and why it is not here.
WHY: Final = {
    "v2/options": "There are no options here.",
    "v2/positions/[^/]+/exercise": "There are no options to exercise here.",
    "v2/corporate_actions": "Corporate actions come as notices and activities; /api/v1/rights has rights.",
    "v2/locates": "Shorting needs no locate here.",
    "v2/wallets": "There are no wallets: money stays in the game.",
    "v2/transfers": "There are no transfers: money stays in the game.",
    "v2/stocks/auctions": "Auctions are among the trades; /api/v1/bars has their prices.",
    "v2/stocks/meta": "There are no conditions and exchange codes to look up.",
    "v1beta1": "News, screens, options and corporate actions of real markets are not here.",
    "v1beta3": "Crypto is traded under /v2 like everything else of its world.",
}


class NotOffered(NotFound):
    code = "NOT_OFFERED"
    title = "SimGame has nothing of this kind"


@extend_schema(exclude=True)
class Absent(Door):
    permission_classes = (AllowAny,)
    why = ""

    def _refuse(self, request: Request, **_: Any) -> NoReturn:
        raise NotOffered(self.why)

    get: Callable[..., Any] = _refuse
    post = put = patch = delete = _refuse
