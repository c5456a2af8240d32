"""`/api/v1/watchlists`, `/journal`, `/alerts`, `/portfolio/curve`: what players keep beside their books."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import IDEMPOTENCY_KEY, IF_MATCH, Strict
from simgame.kernel import money
from simgame.kernel.errors import Invalid
from trading import alerts, equity, journal, watchlists
from trading.api.door import X_PORTFOLIO, Door, Problem
from trading.models import JournalNote, Portfolio
from trading.models import Watchlist as WatchlistRow
from trading.models.notes import TEXT_MAX
from trading.watchlists import NAME_CHARS_MAX

PAGE_MAX = 200  # notes in one answer
OWN = {200: OpenApiTypes.OBJECT, 404: Problem}
MADE = {201: OpenApiTypes.OBJECT, 422: Problem}


class ListForm(Strict):
    name = serializers.CharField(max_length=NAME_CHARS_MAX, required=False)
    symbols = serializers.ListField(
        child=serializers.CharField(max_length=32), max_length=1000, required=False
    )


class NoteForm(Strict):
    text = serializers.CharField(max_length=TEXT_MAX)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), max_length=40, required=False)
    order_id = serializers.UUIDField(required=False, allow_null=True)
    day = serializers.DateField(required=False, allow_null=True)


class NoteChange(Strict):
    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, help_text="That was read; or If-Match says it"
    )
    text = serializers.CharField(max_length=TEXT_MAX, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), max_length=40, required=False)


class NoteQuery(Strict):
    q = serializers.CharField(required=False, max_length=200, default="", allow_blank=True)
    tag = serializers.CharField(required=False, max_length=32, default="", allow_blank=True)
    order_id = serializers.UUIDField(required=False, default=None)
    day = serializers.DateField(required=False, default=None)
    before = serializers.IntegerField(
        required=False, min_value=1, max_value=money.INT64_MAX, help_text="As page_token"
    )
    page_token = serializers.IntegerField(required=False, min_value=1, max_value=money.INT64_MAX)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=PAGE_MAX, default=50)


class AlertForm(Strict):
    symbol = serializers.CharField(max_length=32)
    price = serializers.CharField(max_length=40)
    way = serializers.ChoiceField(["above", "below", ""], required=False, default="")


class Watchlists(Door):
    @extend_schema(responses=OWN, parameters=[X_PORTFOLIO], tags=["desk"])
    def get(self, request: Request) -> Response:
        """Every list of the portfolio; the first is the ordinary one."""
        self.query(Strict)
        return Response({"watchlists": [_list(row) for row in watchlists.of(self.portfolio().id)]})

    @extend_schema(request=ListForm, responses=MADE, parameters=[X_PORTFOLIO, IDEMPOTENCY_KEY], tags=["desk"])
    def post(self, request: Request) -> HttpResponseBase:
        """A new list."""
        return self.once(self.made)

    def made(self) -> Response:
        sent = self.body(ListForm)
        made = watchlists.make(self.portfolio().id, sent.get("name", ""), sent.get("symbols", ()))
        return _shown(made, 201)


class OneWatchlist(Door):
    @extend_schema(responses=OWN, parameters=[X_PORTFOLIO], tags=["desk"])
    def get(self, request: Request, list_id: uuid.UUID) -> Response:
        """One list; its ETag is of its name and symbols."""
        return _shown(watchlists.find(self.portfolio().id, str(list_id)))

    @extend_schema(request=ListForm, responses=OWN, parameters=[X_PORTFOLIO, IF_MATCH], tags=["desk"])
    def put(self, request: Request, list_id: uuid.UUID) -> Response:
        """Another name, other symbols, or both; what is not sent stays."""
        sent = self.body(ListForm)
        named = sent.get("name"), sent.get("symbols")
        return _shown(watchlists.change(self.portfolio().id, str(list_id), *named, seen=self.if_match))

    @extend_schema(responses={204: None, 404: Problem}, parameters=[X_PORTFOLIO, IF_MATCH], tags=["desk"])
    def delete(self, request: Request, list_id: uuid.UUID) -> Response:
        """The list is gone."""
        watchlists.delete(self.portfolio().id, str(list_id), self.if_match)
        return Response(status=204)


class Journal(Door):
    @extend_schema(parameters=[NoteQuery, X_PORTFOLIO], responses=OWN, tags=["journal"])
    def get(self, request: Request) -> Response:
        """The notes that fit, newest first, and the tags in use."""
        asked = self.query(NoteQuery)
        portfolio = self.portfolio().id
        rows = journal.search(portfolio, asked["q"], asked["tag"], asked["order_id"], asked["day"] or "")
        if before := asked.get("page_token") or asked.get("before"):
            rows = rows.filter(id__lt=before)
        notes = [journal.row(note) for note in rows[: asked["limit"] + 1]]
        shown = notes[: asked["limit"]]
        after = str(shown[-1]["id"]) if len(notes) > len(shown) else None
        return Response({"notes": shown, "tags": dict(journal.tags_of(portfolio)), "next_page_token": after})

    @extend_schema(
        request=NoteForm, responses=MADE, parameters=[X_PORTFOLIO, IDEMPOTENCY_KEY], tags=["journal"]
    )
    def post(self, request: Request) -> HttpResponseBase:
        """A note, of today where it says neither day nor order. `#words` of the text become tags."""
        return self.once(self.made)

    def made(self) -> Response:
        portfolio = self.portfolio().id
        sent = self.body(NoteForm)
        if not sent.get("day"):
            sent["day"] = journal.today(portfolio)
        return _noted(journal.write(portfolio, **sent), 201)


class Note(Door):
    @extend_schema(responses=OWN, parameters=[X_PORTFOLIO], tags=["journal"])
    def get(self, request: Request, note_id: int) -> Response:
        """One note; its ETag is its version."""
        return _noted(journal.find(self.portfolio().id, _id(note_id)))

    @extend_schema(request=NoteChange, responses=OWN, parameters=[X_PORTFOLIO, IF_MATCH], tags=["journal"])
    def patch(self, request: Request, note_id: int) -> Response:
        """Another text or other tags, on the `version` that was read: 412 when it changed meanwhile."""
        sent = self.body(NoteChange)
        version = self.version(sent.pop("version", None))
        if version is None:
            raise Invalid("Say which version you read: `version`, or If-Match.", pointer="/version")
        return _noted(journal.change(self.portfolio().id, _id(note_id), version, **sent))

    @extend_schema(responses={204: None, 404: Problem}, parameters=[X_PORTFOLIO, IF_MATCH], tags=["journal"])
    def delete(self, request: Request, note_id: int) -> Response:
        """The note is gone."""
        journal.remove(self.portfolio().id, _id(note_id), self.version(None))
        return Response(status=204)

    def version(self, in_body: int | None) -> int | None:
        """What the caller read; a tag that is none of ours was never read: 0."""
        if self.if_match is None:
            return in_body
        tag = self.if_match.strip('"')
        return int(tag) if tag.isascii() and tag.isdigit() and len(tag) < 10 else 0


class Alerts(Door):
    @extend_schema(responses=OWN, parameters=[X_PORTFOLIO], tags=["desk"])
    def get(self, request: Request) -> Response:
        """Alerts on a price, newest first: those that wait and those that were told."""
        self.query(Strict)
        return Response({"alerts": alerts.rows(self.portfolio().id)})

    @extend_schema(
        request=AlertForm, responses=MADE, parameters=[X_PORTFOLIO, IDEMPOTENCY_KEY], tags=["desk"]
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Told once, when a trade reaches the price; without `way` from where the market stands now."""
        return self.once(self.made)

    def made(self) -> Response:
        portfolio = self.portfolio().id
        made = alerts.make(portfolio, **self.body(AlertForm))
        return Response(next(row for row in alerts.rows(portfolio) if row["id"] == made.pk), status=201)


class OneAlert(Door):
    @extend_schema(responses={204: None, 404: Problem}, parameters=[X_PORTFOLIO], tags=["desk"])
    def delete(self, request: Request, alert_id: int) -> Response:
        alerts.remove(self.portfolio().id, _id(alert_id))
        return Response(status=204)


class Curve(Door):
    @extend_schema(responses=OWN, parameters=[X_PORTFOLIO], tags=["desk"])
    def get(self, request: Request) -> Response:
        """The equity curve: a point a minute, thinner with age, with drawdown in percent and exposure."""
        self.query(Strict)
        portfolio = Portfolio.objects.select_related("game__world").get(id=self.portfolio().id)
        return Response({"points": equity.shown(portfolio, equity.points(portfolio))})


def _list(row: WatchlistRow) -> dict[str, Any]:
    return {"id": str(row.id), "name": row.name, "symbols": row.symbols}


def _shown(row: WatchlistRow, status: int = 200) -> Response:
    return Response(_list(row), status=status, headers={"ETag": watchlists.tag(row)})


def _noted(note: JournalNote, status: int = 200) -> Response:
    return Response(journal.row(note), status=status, headers={"ETag": f'"{note.version}"'})


def _id(number: int) -> int:
    """A number that no row can have finds nothing, instead of troubling the database."""
    return min(number, money.INT64_MAX)
