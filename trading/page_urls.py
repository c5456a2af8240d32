"""Addresses of the pages."""

from django.urls import include, path

from trading import views, views_books, views_games

urlpatterns = [
    path("", views.landing, name="landing"),
    path("play/", views.play, name="play"),
    path("keep/", views.keep, name="keep"),
    path("login/", views.login, name="login"),
    path("register/", views.register, name="register"),
    path("logout/", views.logout, name="logout"),
    path("desk/", views.desk, name="desk"),
    path("desk/<str:symbol>/", views.desk, name="desk-symbol"),
    path("standings/", views.standings, name="standings"),
    path("standings/<slug:slug>/", views.standings, name="standings-of"),
    path("games/", views_games.games, name="games"),
    path("games/<slug:slug>/join/", views_games.join, name="join"),
    path("games/<slug:slug>/play/", views_games.play, name="play-game"),
    path("games/<slug:slug>/host/", views_games.host, name="host"),
    path("games/<slug:slug>/host/<str:verb>/", views_games.act, name="host-act"),
    path("games/<slug:slug>/export/", views_games.export, name="export-game"),
    path("instruments/<str:symbol>/", views_books.instrument, name="instrument"),
    path("orders/", views_books.orders, name="orders"),
    path("journal/", views_books.notes, name="journal"),
    path("journal/<int:note_id>/", views_books.change_note, name="change-note"),
    path("portfolio/", views_books.portfolio, name="portfolio"),
    path("portfolio/rights/<str:key>/", views.use_rights, name="use-rights"),
    path("help/", views.guide, name="help"),
    path("settings/", views.settings_page, name="settings"),
    path("settings/keys/", views.make_key, name="make-key"),
    path("settings/keys/<str:key_id>/revoke/", views.revoke_key, name="revoke-key"),
    path("settings/logins/revoke/", views.revoke_other_logins, name="revoke-other-logins"),
    path("settings/logins/<uuid:login_id>/revoke/", views.revoke_login, name="revoke-login"),
    path("settings/password/", views.change_password, name="change-password"),
    path("sw.js", views.service_worker, name="service-worker"),
    path("i18n/", include("django.conf.urls.i18n")),
]
