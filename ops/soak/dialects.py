"""How Binance and OKX write what happens, as finished WebSocket frames of a server. Pure."""

from __future__ import annotations

import json
from typing import Any

from ops.soak.street import Change, Instrument, Trade, money

SHORT, LONG = 126, 65_536


def frame(text: bytes) -> bytes:
    """RFC 6455, 5.2: one unmasked text frame."""
    size = len(text)
    if size < SHORT:
        return bytes((0x81, size)) + text
    if size < LONG:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


class Binance:
    """/stream: depth@100ms and aggTrade."""

    path = "/stream"

    def asked(self, request: dict[str, Any]) -> tuple[str, set[str]]:
        """SUBSCRIBE or UNSUBSCRIBE, and the symbols."""
        return request["method"], {stream.partition("@")[0].upper() for stream in request["params"]}

    def answers(self, request: dict[str, Any], instruments: dict[str, Instrument], ms: int) -> list[str]:
        return [json.dumps({"result": None, "id": request["id"]})]

    def write(self, one: Instrument, what: Change | Trade, ms: int) -> bytes:
        symbol = one.symbol
        if isinstance(what, Trade):
            kind = "aggTrade"
            row = (
                f'"e":"aggTrade","E":{ms},"T":{ms},"s":"{symbol}","a":{what.number},"p":"{money(what.price)}",'
                f'"q":"{what.size}","m":{"true" if what.sold else "false"}'
            )
        else:
            kind, number = "depth@100ms", what.number
            bids = ",".join([f'["{money(price)}","{size}"]' for price, size in what.bids])
            asks = ",".join([f'["{money(price)}","{size}"]' for price, size in what.asks])
            row = f'"e":"depthUpdate","E":{ms},"s":"{symbol}","U":{number},"u":{number}'
            row += f',"b":[{bids}],"a":[{asks}]'
        return frame(f'{{"stream":"{symbol.lower()}@{kind}","data":{{{row}}}}}'.encode())


class Okx:
    """/ws/v5/public: books and trades."""

    path = "/ws/v5/public"

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}  # symbol → as it was asked for

    def asked(self, request: dict[str, Any]) -> tuple[str, set[str]]:
        for row in request["args"]:
            self.ids[row["instId"].replace("-", "")] = row["instId"]
        symbols = {row["instId"].replace("-", "") for row in request["args"]}
        return str(request["op"]).upper(), symbols

    def answers(self, request: dict[str, Any], instruments: dict[str, Instrument], ms: int) -> list[str]:
        said = []
        for row in request["args"]:
            said.append(json.dumps({"event": request["op"], "arg": row, "connId": "a1"}))
            if request["op"] == "subscribe" and row["channel"] == "books":
                said.append(self._begin(instruments[row["instId"].replace("-", "")], ms))
        return said

    def _begin(self, one: Instrument, ms: int) -> str:
        row = {
            "bids": [[price, size, "0", "1"] for price, size in one.levels("b")],
            "asks": [[price, size, "0", "1"] for price, size in one.levels("a")],
            "ts": str(ms), "checksum": 0, "seqId": one.quote, "prevSeqId": -1,
        }  # fmt: skip
        arg = {"channel": "books", "instId": self.ids[one.symbol]}
        return json.dumps({"arg": arg, "action": "snapshot", "data": [row]})

    def write(self, one: Instrument, what: Change | Trade, ms: int) -> bytes:
        name = self.ids.get(one.symbol, one.symbol)
        if isinstance(what, Trade):
            side = "sell" if what.sold else "buy"
            text = (
                f'{{"arg":{{"channel":"trades","instId":"{name}"}},"data":[{{"instId":"{name}","tradeId":"{what.number}",'
                f'"px":"{money(what.price)}","sz":"{what.size}","side":"{side}","ts":"{ms}","count":"1"}}]}}'
            )
            return frame(text.encode())
        bids = ",".join([f'["{money(price)}","{size}","0","1"]' for price, size in what.bids])
        asks = ",".join([f'["{money(price)}","{size}","0","1"]' for price, size in what.asks])
        text = (
            f'{{"arg":{{"channel":"books","instId":"{name}"}},"action":"update","data":[{{"bids":[{bids}],"asks":[{asks}],'
            f'"ts":"{ms}","checksum":0,"seqId":{what.number},"prevSeqId":{what.number - 1}}}]}}'
        )
        return frame(text.encode())
