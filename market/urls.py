"""Addresses of the market's doors."""

from __future__ import annotations

from django.urls import path

from market.api import alpaca, udf, v1

urlpatterns = [
    path("api/v1/quotes", v1.Quotes.as_view()),
    path("api/v1/depth/<str:symbol>", v1.Depth.as_view()),
    path("api/v1/trades/<str:symbol>", v1.Trades.as_view()),
    path("api/v1/bars/<str:symbol>", v1.Bars.as_view()),
    path("api/v1/chart/<str:symbol>", v1.Chart.as_view()),
    path("udf/config", udf.Config.as_view()),
    path("udf/symbols", udf.Symbols.as_view()),
    path("udf/symbol_info", udf.SymbolInfo.as_view()),
    path("udf/search", udf.Search.as_view()),
    path("udf/history", udf.History.as_view()),
    path("udf/marks", udf.Marks.as_view()),
    path("udf/timescale_marks", udf.TimescaleMarks.as_view()),
    path("udf/time", udf.Time.as_view()),
    path("udf/quotes", udf.Quotes.as_view()),
    path("api/v1/sparks", v1.Sparks.as_view()),
    path("api/v1/instruments", v1.Instruments.as_view()),
    path("api/v1/worlds", v1.Worlds.as_view()),
    path("api/v1/worlds/<str:slug>", v1.OneWorld.as_view()),
    path("api/v1/seed-state", v1.SeedState.as_view()),
    path("api/v1/season", v1.Season.as_view()),
    path("v2/stocks/quotes/latest", alpaca.LatestQuotes.as_view()),
    path("v2/stocks/trades/latest", alpaca.LatestTrades.as_view()),
    path("v2/stocks/bars/latest", alpaca.LatestBars.as_view()),
    path("v2/stocks/bars", alpaca.Bars.as_view()),
    path("v2/stocks/<str:symbol>/bars", alpaca.BarsOfOne.as_view()),
    path("v2/stocks/quotes", alpaca.Quotes.as_view()),
    path("v2/stocks/trades", alpaca.Trades.as_view()),
    path("v2/stocks/snapshots", alpaca.Snapshots.as_view()),
    path("v2/stocks/<str:symbol>/quotes", alpaca.QuotesOfOne.as_view()),
    path("v2/stocks/<str:symbol>/trades", alpaca.TradesOfOne.as_view()),
    path("v2/stocks/<str:symbol>/snapshot", alpaca.Snapshot.as_view()),
    path("v2/calendar", alpaca.Calendar.as_view()),
    path("v2/assets", alpaca.Assets.as_view()),
    path("v2/assets/<str:symbol_or_id>", alpaca.Asset.as_view()),
    path("v2/clock", alpaca.Clock.as_view()),
]
