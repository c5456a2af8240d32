"""`/api/v1` of the market over HTTP: open to everybody, clear about what it refuses."""

from __future__ import annotations

import pytest

from tests.market.conftest import phase, quote, reference, trade

MONDAY = 1_793_577_600  # 2026-11-02 00:00 UTC


def ask(browser, path: str, status: int = 200, **headers):
    answer = browser.get(path, headers=headers)
    assert answer.status_code == status, answer.content
    return answer


def refused(browser, path: str, status: int, code: str) -> dict:
    answer = ask(browser, path, status)
    problem = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert problem["code"] == code
    assert len(problem["detail"]) > 10
    return problem


def test_a_visitor_polls_quotes_and_gets_only_what_is_new(browser, world, said, sign_lease):
    said(phase(1), reference("ALB", 1_300, 2), quote("ALB", 1_310, 1_311, 3), quote("PWS", 40_000, 40_005, 4))
    sign_lease(world)
    first = ask(browser, "/api/v1/quotes?world=seeded&symbols=ALB,PWS")
    body = first.json()
    assert body["version"] == f"{world.stream_epoch}.1:4"
    assert (body["quotes"]["ALB"]["bid"], body["quotes"]["PWS"]["ask"]) == ("13.10", "400.05")
    version, tag = body["version"], first["ETag"]
    assert ask(browser, f"/api/v1/quotes?symbols=ALB,PWS&since={version}", 304).content == b""
    assert ask(browser, "/api/v1/quotes?symbols=ALB,PWS", 304, If_None_Match=tag).content == b""
    said(trade("ALB", 1_311, 500, 5))
    newer = ask(browser, f"/api/v1/quotes?symbols=ALB,PWS&since={version}", If_None_Match=tag).json()
    assert list(newer["quotes"]) == ["ALB"]
    assert newer["quotes"]["ALB"]["last"] == "13.11"


def test_a_version_of_another_epoch_gets_everything(browser, world, said):
    said(quote("ALB", 1_310, 1_311, 3))
    body = ask(browser, "/api/v1/quotes?symbols=ALB&since=older.9:99").json()
    assert list(body["quotes"]) == ["ALB"]
    for nonsense in ("x", ":", "-1", f"{world.stream_epoch}.1:abc", f"{world.stream_epoch}.1:-3"):
        assert "ALB" in ask(browser, f"/api/v1/quotes?symbols=ALB&since={nonsense}").json()["quotes"]


def test_depth_trades_bars_and_sparks_of_an_instrument(browser, world, said, store_bar):
    store_bar("ALB", "5m", MONDAY, 1_300, 1_310, 1_290, 1_305)
    said(phase(1), quote("ALB", 1_310, 1_311, 2), trade("ALB", 1_311, 500, 3))
    assert ask(browser, "/api/v1/depth/ALB").json()["bids"][0] == ["13.10", "1000"]
    assert ask(browser, "/api/v1/trades/ALB").json()["trades"][0]["price"] == "13.11"
    bars = ask(browser, "/api/v1/bars/ALB?interval=5m").json()
    assert (bars["symbol"], bars["interval"], bars["bars"][0]["c"]) == ("ALB", "5m", "13.05")
    for before in (str(MONDAY), "2026-11-02T00:00:00Z", "2026-11-02T08:00:00+08:00", "2026-11-02"):
        assert ask(browser, f"/api/v1/bars/ALB?interval=5m&before={before}").json()["bars"] == []
    assert ask(browser, "/api/v1/sparks").json()["ALB"] == ["13.05"]


def test_instruments_are_paged_without_loss_and_found_in_both_languages(browser, world):
    seen, token = [], ""
    while token is not None:
        page = ask(browser, f"/api/v1/instruments?limit=7&page_token={token}").json()
        seen += [row["symbol"] for row in page["instruments"]]
        token = page["next_page_token"]
    assert seen == sorted(world.instruments.values_list("symbol", flat=True))

    def found(text: str) -> list[str]:
        return [row["symbol"] for row in ask(browser, f"/api/v1/instruments?q={text}").json()["instruments"]]

    assert found("alb") == ["ALB"]
    assert found("spirits") == ["PWS"]
    assert found("梅水") == ["PWS"]
    assert found("nothing of the kind") == []
    assert found("%25") == []


def test_worlds_say_what_time_it_is_and_by_which_rules(browser, world):
    assert [row["slug"] for row in ask(browser, "/api/v1/worlds").json()["worlds"]] == ["seeded"]
    body = ask(browser, "/api/v1/worlds/seeded").json()
    assert (body["instruments"], body["phase"]["world"], body["currency"]) == (30, "seeded", "CNY")
    assert "band" in {rule["name"] for rule in body["rules"]}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("quotes?world=atlantis", 404, "UNKNOWN_WORLD"),
        ("quotes?world=replay:/etc/passwd", 404, "UNKNOWN_WORLD"),
        ("quotes?symbols=ALB,XXX", 404, "UNKNOWN_INSTRUMENT"),
        ("quotes?symbol=ALB", 422, "INVALID"),
        ("quotes?symbols=" + ",".join(f"S{n}" for n in range(1_001)), 422, "INVALID"),
        ("quotes?world=%00", 422, "INVALID"),
        ("depth/XXX", 404, "UNKNOWN_INSTRUMENT"),
        ("depth/%00", 404, "NOT_FOUND"),
        ("trades/XXX", 404, "UNKNOWN_INSTRUMENT"),
        ("bars/ALB?interval=7m", 422, "BAD_INTERVAL"),
        ("bars/ALB?limit=0", 422, "INVALID"),
        ("bars/ALB?limit=10001", 422, "INVALID"),
        ("bars/ALB?limit=NaN", 422, "INVALID"),
        ("bars/ALB?before=yesterday", 422, "INVALID"),
        ("bars/ALB?before=99999999999999999999", 422, "INVALID"),
        ("bars/ALB?before=0001-01-01", 422, "INVALID"),
        ("bars/ALB?before=" + "9" * 5_000, 422, "INVALID"),
        ("instruments?page_token=zzz", 422, "INVALID"),
        ("instruments?page_token=WyJhXHUwMDAwIl0", 422, "INVALID"),
        ("instruments?page_token=%E2%82%AC", 422, "INVALID"),
        ("instruments?limit=-1", 422, "INVALID"),
        ("instruments?q=%00", 422, "INVALID"),
        ("instruments?q=" + "a" * 81, 422, "INVALID"),
        ("worlds/atlantis", 404, "UNKNOWN_WORLD"),
        ("worlds/%00", 404, "NOT_FOUND"),
        ("seed-state?world=seeded", 503, "FEED_UNAVAILABLE"),
    ],
)
def test_it_refuses_bad_questions_in_one_clear_sentence(browser, world, path: str, status: int, code: str):
    refused(browser, f"/api/v1/{path}", status, code)


def test_it_refuses_to_tell_the_seed_of_a_recording(browser, world):
    world.kind = "replay"
    world.save()
    refused(browser, "/api/v1/seed-state", 404, "NOT_SEEDED")


def test_writing_is_no_way_to_read(browser, world):
    assert browser.post("/api/v1/quotes").status_code in (403, 405)
