"""Any venue that ccxt knows, by ccxt's watch calls: `ccxt:kraken`, `ccxt:bybit` …

The library (https://docs.ccxt.com/#/ccxt.pro) connects, subscribes and keeps the books by itself, one
coroutine per watch. What it does not do is done here. It may freeze without an exception, or go on
returning old data for ever, so only what is newer **by the venue's own clock or count** is a sign of
life, and a connection without any for `silent_s` is given up. It forgets its subscriptions at an
error, so everything that is wanted is watched anew. A book that it gave up is a gap.

It hands out binary floats: their shortest writing is the venue's own decimal up to 15 digits, and that
text is what goes on. docs/decisions/0034 says why it is not among the requirements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from market import errors
from market.feed.bars import SECONDS
from market.feed.sequence import Numbering
from market.sources.base import HistoryAway, PastBar, Stage
from market.sources.binance_book import Symbol
from market.sources.items import Gap, Item, Malformed, RawPrint, RawQuote
from market.sources.live.life import Live, LoginRefused, Lost
from market.ticks import DEPTH_LEVELS_MAX
from simgame.kernel import clock, tasks
from simgame.kernel.clock import NS_PER_MS

MODULE = "ccxt.pro"
WAITING_MAX = 10_000  # items between the watches and the feed: then the watches wait
DAY_S = 86_400
AGAIN_S = 0.5  # after a book that the library gave up
UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
)  # what its parsers raise at nonsense

Told = Item | Lost | tuple[str, str, str]  # ("acknowledged" | "refused", symbol, why)


def library() -> Any:
    """ccxt.pro. Raises BadSource when it is not installed. Takes seconds: it has every venue in it."""
    if find_spec("ccxt") is None:
        raise errors.BadSource(
            "ccxt is not installed, it is optional: .venv/bin/python -m uv pip install"
            " --require-hashes -r market/sources/live/requirements-ccxt.txt"
        )
    return import_module(MODULE)


class CcxtSource(Live):
    numbering = Numbering.RISING
    connect_s = 30.0  # the list of markets of a great venue takes its time
    acknowledge_s = 30.0  # a book begins with a REST snapshot, and these are paced
    keeps_history = True
    batch_size = 20
    batch_pause_s = 0.5

    def __init__(
        self,
        symbols: Iterable[Symbol],
        venue: str,
        library: Any,
        settings: dict[str, Any] | None = None,
        **more: Any,
    ):
        """settings: what ccxt's exchange is made with (urls, options, proxies …)."""
        self.symbols = {symbol.name: symbol for symbol in symbols}
        super().__init__(self.symbols, **more)
        if venue not in library.exchanges:
            raise errors.BadSource(f"ccxt has no streams of {venue!r}: {', '.join(library.exchanges)}.")
        self.name, self.venue = f"ccxt:{venue}", venue
        self._library, self._settings = library, settings or {}
        self._markets: Any = None  # the venue's list, asked for once
        self._exchange: Any = None
        self._watches: dict[str, list[asyncio.Task[None]]] = {}
        self._told: asyncio.Queue[Told] = asyncio.Queue(WAITING_MAX)

    # --- the life --------------------------------------------------------------------------------------

    async def connect(self) -> None:
        self._told = asyncio.Queue(WAITING_MAX)
        made = guarded(getattr(self._library, self.venue), self._unreadable)
        config = {"newUpdates": True, "timeout": int(self.connect_s * 1000), **self._settings}
        self._exchange = made(config)
        if not (self._exchange.has.get("watchOrderBook") and self._exchange.has.get("watchTrades")):
            raise LoginRefused(f"ccxt cannot watch books and trades of {self.venue}")
        try:
            if self._markets is None:
                await self._exchange.load_markets()
                self._markets = list(self._exchange.markets.values())
            else:
                self._exchange.set_markets(self._markets)
        except self._library.BaseError as error:
            raise Lost("connect", f"{self.venue}: {_words(error)}") from error

    async def subscribe(self, symbols: Sequence[str]) -> None:
        for name in symbols:
            await self._end_watches(name)  # asked again: the venue did not hear it the first time
            if self._unified(name) not in self._exchange.markets:
                await self._told.put(("refused", name, f"{self.venue} does not list {self._unified(name)}"))
                continue
            jobs = (self._watch_book(name), self._watch_trades(name))
            self._watches[name] = [asyncio.create_task(job, name=f"{self.name}-{name}") for job in jobs]

    async def unsubscribe(self, symbols: Sequence[str]) -> None:
        for name in symbols:
            await self._end_watches(name)
            for what in ("OrderBook", "Trades"):
                if self._exchange.has.get(f"unWatch{what}"):
                    await self._unwatch(what, self._unified(name))

    async def listen(self, stage: Stage) -> None:
        while True:
            told = await self._told.get()
            if isinstance(told, Lost):
                raise told
            if isinstance(told, tuple):
                kind, symbol, why = told
                if kind == "refused":
                    self.subscriptions.refuse([symbol], why)
                else:
                    self.subscriptions.acknowledge([symbol])
                continue
            if not isinstance(told, Malformed):
                self.heard()
            await self.pass_on(stage, [self.stamped(told)])

    async def past_bars(self, symbol: str, interval: str, first: int, last: int) -> list[PastBar]:
        """Its candles. They tell neither how many trades (`prints` 0) nor what was paid: turnover is
        reckoned at the mean of high, low and close."""
        exchange, listed = self._exchange, self.symbols[symbol]
        if exchange is None or not exchange.has.get("fetchOHLCV"):
            raise HistoryAway("there is no connection" if exchange is None else "the venue has no candles")
        limit = (last - first) // SECONDS.get(interval, DAY_S) + 1
        try:
            rows = await exchange.fetch_ohlcv(self._unified(symbol), interval, first * 1_000, limit)
            bars = [_past_bar(listed, interval, row) for row in rows]
        except self._library.BaseError as error:
            raise HistoryAway(f"the candles of {symbol}: {_words(error)}") from error
        except (*UNREADABLE, ArithmeticError) as error:
            raise HistoryAway(f"the candles of {symbol} cannot be read: {error}") from error
        return [bar for bar in bars if first <= bar.start <= last]

    async def hang_up(self) -> None:
        for name in list(self._watches):
            await self._end_watches(name)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.close()

    # --- watching --------------------------------------------------------------------------------------

    async def _watch_book(self, name: str) -> None:
        number, last = 0, (0, 0)

        async def look() -> None:
            nonlocal number, last
            book = await self._exchange.watch_order_book(self._unified(name))
            told = (book.get("timestamp") or 0, book.get("nonce") or 0)
            if told == last and told != (0, 0):
                return  # old data again: no sign of life
            number, last = number + 1, told
            self.subscriptions.acknowledge([name])
            await self._told.put(self._quote(name, book, number))

        await self._for_ever(name, look)

    async def _watch_trades(self, name: str) -> None:
        number = 0

        async def look() -> None:
            nonlocal number
            for trade in await self._exchange.watch_trades(self._unified(name)):
                said = str(trade.get("id") or "")
                if said.isascii() and said.isdigit() and len(said) < 19:
                    if int(said) <= number:
                        continue  # said already
                    number = int(said)
                else:
                    number += 1
                await self._told.put(self._print(name, trade, number))

        await self._for_ever(name, look)

    async def _for_ever(self, name: str, look: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """One watch after another; a book that was given up begins again, anything worse is told."""
        library = self._library
        try:
            while True:
                try:
                    await look()
                except (library.ChecksumError, library.InvalidNonce):
                    await self._told.put(Gap(self.name, name, clock.now_ns()))
                    await asyncio.sleep(AGAIN_S)
        except library.OperationFailed as error:
            await self._told.put(Lost("closed", _words(error)))
        except library.BaseError as error:
            await self._told.put(("refused", name, _words(error)))
        except UNREADABLE as error:
            await self._told.put(Lost("library", f"ccxt failed: {error!r}"))

    async def _end_watches(self, name: str) -> None:
        """End them, and let the library forget that it asked: only then it asks again."""
        await tasks.end(self._watches.pop(name, []))
        unified = self._unified(name)
        for client in (self._exchange.clients or {}).values():
            for asked in [key for key in client.subscriptions if unified in str(key).split("::")]:
                del client.subscriptions[asked]

    async def _unwatch(self, what: str, unified: str) -> None:
        leave = getattr(self._exchange, f"un_watch_{'order_book' if what == 'OrderBook' else 'trades'}")
        try:
            async with asyncio.timeout(self.connect_s):
                await leave(unified)
        except (self._library.BaseError, TimeoutError) as error:
            raise Lost("unsubscribe", f"{self.venue} goes on with {unified}: {_words(error)}") from error

    def _unreadable(self, text: Any, error: Exception) -> None:
        if not self._told.full():  # with so many waiting, one oddity more says nothing new
            self._told.put_nowait(Malformed(self.name, "unreadable_message", f"{error!r}: {str(text)[:500]}"))

    # --- items -----------------------------------------------------------------------------------------

    def _quote(self, name: str, book: Any, number: int) -> RawQuote:
        now_ns = clock.now_ns()
        bids, asks = (
            tuple((_decimal(level[0]), _decimal(level[1])) for level in book[side][:DEPTH_LEVELS_MAX])
            for side in ("bids", "asks")
        )
        return RawQuote(name, bids, asks, _at_ns(book, now_ns), now_ns, self.name, source_seq=number)

    def _print(self, name: str, trade: Any, number: int) -> RawPrint:
        now_ns = clock.now_ns()
        price, size = _decimal(trade["price"]), _decimal(trade["amount"])
        at_ns = _at_ns(trade, now_ns)
        return RawPrint(
            name, price, size, trade.get("side") or "", at_ns, now_ns, self.name, source_seq=number
        )

    def _unified(self, name: str) -> str:
        """ccxt's name: BTC/USDT."""
        symbol = self.symbols[name]
        return f"{symbol.base_asset}/{symbol.quote_asset}"


def guarded(exchange: type, unreadable: Callable[[Any, Exception], None]) -> type:
    """The exchange's class, with a reader that survives nonsense: the library's own falls silent for ever."""

    class Guarded(exchange):
        def client(self, url: str) -> Any:
            client = super().client(url)
            if "reader" not in client.options:
                client.options = {**client.options, "reader": client.handle_text_or_binary_message}
                client.handle_text_or_binary_message = lambda data: self._read(client, data)
            return client

        def _read(self, client: Any, data: Any) -> None:
            try:
                client.options["reader"](data)
            except UNREADABLE as error:
                unreadable(data, error)

    return Guarded


def _past_bar(listed: Symbol, interval: str, row: Sequence[Any]) -> PastBar:
    opened, high, low, close = [listed.price(_decimal(price)) for price in row[1:5]]
    volume = listed.rounded_size(_decimal(row[5]))
    turnover = (high + low + close) * volume // 3
    return PastBar(listed.name, interval, int(row[0]) // 1_000, opened, high, low, close, volume, turnover, 0)


def _at_ns(said: Any, now_ns: int) -> int:
    """The venue's own time; ours where it says none."""
    return int(said["timestamp"]) * NS_PER_MS if said.get("timestamp") else now_ns


def _decimal(value: Any) -> str:
    return format(Decimal(repr(value) if isinstance(value, float) else str(value)), "f")


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"
