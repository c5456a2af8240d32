"""`/v2`: market data in Alpaca's dress, for the world of the caller's portfolio. Needs a key or token."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from accounts.throttling import spend
from market import pages, queries, shapes, tape, trading_days
from market.api import asked
from market.caller import world_of
from market.ticks import Print, Quote

OBJECT = OpenApiTypes.OBJECT
TAPE_RATE: Final = 10  # pages of quotes and trades a second and player: each may read 4 MB


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


class Ticks(Door):
    """Quotes or trades as they were said, from the feed's log: dearer than other reads, so fewer a second."""

    kind: ClassVar[type[Quote] | type[Print]]

    def found(self, request: Request, symbols: list[str], query: dict[str, Any]) -> Any:
        spend(request, f"tape:{self.identity.player_id}", TAPE_RATE)
        world = world_of(request)
        return tape.page(world, queries.known(world, symbols), asked.ticks_wanted(self.kind, query))


class Quotes(Ticks):
    kind = Quote

    @extend_schema(parameters=[asked.OfManyTicks], responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """Quotes in the order they were said, of the last hours; `next_page_token` leads on."""
        query = self.query(asked.OfManyTicks)
        quotes, after = self.found(request, query["symbols"], query)
        return Response({"quotes": quotes, "next_page_token": after})


class Trades(Ticks):
    kind = Print

    @extend_schema(parameters=[asked.OfManyTicks], responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """Trades in the order they were said, of the last hours; `next_page_token` leads on."""
        query = self.query(asked.OfManyTicks)
        trades, after = self.found(request, query["symbols"], query)
        return Response({"trades": trades, "next_page_token": after})


class QuotesOfOne(Ticks):
    kind = Quote

    @extend_schema(parameters=[asked.OfOneTicks], responses=OBJECT, tags=["market data"])
    def get(self, request: Request, symbol: str) -> Response:
        """Quotes of one symbol."""
        quotes, after = self.found(request, [symbol], self.query(asked.OfOneTicks))
        return Response({"symbol": symbol, "quotes": quotes.get(symbol, []), "next_page_token": after})


class TradesOfOne(Ticks):
    kind = Print

    @extend_schema(parameters=[asked.OfOneTicks], responses=OBJECT, tags=["market data"])
    def get(self, request: Request, symbol: str) -> Response:
        """Trades of one symbol."""
        trades, after = self.found(request, [symbol], self.query(asked.OfOneTicks))
        return Response({"symbol": symbol, "trades": trades.get(symbol, []), "next_page_token": after})


class Snapshots(Door):
    @extend_schema(parameters=[asked.OfLatest], responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """Last trade, last quote, newest minute bar and the bars of two days, by symbol."""
        return Response(pages.snapshots(world_of(request), self.query(asked.OfLatest)["symbols"]))


class Snapshot(Door):
    @extend_schema(parameters=[asked.OfOneLatest], responses=OBJECT, tags=["market data"])
    def get(self, request: Request, symbol: str) -> Response:
        """The snapshot of one symbol."""
        self.query(asked.OfOneLatest)
        return Response({"symbol": symbol, **pages.snapshots(world_of(request), [symbol])[symbol]})


class Calendar(Door):
    @extend_schema(parameters=[asked.OfCalendar], responses=OBJECT, tags=["market data"])
    def get(self, request: Request) -> Response:
        """The days on which the venue trades, with its hours."""
        query = self.query(asked.OfCalendar)
        return Response(trading_days.rows(world_of(request), query["start"], query["end"]))


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
