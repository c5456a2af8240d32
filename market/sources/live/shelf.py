"""The live sources there are, by the name that a setting gives them: `binance`, `ctp:primary` …

One more: a module beside its neighbour, a function here, a line in MAKERS, a row in docs/sources.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

from market import errors
from market.models import Instrument
from market.sources.base import Source
from market.sources.binance_book import Symbol
from market.sources.ctp.source import MODULES, Account, CtpSource
from market.sources.failover import Failover
from market.sources.live.binance import BinanceSource
from market.sources.live.ccxt import CcxtSource
from market.sources.live.ccxt import library as ccxt_library
from market.sources.live.nats import NatsSource
from market.sources.live.okx import OkxSource
from market.sources.polled import workers
from market.sources.polled.dialect import Dialect
from market.sources.polled.sina import Sina
from market.sources.polled.source import Polled
from market.sources.polled.tencent import Tencent
from market.sources.polled.tushare import Tushare
from simgame import env

Listed = Sequence[Instrument]


def source_of(name: str, instruments: Listed, folder: Path) -> Source:
    """Raises BadSource when there is no such source, or when its account has no settings."""
    kind, _, account = name.partition(":")
    if kind not in MAKERS:
        raise errors.BadSource(f"There is no source {name!r}: {', '.join(MAKERS)}.")
    return MAKERS[kind](account, instruments, folder)


def best_of(names: Sequence[str], instruments: Listed, folder: Path) -> Source:
    """The sources of these names in order of preference. Raises BadSource."""
    if not names:
        raise errors.BadSource("A live world needs at least one source: none is set.")
    sources = [source_of(name, instruments, folder) for name in names]
    return sources[0] if len(sources) == 1 else Failover(sources)


def binance(account: str, instruments: Listed, folder: Path) -> Source:
    symbols = [Symbol.listed(one) for one in instruments]
    return BinanceSource(symbols, settings.BINANCE_WS, settings.BINANCE_REST)


def okx(account: str, instruments: Listed, folder: Path) -> Source:
    return OkxSource([Symbol.listed(one) for one in instruments], settings.OKX_WS, settings.OKX_REST)


def ccxt(account: str, instruments: Listed, folder: Path) -> Source:
    """`ccxt:kraken`: any venue that ccxt knows, by its name there."""
    return CcxtSource([Symbol.listed(one) for one in instruments], account, ccxt_library())


def nats(account: str, instruments: Listed, folder: Path) -> Source:
    """`nats:VENUE`; user and password from NATS_USER, NATS_PASSWORD."""
    credentials = nats_credentials()
    return NatsSource(
        [one.symbol for one in instruments], settings.NATS_URL, account or "sim", credentials=credentials
    )


def nats_credentials() -> dict[str, str]:
    user, password = env.text("NATS_USER"), env.text("NATS_PASSWORD")
    return {"user": user, "password": password} if user else {}


def ctp(account: str, instruments: Listed, folder: Path) -> Source:
    return _front("ctp", account, instruments, folder)


def sopt(account: str, instruments: Listed, folder: Path) -> Source:
    return _front("sopt", account, instruments, folder)


def _front(kind: str, name: str, instruments: Listed, folder: Path) -> Source:
    """CTP_PRIMARY_FRONTS, _BROKER, _USER, _PASSWORD for `ctp:primary`, and so on."""
    name = name or "primary"
    prefix = f"{kind}_{name}".upper()
    fronts = tuple(env.words(f"{prefix}_FRONTS"))
    if not fronts:
        raise errors.BadSource(f"{prefix}_FRONTS is not set: where should {kind}:{name} connect to?")
    account = Account(
        f"{kind}:{name}",
        fronts,
        env.text(f"{prefix}_BROKER"),
        env.text(f"{prefix}_USER"),
        env.text(f"{prefix}_PASSWORD"),
    )
    return CtpSource([one.symbol for one in instruments], account, folder / kind, module=MODULES[kind])


def sina(account: str, instruments: Listed, folder: Path) -> Source:
    return _polled(Sina(settings.SINA_URL), instruments)


def tencent(account: str, instruments: Listed, folder: Path) -> Source:
    return _polled(Tencent(settings.TENCENT_URL), instruments)


def tushare_rt(account: str, instruments: Listed, folder: Path) -> Source:
    """`tushare_rt:backup` uses TUSHARE_BACKUP_TOKEN and TUSHARE_BACKUP_RATE (requests a minute)."""
    prefix = f"TUSHARE_{account or 'primary'}".upper()
    if not env.text(f"{prefix}_TOKEN"):
        raise errors.BadSource(f"{prefix}_TOKEN is not set: Tushare answers nobody without a token.")
    dialect = Tushare(settings.TUSHARE_URL, prefix)
    return _polled(dialect, instruments, env.number(f"{prefix}_RATE", 50, least=1))


def _polled(dialect: Dialect, instruments: Listed, per_minute: int = 60) -> Source:
    return Polled(
        [one.symbol for one in instruments],
        dialect,
        redis_url=settings.REDIS_URL,
        send=workers.send,
        interval_s=settings.POLL_SECONDS,
        per_minute=per_minute,
    )


MAKERS: dict[str, Callable[[str, Listed, Path], Source]] = {
    "binance": binance,
    "okx": okx,
    "ccxt": ccxt,
    "nats": nats,
    "ctp": ctp,
    "sopt": sopt,
    "tushare_rt": tushare_rt,
    "sina": sina,
    "tencent": tencent,
}
