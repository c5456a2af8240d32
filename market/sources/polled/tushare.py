"""Tushare Pro's real-time bars of the day (`rt_k`, doc 372): a snapshot of price and day's volume.

`POST <address>` with `{"api_name", "token", "params", "fields"}`; HTTP is always 200, the code is in the
body. 40203 means "too often" as well as "not permitted": only the words tell, so words come first. There
is no depth: five levels of one hand's worth are **not** made up; the quote has one level a side at the
last price's neighbours, marked `made`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from market.sources.items import RawPrint, RawQuote
from market.sources.polled.dialect import DayVolume, Denied, Request, Said, Unknown

ADDRESS = "http://api.tushare.pro"
FIELDS = ("ts_code", "pre_close", "high", "open", "low", "close", "vol", "amount", "num")
TICK = Decimal("0.01")
TOUCH = "1000"  # shares shown at each side of a quote that is made

WORDS: tuple[tuple[tuple[str, ...], str, float], ...] = (
    (("每分钟最多", "频率超限", "过于频繁"), "rate", 60.0),
    (("每小时最多",), "rate", 3600.0),
    (("每天最多", "每日"), "rate", 86_400.0),
    (("权限", "积分"), "permission", 0.0),
    (("token不对", "token无效", "您的token"), "login", 0.0),
    (("参数", "必填"), "bad_request", 0.0),
)
CODES = {40203: "permission", 2002: "permission", 40001: "login", 40101: "login", -2001: "bad_request"}


class Tushare:
    name = "tushare_rt"
    most = 500

    def __init__(self, address: str = ADDRESS, account: str = "TUSHARE_PRIMARY"):
        self.address, self.account = address, account
        self._volume = DayVolume()

    def request(self, symbols: Sequence[str]) -> Request:
        body = {
            "api_name": "rt_k",
            "token": "{token}",
            "params": {"ts_code": ",".join(symbols)},
            "fields": ",".join(FIELDS),
        }
        headers = {"Content-Type": "application/json"}
        return Request("rt_k", self.address, headers, json.dumps(body), self.account)

    def read(self, symbols: Sequence[str], body: bytes, received_ns: int) -> Iterator[Said]:
        answer = json.loads(body)
        if not isinstance(answer, dict):
            raise ValueError(f"an answer is an object: {body[:80]!r}")
        if answer.get("code") != 0:
            raise denied(answer)
        rows = [dict(zip(answer["data"]["fields"], item, strict=False)) for item in answer["data"]["items"]]
        for row in rows:
            if row["ts_code"] in symbols:
                yield from self._row(row, received_ns)
        if missing := tuple(set(symbols) - {row["ts_code"] for row in rows}):
            yield Unknown(missing)

    def _row(self, row: dict[str, Any], received_ns: int) -> Iterator[Said]:
        """There is no time in a row: it is of now."""
        symbol, price = row["ts_code"], Decimal(str(row["close"]))
        stamp = (received_ns, received_ns, self.name)
        if price > TICK:
            bid, ask = f"{price - TICK:f}", f"{price:f}"
            yield RawQuote(
                symbol, ((bid, TOUCH),), ((ask, TOUCH),), *stamp, source_seq=received_ns, made=True
            )
        grown = self._volume.grown(symbol, "", int(row["vol"]))
        if grown:
            yield RawPrint(symbol, f"{price:f}", grown, "", *stamp, made=True)


def denied(answer: dict[str, Any]) -> Denied:
    """Which kind of no this is: words first, code second."""
    text, code = str(answer.get("msg") or answer.get("message") or ""), answer.get("code")
    for words, reason, wait_s in WORDS:
        if any(word in text for word in words):
            return Denied(reason, f"{code} {text}", wait_s)
    return Denied(CODES.get(code, "transient") if isinstance(code, int) else "transient", f"{code} {text}")
