"""Rights to new shares: what a portfolio has, and using them. The rest is sold or lapses on its last day."""

from __future__ import annotations

import uuid
from typing import Any

from market.models import CorporateAction
from simgame.kernel import clock, money
from simgame.kernel.errors import Invalid
from trading import errors, queries
from trading.engine.actions import right_asset
from trading.engine.commands import ExerciseRights
from trading.exchange.client import ask_sync
from trading.messages import JSON, Scale, scale_of
from trading.models import AppliedAction, Balance, Portfolio

DEADLINE_NS = 2 * clock.NS_PER_S
PREFIX = right_asset("")


def of(portfolio_id: int) -> list[JSON]:
    """The rights of a portfolio that may still be used."""
    owned = Balance.objects.filter(account=portfolio_id, asset__startswith=PREFIX, posted__gt=0)
    counts = {each.asset.removeprefix(PREFIX): each.posted for each in owned}
    if not counts:
        return []
    world = Portfolio.objects.values_list("game__world_id", flat=True).get(id=portfolio_id)
    open_ones = AppliedAction.objects.filter(world_id=world, status="open", key__in=counts)
    rows = CorporateAction.objects.filter(world_id=world, key__in=open_ones.values("key"))
    return [_row(each, counts[each.key]) for each in rows.select_related("instrument").order_by("last_on")]


def _row(action: CorporateAction, count: int) -> JSON:
    scale = scale_of(action.instrument)
    return {
        "key": action.key,
        "symbol": action.instrument.symbol,
        "rights": scale.qty(count),
        "price": f"{(action.price or 0):.{scale.price_exponent}f}",
        "last_on": str(action.last_on or ""),
        "unused": action.unused,
    }


def exercise(portfolio: Portfolio, key: str, qty: str, client_id: str = "") -> JSON:
    """Subscribe for `qty` new shares. Raises UnknownAction, Invalid, and what the exchange refuses."""
    world = portfolio.game.world
    action = CorporateAction.objects.select_related("instrument").filter(
        world=world, key=key[:40].replace("\0", "?"), kind=CorporateAction.Kind.RIGHTS
    )
    found = action.first()
    if found is None:
        raise errors.UnknownAction(f"There is no rights issue {key[:40]!r} here.")
    scale = scale_of(found.instrument)
    command = ExerciseRights(
        portfolio.id,
        found.key,
        _shares(qty, scale),
        client_id or str(uuid.uuid4()),
        clock.now_ns() + DEADLINE_NS,
    )
    reply = ask_sync(world.number, command)
    if reply.outcome != "executed":
        facts: Any = reply.result.get("facts")
        raise errors.make(reply.code, reply.detail, queries.receipt_json(facts, scale))
    return {"key": found.key, "qty": scale.qty(command.qty), "rights": of(portfolio.id)}


def _shares(text: str, scale: Scale) -> int:
    try:
        shares = money.parse(text, scale.qty_exponent)
    except ValueError as error:
        raise Invalid(
            f"The quantity {text[:40]!r} is no number of shares: {error}.", pointer="/qty"
        ) from error
    if shares <= 0:
        raise Invalid("The quantity must be positive.", pointer="/qty")
    return shares
