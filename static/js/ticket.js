// The order ticket: side, kind, price, quantity; what would happen; and sending it, once.
import { computed, effect, signal, untracked } from "@preact/signals-core";
import { Refused, post } from "./api.js";
import { estimate, orderTitle, refusal } from "./clerk.js";
import { attribute, h, text } from "./dom.js";
import { trim } from "./ladder.js";
import { available } from "./margin.js";
import { grouped, parse, read, show } from "./money.js";
import { t } from "./phrases.js";
import * as terms from "./terms.js";
import { isNumber, plain } from "./terms.js";
import * as send from "./send.js";
import { desk, instrument, link, openOrders, quote, selected } from "./store.js";
import { cashExponent } from "./worth.js";

const DEBOUNCE_MS = 180;
const REFRESH_MS = 3_000; // the book moves: what was said is asked again

const form = document.getElementById("ticket");
const priceField = document.getElementById("f-price");
const qtyField = document.getElementById("f-qty");
const outcome = document.getElementById("outcome");

const side = signal("buy");
const type = signal("limit");
const unit = signal("shares");
const tif = signal("day");
const price = signal("");
const amountText = signal("");
const seen = signal(null); // {order, answer} of the last preview
const told = signal(null); // what a sent order met: {title, detail}
const busy = signal(false);
export const oneClick = signal(false); // a click on the ladder sends at once; the quantity stays
const most = signal(null); // the largest quantity that would pass

const touch = (which) => quote(selected.value).value?.[which] ?? null;

// The quantity asked for, as a decimal string; "" while there is none.
const qty = computed(() => {
  const listed = instrument.value;
  const typed = plain(amountText.value);
  if (!listed || unit.value === "shares") return typed;
  if (unit.value === "percent") return partOf(most.value, typed, listed);
  const at = read(terms.hasLimit(type.value) ? plain(price.value) : touch(side.value === "buy" ? "ask" : "bid"), listed.price_exponent);
  const cash = read(typed, cashExponent(listed.currency));
  return at && cash ? trim(show(wholeLots(cash, at, listed), listed.qty_exponent)) : "";
});

// So many percent of the most that would pass, in whole lots; "" while either is unknown. Pure.
export function partOf(whole, typed, listed) {
  const [all, hundredths] = [whole && read(whole, listed.qty_exponent), read(typed, 2)];
  if (!all || !hundredths || hundredths > 10_000n) return "";
  const lot = parse(listed.lot, listed.qty_exponent);
  const part = ((all * hundredths) / 10_000n / lot) * lot;
  return part ? trim(show(part, listed.qty_exponent)) : "";
}

// The most whole lots that `cash` buys at `at`, fees aside; scaled.
function wholeLots(cash, at, listed) {
  const shift = listed.price_exponent + listed.qty_exponent - cashExponent(listed.currency);
  const lot = parse(listed.lot, listed.qty_exponent);
  const up = shift >= 0 ? cash * 10n ** BigInt(shift) : cash / 10n ** BigInt(-shift);
  return (up / (at * BigInt(listed.multiplier)) / lot) * lot;
}

const inForce = computed(() => (terms.times(type.value, side.value).includes(tif.value) ? tif.value : "day"));
const draft = computed(() => {
  const order = { symbol: selected.value, side: side.value, type: terms.kindOf(type.value), qty: qty.value, time_in_force: inForce.value, ...terms.termsOf(type.value, side.value, inForce.value) };
  return terms.hasLimit(type.value) ? { ...order, limit_price: plain(price.value) } : order;
});
const complete = computed(() => isNumber(draft.value.qty) && (!terms.hasLimit(type.value) || isNumber(draft.value.limit_price)) && terms.isComplete(type.value, side.value, inForce.value));
const same = (a, b) => a && b && JSON.stringify(a) === JSON.stringify(b);

// --- asking what would happen --------------------------------------------------------------------
let [asked, answered] = [0, 0];
let timer = null;

// A slow answer is shown although the next question is under way, as long as it is about what stands
// in the ticket now: else a page that asks faster than it is answered would never show one.
async function ask(order) {
  const mine = ++asked;
  const counts = () => mine > answered && same(order, draft.peek()) && (answered = mine);
  try {
    const answer = await post("/api/v1/orders/preview", order);
    if (counts()) news({ order, answer: answer.body });
  } catch (error) {
    if (counts()) news(error instanceof Refused && error.status < 500 ? { order, answer: { refusal: { code: error.code, detail: error.message, facts: {}, pointer: error.problem.errors?.[0]?.pointer }, nearest: onTick(order, error) } } : null);
  }
}

// Drawn anew only when it says something else: a link under the pointer stays.
function news(now) {
  if (!same(seen.peek(), now)) seen.value = now;
}

// A price with more digits than the instrument has: the next one it can have, never worse than asked.
function onTick(order, error) {
  if (error.problem.errors?.[0]?.pointer !== "/limit_price" || !order.limit_price) return null;
  const listed = instrument.peek();
  const [whole, rest = ""] = order.limit_price.split(".");
  if (rest.length <= listed.price_exponent) return null;
  const [cut, tick] = [parse(`${whole}.${rest.slice(0, listed.price_exponent)}`, listed.price_exponent), parse(listed.tick, listed.price_exponent)];
  const at = (cut / tick) * tick + (order.side === "sell" ? tick : 0n);
  return at > 0n ? { qty: order.qty, limit_price: show(at, listed.price_exponent) } : null;
}

// Own orders that hold what this sale needs: they can be withdrawn with one click.
function withdraw(known, listed) {
  const holders = openOrders.peek().filter((order) => order.symbol === listed.symbol && order.side === "sell");
  if (known.answer.refusal.code !== "INSUFFICIENT_SELLABLE" || !holders.length) return "";
  const act = async () => { await Promise.allSettled(holders.map((order) => send.cancel(order))); askSoon(0); };
  return h("p", { class: "rule-l" }, h("button", { type: "button", class: "lnk", onclick: act }, t(holders.length === 1 ? "Withdraw your other offer" : "Withdraw your {n} other offers", { n: holders.length })));
}

function askSoon(delay = DEBOUNCE_MS) {
  clearTimeout(timer);
  if (!complete.peek() || !desk.peek()) {
    seen.value = null;
    return;
  }
  timer = setTimeout(() => ask(draft.peek()), delay);
}

let mostTimer = null;

// The largest order that would pass: for a sale what is free, for a buy the nearest to too much.
async function askMost() {
  const [listed, books, order] = [instrument.peek(), desk.peek(), draft.peek()];
  if (!listed || !books) return null;
  const free = freeFor(books, listed, order.side);
  if (typeof free === "string") return free;
  const at = read(order.limit_price ?? order.stop_price ?? untracked(() => touch(order.side === "buy" ? "ask" : "bid")), listed.price_exponent);
  if (!at || free === null) return null;
  const tooMany = wholeLots(free, at, listed) + parse(listed.lot, listed.qty_exponent);
  const answer = await post("/api/v1/orders/preview", { ...order, qty: trim(show(tooMany, listed.qty_exponent)) }).catch(() => null);
  if (!answer) return null;
  return answer.body.refusal ? (answer.body.refusal.code === "INSUFFICIENT_CASH" ? (answer.body.nearest?.qty ?? "0") : null) : trim(show(tooMany, listed.qty_exponent));
}

// What closes is as much as there is, as a text; what opens has so much money, in minor units.
function freeFor(books, listed, way) {
  const held = books.positions.find((row) => row.symbol === listed.symbol)?.qty_available ?? "0";
  const { margin } = books.portfolio;
  const closes = /[1-9]/.test(held) && held.startsWith("-") === (way === "buy");
  if (closes || (way === "sell" && !margin)) return held.replace("-", "");
  if (margin) return available.peek() === null ? null : (available.peek() > 0n ? available.peek() * BigInt(listed.contract ? 20 : margin.leverage) : 0n);
  const balance = books.balances.find((row) => row.asset === listed.currency);
  return balance ? parse(balance.available, cashExponent(listed.currency)) : null;
}

function mostSoon() {
  clearTimeout(mostTimer);
  mostTimer = setTimeout(async () => (most.value = await askMost()), DEBOUNCE_MS * 2);
}

// --- what is shown ---------------------------------------------------------------------------------
function nearestOrder() {
  const known = seen.value;
  const nearest = known && same(known.order, draft.value) && known.answer.refusal ? known.answer.nearest : null;
  return nearest && { ...draft.value, qty: nearest.qty, ...(nearest.limit_price ? { limit_price: nearest.limit_price } : {}) };
}

const offWhy = computed(() => {
  const status = desk.value?.portfolio.status;
  if (status === "opening") return t("Your books are being opened.");
  if (status === "frozen") return t("Your portfolio is frozen: you can only cancel.");
  if (link.value.state === "lost") return t("The connection is lost: nothing can be sent.");
  return "";
});

function books() {
  const listed = instrument.value;
  return { balance: desk.value?.balances.find((row) => row.asset === listed.currency), position: desk.value?.positions.find((row) => row.symbol === listed.symbol) };
}

function showOutcome() {
  const [known, listed] = [seen.value, instrument.value];
  outcome.classList.toggle("old", Boolean(known) && !told.value && !same(known.order, draft.value));
  if (told.value) return outcome.replaceChildren(h("section", { class: "refuse", role: "alert" }, h("h3", {}, told.value.title), h("p", { class: "say" }, told.value.detail)));
  if (!known || !listed || known.order.symbol !== listed.symbol) return outcome.replaceChildren(h("p", { class: "say verdict" }, complete.value ? "" : t("Say how many, and at which price.")));
  outcome.replaceChildren(...(known.answer.refusal ? [refusal(known.answer, untracked(books), listed), withdraw(known, listed)] : [estimate(known.order, known.answer, listed)]));
}

function showButton() {
  const [button, order, nearest] = [document.getElementById("submit"), draft.value, nearestOrder()];
  const refused = seen.value && same(seen.value.order, order) && seen.value.answer.refusal;
  const target = nearest ?? order;
  button.disabled = Boolean(offWhy.value) || busy.value || !complete.value || Boolean(refused && !nearest);
  text(button.firstElementChild, complete.value ? orderTitle(target) : t(side.value === "buy" ? "Buy" : "Sell"));
  text(document.getElementById("off-why"), offWhy.value || (busy.value ? t("Sending …") : nearest ? t("The nearest order that would pass.") : ""));
  const bad = refused ? fieldOf(refused) : "";
  for (const field of form.querySelectorAll(".fld")) field.classList.toggle("bad", field.dataset.field === bad);
}

const ABOUT_QTY = ["INSUFFICIENT_CASH", "INSUFFICIENT_SELLABLE", "BAD_QTY_OR_LOT", "EXCEEDS_LIMIT"];
const OF_RULE = { stop_price: "stop_price", trail: "stop_price", expires_at: "expires_at", legs: "stop_loss", leg_prices: "stop_loss" };

// The field that a refusal speaks of, "" when it is of none.
function fieldOf({ code, rule, pointer }) {
  if (pointer) return pointer.split("/")[1].replace(/^trail_\w+$/, "stop_price");
  return OF_RULE[rule?.name] ?? (ABOUT_QTY.includes(code) ? "qty" : ["BAD_TICK_SIZE", "PRICE_OUT_OF_BAND"].includes(code) ? "limit_price" : "");
}

function showControls() {
  for (const button of form.querySelectorAll(".seg button")) attribute(button, "aria-pressed", button.value === side.value);
  for (const button of form.querySelectorAll("[data-type]")) attribute(button, "aria-pressed", button.dataset.type === type.value);
  for (const button of form.querySelectorAll("[data-unit]")) attribute(button, "aria-pressed", button.dataset.unit === unit.value);
  const limited = terms.hasLimit(type.value);
  priceField.disabled = !limited;
  priceField.value = limited ? price.value : t("best there is");
  if (document.activeElement !== qtyField || qtyField.value !== amountText.value) qtyField.value = amountText.value;
  const fits = terms.times(type.value, side.value);
  for (const option of form.elements.time_in_force.options) option.disabled = !fits.includes(option.value);
  if (form.elements.time_in_force.value !== inForce.value) form.elements.time_in_force.value = inForce.value;
  text(form.querySelector('[data-share="lot"]'), grouped(instrument.value?.lot));
  text(form.querySelector("[data-max]"), grouped(most.value));
}

function showTouch() {
  for (const which of ["bid", "ask"]) {
    const value = grouped(touch(which));
    for (const node of document.querySelectorAll(`[data-touch="${which}"]`)) text(node, node.closest(".ticket") ? (value ? `${t(which)} ${value}` : "") : value);
  }
}

// --- sending -----------------------------------------------------------------------------------------
async function submit(onDecided) {
  if (!document.getElementById("submit").disabled) await sendOrder(nearestOrder() ?? draft.peek(), onDecided);
}

// One click: the ticket's quantity at this price, as a limit order, without asking again.
export async function sendAt(way, at, onDecided) {
  side.value = way;
  if (type.peek() !== "limit") type.value = "limit";
  price.value = at;
  if (offWhy.peek() || busy.peek()) return;
  if (complete.peek()) await sendOrder(draft.peek(), onDecided);
  else told.value = { title: t("Not sent."), detail: t("Say how many first: one click sends the ticket's quantity.") };
}

async function sendOrder(order, onDecided) {
  busy.value = true;
  told.value = null;
  try {
    onDecided(decided(order, await send.place({ ...order, client_order_id: send.newClientOrderId() })));
  } catch (error) {
    told.value = { title: t("Not sent."), detail: error instanceof Refused ? error.message : t("The page could not send it: {why}", { why: error.message }) };
  } finally {
    busy.value = false;
    askSoon(0);
    mostSoon();
  }
}

function decided(order, result) {
  if (result.missing) told.value = { title: t("Not sent."), detail: t("The order never reached the exchange. You may send it again.") };
  else if (result.unknown) told.value = { title: t("Not known yet"), detail: t("No answer came, and nobody can be asked. Look at your orders before you send it again.") };
  else if (result.order.status === "rejected") told.value = { title: t("Refused by the exchange."), detail: t("Its receipt says why.") };
  else if (!oneClick.peek()) {
    amountText.value = "";
    terms.forgetLegs();
  }
  return result.order ?? null;
}

// --- for the others -----------------------------------------------------------------------------------
export function setSide(value) {
  side.value = value;
}

export function setPrice(value) {
  if (!terms.hasLimit(type.peek())) type.value = "limit";
  price.value = value;
  told.value = null;
}

function step(field, times) {
  const listed = instrument.peek();
  if (!listed) return;
  if (field === priceField) {
    const tick = parse(listed.tick, listed.price_exponent);
    const next = (read(plain(price.peek()), listed.price_exponent) ?? parse(untracked(() => touch("bid")) ?? "0", listed.price_exponent)) + BigInt(times) * tick;
    if (next > 0n) price.value = show(next, listed.price_exponent);
  } else if (unit.peek() === "shares") {
    const lot = parse(listed.lot, listed.qty_exponent);
    const next = (read(plain(amountText.peek()), listed.qty_exponent) ?? 0n) + BigInt(times) * lot;
    amountText.value = next > 0n ? trim(show(next, listed.qty_exponent)) : "";
  }
}

async function share(which) {
  const listed = instrument.peek();
  unit.value = "shares";
  if (which === "lot") {
    amountText.value = listed.lot;
    return;
  }
  const whole = (most.value = await askMost());
  const scaled = whole && read(whole, listed.qty_exponent);
  if (!scaled) return;
  const lot = parse(listed.lot, listed.qty_exponent);
  const part = which === "100" ? scaled : ((scaled * BigInt(which)) / 100n / lot) * lot;
  amountText.value = part ? trim(show(part, listed.qty_exponent)) : "";
}

function choosePrice() {
  const at = untracked(() => touch(side.peek() === "buy" ? "ask" : "bid")) ?? untracked(() => quote(selected.peek()).value?.last);
  if (at) price.value = at;
}

export function showTicket({ onDecided }) {
  terms.showTerms(form, { type, side, inForce });
  effect(showControls);
  effect(showTouch);
  effect(showOutcome);
  effect(showButton);
  effect(() => {
    draft.value;
    told.value = null;
    askSoon();
  });
  effect(() => {
    [selected.value, side.value, type.value, price.value, desk.value?.version];
    mostSoon();
  });
  effect(() => {
    selected.value;
    untracked(() => { amountText.value = ""; seen.value = null; terms.forgetLegs(); choosePrice(); });
  });
  effect(() => {
    side.value;
    untracked(choosePrice);
  });
  setInterval(() => seen.peek() && !busy.peek() && !document.hidden && askSoon(0), REFRESH_MS);
  listen(onDecided);
  const waiting = send.unanswered();
  if (waiting) send.askAbout(waiting.client_order_id).then((result) => result.order && onDecided(result.order));
}

function listen(onDecided) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(onDecided);
  });
  priceField.addEventListener("input", () => (price.value = priceField.value));
  qtyField.addEventListener("input", () => (amountText.value = qtyField.value));
  form.elements.time_in_force.addEventListener("change", (event) => (tif.value = event.target.value));
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || button.type === "submit") return;
    if (button.closest(".seg")) side.value = button.value;
    if (button.dataset.type) type.value = button.dataset.type;
    if (button.dataset.unit) unit.value = button.dataset.unit;
    if (button.dataset.share) share(button.dataset.share);
    if (button.dataset.touch) setPrice(untracked(() => touch(button.dataset.touch)) ?? price.peek());
  });
  for (const field of [priceField, qtyField]) {
    field.addEventListener("keydown", (event) => {
      const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!way) return;
      event.preventDefault();
      step(field, way * (event.shiftKey ? 10 : 1));
    });
  }
}

export const focusQuantity = () => qtyField.focus();
export const submitNow = () => form.requestSubmit();
