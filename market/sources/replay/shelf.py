"""Finding recordings: by path, by place in the shared data folder, or by short name."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from market import errors
from market.sources.replay.bars import BarReader
from market.sources.replay.binance import BinanceReader
from market.sources.replay.ctp import CtpReader
from market.sources.replay.daily import DailyReader
from market.sources.replay.facts import Reader, Recording, RecordingFacts
from market.sources.replay.lobster import LobsterReader
from market.sources.replay.masked import MaskedRecording
from market.sources.replay.okx import OkxReader
from market.sources.replay.own_wal import WalReader
from simgame.env import BASE_DIR

ISO_DATE = re.compile(r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])")
SHARED = BASE_DIR.parent / "shared" / "data"  # where recordings lie beside the checkout
SHORT_NAMES = {
    "binance": "cryptofeed_raw/BINANCE.0",
    "binance_delivery": "cryptofeed_raw/BINANCE_DELIVERY.0",
    "binance_tr": "cryptofeed_raw/BINANCE_TR.0",
    "rb1910": "ctp_ticks_shfe/rb1910.csv",
    "lobster": "lobster_aapl",
    "us_daily": "us_daily/us_60_daily_20130208_20180207.csv.gz",
    "ashare": "ashare_baostock/top50_daily_20000104_20191231_qfq.csv.gz",
    "if_minutes": "futures_wondertrader/demos/storage/csv/CFFEX.IF.HOT_m5_2014_2018.csv",
    "ic_daily": "futures_wondertrader/demos/storage/csv/CFFEX.IC.HOT_d.csv",
    "sse_minutes": "cn_index_minute/000001.XSHG_1MIN.csv",
    "sse_daily": "cn_index_minute/000001.SH_D.csv",
    "btc_minutes": "crypto_nautilus/btc-perp-20211231-20220201_1m.csv",
}
READERS: tuple[Reader, ...] = (
    *(WalReader(), BinanceReader(), OkxReader(), CtpReader(), LobsterReader(), DailyReader(), BarReader()),
)
FORMATS = (
    "a recorded Binance or OKX connection, CTP ticks (CSV), LOBSTER messages, minute and daily bars (CSV),"
    " our own WAL"
)


def describe(path: str) -> RecordingFacts:
    """What a recording holds. Raises RecordingMissing or RecordingUnknown, one clear sentence each."""
    return open_recording(path, {}).facts


def open_recording(path: str, options: dict[str, Any] | None = None) -> Recording:
    """The recording at `path` (see `find`), ready to be played. Raises as `describe`.

    `us_daily@2015-03-02` begins on that day: the option `from`, in words.
    """
    place, at, first = path.rpartition("@")
    if at and ISO_DATE.fullmatch(first):
        path, options = place, {**(options or {}), "from": first}
    found = find(path)
    return _open(found, found.stat().st_mtime_ns, msgspec.json.encode(options or {}))


@lru_cache(maxsize=2)  # a command describes, then plays; a changed file is opened anew
def _open(found: Path, _changed_ns: int, options: bytes) -> Recording:
    try:
        reader = next((reader for reader in READERS if reader.recognises(found)), None)
        if reader is None:
            raise errors.RecordingUnknown(
                f"{found} is no recording that can be replayed: known are {FORMATS}."
            )
        asked = msgspec.json.decode(options)
        recording = reader.open(found, asked)
        return MaskedRecording(recording, asked["hidden"]) if "hidden" in asked else recording
    except OSError as error:
        raise errors.RecordingUnknown(f"{found} cannot be read: {error.strerror or error}.") from error


def find(text: str) -> Path:
    """Where a recording lies: a short name, a path, or a path inside the shared data folder."""
    path = Path(SHORT_NAMES.get(text, text)).expanduser()
    for candidate in (path, SHARED / path):
        if text and os.path.exists(candidate):  # unlike Path.exists, False for what can be no path
            return candidate.resolve()
    there = [name for name, place in SHORT_NAMES.items() if (SHARED / place).exists()]
    raise errors.RecordingMissing(
        f"There is no recording {text[:200]!r}. "
        + (f"By short name there are: {', '.join(there)}." if there else "Give the path of a recorded file.")
    )
