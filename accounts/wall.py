"""Who looks at the database during a request: nobody, until a session, token or key has said who it is.

`identity` says it for the API and the sockets of orders; for pages it is the session. Staff on the pages
of `/admin/` see the house.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import SESSION_KEY, middleware
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from simgame.kernel import viewer

STAFF = "/admin/"
DOORS = ("/account/",)  # pages of django-allauth, which looks for accounts itself


def viewer_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        with viewer.request(at_the_door=request.path.startswith(DOORS)):
            return get_response(request)

    return middleware


class AuthenticationMiddleware(middleware.AuthenticationMiddleware):
    """Django's, and who signed in looks from then on."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _user(request))  # type: ignore[assignment]
        if request.path.startswith(STAFF):
            bool(request.user)  # staff see what they look for from the first query on


def _user(request: HttpRequest) -> Any:
    if not hasattr(request, "_cached_user"):
        claimed = request.session.get(SESSION_KEY)
        with viewer.door():
            user = middleware.get_user(request)
        if claimed is not None and user.is_authenticated:
            viewer.become(user.pk)
            if user.is_staff and user.is_active and request.path.startswith(STAFF):
                viewer.enter_house()
        return user
    return middleware.get_user(request)
