"""Alerts on a price: told once, when a trade reaches it. `look` is for who is away; the page sees more."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from django.db.models import Max, Min
from django.utils.translation import gettext as _

from market import queries as market_queries
from market.models import Bar, Instrument, World
from simgame.kernel import clock, money
from simgame.kernel.errors import Invalid, NotFound
from trading.models import Alert, Portfolio

ALERTS_MAX: Final = 100  # waiting ones of a portfolio
SHOWN_MAX: Final = 200


def make(portfolio_id: int, symbol: str, price: str, way: str = "") -> Alert:
    """Waits for a trade at `price` or beyond it. Without a way: from where the market stands now.

    Raises UnknownInstrument, or Invalid for a price that is none or too many alerts.
    """
    world = Portfolio.objects.select_related("game__world").get(id=portfolio_id).game.world
    row = market_queries.instrument(world, symbol)
    if Alert.objects.filter(portfolio_id=portfolio_id, fired_at=None).count() >= ALERTS_MAX:
        raise Invalid(_("At most %(most)s alerts wait at a time.") % {"most": ALERTS_MAX}, pointer="/price")
    scaled = _price(price, row)
    last, _at = market_queries.marks(world).get(symbol, (0, 0))
    way = way or (Alert.Way.BELOW if last and scaled < last else Alert.Way.ABOVE)
    if way not in Alert.Way.values:
        raise Invalid("An alert waits above or below its price.", pointer="/way")
    since = clock.from_ns(clock.parse_rfc3339(market_queries.phase(world)["now"]))
    return Alert.objects.create(portfolio_id=portfolio_id, symbol=symbol, way=way, price=scaled, since=since)


def remove(portfolio_id: int, alert_id: int) -> None:
    if not Alert.objects.filter(portfolio_id=portfolio_id, id=alert_id).delete()[0]:
        raise NotFound("You have no such alert.")


def rows(portfolio_id: int) -> list[dict[str, Any]]:
    """The newest first, those that were told among them."""
    found = list(Alert.objects.filter(portfolio_id=portfolio_id)[:SHOWN_MAX])
    world = Portfolio.objects.values_list("game__world_id", flat=True).get(id=portfolio_id)
    exponents = dict(
        Instrument.objects.filter(world_id=world, symbol__in={alert.symbol for alert in found}).values_list(
            "symbol", "price_exponent"
        )
    )
    return [row(alert, exponents[alert.symbol]) for alert in found]


def row(alert: Alert, exponent: int) -> dict[str, Any]:
    fired = alert.fired_price
    return {
        "id": alert.pk,
        "symbol": alert.symbol,
        "way": alert.way,
        "price": money.show(alert.price, exponent),
        "fired_at": alert.fired_at and f"{alert.fired_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "fired_price": None if fired is None else money.show(fired, exponent),
    }


def look() -> int:
    """Mark the alerts that the market has reached; returns how many. Idempotent.

    A touch between two looks is found in the minute bars that began after the alert was made.
    """
    waiting: dict[int, list[Alert]] = defaultdict(list)
    for alert in Alert.objects.filter(fired_at=None).select_related("portfolio__game"):
        waiting[alert.portfolio.game.world_id].append(alert)
    return sum(_look(World.objects.get(number=number), alerts) for number, alerts in waiting.items())


def _look(world: World, alerts: list[Alert]) -> int:
    marks = market_queries.marks(world)
    listed = {row.symbol: row for row in market_queries.instruments(world.number)}
    now, fired = clock.now(), 0
    for alert in alerts:
        last, _ = marks.get(alert.symbol, (0, 0))
        seen = [price for price in (last, _furthest(alert, listed[alert.symbol])) if price]
        price = next((price for price in seen if _reached(alert, price)), 0)
        if price:
            found = Alert.objects.filter(pk=alert.pk, fired_at=None)
            fired += found.update(fired_at=now, fired_price=price)
    return fired


def _reached(alert: Alert, price: int) -> bool:
    return price >= alert.price if alert.way == Alert.Way.ABOVE else price <= alert.price


def _furthest(alert: Alert, row: Instrument) -> int:
    """The highest (or lowest) print of the whole minutes since the alert was made; 0 without any."""
    bars = market_queries.stored_bars(row, Bar.Interval.M1).filter(start__gte=alert.since)
    found = bars.aggregate(high=Max("high"), low=Min("low"))
    return (found["high"] if alert.way == Alert.Way.ABOVE else found["low"]) or 0


def _price(text: str, row: Instrument) -> int:
    try:
        price = money.parse(text.replace(",", "").strip(), row.price_exponent)
    except ValueError as error:
        raise Invalid(
            _("“%(text)s” is no price of %(symbol)s.") % {"text": text[:24], "symbol": row.symbol},
            pointer="/price",
        ) from error
    if not 0 < price <= money.INT64_MAX:
        raise Invalid(_("A price is more than nothing."), pointer="/price")
    return price
