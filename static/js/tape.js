// The last trades of the market in the selected instrument, newest first.
import { effect } from "@preact/signals-core";
import { clockTime } from "./clock.js";
import { attribute, h, text } from "./dom.js";
import { grouped, parse, show } from "./money.js";
import { t } from "./phrases.js";
import { newOnes } from "./series.js";
import { instrument, selected, trades, world } from "./store.js";

const ROWS_MAX = 40;
const WINDOW_MS = 10_000;

// What was traded in the window that ends with the newest trade: a scaled BigInt. Pure.
export function recentSize(rows, qtyExponent, windowMs = WINDOW_MS) {
  const last = rows.length ? Date.parse(rows[0].at) : 0;
  return rows.filter((row) => last - Date.parse(row.at) <= windowMs).reduce((sum, row) => sum + parse(row.size, qtyExponent), 0n);
}

export function showTape(box, note) {
  let rows = Array.from({ length: ROWS_MAX }, () => {
    const [arrow, price, size, time] = [h("i", { class: "a none" }), h("span", { class: "num pr" }), h("span", { class: "num" }), h("span", { class: "num t3" })];
    return Object.assign(h("div", { hidden: true }, h("span", {}, arrow), price, size, time), { arrow, price, size, time });
  });
  let first = null; // the newest trade that is shown
  box.replaceChildren(...rows);
  effect(() => {
    const listed = instrument.value;
    const shown = trades.value.filter((row) => row.symbol === selected.value);
    const fresh = newOnes(shown, first, ROWS_MAX);
    first = shown[0] ?? null;
    if (fresh === ROWS_MAX) rows.forEach((node, index) => fill(node, shown[index]));
    else if (fresh) {
      // The oldest rows become the newest: what lies between is not touched.
      const moved = rows.slice(-fresh);
      moved.forEach((node, index) => fill(node, shown[index]));
      box.prepend(...moved);
      rows = [...moved, ...rows.slice(0, -fresh)];
    }
    if (listed) text(note, shown.length ? t("last 10 s: {n}", { n: grouped(show(recentSize(shown, listed.qty_exponent), listed.qty_exponent).replace(/\.?0+$/, (zeros) => (zeros.startsWith(".") ? "" : zeros))) }) : "");
  });
}

function fill(node, trade) {
  node.hidden = !trade;
  if (!trade) return;
  const way = trade.side === "buy" ? "up" : trade.side === "sell" ? "down" : "flat";
  attribute(node.arrow, "class", `a ${way}`);
  attribute(node.price, "class", `num pr ${way}`);
  text(node.price, grouped(trade.price));
  text(node.size, grouped(trade.size));
  text(node.time, clockTime(Date.parse(trade.at), world.timezone));
}
