"""Subscriptions of a running feed: how they stand, and asking for them in batches within a rate."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from market.feed import client
from market.sources.live.subscriptions import batches
from simgame.kernel import clock

Standing = dict[str, dict[str, Any]]  # symbol → state, why, age_s
LOOK_S = 0.2


class Batch(msgspec.Struct):
    """One request of a full subscription, as the audit file tells it."""

    number: int
    source: str
    symbols: list[str]
    asked_at: str
    took_s: float = 0.0
    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    broke_rate: bool = False


class Audit(msgspec.Struct):
    """What a full subscription came to."""

    world: str
    rate: float  # batches a second that were allowed
    batches: list[Batch]
    standing: dict[str, Standing]  # source → symbol → how it stands at the end

    @property
    def refused(self) -> dict[str, str]:
        return self._of("refused")

    @property
    def unanswered(self) -> dict[str, str]:
        return self._of("asked")

    @property
    def silent(self) -> dict[str, str]:
        return self._of("silent")

    @property
    def broke_rate(self) -> list[int]:
        return [batch.number for batch in self.batches if batch.broke_rate]

    def _of(self, state: str) -> dict[str, str]:
        return {
            symbol: str(row["why"])
            for rows in self.standing.values()
            for symbol, row in rows.items()
            if row["state"] == state
        }

    def as_csv(self) -> str:
        """One line per instrument and source."""
        out = io.StringIO()
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(["source", "symbol", "state", "why", "age_s", "batch"])
        number = {symbol: batch.number for batch in self.batches for symbol in batch.symbols}
        for source, rows in self.standing.items():
            for symbol, row in rows.items():
                age = f"{row['age_s']:.1f}" if row["age_s"] is not None else ""
                lines.writerow([source, symbol, row["state"], row["why"], age, number.get(symbol, "")])
        return out.getvalue()


def standing(world_number: int) -> dict[str, Standing]:
    """By source. Raises FeedUnavailable."""
    return dict(client.ask_sync(world_number, {"op": "subscriptions"})["sources"])


def ask(world_number: int, source: str, symbols: Sequence[str]) -> None:
    """Raises FeedUnavailable, and BadControl for a source that the world does not have."""
    client.ask_sync(world_number, {"op": "subscribe", "source": source, "symbols": list(symbols)})


def subscribe(
    world_number: int,
    slug: str,
    symbols: Sequence[str],
    *,
    source: str,
    size: int,
    rate: float,
    patience_s: float,
    progress: Callable[[int, int], None],
) -> Audit:
    """Ask for all symbols of a source, `size` at a time, at most `rate` batches a second.

    progress(done, all) after every batch. Raises FeedUnavailable, BadControl.
    """
    audit = Audit(slug, rate, [], {})
    last_s, done = 0.0, 0
    for number, batch in enumerate(batches(symbols, size), 1):
        wait_s = last_s + 1 / rate - clock.monotonic_s() if last_s else 0.0
        if wait_s > 0:
            time.sleep(wait_s)
        began_s = clock.monotonic_s()
        row = Batch(number, source, batch, clock.rfc3339(clock.now_ns()))
        row.broke_rate = bool(last_s) and began_s - last_s < 0.99 / rate
        last_s = began_s
        ask(world_number, source, batch)
        states = _settled(world_number, source, batch, patience_s)
        row.took_s = round(clock.monotonic_s() - began_s, 3)
        row.acknowledged = sum(state in ("live", "silent") for state in states)
        row.refused = sum(state == "refused" for state in states)
        row.unanswered = len(batch) - row.acknowledged - row.refused
        audit.batches.append(row)
        done += len(batch)
        progress(done, len(symbols))
    audit.standing = {source: standing(world_number).get(source, {})}
    return audit


def _settled(world_number: int, source: str, batch: Sequence[str], patience_s: float) -> list[str]:
    """The states of a batch when all of it was answered, or when the patience is over."""
    end_s = clock.monotonic_s() + patience_s
    while True:
        rows = standing(world_number).get(source, {})
        states = [str(rows.get(symbol, {}).get("state", "asked")) for symbol in batch]
        if "asked" not in states or clock.monotonic_s() > end_s:
            return states
        time.sleep(LOOK_S)


class Health(msgspec.Struct):
    """Wanted, acknowledged and really ticking, of one source."""

    source: str
    wanted: int
    acknowledged: int
    ticking: int
    refused: dict[str, str]
    missing: list[str]
    silent: list[str]

    @property
    def well(self) -> bool:
        return not (self.refused or self.missing or self.silent)


def health(world_number: int) -> Iterator[Health]:
    for source, rows in standing(world_number).items():
        by_state: dict[str, list[str]] = {"asked": [], "refused": [], "silent": [], "live": []}
        for symbol, row in rows.items():
            by_state[str(row["state"])].append(symbol)
        live, silent = by_state["live"], by_state["silent"]
        yield Health(
            source,
            len(rows),
            len(live) + len(silent),
            len(live),
            {symbol: str(rows[symbol]["why"]) for symbol in by_state["refused"]},
            by_state["asked"],
            silent,
        )
