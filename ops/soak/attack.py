"""`manage.py soak hostile`: a venue that has gone mad, beside an exchange with resting orders.

Numbers that are none, absurd jumps, times of another day, unknown instruments, wrong shapes, garbage,
deep and huge frames, between true ticks. Nobody's order may fill by one, none may get into the log, and the
feed goes on.
"""

from __future__ import annotations

import time

from accounts.models import Player
from ops.chaos.town import wait_for
from ops.soak.drill import Drill
from ops.soak.place import Facts, Place
from simgame.kernel import clock, money
from simgame.kernel.ids import uuid7
from trading import games
from trading.engine.commands import NewOrder
from trading.exchange.client import ask_sync
from trading.models import Fill, Order, Portfolio

DEEP_BID, HIGH_ASK = 60, 160  # percent of the market: only nonsense reaches them
WANDERS = 15  # percent: the venue's true prices stay within
LOOK_S = 0.5
PATIENCE_S = 600.0  # what was said must still be read
PLAYERS = 2


class Attack(Drill):
    name = "hostile"
    attack_s = 0.0
    fills = open = 0

    pid = 0

    def settle(self) -> Place:
        return Place(self.home, self.say, links=1)

    def work(self) -> None:
        place = self.place
        place.venue("go", rate=self.options["rate"])
        self.pid = place.town.running["feed"].pid
        self._rest_orders()
        self.before = place.venue("hostile", count=self.options["ticks"], seed=self.options["seed"])
        began = time.monotonic()
        while place.venue("facts")["attacking"] and place.town.running["feed"].poll() is None:
            time.sleep(LOOK_S)
            place.read()
            self.checkpoint()
            self.attack_s = time.monotonic() - began
        if place.town.running["feed"].poll() is None:
            self._wait_until_well()

    def _rest_orders(self) -> None:
        """On every instrument a bid and an ask far away; the asks were bought before, at the market."""
        place = self.place
        season = games.ensure_season(place.world)
        self.scales = {one.symbol: one for one in place.world.instruments.all()}
        self.middles = {symbol: self._middle(symbol) for symbol in place.symbols}
        for number in range(PLAYERS):
            portfolio = games.join(Player.objects.create(username=f"player{number}"), season)
            for symbol in place.symbols:
                middle = self.middles[symbol]
                self._order(portfolio, symbol, "buy", middle * 11 // 10)
                self._order(portfolio, symbol, "buy", middle * DEEP_BID // 100)
                self._order(portfolio, symbol, "sell", middle * HIGH_ASK // 100)
        place.ledger.believed = {
            symbol: (middle * (100 - WANDERS) // 100, middle * (100 + WANDERS) // 100)
            for symbol, middle in self.middles.items()
        }
        self.fills = Fill.objects.count()
        self.open = self._open_orders()

    def _middle(self, symbol: str) -> int:
        def quoted() -> int:
            row = self.place.ask("latest")["quotes"].get(symbol) or {}
            return money.parse(row["ask"], self.scales[symbol].price_exponent) if row.get("ask") else 0

        return wait_for(quoted, f"a quote of {symbol}")

    def _order(self, portfolio: Portfolio, symbol: str, side: str, price: int) -> None:
        key = str(uuid7())
        deadline_ns = clock.now_ns() + 30 * clock.NS_PER_S
        order = NewOrder(portfolio.id, key, key, symbol, side, "limit", "gtc", 1, price, deadline_ns)
        reply = ask_sync(self.place.world.number, order)
        if reply.outcome != "executed" or reply.code:
            self.found("order", f"{side} {symbol} at {price} was not taken: {reply.code} {reply.detail}")

    def _open_orders(self) -> int:
        return Order.objects.filter(status__in=("new", "partially_filled")).count()

    def _wait_until_well(self) -> None:
        """The last frames cost the connection: everything is read, a new one has come, and every book."""
        place = self.place

        def well() -> bool:
            place.read()
            source = (status := place.status() or {}).get("source", {})
            return bool(
                source.get("state") == "live"
                and sum(source["reconnects"].values())
                and not status["ingress"]["waiting"]
                and not place.venue("facts")["waiting"]
                and all(place.ledger.quote_epochs.get(one) == source["epoch"] for one in place.symbols)
            )

        wait_for(well, "true ticks of every instrument after the attack", PATIENCE_S)

    def look(self) -> Facts:
        status = self.place.status() or {}
        return {
            "left": self.place.venue.last["attacking"],
            "waiting": status.get("ingress", {}).get("waiting"),
            "quarantined": sum(status.get("quarantined", {}).values()),
            "kept": self.place.ledger.count,
            "feed_mb": round(self.place.usage()["feed"].rss_mb),
        }

    def judge(self) -> None:
        place = self.place
        status = place.status() or {}
        if place.town.running["feed"].poll() is not None or place.town.running["feed"].pid != self.pid:
            self.found("stopped", f"the feed left: {place.town.last_words('feed')}")
        if place.town.running["exchange"].poll() is not None:
            self.found("stopped", f"the exchange left: {place.town.last_words('exchange')}")
        self.expect_none("filled", Fill.objects.count() - self.fills, "fills by ticks that are none")
        self.expect_none(
            "orders", abs(self._open_orders() - self.open), "resting orders are not as they were"
        )
        place.read()
        self.expect_none("passed", len(place.ledger.strange), "ticks passed", first=place.ledger.strange[:5])
        refused = status.get("quarantined", {})
        self.facts = {
            "hostile": self.options["ticks"],
            "seconds_of_attack": round(self.attack_s, 1),
            "true_ticks_kept": place.ledger.count,
            "resting_orders": self.open,
            "fills": Fill.objects.count() - self.fills,
            "quarantined": dict(sorted(refused.items(), key=lambda entry: -entry[1])),
            "quarantined_in_all": sum(refused.values()),
            "sequence": status.get("sequence"),
            "reconnects": status.get("source", {}).get("reconnects"),
        }
