"""One story of what a portfolio was worth: every page and every door says the same of the same instant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings
from django.db.models import F

from market import messages
from market.models import World
from market.ticks import PhaseTick, Quote, Reference
from simgame.kernel import clock
from tests.exchange import street
from trading import alpaca, book_pages, curve, equity, hosting, queries, standings
from trading.exchange.client import ask_sync
from trading.exchange.wire import Status
from trading.models import EquityPoint, Game, Portfolio

pytestmark = pytest.mark.django_db(transaction=True)
ONE_DAY = timedelta(days=1)


class Market:
    """What the exchange hears and what readers find in Redis; SHARE opens at the close of the day before."""

    def __init__(self, world: World, feed: street.Feed):
        self.world, self.feed, self.close = world, feed, 1000
        self.link = redis.Redis.from_url(settings.REDIS_URL)

    def opens(self, day: Any) -> None:
        self.day, self.before = int(f"{day:%Y%m%d}"), self.close
        self.feed.begin(self.day, price=self.close)
        self.stands(self.close)

    def stands(self, price: int) -> None:
        now, self.close = clock.now_ns(), price
        self.feed.quote(bid=price, ask=price + 1)
        street.wait_for(
            lambda: ask_sync(self.world.number, Status()).result["tick_seq"] >= self.feed.said, "the price"
        )
        quote = Quote(street.SHARES, ((price, 500),), ((price + 1, 500),), now, now, "test")
        reference = Reference(street.SHARES, self.day, self.before, 0, 0, now, now, "test")
        share = self.world.instruments.get(symbol=street.SHARES)
        row = messages.quote_row(share, quote, None, reference) | {"last": f"{price / 100:.2f}"}
        phase = messages.phase_row(self.world.slug, "UTC", PhaseTick(self.day, "continuous", "", 0, now, now))
        slug = self.world.slug
        self.link.hset(f"sg:offset:{slug}", mapping={"epoch": "e1.1", "board": self.feed.said, "phase": 1})
        self.link.hset(f"sg:latest:{slug}", street.SHARES, msgspec.json.encode(row))
        self.link.set(f"sg:phase:{slug}", msgspec.json.encode(phase))


@pytest.fixture
def market(exchange: Any, world: World, feed: street.Feed) -> Iterator[Market]:
    market = Market(world, feed)
    yield market
    market.link.flushdb()
    market.link.close()


def history(alice: int, **asked: Any) -> dict[str, Any]:
    return equity.history(alice, asked)


def a_day_passes() -> None:
    EquityPoint.objects.update(at=F("at") - ONE_DAY)
    Portfolio.objects.update(created_at=F("created_at") - ONE_DAY)


def six_weeks_later_the_nights_thin_it() -> None:
    """Of the days before; and back again."""
    noted, old = EquityPoint.objects.count(), clock.now() - ONE_DAY / 2
    EquityPoint.objects.filter(at__lt=old).update(at=F("at") - 42 * ONE_DAY)
    curve.thin()
    EquityPoint.objects.filter(at__lt=old).update(at=F("at") + 42 * ONE_DAY)
    assert EquityPoint.objects.count() < noted


def everywhere(alice: int) -> dict[str, Any]:
    """What each place says that she is worth now, or was when she was last ranked."""
    portfolio = Portfolio.objects.select_related("game__world").get(id=alice)
    page = book_pages.portfolio(portfolio)
    return {
        "desk": queries.desk_snapshot(alice)["portfolio"]["equity"],
        "curve": equity.shown(portfolio, equity.points(portfolio))[-1]["equity"],
        "day on the page": page["by_day"][0]["equity"],
        "row behind the curve": page["curve_rows"][0]["equity"],
        "account": alpaca.account(alice)["equity"],
        "history by minutes": history(alice, period="1D", timeframe="1Min")["equity"][-1],
        "history by days": history(alice, timeframe="1D")["equity"][-1],
        "standings": standings.table(portfolio.game, alice)["mine"]["equity"],
        "export": hosting.export(portfolio.game)["standings"][0]["equity"],
    }


def test_alice_trades_for_three_days_and_reads_one_story(market: Market, world: World) -> None:
    alice = street.open_portfolio(world, "alice").id
    game = Game.objects.select_related("world").get(world=world)
    today = clock.now().date()
    ends: dict[str, str] = {}
    for age, side, qty, prices in (
        (2, "buy", 1000, (900, 1100)),
        (1, "sell", 400, (1050,)),
        (0, "buy", 100, (1200,)),
    ):
        day = today - age * ONE_DAY
        market.opens(day)
        limit = market.close + (1 if side == "buy" else 0)
        reply = ask_sync(world.number, street.new_order(alice, side=side, qty=qty, limit_price=limit))
        assert reply.outcome == "executed"
        for price in prices:
            market.stands(price)
            standings.renew(game)
        said = everywhere(alice)
        assert len(set(said.values())) == 1, said
        ends[day.isoformat()] = said["desk"]
        if age:
            a_day_passes()
    assert len(set(ends.values())) == 3
    for told in (True, False):  # as it was noted, and when the nights have thinned it
        page = book_pages.portfolio(Portfolio.objects.select_related("game__world").get(id=alice))
        assert {f"{row['day']}": row["equity"] for row in page["by_day"]} == ends
        by_days = history(alice, timeframe="1D")
        assert by_days["equity"] == list(ends.values())
        by_hours = history(alice, period="3D", timeframe="1H")
        assert [worth for worth in ends.values() if worth not in by_hours["equity"]] == []
        assert page["deepest"] == standings.table(game, alice)["mine"]["drawdown_pct"] != "0.00"
        if told:
            six_weeks_later_the_nights_thin_it()
    yesterday = list(ends.values())[1]
    assert alpaca.account(alice)["last_equity"] == yesterday

    market.stands(1300)  # and between two rankings the curve goes on to now
    said = everywhere(alice)
    ranked = {said.pop("standings"), said.pop("export")}
    assert len(set(said.values())) == 1 and len(ranked) == 1 and not ranked & set(said.values())

    Game.objects.update(status="ended")
    ended = everywhere(alice)
    assert ended["curve"] == ended["history by days"] == ended["standings"], (
        "an ended game ends with its ranking"
    )
