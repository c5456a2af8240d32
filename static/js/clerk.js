// What the ticket says about an order before it is sent: cost and fees as a ledger with a sentence,
// or a refusal with the arithmetic and the nearest order that would pass.
import { h } from "./dom.js";
import { grouped, parse, show } from "./money.js";
import { t } from "./phrases.js";
import { reason } from "./reasons.js";
import { trailWords } from "./words.js";
import { cashExponent, valueOf } from "./worth.js";

const NONE = (decimal) => !/[1-9]/.test(decimal ?? "");
const FEES = { commission: "Commission", stamp_duty: "Stamp duty", stamp: "Stamp duty", transfer: "Transfer fee", transfer_fee: "Transfer fee", handling: "Handling fee", regulatory: "Regulatory fee" };

export const feeName = (name) => t(FEES[name] ?? name);

export function ledger(rows, sum) {
  const line = ([name, value, kind]) => h("div", { class: kind }, h("span", {}, name), h("span", { class: "num" }, value));
  return h("div", { class: "led" }, ...rows.filter(Boolean).map(line), sum ? line([sum[0], sum[1], "sum"]) : null);
}

// order: {side, type, qty, limit_price}; seen: the answer of the preview; listed: the instrument.
export function estimate(order, seen, listed) {
  const exponent = cashExponent(listed.currency);
  const buys = order.side === "buy";
  const worst = order.limit_price ?? seen.collar; // what it may trade at
  const rest = NONE(seen.rests_qty) ? null : valueOf(parse(seen.rests_qty, listed.qty_exponent), parse(worst, listed.price_exponent), listed);
  const reserved = parse(seen.reserved_cash, exponent);
  const fills = !NONE(seen.filled_qty);
  const [one, other] = order.limit_price || fills ? (buys ? ["Cost", "Cost of what rests"] : ["Proceeds", "Proceeds of what rests"]) : buys ? ["Cost, at most", ""] : ["Proceeds, at least", ""];
  const rows = [];
  if (fills) rows.push([t(rest === null ? one : buys ? "Cost at once" : "Proceeds at once"), grouped(seen.cash)], ...seen.fees.map((fee) => [feeName(fee.name), grouped(fee.amount), "fee"]));
  if (rest !== null) rows.push([t(fills ? other : one), grouped(show(rest, exponent))]);
  if (rest !== null && buys) rows.push([t(fills ? "Fees of what rests, at most" : "Fees, at most"), grouped(show(reserved - rest, exponent)), "fee"]);
  const sum = total(seen, rest, reserved, buys, exponent);
  return h("div", {}, ledger(rows, sum), ledger([[t("Free cash after"), grouped(seen.free_cash_after)]]), h("p", { class: "say verdict" }, [verdict(order, seen, listed), legsVerdict(order)].filter(Boolean).join(" ")));
}

function total(seen, rest, reserved, buys, exponent) {
  const [cash, fee] = [parse(seen.cash, exponent), parse(seen.fee, exponent)];
  const filled = !NONE(seen.filled_qty);
  if (buys) {
    const name = filled && rest !== null ? t("Paid and reserved") : filled ? t("Paid") : t("Reserved");
    return [name, grouped(show(cash + fee + reserved, exponent))];
  }
  return filled ? [t("Received"), grouped(show(cash - fee, exponent))] : [t("Received when filled, before fees"), grouped(show(rest ?? 0n, exponent))];
}

// One sentence, from the same numbers as the lines.
export function verdict(order, seen, listed) {
  const facts = { filled: grouped(seen.filled_qty), rests: grouped(seen.rests_qty), canceled: grouped(seen.canceled_qty), ahead: grouped(seen.queue_ahead), price: grouped(order.limit_price), average: average(seen, listed) };
  const [fills, rests, cancels] = [!NONE(seen.filled_qty), !NONE(seen.rests_qty), !NONE(seen.canceled_qty)];
  const ahead = !NONE(seen.queue_ahead);
  if (seen.waits === "stop") return stopVerdict(order, seen);
  if (seen.waits === "auction") return t(order.time_in_force === "opg" ? "Takes part in the opening auction, and in nothing else." : "Takes part in the closing auction, and in nothing else.");
  if (seen.own_order) return t("Would meet an order of your own: what reaches it is cancelled.");
  if (seen.waits === "phase") return t("Would wait at {price} until the market matches again.", facts);
  if (seen.waits === "quote") return t("Would wait at {price} for a fresh quote.", facts);
  if (fills && rests) return t("{filled} at once at {average}; the other {rests} would rest at {price}.", facts);
  if (fills && cancels) return t("{filled} at once at {average}; the other {canceled} would be cancelled.", facts);
  if (fills) return t("Would fill at once at {average}, as the book stands.", facts);
  if (rests) return ahead ? t("Would rest at {price} with {ahead} shares ahead.", facts) : t("Would rest at {price}, first in line.", facts);
  return t("Nothing would fill now, and nothing would rest.");
}

function stopVerdict(order, seen) {
  const buys = order.side === "buy";
  const facts = { stop: grouped(seen.stop_price), price: grouped(order.limit_price), trail: trailWords(order) };
  if (order.type === "trailing_stop") return t(buys ? "Its stop stays {trail} above the lowest price from now on: {stop} to begin with." : "Its stop stays {trail} below the highest price from now on: {stop} to begin with.", facts);
  if (order.type === "stop_limit") return t(buys ? "Waits for a trade at {stop} or above, then buys at {price} or better." : "Waits for a trade at {stop} or below, then sells at {price} or better.", facts);
  return t(buys ? "Waits for a trade at {stop} or above, then buys at the market." : "Waits for a trade at {stop} or below, then sells at the market.", facts);
}

function legsVerdict({ order_class: kind, take_profit: profit, stop_loss: loss }) {
  const facts = { profit: grouped(profit?.limit_price), loss: grouped(loss?.stop_price) };
  if (kind === "oco") return t("A trade at {loss} or below sells at the market instead.", facts);
  if (profit && loss) return t("What it buys is offered at {profit}, and sold at the market at {loss} or below.", facts);
  if (profit) return t("What it buys is offered at {profit}.", facts);
  return loss ? t("What it buys is sold at the market at {loss} or below.", facts) : "";
}

function average(seen, listed) {
  const levels = (seen.levels ?? []).filter((level) => !NONE(level.taken));
  if (levels.length === 1) return grouped(levels[0].price);
  const [price, size] = [listed.price_exponent, listed.qty_exponent];
  let [value, qty] = [0n, 0n];
  for (const level of levels) {
    const taken = parse(level.taken, size);
    value += parse(level.price, price) * taken;
    qty += taken;
  }
  return qty ? grouped(show((value * 10n + qty / 2n) / qty, price + 1)) : "";
}

// The amber page: what is possible, why not this, the arithmetic.
export function refusal(seen, books, listed) {
  const lines = arithmetic(seen.refusal.code, books, listed, seen.refusal);
  return h("section", { class: "refuse", role: "alert" }, h("h3", {}, heading(seen, listed)), h("p", { class: "say" }, sentence(seen.refusal, listed)), ...(lines ? [lines] : []), ruleLine(seen.refusal));
}

// Where a refusal is explained in the guide.
const CHAPTERS = { INSUFFICIENT_CASH: "money", INSUFFICIENT_SELLABLE: "money", INSUFFICIENT_MARGIN: "money", MARKET_CLOSED: "orders", BAD_EXPIRY: "orders", NO_FRESH_PRICE: "orders" };

// The rule as its book states it, with its source, and the page of the guide.
function ruleLine({ code, rule }) {
  const stated = rule?.stated ? h("span", { title: rule.source ?? "" }, `${rule.stated} (${rule.source})`) : "";
  return h("p", { class: "rule-l" }, stated, " ", h("a", { class: "lnk", href: `/help/#${CHAPTERS[code] ?? "rules"}` }, t("In the guide")));
}

const HEADINGS = {
  BAD_EXPIRY: "Not sent. It would have expired already.",
  MARKET_CLOSED: "Not sent. The market takes no such order now.",
  NO_FRESH_PRICE: "Not sent. There is no fresh price to trade at.",
  ACCOUNT_FROZEN: "Not sent. Your portfolio is frozen.",
  EXCEEDS_LIMIT: "Not sent. This is more than one order may hold.",
  UNSUPPORTED: "Not sent. This cannot be traded here.",
};

function heading(seen, listed) {
  const nearest = seen.nearest;
  const qty = nearest && grouped(nearest.qty);
  const { code } = seen.refusal;
  if (code === "INSUFFICIENT_SELLABLE") return nearest ? t("Not sent. You can sell {qty} {symbol} now.", { qty, symbol: listed.symbol }) : t("Not sent. You have no {symbol} to sell now.", { symbol: listed.symbol });
  if (code === "INSUFFICIENT_CASH") return nearest ? t("Not sent. Your cash buys {qty} {symbol}.", { qty, symbol: listed.symbol }) : t("Not sent. Your free cash buys no lot of it.");
  if (code === "BAD_QTY_OR_LOT") return t("Not sent. {symbol} is bought in lots of {lot}.", { symbol: listed.symbol, lot: grouped(listed.lot) });
  if (code === "BAD_TICK_SIZE") return t("Not sent. Prices of {symbol} step by {tick}.", { symbol: listed.symbol, tick: listed.tick });
  if (code === "PRICE_OUT_OF_BAND" && nearest?.limit_price) return t("Not sent. The price may be {price} at the furthest.", { price: grouped(nearest.limit_price) });
  return HEADINGS[code] ? t(HEADINGS[code]) : t("Not sent.");
}

// What a refusal says, from its own figures; one that has no sentence here comes as `reason` says it.
const SENTENCES = {
  BAD_QTY_OR_LOT: [["lot", "least_qty"], "The quantity must be a multiple of {lot} and at least {least_qty}."],
  PRICE_OUT_OF_BAND: [["limit_low", "limit_high"], "Today’s limits are {limit_low} to {limit_high}."],
  BAD_TICK_SIZE: [["tick"], "The price must be a positive multiple of {tick}."],
  EXCEEDS_LIMIT: [["qty_max"], "One order may be for at most {qty_max}."],
  INSUFFICIENT_CASH: [["needed", "free"], "It may cost up to {needed}, fees included; {free} is free."],
  INSUFFICIENT_SELLABLE: [["held", "bought_today", "reserved_qty"], "You hold {held} {symbol}; {bought_today} were bought today and {reserved_qty} are on offer already."],
};

export function sentence({ code, detail, facts = {} }, listed) {
  const [needs, words] = SENTENCES[code] ?? [[], ""];
  if (!words || !needs.every((name) => facts[name] !== undefined)) return reason(code, detail);
  if (code === "INSUFFICIENT_SELLABLE" && NONE(facts.bought_today) && NONE(facts.reserved_qty)) return t("You hold {held} {symbol}.", { held: grouped(facts.held), symbol: listed.symbol });
  return t(words, { ...Object.fromEntries(needs.map((name) => [name, grouped(facts[name])])), symbol: listed.symbol });
}

function arithmetic(code, { balance, position }, listed, { facts }) {
  if (code === "INSUFFICIENT_CASH" && balance) {
    const rows = [[t("Cash"), grouped(balance.posted)], [t("Reserved by open orders"), grouped(`-${balance.reserved}`)]];
    return h("div", {}, ledger(rows, [t("Free cash"), grouped(balance.available)]), facts?.needed ? ledger([[t("Needed, fees included"), grouped(facts.needed)]]) : "");
  }
  if (code === "INSUFFICIENT_SELLABLE" && position) {
    const rows = [[t("Held"), grouped(position.qty)], NONE(position.bought_today) ? null : [t("Bought today"), grouped(`-${position.bought_today}`)], NONE(position.reserved) ? null : [t("On offer"), grouped(`-${position.reserved}`)]];
    return ledger(rows, [t("Free to sell"), grouped(position.qty_available)]);
  }
  return null;
}

// "Buy 1,000 NLB at 42.16"
export function orderTitle(order) {
  const facts = { qty: grouped(order.qty), symbol: order.symbol, price: grouped(order.limit_price) };
  if (order.type === "trailing_stop") return t(order.side === "buy" ? "Buy {qty} {symbol}, stop trails by {trail}" : "Sell {qty} {symbol}, stop trails by {trail}", { ...facts, trail: trailWords(order) });
  if (order.stop_price) return t(order.side === "buy" ? "Buy {qty} {symbol}, stop {stop}" : "Sell {qty} {symbol}, stop {stop}", { ...facts, stop: grouped(order.stop_price) });
  if (order.type === "market") return t(order.side === "buy" ? "Buy {qty} {symbol} at market" : "Sell {qty} {symbol} at market", facts);
  return t(order.side === "buy" ? "Buy {qty} {symbol} at {price}" : "Sell {qty} {symbol} at {price}", facts);
}
