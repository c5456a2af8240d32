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

// A PositionJson with its QuoteRow (may be missing: then it is worth what it cost). A short position is
// worth less than nothing; a contract its result since it was opened or last settled.
export function positionFigures(position, quote, instrument) {
  const exponent = cashExponent(instrument.currency);
  const qty = parse(position.qty, instrument.qty_exponent);
  const cost = parse(position.cost_basis, exponent);
  const last = markOf(quote, instrument.price_exponent);
  if (last === null) return { qty, cost, value: position.contract ? 0n : cost, today: 0n, unrealised: 0n, last: null };
  const previous = quote.previous_close ? parse(quote.previous_close, instrument.price_exponent) : last;
  const value = valueOf(qty, last, instrument);
  if (position.contract) {
    const result = value - cost;
    return { qty, cost, value: result, today: result + parse(position.day_cash, exponent), unrealised: result, last: show(last, instrument.price_exponent) };
  }
  const before = valueOf(parse(position.day_start_qty, instrument.qty_exponent), previous, instrument);
  const today = value + parse(position.day_cash, exponent) - before;
  return { qty, cost, value, today, unrealised: value - cost, last: show(last, instrument.price_exponent) };
}

const PPB = 10n ** 9n;
const power = (exponent) => 10n ** BigInt(exponent);

// Minor units of `home` for one of `currency`, in parts per billion, at the mark of the world's pair of the
// two, either way round; 0n when there is none.
export function ratePpb(currency, home, quoteOf, instrumentOf) {
  if (currency === home) return PPB;
  const marked = (base, counter) => {
    for (const symbol of [`${base}${counter}`, `${base}/${counter}`]) {
      const pair = instrumentOf(symbol);
      const price = pair && markOf(quoteOf(symbol), pair.price_exponent);
      if (price) return { price, exponent: pair.price_exponent };
    }
    return null;
  };
  const direct = marked(currency, home);
  if (direct) return (direct.price * PPB * power(cashExponent(home))) / power(cashExponent(currency) + direct.exponent);
  const back = marked(home, currency);
  return back ? (PPB * power(cashExponent(home) + back.exponent)) / (back.price * power(cashExponent(currency))) : 0n;
}

// Towards minus infinity, as the books round.
const rounded = (amount, ppb) => (ppb === PPB ? amount : (amount * ppb - (((amount * ppb) % PPB) + PPB) % PPB) / PPB);

const currencyOf = (asset) => (asset.startsWith("due.") ? asset.split(".")[1] : asset);

// The whole portfolio in its own currency: equity = cash + value, today = sum of the positions' today.
export function portfolioFigures(desk, quoteOf, instrumentOf) {
  const currency = desk.portfolio.currency;
  const exponent = cashExponent(currency);
  const home = (amount, from) => rounded(amount, ratePpb(from, currency, quoteOf, instrumentOf));
  const balance = desk.balances.find((row) => row.asset === currency);
  // What an issuer owes until the pay date (`due.CNY.…`) counts like cash.
  const cash = desk.balances.reduce((sum, row) => sum + home(parse(row.posted, cashExponent(currencyOf(row.asset))), currencyOf(row.asset)), 0n);
  const reserved = balance ? parse(balance.reserved, exponent) : 0n;
  let value = 0n;
  let today = 0n;
  let unrealised = 0n;
  let cost = 0n;
  for (const position of desk.positions) {
    const instrument = instrumentOf(position.symbol);
    if (!instrument) continue;
    const figures = positionFigures(position, quoteOf(position.symbol), instrument);
    value += home(figures.value, instrument.currency);
    today += home(figures.today, instrument.currency);
    unrealised += home(figures.unrealised, instrument.currency);
    cost += home(figures.cost, instrument.currency);
  }
  return { exponent, cash, reserved, value, today, unrealised, cost, equity: cash + value };
}

const up = (amount, ppb) => (amount * BigInt(ppb) + PPB - 1n) / PPB;
const absolute = (value) => (value < 0n ? -value : value);

// What positions ask for to be opened and to be kept (trading/engine/margin.py); null for a cash portfolio,
// or while a rate or a price is not here.
export function marginAsked(books, quoteOf, instrumentOf) {
  const terms = books.portfolio.margin;
  if (!terms) return null;
  let [initial, maintenance] = [0n, 0n];
  for (const position of books.positions) {
    const listed = instrumentOf(position.symbol);
    if (!listed || !/[1-9]/.test(position.qty)) continue;
    const [qty, row] = [parse(position.qty, listed.qty_exponent), quoteOf(position.symbol)];
    const shares = terms.rates[position.symbol]?.[qty < 0n ? "short" : "long"];
    const settled = position.contract && (row?.settlement ?? row?.previous_close);
    const mark = settled ? parse(settled, listed.price_exponent) : markOf(row, listed.price_exponent);
    if (!shares || mark === null) return null;
    const rate = ratePpb(listed.currency, books.portfolio.currency, quoteOf, instrumentOf);
    const worth = absolute(rounded(valueOf(qty, mark, listed), rate));
    initial += up(worth, shares[0]);
    maintenance += up(worth, shares[1]);
  }
  return { initial, maintenance };
}
