"""Every address of trading: pages and API.

The gateway answers writes to `/v2/orders…` before they come here; the views document them.
"""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from trading.api import absent, account, auth, desk, games, keys, notes, orders, rights, v2, watchlists

V1 = "api/v1/"

urlpatterns = [
    path("", include("trading.page_urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path(".well-known/jwks.json", auth.KeySet.as_view()),
    path(V1 + "auth/register", auth.Register.as_view()),
    path(V1 + "auth/guest", auth.Guest.as_view()),
    path(V1 + "auth/keep", auth.Keep.as_view()),
    path(V1 + "auth/token", auth.Token.as_view()),
    path(V1 + "auth/refresh", auth.Refresh.as_view()),
    path(V1 + "auth/logout", auth.Logout.as_view()),
    path(V1 + "auth/sessions", auth.Sessions.as_view()),
    path(V1 + "auth/sessions/<uuid:login_id>", auth.Session.as_view()),
    path(V1 + "keys", keys.Keys.as_view()),
    path(V1 + "keys/<str:key_id>", keys.Key.as_view()),
    path(V1 + "desk", desk.Desk.as_view()),
    path(V1 + "rights", rights.Rights.as_view()),
    path(V1 + "rights/<str:key>", rights.Right.as_view()),
    path(V1 + "watchlist", desk.OwnWatchlist.as_view()),
    path(V1 + "watchlists", notes.Watchlists.as_view()),
    path(V1 + "watchlists/<uuid:list_id>", notes.OneWatchlist.as_view()),
    path(V1 + "journal", notes.Journal.as_view()),
    path(V1 + "journal/<int:note_id>", notes.Note.as_view()),
    path(V1 + "alerts", notes.Alerts.as_view()),
    path(V1 + "alerts/<int:alert_id>", notes.OneAlert.as_view()),
    path(V1 + "portfolio/curve", notes.Curve.as_view()),
    path(V1 + "orders/preview", orders.Preview.as_view()),
    path(V1 + "orders/<uuid:order_id>/receipt", desk.OrderReceipt.as_view()),
    path(V1 + "fills/<int:fill_id>/receipt", desk.FillReceipt.as_view()),
    path(V1 + "games", games.Games.as_view()),
    path(V1 + "games/<str:game>", games.Game.as_view()),
    path(V1 + "games/<str:game>/join", games.Join.as_view()),
    path(V1 + "games/<str:game>/standings", games.Standings.as_view()),
    path(V1 + "games/<str:game>/export", games.Export.as_view()),
    path(V1 + "games/<str:game>/<str:act>", games.Host.as_view()),
    path("v2/account", v2.Account.as_view()),
    path("v2/account/configurations", account.Configurations.as_view()),
    path("v2/account/portfolio/history", account.History.as_view()),
    path("v2/account/activities", account.Activities.as_view()),
    path("v2/account/activities/<str:activity_type>", account.ActivitiesOfType.as_view()),
    path("v2/watchlists", watchlists.Watchlists.as_view()),
    path("v2/watchlists:by_name", watchlists.WatchlistByName.as_view()),
    path("v2/watchlists/<str:watchlist_id>", watchlists.OneWatchlist.as_view()),
    path("v2/watchlists/<str:watchlist_id>/<str:symbol>", watchlists.WatchlistSymbol.as_view()),
    path("v2/orders", orders.Orders.as_view()),
    path("v2/orders:by_client_order_id", v2.OrderByClientId.as_view()),
    path("v2/orders/<str:order_id>", orders.Order.as_view()),
    path("v2/positions", orders.Positions.as_view()),
    path("v2/positions/<str:symbol>", orders.Position.as_view()),
    *(re_path(f"^{begin}(?:/.*)?$", absent.Absent.as_view(why=why)) for begin, why in absent.WHY.items()),
]
