// The desk: ties its parts together. Each part reads the store; only this file knows them all.
import { effect } from "@preact/signals-core";
import { makeChart } from "./chart.js";
import * as feeds from "./feeds.js";
import { showBadge, showClock, showMoney } from "./header.js";
import { showInstrument } from "./instrument.js";
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
import { neighbour, showWatchlist } from "./watchlist.js";

const $ = (id) => document.getElementById(id);
const frame = $("desk");
const INTERVALS = ["1m", "5m", "15m", "1h", "1d"];
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
    feeds.followInstrument(symbol, interval);
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
  feeds.followInstrument(store.selected.peek(), value);
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
    say(`${words} ${error.message}`);
    store.notices.value = [{ code: "LOCAL", text: `${words} ${error.message}` }];
  }
}

async function cancel(order, button) {
  button.disabled = true;
  await act(send.cancel(order), t("Not cancelled."));
  button.disabled = false;
}

const replace = (order, changes) => act(send.replace(order, changes).then((answer) => store.applyOrder(answer.body)), t("Not changed."));

const close = (symbol, share) => act(send.closePosition(symbol, share).then(onDecided), t("Not sent."));

function onDecided(order) {
  if (!order) return;
  store.applyOrder(order);
  frame.classList.remove("ticket-open");
  say(title(order));
  if (order.status === "rejected") openReceipt(order.id);
  else if (!["filled", "canceled", "expired"].includes(order.status)) tab.value = "orders";
}

function openTicket(side) {
  ticket.setSide(side);
  frame.classList.add("ticket-open");
  if (matchMedia("(max-width: 860px)").matches) ticket.focusQuantity();
}

// --- the page ------------------------------------------------------------------------------------------
showClock();
showMoney();
showBadge();
showRules();
showNotices($("notices"));
showMargin($("margin"), $("margin-call"), () => feeds.askDesk());
showInstrument($("instrument"));
showWatchlist($("watchlist"), $("search"), choose);
showLadder($("depth"), ticket.setPrice);
showPhoneLadder($("depth-phone"));
showTape($("tape"), $("tape-note"));
showBooks($("panel"), $("tab-note"), { choose, close, openReceipt, cancel, replace, shownOrder });
showOwn($("own"), { openOrdersTab: () => { tab.value = "orders"; view("orders"); } });
showDrawer($("drawer"), frame);
ticket.showTicket({ onDecided });

feeds.followWorld();
feeds.followPortfolio();
chooseInterval(interval);
feeds.start();

makeChart($("chart"), { interval, layers }).then((made) => {
  chart = made;
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
  ...INTERVALS.map((value, index) => ({ key: String(index + 1), shown: "1 – 5", words: index ? "" : "Interval of the chart", does: () => chooseInterval(value) })),
  { key: "p", shown: "P", words: "Positions", does: () => (tab.value = "positions") },
  { key: "o", shown: "O", words: "Open orders", does: () => (tab.value = "orders") },
  { key: "f", shown: "F", words: "Fills", does: () => (tab.value = "fills") },
  { key: "Escape", always: true, shown: "Esc", words: "Close what is open", does: escape },
  { key: "?", shown: "?", words: "These keys", does: () => showKeys(KEYS) },
];
bindKeys(KEYS);
