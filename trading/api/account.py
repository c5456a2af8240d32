"""`/v2/account/…`: what the portfolio was worth, what happened to it, and what the game has chosen."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Strict
from market.api.asked import Instant, text
from simgame.kernel.errors import Invalid
from trading import activities, alpaca, equity
from trading.api.door import X_PORTFOLIO, Door
from trading.api.v2 import MANY, ONE


class ConfigurationsForm(Strict):
    dtbp_check = serializers.CharField(max_length=20, required=False, allow_null=True)
    fractional_trading = serializers.BooleanField(required=False)
    max_margin_multiplier = serializers.CharField(max_length=20, required=False)
    no_shorting = serializers.BooleanField(required=False)
    pdt_check = serializers.CharField(max_length=20, required=False, allow_null=True)
    ptp_no_exception_entry = serializers.BooleanField(required=False)
    suspend_trade = serializers.BooleanField(required=False)
    trade_confirm_email = serializers.CharField(max_length=20, required=False)
    max_options_trading_level = serializers.IntegerField(required=False, allow_null=True)


class HistoryQuery(Strict):
    period = serializers.CharField(max_length=5, required=False, help_text="1D, 2W, 1M (default), 1A")
    timeframe = serializers.ChoiceField(list(equity.FRAMES), required=False)
    start = Instant(required=False, default=None)
    end = Instant(required=False, default=None)
    date_end = Instant(required=False, default=None, help_text="As end")
    intraday_reporting = text(help_text="Says nothing here: there are no extended hours.")
    pnl_reset = text(help_text="no_reset is what is done.")
    extended_hours = serializers.BooleanField(required=False)
    cashflow_types = text(help_text="Activities have them.")


class ActivitiesQuery(Strict):
    activity_types = serializers.CharField(max_length=300, required=False, help_text="Separated by commas")
    category = serializers.ChoiceField(["trade_activity", "non_trade_activity"], required=False)
    date = serializers.DateField(required=False)
    after = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    direction = serializers.ChoiceField(["asc", "desc"], default="desc")
    page_size = serializers.IntegerField(
        min_value=1, max_value=activities.PAGE_MAX, default=activities.PAGE_MAX
    )
    page_token = serializers.CharField(max_length=80, required=False, help_text="The id of the last one seen")


class Configurations(Door):
    @extend_schema(responses=ONE, parameters=[X_PORTFOLIO], tags=["v2 account"])
    def get(self, request: Request) -> Response:
        """What the portfolio's game has chosen."""
        return Response(alpaca.configurations(self.portfolio().id))

    @extend_schema(request=ConfigurationsForm, responses=MANY, parameters=[X_PORTFOLIO], tags=["v2 account"])
    def patch(self, request: Request) -> Response:
        """Accepts what holds already; the rest is the game's to choose, and refused with its name."""
        return Response(alpaca.configure(self.portfolio().id, self.body(ConfigurationsForm)))


class History(Door):
    @extend_schema(responses=MANY, parameters=[HistoryQuery, X_PORTFOLIO], tags=["v2 account"])
    def get(self, request: Request) -> Response:
        """Equity over time, as the portfolio page tells it: noted once a minute, then thinner."""
        asked = self.query(HistoryQuery)
        asked["end"] = asked["end"] or asked["date_end"]
        return Response(equity.history(self.portfolio().id, asked))


class Activities(Door):
    @extend_schema(responses=MANY, parameters=[ActivitiesQuery, X_PORTFOLIO], tags=["v2 account"])
    def get(self, request: Request) -> Response:
        """Fills, and what moved without one: the newest first. The last id is the next page's token."""
        return self.found(self.query(ActivitiesQuery))

    def found(self, asked: dict[str, Any], named: str = "") -> Response:
        types = tuple((named or asked.get("activity_types") or ",".join(activities.TYPES)).split(","))
        if unknown := [word for word in types if word not in activities.TYPES]:
            there = ", ".join(activities.TYPES)
            raise Invalid(
                f"There are no {unknown[0][:20]!r} here; there are {there}.", pointer="/activity_types"
            )
        if category := asked.get("category"):
            trades = category == "trade_activity"
            types = tuple(word for word in types if (word == activities.FILL) == trades)
        asked |= {"types": types, "limit": asked["page_size"]}
        return Response(activities.of(self.portfolio().id, asked))


class ActivitiesOfType(Activities):
    @extend_schema(responses=MANY, parameters=[ActivitiesQuery, X_PORTFOLIO], tags=["v2 account"])
    def get(self, request: Request, activity_type: str) -> Response:  # type: ignore[override]
        """Activities of one type, such as FILL."""
        return self.found(self.query(ActivitiesQuery), activity_type)
