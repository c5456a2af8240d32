"""Recorded messages of the real venues, read by the dialects that read them live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.sources.binance_book import Symbol
from market.sources.items import Gap, Item, Malformed
from market.sources.live.binance import BinanceDialect
from market.sources.live.okx import OkxDialect
from market.sources.live.websocket import Fault, Heard
from market.sources.replay import connection, open_recording
from market.sources.replay.binance import BinanceRecording
from market.ticks import Print, Quote

Books = dict[str, list[tuple[object, object]]]


def live(recording: BinanceRecording) -> Iterator[Heard]:
    """The recorded connection through the live dialect: frames and snapshots as they came."""
    dialect = BinanceDialect(recording.symbols)
    for received_ns, kind, body in connection.Files(recording.info).messages():
        if kind == "frame":
            yield from dialect.read(json.dumps(body), received_ns)
        elif (
            kind == "rest"
            and (symbol := body[0].partition("symbol=")[2].partition("&")[0]) in recording.symbols
        ):
            yield from dialect.snapshot(symbol, body[1], received_ns)


def books(items: list[Item]) -> Books:
    found: Books = {}
    for item in items:
        if isinstance(item, Quote):
            found.setdefault(item.symbol, []).append((item.bids, item.asks))
    return found


@pytest.mark.parametrize("name", ["BINANCE", "BINANCE_TR"])
def test_a_recorded_binance_connection_means_the_same_live_as_replayed(recordings: Path, name: str) -> None:
    recording = open_recording(str(recordings / "cryptofeed_raw" / f"{name}.0"))
    assert isinstance(recording, BinanceRecording)
    heard = list(live(recording))
    replayed = [item for _, item in recording.play()]
    assert not [item for item in heard if isinstance(item, Gap | Malformed | Fault)]
    assert books(heard) == books(replayed)  # type: ignore[arg-type]
    told, again = ([item for item in items if isinstance(item, Print)] for items in (heard, replayed))
    assert [(p.symbol, p.price, p.size, p.side, p.at_ns) for p in told] == [
        (p.symbol, p.price, p.size, p.side, p.at_ns) for p in again
    ]
    for symbol in recording.symbols:
        numbers = [item.source_seq for item in heard if isinstance(item, Quote) and item.symbol == symbol]
        assert numbers == sorted(numbers)


def test_okx_samples_are_read_level_by_level(recordings: Path) -> None:
    folder = recordings / "ws_fixtures_nautilus" / "okx"
    symbols = {
        f"BTC{quoted}": Symbol(f"BTC{quoted}", "BTC", quoted, "0.01", "0.00000001")
        for quoted in ("USDT", "USD")
    }
    dialect = OkxDialect(symbols)
    frames = {
        name: (folder / f"ws_{name}.json").read_text()
        for name in ("books_snapshot", "books_update", "trades")
    }
    (first,) = dialect.read(frames["books_snapshot"], 1)
    assert isinstance(first, Quote)
    rows = json.loads(frames["books_snapshot"])["data"][0]
    assert first.asks[0] == (847_698, 41_500_000_000)
    assert first.bids[0] == (847_697, 25_600_000_000)
    assert [price for price, _ in first.asks] == [round(float(row[0]) * 100) for row in rows["asks"]]
    assert [price for price, _ in first.bids] == [round(float(row[0]) * 100) for row in rows["bids"]]
    (second,) = dialect.read(frames["books_update"], 2)
    assert isinstance(second, Quote)
    assert second.at_ns == 1_597_026_383_085 * 10**6
    (trade,) = dialect.read(frames["trades"], 3)
    assert isinstance(trade, Print)
    assert (trade.symbol, trade.price, trade.size, trade.side) == ("BTCUSD", 4_221_990, 12_060_306, "buy")
    assert trade.source_seq == 130_639_474
