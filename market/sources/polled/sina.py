"""Sina's free quotes of A-shares: unofficial, may change or ban. GBK, **volume before price**.

    var hq_str_sh600000="name,open,pre_close,now,high,low,bid,ask,volume,amount,
                         b1v,b1p … b5v,b5p,a1v,a1p … a5v,a5p,YYYY-MM-DD,HH:MM:SS,…";

Volumes are shares. An empty string is an unknown or delisted code. There are no trades: a print is the
growth of the day's volume at the last price, marked `made`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from market.sources.items import RawPrint, RawQuote
from market.sources.polled.codes import exchange_first, instant_ns, sized
from market.sources.polled.dialect import DayVolume, Request, Said, Unknown, taker

ADDRESS = "http://hq.sinajs.cn"
LINE = re.compile(r'var hq_str_(\w+)="([^"]*)"')
FIELDS = 32


class Sina:
    name = "sina"
    most = 800

    def __init__(self, address: str = ADDRESS):
        self.address = address
        self._volume = DayVolume()

    def request(self, symbols: Sequence[str]) -> Request:
        codes = ",".join(exchange_first(symbol) for symbol in symbols)
        return Request(self.name, f"{self.address}/list={codes}", {"Referer": "http://finance.sina.com.cn/"})

    def read(self, symbols: Sequence[str], body: bytes, received_ns: int) -> Iterator[Said]:
        named = {exchange_first(symbol): symbol for symbol in symbols}
        found = {code: row for code, row in LINE.findall(body.decode("gbk", "replace")) if code in named}
        if not found:
            raise ValueError(f"no line of hq_str_ in {body[:80]!r}")
        for code, row in found.items():
            if row:
                yield from self._row(named[code], row.split(","), received_ns)
            else:
                yield Unknown((named[code],))

    @staticmethod
    def names(symbols: Sequence[str], body: bytes) -> dict[str, tuple[str, str]]:
        """symbol → name, previous close; what is unknown is left out."""
        named = {exchange_first(symbol): symbol for symbol in symbols}
        rows = {code: row.split(",") for code, row in LINE.findall(body.decode("gbk", "replace")) if row}
        return {named[code]: (row[0], row[2]) for code, row in rows.items() if code in named and len(row) > 2}

    def _row(self, symbol: str, row: list[str], received_ns: int) -> Iterator[Said]:
        if len(row) < FIELDS:
            raise ValueError(f"{symbol} has {len(row)} fields instead of {FIELDS}")
        at_ns = instant_ns(row[30], row[31])
        stamp = (at_ns, received_ns, self.name)
        bids = sized((row[11 + 2 * n], row[10 + 2 * n]) for n in range(5))
        asks = sized((row[21 + 2 * n], row[20 + 2 * n]) for n in range(5))
        yield RawQuote(symbol, bids, asks, *stamp, source_seq=at_ns)
        grown = self._volume.grown(symbol, row[30], int(row[8]))
        if grown:
            yield RawPrint(symbol, row[3], grown, taker(row[3], row[6], row[7]), *stamp, made=True)
