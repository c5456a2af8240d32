"""The process that holds one front: `python -m market.sources.ctp.reader MODULE FRONT FOLDER`.

The native library runs in a process of its own: it ends the whole process when something displeases it
(a missing locale, for one), and no `try` can catch that. Its callbacks come on threads of its own, and what
it hands over is only valid within the callback: everything is copied, packed and written at once.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from market.sources.ctp.pipe import HEAD, LARGEST, pack, unpack

OPTIONAL = (
    "the brokers' library is optional: .venv/bin/python -m uv pip install --require-hashes"
    " -r market/sources/ctp/requirements.txt"
)
TEXT = ("TradingDay", "ActionDay", "UpdateTime", "InstrumentID", "ExchangeID")
DEPTH = tuple(
    f"{side}{what}{n}" for side in ("Bid", "Ask") for what in ("Price", "Volume") for n in range(1, 6)
)
NUMBERS = (
    *("LastPrice", "PreSettlementPrice", "PreClosePrice", "OpenPrice", "HighestPrice", "LowestPrice"),
    *("Volume", "Turnover", "OpenInterest", "UpperLimitPrice", "LowerLimitPrice", "UpdateMillisec"),
    *("SettlementPrice", "ClosePrice", *DEPTH),
)


class Reader:
    def __init__(self, module: Any, front: str, folder: Path, out: BinaryIO):
        self._module, self._front, self._folder, self._out = module, front, folder, out
        self._lock = threading.Lock()
        self._requests = 0

    def say(self, *message: Any) -> None:
        with self._lock:
            self._out.write(pack(*message))
            self._out.flush()

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._api = self._module.CThostFtdcMdApi.CreateFtdcMdApi(f"{self._folder}/")
        self._spi = spi_of(self._module, self)  # kept: the library holds no reference of its own
        self._api.RegisterSpi(self._spi)
        self._api.RegisterFront(self._front)
        self._api.Init()

    def obey(self, command: list[Any]) -> None:
        match command:
            case ["login", str(broker), str(user), str(password)]:
                field = self._module.CThostFtdcReqUserLoginField()
                field.BrokerID, field.UserID, field.Password = broker, user, password
                self._requests += 1
                self._api.ReqUserLogin(field, self._requests)
            case ["subscribe", list(ids)]:
                self._api.SubscribeMarketData([one.encode() for one in ids], len(ids))
            case ["unsubscribe", list(ids)]:
                self._api.UnSubscribeMarketData([one.encode() for one in ids], len(ids))


def spi_of(module: Any, reader: Reader) -> Any:
    """The library's callbacks, made of its own class at run time."""

    class Spi(module.CThostFtdcMdSpi):
        def OnFrontConnected(self) -> None:  # noqa: N802
            reader.say("connected")

        def OnFrontDisconnected(self, reason: int) -> None:  # noqa: N802
            reader.say("disconnected", int(reason))

        def OnRspUserLogin(self, login: Any, info: Any, request: int, last: bool) -> None:  # noqa: N802
            reader.say("login", *_verdict(info), _text(getattr(login, "TradingDay", "")))

        def OnRspError(self, info: Any, request: int, last: bool) -> None:  # noqa: N802
            reader.say("error", *_verdict(info))

        def OnRspSubMarketData(self, instrument: Any, info: Any, request: int, last: bool) -> None:  # noqa: N802
            if instrument is not None:
                reader.say("acknowledged", _text(instrument.InstrumentID), *_verdict(info))

        def OnRtnDepthMarketData(self, data: Any) -> None:  # noqa: N802
            fields: dict[str, Any] = {name: _text(getattr(data, name, "")) for name in TEXT}
            fields.update((name, getattr(data, name, None)) for name in NUMBERS)
            reader.say("tick", fields)

    return Spi()


def _verdict(info: Any) -> tuple[int, str]:
    return (int(info.ErrorID), _text(info.ErrorMsg)) if info is not None else (0, "")


def _text(value: Any) -> str:
    return value.decode("gb18030", "replace") if isinstance(value, bytes) else str(value or "")


def commands(source: BinaryIO) -> Any:
    while len(head := source.read(HEAD)) == HEAD:
        length = int.from_bytes(head, "big")
        if length > LARGEST:
            return
        yield unpack(source.read(length))


def own_output() -> BinaryIO:
    """The pipe to the feed, for us alone: the native library writes to the process's standard output."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def main(module: str, front: str, folder: str) -> int:
    out = own_output()
    try:
        library = import_module(module)
    except ImportError as error:
        out.write(pack("broken", f"{module} cannot be imported ({error}): {OPTIONAL}"))
        out.flush()
        return 1
    reader = Reader(library, front, Path(folder), out)
    reader.start()
    for command in commands(sys.stdin.buffer):
        reader.obey(command)
    return 0  # the feed is gone


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
