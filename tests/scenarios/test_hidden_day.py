"""Ann plays a day drawn by lot: nothing that she can read anywhere tells which day it is, or of what."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from websockets.sync.client import connect

from tests.feed.hidden_day import NAMES, betrayed, record
from tests.scenarios.people import Person
from tests.scenarios.town import MANAGE, Town, wait_for

LISTENED_S = 3.0  # messages of every topic come several times a second
LINKS = re.compile(r'(?:href|hx-get|data-url)="(/[^"#]*)')
NOT_READ = ("/static/", "/logout", "/admin", "/api/schema", "/help")
PAGES_MAX = 40


class Hidden(NamedTuple):
    slug: str
    secret: dict[str, Any]


@pytest.fixture
def hidden(town: Town, tmp_path: Path) -> Iterator[Hidden]:
    path = record(tmp_path)
    told = town.run([*MANAGE, "seed", "--world", f"replay:random:{path}", "--format", "json"])
    slug = json.loads(told.stdout)["world"]
    with psycopg.connect(town.database_url) as connection:
        row = connection.execute("SELECT options FROM market_world WHERE slug = %s", (slug,)).fetchone()
    assert row is not None
    with town.open_world(slug):
        wait_for(lambda: len(town.quotes(slug)) == 2, "both quotes")
        yield Hidden(slug, row[0]["hidden"])


def heard(ann: Person, slug: str) -> str:
    """Every byte that a socket with all topics of the world and her own gets for a while."""
    names = [f"{kind}:{slug}:{symbol}" for kind in ("quote", "depth", "trades") for symbol in ("S01", "S02")]
    names += [f"bars:{slug}:S01:{interval}" for interval in ("1s", "1m", "1d")]
    names += [f"board:{slug}", f"phase:{slug}", f"portfolio:{ann.portfolio}"]
    said: list[str] = []
    with connect(f"ws://127.0.0.1:{ann.town.port}/ws/v1", max_size=None, proxy=None) as socket:
        socket.send(json.dumps({"id": 1, "op": "auth", "token": ann.token}))
        topics = [{"topic": name} for name in names]
        socket.send(json.dumps({"id": 2, "op": "subscribe", "topics": topics, "interval_ms": 0}))
        end = time.monotonic() + LISTENED_S
        while time.monotonic() < end or "results" not in "".join(said):
            said.append(str(socket.recv(timeout=60)))
    text = "\n".join(said)
    assert "UNKNOWN_TOPIC" not in text
    assert all(f"{kind}:{slug}" in text for kind in ("quote", "depth", "trades", "bars", "board", "phase"))
    return text


def read(ann: Person, slug: str, order: Any) -> str:
    """Everything that she may ask for over HTTP, and every page that leads on from the first ones."""
    doors = [f"/api/v1/{door}?world={slug}" for door in ("quotes", "sparks", "instruments", "season")]
    doors += [f"/api/v1/{door}/S01?world={slug}" for door in ("depth", "trades", "bars", "chart")]
    doors += ["/api/v1/worlds", f"/api/v1/worlds/{slug}", "/api/v1/games", "/api/v1/desk", "/metrics"]
    doors += [f"/udf/{door}" for door in (f"symbols?symbol={slug}:S01", f"symbol_info?group={slug}")]
    doors += ["/v2/clock", "/v2/assets", "/v2/assets/S01", "/v2/account", "/v2/positions", "/v2/orders"]
    doors += ["/v2/stocks/bars?symbols=S01&timeframe=1Day", "/v2/stocks/quotes/latest?symbols=S01"]
    doors += [f"/v2/orders/{order['id']}", f"/api/v1/orders/{order['id']}/receipt"]
    doors += [f"/api/v1/fills/{fill['id']}/receipt" for fill in ann.desk()["fills"]]
    said, todo, seen = [], [*doors, "/", "/desk/", "/desk/S01/", "/portfolio/", "/standings/"], set[str]()
    while todo and len(seen) < len(doors) + PAGES_MAX:
        path = todo.pop(0).replace("&amp;", "&")
        if path in seen or path.startswith(NOT_READ):
            continue
        seen.add(path)
        answer = ann.get(path)
        text = answer.body.decode(errors="replace")
        said.append(f"{path} {answer.status} {sorted(answer.headers.items())}\n{text}")
        todo += LINKS.findall(text) if "html" in answer.headers.get("content-type", "") else []
    return "\n".join(said)


def test_nothing_that_ann_can_read_tells_the_day_until_it_is_over(town: Town, hidden: Hidden) -> None:
    ann = Person(town, "Ann", hidden.slug)
    order = ann.waits_until(ann.placed("buy", 1, "S01"), "filled")
    refused = ann.refused("buy", 10**9, "S02")
    texts = {"socket": heard(ann, hidden.slug), "doors": read(ann, hidden.slug, order)}
    texts["refusal"] = json.dumps(refused)
    assert {where: betrayed(text, hidden.secret) for where, text in texts.items()} == {
        "socket": [],
        "doors": [],
        "refusal": [],
    }
    assert f'"{order["id"]}"' in texts["doors"]
    town.steer(hidden.slug, seek="15:59:50", speed=20)
    over = f"/api/v1/worlds/{hidden.slug}"
    wait_for(lambda: ann.read(over)["hidden"]["revealed"], "the end of the day")
    assert {hidden.secret["day"], *NAMES} <= set(betrayed(json.dumps(ann.read(over)), hidden.secret))
