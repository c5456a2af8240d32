// What the desk says of an order, and the fields that the ticket asks for.
import assert from "node:assert/strict";
import { test } from "node:test";

test("legs stand after the order they came with, the newest family first", async () => {
  const { families } = await import("../../static/js/words.js");
  const order = (id, parent_id = null) => ({ id, parent_id });
  const mixed = [order("1"), order("6", "4"), order("3"), order("5", "4"), order("4"), order("2b", "2")];
  assert.deepEqual(families(mixed).map((one) => one.id), ["4", "5", "6", "3", "2b", "1"]);
});

test("an armed stop is told by its stop, a triggered one by what it became", async () => {
  const { linePrice, priceWords, shortPrice, statusWords } = await import("../../static/js/words.js");
  const stop = { type: "stop_limit", status: "new", stop_price: "9.50", limit_price: "9.40", triggered: false, waits: "stop" };
  assert.equal(linePrice(stop), "9.50");
  assert.equal(priceWords(stop), "stop 9.50, limit 9.40");
  assert.equal(shortPrice({ ...stop, triggered: true }), "9.40");
  assert.equal(statusWords({ ...stop, leg: "stop_loss", status: "held" }), "stop loss, beside its take profit");
  assert.equal(statusWords({ type: "trailing_stop", status: "new", stop_price: "9.50", trail_percent: "2", waits: "stop" }), "trails the market by 2%");
  assert.equal(linePrice({ limit_price: null, stop_price: null }), null);
});

test("new fills are told as what their orders have got, not as the last level taken", async () => {
  const { fillsWords } = await import("../../static/js/words.js");
  const order = (id, side, filled_qty, filled_avg_price) => ({ id, side, symbol: "ALB", filled_qty, filled_avg_price });
  const fill = (id, order_id, side = "buy") => ({ id, order_id, side, symbol: "ALB", qty: "100", price: "13.60" });
  const taken = [order("1", "buy", "200", "13.605"), order("2", "sell", "1200", "13.59")];
  assert.equal(fillsWords([fill("12", "1"), fill("11", "1")], taken), "Bought 200 ALB at 13.605");
  assert.equal(fillsWords([fill("13", "2", "sell"), fill("12", "1")], taken), "Sold 1,200 ALB at 13.59 · Bought 200 ALB at 13.605");
  const gone = [fill("15", "9"), { ...fill("14", "9"), price: "13.59" }]; // their order is not among the desk's last
  assert.equal(fillsWords(gone, taken), "Bought 100 ALB at 13.60 · Bought 100 ALB at 13.59");
  const many = ["4", "5", "6", "7"].map((id) => fill(id, id));
  assert.equal(fillsWords(many, []).split(" · ").length, 4);
  assert.ok(fillsWords(many, []).endsWith("…"));
});
