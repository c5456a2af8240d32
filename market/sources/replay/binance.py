"""A whole recorded Binance connection: exchangeInfo, depth snapshots and the WebSocket's frames.

Three files, `<NAME>.0`, `<NAME>.http.*`, `<NAME>.ws.*`, as the recorder of cryptofeed writes them.
Lines: `url -> epoch: body` for REST, `url <-> epoch` when a socket opened, `epoch: json` for frames.
Played by the local receive time; a tick's own time is the exchange's (`E`, `T`), which may be later.

Depth is followed by update ids as Binance documents it ("How to manage a local order book
correctly"); bookTicker and klines are left out: they repeat what depth and trades say.
"""

from __future__ import annotations

import heapq
import json
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
from market.sources.replay import text
from market.sources.replay.facts import RecordingFacts
from market.ticks import Print
from simgame.kernel import money
from simgame.kernel.clock import NS_PER_MS, NS_PER_S

SOURCE = "binance"
NOTE = "Depth from snapshots and updates; bookTicker and klines are not used."

Message = tuple[int, str, Any]  # received ns, "rest" | "frame" | "unreadable", (url, body) | body


class BinanceReader:
    name = "binance"

    def recognises(self, path: Path) -> bool:
        return path.is_file() and _info_of(path).is_file() and path.name.split(".")[0].startswith("BINANCE")

    def open(self, path: Path, options: dict[str, Any]) -> BinanceRecording:
        return BinanceRecording(_info_of(path))


class BinanceRecording:
    def __init__(self, info: Path):
        self.info = info
        stem = info.name.split(".")[0]
        self._rest = sorted(info.parent.glob(f"{stem}.http.*"))
        self._frames = sorted(info.parent.glob(f"{stem}.ws.*"))
        if not self._frames:
            raise errors.RecordingUnknown(f"{info} is a Binance recording without its {stem}.ws.* frames.")
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
        for received_ns, kind, body in self._messages():
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

    def _messages(self) -> Iterator[Message]:
        """REST answers and frames of all files, by receive time."""
        streams = [_messages_of(path) for path in (*self._rest, *self._frames)]
        return heapq.merge(*streams, key=lambda message: message[0])

    def _read_symbols(self, stem: str) -> None:
        info = next((body[1] for _, kind, body in _messages_of(self.info) if kind == "rest"), None)
        if not isinstance(info, dict) or "symbols" not in info:
            raise errors.RecordingUnknown(f"{self.info} has no readable exchangeInfo: it is torn or none.")
        recorded = {
            _symbol_in(body[0]) for path in self._rest for _, k, body in _messages_of(path) if k == "rest"
        }
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
        times = [at for path in self._frames for at, kind, _ in _messages_of(path) if kind != "unreadable"]
        if not times:
            raise errors.RecordingUnknown(f"{self.info} is a Binance recording without a whole frame.")
        assets = Counter(symbol.quote_asset for symbol in self.symbols.values())
        currency = "USDT" if "USDT" in assets else assets.most_common(1)[0][0]
        day = datetime.fromtimestamp(times[0] // NS_PER_S, UTC)
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
            start_ns=times[0],
            end_ns=times[-1],
            instruments=[symbol.instrument(currency) for symbol in self.symbols.values()],
            options={"hours": "always"},
            notes=[NOTE, *self._left_out],
        )


def _info_of(path: Path) -> Path:
    return path.parent / f"{path.name.split('.')[0]}.0"


def _symbol_in(url: str) -> str:
    return url.partition("symbol=")[2].partition("&")[0]


def _messages_of(path: Path) -> Iterator[Message]:
    """The messages of one file. What cannot be read is "unreadable"; a torn end is the last of these."""
    last_ns = 0
    waiting: Message | None = None
    for number, line in text.numbered(path):
        if waiting:
            yield waiting
            waiting = None
        try:
            message = _message(line)
        except ValueError:
            waiting = (last_ns, "unreadable", ("unreadable_message", f"{path.name}:{number}: {line[:200]}"))
            continue
        if message:
            last_ns = message[0]
            yield message
    if waiting:
        yield (waiting[0], "unreadable", (text.TORN, waiting[2][1]))


def _message(line: str) -> Message | None:
    """None for lines that carry no message. Raises ValueError."""
    if " <-> " in line or " <- " in line[:400] or line.startswith("configuration: "):
        return None
    if line.startswith("http"):
        url, _, rest = line.partition(" -> ")
        epoch, _, body = rest.partition(": ")
        return _epoch_ns(epoch), "rest", (url, json.loads(body))
    epoch, _, body = line.partition(": ")
    frame = json.loads(body)
    if not isinstance(frame, dict):
        raise ValueError("a frame is an object")
    return _epoch_ns(epoch), "frame", frame.get("data", frame)


def _epoch_ns(epoch: str) -> int:
    """ "1633998511.132921" → nanoseconds. Raises ValueError."""
    seconds, _, rest = epoch.strip().partition(".")
    return int(seconds) * NS_PER_S + int((rest or "0").ljust(9, "0")[:9])
