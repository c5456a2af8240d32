// The desk: ties its parts together. Each part reads the store; only this file knows them all.
import { effect } from "@preact/signals-core";
import { undoLast, tell } from "./toast.js";
import { waitingOf, watchAlerts } from "./alerts.js";
import { Refused } from "./api.js";
import { breath } from "./dom.js";
import { makeChart } from "./picture.js";
import * as feeds from "./feeds.js";
import { showBadge, showClock, showMoney } from "./header.js";
import { showInstrument } from "./instrument.js";
import { writeNote } from "./journal.js";
import { bindKeys, showKeys } from "./keys.js";
import { showLadder, showPhoneLadder } from "./ladder.js";
import { showBooks, showOwn, tab } from "./orders.js";
import { t } from "./phrases.js";
import { closeReceipt, openReceipt, showDrawer, shownOrder, title } from "./receipt.js";
import { sentence, showNotices } from "./notices.js";
import { showRules } from "./rules.js";
import { showMargin } from "./margin.js";
import * as send from "./send.js";
import * as store from "./store.js";
import { showTape } from "./tape.js";
import * as ticket from "./ticket.js";
import * as listing from "./lists.js";
import { STUDIES, kept } from "./studies.js";
import { neighbour, showWatchlist } from "./watchlist.js";
import { isArmed } from "./words.js";

const $ = (id) => document.getElementById(id);
const frame = $("desk");
const INTERVALS = ["1m", "5m", "15m", "1h", "1d", "1w"];
const ofBars = (value) => (value === "1w" ? "1d" : value); // weeks are folded from days
const layers = { orders: true, fills: true, vwap: true };

let interval = INTERVALS.includes(localStorage.getItem("simgame.interval")) ? localStorage.getItem("simgame.interval") : "1m";
let chart = null;

// --- choosing what is shown ------------------------------------------------------------------------
function choose(symbol) {
  if (!store.instruments.has(symbol)) return;
  if (symbol !== store.selected.peek()) {
    clearInstrument();
    store.selected.value = symbol;
    history.replaceState(null, "", `/desk/${encodeURIComponent(symbol)}/`);
    document.title = `${symbol} · ${t("Desk")} · SimGame`;
    feeds.followInstrument(symbol, ofBars(interval));
  }
  view("desk");
}

function clearInstrument() {
  store.depth.value = null;
  store.trades.value = [];
  store.bars.value = [];
  chart?.reset(interval);
}

function chooseInterval(value) {
  interval = value;
  localStorage.setItem("simgame.interval", value);
  for (const button of $("intervals").children) button.setAttribute("aria-pressed", String(button.value === value));
  store.bars.value = [];
  chart?.reset(value);
  feeds.followInstrument(store.selected.peek(), ofBars(value));
}

function view(name) {
  frame.dataset.view = name;
  for (const button of frame.querySelectorAll("[data-go]")) if (button.closest(".p-nav")) button.toggleAttribute("aria-current", button.dataset.go === name);
}

// --- acting ------------------------------------------------------------------------------------------
function say(words) {
  $("said").textContent = words;
}

async function act(promise, words) {
  try {
    await promise;
  } catch (error) {
    const told = error instanceof Refused ? `${words} ${error.message}` : t("No answer came: the list of your orders shows what was done.");
    say(told);
    tell(told);
  }
}

async function cancel(order, button) {
  button.disabled = true;
  await act(send.cancel(order), t("Not cancelled."));
  button.disabled = false;
}

const replace = (order, changes) => act(send.replace(order, changes).then((answer) => replaced(order, changes, answer.body)), t("Not changed."));

// What was changed can be changed back while the order waits.
function replaced(before, changes, order) {
  store.applyOrder(order);
  const back = Object.fromEntries(Object.keys(changes).filter((name) => before[name]).map((name) => [name, before[name]]));
  tell(t("Changed: {words}", { words: title(order) }), Object.keys(back).length && isWaiting(order) ? () => replace(newest(order), back) : null);
}

const newest = (order) => store.desk.peek().orders.find((one) => one.id === order.id) ?? order;
const isWaiting = (order) => !["filled", "canceled", "expired", "rejected"].includes(order.status);

function moveOrder(id, price) {
  const order = store.openOrders.peek().find((one) => one.id === id);
  if (order) replace(order, { [isArmed(order) ? "stop_price" : "limit_price"]: price });
}

async function cancelShown() {
  const mine = store.openOrders.peek().filter((order) => order.symbol === store.selected.peek());
  await act(Promise.all(mine.map((order) => send.cancel(order))), t("Not cancelled."));
  if (mine.length) tell(t("{n} orders in {symbol} are being cancelled.", { n: mine.length, symbol: store.selected.peek() }));
}

const close = (symbol, share) => act(send.closePosition(symbol, share).then(onDecided), t("Not sent."));

function onDecided(order) {
  if (!order) return;
  store.applyOrder(order);
  frame.classList.remove("ticket-open");
  say(title(order));
  if (order.status === "rejected") openReceipt(order.id);
  if (isWaiting(order)) tell(title(order), () => cancel(order, { disabled: false }));
  if (isWaiting(order)) tab.value = "orders";
}

function openTicket(side) {
  ticket.setSide(side);
  frame.classList.add("ticket-open");
  if (matchMedia("(max-width: 860px)").matches) ticket.focusQuantity();
}

// --- the page ------------------------------------------------------------------------------------------
// Part by part: between them the browser paints what there is, and hears a click.
showClock();
showMoney();
showBadge();
showInstrument($("instrument"));
await breath();
showWatchlist($("watchlist"), $("search"), choose);
await breath();
showLadder($("depth"), (price, level, event) => {
  if (!ticket.oneClick.peek()) return ticket.setPrice(price);
  const joins = level === "buy" ? "buy" : "sell"; // the row's own side; with Shift the other one, which takes
  ticket.sendAt(event.shiftKey ? (joins === "buy" ? "sell" : "buy") : joins, price, onDecided);
});
showPhoneLadder($("depth-phone"));
showTape($("tape"), $("tape-note"));
await breath();
ticket.showTicket({ onDecided });
showRules();
showNotices($("notices"));
showMargin($("margin"), $("margin-call"), () => feeds.askDesk());
await breath();
showBooks($("panel"), $("tab-note"), { choose, close, openReceipt, cancel, replace, shownOrder });
showOwn($("own"), { openOrdersTab: () => { tab.value = "orders"; view("orders"); } });
showDrawer($("drawer"), frame);

feeds.followWorld();
feeds.followPortfolio();
chooseInterval(interval);
feeds.start();

// Sends at the best price of the other side: one click by keyboard.
function take(way) {
  const at = store.quote(store.selected.peek()).peek()?.[way === "buy" ? "ask" : "bid"];
  if (!ticket.oneClick.peek()) return tell(t("Turn one-click orders on first: the switch is above the depth."));
  if (at) ticket.sendAt(way, at, onDecided);
}

$("one-click").addEventListener("change", (event) => {
  ticket.oneClick.value = event.target.checked;
  frame.classList.toggle("armed", event.target.checked);
  if (event.target.checked) tell(t("A click on a price of the depth now sends the ticket's quantity at once: on a bid it buys, on an ask it sells, with Shift the other way."));
});

watchAlerts($("alert"));
effect(() => $("watch-it").setAttribute("aria-pressed", String(listing.isWatched.value)));
$("watch-it").addEventListener("click", listing.toggleWatched);
$("edit-lists").addEventListener("click", listing.editLists);
effect(() => {
  const [select, shown] = [$("list"), listing.shownList.value];
  select.replaceChildren(...listing.lists.value.map((one) => new Option(one.name, one.id, false, one.id === shown?.id)));
  select.hidden = listing.lists.value.length < 1;
});
$("list").addEventListener("change", (event) => listing.choose(event.target.value));

function showStudies() {
  const box = $("studies");
  for (const button of box.querySelectorAll("[data-shape]")) button.setAttribute("aria-pressed", String(button.dataset.shape === (chart?.shape ?? "candles")));
  for (const button of box.querySelectorAll("[data-study]")) button.setAttribute("aria-pressed", String((chart?.studies.chosen ?? kept()).includes(button.dataset.study)));
}

for (const [name, words] of Object.entries(STUDIES)) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: t(words) });
  button.dataset.study = name;
  $("studies").append(button);
}
$("studies").addEventListener("click", (event) => {
  const { study, shape } = event.target.dataset;
  if (study) chart?.toggleStudy(study);
  if (shape) chart?.setShape(shape);
  showStudies();
});
showStudies();

const verbs = { onPrice: ticket.setPrice, onMove: moveOrder, alerts: waitingOf };
makeChart($("chart"), { interval, layers, verbs }).then((made) => {
  chart = made;
  showStudies();
  chart?.reset(interval);
  for (const button of frame.querySelectorAll("[data-layer]")) {
    button.hidden = !made;
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      chart.toggle(button.dataset.layer, on);
    });
  }
});

$("intervals").addEventListener("click", (event) => event.target.value && chooseInterval(event.target.value));
frame.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.openTicket) openTicket(button.dataset.openTicket);
  if ("closeTicket" in button.dataset) frame.classList.remove("ticket-open");
  if (button.closest(".p-nav")) view(button.dataset.go);
  if (button.dataset.book) showBook(button.dataset.book);
  if ("keys" in button.dataset) showKeys(KEYS);
});

function showBook(name) {
  frame.querySelector(".book").dataset.shown = name;
  for (const button of frame.querySelectorAll("[data-book]")) button.setAttribute("aria-pressed", String(button.dataset.book === name));
}

let lastNotice = "";
effect(() => {
  const [notice] = store.notices.value;
  if (notice && notice.text !== lastNotice) {
    lastNotice = notice.text;
    say(sentence(notice));
  }
});
effect(() => {
  const seq = store.depth.value?.seq;
  $("book-note").textContent = seq ? t("book {n}", { n: Number(seq).toLocaleString("en") }) : "";
});

function escape() {
  if (frame.classList.contains("ticket-open")) frame.classList.remove("ticket-open");
  else if (shownOrder.peek()) closeReceipt();
  else if (frame.dataset.view !== "desk") view("desk");
  else document.activeElement?.blur();
}

const KEYS = [
  { key: "/", shown: "/", words: "Search", does: () => { view(matchMedia("(max-width: 1100px)").matches ? "watch" : frame.dataset.view); $("search").focus(); } },
  { key: "b", shown: "B", words: "Buy", does: () => { ticket.setSide("buy"); ticket.focusQuantity(); } },
  { key: "s", shown: "S", words: "Sell", does: () => { ticket.setSide("sell"); ticket.focusQuantity(); } },
  { key: "", shown: "↑ ↓", words: "In price and quantity: by one tick, one lot (with Shift by ten)", does: () => {} },
  { key: "Enter", ctrl: true, always: true, shown: "Ctrl ↵", words: "Send the order", does: ticket.submitNow },
  { key: "j", shown: "J", words: "Next instrument", does: () => choose(neighbour(1)) },
  { key: "k", shown: "K", words: "Former instrument", does: () => choose(neighbour(-1)) },
  ...INTERVALS.map((value, index) => ({ key: String(index + 1), shown: "1 – 6", words: index ? "" : "Interval of the chart", does: () => chooseInterval(value) })),
  { key: "p", shown: "P", words: "Positions", does: () => (tab.value = "positions") },
  { key: "o", shown: "O", words: "Open orders", does: () => (tab.value = "orders") },
  { key: "f", shown: "F", words: "Fills", does: () => (tab.value = "fills") },
  { key: "g", shown: "G", words: "Journal", does: () => (tab.value = "journal") },
  { key: "n", shown: "N", words: "Write a note on today", does: () => writeNote() },
  { key: "w", shown: "W", words: "Watch the instrument, or no longer", does: listing.toggleWatched },
  { key: "a", shown: "A", words: "Alert on a price", does: () => $("alert").click() },
  { key: "z", shown: "Z", words: "Take back what was just sent, while it waits", does: undoLast },
  { key: "x", shown: "X", words: "Cancel every order of the instrument", does: cancelShown },
  { key: "b", shift: true, shown: "Shift B", words: "One-click orders: buy at the best offer", does: () => take("buy") },
  { key: "s", shift: true, shown: "Shift S", words: "One-click orders: sell at the best bid", does: () => take("sell") },
  { key: "Escape", always: true, shown: "Esc", words: "Close what is open", does: escape },
  { key: "?", shown: "?", words: "These keys", does: () => showKeys(KEYS) },
];
bindKeys(KEYS);
