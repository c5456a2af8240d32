"""Small recordings in the real formats, generated: the numbers in the tests can be checked by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

EXCHANGE_INFO = {
    "symbols": [
        {
            "symbol": name,
            "baseAsset": name[:3],
            "quoteAsset": name[3:],
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
                {"filterType": "LOT_SIZE", "stepSize": "0.10000000"},
            ],
        }
        for name in ("ABCUSDT", "ABCBTC", "NOTSEEN")
    ]
}
DEPTH = "https://api.example/api/v3/depth?symbol={}&limit=1000"


def binance(folder: Path, updates: list[dict] | None = None, tail: str = "") -> Path:
    """Two symbols; ABCUSDT: snapshot id 100 between updates 98-101 and 102-103, and one trade."""
    info = folder / "BINANCE.0"
    info.write_text(
        f"https://api.example/api/v3/exchangeInfo -> 1600000000.5: {json.dumps(EXCHANGE_INFO)}\n"
        'configuration: {"trades":["ABC-USDT"]}\n'
    )
    usdt = {"lastUpdateId": 100, "bids": [["10.00", "5.0"], ["9.99", "1.0"], ["3.333", "9.0"]]}
    usdt["asks"] = [["10.02", "2.0"], ["10.05", "7.55"]]
    btc = {"lastUpdateId": 7, "bids": [["1.00", "1.0"]], "asks": [["1.01", "1.0"]]}
    (folder / "BINANCE.http.0.0").write_text(
        f"{DEPTH.format('ABCUSDT')} -> 1600000002.0: {json.dumps(usdt)}\n"
        f"{DEPTH.format('ABCBTC')} -> 1600000003.0: {json.dumps(btc)}\n"
    )
    frames = updates or [
        depth("ABCUSDT", 90, 97, at=1_600_000_001_000, bids=[["8.00", "1.0"]]),
        depth("ABCUSDT", 98, 101, at=1_600_000_001_500, bids=[["10.00", "0.0"]], asks=[["10.01", "4.0"]]),
        depth("ABCUSDT", 102, 103, at=1_600_000_004_007, asks=[["10.01", "0.0"]]),
        trade("ABCUSDT", 55, "10.02", "0.5", at=1_600_000_004_500, maker=False),
        trade("ABCUSDT", 56, "9.99", "0.1", at=1_600_000_005_000, maker=True),
    ]
    lines = [f"{1_600_000_001 + n}.25: {json.dumps({'data': frame})}" for n, frame in enumerate(frames)]
    (folder / "BINANCE.ws.1.0").write_text("\nwss://x <-> 1600000000.9\n" + "\n".join(lines) + "\n" + tail)
    return info


def depth(symbol: str, first: int, last: int, *, at: int, bids: list = (), asks: list = ()) -> dict:
    return {"e": "depthUpdate", "E": at, "s": symbol, "U": first, "u": last, "b": list(bids), "a": list(asks)}


def trade(symbol: str, number: int, price: str, size: str, *, at: int, maker: bool) -> dict:
    return {"e": "aggTrade", "E": at, "s": symbol, "a": number, "p": price, "q": size, "T": at, "m": maker}


CTP_ROWS = """\
20190610 07:17:32,3737.0000,0.0000,100.0000,100.0000,1.797693e+308,1.797693e+308,1.797693e+308
20190610 08:59:00,3716.0000,50.0000,100.0000,100.0000,3716.0000,3716.0000,3716.0000
20190610 09:00:00,3717.0000,80.0000,100.0000,100.0000,3716.0000,3717.0000,3716.0000
20190610 09:00:00,3715.0000,90.0000,100.0000,100.0000,3716.0000,3717.0000,3715.0000
20190610 09:00:01,3715.0000,90.0000,100.0000,100.0000,3716.0000,3717.0000,3715.0000
20190610 15:00:00,3715.0000,95.0000,100.0000,100.0000,3716.0000,3717.0000,3715.0000
20190610 15:14:30,3715.0000,95.0000,100.0000,100.0000,3716.0000,3717.0000,3715.0000
"""
CTP_NIGHT = """\
20190617 21:00:00,3700.0000,10.0000,100.0000,100.0000,3700.0000,3700.0000,3700.0000
20190617 09:00:00,3710.0000,25.0000,100.0000,100.0000,3700.0000,3710.0000,3700.0000
"""


def ctp(folder: Path, rows: str = CTP_ROWS, name: str = "rb1910.csv") -> Path:
    path = folder / name
    path.write_text(rows)
    return path


LOBSTER_MESSAGES = """\
34200.100000000,1,1,100,1000000,1
34200.200000000,1,2,50,1000200,-1
34200.300000000,4,1,40,1000000,1
34200.400000000,2,2,10,1000200,-1
34200.500000000,5,0,7,1000100,-1
34200.600000000,3,9,30,999900,1
34200.700000000,3,2,40,1000200,-1
"""
# After each message: ask, size, bid, size, two levels. Orders from before: bid 99.99 x 30, ask 100.05 x 9.
LOBSTER_ROWS = """\
1000500,9,1000000,100,9999999999,0,999900,30
1000200,50,1000000,100,1000500,9,999900,30
1000200,50,1000000,60,1000500,9,999900,30
1000200,40,1000000,60,1000500,9,999900,30
1000200,40,1000000,60,1000500,9,999900,30
1000200,40,1000000,60,1000500,9,-9999999999,0
1000500,9,1000000,60,9999999999,0,-9999999999,0
"""


def lobster(folder: Path, messages: str = LOBSTER_MESSAGES, rows: str | None = LOBSTER_ROWS) -> Path:
    path = folder / "XYZ_2012-06-21_34200000_57600000_message_2.csv"
    path.write_text(messages)
    if rows is not None:
        (folder / path.name.replace("message", "orderbook")).write_text(rows)
    return path


DAILY_ROWS = """\
date,open,high,low,close,volume,Name
2018-01-02,10.00,11.00,9.50,10.50,1000,AAA
2018-01-02,20.00,20.00,20.00,20.00,500,BBB
2018-01-03,10.50,12.00,10.00,11.00,3900,AAA
2018-01-03,20.00,21.00,18.00,19.00,0,BBB
2018-01-04,11.00,11.50,9.00,10.00,395,AAA
2018-01-04,19.00,19.50,18.50,19.50,100,BBB
"""


def daily(folder: Path, rows: str = DAILY_ROWS, *, cut_bytes: int = 0) -> Path:
    path = folder / "shares.csv.gz"
    data = gzip.compress(rows.encode(), mtime=0)
    path.write_bytes(data[: len(data) - cut_bytes])
    return path


FUTURES_ROWS = """\
<Date>, <Time>, <Open>, <High>, <Low>, <Close>, <Volume>
2014/1/2,09:35:00,2342.2,2343.4,2339.2,2343.2,10226
2014/1/2,15:00:00,2343.2,2344.0,2343.0,2343.0,2000
2014/1/3,09:35:00,2340.0,2341.0,2330.2,2331.0,45
2014/1/3,09:40:00,2331.0,2331.0,2331.0,2331.0,3
"""


def futures(folder: Path, rows: str = FUTURES_ROWS, name: str = "CFFEX.IF.HOT_m5_2014.csv") -> Path:
    path = folder / name
    path.write_text(rows)
    return path


INDEX_ROWS = """\
symbol,dt,open,close,high,low,vol
000001.XSHG,2020-07-01 14:58:00,2991.18,2990.43,2991.5,2990.34,720858300.0
000001.XSHG,2020-07-01 14:59:00,2990.43,2990.43,2990.43,2990.43,0.0
000001.XSHG,2020-07-01 15:00:00,2990.32,2986.91,2990.32,2986.78,311297200.0
"""


def index(folder: Path, rows: str = INDEX_ROWS) -> Path:
    path = folder / "000001.XSHG_1MIN.csv"
    path.write_text(rows)
    return path


def okx(folder: Path, frames: list[dict] | None = None) -> Path:
    """One listed pair: a snapshot, a change, a hole, and a new snapshot; two trades."""
    listed = {"instType": "SPOT", "instId": "ABC-USDT", "baseCcy": "ABC", "quoteCcy": "USDT"}
    rows = [listed | {"tickSz": "0.01", "lotSz": "0.1"}, listed | {"instId": "XYZ-USDT", "baseCcy": "XYZ"}]
    info = folder / "OKX.0"
    answer = json.dumps({"code": "0", "data": rows})
    address = "https://www.okx.example/api/v5/public/instruments?instType=SPOT"
    info.write_text(f"{address} -> 1600000000.5: {answer}\n")
    told = frames or [
        {"event": "subscribe", "arg": {"channel": "books", "instId": "ABC-USDT"}},
        okx_book("snapshot", -1, 10, bids=[["10.00", "5", "0", "1"]], asks=[["10.02", "2", "0", "1"]]),
        okx_book("update", 10, 11, asks=[["10.01", "4", "0", "1"]]),
        okx_trade(55, "10.01", "0.5", "buy"),
        okx_book("update", 12, 13, bids=[["10.00", "0", "0", "0"]]),
        okx_book("update", 13, 14, bids=[["9.99", "1", "0", "1"]]),
        okx_book("snapshot", -1, 20, bids=[["9.98", "1", "0", "1"]], asks=[["10.00", "2", "0", "1"]]),
        okx_trade(56, "9.98", "0.1", "sell"),
    ]
    lines = [f"{1_600_000_001 + n}.25: {json.dumps(frame)}" for n, frame in enumerate(told)]
    (folder / "OKX.ws.1.0").write_text(
        "wss://x <-> 1600000000.9\n" + "\n".join(lines) + "\n1600000099.0: {torn"
    )
    return info


def okx_book(action: str, before: int, now: int, *, bids: list = (), asks: list = ()) -> dict:
    row = {"bids": list(bids), "asks": list(asks), "ts": "1600000000500", "seqId": now, "prevSeqId": before}
    return {"arg": {"channel": "books", "instId": "ABC-USDT"}, "action": action, "data": [row]}


def okx_trade(number: int, price: str, size: str, side: str) -> dict:
    row = {"instId": "ABC-USDT", "tradeId": str(number), "px": price, "sz": size, "side": side}
    return {"arg": {"channel": "trades", "instId": "ABC-USDT"}, "data": [row | {"ts": "1600000000600"}]}
