"""What every door of the API does: parse strictly, and say how much of the rate limit is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.identity import SAFE_METHODS, Identity
from simgame.kernel.errors import NotFound

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag you saw, else 412."
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="The same request again changes nothing."
)


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

    def once(self, act: Callable[[], Response]) -> HttpResponseBase:
        """The answer of `act`, or with an Idempotency-Key that came before: the one it gave then."""
        if (header := self.request.headers.get("Idempotency-Key")) is None:
            return act()
        key = idempotency.key_of(header)
        asked = (self.request.method, self.request.path, self.request.headers.get("X-Portfolio"))
        said = idempotency.once(
            self.identity.player_id,
            key,
            idempotency.fingerprint(*asked, self.request.data),
            lambda: _said(act()),
        )
        headers = {"Idempotent-Replayed": "true"} if said.replayed else {}
        headers |= {"ETag": said.etag} if said.etag else {}
        return HttpResponse(said.body, status=said.status, content_type="application/json", headers=headers)

    @property
    def if_match(self) -> str | None:
        """The tag that the caller saw; None where any will do."""
        tag = self.request.headers.get("If-Match", "*").strip()
        return None if tag == "*" else tag

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


def _said(answer: Response) -> idempotency.Said:
    body = JSONRenderer().render(answer.data).decode()
    return idempotency.Said(answer.status_code, body, answer.headers.get("ETag", ""))
