import assert from "node:assert/strict";
import { test } from "node:test";
import { fold } from "../../static/js/fold.js";

const order = (id, version, status, more = {}) => ({ id, version, status, ...more });
const empty = { epoch: "e1", version: 0, portfolio: { id: 7, status: "opening" }, orders: [], fills: [], positions: [], balances: [] };

test("rows come in whole and replace the older ones by their key", () => {
  const one = fold(empty, { orders: [order("a", 1, "new")], balances: [{ asset: "CNY", posted: "10.00" }] }, 1);
  const two = fold(one, { orders: [order("a", 2, "filled")], fills: [{ id: "5", order_id: "a" }], positions: [{ symbol: "NLB", qty: "100" }], balances: [{ asset: "CNY", posted: "6.00" }], portfolio: { status: "active" } }, 2);
  assert.equal(two.version, 2);
  assert.deepEqual(two.orders, [order("a", 2, "filled")]);
  assert.deepEqual(two.balances, [{ asset: "CNY", posted: "6.00" }]);
  assert.deepEqual(two.portfolio, { id: 7, status: "active" });
  assert.deepEqual(one.fills, [], "the former desk is untouched");
});

test("an order that comes late does not undo a newer one", () => {
  const now = fold(empty, { orders: [order("a", 3, "filled")] }, 3);
  assert.equal(fold(now, { orders: [order("a", 2, "partially_filled")] }, 4).orders[0].status, "filled");
});

test("open orders stand first, newest first, and only fifty ended ones are kept", () => {
  let desk = empty;
  for (let n = 10; n < 70; n += 1) desk = fold(desk, { orders: [order(`o${n}`, 1, "canceled")] }, n);
  desk = fold(desk, { orders: [order("o05", 1, "new")] }, 70);
  assert.equal(desk.orders[0].id, "o05");
  assert.equal(desk.orders[1].id, "o69");
  assert.equal(desk.orders.length, 51);
});

test("the newest fill is first although ids outgrow their digits", () => {
  const desk = fold(empty, { fills: [{ id: "999" }, { id: "1000" }] }, 1);
  assert.deepEqual(desk.fills.map((fill) => fill.id), ["1000", "999"]);
});

test("old snapshot and messages make the same desk in any grouping", () => {
  const messages = [
    { orders: [order("a", 1, "new")], fills: [], positions: [], balances: [{ asset: "CNY", posted: "9" }] },
    { orders: [order("b", 1, "new")], fills: [{ id: "1" }], positions: [{ symbol: "NLB", qty: "1" }], balances: [] },
    { orders: [order("a", 2, "filled"), order("b", 2, "canceled")], fills: [{ id: "2" }], positions: [{ symbol: "NLB", qty: "2" }], balances: [{ asset: "CNY", posted: "8" }] },
  ];
  const stepwise = messages.reduce((desk, data, index) => fold(desk, data, index + 1), empty);
  const again = messages.reduce((desk, data, index) => fold(desk, data, index + 1), fold(empty, messages[0], 1));
  assert.deepEqual(again, stepwise);
});
