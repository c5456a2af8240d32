// What the page knows, as signals. Messages come in through `apply…`; views read and are painted
// at most once per frame.
import { batch, computed, signal } from "@preact/signals-core";
import { fold } from "./fold.js";
import { portfolioFigures } from "./worth.js";

const TRADES_KEPT = 60;
const BARS_KEPT = 3_000;

export const page = JSON.parse(document.getElementById("page")?.textContent ?? "{}");
export const world = page.world ?? {};
export const instruments = new Map((page.instruments ?? []).map((row) => [row.symbol, row]));

export const selected = signal(page.symbol ?? page.instruments?.[0]?.symbol ?? "");
export const phase = signal(page.phase ? { ...page.phase, heardAt: Date.now() } : null);
export const desk = signal(page.desk ?? null);
export const link = signal({ state: "connecting", roundTripMs: null, forMs: 0 });
export const depth = signal(null);
export const trades = signal([]);
export const bars = signal([]); // of the selected symbol and interval, ascending by t
export const second = signal(0); // ticks once a second: clocks and ages read it
export const notices = signal([]);
export const halts = signal(Object.fromEntries((page.instruments ?? []).filter((row) => row.halted).map((row) => [row.symbol, row.halt_reason]))); // symbol → why

const quotes = new Map(Object.entries(page.quotes ?? {}).map(([symbol, row]) => [symbol, signal(row)]));

export function quote(symbol) {
  if (!quotes.has(symbol)) quotes.set(symbol, signal(null));
  return quotes.get(symbol);
}

export const instrument = computed(() => instruments.get(selected.value) ?? null);
export const figures = computed(() =>
  desk.value ? portfolioFigures(desk.value, (symbol) => quote(symbol).value, (symbol) => instruments.get(symbol)) : null,
);
// Whether every holding has a price here: until then its worth is not known, and none is shown.
const boardHeard = signal(false);
export const priced = computed(() => {
  const held = (desk.value?.positions ?? []).filter((row) => /[1-9]/.test(row.qty));
  return held.every((row) => instruments.has(row.symbol) && (boardHeard.value || quote(row.symbol).value));
});
export const openOrders = computed(() => (desk.value?.orders ?? []).filter((order) => !order.closed && isOpenStatus(order.status)));

function isOpenStatus(status) {
  return ["new", "partially_filled", "suspended", "held"].includes(status);
}

export function applyQuotes(rows) {
  for (const [symbol, row] of Object.entries(rows)) {
    const known = quote(symbol);
    if (row && !(known.peek()?.seq > row.seq)) known.value = row;
  }
}

// The quotes of the whole world: what has none now has never had one.
export function applyBoard(rows) {
  applyQuotes(rows);
  boardHeard.value = true;
}

export function applyPhase(row) {
  phase.value = { ...row, heardAt: Date.now() };
}

export function applyDesk(data, { snapshot, offset }) {
  if (!snapshot && data.notices?.length) notices.value = data.notices;
  desk.value = snapshot ? data : fold(desk.peek(), data, offset);
}

// An order that the HTTP answer brought: the stream brings it too, and its cash; whichever is newer stays.
export function applyOrder(order) {
  if (desk.peek()) desk.value = fold(desk.peek(), { orders: [order] });
}

export function applyTrades(data, snapshot) {
  const rows = [...data.trades].reverse();
  trades.value = (snapshot ? newestFirst(rows) : [...rows, ...trades.peek()]).slice(0, TRADES_KEPT);
}

const newestFirst = (rows) => rows.sort((a, b) => b.seq - a.seq);

// Bars come as a snapshot (the last ones), one by one (the forming one), or as older history.
export function mergeBars(known, rows) {
  const byTime = new Map(known.map((bar) => [bar.t, bar]));
  for (const bar of rows) byTime.set(bar.t, bar);
  return [...byTime.values()].sort((a, b) => a.t - b.t).slice(-BARS_KEPT);
}

export function applyBars(data) {
  const rows = data.bars ?? [data.bar];
  const known = bars.peek();
  const last = known[known.length - 1];
  if (rows.length === 1 && last && rows[0].t >= last.t) {
    bars.value = rows[0].t === last.t ? [...known.slice(0, -1), rows[0]] : [...known, rows[0]];
  } else bars.value = mergeBars(known, rows);
}

// --- painting ----------------------------------------------------------------------------------
const waiting = [];
let scheduled = false;

// Runs `change` with others in one batch, before the next frame; a hidden tab waits a second.
export function soon(change) {
  waiting.push(change);
  if (scheduled) return;
  scheduled = true;
  if (document.hidden) setTimeout(flush, 1_000);
  else requestAnimationFrame(flush);
}

export function flush() {
  scheduled = false;
  const changes = waiting.splice(0);
  batch(() => changes.forEach((change) => change()));
}

document.addEventListener?.("visibilitychange", () => !document.hidden && waiting.length && flush());
