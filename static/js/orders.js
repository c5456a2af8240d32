// The books beneath the chart: positions, open orders, fills, ended orders.
import { computed, effect, signal } from "@preact/signals-core";
import { clockTime, dateOf } from "./clock.js";
import { figure, h, keyed, mark, text } from "./dom.js";
import { isOpen } from "./fold.js";
import { loadNotes, notes, notesTable } from "./journal.js";
import { amount, change, direction, grouped, parse, percent, show, signed } from "./money.js";
import { t } from "./phrases.js";
import { desk, figures, instruments, openOrders, quote, selected, world } from "./store.js";
import { positionFigures } from "./worth.js";
import { trim } from "./ladder.js";
import { nameOf } from "./watchlist.js";
import { STATUS, families, isArmed, priceWords, shortPrice, statusWords } from "./words.js";

const TABS = ["positions", "orders", "fills", "history", "journal"];
export const tab = signal("positions");
const width = signal(0);

const held = computed(() => (desk.value?.positions ?? []).filter((row) => /[1-9]/.test(row.qty)));
const ended = computed(() => (desk.value?.orders ?? []).filter((order) => !isOpen(order)));
const counts = computed(() => ({ positions: held.value.length, orders: openOrders.value.length, fills: desk.value?.fills.length ?? 0, history: ended.value.length, journal: notes.value?.length ?? 0 }));

const num = (...content) => h("td", { class: "num" }, ...content);
const when = (at) => {
  const [ms, zone] = [Date.parse(at), world.timezone];
  const today = dateOf(Date.now(), zone) === dateOf(ms, zone);
  return today ? clockTime(ms, zone) : `${dateOf(ms, zone)} ${clockTime(ms, zone).slice(0, 5)}`;
};
const sideCell = (side) => h("td", {}, mark(side === "buy" ? 1 : -1), side === "buy" ? t("Buy") : t("Sell"));

function head(columns) {
  return h("thead", {}, h("tr", {}, ...columns.map(([name, kind]) => h("th", { class: kind || null, scope: "col" }, name))));
}

function table(id, columns, foot = null) {
  const body = h("tbody");
  return Object.assign(h("table", { class: "grid", id }, head(columns), body, ...(foot ? [foot] : [])), { body });
}

// --- positions ---------------------------------------------------------------------------------
function positionsTable({ choose, close }) {
  const words = h("td", { colspan: "6" });
  const totals = Object.fromEntries(["value", "today", "unrealised", "share"].map((name) => [name, h("span")]));
  const muted = ["today", "unrealised"];
  const foot = h("tfoot", {}, h("tr", {}, words, ...Object.entries(totals).map(([name, node]) => h("td", { class: muted.includes(name) ? "num tot c-mid" : "num tot" }, node)), h("td")));
  const columns = [[t("Symbol")], [t("Name"), "c-name"], [t("Shares"), "num"], [t("Sellable now"), "num c-mid"], [t("Average cost"), "num c-mid"], [t("Last"), "num c-mid"], [t("Value"), "num"], [t("Today"), "num c-mid"], [t("Unrealised"), "num c-mid"], [t("Return"), "num"], ["", "num"]];
  const node = table("positions", columns, foot);
  const stop = effect(() => {
    keyed(node.body, held.value, (row) => row.symbol, (row) => positionRow(row, choose, close), updatePosition);
    const sums = figures.value;
    if (!sums) return;
    width.value; // columns come and go with it
    const shown = (cells) => [...cells].filter((cell) => cell.offsetParent !== null || !node.isConnected).length;
    words.colSpan = Math.max(1, shown(node.tHead.rows[0].cells) - shown(foot.rows[0].cells) + 1);
    const sentence = held.value.length === 1 ? "One position, cash {cash} of which {reserved} reserved" : "{n} positions, cash {cash} of which {reserved} reserved";
    text(words, t(sentence, { n: held.value.length, cash: amount(sums.cash, sums.exponent), reserved: amount(sums.reserved, sums.exponent) }));
    text(totals.value, amount(sums.value, sums.exponent));
    figure(totals.today, change(sums.today, sums.exponent), direction(sums.today));
    text(totals.unrealised, change(sums.unrealised, sums.exponent));
    figure(totals.share, `${signed(percent(sums.unrealised, sums.cost < 0n ? -sums.cost : sums.cost) ?? "0.00")}%`, direction(sums.unrealised), { triangle: true });
  });
  return { node, stop, empty: () => held.value.length === 0 };
}

const SHARES = [["25", "25%"], ["50", "50%"], ["100", "All"]];

// "Close it" asks how much of it; the answer sells that at the market.
function closing(symbol, close) {
  const button = (words, does, name) => h("button", { type: "button", class: "act", "data-act": name, onclick: (event) => { event.stopPropagation(); does(); } }, words);
  const cell = h("td", { class: "num acts", onkeydown: (event) => event.key === "Escape" && (event.stopPropagation(), rest()) });
  function rest() {
    cell.replaceChildren(button(t("Close it"), ask, "close"));
  }
  function ask() {
    cell.replaceChildren(...SHARES.map(([share, words]) => button(t(words), () => { rest(); close(symbol, share); }, `close-${share}`)));
    cell.firstChild.focus();
  }
  rest();
  return cell;
}

function positionRow(row, choose, close) {
  const names = ["qty", "free", "cost", "last", "value", "today", "unrealised", "share"];
  const cells = Object.fromEntries(names.map((name) => [name, h("span")]));
  const muted = { free: " c-mid", cost: " c-mid", last: " c-mid", today: " c-mid", unrealised: " c-mid" };
  const name = nameOf(instruments.get(row.symbol) ?? { name: "" });
  return Object.assign(
    h("tr", { "data-go": row.symbol, tabindex: "0", onclick: () => choose(row.symbol) }, h("td", { class: "b" }, row.symbol), h("td", { class: "t2 c-name nm-c" }, name), ...names.map((one) => h("td", { class: `num${muted[one] ?? ""}` }, cells[one])), closing(row.symbol, close)),
    { figures: cells },
  );
}

function updatePosition(node, row) {
  const listed = instruments.get(row.symbol);
  if (!listed) return;
  const cells = node.figures;
  const sums = positionFigures(row, quote(row.symbol).value, listed);
  const exponent = figures.value.exponent;
  node.classList.toggle("on", selected.value === row.symbol);
  text(cells.qty, grouped(row.qty));
  text(cells.free, grouped(row.qty_available));
  cells.free.className = row.qty_available === row.qty ? "t2" : "";
  text(cells.cost, grouped(shorter(row.avg_entry_price, listed.price_exponent + 1)));
  text(cells.last, grouped(sums.last));
  text(cells.value, amount(sums.value, exponent));
  figure(cells.today, change(sums.today, exponent), direction(sums.today));
  text(cells.unrealised, change(sums.unrealised, exponent));
  figure(cells.share, `${signed(percent(sums.unrealised, sums.cost < 0n ? -sums.cost : sums.cost) ?? "0.00")}%`, direction(sums.unrealised), { triangle: true });
}

// For reading only: an average price cut to so many decimals.
const shorter = (decimal, decimals) => decimal.replace(new RegExp(`(\\.\\d{${decimals}})\\d+$`), "$1");

// --- orders ------------------------------------------------------------------------------------
function ordersTable({ openReceipt, cancel, replace }) {
  const columns = [[t("Time"), "c-mid"], [t("Side")], [t("Symbol")], [t("Quantity"), "num"], [t("Filled"), "num c-mid"], [t("Price"), "num"], [t("Ahead"), "num c-mid"], [t("Reserved"), "num c-mid"], [t("Status"), "c-mid"], ["", "num"]];
  const node = table("orders", columns);
  const make = (order) => openRow(order, { openReceipt, cancel, replace });
  const stop = effect(() => keyed(node.body, families(openOrders.value), (order) => order.id, make, updateOpen));
  return { node, stop, empty: () => openOrders.value.length === 0 };
}

function openRow(order, { openReceipt, cancel, replace }) {
  const names = ["qty", "filled", "price", "ahead", "reserved", "status"];
  const cells = Object.fromEntries(names.map((name) => [name, h("span")]));
  const act = (name, words, does) => h("button", { type: "button", class: "act", "data-act": name, onclick: (event) => { event.stopPropagation(); does(node.order, node); } }, words);
  const buttons = [act("change", t("Change"), editRow(replace)), act("cancel", t("Cancel"), (now, row) => cancel(now, row.querySelector('[data-act="cancel"]')))];
  const node = h("tr", { "data-order": order.id, "data-go": "", tabindex: "0", onclick: () => openReceipt(order.id) }, h("td", { class: "t2 c-mid" }, when(order.submitted_at)), sideCell(order.side), h("td", { class: "b" }, order.symbol),
    num(cells.qty), h("td", { class: "num c-mid" }, cells.filled), num(cells.price), h("td", { class: "num c-mid" }, cells.ahead), h("td", { class: "num c-mid" }, cells.reserved), h("td", { class: "t2 c-mid" }, cells.status), num(...buttons));
  return Object.assign(node, { figures: cells, order });
}

function updateOpen(node, order) {
  node.order = order;
  if (node.editing) return;
  const cells = node.figures;
  text(cells.qty, grouped(order.qty));
  text(cells.filled, grouped(order.filled_qty));
  text(cells.price, shortPrice(order));
  node.classList.toggle("leg", Boolean(order.parent_id));
  text(cells.ahead, /[1-9]/.test(order.queue_ahead ?? "") ? grouped(order.queue_ahead) : "");
  text(cells.reserved, order.side === "buy" ? grouped(order.reserved_cash) : "");
  text(cells.status, statusWords(order));
}

// What of an open order may be changed, with the words for it and what stands there now.
function changeable(order) {
  const prices = [];
  if (isArmed(order) && order.type === "trailing_stop") prices.push(["trail", t("Trails by"), order.trail_percent ?? order.trail_price]);
  else if (isArmed(order)) prices.push(["stop_price", t("Stop at"), order.stop_price]);
  if (order.limit_price) prices.push(["limit_price", t("Price"), order.limit_price]);
  return { qty: order.parent_id ? [] : [["qty", t("Quantity"), order.qty]], price: prices };
}

// Prices and quantity become fields; Enter sends the change, Escape leaves it.
function editRow(replace) {
  return (order, row) => {
    if (row.editing) return row.finish();
    Object.assign(row, { editing: true, finish });
    const field = ([name, words, value]) => Object.assign(h("input", { name, value: value ?? "", inputmode: "decimal", "aria-label": words, onclick: (event) => event.stopPropagation() }), { was: value ?? "" });
    const may = changeable(order);
    const [qty, prices] = [may.qty.map(field), may.price.map(field)];
    if (qty.length) row.figures.qty.replaceChildren(...qty);
    if (prices.length) row.figures.price.replaceChildren(...prices);
    row.querySelector('[data-act="change"]').textContent = t("Send");
    row.onkeydown = (event) => {
      if (event.key === "Enter") finish();
      if (event.key === "Escape") leave(event);
    };
    [...prices, ...qty][0].select();
    function finish() {
      const changes = Object.fromEntries([...qty, ...prices].filter((one) => one.value.trim() !== one.was).map((one) => [one.name, one.value.trim()]));
      leave();
      if (Object.keys(changes).length) replace(order, changes);
    }
    function leave(event) {
      event?.stopPropagation();
      row.editing = false;
      row.onkeydown = null;
      row.querySelector('[data-act="change"]').textContent = t("Change");
      updateOpen(row, row.order);
    }
  };
}

// --- fills and ended orders ----------------------------------------------------------------------
function fillsTable({ openReceipt, shownOrder }) {
  const node = table("fills", [[t("Time")], [t("Side")], [t("Symbol")], [t("Shares"), "num"], [t("Price"), "num"], [t("Cash"), "num c-mid"], [t("Fees"), "num c-mid"], [t("Against"), "c-mid"]]);
  const make = (fill) =>
    h("tr", { "data-go": "", tabindex: "0", "data-of": fill.order_id, onclick: () => openReceipt(fill.order_id) }, h("td", { class: "t2" }, when(fill.at)), sideCell(fill.side), h("td", { class: "b" }, fill.symbol), num(grouped(fill.qty)), num(grouped(fill.price)),
      h("td", { class: "num c-mid" }, grouped(fill.cash)), h("td", { class: "num c-mid" }, grouped(fill.fee)), h("td", { class: "t2 c-mid" }, fill.reverses ? t("taken back") : fill.against === "player" ? t("a player") : t("the market")));
  const gone = () => new Set((desk.value?.fills ?? []).map((fill) => fill.reverses));
  const stop = effect(() => keyed(node.body, desk.value?.fills ?? [], (fill) => fill.id, make, (row, fill) => {
    row.classList.toggle("on", fill.order_id === shownOrder.value);
    row.classList.toggle("gone", gone().has(fill.id));
  }));
  return { node, stop, empty: () => !desk.value?.fills.length };
}

function historyTable({ openReceipt, shownOrder }) {
  const node = table("history", [[t("Time")], [t("Side")], [t("Symbol")], [t("Quantity"), "num"], [t("Filled"), "num"], [t("Limit"), "num"], [t("Average"), "num c-mid"], [t("Status")]]);
  const make = (order) =>
    h("tr", { "data-go": "", tabindex: "0", onclick: () => openReceipt(order.id) }, h("td", { class: "t2" }, when(order.updated_at)), sideCell(order.side), h("td", { class: "b" }, order.symbol), num(grouped(order.qty)), num(grouped(order.filled_qty)), num(shortPrice({ ...order, triggered: false })),
      h("td", { class: "num c-mid" }, grouped(order.filled_avg_price)), h("td", { class: order.status === "rejected" ? "warn" : "t2" }, t(STATUS[order.status] ?? order.status)));
  const stop = effect(() => keyed(node.body, ended.value, (order) => order.id, make, (row, order) => row.classList.toggle("on", order.id === shownOrder.value)));
  return { node, stop, empty: () => ended.value.length === 0 };
}

function journalTable(verbs) {
  loadNotes();
  const { node, fill } = notesTable(verbs);
  const stop = effect(fill);
  return { node, stop, empty: () => notes.value?.length === 0 };
}

const EMPTY = {
  positions: "You hold nothing yet. Choose an instrument, a quantity, and buy.",
  orders: "No order is waiting. A limit order away from the market rests here until it is filled.",
  fills: "Nothing has been filled yet. Each fill will have a receipt here.",
  history: "No order has ended yet.",
  journal: "Your journal is empty. N writes a note; a receipt has a button for one of its own.",
};

// verbs: {choose, close, openReceipt, cancel, replace, shownOrder}
export function showBooks(panel, note, verbs) {
  const build = { positions: () => positionsTable(verbs), orders: () => ordersTable(verbs), fills: () => fillsTable(verbs), history: () => historyTable(verbs), journal: () => journalTable(verbs) };
  const buttons = TABS.map((name) => document.getElementById(`t-${name}`));
  const empty = panel.querySelector(".empty") ?? h("p", { class: "empty" }); // the server’s, already painted
  let shown = null;
  new ResizeObserver(([entry]) => (width.value = Math.round(entry.contentRect.width))).observe(panel);
  effect(() => {
    const name = tab.value;
    shown?.stop();
    shown = build[name]();
    panel.replaceChildren(shown.node, empty);
    panel.setAttribute("aria-labelledby", `t-${name}`);
    buttons.forEach((button) => {
      const on = button.id === `t-${name}`;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
    });
  });
  effect(() => {
    for (const [name, count] of Object.entries(counts.value)) text(document.querySelector(`[data-count="${name}"]`), String(count));
    tab.value;
    empty.hidden = !shown.empty();
    shown.node.hidden = !empty.hidden;
    text(empty, t(EMPTY[tab.value]));
    text(note, lockedWords());
  });
  panel.addEventListener("keydown", (event) => event.key === "Enter" && event.target.matches("tr[data-go]") && event.target.click());
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => (tab.value = TABS[index]));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (index + step + TABS.length) % TABS.length;
      tab.value = TABS[next];
      buttons[next].focus();
    });
  });
}

// What was bought today and sleeps until tomorrow (T+1), "" when nothing does.
function lockedWords() {
  const locked = held.value.filter((row) => /[1-9]/.test(row.bought_today));
  if (!locked.length) return "";
  return t("Bought today, sellable tomorrow: {list}", { list: locked.map((row) => `${row.symbol} ${grouped(row.bought_today)}`).join(", ") });
}

// The phone's two lines under the depth: what is held here, and the first own order.
export function showOwn(box, { openOrdersTab }) {
  effect(() => {
    const symbol = selected.value;
    const listed = instruments.get(symbol);
    const row = held.value.find((one) => one.symbol === symbol);
    const mine = openOrders.value.filter((order) => order.symbol === symbol);
    const lines = [];
    if (row && listed) {
      const sums = positionFigures(row, quote(symbol).value, listed);
      const result = h("span");
      figure(result, change(sums.unrealised, figures.value.exponent), direction(sums.unrealised), { triangle: true });
      const part = (word, value) => h("span", {}, h("span", { class: "t3" }, word), " ", h("b", {}, value));
      lines.push(h("div", { class: "p-row" }, part(t("Held"), grouped(row.qty)), part(t("sellable"), grouped(row.qty_available)), part(t("at"), grouped(shorter(row.avg_entry_price, listed.price_exponent))), result));
    }
    if (mine.length) {
      const [first] = mine;
      const left = trim(show(parse(first.qty, listed.qty_exponent) - parse(first.filled_qty, listed.qty_exponent), listed.qty_exponent));
      const words = t(first.side === "buy" ? "Buy {qty} at {price}" : "Sell {qty} at {price}", { qty: grouped(left), price: priceWords(first) });
      lines.push(h("button", { type: "button", class: "p-row you", onclick: openOrdersTab }, h("span", {}, words), h("span", {}, mine.length > 1 ? t("{n} more", { n: mine.length - 1 }) : "")));
    }
    box.replaceChildren(...lines);
  });
}

