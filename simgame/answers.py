"""What the REST API answers, as JSON Schema: written by hand, held against real answers by the suite
(`tests/api/test_contract.py`) and by `manage.py drill api`.

Objects are open: a client must bear a field that it does not know. A field that is named here stays, and
keeps its type, until a release says otherwise (`ops.contract`). Quotes, bars, orders of the stream are the
same shapes as in `simgame.asyncapi`.
"""

from __future__ import annotations

from typing import Any, Final

from simgame.asyncapi import (
    COUNT,
    DECIMAL,
    FLAG,
    MARKET,
    NUMBER,
    OBJECT,
    TEXT,
    TRADING,
    maybe,
    opened,
    ref,
    rows,
)

Schema = dict[str, Any]
TIME: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
UUID: Schema = {"type": "string", "format": "uuid"}
SIDE: Schema = {"enum": ["buy", "sell"]}
TOKEN: Schema = maybe(TEXT)  # next_page_token: null on the last page


def by_symbol(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def named(*names: str, **kinds: Schema) -> Schema:
    """Decimals of these names, and fields of other kinds."""
    return opened(**dict.fromkeys(names, DECIMAL), **kinds)


# --- /v2: Alpaca's shapes ------------------------------------------------------------------------
ORDER_TIMES = ("filled_at", "expired_at", "expires_at", "canceled_at", "failed_at", "replaced_at")
ORDER: Schema = named(
    *("qty", "filled_qty", "fees", "reserved_cash", "queue_ahead"),
    **{
        **{"id": UUID, "client_order_id": TEXT, "created_at": TIME, "updated_at": TIME, "submitted_at": TIME},
        **dict.fromkeys(ORDER_TIMES, maybe(TIME)),
        **dict.fromkeys(("replaced_by", "replaces", "forced", "leg", "parent_id", "waits"), maybe(TEXT)),
        **{"asset_id": UUID, "symbol": TEXT, "asset_class": TEXT, "order_class": TEXT, "order_type": TEXT},
        **dict.fromkeys(("notional", "filled_avg_price", "limit_price", "stop_price"), maybe(DECIMAL)),
        **dict.fromkeys(("trail_percent", "trail_price", "hwm"), maybe(DECIMAL)),
        **{"type": TEXT, "side": SIDE, "position_intent": TEXT, "time_in_force": TEXT, "status": TEXT},
        **dict.fromkeys(("extended_hours", "triggered", "post_only", "reduce_only"), FLAG),
        **{"legs": maybe(rows(ref("PlacedOrder"))), "reason": maybe(TEXT), "fired_by": maybe(TEXT)},
        **{"leg_ids": rows(UUID), "version": COUNT, "portfolio_id": COUNT},
    },
)
ACCOUNT: Schema = named(
    *("cash", "buying_power", "regt_buying_power", "effective_buying_power", "non_marginable_buying_power"),
    *("daytrading_buying_power", "options_buying_power", "accrued_fees", "portfolio_value", "equity"),
    *("last_equity", "long_market_value", "short_market_value", "position_market_value", "initial_margin"),
    *("maintenance_margin", "last_maintenance_margin", "sma", "multiplier"),
    **{"id": UUID, "account_number": TEXT, "status": TEXT, "crypto_status": TEXT, "currency": TEXT},
    **dict.fromkeys(("shorting_enabled", "pattern_day_trader", "trading_blocked"), FLAG),
    **dict.fromkeys(("transfers_blocked", "account_blocked", "trade_suspended_by_user"), FLAG),
    **{"margin_call_until": maybe(TIME), "daytrade_count": COUNT, "created_at": TIME},
)
POSITION: Schema = named(
    *("qty", "qty_available", "avg_entry_price", "cost_basis", "market_value", "unrealized_pl"),
    *("unrealized_plpc", "unrealized_intraday_pl", "unrealized_intraday_plpc"),
    **{"asset_id": UUID, "symbol": TEXT, "exchange": TEXT, "asset_class": TEXT, "asset_marginable": FLAG},
    **{"side": {"enum": ["long", "short"]}},
    **dict.fromkeys(("current_price", "lastday_price", "change_today"), maybe(DECIMAL)),
)
ASSET: Schema = named(
    *("min_order_size", "min_trade_increment", "price_increment"),
    **{"id": UUID, "class": TEXT, "exchange": TEXT, "symbol": TEXT, "name": TEXT},
    **{"status": {"enum": ["active", "inactive"]}, "attributes": rows(TEXT)},
    **dict.fromkeys(("tradable", "marginable", "shortable", "easy_to_borrow", "fractionable"), FLAG),
)
CONFIGURATIONS: Schema = opened(
    **dict.fromkeys(("fractional_trading", "no_shorting", "ptp_no_exception_entry", "suspend_trade"), FLAG),
    **dict.fromkeys(("dtbp_check", "max_margin_multiplier", "pdt_check", "trade_confirm_email"), TEXT),
)
HISTORY: Schema = opened(
    timestamp=rows(NUMBER),
    equity=rows(DECIMAL),
    profit_loss=rows(DECIMAL),
    profit_loss_pct=rows(maybe(DECIMAL)),
    base_value=DECIMAL,
    timeframe=TEXT,
    currency=TEXT,
)
FILL_FIELDS = dict.fromkeys(("price_", "qty_", "leaves_qty_", "cum_qty_", "fee_", "net_amount_"), DECIMAL)
ACTIVITY: Schema = opened(
    **{"id": TEXT, "activity_type": TEXT, "symbol_": TEXT, "order_id_": UUID},
    **{"transaction_time_": TIME, "date_": DAY, **FILL_FIELDS},
)
V2_WATCHLIST: Schema = opened(
    id=UUID, account_id=UUID, name=TEXT, created_at=TIME, updated_at=TIME, assets_=rows(ref("Asset"))
)
DAY_OF_CALENDAR: Schema = opened(
    date=DAY, open=TEXT, close=TEXT, session_open=TEXT, session_close=TEXT, settlement_date=DAY
)
DATA_BAR: Schema = named("o", "h", "l", "c", "v", "vw", t=TIME, n=COUNT)
DATA_QUOTE: Schema = named("ap", "as", "bp", "bs", t=TIME, ax=TEXT, bx=TEXT, c=rows(TEXT), z=TEXT)
DATA_TRADE: Schema = named("p", "s", t=TIME, x=TEXT, c=rows(TEXT), i=NUMBER, z=TEXT, tks=TEXT)
SNAPSHOT: Schema = opened(
    latestTrade=maybe(ref("DataTrade")),
    latestQuote=maybe(ref("DataQuote")),
    **dict.fromkeys(("minuteBar", "dailyBar", "prevDailyBar"), maybe(ref("DataBar"))),
)
# --- /api/v1 -------------------------------------------------------------------------------------
GAME: Schema = opened(
    **{"id": COUNT, "slug": TEXT, "name": TEXT, "season": FLAG, "private": FLAG, "status": TEXT},
    **{"world": TEXT, "currency": TEXT, "start_cash": DECIMAL, "starts_at": maybe(TIME)},
    **{"ends_at": maybe(TIME), "players": COUNT, "portfolio_id": maybe(COUNT), "invitation_": TEXT},
)
NOTE: Schema = opened(
    **{"id": COUNT, "text": TEXT, "tags": rows(TEXT), "order_id": maybe(UUID), "symbol": maybe(TEXT)},
    **{"day": maybe(DAY), "version": COUNT, "created_at": TIME, "updated_at": TIME},
)
ALERT: Schema = opened(
    id=COUNT, symbol=TEXT, way=TEXT, price=DECIMAL, fired_at=maybe(TIME), fired_price=maybe(DECIMAL)
)
SYMBOL_LIST: Schema = opened(id=UUID, name=TEXT, symbols=rows(TEXT))
WORLD: Schema = opened(
    **dict.fromkeys(("slug", "name", "kind", "currency", "rulebook", "timezone"), TEXT), number=COUNT
)
INSTRUMENT: Schema = opened(
    **{"id": UUID, "tick": DECIMAL, "lot": DECIMAL, "why_not_tradable": maybe(TEXT)},
    **dict.fromkeys(("symbol", "name", "name_zh", "kind", "board", "sector"), TEXT),
    **dict.fromkeys(("currency", "halt_reason"), TEXT),
    **dict.fromkeys(("price_exponent", "qty_exponent", "multiplier"), COUNT),
    **dict.fromkeys(("special_treatment", "tradable", "halted"), FLAG),
)
RULE: Schema = opened(name=TEXT, text=TEXT, value=maybe(TEXT), source=maybe(TEXT), row=TEXT)
PREVIEW: Schema = opened(
    refusal=maybe(opened(code=TEXT, detail=TEXT, facts=OBJECT, rule=maybe(OBJECT))),
    nearest=maybe(opened(side=SIDE, type=TEXT, qty=maybe(DECIMAL), limit_price=maybe(DECIMAL))),
)
POINT: Schema = named("equity", "drawdown", "exposure", t=NUMBER)
SEED_STATE: Schema = opened(world=TEXT, model=TEXT, step=COUNT, hash=TEXT, sequence=COUNT)
BARS: Schema = opened(symbol=TEXT, interval=TEXT, bars=rows(ref("Bar")))
RIGHT: Schema = opened(key=TEXT)
LEVELS: Schema = rows({"type": "array", "items": DECIMAL, "minItems": 2, "maxItems": 2})  # [price, size]

DESK: Schema = {**TRADING["Desk"], "properties": {**TRADING["Desk"]["properties"], "orders": rows(OBJECT)}}

COMPONENTS: Final[dict[str, Schema]] = {
    **{name: MARKET[name] for name in ("Quote", "Trade", "Bar", "Phase")},
    "Depth": opened(
        symbol=TEXT, bids=LEVELS, asks=LEVELS, at=maybe(TIME), source=maybe(TEXT), made=FLAG, seq=COUNT
    ),
    **{name: TRADING[name] for name in ("Fill", "Holding", "Balance", "Notice", "Standings")},
    **{"PlacedOrder": ORDER, "Account": ACCOUNT, "Position": POSITION, "Asset": ASSET},
    **{"Configurations": CONFIGURATIONS, "PortfolioHistory": HISTORY, "Activity": ACTIVITY},
    **{"AssetList": V2_WATCHLIST, "CalendarDay": DAY_OF_CALENDAR, "DataBar": DATA_BAR},
    **{"DataQuote": DATA_QUOTE, "DataTrade": DATA_TRADE, "Snapshot": SNAPSHOT, "Game": GAME, "Note": NOTE},
    **{"Alert": ALERT, "SymbolList": SYMBOL_LIST, "World": WORLD, "Instrument": INSTRUMENT, "Rule": RULE},
    "Desk": {"allOf": [DESK, opened(orders=rows(ref("PlacedOrder")), watchlist=rows(TEXT))]},
    "OrderReceipt": opened(order=ref("PlacedOrder"), receipt=OBJECT, fills=rows(ref("Fill"))),
    "FillReceipt": opened(
        fill=ref("Fill"), order=ref("PlacedOrder"), receipt=OBJECT, taken_back=maybe(OBJECT)
    ),
}
ORDERS, ONE_ORDER = rows(ref("PlacedOrder")), ref("PlacedOrder")
PAGE = {"next_page_token": TOKEN}
# (method, path) → what a success says
ANSWERS: Final[dict[tuple[str, str], Schema]] = {
    ("get", "/v2/account"): ref("Account"),
    ("get", "/v2/account/configurations"): ref("Configurations"),
    ("patch", "/v2/account/configurations"): ref("Configurations"),
    ("get", "/v2/account/portfolio/history"): ref("PortfolioHistory"),
    ("get", "/v2/account/activities"): rows(ref("Activity")),
    ("get", "/v2/account/activities/{activity_type}"): rows(ref("Activity")),
    ("get", "/v2/orders"): ORDERS,
    ("post", "/v2/orders"): ONE_ORDER,
    ("delete", "/v2/orders"): rows(opened(id=UUID, status=COUNT, body=ONE_ORDER)),
    ("get", "/v2/orders/{order_id}"): ONE_ORDER,
    ("patch", "/v2/orders/{order_id}"): ONE_ORDER,
    ("get", "/v2/orders:by_client_order_id"): ONE_ORDER,
    ("get", "/v2/positions"): rows(ref("Position")),
    ("delete", "/v2/positions"): rows(opened(symbol=TEXT, order_id=maybe(UUID), status=COUNT, body=OBJECT)),
    ("get", "/v2/positions/{symbol}"): ref("Position"),
    ("delete", "/v2/positions/{symbol}"): ONE_ORDER,
    ("get", "/v2/assets"): rows(ref("Asset")),
    ("get", "/v2/assets/{symbol_or_id}"): ref("Asset"),
    ("get", "/v2/clock"): opened(timestamp=TIME, is_open=FLAG, next_open=TIME, next_close=TIME),
    ("get", "/v2/calendar"): rows(ref("CalendarDay")),
    ("get", "/v2/watchlists"): rows(ref("AssetList")),
    **{
        (method, path): ref("AssetList")
        for method, path in (
            ("post", "/v2/watchlists"),
            *((method, "/v2/watchlists/{watchlist_id}") for method in ("get", "put", "post")),
            ("delete", "/v2/watchlists/{watchlist_id}/{symbol}"),
            ("get", "/v2/watchlists:by_name"),
        )
    },
    ("get", "/v2/stocks/bars"): opened(bars=by_symbol(rows(ref("DataBar"))), **PAGE),
    ("get", "/v2/stocks/quotes"): opened(quotes=by_symbol(rows(ref("DataQuote"))), **PAGE),
    ("get", "/v2/stocks/trades"): opened(trades=by_symbol(rows(ref("DataTrade"))), **PAGE),
    ("get", "/v2/stocks/{symbol}/bars"): opened(symbol=TEXT, bars=rows(ref("DataBar")), **PAGE),
    ("get", "/v2/stocks/{symbol}/quotes"): opened(symbol=TEXT, quotes=rows(ref("DataQuote")), **PAGE),
    ("get", "/v2/stocks/{symbol}/trades"): opened(symbol=TEXT, trades=rows(ref("DataTrade")), **PAGE),
    ("get", "/v2/stocks/{symbol}/snapshot"): {"allOf": [opened(symbol=TEXT), ref("Snapshot")]},
    ("get", "/v2/stocks/snapshots"): by_symbol(ref("Snapshot")),
    ("get", "/v2/stocks/bars/latest"): opened(bars=by_symbol(ref("DataBar"))),
    ("get", "/v2/stocks/quotes/latest"): opened(quotes=by_symbol(ref("DataQuote"))),
    ("get", "/v2/stocks/trades/latest"): opened(trades=by_symbol(ref("DataTrade"))),
    ("get", "/api/v1/alerts"): opened(alerts=rows(ref("Alert"))),
    ("post", "/api/v1/alerts"): ref("Alert"),
    ("get", "/api/v1/bars/{symbol}"): BARS,
    ("get", "/api/v1/chart/{symbol}"): opened(
        symbol=TEXT, interval=TEXT, bars=rows(ref("Bar")), no_data=FLAG, next_time=maybe(NUMBER)
    ),
    ("get", "/api/v1/depth/{symbol}"): ref("Depth"),
    ("get", "/api/v1/trades/{symbol}"): opened(symbol=TEXT, trades=rows(ref("Trade"))),
    ("get", "/api/v1/desk"): ref("Desk"),
    ("get", "/api/v1/fills/{fill_id}/receipt"): ref("FillReceipt"),
    ("get", "/api/v1/orders/{order_id}/receipt"): ref("OrderReceipt"),
    ("post", "/api/v1/orders/preview"): PREVIEW,
    ("get", "/api/v1/games"): opened(games=rows(ref("Game")), **PAGE),
    ("post", "/api/v1/games"): ref("Game"),
    ("get", "/api/v1/games/{game}"): ref("Game"),
    ("post", "/api/v1/games/{game}/join"): ref("Game"),
    ("post", "/api/v1/games/{game}/{act}"): ref("Game"),
    ("get", "/api/v1/games/{game}/standings"): ref("Standings"),
    ("get", "/api/v1/games/{game}/export"): opened(
        game=OBJECT,
        exported_at=TIME,
        **dict.fromkeys(("players", "standings", "orders", "fills"), rows(OBJECT)),
    ),
    ("get", "/api/v1/instruments"): opened(instruments=rows(ref("Instrument")), **PAGE),
    ("get", "/api/v1/journal"): opened(
        notes=rows(ref("Note")), tags={"type": "object", "additionalProperties": COUNT}, **PAGE
    ),
    ("post", "/api/v1/journal"): ref("Note"),
    ("get", "/api/v1/journal/{note_id}"): ref("Note"),
    ("patch", "/api/v1/journal/{note_id}"): ref("Note"),
    ("get", "/api/v1/portfolio/curve"): opened(points=rows(POINT)),
    ("get", "/api/v1/quotes"): opened(world=TEXT, epoch=TEXT, version=TEXT, quotes=by_symbol(ref("Quote"))),
    ("get", "/api/v1/rights"): opened(rights=rows(RIGHT)),
    ("get", "/api/v1/seed-state"): SEED_STATE,
    ("get", "/api/v1/sparks"): by_symbol(rows(DECIMAL)),
    ("get", "/api/v1/watchlists"): opened(watchlists=rows(ref("SymbolList"))),
    ("post", "/api/v1/watchlists"): ref("SymbolList"),
    ("get", "/api/v1/watchlists/{list_id}"): ref("SymbolList"),
    ("put", "/api/v1/watchlists/{list_id}"): ref("SymbolList"),
    ("get", "/api/v1/worlds"): opened(worlds=rows(ref("World"))),
    ("get", "/api/v1/worlds/{slug}"): {
        "allOf": [
            ref("World"),
            opened(instruments=COUNT, phase=ref("Phase"), rules=rows(ref("Rule")), hidden=maybe(OBJECT)),
        ]
    },
    ("get", "/udf/time"): NUMBER,
    ("get", "/udf/history"): opened(s={"enum": ["ok", "no_data"]}),
    ("get", "/udf/search"): rows(opened(symbol=TEXT, full_name=TEXT, exchange=TEXT, type=TEXT)),
    ("get", "/udf/quotes"): opened(s=TEXT, d=rows(OBJECT)),
    ("get", "/udf/timescale_marks"): rows(OBJECT),
}
