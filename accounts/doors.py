"""What every door of the API does: parse strictly, and say how much of the rate limit is left."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.identity import SAFE_METHODS, Identity
from simgame.kernel.errors import NotFound


class Strict(serializers.Serializer):
    """A field that we do not know is refused: it would be a typing error that nobody notices."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            known = ", ".join(self.fields) or "none"
            raise serializers.ValidationError(
                {str(name): [f"There is no such field here; the fields are: {known}."] for name in unknown}
            )
        return super().to_internal_value(data)


class Door(APIView):
    """An API key needs the scope `read` to look and `trade` for everything else; a door may say otherwise."""

    request: Request
    scopes: ClassVar[dict[str, str]] = {}  # method → scope, where it is not the usual one

    @property
    def identity(self) -> Identity:
        """Who asks. Only behind a permission that lets nobody in without."""
        return cast(Identity, self.request.auth)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if "\x00" in request.path:  # no name of ours holds one, and PostgreSQL takes none
            raise NotFound(f"There is nothing at {request.path!r}.")
        super().initial(request, *args, **kwargs)
        if request.auth is not None:
            method = request.method or ""
            self.identity.require(self.scopes.get(method, "read" if method in SAFE_METHODS else "trade"))

    def body(self, form: type[Strict]) -> dict[str, Any]:
        """The request's JSON object, as `form` says. Raises a validation error with pointers."""
        return _valid(form, self.request.data)

    def query(self, form: type[Strict]) -> dict[str, Any]:
        """The query string, as `form` says; of a name that is given twice the last counts."""
        return _valid(form, self.request.query_params.dict())

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        final = super().finalize_response(request, response, *args, **kwargs)
        if allowance := getattr(request._request, "allowance", None):
            for name, value in allowance.headers().items():
                final.headers.setdefault(name, value)
        return final


def _valid(form: type[Strict], data: Any) -> dict[str, Any]:
    given = form(data=data)
    given.is_valid(raise_exception=True)
    return cast(dict[str, Any], given.validated_data)
