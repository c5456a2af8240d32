"""A whole recorded OKX v5 connection: the list of instruments, and the frames of `books` and `trades`.

The files are those of `market.sources.replay.connection`: `OKX.0` with the answer of
`/api/v5/public/instruments`, `OKX.ws.*` with the frames; a book begins with the channel's own snapshot.
Read by the dialect that reads the live venue. Played by the local receive time; a tick's own time is
the exchange's (`ts`). A book with a hole falls silent until the next snapshot, as it did on the day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from market import errors
from market.rulebook import PhaseNow
from market.sources.base import PastBar
from market.sources.binance_book import Symbol
from market.sources.items import Item, Malformed
from market.sources.live.okx import NAME, OkxDialect
from market.sources.replay import connection
from market.sources.replay.facts import RecordingFacts
from simgame.kernel import money
from simgame.kernel.clock import NS_PER_S

ITEMS = get_args(Item)
NOTE = "Depth from the snapshots and changes of `books`; other channels are not used."


class OkxReader:
    name = "okx"

    def recognises(self, path: Path) -> bool:
        return connection.of_venue(path, "OK")  # OKEX until 2022

    def open(self, path: Path, options: dict[str, Any]) -> OkxRecording:
        return OkxRecording(connection.info_of(path))


class OkxRecording:
    def __init__(self, info: Path):
        self.info = info
        self._files = connection.Files(info)
        self._left_out: list[str] = []
        self.symbols = {symbol.name: symbol for symbol in self._recorded()}
        if not self.symbols:
            raise errors.RecordingUnknown(f"{info}: none of its recorded instruments can be played.")
        self.facts = self._facts()

    def phase(self, at_ns: int) -> PhaseNow | None:
        return None

    def previous_closes(self) -> dict[str, int]:
        return {}

    def history(self) -> Iterable[PastBar]:
        return ()

    def play(self) -> Iterator[tuple[int, Item]]:
        dialect = OkxDialect(self.symbols)
        played_ns = 0
        for received_ns, kind, body in self._files.messages():
            played_ns = max(played_ns, received_ns)
            if kind == "unreadable":
                yield played_ns, Malformed(NAME, body[0], body[1])
            elif kind == "frame" and _channel(body) in ("books", "trades"):
                for heard in dialect.read(json.dumps(body), received_ns):
                    if isinstance(heard, ITEMS):
                        yield played_ns, heard

    def _recorded(self) -> Iterator[Symbol]:
        """The listed instruments of which there are frames, and whose money is known."""
        listed = self._files.first_answer()
        rows = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(rows, list):
            raise errors.RecordingUnknown(f"{self.info} has no readable list of instruments: torn, or none.")
        frames = (body for _, kind, body in self._files.messages() if kind == "frame")
        told = {body["arg"].get("instId") for body in frames if _channel(body)}
        for row in rows:
            if not isinstance(row, dict) or row.get("instId") not in told or row.get("instType") != "SPOT":
                continue
            symbol = Symbol(
                row["baseCcy"] + row["quoteCcy"], row["baseCcy"], row["quoteCcy"], row["tickSz"], row["lotSz"]
            )
            if symbol.quote_asset in money.CURRENCY_EXPONENT:
                yield symbol
            else:
                self._left_out.append(f"{symbol.name} is left out: its money is not known.")

    def _facts(self) -> RecordingFacts:
        first_ns, last_ns = self._files.span()
        day = datetime.fromtimestamp(first_ns // NS_PER_S, UTC)
        quoted = [symbol.quote_asset for symbol in self.symbols.values()]
        currency = "USDT" if "USDT" in quoted else max(quoted, key=quoted.count)
        stem = self.info.name.split(".")[0].lower().replace("_", "-")
        return RecordingFacts(
            format="okx",
            slug=f"replay-{stem}-{day:%Y%m%d}",
            name=f"OKX, recorded {day:%Y-%m-%d}",
            recording=str(self.info),
            currency=currency,
            timezone="UTC",
            rulebook="crypto",
            start_ns=first_ns,
            end_ns=last_ns,
            instruments=[symbol.instrument(currency) | {"venue": "OKX"} for symbol in self.symbols.values()],
            options={"hours": "always"},
            notes=[NOTE, *self._left_out],
        )


def _channel(body: Any) -> str:
    arg = body.get("arg") if isinstance(body, dict) else None
    return str(arg.get("channel", "")) if isinstance(arg, dict) and "data" in body else ""
