"""Frames ready for the network, and the short way there.

What a server sends is not masked (RFC 6455, 5.1), so the same bytes suit every socket: a frame is
built once, however many read it. Where we know the server, the bytes go straight to its transport;
ASGI's `send` would build them again for each socket. What cannot be sent that way just now (the
transport is full, a compressed socket, a server or a middleware that we do not know) goes by `send`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from twisted.internet import tcp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

Straight = Callable[[bytes], bool]  # False: not written, go by `send`

TEXT_WHOLE, BINARY_WHOLE = 0x81, 0x82  # first byte of an unfragmented frame
LENGTH_IN_16_BITS, LENGTH_IN_64_BITS = 126, 127
DAPHNE = "daphne.ws_protocol"  # by name: importing it would choose Twisted's reactor


class Frame(NamedTuple):
    """`event` for ASGI, `wire` for a transport; `size` of what it says, in bytes."""

    event: dict[str, Any]
    wire: bytes
    size: int


def text_frame(text: str) -> Frame:
    payload = text.encode()
    wire = _head(TEXT_WHOLE, len(payload)) + payload
    return Frame({"type": "websocket.send", "text": text}, wire, len(payload))


def binary_frame(payload: bytes) -> Frame:
    wire = _head(BINARY_WHOLE, len(payload)) + payload
    return Frame({"type": "websocket.send", "bytes": payload}, wire, len(payload))


def _head(first: int, size: int) -> bytes:
    """https://www.rfc-editor.org/rfc/rfc6455#section-5.2"""
    if size < LENGTH_IN_16_BITS:
        return bytes((first, size))
    if size < 2**16:
        return struct.pack("!BBH", first, LENGTH_IN_16_BITS, size)
    return struct.pack("!BBQ", first, LENGTH_IN_64_BITS, size)


def straight_way(send: Any) -> Straight | None:
    """Past this `send`, once the socket is accepted; None when there is no such way."""
    uvicorns = getattr(send, "__self__", None)
    if isinstance(uvicorns, WebSocketsSansIOProtocol):
        return _through_uvicorn(uvicorns)
    daphnes = send.args[0] if isinstance(send, partial) and send.args else None
    if type(daphnes).__module__ == DAPHNE:
        return _through_daphne(daphnes)
    return None


def _through_uvicorn(protocol: WebSocketsSansIOProtocol) -> Straight | None:
    """The loop's `write` keeps what it is given until all else is done: the kernel is asked first."""
    transport = protocol.transport
    if protocol.conn.extensions or transport.get_extra_info("ssl_object") is not None:
        return None  # compressed or encrypted: each socket has bytes of its own
    write, is_closing, waiting = transport.write, transport.is_closing, transport.get_write_buffer_size
    has_room, socket = protocol.writable.is_set, transport.get_extra_info("socket").fileno()

    def straight(data: bytes) -> bool:
        if is_closing():  # until then the number is this socket's and no other's
            return False
        if waiting():
            if not has_room():
                return False
            write(data)
            return True
        try:
            sent = os.write(socket, data)
        except OSError:  # nothing just now, or never again: the transport finds out
            sent = 0
        if sent != len(data):
            write(data[sent:])
        return True

    return straight


def _through_daphne(protocol: Any) -> Straight | None:
    """Twisted's `write` waits for the loop to call back, which costs more than the writing: what the
    kernel takes at once is given to it, and only the rest is left to Twisted."""
    transport = protocol.transport
    if protocol._perMessageCompress is not None or type(transport) is not tcp.Server or transport.TLS:
        return None
    is_open, write, write_some = protocol.STATE_OPEN, transport.write, transport.writeSomeData

    def straight(data: bytes) -> bool:
        if protocol.state != is_open:
            return False
        waiting = transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting
        sent = 0 if waiting else write_some(data)
        if sent != len(data):
            write(data[sent:] if isinstance(sent, int) else data)
        return True

    return straight
