"""The layouts of bars of one instrument: file names, headers, what the time of a row means. Pure.

futures minutes  CFFEX.IF.HOT_m5_….csv     <Date>, <Time>, <Open>, … (WonderTrader)   the bar's end
futures days     CFFEX.IC.HOT_d.csv        date,open,high,low,close,volume,turnover   the market day
index minutes    000001.XSHG_1MIN.csv      symbol,dt,open,close,high,low,vol          the bar's end
index days       000001.SH_D.csv           the same                                   the market day
crypto klines    ABCUSDT-1m-2021-11-27.csv none, Binance's 12 columns                 the bar's start, ms
crypto minutes   btc-perp-….csv            timestamp,open,high,low,close,volume       the bar's start, UTC
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from market import errors, rulebook
from market.rulebook import local_ns
from market.sources.replay import text, way
from simgame.kernel import money
from simgame.kernel.clock import NS_PER_MS, NS_PER_S

SHANGHAI = "Asia/Shanghai"
VENUES = {"XSHG": "SSE", "SH": "SSE", "XSHE": "SZSE", "SZ": "SZSE"}
INDEX = "An index is a figure, not a thing that is traded"
BOM = "\ufeff"


class Bar(NamedTuple):
    start_ns: int  # 0: a whole market day, whose hours the rulebook knows
    day: date  # the market day
    corners: way.Corners
    volume: int  # scaled


class Sheet(NamedTuple):
    """One file. `seconds` is a bar's length, 0 for whole days; `row` raises ValueError or IndexError."""

    format: str
    seconds: int
    headed: bool  # the first line is a header
    timezone: str
    rulebook: str
    hours: str  # "venue" | "always"
    instrument: dict[str, Any]
    row: Callable[[str], Bar]


def sheet_of(path: Path) -> Sheet | None:
    """None: the file is none of these. Raises RecordingUnknown for one that is, of terms not known."""
    if not (path.is_file() and path.name.endswith((".csv", ".csv.gz"))):
        return None
    try:
        first = next(islice(text.lines(path), 1), "").lstrip(BOM).replace(" ", "")
    except text.Torn:
        return None
    return next((made for make in LAYOUTS if (made := make(path, first))), None)


# --- futures, as WonderTrader keeps them -------------------------------------------------------------

FUTURES = re.compile(
    r"(?P<venue>[A-Z]+)\.(?P<code>[A-Za-z]+)\.(?P<month>\w+)_(?:m(?P<minutes>\d+)|d)(_.*)?\.csv"
)


def _futures(path: Path, first: str) -> Sheet | None:
    named = FUTURES.fullmatch(path.name.removesuffix(".gz"))
    minutes = "<Date>,<Time>,<Open>,<High>,<Low>,<Close>,<Volume>"
    if named is None or first not in (minutes, "date,open,high,low,close,volume,turnover"):
        return None
    product = rulebook.load("cn_futures").product(named["venue"], named["code"])
    if product is None:
        raise errors.RecordingUnknown(
            f"{path.name}: the terms of this contract are not known:"
            " `manage.py rulebook show --venue cn_futures` lists the products that are."
        )
    tick, exponent = Decimal(product.tick), len(product.tick.partition(".")[2])
    zone, seconds = ZoneInfo(SHANGHAI), 60 * int(named["minutes"] or 0)

    def row(line: str) -> Bar:
        cells = line.split(",")
        year, month, number = cells.pop(0).split("/")
        day = date(int(year), int(month), int(number))
        end_ns = local_ns(day, time.fromisoformat(cells.pop(0)), zone) if seconds else 0
        corners = _corners(cells[:4], tick)
        return Bar(end_ns - seconds * NS_PER_S if seconds else 0, day, corners, _whole(cells[4]))

    instrument = {
        "symbol": f"{product.product}.{named['month']}",
        "name": f"{product.name}, {'continuous' if named['month'] == 'HOT' else named['month']}",
        "name_zh": f"{product.name_zh}{'主连' if named['month'] == 'HOT' else named['month']}",
        "kind": "future",
        "venue": product.venue,
        "product": product.product,
        "multiplier": product.multiplier,
        **_scale("CNY", exponent, 0, money.parse(product.tick, exponent)),
    }
    return Sheet("futures_bars", seconds, True, SHANGHAI, "cn_futures", "venue", instrument, row)


# --- indices of China ------------------------------------------------------------------------------


def _index(path: Path, first: str) -> Sheet | None:
    if first != "symbol,dt,open,close,high,low,vol":
        return None
    symbol, _, kept = path.name.partition(".csv")[0].rpartition("_")
    seconds = 60 if kept.upper() == "1MIN" else 0
    venue = VENUES.get(symbol.rpartition(".")[2], "")
    if not venue or (not seconds and kept.upper() != "D"):
        return None
    zone = ZoneInfo(SHANGHAI)

    def row(line: str) -> Bar:
        _, stamp, opened, close, high, low, volume = line.split(",")
        end = datetime.fromisoformat(stamp)
        start_ns = local_ns(end.date(), end.time(), zone) - seconds * NS_PER_S if seconds else 0
        return Bar(
            start_ns, end.date(), _corners([opened, high, low, close], Decimal("0.01")), _whole(volume)
        )

    instrument = {
        "symbol": symbol,
        "name": f"Index {symbol}",
        "name_zh": f"指数{symbol}",
        "kind": "index",
        "venue": venue,
        "tradable": False,
        "why_not_tradable": INDEX,
        **_scale("CNY", 2, 0, 1),
    }
    return Sheet("index_bars", seconds, True, SHANGHAI, "cn_a", "venue", instrument, row)


# --- crypto ----------------------------------------------------------------------------------------

KLINES = re.compile(r"(?P<symbol>[A-Z0-9]{5,20})-(?P<minutes>\d+)m-[\d-]+\.csv")
CRYPTO = re.compile(r"(?P<symbol>[a-zA-Z]+-[a-zA-Z]+)[-_.].*csv")
LINES_LOOKED_AT = 50  # for the finest decimals: venues write them all out


def _klines(path: Path, first: str) -> Sheet | None:
    named = KLINES.fullmatch(path.name.removesuffix(".gz"))
    if named is None or len(first.split(",")) != 12:
        return None
    symbol, seconds = named["symbol"], 60 * int(named["minutes"])
    quoted = next((code for code in money.CURRENCY_EXPONENT if symbol.endswith(code)), "")
    if not quoted:
        raise errors.RecordingUnknown(f"{path.name}: {symbol} is quoted in a money that is not known.")
    price_exponent = _decimals(path, range(1, 5), 0)
    qty_exponent = _decimals(path, (5,), 0)
    tick, unit = Decimal(1).scaleb(-price_exponent), qty_exponent

    def row(line: str) -> Bar:
        cells = line.split(",")
        start_ns = int(cells[0]) * NS_PER_MS
        return Bar(start_ns, _utc_day(start_ns), _corners(cells[1:5], tick), _whole(cells[5], unit))

    instrument = _coin(symbol, f"{symbol.removesuffix(quoted)}/{quoted}", quoted, price_exponent, unit)
    return Sheet("crypto_bars", seconds, False, "UTC", "crypto", "always", instrument, row)


def _crypto_minutes(path: Path, first: str) -> Sheet | None:
    named = CRYPTO.fullmatch(path.name.removesuffix(".gz"))
    if named is None or first != "timestamp,open,high,low,close,volume":
        return None
    price_exponent, qty_exponent = _decimals(path, range(1, 5), 1), _decimals(path, (5,), 1)
    tick = Decimal(1).scaleb(-price_exponent)

    def row(line: str) -> Bar:
        cells = line.split(",")
        start = datetime.fromisoformat(cells[0]).replace(tzinfo=UTC)
        start_ns = int(start.timestamp()) * NS_PER_S
        return Bar(start_ns, start.date(), _corners(cells[1:5], tick), _whole(cells[5], qty_exponent))

    symbol = named["symbol"].upper()
    instrument = _coin(symbol, symbol, "USD", price_exponent, qty_exponent)
    return Sheet("crypto_bars", 60, True, "UTC", "crypto", "always", instrument, row)


LAYOUTS = (_futures, _index, _klines, _crypto_minutes)


# --- small parts -----------------------------------------------------------------------------------


def _coin(symbol: str, name: str, currency: str, price_exponent: int, qty_exponent: int) -> dict[str, Any]:
    facts = {"symbol": symbol, "name": name, "kind": "crypto", "venue": "CRYPTO"}
    return facts | _scale(currency, price_exponent, qty_exponent, 1)


def _scale(currency: str, price_exponent: int, qty_exponent: int, tick: int) -> dict[str, Any]:
    return {
        "board": "main",
        "currency": currency,
        "price_exponent": price_exponent,
        "qty_exponent": qty_exponent,
        "tick": tick,
        "lot": 1,
    }


def _corners(cells: list[str], tick: Decimal) -> way.Corners:
    """Open, high, low, close in ticks. Raises ValueError when they are no bar."""
    opened, high, low, close = (way.ticks_of(cell, tick) for cell in cells)
    if not low <= min(opened, close) <= max(opened, close) <= high:
        raise ValueError("the corners of this bar contradict each other")
    return way.Corners(opened, high, low, close)


def _whole(value: str, exponent: int = 0) -> int:
    """A volume, rounded half up to the scale."""
    scaled = Decimal(value).scaleb(exponent)
    if not scaled.is_finite() or not 0 <= scaled < 10**17:
        raise ValueError("not a volume")
    return int(scaled.to_integral_value(ROUND_HALF_UP))


def _decimals(path: Path, columns: Any, skipped: int) -> int:
    """The finest decimals in these columns of the first lines, at most 8; trailing zeros do not count."""
    found = 0
    for line in islice(text.lines(path), skipped, skipped + LINES_LOOKED_AT):
        cells = line.split(",")
        for column in columns:
            if column < len(cells):
                found = max(found, len(cells[column].partition(".")[2].rstrip("0")))
    return min(found, 8)


def _utc_day(at_ns: int) -> date:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).date()
