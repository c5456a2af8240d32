"""A bot in 30 lines: buys a lot of what fell most today, with a stop below it. Needs `pip install alpaca-py`.

python alpaca_bot.py http://127.0.0.1:8000 <key id> <secret>
"""

import sys
from decimal import Decimal

from alpaca.data import StockHistoricalDataClient, StockSnapshotRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, StopLossRequest

HOST, KEY, SECRET = sys.argv[1:4]
trading = TradingClient(KEY, SECRET, url_override=HOST)
market = StockHistoricalDataClient(KEY, SECRET, url_override=HOST)

assets = {asset.symbol: asset for asset in trading.get_all_assets() if asset.tradable}
snapshots = market.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=list(assets)))
change = {
    symbol: one.latest_trade.price / one.daily_bar.open
    for symbol, one in snapshots.items()
    if one.latest_trade and one.daily_bar and one.latest_quote
}
symbol = min(change, key=change.get)
tick = Decimal(str(assets[symbol].price_increment))
price = Decimal(str(snapshots[symbol].latest_quote.ask_price)) + tick
stop = StopLossRequest(stop_price=float((price * Decimal("0.97")).quantize(tick)))
order = trading.submit_order(
    LimitOrderRequest(
        symbol=symbol, qty=assets[symbol].min_order_size, side=OrderSide.BUY, time_in_force=TimeInForce.GTC,
        limit_price=float(price), order_class=OrderClass.OTO, stop_loss=stop,
    )
)  # fmt: skip
print(order.status.value, order.qty, order.symbol, "at", order.filled_avg_price or order.limit_price)
