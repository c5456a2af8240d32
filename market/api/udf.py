"""`/udf`: TradingView's UDF for the charting library's ready-made adapter. Open to everybody.

A refusal is our problem document with their `s` and `errmsg` in it. Parameters that mean nothing here
are ignored, not refused: their library adds some with every version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts.doors import Door
from market import caller, charts, pages, queries, udf, worlds
from market.api import asked
from market.errors import MarketError
from market.models import Instrument

OBJECT = OpenApiTypes.OBJECT
ROWS = {200: OpenApiTypes.OBJECT}


class Numbers(JSONRenderer):
    """Writes msgspec.Raw as it is: prices are numbers there."""

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return b"" if data is None else msgspec.json.encode(data)


class Udf(Door):
    permission_classes = (AllowAny,)
    renderer_classes = (Numbers,)

    def get_exception_handler(self) -> Callable[..., Any]:
        said = super().get_exception_handler()

        def in_their_words(error: Exception, context: dict[str, Any]) -> Any:
            answer = said(error, context)
            if isinstance(answer, Response) and isinstance(answer.data, dict):
                answer.data |= {"s": "error", "errmsg": answer.data.get("detail", "")}
            return answer

        return in_their_words

    def asked(self, form: type[Serializer]) -> dict[str, Any]:
        given = form(data=self.request.query_params.dict())
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    def charted(self, form: type[Serializer]) -> tuple[Instrument, str, charts.Stretch]:
        """(instrument, interval, stretch)."""
        query = self.asked(form)
        _, row = udf.named(query["symbol"], caller.world_played)
        stretch = charts.Stretch(query["from"], query["to"], query.get("countback"))
        return row, udf.INTERVALS[query["resolution"]], stretch


class Config(Udf):
    @extend_schema(responses=OBJECT, tags=["TradingView"])
    def get(self, request: Request) -> Response:
        """What this data feed can do."""
        return Response(udf.config())


class Symbols(Udf):
    @extend_schema(parameters=[asked.OfUdfSymbol], responses=OBJECT, tags=["TradingView"])
    def get(self, request: Request) -> Response:
        """One instrument, as their LibrarySymbolInfo."""
        return Response(udf.symbol(*udf.named(self.asked(asked.OfUdfSymbol)["symbol"], caller.world_played)))


class SymbolInfo(Udf):
    @extend_schema(parameters=[asked.OfUdfGroup], responses=OBJECT, tags=["TradingView"])
    def get(self, request: Request) -> Response:
        """Every instrument of a world (their group), column by column."""
        group = self.asked(asked.OfUdfGroup)["group"]
        world = worlds.named(group.lower()) if group else caller.world_played()
        return Response(udf.symbol_info(world, queries.instruments(world.number)))


class Search(Udf):
    @extend_schema(parameters=[asked.OfUdfSearch], responses=ROWS, tags=["TradingView"])
    def get(self, request: Request) -> Response:
        """Instruments by the beginning of a symbol or a part of a name."""
        query = self.asked(asked.OfUdfSearch)
        slug = query["exchange"].lower()
        world = worlds.named(slug) if slug else caller.world_played()
        rows = pages.searched(world, query["query"], query["type"], query["limit"])
        return Response([udf.found(world, row) for row in rows])


class History(Udf):
    @extend_schema(parameters=[asked.OfUdfHistory], responses=OBJECT, tags=["TradingView"])
    def get(self, request: Request) -> Response:
        """Bars in [from, to), or the last `countback` before `to`; `no_data` says where the next ones lie."""
        row, interval, stretch = self.charted(asked.OfUdfHistory)
        return Response(udf.history(row, charts.bars(row, interval, stretch)))


class Marks(Udf):
    @extend_schema(parameters=[asked.OfUdfMarks], responses=OBJECT, tags=["TradingView"])
    def get(self, request: Request) -> Response:
        """Bars that were built over a gap in the data."""
        return Response(udf.marks(charts.partial_bars(*self.charted(asked.OfUdfMarks))))


class TimescaleMarks(Udf):
    @extend_schema(parameters=[asked.OfUdfMarks], responses=ROWS, tags=["TradingView"])
    def get(self, request: Request) -> Response:
        """Corporate actions on their ex-dates."""
        row, _, stretch = self.charted(asked.OfUdfMarks)
        return Response(udf.timescale_marks(charts.actions(row, stretch)))


class Time(Udf):
    @extend_schema(responses=OpenApiTypes.INT, tags=["TradingView"])
    def get(self, request: Request) -> Response:
        """World time in Unix seconds."""
        return Response(charts.now_ns(caller.world_played()) // charts.clock.NS_PER_S)


class Quotes(Udf):
    @extend_schema(parameters=[asked.OfUdfQuotes], responses=OBJECT, tags=["TradingView"])
    def get(self, request: Request) -> Response:
        """The last quote of each symbol; one that is not known is an error of its own."""
        names = self.asked(asked.OfUdfQuotes)["symbols"]
        return Response({"s": "ok", "d": [_quote(name) for name in names]})


def _quote(name: str) -> dict[str, Any]:
    try:
        world, row = udf.named(name, caller.world_played)
    except MarketError as error:
        return udf.unknown(name, error.detail)
    return udf.quote(name, world, row, queries.quotes(world, [row.symbol])[row.symbol])
