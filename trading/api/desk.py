"""`/api/v1/desk`, receipts and the watchlist: what a player's screen shows."""

from __future__ import annotations

import uuid

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import IF_MATCH, Strict
from simgame.kernel import money
from simgame.kernel.errors import NotFound
from trading import queries, watchlist, watchlists
from trading.api.door import X_PORTFOLIO, Door, Problem

PRIVATE = {"Cache-Control": "private, no-cache"}


class DeskQuery(Strict):
    portfolio = serializers.CharField(required=False, help_text="As X-Portfolio")
    since = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=money.INT64_MAX,
        help_text="The version you have: 304 when it stands",
    )
    epoch = serializers.CharField(
        required=False, max_length=64, help_text="The epoch of `since`: in another one nothing stands"
    )


class Watchlist(Strict):
    symbols = serializers.ListField(child=serializers.CharField(max_length=32), max_length=1000)


class Desk(Door):
    @extend_schema(
        parameters=[DeskQuery, X_PORTFOLIO],
        responses={200: OpenApiTypes.OBJECT, 304: None, 404: Problem},
        tags=["desk"],
    )
    def get(self, request: Request) -> Response:
        """Everything the desk shows, as of `version` of the portfolio's stream; 304 when nothing is newer."""
        asked = self.query(DeskQuery)
        portfolio = self.portfolio(asked.get("portfolio"))
        version, epoch = queries.desk_version(portfolio.id), queries.stream_epoch(portfolio.id)
        tag = _tag(epoch, version)
        stands = asked.get("since") == version and asked.get("epoch", epoch) == epoch
        if stands or request.headers.get("If-None-Match") == tag:
            return Response(status=304, headers={"ETag": tag, **PRIVATE})
        snapshot = queries.desk_snapshot(portfolio.id)
        return Response(snapshot, headers={"ETag": _tag(snapshot["epoch"], snapshot["version"]), **PRIVATE})


class OrderReceipt(Door):
    @extend_schema(
        responses={200: OpenApiTypes.OBJECT, 404: Problem}, parameters=[X_PORTFOLIO], tags=["desk"]
    )
    def get(self, request: Request, order_id: uuid.UUID) -> Response:
        """Why the order rests, ended or was refused, with its fills and theirs."""
        return Response(queries.receipt_of_order(self.portfolio().id, order_id))


class FillReceipt(Door):
    @extend_schema(
        responses={200: OpenApiTypes.OBJECT, 404: Problem}, parameters=[X_PORTFOLIO], tags=["desk"]
    )
    def get(self, request: Request, fill_id: int) -> Response:
        """What the fill was decided by: quote, levels, rule, fees."""
        if fill_id > money.INT64_MAX:
            raise NotFound("You have no such fill.")
        return Response(queries.receipt_of_fill(self.portfolio().id, fill_id))


class OwnWatchlist(Door):
    @extend_schema(responses=Watchlist, parameters=[X_PORTFOLIO], tags=["desk"])
    def get(self, request: Request) -> Response:
        """The ordinary list: symbols in the player's order."""
        row = watchlist.row_of(self.portfolio().id)
        return Response(
            {"symbols": row.symbols if row else []}, headers={"ETag": watchlists.tag(row)} if row else {}
        )

    @extend_schema(
        request=Watchlist,
        responses={200: Watchlist, 404: Problem},
        parameters=[X_PORTFOLIO, IF_MATCH],
        tags=["desk"],
    )
    def put(self, request: Request) -> Response:
        """The whole list, in the player's order."""
        symbols = self.body(Watchlist)["symbols"]
        row = watchlist.choose(self.portfolio().id, symbols, self.if_match)
        return Response({"symbols": row.symbols}, headers={"ETag": watchlists.tag(row)})


def _tag(epoch: str, version: int) -> str:
    return f'"{epoch}.{version}"'
