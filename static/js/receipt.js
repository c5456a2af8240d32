// The receipt: one sentence in plain words, then the lines that add up to it.
import { effect, signal } from "@preact/signals-core";
import { get } from "./api.js";
import { feeName, ledger } from "./clerk.js";
import { clockTime } from "./clock.js";
import { h } from "./dom.js";
import { writeNote } from "./journal.js";
import { grouped, parse, percent, show } from "./money.js";
import { t } from "./phrases.js";
import { desk, instruments, world } from "./store.js";
import { filledWords, kindWords, priceWords, timeWords } from "./words.js";
import { cashExponent } from "./worth.js";
import { trim } from "./ladder.js";

export const shownOrder = signal(null); // id

const some = (decimal) => /[1-9]/.test(decimal ?? "");
const time = (at) => (typeof at === "number" ? clockTime(Math.floor(at / 1e6), world.timezone) : clockTime(Date.parse(at), world.timezone));
const section = (name, ...content) => h("section", { class: "sec" }, h("h3", {}, name), h("div", {}, ...content));
const row = (left, right) => h("div", { class: "ends" }, h("span", {}, left), h("span", { class: "num" }, right));

// The first line: what happened, with the numbers of the lines below.
export function title(order) {
  if (some(order.filled_qty)) return filledWords(order);
  const facts = { qty: grouped(order.qty), symbol: order.symbol, limit: priceWords(order) };
  const buys = order.side === "buy";
  if (order.waits === "stop") return t(buys ? "Waiting: buy {qty} {symbol}, {limit}" : "Waiting: sell {qty} {symbol}, {limit}", facts);
  const what = { rejected: buys ? "Refused: buy {qty} {symbol} at {limit}" : "Refused: sell {qty} {symbol} at {limit}", canceled: buys ? "Cancelled: buy {qty} {symbol} at {limit}" : "Cancelled: sell {qty} {symbol} at {limit}", expired: buys ? "Expired: buy {qty} {symbol} at {limit}" : "Expired: sell {qty} {symbol} at {limit}" };
  return t(what[order.status] ?? (buys ? "Resting: buy {qty} {symbol} at {limit}" : "Resting: sell {qty} {symbol} at {limit}"), facts);
}

// How it came about, in one to three short sentences.
export function story(order, fills, receipt) {
  const sentences = [];
  const buys = order.side === "buy";
  const limit = grouped(order.limit_price);
  if (order.stop_price) sentences.push(t(order.triggered ? "The market reached your stop." : "It waits for the market to reach {stop}.", { stop: grouped(order.stop_price) }));
  else sentences.push(!order.limit_price ? t(buys ? "You bought at the best prices there were." : "You sold at the best prices there were.") : t(buys ? "You were ready to pay {limit}." : "You asked for at least {limit}.", { limit }));
  const first = fills.filter((fill) => fill.at === fills[0]?.at);
  const later = fills.slice(first.length);
  const sum = (rows) => trim(rows.reduce((all, fill) => show(parse(all, 8) + parse(fill.qty, 8), 8), "0"));
  const atOnce = fills.length && Date.parse(fills[0].at) - Date.parse(order.submitted_at) < 1_000;
  if (first.length && atOnce) sentences.push(first.length > 1 ? t("{levels} executions gave {qty} shares at once.", { levels: first.length, qty: grouped(sum(first)) }) : t("The book gave {qty} shares at once.", { qty: grouped(sum(first)) }));
  const waited = atOnce ? later : fills;
  if (waited.length) sentences.push(t("{qty} waited {time} in the queue until the market came.", { qty: grouped(sum(waited)), time: spell(Date.parse(waited.at(-1).at) - Date.parse(order.submitted_at)) }));
  if (receipt?.rule?.text && order.status !== "filled") sentences.push(receipt.rule.text);
  return sentences.join(" ");
}

function spell(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  return seconds < 120 ? t("{n} seconds", { n: seconds }) : t("{n} minutes", { n: Math.round(seconds / 60) });
}

function quoteSection(quote, listed) {
  if (!quote) return null;
  const [price, size] = [(value) => decimal(value, listed.price_exponent), (value) => trim(decimal(value, listed.qty_exponent))];
  const touch = (side, level) => level && h("span", {}, `${t(side)} `, h("b", {}, grouped(price(level[0]))), ` ${t("for {n}", { n: grouped(size(level[1])) })}`);
  const age = quote.age_ms_max ? t("{n} ms old, {most} allowed", { n: grouped(String(quote.age_ms)), most: grouped(String(quote.age_ms_max)) }) : t("{n} ms old", { n: grouped(String(quote.age_ms)) });
  const source = [quote.source, quote.source_seq ? grouped(String(quote.source_seq)) : quote.seq, quote.made ? t("depth made up by rule") : ""].filter(Boolean).join(" ");
  return section(t("Quote used"), quote.bid || quote.ask ? row(touch("Bid", quote.bid) ?? "", touch("Ask", quote.ask) ?? "") : null, row(source, age));
}

// The stored receipt keeps the touch as whole numbers; the rows of the API are decimals.
const decimal = (value, exponent) => (typeof value === "number" ? show(BigInt(value), exponent) : value);

function levelsSection(levels, order) {
  if (!levels?.length) return null;
  const most = levels.reduce((best, level) => (parse(level.size, 8) > best ? parse(level.size, 8) : best), 1n);
  const wide = (value) => `width:${Number((parse(value, 8) * 1000n) / most) / 10}%`;
  const line = (level) => {
    const taken = some(level.taken);
    return h("div", { class: taken ? null : "t3" }, h("span", { class: "num" }, grouped(level.price)), h("span", { class: "num" }, grouped(level.size)), h("span", { class: taken ? "num you" : "num" }, taken ? grouped(level.taken) : t("none")), h("span", { class: "bx" }, h("i", { style: wide(level.size) }), taken ? h("u", { style: wide(level.taken) }) : null));
  };
  const beyond = levels.findIndex((level) => !some(level.taken));
  const limit = order.limit_price && beyond >= 0 ? [h("div", { class: "lim" }, h("span", {}, t("your limit {price}", { price: grouped(order.limit_price) })))] : [];
  const rows = levels.map(line);
  if (beyond >= 0) rows.splice(beyond, 0, ...limit);
  return section(t("Levels walked"), h("div", { class: "lv" }, h("div", { class: "hd" }, ...[order.side === "buy" ? t("Ask") : t("Bid"), t("Shown"), t("Taken")].map((name) => h("span", { class: "num" }, name)), h("span")), ...rows));
}

function queueSection(order, receipt) {
  const ahead = receipt?.queue_ahead;
  if (!order.limit_price || (!some(ahead) && !some(order.queue_ahead)) ) return null;
  const left = trim(show(parse(order.qty, 8) - parse(order.filled_qty, 8), 8));
  const [a, b] = [parse(order.queue_ahead ?? ahead, 8), parse(some(left) ? left : order.qty, 8)];
  const share = Number((a * 100n) / (a + b || 1n));
  return section(t("Queue"), h("div", { class: "q" }, h("span", { class: "q-a", style: `flex:${share}` }), h("span", { class: "q-y", style: `flex:${100 - share}` })), row(t("{n} ahead of you", { n: grouped(order.queue_ahead ?? ahead) }), h("span", { class: "you" }, t("{n} yours at {price}", { n: grouped(some(left) ? left : order.qty), price: grouped(order.limit_price) }))));
}

function ruleSection(receipt) {
  const rule = receipt?.rule;
  if (!rule?.text) return null;
  const dated = rule.stated ? [h("p", {}, rule.stated), h("p", { class: "t3" }, rule.source), h("p", { class: "t3" }, rule.row)] : [];
  return section(t("Rule that bound"), h("p", {}, h("b", {}, rule.text)), ...dated);
}

function moneySection(order, fills) {
  if (!fills.length) return null;
  const exponent = cashExponent(desk.peek().portfolio.currency);
  const sum = (pick) => fills.reduce((total, fill) => total + parse(pick(fill), exponent), 0n);
  const names = [...new Set(fills.flatMap((fill) => fill.fees.map((fee) => fee.name)))];
  const feeSum = (name) => fills.reduce((total, fill) => total + fill.fees.filter((fee) => fee.name === name).reduce((part, fee) => part + parse(fee.amount, exponent), 0n), 0n);
  const [cash, fee] = [sum((fill) => fill.cash), sum((fill) => fill.fee)];
  const buys = order.side === "buy";
  const rates = new Map(fills.flatMap((fill) => (fill.receipt?.fees ?? []).map((line) => [line.name, line])));
  const label = (name) => {
    const line = rates.get(name);
    const rate = line?.rate_ppb ? ` ${trim(show(BigInt(line.rate_ppb), 7))}%` : "";
    return feeName(name) + rate + (some(line?.least) ? t(", at least {n}", { n: grouped(line.least) }) : "");
  };
  const rows = [[t("{n} shares at {price}", { n: grouped(order.filled_qty), price: grouped(order.filled_avg_price) }), grouped(show(cash, exponent))], ...names.map((name) => [label(name), grouped(show(feeSum(name), exponent))])];
  return section(t("Money"), ledger(rows, buys ? [t("Cash paid"), grouped(show(cash + fee, exponent))] : [t("Cash received"), grouped(show(cash - fee, exponent))]));
}

function fillsSection(fills) {
  if (fills.length < 2) return null;
  return section(t("Fills"), ...fills.map((fill) => row(`${time(fill.at)}, ${fill.against === "player" ? t("a player") : t("the market")}`, t("{n} at {price}", { n: grouped(fill.qty), price: grouped(fill.price) }))));
}

function subtitle(order) {
  const end = order.filled_at ?? order.canceled_at ?? order.expired_at ?? order.failed_at;
  const sent = t("Sent {time}", { time: time(order.submitted_at) });
  return `${kindWords(order)}, ${timeWords(order)}. ${sent}${end ? t(", complete {time}", { time: time(end) }) : ""}.`;
}

const takenBack = (fill) => h("p", { class: "warn" }, t("{n} at {price} were taken back, and do not count: {reason}", { n: grouped(fill.qty), price: grouped(fill.price), reason: fill.taken_back.reason }));

function content({ order, receipt, fills }) {
  const levels = fills.flatMap((fill) => fill.receipt?.levels ?? []);
  const quote = fills[0]?.receipt?.quote ?? receipt?.quote;
  const filledShare = some(order.filled_qty) && order.filled_qty !== order.qty ? h("p", {}, t("{filled} of {qty} filled ({share}%)", { filled: grouped(order.filled_qty), qty: grouped(order.qty), share: percent(parse(order.filled_qty, 8), parse(order.qty, 8)) })) : null;
  return [
    h("div", { class: "dr-h" }, h("h2", {}, title(order)), h("p", {}, subtitle(order)), filledShare),
    h("p", { class: "dr-say" }, story(order, fills, receipt)),
    ...fills.filter((fill) => fill.taken_back).map(takenBack),
    quoteSection(quote, instruments.get(order.symbol)), levelsSection(levels.length ? levels : receipt?.levels, order), queueSection(order, receipt), ruleSection(fills.length && order.status === "filled" ? (fills.at(-1).receipt ?? receipt) : receipt), moneySection(order, fills), fillsSection(fills),
  ];
}

let opener = null;

export function openReceipt(id) {
  opener = opener ?? document.activeElement;
  shownOrder.value = id;
}

export function closeReceipt() {
  shownOrder.value = null;
  opener?.focus?.();
  opener = null;
}

function bar(id) {
  const ids = (desk.peek()?.orders ?? []).map((order) => order.id).sort();
  const at = ids.indexOf(id);
  const go = (words, target) => h("button", { type: "button", disabled: !target, onclick: () => (shownOrder.value = target) }, words);
  return h("div", { class: "dr-n" }, h("span", {}, t("Receipt, order {id}", { id: id.slice(-6) })), h("span", { class: "dr-k" }, go(t("Earlier"), ids[at - 1]), go(t("Later"), ids[at + 1]), h("button", { type: "button", onclick: closeReceipt }, h("span", { class: "by-key" }, "Esc"), h("span", { class: "by-hand" }, t("Close")))));
}

export function showDrawer(box, frame) {
  let opened = null;
  effect(() => {
    const id = shownOrder.value;
    const order = desk.value?.orders.find((one) => one.id === id);
    box.hidden = !id;
    frame.classList.toggle("with-drawer", Boolean(id));
    if (!id) return (opened = null);
    const version = `${id} ${order?.version}`;
    if (opened === version) return;
    const fresh = !opened?.startsWith(id);
    opened = version;
    load(box, id, fresh, () => opened === version);
  });
}

async function load(box, id, fresh, still) {
  if (fresh) box.replaceChildren(bar(id));
  try {
    const answer = await get(`/api/v1/orders/${id}/receipt`);
    if (!still()) return;
    const csv = h("a", { class: "you", download: `order-${id}.json`, href: URL.createObjectURL(new Blob([JSON.stringify(answer.body, null, 2)], { type: "application/json" })) }, t("Save the receipt"));
    box.replaceChildren(bar(id), ...content(answer.body).filter(Boolean), h("div", { class: "dr-f" }, h("button", { type: "button", onclick: () => writeNote(answer.body.order) }, t("Write in the journal")), csv));
    box.classList.toggle("fresh", fresh);
    if (fresh) box.querySelector(".dr-k button:last-child").focus({ preventScroll: true });
  } catch (error) {
    if (still()) box.replaceChildren(bar(id), h("p", { class: "dr-say" }, error.message));
  }
}

