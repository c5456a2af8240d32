"""The library's own class names, for a front that does not exist offline: speaks to a script's socket.

`MODULE` of the reader is this file's module; the "front" `tcp://127.0.0.1:port` is a control server of the
test that sends JSON lines: {"do": "connected" | "disconnect" | "login" | "tick" | "die" …}. What the reader
asks for goes back as JSON lines too.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import Any


class CThostFtdcReqUserLoginField:
    BrokerID = UserID = Password = ""


class _Fields:
    def __init__(self, **fields: Any):
        self.__dict__.update(fields)


class CThostFtdcMdSpi:
    """Callbacks; the reader overrides what it needs."""


class CThostFtdcMdApi:
    @staticmethod
    def CreateFtdcMdApi(folder: str) -> CThostFtdcMdApi:
        if not os.path.isdir(folder):
            os.abort()  # as the native library does
        return CThostFtdcMdApi()

    def RegisterSpi(self, spi: Any) -> None:
        self._spi = spi

    def RegisterFront(self, front: str) -> None:
        host, _, port = front.removeprefix("tcp://").rpartition(":")
        self._address = (host, int(port))

    def Init(self) -> None:
        os.write(1, b"the native library chatters on standard output\n")
        threading.Thread(target=self._run, daemon=True).start()

    def ReqUserLogin(self, field: CThostFtdcReqUserLoginField, request: int) -> int:
        self._tell("login", broker=field.BrokerID, user=field.UserID, password=field.Password)
        return 0

    def SubscribeMarketData(self, ids: list[bytes], count: int) -> int:
        assert count == len(ids)
        self._tell("subscribe", ids=[one.decode() for one in ids])
        return 0

    def UnSubscribeMarketData(self, ids: list[bytes], count: int) -> int:
        self._tell("unsubscribe", ids=[one.decode() for one in ids])
        return 0

    def _tell(self, do: str, **more: Any) -> None:
        self._socket.sendall(json.dumps({"do": do, **more}).encode() + b"\n")

    def _run(self) -> None:
        try:
            self._socket = socket.create_connection(self._address)
        except OSError:
            return  # a closed port gives no callback at all, also in the real one
        with self._socket.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                self._act(json.loads(line))
        self._spi.OnFrontDisconnected(0x1001)

    def _act(self, message: dict[str, Any]) -> None:
        info = _Fields(ErrorID=message.get("code", 0), ErrorMsg=message.get("words", "").encode("gb18030"))
        match message["do"]:
            case "connected":
                self._spi.OnFrontConnected()
            case "disconnect":
                self._spi.OnFrontDisconnected(message["reason"])
            case "login":
                self._spi.OnRspUserLogin(_Fields(TradingDay="20261123"), info, 1, True)
            case "acknowledge":
                self._spi.OnRspSubMarketData(_Fields(InstrumentID=message["id"]), info, 1, True)
            case "tick":
                self._spi.OnRtnDepthMarketData(_Fields(**message["fields"]))
            case "die":
                os.abort()
