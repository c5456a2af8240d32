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

// Legs after the order they came with, the newest family first.
export function families(orders) {
  const root = (order) => order.parent_id ?? order.id;
  const rank = (order) => (order.parent_id ? 1 : 0);
  return [...orders].sort((a, b) => compare(root(b), root(a)) || rank(a) - rank(b) || compare(a.id, b.id));
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
