"""Proposals, corporate actions and rehearsals as plain rows: for commands and for the admin's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from market.models import CorporateAction
from trading import corporate
from trading.models import Proposal

Row = dict[str, Any]


def action(row: CorporateAction, statuses: Mapping[str, str] | None = None) -> Row:
    if statuses is None:
        status = corporate.status_of(row)
    else:
        status = statuses.get(row.key) or ("withdrawn" if row.withdrawn else "announced")
    return {
        "key": row.key,
        "symbol": row.instrument.symbol,
        "kind": row.kind,
        "status": status,
        "terms": terms(row),
        "ex_on": str(row.ex_on),
        "pay_on": str(row.pay_on or ""),
        "last_on": str(row.last_on or ""),
        "note": row.note,
    }


def terms(row: CorporateAction) -> str:
    """In a few words."""
    price = "" if row.price is None else f"{row.price.normalize():f}"
    match row.kind:
        case CorporateAction.Kind.DIVIDEND:
            return f"{row.amount.normalize():f} a share" if row.amount else ""
        case CorporateAction.Kind.RIGHTS:
            return f"{row.new} for {row.old} at {price}"
        case CorporateAction.Kind.RENAME:
            return f"into {row.into.symbol if row.into else '?'}, {row.new} for {row.old}"
        case CorporateAction.Kind.DELISTING:
            return f"paid out at {price or 'the last price'}"
    return f"{row.new} for {row.old}"


def proposal(row: Proposal) -> Row:
    return {
        "id": row.pk,
        "kind": row.kind,
        "status": row.status,
        "reason": row.reason,
        "payload": row.payload,
        "proposed_by": row.proposed_by.username,
        "approved_by": row.approved_by.username if row.approved_by else None,
        "applied_at": row.applied_at.isoformat() if row.applied_at else None,
        "result": row.result,
    }


def table(answer: Any) -> str:
    """Rows as aligned columns; anything else as `name: value`, lists of rows beneath their name."""
    if isinstance(answer, list):
        return _columns(answer) if answer else "nothing"
    lines = []
    for name, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{name}:", _columns(value)]
        elif value not in (None, [], ""):
            lines.append(f"{name}: {value}")
    return "\n".join(lines) or "nothing"


def _columns(rows: list[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(name), *(len(row[place]) for row in cells)) for place, name in enumerate(names)]
    lines = [names, *cells]
    return "\n".join(
        "  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
