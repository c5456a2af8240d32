"""A whole recorded Binance connection: exchangeInfo, depth snapshots and the WebSocket's frames.

The files are those of `market.sources.replay.connection`. Played by the local receive time; a tick's
own time is the exchange's (`E`, `T`), which may be later.

Depth is followed by update ids as Binance documents it ("How to manage a local order book
correctly"); bookTicker and klines are left out: they repeat what depth and trades say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from market import errors
from market.rulebook import PhaseNow
from market.sources.base import PastBar
from market.sources.binance_book import Book, Symbol, Update
from market.sources.items import Gap, Item, Malformed
from market.sources.replay import connection
from market.sources.replay.facts import RecordingFacts
from market.ticks import Print
from simgame.kernel import money
from simgame.kernel.clock import NS_PER_MS, NS_PER_S

SOURCE = "binance"
NOTE = "Depth from snapshots and updates; bookTicker and klines are not used."


class BinanceReader:
    name = "binance"

    def recognises(self, path: Path) -> bool:
        return connection.of_venue(path, "BINANCE")

    def open(self, path: Path, options: dict[str, Any]) -> BinanceRecording:
        return BinanceRecording(connection.info_of(path))


class BinanceRecording:
    def __init__(self, info: Path):
        self.info = info
        stem = info.name.split(".")[0]
        self._files = connection.Files(info)
        self.symbols: dict[str, Symbol] = {}
        self.gaps: Counter[str] = Counter()
        self.bridged: set[str] = set()
        self._left_out: list[str] = []
        self._read_symbols(stem)
        self.facts = self._facts(stem)

    def phase(self, at_ns: int) -> PhaseNow | None:
        return None

    def previous_closes(self) -> dict[str, int]:
        return {}

    def history(self) -> Iterable[PastBar]:
        return ()

    def play(self) -> Iterator[tuple[int, Item]]:
        books = {name: Book(symbol, SOURCE) for name, symbol in self.symbols.items()}
        trades: dict[str, int] = {}
        played_ns = 0
        for received_ns, kind, body in self._files.messages():
            played_ns = max(played_ns, received_ns)
            for item in self._items(received_ns, kind, body, books, trades):
                if isinstance(item, Gap):
                    self.gaps[item.symbol] += 1
                yield played_ns, item
        self.bridged = {name for name, book in books.items() if book.bridged}

    def _items(
        self, received_ns: int, kind: str, body: Any, books: dict[str, Book], trades: dict[str, int]
    ) -> Iterator[Item]:
        if kind == "unreadable":
            yield Malformed(SOURCE, body[0], body[1])
            return
        if kind == "frame":
            body = body.get("data", body)  # combined streams wrap it
        try:
            if kind == "rest":
                url, answer = body
                book = books.get(_symbol_in(url))
                yield from book.snapshot(answer, received_ns) if book else ()
            elif body.get("e") == "depthUpdate" and body["s"] in books:
                yield from books[body["s"]].update(Update.of(body), received_ns)
            elif body.get("e") == "aggTrade" and body["s"] in books:
                yield from self._trade(body, received_ns, trades)
        except (KeyError, TypeError, ValueError) as error:
            yield Malformed(SOURCE, "unreadable_message", str(body)[:500], str(error)[:32])

    def _trade(self, body: dict[str, Any], received_ns: int, trades: dict[str, int]) -> Iterator[Item]:
        symbol, number = self.symbols[body["s"]], int(body["a"])
        at_ns = int(body["T"]) * NS_PER_MS
        before = trades.get(symbol.name, number - 1)
        if number > before + 1:
            yield Gap(SOURCE, symbol.name, at_ns, before + 1, number - 1)
        trades[symbol.name] = number
        side: Literal["buy", "sell"] = "sell" if body["m"] else "buy"  # m: the buyer was resting
        price, size = symbol.price(body["p"]), symbol.size(body["q"])
        yield Print(symbol.name, price, size, side, at_ns, received_ns, SOURCE)

    # --- reading -----------------------------------------------------------------------------------

    def _read_symbols(self, stem: str) -> None:
        info = self._files.first_answer()
        if not isinstance(info, dict) or "symbols" not in info:
            raise errors.RecordingUnknown(f"{self.info} has no readable exchangeInfo: it is torn or none.")
        recorded = {_symbol_in(url) for url in self._files.asked()}
        for row in info["symbols"]:
            if row["symbol"] in recorded:
                symbol = Symbol.of(row)
                if symbol.quote_asset in money.CURRENCY_EXPONENT:
                    self.symbols[symbol.name] = symbol
                else:
                    self._left_out.append(
                        f"{symbol.name} is left out: its money, {symbol.quote_asset}, is not known."
                    )
        if not self.symbols:
            raise errors.RecordingUnknown(f"{self.info}: none of its recorded symbols can be played.")

    def _facts(self, stem: str) -> RecordingFacts:
        first_ns, last_ns = self._files.span()
        assets = Counter(symbol.quote_asset for symbol in self.symbols.values())
        currency = "USDT" if "USDT" in assets else assets.most_common(1)[0][0]
        day = datetime.fromtimestamp(first_ns // NS_PER_S, UTC)
        slug = stem.lower().replace("_", "-")
        return RecordingFacts(
            format="binance",
            slug=f"replay-{slug}-{day:%Y%m%d}",
            name=f"Binance, recorded {day:%Y-%m-%d}"
            + (f" ({stem.partition('_')[2]})" if "_" in stem else ""),
            recording=str(self.info),
            currency=currency,
            timezone="UTC",
            rulebook="crypto",
            start_ns=first_ns,
            end_ns=last_ns,
            instruments=[symbol.instrument(currency) for symbol in self.symbols.values()],
            options={"hours": "always"},
            notes=[NOTE, *self._left_out],
        )


def _symbol_in(url: str) -> str:
    return url.partition("symbol=")[2].partition("&")[0]
