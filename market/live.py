"""Worlds of real markets, each switched on by its settings alone: `crypto`, `cn`, `cn-futures`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
from django.conf import settings
from django.db import transaction

from market import errors, rulebook
from market.models import Instrument, World
from market.sources.binance_book import Symbol
from market.sources.polled.sina import Sina
from simgame.kernel import clock, money

CRYPTO, CN, CN_FUTURES = "crypto", "cn", "cn-futures"
HTTP_S = 15.0
Row = dict[str, Any]

BOARDS = (("688", "star"), ("689", "star"), ("30", "chinext"), ("920", "bse"), ("8", "bse"), ("4", "bse"))


def ensure_crypto(stream_epoch: str) -> World:
    """Binance's list of the symbols in SIMGAME_CRYPTO_SYMBOLS. Raises SourceAway, BadSource."""
    instruments = _listed_at_binance(settings.CRYPTO_SYMBOLS)
    facts = {"name": "Crypto, live", "currency": "USDT", "timezone": "UTC", "rulebook": "crypto"}
    options = {"hours": "always", "sources": {"": settings.CRYPTO_SOURCES}}
    return _ensure(CRYPTO, facts, options, instruments, stream_epoch)


def ensure_cn(stream_epoch: str) -> World:
    """The A-shares in SIMGAME_CN_STOCKS. Raises SourceAway, BadSource."""
    facts = {"name": "China, live", "currency": "CNY", "timezone": "Asia/Shanghai", "rulebook": "cn_a"}
    options = {"hours": "venue", "sources": {"": settings.CN_STOCK_SOURCES}}
    return _ensure(CN, facts, options, _listed_in_china(settings.CN_STOCKS), stream_epoch)


def ensure_cn_futures(stream_epoch: str) -> World:
    """The contracts in SIMGAME_CN_FUTURES, in the terms of the rulebook. Raises BadSource."""
    facts = {"name": "China futures, live", "currency": "CNY", "timezone": "Asia/Shanghai"}
    options = {"hours": "venue", "sources": {"": settings.CN_FUTURE_SOURCES}}
    contracts = [_contract(symbol) for symbol in settings.CN_FUTURES]
    if not contracts:
        raise errors.BadSource("SIMGAME_CN_FUTURES names no contract: rb2705,IF2612, for example.")
    return _ensure(CN_FUTURES, {**facts, "rulebook": "cn_futures"}, options, contracts, stream_epoch)


@transaction.atomic
def _ensure(slug: str, facts: Row, options: Row, instruments: Sequence[Row], stream_epoch: str) -> World:
    """The world; which instruments it has may grow, what they are may not change."""
    world, _ = World.objects.select_for_update().get_or_create(
        slug=slug,
        defaults={**facts, "kind": World.Kind.LIVE, "options": options, "stream_epoch": stream_epoch},
    )
    if world.options != options:
        world.options = options
        world.save(update_fields=["options"])
    there = set(world.instruments.values_list("symbol", flat=True))
    Instrument.objects.bulk_create(
        Instrument(world=world, **row) for row in instruments if row["symbol"] not in there
    )
    return world


def _listed_at_binance(symbols: Sequence[str]) -> list[Row]:
    wanted = json.dumps(list(symbols), separators=(",", ":"))
    answer = _get(f"{settings.BINANCE_REST}/api/v3/exchangeInfo", {"symbols": wanted})
    if answer.status_code == httpx.codes.BAD_REQUEST:
        raise errors.BadSource(f"Binance does not know one of {', '.join(symbols)}: SIMGAME_CRYPTO_SYMBOLS.")
    try:
        answer.raise_for_status()
        return [Symbol.of(row).instrument("USDT") for row in answer.json()["symbols"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise errors.SourceAway(f"Binance's list of symbols cannot be read: {error}") from error


def _listed_in_china(symbols: Sequence[str]) -> list[Row]:
    """Names and previous closes as Sina tells them."""
    if not symbols:
        raise errors.BadSource("SIMGAME_CN_STOCKS names no stock: 600519.SH,000858.SZ, for example.")
    request = Sina(settings.SINA_URL).request(symbols)
    answer = _get(request.url, headers=request.headers)
    told = Sina.names(symbols, answer.content)
    if unknown := [symbol for symbol in symbols if symbol not in told]:
        raise errors.BadSource(f"Sina does not know {', '.join(unknown)}: SIMGAME_CN_STOCKS.")
    return [
        {
            "symbol": symbol,
            "name": symbol,
            "name_zh": name,
            "kind": Instrument.Kind.STOCK,
            "venue": {"SH": "SSE", "SZ": "SZSE", "BJ": "BSE"}.get(symbol[-2:], ""),
            "board": _board(symbol),
            "special_treatment": "ST" in name,
            "currency": "CNY",
            "price_exponent": 2,
            "qty_exponent": 0,
            "tick": 1,
            "lot": 1 if _board(symbol) in ("star", "bse") else 100,
            "previous_close": money.parse(close, 2),
        }
        for symbol, (name, close) in told.items()
    ]


def _contract(symbol: str) -> Row:
    """`rb2705`, `SR705` (CZCE writes three digits), in the newest terms of its product."""
    code, month = symbol.rstrip("0123456789"), symbol.lstrip("".join(c for c in symbol if c.isalpha()))
    product = rulebook.load("cn_futures").product_named(code)
    if product is None or len(month) not in (3, 4) or not 1 <= int(month[-2:]) <= 12:
        raise errors.BadSource(
            f"{symbol!r} in SIMGAME_CN_FUTURES is no contract that the rulebook knows:"
            " product and month, rb2705."
        )
    exponent = len(product.tick.partition(".")[2])
    year = clock.now().year
    delivery = 2000 + int(month[:-2]) if len(month) == 4 else _nearest(year, int(month[0]))
    return {
        "symbol": symbol,
        "name": f"{product.name} {month}",
        "name_zh": f"{product.name_zh}{month}",
        "kind": Instrument.Kind.FUTURE,
        "venue": product.venue,
        "board": "main",
        "product": product.product,
        "currency": "CNY",
        "price_exponent": exponent,
        "qty_exponent": 0,
        "tick": money.parse(product.tick, exponent),
        "lot": 1,
        "multiplier": product.multiplier,
        "expires_on": rulebook.expiry(
            product.last_day, delivery, int(month[-2:]), rulebook.load("cn_futures").calendar
        ),
    }


def _nearest(year: int, digit: int) -> int:
    """The year that ends in this digit and is not over: 705 of 2026 is May 2027."""
    return next(each for each in range(year - 1, year + 10) if each % 10 == digit)


def _board(symbol: str) -> str:
    return next((board for prefix, board in BOARDS if symbol.startswith(prefix)), "main")


def _get(url: str, parameters: Row | None = None, headers: Row | None = None) -> httpx.Response:
    try:
        return httpx.get(url, params=parameters, headers=headers, timeout=HTTP_S)
    except httpx.HTTPError as error:
        raise errors.SourceAway(
            f"{url} cannot be reached ({type(error).__name__}): a world of real markets needs the network."
        ) from error
