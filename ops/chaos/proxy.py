"""Stands between an exchange and PostgreSQL and cuts the wire at the worst moment.

    python -m ops.chaos.proxy LISTEN_SOCKET SERVER_SOCKET

Every byte passes, until a line on stdin arms it:

    answer   the next COMMIT of the exchange's writer reaches the server and is done; its answer is thrown
             away and both sides are cut: nobody told the exchange that it is committed
    request  the next message of the writer is cut in half: the server never sees its COMMIT

After a cut it says `cut` on stdout and lets everything pass again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

WRITER = b"simgame exchange writer"  # application_name in the start-up message
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"  # CommandComplete
CHUNK = 65_536
PARTING_S = 0.05  # what the server was sent before a cut gets there


class Proxy:
    def __init__(self, server: str):
        self.server = server
        self.armed = ""

    async def serve(self, asker: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        try:
            from_server, to_server = await asyncio.open_unix_connection(self.server)
        except OSError:
            answers.close()
            return
        first = await asker.read(CHUNK)
        to_server.write(first)
        writer = WRITER in first
        ways = [
            asyncio.ensure_future(self._pass(asker, to_server, "request" if writer else "")),
            asyncio.ensure_future(self._pass(from_server, answers, "answer" if writer else "")),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (to_server, answers):
            end.close()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, watched: str) -> None:
        """`watched`: what this way is cut for; returns when it is cut or at an end."""
        with suppress(ConnectionError):
            while data := await source.read(CHUNK):
                if watched and self.armed == watched and (watched == "request" or COMMITTED in data):
                    self.armed = ""
                    if watched == "request":
                        target.write(data[: len(data) // 2])
                        await target.drain()
                        await asyncio.sleep(PARTING_S)
                    print("cut", flush=True)
                    return
                target.write(data)
                await target.drain()


async def main(listen: str, server: str) -> None:
    proxy = Proxy(server)
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async with await asyncio.start_unix_server(proxy.serve, listen):
        os.chmod(listen, 0o600)
        print("listening", flush=True)
        while line := await commands.readline():
            proxy.armed = line.decode().strip()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
