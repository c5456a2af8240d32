"""A bot author's code goes on working: what would break it is named before it is released."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from ops import contract, lint

Schema = dict[str, Any]
ORDER = "/v2/orders"
FORM = "OrderForm"


@pytest.fixture(scope="module")
def served() -> dict[str, Schema]:
    return contract.documents()


def test_nothing_that_is_served_breaks_the_last_release(served: dict[str, Schema]) -> None:
    assert lint.findings() == []
    assert {name: contract.breaks(contract.released(name), new) for name, new in served.items()} == {
        "openapi": [],
        "asyncapi": [],
    }


def _form(said: Schema) -> Schema:
    found: Schema = said["components"]["schemas"][FORM]
    return found


def _order(said: Schema) -> Schema:
    found: Schema = said["components"]["schemas"]["PlacedOrder"]
    return found


BREAKING: list[tuple[Callable[[Schema], Any], str]] = [
    (lambda said: said["paths"].pop("/v2/clock"), "/v2/clock: the path is gone"),
    (lambda said: said["paths"][ORDER].pop("delete"), "DELETE /v2/orders: the method is gone"),
    (lambda said: said["paths"][ORDER]["post"]["responses"].pop("429"), "the answer 429 is gone"),
    (lambda said: _order(said)["properties"].pop("hwm"), "hwm: is gone"),
    (lambda said: _order(said)["properties"].update(qty={"type": "number"}), "qty: may be number now"),
    (lambda said: _order(said)["required"].remove("status"), "status: may be missing now"),
    (lambda said: _form(said)["required"].append("qty"), "qty: is required now"),
    (lambda said: _form(said)["properties"].pop("notional"), "notional: is gone"),
    (
        lambda said: _form(said)["properties"]["client_order_id"].update(maxLength=20),
        "client_order_id: maxLength is 20 now",
    ),
    (
        lambda said: said["paths"]["/api/v1/instruments"]["get"].update(security=[{"token": []}]),
        "asks for a sign-in now",
    ),
    (
        lambda said: said["paths"]["/v2/clock"]["get"].update(
            parameters=[{"in": "query", "name": "zone", "required": True}]
        ),
        "a new required query parameter zone",
    ),
]


@pytest.mark.parametrize(("change", "said"), BREAKING, ids=[said for _, said in BREAKING])
def test_what_breaks_a_client_is_named(
    served: dict[str, Schema], change: Callable[[Schema], Any], said: str
) -> None:
    new = copy.deepcopy(served["openapi"])
    change(new)
    found = contract.breaks(served["openapi"], new)
    assert any(said in line for line in found), found


def test_a_frame_that_loses_a_field_is_named(served: dict[str, Schema]) -> None:
    new = copy.deepcopy(served["asyncapi"])
    new["components"]["schemas"]["Quote"]["properties"].pop("bid")
    new["components"]["schemas"]["Subscribe"]["required"].append("interval_ms")
    found = contract.breaks(served["asyncapi"], new)
    assert any("bid: is gone" in line for line in found), found
    assert any("interval_ms: is required now" in line for line in found), found


def test_more_is_no_break(served: dict[str, Schema]) -> None:
    new = copy.deepcopy(served["openapi"])
    new["paths"]["/api/v1/weather"] = new["paths"]["/v2/clock"]
    _order(new)["properties"]["colour"] = {"type": "string"}
    _form(new)["properties"]["note"] = {"type": "string"}
    assert contract.breaks(served["openapi"], new) == []


def test_verify_fails_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contract, "broken", lambda: ["/v2/clock: the path is gone"])
    with pytest.raises(SystemExit) as ended:
        call_command("api_schema", "--check")
    assert ended.value.code == 3
    assert "/v2/clock: the path is gone" in (said := capsys.readouterr().err)
    assert "--release --breaking" in said
