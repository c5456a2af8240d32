// Alerts: on a price, told once when a trade reaches it, and on own fills. The server keeps them and
// looks for who is away; this page looks at every quote it hears.
import { effect, signal, untracked } from "@preact/signals-core";
import { call, get, post } from "./api.js";
import { attribute, h } from "./dom.js";
import { grouped, parse, read } from "./money.js";
import { t } from "./phrases.js";
import { openSheet } from "./rules.js";
import { desk, instrument, instruments, quote } from "./store.js";
import { tell } from "./toast.js";
import { fillsWords } from "./words.js";

const ASK_EVERY_MS = 15_000;
const OUTSIDE = "simgame.tell-outside";

export const alerts = signal([]);
export const waitingOf = (symbol) => alerts.value.filter((one) => one.symbol === symbol && !one.fired_at);

// Whether a trade at `last` reaches it. Pure.
export function reached(alert, last, exponent) {
  const [at, now] = [parse(alert.price, exponent), read(last ?? "", exponent)];
  if (now === null) return false;
  return alert.way === "above" ? now >= at : now <= at;
}

const told = new Set();

function fire(alert, price) {
  if (told.has(alert.id)) return;
  told.add(alert.id);
  say(t(alert.way === "above" ? "{symbol} has reached {price}, above your {alert}." : "{symbol} has fallen to {price}, below your {alert}.", { symbol: alert.symbol, price: grouped(price), alert: grouped(alert.price) }));
}

function say(words) {
  tell(words);
  document.getElementById("said").textContent = words;
  if (document.hidden && localStorage.getItem(OUTSIDE) && globalThis.Notification?.permission === "granted") new Notification("SimGame", { body: words });
}

async function load() {
  const answer = await get("/api/v1/alerts").catch(() => null);
  if (!answer) return; // asked again
  const rows = answer.body.alerts;
  const before = untracked(() => alerts.value);
  for (const row of rows) if (row.fired_at && before.some((one) => one.id === row.id && !one.fired_at)) fire(row, row.fired_price);
  alerts.value = rows;
}

// New fills since the page was opened.
function watchFills() {
  let known = null;
  effect(() => {
    const fills = desk.value?.fills ?? [];
    const fresh = known && fills.filter((fill) => !known.has(fill.id) && !fill.reverses);
    known = new Set(fills.map((fill) => fill.id));
    if (fresh?.length) untracked(() => say(fillsWords(fresh, desk.value.orders)));
  });
}

export function watchAlerts(button) {
  load();
  setInterval(() => !document.hidden && alerts.peek().some((one) => !one.fired_at) && load(), ASK_EVERY_MS);
  watchFills();
  effect(() => {
    for (const alert of alerts.value) {
      const listed = instruments.get(alert.symbol);
      if (alert.fired_at || !listed) continue;
      const last = quote(alert.symbol).value?.last;
      if (reached(alert, last, listed.price_exponent)) untracked(() => fire(alert, last));
    }
  });
  effect(() => attribute(button, "aria-pressed", waitingOf(instrument.value?.symbol).length > 0));
  button.addEventListener("click", open);
}

async function remove(alert, row) {
  await call("DELETE", `/api/v1/alerts/${alert.id}`).catch((error) => tell(error.message));
  row.remove();
  load();
}

function line(alert) {
  const words = t(alert.way === "above" ? "{symbol} at {price} or above" : "{symbol} at {price} or below", { symbol: alert.symbol, price: grouped(alert.price) });
  const state = alert.fired_at ? t("told at {price}", { price: grouped(alert.fired_price) }) : t("waits");
  const row = h("li", {}, h("span", {}, words), h("span", { class: "t3" }, state), h("button", { type: "button", class: "lnk" }, t("Remove")));
  row.lastChild.addEventListener("click", () => remove(alert, row));
  return row;
}

// The sheet: a price for the instrument that is shown, and what waits already.
function open() {
  const listed = instrument.peek();
  const now = quote(listed.symbol).peek()?.last ?? "";
  const price = h("input", { id: "f-alert", inputmode: "decimal", autocomplete: "off", value: now });
  const wrong = h("p", { class: "err", role: "alert", hidden: true });
  const list = h("ul", { class: "alerts" }, ...alerts.peek().map(line));
  const make = h("button", { type: "button", class: "btn quiet slim" }, t("Tell me"));
  const outside = h("input", { type: "checkbox", id: "f-outside" });
  outside.checked = Boolean(localStorage.getItem(OUTSIDE));
  outside.addEventListener("change", async () => {
    if (outside.checked) await globalThis.Notification?.requestPermission();
    if (outside.checked) localStorage.setItem(OUTSIDE, "1");
    else localStorage.removeItem(OUTSIDE);
  });
  make.addEventListener("click", async () => {
    wrong.hidden = true;
    try {
      const made = await post("/api/v1/alerts", { symbol: listed.symbol, price: price.value.replace(/,/g, "") });
      list.prepend(line(made.body));
      load();
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    }
  });
  price.addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), make.click()));
  openSheet(h("h2", {}, t("Alerts")), h("p", { class: "say" }, t("You are told once, when a trade reaches the price, and of every fill of yours.")),
    h("div", { class: "fld" }, h("label", { for: "f-alert" }, listed.symbol), price), wrong, h("p", {}, make), list,
    h("label", { class: "one" }, outside, " ", t("Tell me outside this page too, while it is hidden")));
  price.select();
}
