"""Every no that leaves the house is a problem document that a program can act on."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from simgame import parsing, problem
from simgame.kernel.errors import Invalid, RateLimited, Unavailable

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


AWAY = OperationalError("couldn't get a connection after 5.00 sec")


class Line(serializers.Serializer):
    qty = serializers.IntegerField(min_value=1)


class Form(serializers.Serializer):
    name = serializers.CharField(max_length=3)
    lines = Line(many=True, required=False)


class Door(APIView):
    permission_classes = (AllowAny,)
    authentication_classes = ()

    def post(self, request: Any) -> Response:
        form = Form(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(repr(request.data))

    def get(self, request: Any) -> Response:
        raise {"limit": RateLimited(), "missing": Http404(), "fault": ZeroDivisionError(), "db": AWAY}[
            request.GET["why"]
        ]


class Private(APIView):
    def get(self, request: Any) -> Response:
        return Response()


def fault(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


def away(request: HttpRequest) -> HttpResponse:
    raise AWAY


urlpatterns = [
    path("api/v1/door", Door.as_view()),
    path("api/v1/private", Private.as_view()),
    path("v2/door", Door.as_view()),
    path("page", fault),
    path("away", away),
]
handler400 = "simgame.problem.bad_request"
handler404 = "simgame.problem.not_found"
handler500 = "simgame.problem.server_error"


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def post(client: Client, body: bytes | str, kind: str = "application/json") -> tuple[int, dict[str, Any]]:
    answer = client.post("/api/v1/door", body, content_type=kind)
    if answer.status_code == 200:
        return 200, {}
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()


def test_the_document_has_all_its_fields(client: Client) -> None:
    status, said = post(client, '{"name": "too long"}')
    assert (status, said["status"], said["code"], said["outcome"]) == (422, 422, "INVALID", "not_executed")
    assert said["errors"][0]["pointer"] == "/name"
    assert said["instance"] == "/api/v1/door"
    assert said["type"] == "urn:simgame:error:INVALID"
    assert said["detail"] == said["message"]
    assert said["request_id"]


def test_nested_fields_are_pointed_at(client: Client) -> None:
    _, said = post(client, '{"lines": [{"qty": 1}, {"qty": 0}]}')
    assert {error["pointer"] for error in said["errors"]} == {"/name", "/lines/1/qty"}


def test_on_v2_the_code_is_alpacas_integer(client: Client) -> None:
    said = client.post("/v2/door", "{}", content_type="application/json").json()
    assert (said["code"], said["reason"]) == (Invalid.alpaca, "INVALID")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nope",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": "a", "name": "b"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 5000,
    ],
)
def test_what_is_no_json_is_malformed(client: Client, body: bytes) -> None:
    assert post(client, body)[0] == 400


@pytest.mark.parametrize(
    "body", ["", "[]", '"x"', "1", "null", "true", '{"name": []}', '{"name": "a", "lines": {}}']
)
def test_json_of_another_shape_is_invalid(client: Client, body: str) -> None:
    assert post(client, body)[0] == 422


def test_a_huge_body_is_not_read(client: Client) -> None:
    status, said = post(client, json.dumps({"name": "x" * 300_000}))
    assert (status, said["code"]) == (413, "TOO_LARGE")


def test_a_form_is_not_json(client: Client) -> None:
    assert post(client, "name=a", "application/x-www-form-urlencoded")[0] == 415
    assert post(client, '{"name": "a"}', "text/plain")[0] == 415


def test_numbers_keep_their_digits() -> None:
    assert parsing.decoded(b'{"qty": 0.1}') == {"qty": Decimal("0.1")}


def test_every_kind_of_no_is_translated(client: Client) -> None:
    assert client.get("/api/v1/door?why=limit").status_code == 429
    assert client.get("/api/v1/door?why=limit")["Retry-After"] == "1"
    assert client.get("/api/v1/door?why=missing").json()["code"] == "NOT_FOUND"
    assert client.delete("/api/v1/door").json()["code"] == "METHOD_NOT_ALLOWED"
    assert client.get("/api/v1/door?why=limit", headers={"accept": "text/csv"}).status_code in {406, 429}
    private = client.get("/api/v1/private")
    assert (private.status_code, private["WWW-Authenticate"]) == (401, 'Bearer realm="simgame"')


def test_a_fault_of_ours_says_nothing_of_its_inside(client: Client) -> None:
    answer = client.get("/api/v1/door?why=fault")
    assert (answer.status_code, answer.json()["code"], answer.json()["outcome"]) == (
        500,
        "INTERNAL",
        "unknown",
    )
    assert "ZeroDivision" not in answer.content.decode()


def test_nothing_under_the_api_is_a_page(client: Client) -> None:
    for where in ("/api/v1/nowhere", "/v2/nowhere", "/udf/nowhere"):
        answer = client.get(where, headers={"accept": "text/html"})
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_people_get_pages(client: Client) -> None:
    for where, status in (("/nowhere", 404), ("/page", 500)):
        answer = client.get(where, headers={"accept": "text/html"})
        assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (status, "text/html")
    assert client.get("/nowhere", headers={"accept": "application/json"}).json()["code"] == "NOT_FOUND"


def test_a_foreign_host_is_refused(client: Client) -> None:
    answer = client.get("/api/v1/door", headers={"host": "evil.example"})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_raw_asgi_sends_the_same_document() -> None:
    error = Unavailable("Later.", world="seeded")
    raw = problem.render(error, "/v2/orders", "r-1")
    assert json.loads(raw.body) == problem.body(error, "/v2/orders", "r-1")
    headers = dict(raw.headers)
    assert headers[b"content-length"] == str(len(raw.body)).encode()
    assert headers[b"retry-after"] == b"1"


def test_a_database_that_restarts_is_no_fault_and_the_outcome_is_open(client: Client):
    answer = client.get("/api/v1/door?why=db")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    said = json.loads(answer.content)
    assert (said["code"], said["retryable"], said["outcome"]) == ("DATABASE_AWAY", True, "unknown")
    assert "connection after" not in said["detail"]


@pytest.mark.parametrize(("language", "word"), [("en", "pauses for a moment"), ("zh-hans", "游戏暂停片刻")])
def test_a_page_without_a_database_says_come_again(client: Client, language: str, word: str) -> None:
    answer = client.get("/away", headers={"accept": "text/html", "accept-language": language})
    assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "1", "no-store")
    assert word in answer.content.decode()
    asked_json = client.get("/away", headers={"accept": "application/json"}).json()
    assert (asked_json["code"], asked_json["status"]) == ("DATABASE_AWAY", 503)
    assert client.get("/page", headers={"accept": "text/html"}).status_code == 500
