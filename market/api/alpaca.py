"""`/v2`: market data in Alpaca's dress, for the world of the caller's portfolio. Needs a key or token."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from market import pages, queries, shapes
from market.api import asked
from market.caller import world_of

OBJECT = OpenApiTypes.OBJECT


class LatestQuotes(Door):
    @extend_schema(parameters=[asked.OfLatest], responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """The last quote of each symbol; who has none is missing."""
        found = queries.quotes(world_of(request), self.query(asked.OfLatest)["symbols"])
        return Response(
            {"quotes": {name: shapes.alpaca_quote(row) for name, row in found.items() if row["at"]}}
        )


class LatestTrades(Door):
    @extend_schema(parameters=[asked.OfLatest], responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """The last trade of each symbol; who has none is missing."""
        found = queries.last_trades(world_of(request), self.query(asked.OfLatest)["symbols"])
        return Response({"trades": {name: shapes.alpaca_trade(row) for name, row in found.items()}})


class LatestBars(Door):
    @extend_schema(parameters=[asked.OfLatest], responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """The newest minute bar of each symbol; who has none is missing."""
        found = queries.last_bars(world_of(request), self.query(asked.OfLatest)["symbols"])
        return Response({"bars": {row.symbol: shapes.alpaca_bar(row, bar) for row, bar in found}})


class Bars(Door):
    @extend_schema(parameters=[asked.OfManyBars], responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """Bars by symbol, then by time; `next_page_token` leads on."""
        query = self.query(asked.OfManyBars)
        rows = queries.known(world_of(request), query["symbols"])
        bars, after = pages.alpaca_bars(rows, asked.bars_wanted(query))
        return Response({"bars": bars, "next_page_token": after})


class BarsOfOne(Door):
    @extend_schema(parameters=[asked.OfOneBars], responses=OBJECT, tags=["market data"])
    def get(self, request: Request, symbol: str) -> Response:
        """Bars of one symbol."""
        wanted = asked.bars_wanted(self.query(asked.OfOneBars))
        bars, after = pages.alpaca_bars(queries.known(world_of(request), [symbol]), wanted)
        return Response({"symbol": symbol, "bars": bars.get(symbol, []), "next_page_token": after})


class Assets(Door):
    @extend_schema(parameters=[asked.OfAssets], responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """Every instrument: a list without pages, as theirs is."""
        query = self.query(asked.OfAssets)
        return Response(pages.assets(world_of(request), query["status"], query["asset_class"]))


class Asset(Door):
    @extend_schema(responses=OBJECT, tags=["market data"])
    def get(self, request: Request, symbol_or_id: str) -> Response:
        """One instrument."""
        self.query(asked.Nothing)
        return Response(shapes.alpaca_asset(queries.instrument_named(world_of(request), symbol_or_id)))


class Clock(Door):
    @extend_schema(responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """World time, and whether the venue is open."""
        self.query(asked.Nothing)
        return Response(shapes.alpaca_clock(*queries.clock_of(world_of(request))))
