"""What Prometheus reads of a running feed."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from market.feed.client import FeedClient
from market.feed.histogram import BOUNDS_S, Histogram
from market.models import FeedLease
from market.sources.items import RawPrint
from tests.feed.conftest import until

PAGE = "/metrics"


def scrape() -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    text = Client().get(PAGE).content.decode()
    return {
        sample.name: {
            tuple(sorted(one.labels.items())): one.value for one in family.samples if one.name == sample.name
        }
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_latency_is_counted_in_its_bucket_with_the_weight_of_its_batch():
    seen = Histogram()
    seen.observe(0.0004, 10)
    seen.observe(0.0005)
    seen.observe(99.0, 2)
    assert seen.counts == [11, *[0] * (len(BOUNDS_S) - 1), 2]
    assert round(seen.sum_s, 4) == round(0.0004 * 10 + 0.0005 + 198, 4)


@pytest.mark.django_db(transaction=True)
async def test_every_figure_of_the_design_is_on_the_page(runner, seeded):
    async with runner.running(seeded) as feed:
        reader = FeedClient(seeded.number, address=feed.server.address)
        ticks = aiter(reader)
        await anext(ticks)
        at = feed.world_ns()
        await feed.put(RawPrint("GHOST", "1.00", "1", "buy", at, at, "evil"))
        await until(lambda: feed.pipeline.gate.refused and feed.rate.per_s, "a refusal, a second")
        while not feed.server.end_to_end.sum_s:
            await anext(ticks)
        figures = await sync_to_async(scrape)()
        await reader.close()
    world = ("world", "seeded")
    assert figures["simgame_feed_up"][(world,)] == 1
    assert figures["simgame_feed_published_total"][(world,)] > 30
    assert figures["simgame_feed_ticks_per_second"][(world,)] > 0
    assert figures["simgame_feed_quarantined_total"][(("reason", "unknown_instrument"), world)] == 1
    assert figures["simgame_feed_ingress_dropped_total"][(("policy", "drop_oldest"), world)] == 0
    assert figures["simgame_feed_subscribers"][(world,)] == 2  # Redis and the reader
    assert figures["simgame_feed_wal_bytes_total"][(world,)] > 1_000
    assert figures["simgame_feed_source_live"][(("source", "seeded"), world)] == 1
    for name in ("ingest", "fanout", "end_to_end"):
        buckets = figures[f"simgame_feed_{name}_seconds_bucket"]
        counted = [value for _, value in sorted(buckets.items(), key=lambda one: float(one[0][0][1]))]
        assert counted == sorted(counted)
        assert counted[-1] == figures[f"simgame_feed_{name}_seconds_count"][(world,)] > 0
    there = set(figures)
    assert {
        *("simgame_feed_ingress_length", "simgame_feed_ingress_fill_ratio"),
        *("simgame_feed_ingress_backpressure_total", "simgame_feed_gaps_total"),
        *("simgame_feed_duplicates_total", "simgame_feed_late_total", "simgame_feed_failovers_total"),
        *("simgame_feed_last_message_age_seconds", "simgame_feed_errors_total"),
    } <= there


@pytest.mark.django_db(transaction=True)
def test_a_feed_that_does_not_answer_is_a_number(seeded):
    FeedLease.objects.create(world=seeded, epoch=1, address="unix:/nowhere/feed.sock")
    assert scrape()["simgame_feed_up"][(("world", "seeded"),)] == 0
