"""ccxt's known faults, played by a stand-in, because the real library cannot be made to have them.

What the real library does: test_conformance.py, where it is installed.
"""

from __future__ import annotations

import asyncio
import tomllib
from types import SimpleNamespace
from typing import Any

import pytest

from market import errors
from market.sources.base import State
from market.sources.binance_book import Symbol
from market.sources.live import ccxt, shelf
from market.sources.live.ccxt import CcxtSource
from market.ticks import Quote
from simgame.env import BASE_DIR
from tests.sources.stage import playing, scale, until

NEWEST = 1_793_620_800_000


class OperationFailed(Exception):
    pass


class Stuck:
    """Its book never changes, and every watch returns at once: stale data for ever (ccxt #21731, #25092)."""

    has: dict[str, bool] = {"watchOrderBook": True, "watchTrades": True}

    def __init__(self, config: dict[str, Any]):
        self.markets = {"BTC/USDT": {"symbol": "BTC/USDT"}}
        self.clients: dict[str, Any] = {}
        self.looks = 0

    async def load_markets(self) -> None:
        return None

    set_markets = staticmethod(lambda _: None)

    async def watch_order_book(self, symbol: str) -> dict[str, Any]:
        self.looks += 1
        await asyncio.sleep(0.001)
        return {"timestamp": None, "nonce": 7, "bids": [[0.1 + 0.2, 1e-05]], "asks": [[1.5, 2.0]]}

    async def watch_trades(self, symbol: str) -> list[dict[str, Any]]:
        await asyncio.Event().wait()
        return []

    async def close(self) -> None:
        return None


FAULTY = SimpleNamespace(
    exchanges=["stuck"],
    stuck=Stuck,
    BaseError=Exception,
    OperationFailed=OperationFailed,
    ChecksumError=OperationFailed,
    InvalidNonce=OperationFailed,
)


async def test_old_data_for_ever_is_no_sign_of_life() -> None:
    source = CcxtSource([Symbol("BTCUSDT", "BTC", "USDT", "0.01", "1")], "stuck", FAULTY)
    source.silent_s = 0.5
    async with playing(source, [scale("BTCUSDT", 2, 5)]) as stage:
        await until(lambda: source.reconnects["silent"], "it is noticed")
        assert source.state is State.BACKOFF
        books = [item for item in stage.items if getattr(item, "bids", None)]
        assert len(books) == 1
        assert books[0].bids[0] == ("0.30000000000000004", "0.00001")
        assert not [tick for tick in stage.ticks if isinstance(tick, Quote)], (
            "off the tick: the gate refuses it"
        )


def test_without_the_library_or_with_a_venue_that_it_does_not_know_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    with pytest.raises(errors.BadSource, match="no streams of 'mtgox': stuck"):
        CcxtSource([], "mtgox", FAULTY)
    monkeypatch.setattr(ccxt, "find_spec", lambda _: None)
    with pytest.raises(errors.BadSource, match="requirements-ccxt"):
        shelf.source_of("ccxt:kraken", [], tmp_path)


def test_the_locked_files_hold_the_versions_of_the_extras_and_of_everything_else() -> None:
    extras = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    ours = _locked("requirements.txt")
    for extra, file in (
        ("ccxt", "market/sources/live/requirements-ccxt.txt"),
        ("ctp", "market/sources/ctp/requirements.txt"),
    ):
        theirs = _locked(file)
        assert {name: theirs[name] for name, _, _ in (pin.partition("==") for pin in extras[extra])} == {
            name: version for name, _, version in (pin.partition("==") for pin in extras[extra])
        }
        assert not {name for name, version in theirs.items() if ours.get(name, version) != version}


def _locked(file: str) -> dict[str, str]:
    lines = [
        line.split()[0] for line in (BASE_DIR / file).read_text().splitlines() if "==" in line.split(";")[0]
    ]
    return {name: version for name, _, version in (line.partition("==") for line in lines)}
