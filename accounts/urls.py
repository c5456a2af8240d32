"""Addresses of django-allauth, under `/account/`. What we have pages for ourselves leads there."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import include, path
from django.views.generic import RedirectView

from accounts import impersonation


def ours(page: str) -> Callable[..., HttpResponseBase]:
    return RedirectView.as_view(url=page, query_string=True)


urlpatterns = [
    path(impersonation.END.removeprefix("/"), impersonation.end, name="end-impersonation"),
    path("account/login/", ours("/login/"), name="account_login"),
    path("account/signup/", ours("/register/"), name="account_signup"),
    path("account/password/change/", ours("/settings/"), name="account_change_password"),
    path("account/", include("allauth.urls")),
]
