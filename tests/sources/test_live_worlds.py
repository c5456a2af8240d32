"""Worlds of real markets, from their settings to a running feed, against venues of the tests."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from market import errors, worlds
from market.models import World
from market.sources import choose
from market.sources.failover import Failover
from tests.feed.conftest import Runner, until
from tests.venues.crypto import SYMBOLS
from tests.venues.process import Street, Venue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def venues(settings: Any, street: Street) -> tuple[Venue, Venue]:
    one, other = street.fresh("binance"), street.fresh("okx")
    settings.CRYPTO_SYMBOLS = SYMBOLS[:3]
    settings.BINANCE_WS = f"ws://{one.address}/stream"
    settings.BINANCE_REST = f"http://{one.address}"
    settings.OKX_WS = f"ws://{other.address}/ws/v5/public"
    return one, other


async def test_the_crypto_world_plays_on_when_its_first_venue_goes_away(
    venues: tuple[Venue, Venue], tmp_path: Path
) -> None:
    world = await sync_to_async(worlds.ensure)("crypto")
    assert (world.kind, world.rulebook) == (World.Kind.LIVE, "crypto")
    async with Runner(tmp_path).running(world) as feed:
        source = feed.source
        assert isinstance(source, Failover)

        def speakers() -> list[str]:
            return [quote.source for quote in feed.state.quotes.values()]

        # The second venue speaks meanwhile when it is there before the first.
        await until(lambda: speakers() == ["binance"] * 3, "quotes of all three from the first venue")
        venues[0].control("down")
        await until(lambda: speakers() == ["okx"] * 3, "the second venue")
        assert [switch["to"] for switch in source.switches][-2:] == ["binance", "okx"]
        assert feed.pipeline.sequence.duplicates == 0


def test_making_it_twice_changes_nothing_and_a_longer_list_adds(
    venues: tuple[Venue, Venue], settings: Any
) -> None:
    first = worlds.ensure("crypto")
    uids = set(first.instruments.values_list("uid", flat=True))
    settings.CRYPTO_SYMBOLS = SYMBOLS[:4]
    second = worlds.ensure("crypto")
    assert second.number == first.number
    assert uids < set(second.instruments.values_list("uid", flat=True))


def test_no_network_is_said_in_one_sentence(settings: Any) -> None:
    settings.BINANCE_REST = "http://127.0.0.1:9"
    with pytest.raises(errors.SourceAway, match="needs the network"):
        worlds.ensure("crypto")
    assert not World.objects.exists()


def test_a_market_of_a_shares_is_listed_by_its_quotes(settings: Any, street: Street) -> None:
    quotes = street.fresh("quotes")
    settings.SINA_URL = f"http://{quotes.address}"
    settings.CN_STOCKS = ["600000.SH", "688981.SH", "300750.SZ"]
    world = worlds.ensure("cn")
    rows = {one.symbol: one for one in world.instruments.all()}
    assert {symbol: row.board for symbol, row in rows.items()} == {
        "600000.SH": "main",
        "688981.SH": "star",
        "300750.SZ": "chinext",
    }
    assert rows["600000.SH"].name_zh == "浦发银行"
    assert rows["600000.SH"].previous_close == 995
    quotes.control("forget", symbol="sz300750")
    settings.CN_STOCKS = ["300750.SZ"]
    with pytest.raises(errors.BadSource, match=r"300750\.SZ"):
        worlds.ensure("cn")


def test_contracts_of_futures_come_in_the_rulebooks_terms(settings: Any) -> None:
    settings.CN_FUTURES = ["rb2705", "SR705", "IF2612"]
    world = worlds.ensure("cn-futures")
    rows = {one.symbol: one for one in world.instruments.all()}
    assert (rows["rb2705"].venue, rows["rb2705"].multiplier) == ("SHFE", 10)
    assert rows["SR705"].venue == "CZCE"
    assert rows["IF2612"].expires_on == date(2026, 12, 18)
    settings.CN_FUTURES = ["xx2705"]
    with pytest.raises(errors.BadSource, match="xx2705"):
        worlds.ensure("cn-futures")


def test_an_account_without_settings_is_asked_for_by_name(settings: Any) -> None:
    settings.CN_FUTURES = ["rb2705"]
    world = worlds.ensure("cn-futures")
    with pytest.raises(errors.BadSource, match="CTP_PRIMARY_FRONTS"):
        choose.source_for(world, list(world.instruments.all()))
