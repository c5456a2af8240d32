"""Worlds: found by name, made once, told apart from what does not exist."""

from __future__ import annotations

from datetime import date

import pytest

from market import worlds
from market.errors import MarketError, RecordingMissing, RulesDoNotFit, UnknownWorld
from market.models import World
from market.sources.replay import RecordingFacts

pytestmark = pytest.mark.django_db

DAY = RecordingFacts(
    format="test",
    slug="replay-tuesday",
    name="A Tuesday",
    recording="/recordings/tuesday",
    currency="USDT",
    timezone="UTC",
    rulebook="plain",
    start_ns=1,
    end_ns=2,
    instruments=[
        {
            "symbol": "BTCUSDT",
            "name": "Bitcoin",
            "kind": "crypto",
            "board": "open",
            "currency": "USDT",
            "price_exponent": 2,
            "qty_exponent": 6,
            "tick": 1,
            "lot": 1,
        }
    ],
    options={"hours": "always"},
)


def test_the_seeded_world_is_made_with_its_thirty_instruments():
    world = worlds.ensure("seeded")
    assert (world.slug, world.kind, world.currency) == ("seeded", World.Kind.SEEDED, "CNY")
    assert world.instruments.count() >= 24
    bank = world.instruments.get(symbol="ALB")
    assert (bank.name, bank.name_zh, bank.lot, bank.tick) == ("Alder Bank", "桤木银行", 100, 1)
    assert 500 <= bank.previous_close <= 50_000


def test_a_second_seed_changes_nothing_that_somebody_may_hold(settings):
    first = worlds.ensure("seeded")
    uids = dict(first.instruments.values_list("symbol", "uid"))
    settings.SEED = 4711
    second = worlds.ensure("seeded")
    assert (second.number, second.stream_epoch) == (first.number, first.stream_epoch)
    assert second.options["seed"] == first.options["seed"] != 4711
    assert second.options["start_ns"] == first.options["start_ns"]
    assert dict(second.instruments.values_list("symbol", "uid")) == uids


def test_hours_and_rules_follow_the_settings(settings):
    worlds.ensure("seeded")
    settings.SEEDED_RULES, settings.SEEDED_HOURS = "cn_a", "venue"
    again = worlds.ensure("seeded")
    assert (again.rulebook, again.timezone, again.options["hours"]) == ("cn_a", "Asia/Shanghai", "venue")


def test_a_recording_becomes_a_world_once_and_may_move():
    first = worlds.ensure_replay_world(DAY)
    assert (first.kind, first.currency, first.instruments.get().symbol) == ("replay", "USDT", "BTCUSDT")
    moved = worlds.ensure_replay_world(RecordingFacts(**{**fields(DAY), "recording": "/elsewhere"}))
    assert (moved.number, moved.recording) == (first.number, "/elsewhere")
    assert World.objects.get().instruments.count() == 1


def fields(facts: RecordingFacts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in facts.__struct_fields__}


def test_a_world_is_found_by_slug_and_by_number():
    world = worlds.ensure("seeded")
    assert worlds.resolve("seeded") == world
    assert worlds.named(str(world.number)) == world
    assert worlds.ensure("seeded").slug == "seeded"


@pytest.mark.parametrize("name", ["atlantis", "", "0", "99999999999", "se\0eded", "' OR 1=1"])
def test_it_says_which_worlds_there_are_when_there_is_no_such_one(name: str):
    worlds.ensure("seeded")
    with pytest.raises(UnknownWorld, match="there are: seeded"):
        worlds.named(name)


def test_it_says_what_to_do_when_there_is_no_world_at_all():
    with pytest.raises(UnknownWorld, match=r"manage\.py seed"):
        worlds.resolve("seeded")


@pytest.mark.parametrize("text", ["replay:/no/such/recording", "replay:"])
def test_an_operator_is_told_that_a_recording_is_missing(text: str):
    with pytest.raises(MarketError):
        worlds.ensure(text)
    with pytest.raises(RecordingMissing):
        worlds.resolve("replay:/no/such/recording")


def test_an_operator_gives_a_world_another_rulebook_when_it_fits():
    world = worlds.ensure("seeded", "cn_a")
    assert World.objects.get(slug=world.slug).rulebook == "cn_a"
    assert worlds.ensure("seeded", "plain").rulebook == "plain"


@pytest.mark.parametrize(("rules", "why"), [("nyse", "Known: cn_a, cn_futures"), ("cn_b", "no rulebook")])
def test_a_rulebook_that_is_none_changes_nothing(rules: str, why: str):
    with pytest.raises(RulesDoNotFit, match=why):
        worlds.ensure("seeded", rules)
    assert World.objects.get().rulebook == "plain"


def test_a_rulebook_without_a_word_on_the_worlds_boards_is_refused():
    world = worlds.ensure_seeded_world()
    world.instruments.update(board="moon")
    with pytest.raises(RulesDoNotFit, match="board 'moon'"):
        worlds.give_rules(world, "cn_a")


def test_a_replay_may_be_played_by_the_rules_of_another_day():
    world = worlds.ensure_replay_world(DAY)
    assert worlds.rules_day(world, 20211012) == date(2021, 10, 12)
    world.options["rules_day"] = 20150708
    assert worlds.rules_day(world, 20211012) == date(2015, 7, 8)
