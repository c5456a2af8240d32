import assert from "node:assert/strict";
import { test } from "node:test";
import { grabbed, onTick } from "../../static/js/chart_hand.js";
import { bollinger, ema, lines, macd, rsi, sma, weeks } from "../../static/js/indicators.js";
import { found, moved } from "../../static/js/symbols.js";

const near = (one, other) => assert.ok(Math.abs(one - other) < 1e-9, `${one} is not ${other}`);

test("an average begins where there are enough values", () => {
  assert.deepEqual(sma([1, 2, 3, 4], 3), [null, null, 2, 3]);
  assert.deepEqual(ema([1, 2, 3, 6], 3), [null, null, 2, 4]);
});

test("bands lie two deviations of the whole around the average", () => {
  const { middle, upper, lower } = bollinger([1, 3, 1, 3], 4, 2);
  near(middle[3], 2);
  near(upper[3], 4);
  near(lower[3], 0);
});

test("RSI is Wilder's: his own example", () => {
  const closes = [44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.1, 45.42, 45.84, 46.08, 45.89, 46.03, 45.61, 46.28, 46.28, 46.0, 46.03];
  const found = rsi(closes);
  assert.equal(found[13], null);
  assert.ok(Math.abs(found[14] - 70.46) < 0.1, found[14]);
  assert.ok(Math.abs(found[15] - 66.25) < 0.1, found[15]);
});

test("MACD of a straight line is flat", () => {
  const { line, signal, rest } = macd(Array.from({ length: 60 }, (_, index) => index));
  near(line[59], 7);
  near(signal[59], 7);
  near(rest[59], 0);
});

test("days of one week become one bar", () => {
  const day = (n, open, close) => ({ time: n * 86_400, open, high: Math.max(open, close) + 1, low: Math.min(open, close) - 1, close, volume: 10 });
  const friday = 1, monday = 4; // of January 1970, counted from the first, a Thursday
  const folded = weeks([day(0, 10, 11), day(friday, 11, 15), day(monday, 15, 9)]);
  assert.equal(folded.length, 2);
  assert.deepEqual([folded[0].open, folded[0].close, folded[0].high, folded[0].volume], [10, 15, 16, 20]);
});

test("only what is chosen is drawn", () => {
  const bars = Array.from({ length: 40 }, (_, time) => ({ time, close: time }));
  assert.deepEqual(lines(["sma", "nonsense", "rsi"], bars).map((line) => [line.id, line.pane]), [["sma", 0], ["rsi", 1]]);
});

test("the nearest line within the grip is taken", () => {
  const orders = [{ id: 1, price: 10 }, { id: 2, price: 12 }];
  const toY = (price) => price * 10;
  assert.equal(grabbed(orders, 118, toY).id, 2);
  assert.equal(grabbed(orders, 110, toY), null);
});

test("a price from the chart stands on the tick", () => {
  assert.equal(onTick(42.1349, "0.01", 2), "42.13");
  assert.equal(onTick(3821.4, "1", 0), "3821");
  assert.equal(onTick(10.03, "0.05", 2), "10.05");
});

test("a search finds codes first, then initials, then names", () => {
  const rows = [{ symbol: "ALB", name: "Alder Bank", initials: "zmyh" }, { symbol: "ZMA", name: "Zeta", initials: "xx" }, { symbol: "BHG", name: "Zmaro", initials: null }];
  assert.deepEqual(found(rows, "zm"), ["ZMA", "ALB", "BHG"]);
});

test("a symbol moves in its list, or leaves it", () => {
  assert.deepEqual(moved(["A", "B", "C"], "C", -1), ["A", "C", "B"]);
  assert.deepEqual(moved(["A", "B", "C"], "A", -1), ["A", "B", "C"]);
  assert.deepEqual(moved(["A", "B", "C"], "B", 0), ["A", "C"]);
});
