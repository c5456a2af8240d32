"""The feed's downstream to Redis: one frame of news per batch, and the last state for whoever asks.

Slow or dead Redis costs freshness, never the feed: messages are counted as if they had gone out, web
workers ask for what followed their position (`market.topics`), and the next flush that gets through
carries the present state.

Keys (all of a world, `<slug>`), written in one transaction before the news goes out:

    sg:latest:<slug>  hash  symbol → QuoteRow                     (topic offset: its seq)
    sg:depth:<slug>   hash  symbol → DepthRow                     (topic offset: its seq)
    sg:trades:<slug>  hash  symbol → {epoch, offset, trades: the last 50, at, forgot}
    sg:bars:<slug>    hash  symbol:interval → {epoch, offset, bars: [the one before, forming], at, forgot}
    sg:phase:<slug>   string  PhaseRow
    sg:offset:<slug>  hash  board, phase; and epoch, once all of the above hold the present state

`at` is the offset of the message that brought each row last; `forgot` that of the newest message about a
row that is not among them. So whoever stands at an offset can be told what followed.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import msgspec
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from market.feed import rows
from market.feed.bars import Bar, BarBuilder, Key
from market.feed.hub import Batch
from market.feed.state import TRADES_KEPT, WorldState
from market.feed.turns import TURNS
from market.messages import Facts, depth_row, phase_row, trade_row
from market.ticks import PhaseTick, Print, Quote, Reference
from realtime import wanted
from realtime.publish import TIMEOUT_S, Breaker, Message, Publisher
from simgame.kernel import clock

FLUSH_S = 0.1  # at most ten frames a second: what arrives in between is conflated
FLUSH_TURNS, FLUSH_MOST_S = 50, 0.2  # fewer where the feed's turns must be long
ROWS_A_SLICE = 8  # made at a stretch: well below a millisecond
PHASE_S = 15  # the phase is said every second: gone after this long, the feed is
TRADES_WAITING_MAX = 1_000  # per instrument between two flushes; the oldest are left out

BARS_KEPT = 2  # the forming one and the one before it
BARS_WAITING_MAX = 50_000  # changed bars while Redis is away: most of a quiet hour

log = structlog.get_logger(__name__)
encode = msgspec.json.Encoder().encode
Raw = msgspec.Raw


class BarsSaid:
    """In which message each of the newest bars of one topic was last said."""

    __slots__ = ("at", "forgot")

    def __init__(self) -> None:
        self.at: dict[int, int] = {}  # start → offset
        self.forgot = 0

    def note(self, start: int, offset: int) -> None:
        self.at[start] = offset
        if len(self.at) > BARS_KEPT:
            self.forgot = max(self.forgot, self.at.pop(min(self.at)))


class RedisPublisher:
    name = "publisher"

    def __init__(
        self,
        redis_url: str,
        *,
        slug: str,
        timezone: str,
        epoch: str,
        scales: Mapping[str, Facts],
        state: WorldState,
        bars: BarBuilder,
        before_flush: Callable[[], None] = lambda: None,
    ):
        """`before_flush` brings what gathers elsewhere (`offer_bars`)."""
        self.slug, self.timezone, self.epoch = slug, timezone, epoch
        self.scales, self.state, self.bars = scales, state, bars
        self.news = Publisher(redis_url)
        self.offsets: Counter[str] = Counter()
        self.flush_s = FLUSH_S
        self.flushes = 0
        self.trades_left_out = 0
        self.unread = 0  # messages left out because nobody reads their topic
        self._read: frozenset[str] | None = None  # topics that somebody reads; None: nobody could say
        self._all_read_until = 0.0  # monotonic seconds; what workers said before may be lost
        self._before: dict[tuple[str, str], tuple[Bar, bytes]] = {}  # rows of the bars before the forming
        self._keys = redis.asyncio.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        self._before_flush = before_flush
        self._breaker = Breaker()
        self._behind = True  # the keys do not hold the present state: write all of it
        self._quotes: set[str] = set()
        self._depths: set[str] = set()
        self._trades: dict[str, list[Print]] = {}
        self._kept: dict[str, deque[tuple[int, bytes]]] = {}  # the offset that brought it, TradeRow
        self._said: dict[str, BarsSaid] = {}  # by topic
        self._bars: dict[Key, Any] = {}
        self._phase = False
        self._changed = asyncio.Event()

    def offer(self, batch: Batch) -> None:
        for tick in batch.ticks:
            match tick:
                case Quote():
                    self._depths.add(tick.symbol)
                    self._quotes.add(tick.symbol)
                case Print():
                    self._quotes.add(tick.symbol)
                    self._trades.setdefault(tick.symbol, []).append(tick)
                case Reference():
                    self._quotes.add(tick.symbol)
                case PhaseTick():
                    self._phase = True
        self._changed.set()

    def offer_bars(self, dirty: Mapping[Key, Any]) -> None:
        self._bars.update(dirty)
        if len(self._bars) > BARS_WAITING_MAX:
            for symbol, interval, start in self._bars:
                self._note_bar(f"bars:{self.slug}:{symbol}:{interval}", start)  # readers see a gap and ask
            self._bars.clear()
            self._behind = True

    async def run(self) -> None:
        """Flush at most every `flush_s`, seldomer when turns are long, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.flush()
            turns_s = TURNS.length_ms * FLUSH_TURNS / 1_000
            await asyncio.sleep(max(self.flush_s, min(turns_s, FLUSH_MOST_S)))

    async def flush(self) -> None:
        self._before_flush()
        may_write = self._breaker.allows(clock.monotonic_s())
        whole = self._behind and may_write
        if whole:
            self._everything_changed()
        messages, writes = await self._render(whole)
        self.flushes += 1
        if may_write:
            await self._write(writes)
        await self.news.publish_now(messages)

    async def close(self) -> None:
        await self._keys.aclose()
        await self.news.aclose()

    @property
    def sends_everything(self) -> bool:
        """Whether every topic counts as read, because nobody can say which ones are."""
        return self._read is None

    def trades_of(self, symbol: str) -> dict[str, Any]:
        """The snapshot of a trades topic."""
        kept = self._kept.get(symbol) or deque()
        # The oldest message may have lost some of its trades.
        forgot = kept[0][0] if len(kept) == TRADES_KEPT else 0
        return {
            **self.position(f"trades:{self.slug}:{symbol}"),
            "trades": [Raw(row) for _, row in kept],
            "at": [offset for offset, _ in kept],
            "forgot": forgot,
        }

    def _everything_changed(self) -> None:
        self._quotes.update(self.scales)
        self._depths.update(self.state.quotes)
        self._phase = self.state.phase is not None
        for symbol, trades in self.state.trades.items():
            if symbol not in self._kept:
                self._keep(symbol, list(trades), self.offsets[f"trades:{self.slug}:{symbol}"])

    async def _render(self, whole: bool) -> tuple[list[Message], dict[str, dict[str, bytes]]]:
        """The messages of this flush, and the hash fields to write (key → field → value); `whole`: also
        those that did not change.

        In slices: a tick does not wait for the rows of others. What comes between two slices is in rows
        that are made after it, and is said again by the next flush.
        """
        messages: list[Message] = []
        writes: dict[str, dict[str, bytes]] = {}
        slices = chain(
            self._render_quotes(messages, writes),
            self._render_trades(messages, writes, whole),
            self._render_bars(messages, writes, whole),
        )
        for number, _ in enumerate(slices, 1):
            if number % ROWS_A_SLICE == 0:
                await asyncio.sleep(0)
        self._render_phase(messages, writes)
        offsets = {kind: str(self.offsets[f"{kind}:{self.slug}"]).encode() for kind in ("board", "phase")}
        writes["offset"] = offsets | ({"epoch": self.epoch.encode()} if whole else {})
        return messages, writes

    def _render_quotes(self, messages: list[Message], writes: dict[str, dict[str, bytes]]) -> Iterator[None]:
        quotes, self._quotes = self._quotes, set()
        depths, self._depths = self._depths, set()
        board: dict[str, bytes] = {}
        for symbol in quotes & self.scales.keys():
            row = rows.quote_row(self.scales[symbol], self.state)
            board[symbol] = encode(row)
            messages.append(Message(f"quote:{self.slug}:{symbol}", self.epoch, row["seq"], board[symbol]))
            yield
        if board:
            data = encode({symbol: Raw(row) for symbol, row in board.items()})
            messages.append(self._dense(f"board:{self.slug}", data))
            writes["latest"] = board
        for symbol in depths & self.state.quotes.keys():
            quote = self.state.quotes[symbol]
            row_json = encode(depth_row(self.scales[symbol], quote))
            messages.append(Message(f"depth:{self.slug}:{symbol}", self.epoch, quote.seq, row_json))
            writes.setdefault("depth", {})[symbol] = row_json
            yield

    def _render_trades(
        self, messages: list[Message], writes: dict[str, dict[str, bytes]], whole: bool
    ) -> Iterator[None]:
        trades, self._trades = self._trades, {}
        for symbol, new in trades.items():
            topic = f"trades:{self.slug}:{symbol}"
            if len(new) > TRADES_WAITING_MAX:
                self.trades_left_out += len(new) - TRADES_WAITING_MAX
                self.offsets[topic] += 1  # readers see a gap and ask
            offset = self._next(topic)
            fresh = self._keep(symbol, new[-TRADES_WAITING_MAX:], offset)
            if self._is_read(topic):
                data = encode({"trades": [Raw(row) for row in fresh]})
                messages.append(Message(topic, self.epoch, offset, data))
            yield
        for symbol in self._kept if whole else trades:
            writes.setdefault("trades", {})[symbol] = encode(self.trades_of(symbol))
            yield

    def _keep(self, symbol: str, trades: list[Print], offset: int) -> list[bytes]:
        scale = self.scales[symbol]
        fresh = [encode(trade_row(scale, trade)) for trade in trades]
        kept = self._kept.setdefault(symbol, deque(maxlen=TRADES_KEPT))
        kept.extend((offset, row) for row in fresh)
        return fresh

    def _render_bars(
        self, messages: list[Message], writes: dict[str, dict[str, bytes]], whole: bool
    ) -> Iterator[None]:
        dirty, self._bars = self._bars, {}
        for (symbol, interval, start), bar in sorted(dirty.items(), key=lambda entry: entry[0][2]):
            topic = f"bars:{self.slug}:{symbol}:{interval}"
            offset = self._note_bar(topic, start)
            if self._is_read(topic):
                row = encode({"bar": rows.bar_row(self.scales[symbol], bar)})
                messages.append(Message(topic, self.epoch, offset, row))
                yield
        touched = {(symbol, interval) for symbol, interval, _ in dirty}
        if whole:
            touched |= {(s, i) for s, series in self.bars.series.items() for i in series.forming}
        for symbol, interval in touched:
            value = encode(self.bars_of(symbol, interval))
            writes.setdefault("bars", {})[f"{symbol}:{interval}"] = value
            yield

    def _note_bar(self, topic: str, start: int) -> int:
        offset = self._next(topic)
        if topic not in self._said:
            self._said[topic] = BarsSaid()
        self._said[topic].note(start, offset)
        return offset

    def bars_of(self, symbol: str, interval: str) -> dict[str, Any]:
        """The newest two bars of an interval, as JSON, with the position of their topic."""
        series = self.bars.series[symbol]
        before, forming = series.before.get(interval), series.forming.get(interval)
        newest = [] if before is None else [Raw(self._row_before(symbol, interval, before))]
        if forming is not None:
            newest.append(Raw(encode(rows.bar_row(self.scales[symbol], forming))))
        starts = [bar.start for bar in (before, forming) if bar is not None]
        return {**self.bars_said(symbol, interval, starts), "bars": newest}

    def bars_said(self, symbol: str, interval: str, starts: list[int]) -> dict[str, Any]:
        """The position of a bars topic, and how far back these bars (by start) tell what was said."""
        topic = f"bars:{self.slug}:{symbol}:{interval}"
        said = self._said.get(topic) or BarsSaid()
        at = [said.at.get(start, 0) for start in starts]
        others = [offset for start, offset in said.at.items() if start not in starts]
        return {**self.position(topic), "at": at, "forgot": max([said.forgot, *others])}

    def position(self, topic: str) -> dict[str, Any]:
        return {"epoch": self.epoch, "offset": self.offsets[topic]}

    def _row_before(self, symbol: str, interval: str, bar: Bar) -> bytes:
        """The bar before the forming one seldom changes: its row is kept."""
        kept = self._before.get((symbol, interval))
        if kept is None or kept[0] != bar:
            row = encode(rows.bar_row(self.scales[symbol], bar))
            kept = self._before[symbol, interval] = (msgspec.structs.replace(bar), row)
        return kept[1]

    def _render_phase(self, messages: list[Message], writes: dict[str, dict[str, bytes]]) -> None:
        if not self._phase or self.state.phase is None:
            return
        self._phase = False
        row = encode(phase_row(self.slug, self.timezone, self.state.phase))
        messages.append(self._dense(f"phase:{self.slug}", row))
        writes["phase"] = {"": row}

    def _dense(self, topic: str, data: bytes) -> Message:
        return Message(topic, self.epoch, self._next(topic), data)

    def _next(self, topic: str) -> int:
        self.offsets[topic] += 1
        return self.offsets[topic]

    def _is_read(self, topic: str) -> bool:
        """False: the message is left out, though counted: a reader who comes now sees a gap."""
        read = self._read is None or topic in self._read
        self.unread += not read
        return read

    async def _write(self, writes: dict[str, dict[str, bytes]]) -> None:
        try:
            async with asyncio.timeout(2 * TIMEOUT_S), self._keys.pipeline(transaction=True) as pipe:
                for kind, fields in writes.items():
                    if kind == "phase":
                        pipe.set(f"sg:phase:{self.slug}", fields[""], ex=PHASE_S)
                    else:
                        pipe.hset(f"sg:{kind}:{self.slug}", mapping=fields)  # type: ignore[arg-type]
                pipe.zrangebyscore(wanted.KEY, clock.now_ns() / clock.NS_PER_S, "+inf")
                *answers, said = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            if not self._behind:
                log.warning("redis_lost", why=str(error) or type(error).__name__)
            self._behind, self._read = True, None
            self._breaker.failed(clock.monotonic_s())
            return
        added = dict(zip(writes, answers, strict=True))["offset"]  # fields that were not there
        forgot = bool(added) and not self._behind
        if forgot:
            log.warning("redis_forgot", world=self.slug)
        now = clock.monotonic_s()
        if added or self._behind:  # it was away or emptied: workers say again what is read there
            self._all_read_until = now + wanted.UNHEARD_S
        self._read = None if now < self._all_read_until else frozenset(topic.decode() for topic in said)
        self._behind = forgot
        self._breaker.succeeded()
