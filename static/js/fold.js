// Applies a message of the private topic to the desk: whole rows, by id, symbol or asset.
// old snapshot + messages = new snapshot.

const ORDERS_KEPT = 50; // closed ones, as in the snapshot
const FILLS_KEPT = 100;
export const OPEN = new Set(["new", "partially_filled", "suspended", "held", "pending_new", "accepted"]);

export const isOpen = (order) => OPEN.has(order.status);

function upsert(rows, changed, key, newer = () => true) {
  if (!changed?.length) return rows;
  const byKey = new Map(rows.map((row) => [row[key], row]));
  for (const row of changed) {
    const known = byKey.get(row[key]);
    if (!known || newer(row, known)) byKey.set(row[key], row);
  }
  return [...byKey.values()];
}

const descending = (key) => (a, b) => (a[key] < b[key] ? 1 : a[key] > b[key] ? -1 : 0);
const ascending = (key) => (a, b) => -descending(key)(a, b);
const newestFirst = (a, b) => (BigInt(a.id) < BigInt(b.id) ? 1 : -1);

function ordersAfter(rows, changed) {
  const all = upsert(rows, changed, "id", (row, known) => row.version >= known.version).sort(descending("id"));
  const closed = all.filter((row) => !isOpen(row)).slice(0, ORDERS_KEPT);
  return [...all.filter(isOpen), ...closed];
}

// Returns a new desk; `desk` stays as it was.
export function fold(desk, data, offset) {
  return {
    ...desk,
    version: offset ?? desk.version,
    orders: ordersAfter(desk.orders, data.orders),
    fills: upsert(desk.fills, data.fills, "id").sort(newestFirst).slice(0, FILLS_KEPT),
    positions: upsert(desk.positions, data.positions, "symbol").sort(ascending("symbol")),
    balances: upsert(desk.balances, data.balances, "asset").sort(ascending("asset")),
    portfolio: data.portfolio ? { ...desk.portfolio, ...data.portfolio } : desk.portfolio,
  };
}
