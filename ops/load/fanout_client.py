"""The reading side of `bench fanout`, a process of its own: many real sockets, counted.

    python -m ops.load.fanout_client PORT SOCKETS PATH SUBSCRIPTION [SLOW]

Says `ready` once every socket is open (and subscribed, when SUBSCRIPTION is not empty), then obeys
lines on stdin: `begin` starts counting, `end` prints what was counted as JSON, `storm` tears every
socket, opens them all again at once and prints how long that took. SLOW more sockets subscribe, and from
then on read nothing.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
import sys
import time
from typing import Any

import uvloop

from ops.load.bench import allow_many_files, percentile
from simgame.kernel import collector

SAMPLE_EVERY = 7  # latency of every n-th frame: reading the clock for each would cost too much
CONNECT_AT_ONCE = 50
OPEN_S = 60.0
SMALL_BYTES = 4_096  # the kernel keeps little for who reads nothing
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
        self.torn = False
        self.begun_at = self.ready_at = 0.0
        self._buffer = b""
        self._upgraded = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.begun_at = time.monotonic()
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
        self.count.errors += not self.torn
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
            elif data[at] == 0x88:  # the server leaves
                self.transport.close()
            at = start + size
        return data[at:]

    def _take(self, payload: bytes) -> None:
        if self.count.begun:
            self.count.frame(payload)
        if payload.startswith(b'{"type":"ping"'):
            self.send('{"op":"pong"}')
        elif not self.ready.done() and payload.replace(b" ", b"").startswith(b'{"id":1,"ok":true'):
            self.ready_at = time.monotonic()
            self.ready.set_result(None)


class Crowd:
    """Sockets of one kind."""

    def __init__(self, count: Count, port: int, path: str, subscription: str):
        self.count, self.port, self.path, self.subscription = count, port, path, subscription
        self.clients: list[Client] = []

    async def open(self, sockets: int, at_once: int = CONNECT_AT_ONCE, buffer_bytes: int = 0) -> None:
        for number in range(0, sockets, at_once):
            batch = [self._one(buffer_bytes) for _ in range(min(at_once, sockets - number))]
            made = await asyncio.gather(*batch)
            async with asyncio.timeout(OPEN_S):
                await asyncio.gather(*[client.ready for client in made])
            self.clients += made

    async def _one(self, buffer_bytes: int) -> Client:
        with_buffer = socket.socket()
        if buffer_bytes:
            with_buffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        with_buffer.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(with_buffer, ("127.0.0.1", self.port))
        protocol = Client(self.count, self.port, self.path, self.subscription)
        await loop.create_connection(lambda: protocol, sock=with_buffer)
        return protocol

    def stop_reading(self) -> None:
        for client in self.clients:
            client.torn = True  # the server may close it: no error of ours
            client.transport.pause_reading()

    async def storm(self) -> dict[str, Any]:
        """Everybody is torn and comes back at once."""
        sockets, self.clients, former = len(self.clients), [], self.clients
        for client in former:
            client.torn = True
            client.transport.abort()
        began = time.monotonic()
        await self.open(sockets, at_once=sockets)
        took = sorted(client.ready_at - began for client in self.clients)
        return {
            "all_back_s": round(took[-1], 3),
            "back_p50_s": _rounded(percentile(took, 0.5)),
            "back_p99_s": _rounded(percentile(took, 0.99)),
        }


async def main(port: int, sockets: int, path: str, subscription: str, slow: int = 0) -> None:
    loop = asyncio.get_running_loop()
    count = Count()
    crowd = Crowd(count, port, path, subscription)
    await crowd.open(sockets)
    if slow:
        sleepers = Crowd(Count(), port, path, subscription)
        await sleepers.open(slow, buffer_bytes=SMALL_BYTES)
        sleepers.stop_reading()
    collector.set_aside()  # or its looks at so many sockets would be late frames
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
        elif order == "storm":
            print(json.dumps(await crowd.storm()), flush=True)


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
    port_, sockets_, path_, subscription_, *slow_ = sys.argv[1:]
    uvloop.run(main(int(port_), int(sockets_), path_, subscription_, *map(int, slow_)))
