"""Tencent's free quotes of A-shares: unofficial. GBK, `~` between fields, **price before volume**.

1 name, 2 code, 3 now, 4 pre_close, 5 open, 6 volume in hands, 9-18 five bids (price, hands), 19-28 five
asks, 30 YYYYMMDDHHMMSS. Unknown codes answer `v_pv_none_match="1"`. Prints as with Sina.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from market.sources.items import RawPrint, RawQuote
from market.sources.polled.codes import exchange_first, instant_ns, sized
from market.sources.polled.dialect import DayVolume, Request, Said, Unknown, taker

ADDRESS = "http://qt.gtimg.cn"
LINE = re.compile(r'v_(\w+)="([^"]*)"')
HAND = 100
FIELDS = 38


class Tencent:
    name = "tencent"
    most = 60

    def __init__(self, address: str = ADDRESS):
        self.address = address
        self._volume = DayVolume()

    def request(self, symbols: Sequence[str]) -> Request:
        return Request(self.name, f"{self.address}/q={','.join(exchange_first(s) for s in symbols)}")

    def read(self, symbols: Sequence[str], body: bytes, received_ns: int) -> Iterator[Said]:
        named = {exchange_first(symbol): symbol for symbol in symbols}
        lines = LINE.findall(body.decode("gbk", "replace"))
        if not lines:
            raise ValueError(f'no line of v_…="…" in {body[:80]!r}')
        found = {code: row for code, row in lines if code in named}
        for code, row in found.items():
            yield from self._row(named[code], row.split("~"), received_ns)
        if missing := tuple(symbol for code, symbol in named.items() if code not in found):
            yield Unknown(missing)

    def _row(self, symbol: str, row: list[str], received_ns: int) -> Iterator[Said]:
        if len(row) < FIELDS:
            raise ValueError(f"{symbol} has {len(row)} fields instead of {FIELDS}")
        day, moment = row[30][:8], row[30][8:14]
        at_ns = instant_ns(day, moment)
        stamp = (at_ns, received_ns, self.name)
        bids = sized(((row[9 + 2 * n], row[10 + 2 * n]) for n in range(5)), HAND)
        asks = sized(((row[19 + 2 * n], row[20 + 2 * n]) for n in range(5)), HAND)
        yield RawQuote(symbol, bids, asks, *stamp, source_seq=at_ns)
        grown = self._volume.grown(symbol, day, int(row[6])) * HAND
        if grown:
            yield RawPrint(symbol, row[3], grown, taker(row[3], row[9], row[19]), *stamp, made=True)
