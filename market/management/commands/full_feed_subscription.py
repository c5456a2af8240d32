"""Subscribes everything that a world lists, and proves it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError

from market import queries, worlds
from market.errors import MarketError
from market.feed import subscribing
from market.feed.subscribing import Audit, Standing
from simgame.kernel.teaching import TeachingCommand

UNANSWERED, REFUSED, RATE = 3, 4, 5


class Command(TeachingCommand):
    help = (
        "Subscribe every instrument of a world at a live source, in batches within a rate, and write down\n"
        "what the venue said to each.\n\n"
        "  manage.py full_feed_subscription --world crypto --source binance\n"
        "  manage.py full_feed_subscription --world crypto --check     only look: what is not live, and\n"
        "                                     which batches of the last full subscription broke the rate\n\n"
        "The audit goes to <home>/audit/ as CSV (a line per instrument) and JSON (batches too).\n\n"
        "Exit codes: 0 all acknowledged, 1 the feed does not run or refused, 2 wrong usage, 3 some were not\n"
        "answered in time, 4 the venue refused some, 5 all acknowledged, but a batch broke the rate."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--world", default=settings.WORLD)
        parser.add_argument("--source", default="", help="default: every live source of the world")
        parser.add_argument("--batch", type=int, default=100, help="instruments in a batch (default 100)")
        parser.add_argument("--rate", type=float, default=4.0, help="batches a second at most (default 4)")
        parser.add_argument("--patience", type=float, default=10.0, help="seconds for the answers to a batch")
        parser.add_argument("--check", action="store_true", help="ask for nothing, only look")
        parser.add_argument("--audit", type=Path, default=settings.HOME / "audit", help="folder of the files")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *, world: str, source: str, check: bool, audit: Path, format: str, **more: Any) -> None:
        if not 1 <= more["batch"] <= 10_000 or not 0.01 <= more["rate"] <= 1_000:
            raise CommandError("--batch is 1 to 10000, --rate 0.01 to 1000.", returncode=2)
        try:
            found = worlds.resolve(world)
            standing = subscribing.standing(found.number)
            names = [source] if source else list(standing)
            if not names or not set(names) <= set(standing):
                there = ", ".join(standing) or "none: its market is not a live one"
                raise CommandError(f"Live sources of {found.slug}: {there}.", returncode=1)
            if check:
                audits = [_looked_at(audit, found.slug, name, standing[name]) for name in names]
            else:
                audits = [self._subscribe(found, name, more) for name in names]
        except MarketError as error:
            raise CommandError(error.detail, returncode=1) from error
        except msgspec.DecodeError as error:
            raise CommandError(f"An audit file in {audit} cannot be read: {error}", returncode=1) from error
        files = _write(audit, audits)
        self._tell(audits, files, format)
        sys.exit(_code(audits))

    def _subscribe(self, world: Any, name: str, more: dict[str, Any]) -> Audit:
        symbols = [instrument.symbol for instrument in queries.instruments(world.number)]
        return subscribing.subscribe(
            world.number,
            world.slug,
            symbols,
            source=name,
            size=more["batch"],
            rate=more["rate"],
            patience_s=more["patience"],
            progress=lambda done, all_of_it: self.stderr.write(f"{name}: {done} of {all_of_it}"),
        )

    def _tell(self, audits: list[Audit], files: list[Path], format: str) -> None:
        facts = {
            "world": audits[0].world,
            "sources": {name: _counts(rows) for audit in audits for name, rows in audit.standing.items()},
            "refused": {s: why for audit in audits for s, why in audit.refused.items()},
            "unanswered": sorted(s for audit in audits for s in audit.unanswered),
            "silent": sorted(s for audit in audits for s in audit.silent),
            "batches_over_the_rate": [number for audit in audits for number in audit.broke_rate],
            "audit": [str(path) for path in files],
        }
        if format == "json":
            self.stdout.write(json.dumps(facts, ensure_ascii=False))
            return
        for name, counts in facts["sources"].items():  # type: ignore[attr-defined]
            self.stdout.write(f"{name}: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
        for symbol, why in facts["refused"].items():  # type: ignore[attr-defined]
            self.stdout.write(f"  refused {symbol}: {why}")
        for symbol in facts["unanswered"]:
            self.stdout.write(f"  not answered: {symbol}")
        for symbol in facts["silent"]:
            self.stdout.write(f"  acknowledged and silent: {symbol}")
        for number in facts["batches_over_the_rate"]:
            self.stdout.write(f"  batch {number} was asked for too soon")
        self.stdout.write("Audit: " + ", ".join(map(str, files)))


def _counts(rows: dict[str, dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows.values():
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    return counts


def _looked_at(folder: Path, world: str, source: str, rows: Standing) -> Audit:
    """How it stands now, with the batches of the last full subscription."""
    path = folder / f"{_stem(world, [source])}.json"
    before = (
        msgspec.json.decode(path.read_bytes(), type=Audit) if path.exists() else Audit(world, 0.0, [], {})
    )
    return Audit(world, before.rate, before.batches, {source: rows})


def _stem(world: str, sources: Iterable[str]) -> str:
    return f"subscriptions-{world}-{'-'.join(sources).replace(':', '-')}"


def _write(folder: Path, audits: list[Audit]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for audit in audits:
        stem = _stem(audit.world, audit.standing)
        for suffix, text in ((".csv", audit.as_csv()), (".json", msgspec.json.encode(audit).decode())):
            path = folder / f"{stem}{suffix}"
            path.write_text(text, encoding="utf-8")
            files.append(path)
    return files


def _code(audits: list[Audit]) -> int:
    if any(audit.unanswered for audit in audits):
        return UNANSWERED
    if any(audit.refused for audit in audits):
        return REFUSED
    return RATE if any(audit.broke_rate for audit in audits) else 0
