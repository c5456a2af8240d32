// The part of the ticket for what an order may ask beyond price and quantity: stops, trails, a last
// day, protective legs. Fields are shown only where they mean something.
import { computed, effect, signal } from "@preact/signals-core";
import { worldNow, zoneShift } from "./clock.js";
import { attribute, text } from "./dom.js";
import { grouped } from "./money.js";
import { t } from "./phrases.js";
import { phase, world } from "./store.js";

const DAY_MS = 86_400_000;
const LASTS_MS = 7 * DAY_MS; // what "until a day" begins with
const RESTS = ["day", "gtc", "gtd"];
const $ = (id) => document.getElementById(id);

export const plain = (value) => value.trim().replace(/[,\s_，]/g, "").replace("−", "-");
export const isNumber = (value) => /^\d+(\.\d+)?$/.test(value ?? "") && /[1-9]/.test(value);

export const then = signal("market"); // what a stop becomes when it is reached: market | limit
const trailBy = signal("percent"); // percent | price
const stop = signal("");
const profit = signal("");
const loss = signal("");
const until = signal("");
const postOnly = signal(false);
const reduceOnly = signal(false);

// The kind of order by the ticket's four words.
export const kindOf = (type) => ({ stop: then.value === "limit" ? "stop_limit" : "stop", trailing: "trailing_stop" })[type] ?? type;
export const hasLimit = (type) => ["limit", "stop_limit"].includes(kindOf(type));

// Which legs may be asked for: both with what buys, a stop loss beside a limit sell.
export const legsOf = (type, side) => (side === "buy" ? { profit: ["limit", "market"].includes(type), loss: ["limit", "market"].includes(type) } : { profit: false, loss: type === "limit" });

const chosen = (type, side) => {
  const may = legsOf(type, side);
  return { profit: may.profit ? plain(profit.value) : "", loss: may.loss ? plain(loss.value) : "" };
};

// Times in force that fit: stops and orders with legs wait; a market order does not.
export function times(type, side) {
  const legs = chosen(type, side);
  if (legs.profit || legs.loss || ["stop", "trailing"].includes(type)) return RESTS;
  return type === "market" ? ["day", "ioc", "fok", "opg", "cls"] : [...RESTS, "ioc", "fok", "opg", "cls"];
}

// A limit order that may rest can be one that never takes.
export const mayPost = (type, inForce) => type === "limit" && RESTS.includes(inForce);

// The fields of the order; {} for a plain one.
export function termsOf(type, side, inForce) {
  const [at, legs] = [plain(stop.value), chosen(type, side)];
  const fields = {};
  if (type === "stop") fields.stop_price = at;
  if (type === "trailing") fields[trailBy.value === "percent" ? "trail_percent" : "trail_price"] = at;
  if (inForce === "gtd") fields.expires_at = instant(until.value, world.timezone);
  if (postOnly.value && mayPost(type, inForce)) fields.post_only = true;
  if (reduceOnly.value) fields.reduce_only = true;
  if (legs.profit) fields.take_profit = { limit_price: legs.profit };
  if (legs.loss) fields.stop_loss = { stop_price: legs.loss };
  if (legs.profit || legs.loss) fields.order_class = side === "sell" ? "oco" : legs.profit && legs.loss ? "bracket" : "oto";
  return fields;
}

export function isComplete(type, side, inForce) {
  const legs = chosen(type, side);
  const needed = [...(["stop", "trailing"].includes(type) ? [plain(stop.value)] : []), ...[legs.profit, legs.loss].filter(Boolean)];
  return needed.every(isNumber) && (inForce !== "gtd" || Boolean(until.value));
}

// The instant of a wall-clock time in the world's zone, RFC 3339; "" of nothing.
export function instant(local, zone) {
  const asUtc = Date.parse(`${local}Z`);
  return Number.isNaN(asUtc) ? "" : new Date(asUtc - zoneShift(asUtc - zoneShift(asUtc, zone), zone)).toISOString();
}

function aWeekOn() {
  const row = phase.peek();
  const now = row ? worldNow(row, row.heardAt) : Date.now();
  return new Date(now + LASTS_MS + zoneShift(now + LASTS_MS, world.timezone)).toISOString().slice(0, 16);
}

const summary = (type, side) => {
  const legs = chosen(type, side);
  return [legs.profit && grouped(legs.profit), legs.loss && grouped(legs.loss)].filter(Boolean).join(" / ") || t("none");
};

export function forgetLegs() {
  profit.value = loss.value = stop.value = "";
  postOnly.value = reduceOnly.value = false;
}

// type, side, inForce: signals of the ticket.
export function showTerms(form, { type, side, inForce }) {
  const words = computed(() => ({ stop: t("Stop at"), trailing: t("Trails by") })[type.value] ?? "");
  effect(() => {
    form.querySelector('[data-field="stop_price"]').hidden = !words.value;
    text($("stop-name"), words.value);
    for (const button of form.querySelectorAll("[data-then]")) {
      button.hidden = type.value !== "stop";
      attribute(button, "aria-pressed", button.dataset.then === then.value);
    }
    for (const button of form.querySelectorAll("[data-trail]")) {
      button.hidden = type.value !== "trailing";
      attribute(button, "aria-pressed", button.dataset.trail === trailBy.value);
    }
  });
  effect(() => {
    const may = legsOf(type.value, side.value);
    $("legs").hidden = !may.profit && !may.loss;
    form.querySelector('[data-field="take_profit"]').hidden = !may.profit;
    text($("legs-note"), summary(type.value, side.value));
  });
  effect(() => {
    form.querySelector('[data-field="expires_at"]').hidden = inForce.value !== "gtd";
    if (inForce.value === "gtd" && !until.peek()) $("f-until").value = until.value = aWeekOn();
  });
  effect(() => {
    form.querySelector('[data-only="post"]').hidden = !mayPost(type.value, inForce.value);
    form.elements.post_only.checked = postOnly.value;
    form.elements.reduce_only.checked = reduceOnly.value;
  });
  effect(() => {
    for (const [id, value] of [["f-stop", stop], ["f-profit", profit], ["f-loss", loss]]) if ($(id).value !== value.value) $(id).value = value.value;
  });
  listen(form);
}

function listen(form) {
  for (const [id, value] of [["f-stop", stop], ["f-profit", profit], ["f-loss", loss], ["f-until", until]]) $(id).addEventListener("input", (event) => (value.value = event.target.value));
  for (const [name, value] of [["post_only", postOnly], ["reduce_only", reduceOnly]]) form.elements[name].addEventListener("change", (event) => (value.value = event.target.checked));
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.then) then.value = button.dataset.then;
    if (button?.dataset.trail) trailBy.value = button.dataset.trail;
  });
}
