import assert from "node:assert/strict";
import { test } from "node:test";
import { marginAsked, markOf, portfolioFigures, positionFigures, valueOf } from "../../static/js/worth.js";

const NLB = { symbol: "NLB", price_exponent: 2, qty_exponent: 0, multiplier: 1, currency: "CNY" };
const BTC = { symbol: "BTC", price_exponent: 2, qty_exponent: 8, multiplier: 1, currency: "USDT" };
const RB = { symbol: "rb", price_exponent: 0, qty_exponent: 0, multiplier: 10, currency: "CNY" };
const position = { symbol: "NLB", qty: "6000", cost_basis: "249261.00", day_start_qty: "3000", day_cash: "-126533.90" };

test("a value is quantity times price in minor units, whatever the exponents", () => {
  assert.equal(valueOf(6000n, 4218n, NLB), 25_308_000n);
  assert.equal(valueOf(150_000_000n, 6_000_050n, BTC), 9_000_075_000_000n); // 1.5 x 60,000.50 in 10^-8
  assert.equal(valueOf(2n, 3_500n, RB), 7_000_000n); // 2 x 3,500 x 10 tons
});

test("Alice's day: what she held at the previous close, and what she bought since", () => {
  const figures = positionFigures(position, { last: "42.18", previous_close: "41.57" }, NLB);
  assert.equal(figures.value, 25_308_000n);
  assert.equal(figures.unrealised, 25_308_000n - 24_926_100n);
  assert.equal(figures.today, 25_308_000n - 12_653_390n - 12_471_000n);
});

test("without a trade the middle of the best quotes counts, and without anything the cost", () => {
  assert.equal(markOf({ last: null, bid: "42.17", ask: "42.20" }, 2), 4218n);
  assert.equal(markOf({ last: null, bid: null, ask: "42.20" }, 2), 4220n);
  assert.equal(markOf(null, 2), null);
  assert.deepEqual([positionFigures(position, null, NLB).value, positionFigures(position, null, NLB).today], [24_926_100n, 0n]);
});

test("equity is cash plus what is held, to the cent", () => {
  const desk = { portfolio: { currency: "CNY" }, balances: [{ asset: "CNY", posted: "750739.00", reserved: "42170.96" }], positions: [position] };
  const sums = portfolioFigures(desk, () => ({ last: "42.18", previous_close: "41.57" }), () => NLB);
  assert.equal(sums.equity, 75_073_900n + 25_308_000n);
  assert.equal(sums.reserved, 4_217_096n);
});

test("a short position is worth less than nothing, and earns when the price falls", () => {
  const short = { symbol: "NLB", qty: "-100", cost_basis: "-9999.00", day_start_qty: "0", day_cash: "9999.00" };
  const figures = positionFigures(short, { last: "90.00", previous_close: "100.00" }, NLB);
  assert.deepEqual([figures.value, figures.unrealised, figures.today], [-900_000n, 99_900n, 99_900n]);
});

test("a contract is worth its result since it was settled; nothing without a price", () => {
  const held = { symbol: "rb", qty: "10", contract: true, cost_basis: "352000.00", day_start_qty: "10", day_cash: "-35.00" };
  const figures = positionFigures(held, { last: "3530" }, RB);
  assert.deepEqual([figures.value, figures.today], [100_000n, 96_500n]); // 10 x 10 t x 10 CNY; less a fee today
  assert.equal(positionFigures(held, null, RB).value, 0n);
});

test("one figure of net liquidation, whatever the currencies", () => {
  const pair = { symbol: "USDCNY", price_exponent: 4, qty_exponent: 0, multiplier: 1, currency: "CNY" };
  const quotes = { USDCNY: { last: "7.1234" } };
  const instruments = { USDCNY: pair };
  const sums = (home) => portfolioFigures(
    { portfolio: { currency: home }, positions: [], balances: [{ asset: "CNY", posted: "100.00", reserved: "0" }, { asset: "USD", posted: "-10.01", reserved: "0" }] },
    (symbol) => quotes[symbol], (symbol) => instruments[symbol]);
  assert.equal(sums("CNY").equity, 10_000n - 7_131n); // 71.305234 owed: rounded against the player
  assert.equal(sums("USD").equity, 1_403n - 1_001n);
  assert.equal(sums("EUR").equity, 0n); // nobody says what they are worth
});

test("what a margin portfolio must own: of a mark, of a settlement price, and nothing in a cash portfolio", () => {
  const books = {
    portfolio: { currency: "CNY", margin: { rates: { NLB: { long: [5e8, 3e8], short: [5e8, 3e8] }, rb: { long: [1e8, 8e7], short: [1e8, 8e7] } } } },
    positions: [{ symbol: "NLB", qty: "-100" }, { symbol: "rb", qty: "2", contract: true }, { symbol: "GONE", qty: "0" }],
  };
  const quotes = { NLB: { last: "90.01" }, rb: { last: "3600", settlement: "3500", previous_close: "3550" } };
  const asked = () => marginAsked(books, (symbol) => quotes[symbol], (symbol) => ({ NLB, rb: RB })[symbol]);
  assert.deepEqual(asked(), { initial: 450_050n + 700_000n, maintenance: 270_030n + 560_000n });
  quotes.NLB = null;
  assert.equal(asked(), null);
  books.portfolio.margin = null;
  assert.equal(asked(), null);
});
