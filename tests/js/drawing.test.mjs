import assert from "node:assert/strict";
import { test } from "node:test";
import { placeLabels } from "../../static/js/chart_marks.js";
import { barOf, dayBreaks, drawn, fillMarks, newOnes, vwap } from "../../static/js/series.js";
import { countdown, nextWords, shareOfDay, worldNow, zoneShift } from "../../static/js/clock.js";

const label = (y, width = 100) => ({ words: "Buy 500 at 42.13", y, width });

test("a label takes the first free place: left, right, middle; above, then below", () => {
  const [one, two] = placeLabels([label(100), label(102)], 800, 400);
  assert.equal(one.x, 12);
  assert.equal(two.x, 800 - 12 - 100, "the left is taken, so the right");
});

test("a label keeps off the candles while a free place exists", () => {
  const candles = [{ left: 0, right: 400, top: 60, bottom: 140 }];
  const [one] = placeLabels([label(100)], 800, 400, candles);
  assert.ok(one.x >= 400);
});

test("a line at the very top has its words beneath", () => {
  const [one] = placeLabels([label(4)], 800, 400);
  assert.ok(one.baseline > 4);
});

const bars = drawn([{ t: 0, o: "10", h: "12", l: "9", c: "11", v: "100" }, { t: 60, o: "11", h: "14", l: "11", c: "14", v: "300" }, { t: 86_400, o: "14", h: "15", l: "13", c: "14", v: "0" }], () => 0);

test("VWAP weighs typical prices by volume and begins anew with the day", () => {
  const line = vwap(bars);
  assert.ok(Math.abs(line[0].value - 32 / 3) < 1e-9);
  assert.ok(Math.abs(line[1].value - ((32 / 3) * 100 + 13 * 300) / 400) < 1e-9);
  assert.equal(line[2].value, undefined, "a day without volume has none");
});

test("a day begins where the bars' date changes; bars of a day have no breaks", () => {
  assert.deepEqual(dayBreaks([...bars, { time: 86_460 }]), [86_400]);
  assert.deepEqual(dayBreaks([{ time: 0 }, { time: 86_400 }, { time: 172_800 }]), []);
});

test("fills of one bar and side become one triangle at the candle's edge", () => {
  const fills = [{ at: "1970-01-01T00:01:05Z", side: "buy", qty: "900" }, { at: "1970-01-01T00:01:50Z", side: "buy", qty: "1300" }, { at: "1970-01-01T00:00:10Z", side: "sell", qty: "100" }];
  const marks = fillMarks(fills, bars, (ms) => ms / 1000, BigInt);
  assert.deepEqual(marks, [{ time: 60, side: "buy", qty: 2200n, at: 11 }, { time: 0, side: "sell", qty: 100n, at: 12 }]);
  assert.equal(barOf(bars, -1), null);
});

test("world time runs with its speed and stands when paused", () => {
  const phase = { now: "2026-11-02T10:00:00Z", speed: 60, paused: false };
  assert.equal(worldNow(phase, 1_000, 2_000) - Date.parse(phase.now), 60_000);
  assert.equal(worldNow({ ...phase, paused: true }, 1_000, 9_000), Date.parse(phase.now));
});

test("the countdown is read in world time", () => {
  assert.equal(countdown(2_664_000), "44:24");
  assert.equal(countdown(7_511_000), "2:05:11");
  const phase = { phase: "continuous", next_phase: "closed", next_change: "2026-11-02T11:00:00Z" };
  assert.equal(nextWords(phase, Date.parse("2026-11-02T10:15:36Z")), "closes in 44:24");
  assert.equal(nextWords({ ...phase, next_change: null }, 0), "");
});

test("the market's wall clock is its zone's, not the browser's", () => {
  const noon = Date.parse("2026-11-02T04:00:00Z");
  assert.equal(zoneShift(noon, "Asia/Shanghai"), 8 * 3_600_000);
  assert.equal(shareOfDay(noon, "Asia/Shanghai"), 0.5);
});

test("a trade that comes moves one row of the tape, another symbol's tape is written anew", () => {
  const [a, b, c] = [{ seq: 1 }, { seq: 2 }, { seq: 3 }];
  assert.equal(newOnes([c, b, a], a, 40), 2);
  assert.equal(newOnes([a], a, 40), 0);
  assert.equal(newOnes([c, b], a, 40), 40);
  assert.equal(newOnes([], null, 40), 40);
});
