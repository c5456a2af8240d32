"""The rows of a venue on a day, and what changed between two: for people and programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec

from market.rulebook import book, words
from market.rulebook.book import Rulebook, UnknownRulebook
from market.rulebook.rows import Row, UnknownDay, listed

NOTE = "Of several rows of one rule the one that names most binds, then the latest begun."


class Wanted(msgspec.Struct, frozen=True):
    """What is asked: a venue (SSE) or a whole book (cn_a), perhaps a part of it."""

    venue: str
    board: str = ""
    kind: str = ""
    product: str = ""


def venues() -> list[dict[str, Any]]:
    """Every venue with its book, the first day it knows, its calendar and its boards."""
    return [
        {
            "venue": venue,
            "rulebook": found.name,
            "title": found.title,
            "title_zh": found.title_zh,
            "timezone": found.timezone,
            "known_from": found.known_from.isoformat(),
            "calendar": found.calendar.name,
            "calendar_known_to": found.calendar.known_to.isoformat(),
            "boards": sorted(_boards(found, venue)),
            "rows": len(found.rows),
        }
        for venue, found in sorted(book.by_venue().items(), key=lambda each: (each[1].name, each[0]))
    ]


def _boards(found: Rulebook, venue: str) -> set[str]:
    named = {each for row in found.rows for each in listed(row.values.get("board", []))}
    return {board for board in named if found.boards.get(board, venue) == venue}


def show(wanted: Wanted, on: date, language: str) -> dict[str, Any]:
    """The rows that hold on that day. Raises UnknownRulebook, UnknownDay with the choices."""
    found = _book(wanted)
    _check_day(found, on)
    rows = [row for row in found.rows_on(on) if _is_meant(row, wanted, found)]
    return {
        "venue": wanted.venue,
        "rulebook": found.name,
        "title": found.title_zh if language != words.ENGLISH else found.title,
        "date": on.isoformat(),
        "day": found.calendar.why(on),
        "rows": [_told(row, language) for row in rows],
        "note": NOTE,
    }


def diff(wanted: Wanted, first: date, last: date, language: str) -> dict[str, Any]:
    """Rows that ended on or after `first` and before `last`, or began after `first`, up to `last`."""
    found = _book(wanted)
    for day in (first, last):
        _check_day(found, day)
    if last < first:
        raise UnknownDay(f"--to {last} lies before --from {first}.")
    meant = [row for row in found.rows if _is_meant(row, wanted, found)]
    ended = [_told(row, language) | {"change": "ended"} for row in meant if first <= row.last < last]
    began = [_told(row, language) | {"change": "began"} for row in meant if first < row.first <= last]
    return {
        "venue": wanted.venue,
        "rulebook": found.name,
        "title": found.title_zh if language != words.ENGLISH else found.title,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "rows": sorted([*ended, *began], key=_by_change),
    }


def _by_change(told: dict[str, Any]) -> tuple[Any, ...]:
    day = told["until"] if told["change"] == "ended" else told["since"]
    return told["rule"], told["name"], told["for"], day, told["change"] == "began"


def _book(wanted: Wanted) -> Rulebook:
    asked = wanted.venue
    found = {venue.lower(): each for venue, each in book.by_venue().items()}
    found |= {name: book.load(name) for name in book.known()}
    if asked.lower() in found:
        return found[asked.lower()]
    there, names = ", ".join(sorted(book.by_venue())), ", ".join(book.known())
    raise UnknownRulebook(f"There is no venue {asked!r}. Venues: {there}. Whole books: {names}.")


def _check_day(found: Rulebook, on: date) -> None:
    if on < found.known_from:
        raise UnknownDay(f"{found.name} knows nothing before {found.known_from}; {on} was asked.")


def _is_meant(row: Row, wanted: Wanted, found: Rulebook) -> bool:
    whole = wanted.venue.lower() == found.name
    asked = {"board": wanted.board, "kinds": wanted.kind, "product": wanted.product}
    asked["venue"] = "" if whole else wanted.venue
    for scope, value in asked.items():
        named = [each.lower() for each in listed(row.values.get(scope, []))]
        if value and named and value.lower() not in named:
            return False
    boards = listed(row.values.get("board", []))
    if (
        asked["venue"]
        and boards
        and not any(found.boards.get(board, wanted.venue).lower() == wanted.venue.lower() for board in boards)
    ):
        return False
    by_the_product = not wanted.product and "product" in row.values and row.table in ("band", "margin", "fee")
    return not (by_the_product and found.has_products)


def _told(row: Row, language: str) -> dict[str, Any]:
    return {
        "rule": row.table,
        "title": words.title(row.table, language),
        "name": row.name,
        "for": words.whom(row, language),
        "says": words.says(row, language),
        "since": row.first.isoformat(),
        "until": row.last.isoformat() if row.last != date.max else None,
        "source": words.source(row, language),
        "row": row.id,
    }


def text_of_show(shown: dict[str, Any]) -> str:
    head = f"{shown['venue']}: {shown['title']} on {shown['date']} ({shown['day']})"
    return "\n".join([head, "", *_lines(shown["rows"]), "", shown["note"]])


def text_of_diff(found: dict[str, Any]) -> str:
    head = f"{found['venue']}: {found['title']}, what changed after {found['from']} up to {found['to']}"
    if not found["rows"]:
        return f"{head}\n\nNothing: the same rows hold on both days."
    return "\n".join([head, "", *_lines(found["rows"])])


def text_of_venues(found: list[dict[str, Any]]) -> str:
    lines = [
        f"{each['venue']:<9} {each['rulebook']:<11} {each['title']:<34} from {each['known_from']}"
        f"  boards: {', '.join(each['boards']) or 'one'}"
        for each in found
    ]
    return "\n".join(["venue     rulebook    title", *lines])


def _lines(rows: Iterable[dict[str, Any]]) -> Iterable[str]:
    """Two lines a row: what it says, to whom and since when; below it the source and the row's id."""
    for row in rows:
        mark = {"ended": "- ", "began": "+ "}.get(row.get("change", ""), "")
        span = f"{row['since']} to {row['until']}" if row["until"] else f"since {row['since']}"
        yield f"{mark}{row['title']:<12} {row['says']}"
        yield f"{'':<{len(mark) + 12}}   {row['for']}; {span}"
        yield f"{'':<{len(mark) + 12}}   {row['source']}  [{row['row']}]"
