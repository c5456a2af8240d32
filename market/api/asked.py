"""What may be asked, parameter by parameter. What is not named here is refused, not ignored."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from accounts.doors import Strict
from market import pages, queries, tape, udf
from simgame.kernel import clock

SYMBOLS_MAX: Final = 1_000  # in one question
TEXT_MAX: Final = 80  # of a search, a slug, a version
TOKEN_MAX: Final = 400
INSTRUMENTS_MAX: Final = 500  # a page
BARS_MAX: Final = 10_000  # Alpaca's own limit
BARS_PAGE: Final = 1_000  # and their page
SECONDS_MAX: Final = 253_402_300_799  # 9999-12-31: what a date can be
TIMEFRAMES: Final = {
    **{"1Min": "1m", "5Min": "5m", "15Min": "15m", "1Hour": "1h", "1Day": "1d"},
    **{"1T": "1m", "5T": "5m", "15T": "15m", "1H": "1h", "1D": "1d"},
}


class Symbols(serializers.CharField):
    """Separated by commas → list of symbols; an empty text → no list at all."""

    def to_internal_value(self, data: Any) -> Any:
        found = [symbol.strip() for symbol in super().to_internal_value(data).split(",") if symbol.strip()]
        if len(found) > SYMBOLS_MAX:
            raise serializers.ValidationError(f"At most {SYMBOLS_MAX} symbols at once.")
        if self.required and not found:
            raise serializers.ValidationError("Name the instruments: symbols=ABC,XYZ.")
        return found or None


class Instant(serializers.CharField):
    """An RFC 3339 instant, a date, or Unix seconds → nanoseconds."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data).replace(" ", "+")  # an unescaped + of a zone is a blank
        try:
            ns = (
                int(text) * clock.NS_PER_S if text.isascii() and text.isdigit() else clock.parse_rfc3339(text)
            )
        except (ValueError, OverflowError):
            ns = -1
        if not 0 <= ns <= SECONDS_MAX * clock.NS_PER_S:
            raise serializers.ValidationError("A time such as 2026-11-02T09:30:00Z, or Unix seconds.")
        return ns


def text(most: int = TEXT_MAX, default: str = "", **more: Any) -> serializers.CharField:
    return serializers.CharField(max_length=most, required=False, allow_blank=True, default=default, **more)


def limit(default: int, most: int) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=most, required=False, default=default)


class Nothing(Strict):
    pass


class OfWorld(Strict):
    world = text(help_text="Slug or number; default: the world that is played.")


class OfQuotes(OfWorld):
    symbols = Symbols(required=False, allow_blank=True, default=None, help_text="Separated by commas.")
    since = text(help_text="The `version` of an earlier answer: only newer rows, or 304.")


class OfBars(OfWorld):
    interval = text(default="1m", help_text="1s 1m 5m 15m 1h 1d")
    before = Instant(required=False, default=None, help_text="Only bars that begin before this world time.")
    limit = limit(queries.BARS_SHOWN, BARS_MAX)


class OfChart(OfWorld):
    interval = text(default="1m", help_text="1m 5m 15m 1h 1d")
    countback = serializers.IntegerField(min_value=1, max_value=BARS_MAX, required=False, default=None)
    to = Instant(required=False, default=None, help_text="World time, exclusive; default: now.")

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's own."""
        begin = Instant(
            required=False, default=None, help_text="World time, inclusive; countback outranks it."
        )
        return super().get_fields() | {"from": begin}


class OfInstruments(OfWorld):
    q = text(help_text="The beginning of a symbol, or a part of a name or sector.")
    limit = limit(100, INSTRUMENTS_MAX)
    page_token = text(TOKEN_MAX)


class Alpaca(Strict):
    """What their clients send and what says nothing here: there is one feed, and nothing to adjust."""

    feed = text()
    currency = text()
    adjustment = text()
    asof = text()


class OfLatest(Alpaca):
    symbols = Symbols(help_text="Separated by commas.")


class OfOneBars(Alpaca):
    timeframe = serializers.ChoiceField(list(TIMEFRAMES), required=False, default="1Day")
    start = Instant(required=False, default=None)
    end = Instant(required=False, default=None)
    limit = limit(BARS_PAGE, BARS_MAX)
    sort = serializers.ChoiceField([pages.OLDEST, pages.NEWEST], required=False, default=pages.OLDEST)
    page_token = text(TOKEN_MAX)


class OfManyBars(OfOneBars):
    symbols = Symbols(help_text="Separated by commas.")


class OfOneTicks(Alpaca):
    start = Instant(required=False, default=None)
    end = Instant(required=False, default=None)
    limit = limit(BARS_PAGE, BARS_MAX)
    sort = serializers.ChoiceField([pages.OLDEST, pages.NEWEST], required=False, default=pages.OLDEST)
    page_token = text(TOKEN_MAX)


class OfManyTicks(OfOneTicks):
    symbols = Symbols(help_text="Separated by commas.")


class OfOneLatest(Alpaca):
    pass


class OfCalendar(Strict):
    start = serializers.DateField(required=False, default=None)
    end = serializers.DateField(required=False, default=None)
    date_type = text(help_text="TRADING or SETTLEMENT: the same day here.")


class OfAssets(Strict):
    status = serializers.ChoiceField(["active", "inactive", "all"], required=False, default="all")
    asset_class = text()
    exchange = text()
    attributes = text()


class Seconds(serializers.IntegerField):
    """Unix seconds, also before 1970 (their library asks for such) → nanoseconds of a time that exists."""

    def to_internal_value(self, data: Any) -> Any:
        return min(max(super().to_internal_value(data), 0), SECONDS_MAX) * clock.NS_PER_S


class OfUdfSymbol(serializers.Serializer):
    symbol = serializers.CharField(max_length=TEXT_MAX, help_text="ALB, or crypto:BTCUSDT.")


class OfUdfGroup(serializers.Serializer):
    group = text(help_text="Slug of a world.")


class OfUdfSearch(serializers.Serializer):
    query = text()
    type = text()
    exchange = text(help_text="Slug of a world.")
    limit = limit(30, INSTRUMENTS_MAX)


class OfUdfMarks(OfUdfSymbol):
    resolution = serializers.ChoiceField(list(udf.INTERVALS))
    to = Seconds(help_text="Exclusive.")

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's own."""
        return super().get_fields() | {"from": Seconds(required=False, default=None, help_text="Inclusive.")}


class OfUdfHistory(OfUdfMarks):
    countback = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False, default=None)


class OfUdfQuotes(serializers.Serializer):
    symbols = Symbols(help_text="Separated by commas.")


def bars_wanted(asked: dict[str, Any]) -> pages.BarsWanted:
    return pages.BarsWanted(
        interval=TIMEFRAMES[asked["timeframe"]],
        start_ns=asked["start"],
        end_ns=asked["end"],
        limit=asked["limit"],
        sort=asked["sort"],
        page_token=asked["page_token"],
    )


def ticks_wanted(kind: Any, asked: dict[str, Any]) -> tape.Wanted:
    return tape.Wanted(
        kind=kind,
        start_ns=asked["start"],
        end_ns=asked["end"],
        limit=asked["limit"],
        sort=asked["sort"],
        page_token=asked["page_token"],
    )
