import assert from "node:assert/strict";
import { test } from "node:test";
import { direction, grouped, parse, percent, read, rescaleDown, rough, show, signed } from "../../static/js/money.js";

test("a decimal becomes a whole number and comes back", () => {
  for (const [text, exponent, scaled] of [["42.18", 2, 4218n], ["-0.05", 2, -5n], ["7", 2, 700n], ["1.50000", 2, 150n], ["0.00000001", 8, 1n]]) {
    assert.equal(parse(text, exponent), scaled);
    assert.equal(parse(show(scaled, exponent), exponent), scaled);
  }
  assert.equal(show(-5n, 2), "-0.05");
  assert.equal(show(42n, 0), "42");
});

test("it refuses what is no decimal, or has more digits than there are", () => {
  for (const bad of ["", "abc", "1e5", "1,000", "NaN", "Infinity", "4.2.1", "--1", ".5", "１２"]) assert.equal(read(bad, 2), null, bad);
  assert.equal(read("42.185", 2), null);
});

test("people read thousands, a true minus, and a sign only where something moved", () => {
  assert.equal(grouped("-1084217.36"), "−1,084,217.36");
  assert.equal(grouped("999"), "999");
  assert.equal(grouped(null), "");
  assert.equal(signed("0.61"), "+0.61");
  assert.equal(signed("-1.16"), "−1.16");
  assert.equal(signed("0.00"), "0.00");
  assert.equal(signed("-0.00"), "0.00");
});

test("numbers beyond 2^53 keep every digit", () => {
  assert.equal(grouped(show(parse("90071992547409931.07", 2), 2)), "90,071,992,547,409,931.07");
});

test("percent rounds halves away from zero and knows no base of nothing", () => {
  assert.equal(percent(61n, 4157n), "1.47");
  assert.equal(percent(-61n, 4157n), "-1.47");
  assert.equal(percent(1n, 200n), "0.50");
  assert.equal(percent(5n, 0n), null);
});

test("values round down, also below zero, as in the books", () => {
  assert.equal(rescaleDown(199n, 2), 1n);
  assert.equal(rescaleDown(-199n, 2), -2n);
  assert.equal(rescaleDown(-200n, 2), -2n);
  assert.equal(rescaleDown(3n, -2), 300n);
});

test("large figures are told roughly", () => {
  assert.equal(rough("18421700"), "18.4 M");
  assert.equal(rough("772712345.12"), "772.7 M");
  assert.equal(rough("2400000000"), "2.4 G");
  assert.equal(rough("642700"), "642,700");
  assert.deepEqual(["642700", "18421700", "772712345.12"].map((one) => rough(one, "zh-Hans")), ["642,700", "1,842 万", "7.7 亿"]);
});

test("a direction is read off a string without making it a number", () => {
  assert.deepEqual(["0.00", "-0.00", "0.01", "-3", undefined].map(direction), [0, 0, 1, -1, 0]);
});
