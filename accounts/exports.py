"""Tables for people with spreadsheets and for programs: CSV and JSON of what an admin page lists.

Secrets are left out as in the audit trail. A cell of a spreadsheet that begins like a formula would be one:
it gets an apostrophe in front (OWASP, "CSV Injection"), so nothing that a player wrote is ever computed.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from accounts.admin_site import plain

ROWS_MAX: Final = 50_000  # of one file; a filter makes it smaller
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_number = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z").match


def cell(value: Any) -> str:
    """What stands in a cell: never a formula."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) and not _number(text) else text


def csv_lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """RFC 4180, the names of the columns first."""
    line = io.StringIO()
    writer = csv.writer(line)
    for n, row in enumerate(rows):
        if n == 0:
            writer.writerow(map(cell, row))
        writer.writerow(map(cell, row.values()))
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def json_lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One array, a row a line."""
    opened = "[\n"
    for row in rows:
        yield opened + json.dumps(row, ensure_ascii=False, default=str)
        opened = ",\n"
    yield "[]\n" if opened == "[\n" else "\n]\n"


def _row(one: Model) -> dict[str, Any]:
    names = [field.attname for field in one._meta.concrete_fields]
    return {name: plain(name, getattr(one, name)) for name in names}


@admin.action(permissions=["view"], description="Export as CSV")
def export_csv(page: admin.ModelAdmin, request: HttpRequest, chosen: QuerySet[Model]) -> HttpResponse | None:
    return _file(page, request, chosen, "csv")


@admin.action(permissions=["view"], description="Export as JSON")
def export_json(page: admin.ModelAdmin, request: HttpRequest, chosen: QuerySet[Model]) -> HttpResponse | None:
    return _file(page, request, chosen, "json")


def _file(page: Any, request: HttpRequest, chosen: QuerySet[Model], kind: str) -> Any:
    count = chosen.count()
    if count > ROWS_MAX:
        page.message_user(request, f"{count} rows are more than the {ROWS_MAX} of one file.", messages.ERROR)
        return None
    rows = [_row(one) for one in chosen]  # read now: the request's view of the tables ends with it
    lines, form = (
        (csv_lines, "text/csv; charset=utf-8") if kind == "csv" else (json_lines, "application/json")
    )
    answer = StreamingHttpResponse(lines(rows), content_type=form)
    answer["Content-Disposition"] = f'attachment; filename="{page.opts.model_name}.{kind}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
