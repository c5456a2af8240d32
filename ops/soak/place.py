"""A private world for drills of the feed: services of its own, our venue, a real feed, exchange and links."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from market import worlds
from market.errors import MarketError
from market.feed import client
from market.feed.bars import Bar, Key
from market.models import Bar as StoredBar
from market.models import World
from ops.chaos.town import PAUSE_S, Lines, Town, python, wait_for
from ops.soak import meter
from ops.soak.home import VENUE
from ops.soak.ledger import Ledger, Stream
from ops.soak.stamps import Stamps
from ops.soak.tail import Tail
from simgame.embedded import Embedded
from trading.exchange.client import ask_sync
from trading.exchange.wire import Status

QUIET = 20.0  # messages a second until a drill begins
WAKING = 500.0
STILL_LOOKS = 250  # of 20 ms each: nothing more comes
Facts = dict[str, Any]
Say = Callable[[str], None]


class Speaker:
    """A child that answers a line of JSON to every line."""

    def __init__(self, lines: Lines, first: Facts):
        self.lines = lines
        self.last = self._ask(json.dumps(first))

    def __call__(self, do: str, **more: Any) -> Facts:
        self.last = self._ask(json.dumps({"do": do, **more}))
        return self.last

    def say(self, word: str) -> Facts:
        self.last = self._ask(word)
        return self.last

    def _ask(self, line: str) -> Facts:
        self.lines.tell(line)
        return dict(json.loads(self.lines.expect("{")))


class Place:
    """`with Place(home, say) as place`: venue and feed run, every book has begun, nothing is said yet."""

    def __init__(self, home: Path, say: Say, *, links: int = 1, exchange: bool = True, wire: bool = False):
        self.home, self.say = home, say
        self.links_wanted, self.exchange_wanted, self.wired = links, exchange, wire
        self.symbols = list(settings.CRYPTO_SYMBOLS)
        self.ledger = Ledger()
        self.tail: Tail
        self.venue: Speaker
        self.wire: Speaker
        self.links: Speaker | None = None
        self.town: Town
        self.world: World
        self._stack = ExitStack()

    def __enter__(self) -> Place:
        try:
            self._begin()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _begin(self) -> None:
        self.say("a private PostgreSQL and Valkey, a venue, a feed, an exchange")
        services = self._stack.enter_context(Embedded(self.home, durable=True))
        self.town = Town(self.home, dict(os.environ), services)
        self._stack.callback(self.town.close)
        self._stack.callback(connections.close_all)
        self.venue = self._start_venue()
        if self.wired:
            self.wire = self._start_wire()
        call_command("migrate", verbosity=0, skip_checks=True)
        self.world = worlds.ensure("crypto")
        self.town.world = self.world.slug
        self.tail = Tail(settings.WAL_DIR / self.world.slug)
        self.start_feed()
        self.venue("go", rate=QUIET)  # a venue that says nothing for long is taken for dead
        if self.exchange_wanted:
            self.town.start("exchange")
            wait_for(
                lambda: ask_sync(self.world.number, Status()).result.get("tick_seq"), "an exchange with ticks"
            )
        if self.links_wanted:
            self.links = self._start_links()

    def start_feed(self, **settings: str) -> None:
        """With these settings from the environment; returns when every book has its first quote."""
        self.read()
        before = self.ledger.speaker[1]
        self.town.start("feed", **settings)
        wait_for(lambda: self._all_have_begun(before), "the first quote of each book")

    def _all_have_begun(self, before: int) -> bool:
        self.read()
        epochs = self.ledger.quote_epochs
        return all(epochs.get(symbol, 0) > before for symbol in self.symbols)

    def _start_venue(self) -> Speaker:
        stamps = self.home / "stamps"
        Stamps(stamps, self.symbols, fresh=True)
        port = _port_of(os.environ[VENUE])
        lines = Lines(self.town.start("venue", python("ops.soak.venue")))
        return Speaker(lines, {"port": port, "symbols": self.symbols, "stamps": str(stamps)})

    def _start_wire(self) -> Speaker:
        """Binance's way and OKX's, each to our venue."""
        venue = _port_of(os.environ[VENUE])
        ways = [[_port_of(address), venue] for address in (settings.BINANCE_WS, settings.OKX_WS)]
        return Speaker(Lines(self.town.start("wire", python("ops.soak.wire"))), {"ways": ways})

    def _start_links(self) -> Speaker:
        lines = Lines(self.town.start("links", python("ops.soak.links")))
        asked = {
            "world": self.world.number,
            "address": f"unix:{settings.RUN_DIR}/feed-{self.world.number}.sock",
        }
        asked |= {"links": self.links_wanted, "stamps": str(self.home / "stamps"), "symbols": self.symbols}
        speaker = Speaker(lines, asked)
        wait_for(lambda: all(one["snapshots"] for one in speaker.say("facts")["links"]), "links")
        return speaker

    # --- waiting and looking ----------------------------------------------------------------------------

    def ask(self, op: str) -> Facts:
        """Raises MarketError when the feed does not answer."""
        return client.ask_sync(self.world.number, {"op": op})

    def status(self) -> Facts | None:
        """What the feed says of itself; None when it does not answer."""
        try:
            return self.ask("status")
        except MarketError:
            return None

    def read(self) -> None:
        """Everything that the feed wrote since the last look, into the ledger."""
        for written in self.tail.new():
            self.ledger.take(written)

    def drain(self, *, trades_only: bool = False) -> None:
        """The venue is silent: read until what it said is in the log, or nothing more comes for a while."""
        heads, still = self.venue("facts")["heads"], 0
        while still < STILL_LOOKS and self.ledger.absent(heads, trades_only=trades_only):
            count = self.ledger.count
            time.sleep(PAUSE_S)
            self.read()
            still = still + 1 if self.ledger.count == count else 0

    def wake(self) -> None:
        """The venue, which may have been taken for dead, speaks until each of its streams is in the log anew;
        so what was missing before is known as missing. Then it is silent again.
        """
        before = dict(self.ledger.heads)
        self.venue("go", rate=WAKING)
        wait_for(lambda: self._all_go_on(before), "a feed that hears the venue")
        self.venue("pause")
        self.drain()

    def _all_go_on(self, before: dict[Stream, int]) -> bool:
        self.read()
        heads = self.ledger.heads
        streams = [(symbol, trades) for symbol in self.symbols for trades in (False, True)]
        return all(heads.get(stream, 0) > before.get(stream, 0) for stream in streams)

    def wait_for_links(self) -> Facts | None:
        """What the links counted when they had everything that is in the log."""
        if self.links is None:
            return None
        links = self.links

        def caught_up() -> Facts | None:
            self.read()
            facts = links.say("facts")
            # The feed says the time every second: an instant's difference is no loss.
            return facts if all(one["seq"] >= self.ledger.seq - 100 for one in facts["links"]) else None

        return wait_for(caught_up, "links that have everything")

    def stored_bars(self) -> dict[Key, Bar]:
        rows = StoredBar.objects.filter(instrument__world=self.world).values_list(
            "instrument__symbol", "interval", "start", "open", "high", "low", "close", "volume", "turnover",
            "prints", "partial",
        )  # fmt: skip
        return {
            (symbol, interval, int(start.timestamp())): Bar(
                int(start.timestamp()), *rest[:5], int(rest[5]), *rest[6:]
            )
            for symbol, interval, start, *rest in rows
        }

    def usage(self) -> dict[str, meter.Usage]:
        return {name: meter.usage(process.pid) for name, process in self.town.running.items()}


def _port_of(address: str) -> int:
    return int(urlsplit(address).port or 0)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
