"""The Binance of the tests as ccxt speaks with it: raw frames, streams by name, a whole exchangeInfo."""

from __future__ import annotations

import json
from typing import Any

from websockets.asyncio.server import ServerConnection

from tests.venues.binance import Binance
from tests.venues.crypto import main


class WholeBinance(Binance):
    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[ServerConnection, set[str]] = {}

    async def obey(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        asked = set(request["params"])
        symbols = {stream.partition("@")[0].upper() for stream in asked}
        if not symbols & self.denied:
            held = self.streams.setdefault(socket, set())
            self.streams[socket] = held | asked if request["method"] == "SUBSCRIBE" else held - asked
        await super().obey(socket, request)
        self.sockets[socket] = {one.partition("@")[0].upper() for one in self.streams.get(socket, ())}

    async def _tell(self, symbol: str, frame: str) -> None:
        self.last[symbol] = frame
        if self.muted:
            return
        try:
            message = json.loads(frame)
            stream, text = message["stream"], json.dumps(message["data"])
        except (ValueError, TypeError, KeyError):
            stream, text = f"{symbol.lower()}@depth@100ms", frame  # nonsense
        for socket in list(self.sockets):
            if stream in self.streams.get(socket, ()):
                await self.send(socket, text)

    def rest(self, path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/exchangeInfo" and "symbols" not in query:
            return {"timezone": "UTC", "serverTime": 0, "symbols": [whole(name) for name in self.books]}
        return super().rest(path, query)


def whole(name: str) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "100000.00", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "900000", "stepSize": "1"},
        {"filterType": "NOTIONAL", "minNotional": "1"},
    ]
    return {
        "symbol": name,
        "status": "TRADING",
        "baseAsset": name.removesuffix("USDT"),
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters,
        "permissions": ["SPOT"],
    }


if __name__ == "__main__":
    main(WholeBinance())
