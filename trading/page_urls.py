"""Addresses of the pages."""

from django.urls import include, path

from trading import views

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
    path("portfolio/", views.portfolio, name="portfolio"),
    path("portfolio/rights/<str:key>/", views.use_rights, name="use-rights"),
    path("help/", views.guide, name="help"),
    path("settings/", views.settings_page, name="settings"),
    path("settings/keys/", views.make_key, name="make-key"),
    path("settings/keys/<str:key_id>/revoke/", views.revoke_key, name="revoke-key"),
    path("settings/logins/<uuid:login_id>/revoke/", views.revoke_login, name="revoke-login"),
    path("settings/password/", views.change_password, name="change-password"),
    path("sw.js", views.service_worker, name="service-worker"),
    path("i18n/", include("django.conf.urls.i18n")),
]
