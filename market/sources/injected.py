"""What may be let happen in a seeded market while it runs, as questions to its feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from market.simulation import STEP_NS, scenarios

if TYPE_CHECKING:
    from market.sources.seeded import SeededSource

ROWS_MAX = 10_000
Question = dict[str, Any]


def answer(source: SeededSource, question: Question) -> Question:
    """`what`: scenario, resume, taken, halts, end. Raises ValueError with a sentence."""
    known = {"scenario": scenario, "resume": resume, "taken": taken, "halts": halts, "end": end}
    asked = known.get(str(question.get("what")))
    if asked is None:
        raise ValueError(f"A seeded market understands {', '.join(known)}, not {question.get('what')!r}.")
    return asked(source, question)


def scenario(source: SeededSource, question: Question) -> Question:
    """`kind`, and if wanted `size_ppm`, `seconds`, `symbols`, `sector`; `by`: who, for the journal."""
    asked = scenarios.checked(
        str(question.get("kind")), _number(question, "size_ppm"), _number(question, "seconds")
    )
    symbols = _symbols(source, question)
    event = source.happen(
        "scenario", kind=asked.kind, size_ppm=asked.size_ppm, seconds=asked.seconds, symbols=symbols
    )
    return {"event": event.n, "step": event.step, **event.detail}


def resume(source: SeededSource, question: Question) -> Question:
    """`symbols`: their halts end now; none: all."""
    event = source.happen("resume", symbols=_symbols(source, question))
    return {"event": event.n, "step": event.step, **event.detail}


def taken(source: SeededSource, question: Question) -> Question:
    """`after`, `upto`, `rows`: what players took between two fills. What does not follow is not taken:
    the answer says from where to go on.
    """
    market = source.market
    after, upto, rows = question.get("after"), question.get("upto"), question.get("rows")
    if after != market.taken_upto or type(upto) is not int or upto <= market.taken_upto:
        return {"upto": market.taken_upto, "accepted": False}
    if not isinstance(rows, list) or len(rows) > ROWS_MAX or not all(_is_row(row) for row in rows):
        raise ValueError(f"rows are at most {ROWS_MAX} of [symbol, side, price, size].")
    known = [list(row) for row in rows if row[0] in market.by_symbol]
    source.happen("taken", upto=upto, rows=known)
    return {"upto": upto, "accepted": True}


def halts(source: SeededSource, _: Question) -> Question:
    """`halts`: what the venue's own rule halts now, symbol → until when (world time)."""
    market = source.market
    found = [stock for stock in market.stocks if stock.why_halted == "breaker"]
    return {
        "halts": {
            stock.company.symbol: market.start_ns + stock.halted_until * STEP_NS
            for stock in found
            if stock.halted_until > market.step_no
        }
    }


def end(source: SeededSource, _: Question) -> Question:
    event = source.happen("end")
    return {"event": event.n, "step": event.step}


def _symbols(source: SeededSource, question: Question) -> list[str]:
    symbols, sector = question.get("symbols") or [], question.get("sector")
    if not isinstance(symbols, list):
        raise ValueError("symbols is a list of symbols.")
    market = source.market
    if unknown := [str(one)[:12] for one in symbols if one not in market.by_symbol]:
        raise ValueError(f"This world has no {', '.join(unknown[:5])}.")
    if not sector:
        return symbols
    found = [each.symbol for each in market.instruments if each.sector == sector]
    if not found:
        there = sorted({each.sector for each in market.instruments})
        raise ValueError(f"There is no sector {str(sector)[:40]!r}: {', '.join(there)}.")
    return sorted({*symbols, *found})


def _number(question: Question, name: str) -> int | None:
    value = question.get(name)
    if value is not None and type(value) is not int:
        raise ValueError(f"{name} is a whole number.")
    return value


def _is_row(row: Any) -> bool:
    if not isinstance(row, list | tuple) or len(row) != 4:
        return False
    symbol, side, price, size = row
    return (
        isinstance(symbol, str)
        and side in ("buy", "sell")
        and type(price) is int
        and type(size) is int
        and price > 0
        and size > 0
    )
