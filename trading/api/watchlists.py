"""`/v2/watchlists`: named lists of symbols, as Alpaca's clients keep them."""

from __future__ import annotations

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import IDEMPOTENCY_KEY, IF_MATCH, Strict
from trading import alpaca, watchlists
from trading.api.door import X_PORTFOLIO, Door, Problem
from trading.api.v2 import MANY, ONE
from trading.models import Watchlist
from trading.watchlists import SYMBOLS_MAX


class WatchlistForm(Strict):
    name = serializers.CharField(max_length=watchlists.NAME_CHARS_MAX)
    symbols = serializers.ListField(
        child=serializers.CharField(max_length=32), max_length=SYMBOLS_MAX, required=False, default=list
    )


class WatchlistChange(Strict):
    name = serializers.CharField(max_length=watchlists.NAME_CHARS_MAX, required=False, allow_null=True)
    symbols = serializers.ListField(
        child=serializers.CharField(max_length=32), max_length=SYMBOLS_MAX, required=False, allow_null=True
    )


class SymbolForm(Strict):
    symbol = serializers.CharField(max_length=32)


class NameQuery(Strict):
    name = serializers.CharField(max_length=watchlists.NAME_CHARS_MAX)


class WatchlistDoor(Door):
    def shown(self, row: Watchlist) -> Response:
        said = watchlists.shown(row, alpaca.account_id(row.portfolio_id))
        return Response(said, headers={"ETag": watchlists.tag(row)})


class Watchlists(WatchlistDoor):
    @extend_schema(responses=MANY, parameters=[X_PORTFOLIO], tags=["v2 watchlists"])
    def get(self, request: Request) -> Response:
        """The portfolio's lists, the oldest first, without their assets."""
        portfolio = self.portfolio().id
        account = alpaca.account_id(portfolio)
        rows = watchlists.of(portfolio)
        return Response([watchlists.shown(row, account, with_assets=False) for row in rows])

    @extend_schema(
        request=WatchlistForm,
        responses={**ONE, 422: Problem},
        parameters=[X_PORTFOLIO, IDEMPOTENCY_KEY],
        tags=["v2 watchlists"],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """A new list."""
        return self.once(lambda: self.shown(watchlists.make(self.portfolio().id, **self.body(WatchlistForm))))


class WatchlistByName(WatchlistDoor):
    @extend_schema(responses=ONE, parameters=[NameQuery, X_PORTFOLIO], tags=["v2 watchlists"])
    def get(self, request: Request) -> Response:
        """The list of this name."""
        return self.shown(watchlists.find_named(self.portfolio().id, self.query(NameQuery)["name"]))


class OneWatchlist(WatchlistDoor):
    @extend_schema(responses=ONE, parameters=[X_PORTFOLIO], tags=["v2 watchlists"])
    def get(self, request: Request, watchlist_id: str) -> Response:
        """One list with its assets."""
        return self.shown(watchlists.find(self.portfolio().id, watchlist_id))

    @extend_schema(
        request=WatchlistChange,
        responses={**ONE, 422: Problem},
        parameters=[X_PORTFOLIO, IF_MATCH],
        tags=["v2 watchlists"],
    )
    def put(self, request: Request, watchlist_id: str) -> Response:
        """Another name, other symbols, or both."""
        wanted = self.body(WatchlistChange)
        names = wanted.get("name"), wanted.get("symbols")
        return self.shown(watchlists.change(self.portfolio().id, watchlist_id, *names, seen=self.if_match))

    @extend_schema(
        request=SymbolForm,
        responses={**ONE, 422: Problem},
        parameters=[X_PORTFOLIO, IF_MATCH],
        tags=["v2 watchlists"],
    )
    def post(self, request: Request, watchlist_id: str) -> Response:
        """One more symbol."""
        symbol = self.body(SymbolForm)["symbol"]
        return self.shown(watchlists.add(self.portfolio().id, watchlist_id, symbol, self.if_match))

    @extend_schema(
        responses={204: None, 404: Problem}, parameters=[X_PORTFOLIO, IF_MATCH], tags=["v2 watchlists"]
    )
    def delete(self, request: Request, watchlist_id: str) -> Response:
        """The list is gone."""
        watchlists.delete(self.portfolio().id, watchlist_id, self.if_match)
        return Response(status=204)


class WatchlistSymbol(WatchlistDoor):
    @extend_schema(
        operation_id="v2_watchlists_symbol_destroy",
        responses=ONE,
        parameters=[X_PORTFOLIO, IF_MATCH],
        tags=["v2 watchlists"],
    )
    def delete(self, request: Request, watchlist_id: str, symbol: str) -> Response:
        """One symbol less."""
        return self.shown(watchlists.remove(self.portfolio().id, watchlist_id, symbol, self.if_match))
