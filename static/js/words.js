// How an order is told in a few words: what it waits for, at which price, and whose leg it is.
import { grouped } from "./money.js";
import { t } from "./phrases.js";

export const STATUS = {
  new: "resting", partially_filled: "partly filled", filled: "filled", canceled: "cancelled",
  rejected: "refused", expired: "expired", suspended: "waiting", held: "held",
};
const WAITS = { stop: "waits for its stop", auction: "waits for the auction", phase: "waits for trading", quote: "waits for a quote", parent: "waits for its entry" };
const LEGS = { take_profit: "take profit", stop_loss: "stop loss" };
const KINDS = { stop: "Stop order", stop_limit: "Stop limit order", trailing_stop: "Trailing stop" };
const TIMES = { day: "day", gtc: "until cancelled", gtd: "until a day", ioc: "at once or cancel", fok: "all at once or nothing", opg: "opening auction", cls: "closing auction" };

// An order whose stop has not been reached yet.
export const isArmed = (order) => Boolean(order.stop_price) && !order.triggered;

// The price that matters now: of a stop that waits its stop, else its limit; null at the market.
export const linePrice = (order) => (isArmed(order) ? order.stop_price : order.limit_price);

export const trailWords = (order) => (order.trail_percent ? `${grouped(order.trail_percent)}%` : grouped(order.trail_price));

// "42.13", "market", "stop 41.20": for a narrow column.
export const shortPrice = (order) => (isArmed(order) ? t("stop {stop}", { stop: grouped(order.stop_price) }) : order.limit_price ? grouped(order.limit_price) : t("market"));

// The same with what follows: "stop 41.20, limit 41.10", "stop 41.20, trails 2%"
export function priceWords(order) {
  if (!isArmed(order)) return shortPrice(order);
  const [stop, limit] = [grouped(order.stop_price), order.limit_price && grouped(order.limit_price)];
  if (order.type === "trailing_stop") return t("stop {stop}, trails {trail}", { stop, trail: trailWords(order) });
  return limit ? t("stop {stop}, limit {limit}", { stop, limit }) : shortPrice(order);
}

function waitWords(order) {
  if (order.waits !== "stop") return t(WAITS[order.waits] ?? STATUS[order.status] ?? order.status);
  if (order.status === "held") return t("beside its take profit");
  if (order.type === "trailing_stop") return t("trails the market by {trail}", { trail: trailWords(order) });
  return order.limit_price ? t("waits for its stop, then {limit}", { limit: grouped(order.limit_price) }) : t(WAITS.stop);
}

// "take profit, resting", "trails the market by 2%"
export function statusWords(order) {
  const waits = waitWords(order);
  return order.leg && LEGS[order.leg] ? t("{leg}, {status}", { leg: t(LEGS[order.leg]), status: waits }) : waits;
}

export function kindWords(order) {
  if (KINDS[order.type]) return `${t(KINDS[order.type])}, ${priceWords({ ...order, triggered: false })}`;
  return order.type === "market" ? t("Market order") : t("Limit {price}", { price: grouped(order.limit_price) });
}

export const timeWords = (order) => t(TIMES[order.time_in_force] ?? order.time_in_force);

// "Bought 200 ALB at 13.605": all of an order that is filled so far, at its average price.
export function filledWords({ side, filled_qty, symbol, filled_avg_price }) {
  const facts = { qty: grouped(filled_qty), symbol, price: grouped(filled_avg_price) };
  return t(side === "buy" ? "Bought {qty} {symbol} at {price}" : "Sold {qty} {symbol} at {price}", facts);
}

const TOLD_MOST = 3;

// New fills, newest first, as one line: each of their orders once, with all it has got by now (a
// market order takes several levels, and they may come one by one); of many orders the newest.
// An order that is no longer among the desk's is told fill by fill.
export function fillsWords(fills, orders) {
  const known = new Map(orders.map((order) => [order.id, order]));
  const alone = (fill) => [fill.id, { ...fill, filled_qty: fill.qty, filled_avg_price: fill.price }];
  const touched = new Map(fills.map((fill) => (known.has(fill.order_id) ? [fill.order_id, known.get(fill.order_id)] : alone(fill))));
  const told = [...touched.values()].slice(0, TOLD_MOST).map(filledWords);
  return [...told, ...(touched.size > TOLD_MOST ? ["…"] : [])].join(" · ");
}

// Legs after the order they came with, the newest family first.
export function families(orders) {
  const root = (order) => order.parent_id ?? order.id;
  const rank = (order) => (order.parent_id ? 1 : 0);
  return [...orders].sort((a, b) => compare(root(b), root(a)) || rank(a) - rank(b) || compare(a.id, b.id));
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
