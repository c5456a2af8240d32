// What a position is worth: the formula of trading/portfolios.py, for figures that move with the
// price. Amounts are BigInt minor units.
import { parse, rescaleDown, show } from "./money.js";

export const CASH_EXPONENT = { CNY: 2, USD: 2, EUR: 2, TRY: 2, USDT: 8, BUSD: 8, BTC: 8, ETH: 8 };

export const cashExponent = (currency) => CASH_EXPONENT[currency] ?? 2;

// `instrument` has price_exponent, qty_exponent, multiplier, currency; qty and price are scaled.
export function valueOf(qty, price, instrument) {
  const shift = instrument.price_exponent + instrument.qty_exponent - cashExponent(instrument.currency);
  return rescaleDown(qty * price * BigInt(instrument.multiplier ?? 1), shift);
}

// The price a holding is worth, scaled: the last trade, else the middle of the best quotes (rounded
// down), else the one side there is; null when nothing is known.
export function markOf(quote, exponent) {
  if (quote?.last) return parse(quote.last, exponent);
  const sides = [quote?.bid, quote?.ask].filter(Boolean).map((side) => parse(side, exponent));
  return sides.length ? sides.reduce((sum, side) => sum + side, 0n) / BigInt(sides.length) : null;
}

// A PositionJson with its QuoteRow (may be missing: then it is worth what it cost).
export function positionFigures(position, quote, instrument) {
  const exponent = cashExponent(instrument.currency);
  const qty = parse(position.qty, instrument.qty_exponent);
  const cost = parse(position.cost_basis, exponent);
  const last = markOf(quote, instrument.price_exponent);
  if (last === null) return { qty, cost, value: cost, today: 0n, unrealised: 0n, last: null };
  const previous = quote.previous_close ? parse(quote.previous_close, instrument.price_exponent) : last;
  const value = valueOf(qty, last, instrument);
  const before = valueOf(parse(position.day_start_qty, instrument.qty_exponent), previous, instrument);
  const today = value + parse(position.day_cash, exponent) - before;
  return { qty, cost, value, today, unrealised: value - cost, last: show(last, instrument.price_exponent) };
}

// The whole portfolio: equity = cash + value, today = sum of the positions' today.
export function portfolioFigures(desk, quoteOf, instrumentOf) {
  const currency = desk.portfolio.currency;
  const exponent = cashExponent(currency);
  const balance = desk.balances.find((row) => row.asset === currency);
  const cash = balance ? parse(balance.posted, exponent) : 0n;
  const reserved = balance ? parse(balance.reserved, exponent) : 0n;
  let value = 0n;
  let today = 0n;
  let unrealised = 0n;
  let cost = 0n;
  for (const position of desk.positions) {
    const instrument = instrumentOf(position.symbol);
    if (!instrument) continue;
    const figures = positionFigures(position, quoteOf(position.symbol), instrument);
    value += figures.value;
    today += figures.today;
    unrealised += figures.unrealised;
    cost += figures.cost;
  }
  return { exponent, cash, reserved, value, today, unrealised, cost, equity: cash + value };
}
