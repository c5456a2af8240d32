"""How the feed and a reader's process talk: 4 bytes of length, then a msgpack list, kind first.

To the reader:   ["login", broker, user, password] · ["subscribe", [ids]] · ["unsubscribe", [ids]]
From the reader: ["connected"] · ["disconnected", reason] · ["login", code, words, trading day]
                 ["acknowledged", id, code, words] · ["tick", fields] · ["error", code, words]
                 ["broken", words]: the library cannot be used
"""

from __future__ import annotations

from typing import Any

import msgspec

HEAD = 4
LARGEST = 1 << 20


def pack(*message: Any) -> bytes:
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(HEAD, "big") + body


unpack = msgspec.msgpack.Decoder(list[Any]).decode
