"""`/api/v1`: what everybody may read of a market. No key is needed; a wrong one is refused."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door, Strict
from market import caller, charts, pages, queries, season, seed_state, shapes, worlds
from market.api import asked
from market.models import World
from market.shapes import world_json

OBJECT = OpenApiTypes.OBJECT


class Public(Door):
    permission_classes = (AllowAny,)

    def asked(self, form: type[Strict]) -> tuple[World, dict[str, Any]]:
        """(the world that is asked about, the other parameters)."""
        query = self.query(form)
        slug = query.pop("world", "")
        return (worlds.named(slug) if slug else caller.world_played()), query


class Quotes(Public):
    @extend_schema(parameters=[asked.OfQuotes], responses={200: OBJECT, 304: None}, tags=["market"])
    def get(self, request: Request) -> Response:
        """The last quotes, all or of `symbols`; 304 when nothing is newer than `since` or the ETag."""
        world, query = self.asked(asked.OfQuotes)
        found = queries.quotes_since(world, query["symbols"], query["since"])
        return unless_known(request, found["version"], query["since"], found)


def unless_known(request: Request, version: str, since: str, body: Any) -> Response:
    tag = f'"{version}"'
    tags = [part.strip() for part in request.headers.get("If-None-Match", "").split(",")]
    answer = Response(status=304) if since == version or tag in tags else Response(body)
    answer["ETag"], answer["Cache-Control"] = tag, "no-cache"
    return answer


class Depth(Public):
    @extend_schema(parameters=[asked.OfWorld], responses=OBJECT, tags=["market"])
    def get(self, request: Request, symbol: str) -> Response:
        """The displayed levels, best first."""
        world, _ = self.asked(asked.OfWorld)
        return Response(queries.depth(world, symbol))


class Trades(Public):
    @extend_schema(parameters=[asked.OfWorld], responses=OBJECT, tags=["market"])
    def get(self, request: Request, symbol: str) -> Response:
        """The last 50 trades, oldest first."""
        world, _ = self.asked(asked.OfWorld)
        return Response({"symbol": symbol, "trades": queries.trades(world, symbol)})


class Bars(Public):
    @extend_schema(parameters=[asked.OfBars], responses=OBJECT, tags=["market"])
    def get(self, request: Request, symbol: str) -> Response:
        """The last bars, oldest first; the forming one among them."""
        world, query = self.asked(asked.OfBars)
        row = queries.instrument(world, symbol)
        bars = queries.bars(row, query["interval"], query["before"], query["limit"])
        return Response({"symbol": symbol, "interval": query["interval"], "bars": bars})


class Chart(Public):
    @extend_schema(parameters=[asked.OfChart], responses=OBJECT, tags=["market"])
    def get(self, request: Request, symbol: str) -> Response:
        """Bars in [from, to), or the last `countback` before `to`; without any, when earlier ones end."""
        world, query = self.asked(asked.OfChart)
        row = queries.instrument(world, symbol)
        stretch = charts.Stretch(query["from"], query["to"], query["countback"])
        return Response(
            shapes.chart_json(row, query["interval"], charts.bars(row, query["interval"], stretch))
        )


class Sparks(Public):
    @extend_schema(parameters=[asked.OfWorld], responses=OBJECT, tags=["market"])
    def get(self, request: Request) -> Response:
        """Symbol → the last sixty closes of five minutes, oldest first."""
        world, _ = self.asked(asked.OfWorld)
        return Response(queries.sparks(world))


class Instruments(Public):
    @extend_schema(parameters=[asked.OfInstruments], responses=OBJECT, tags=["market"])
    def get(self, request: Request) -> Response:
        """A page of instruments, by symbol."""
        world, query = self.asked(asked.OfInstruments)
        return Response(pages.instruments(world, query["q"], query["limit"], query["page_token"]))


class Worlds(Public):
    @extend_schema(responses=OBJECT, tags=["market"])
    def get(self, request: Request) -> Response:
        """Every world, the oldest first."""
        self.query(asked.Nothing)
        return Response({"worlds": [world_json(world) for world in worlds.every()]})


class OneWorld(Public):
    @extend_schema(responses=OBJECT, tags=["market"])
    def get(self, request: Request, slug: str) -> Response:
        """A world with its clock, and the rules of its day in words."""
        self.query(asked.Nothing)
        return Response(queries.world_today(worlds.named(slug)))


class Season(Public):
    @extend_schema(parameters=[asked.OfWorld], responses=OBJECT, tags=["market"])
    def get(self, request: Request) -> Response:
        """A sealed season: the hash published before, and, when it is over, the seed."""
        world, _ = self.asked(asked.OfWorld)
        return Response(season.shown(season.of(world)))


class SeedState(Public):
    @extend_schema(parameters=[asked.OfWorld], responses=OBJECT, tags=["market"])
    def get(self, request: Request) -> Response:
        """Seed, steps and hash: the same seed at the same step has the same hash."""
        world, _ = self.asked(asked.OfWorld)
        return Response(seed_state.of(world))
