"""The reading side of `bench fanout`, a process of its own: many real sockets, counted.

    python -m ops.load.fanout_client PORT SOCKETS PATH SUBSCRIPTION

Says `ready` once every socket is open (and subscribed, when SUBSCRIPTION is not empty), then obeys
lines on stdin: `begin` starts counting, `end` prints what was counted as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import sys
import time
from typing import Any

import uvloop

from ops.load.bench import allow_many_files, percentile

SAMPLE_EVERY = 7  # latency of every n-th frame: reading the clock for each would cost too much
CONNECT_AT_ONCE = 50
STAMP = b'"t":'  # monotonic nanoseconds of the sender, same machine


class Count:
    def __init__(self) -> None:
        self.begun = False
        self.frames = self.bytes = self.errors = 0
        self.latencies_ms: list[float] = []

    def frame(self, payload: bytes) -> None:
        self.frames += 1
        if self.frames % SAMPLE_EVERY == 0:
            at = payload.rfind(STAMP)
            if at >= 0:
                digits = payload[at + len(STAMP) : at + len(STAMP) + 20]
                sent = int(digits.partition(b"}")[0].partition(b",")[0])
                self.latencies_ms.append((time.monotonic_ns() - sent) / 1e6)


class Client(asyncio.Protocol):
    """Just enough of RFC 6455 to read unfragmented server frames and to answer our pings."""

    def __init__(self, count: Count, port: int, path: str, subscription: str):
        self.count = count
        self.port, self.path, self.subscription = port, path, subscription
        self.ready = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self._buffer = b""
        self._upgraded = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        if not self._upgraded:
            head, ended, data = data.partition(b"\r\n\r\n")
            if not ended:
                self._buffer = head
                return
            self._upgrade(head)
        self._buffer = self._read_frames(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.count.errors += 1
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was open"))

    def send(self, text: str) -> None:
        """A masked text frame of less than 64 KiB."""
        payload, mask = text.encode(), os.urandom(4)
        size = len(payload)
        head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + struct.pack(">H", size)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.transport.write(head + mask + masked)

    def _upgrade(self, head: bytes) -> None:
        if b" 101 " not in head.split(b"\r\n")[0]:
            self.transport.close()
            return
        self._upgraded = True
        if self.subscription:
            self.send(self.subscription)
        else:
            self.ready.set_result(None)

    def _read_frames(self, data: bytes) -> bytes:
        """Takes every whole frame; returns the rest."""
        at, have = 0, len(data)
        while have - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                if have - at < 4:
                    break
                size, start = data[at + 2] << 8 | data[at + 3], at + 4
            elif size == 127:
                if have - at < 10:
                    break
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if have - start < size:
                break
            if data[at] == 0x81:
                self._take(data[start : start + size])
            at = start + size
        return data[at:]

    def _take(self, payload: bytes) -> None:
        if self.count.begun:
            self.count.frame(payload)
        if payload.startswith(b'{"type":"ping"'):
            self.send('{"op":"pong"}')
        elif not self.ready.done() and payload.replace(b" ", b"").startswith(b'{"id":1,"ok":true'):
            self.ready.set_result(None)


async def main(port: int, sockets: int, path: str, subscription: str) -> None:
    loop = asyncio.get_running_loop()
    count = Count()
    clients: list[Client] = []
    for number in range(0, sockets, CONNECT_AT_ONCE):
        batch = [
            loop.create_connection(lambda: Client(count, port, path, subscription), "127.0.0.1", port)
            for _ in range(min(CONNECT_AT_ONCE, sockets - number))
        ]
        made = [client for _, client in await asyncio.gather(*batch)]
        async with asyncio.timeout(30):
            await asyncio.gather(*[client.ready for client in made])
        clients += made
    print("ready", flush=True)
    while order := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if order == "begin":
            count.__init__()  # type: ignore[misc]
            count.begun = True
            begun_at = time.monotonic()
        elif order == "end":
            count.begun = False
            seconds = time.monotonic() - begun_at
            print(json.dumps(_result(count, seconds)), flush=True)


def _result(count: Count, seconds: float) -> dict[str, Any]:
    latencies = sorted(count.latencies_ms)
    return {
        "frames_per_s": round(count.frames / seconds),
        "p50_ms": _rounded(percentile(latencies, 0.50)),
        "p99_ms": _rounded(percentile(latencies, 0.99)),
        "errors": count.errors,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


if __name__ == "__main__":
    allow_many_files()
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
