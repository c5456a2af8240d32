// Depth of the selected instrument: the ladder of the desk and the two-sided one of the phone.
// Rows are fixed nodes; only what changed is written.
import { effect } from "@preact/signals-core";
import { h, text } from "./dom.js";
import { grouped, parse, show } from "./money.js";
import { t } from "./phrases.js";
import { depth, instrument, openOrders, selected } from "./store.js";

const LEVELS = 5;
export const trim = (decimal) => (decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal);

// Levels with running sums and the share of the largest size: [{price, size, sum, share}]. Pure.
export function levelsOf(rows, qtyExponent, most) {
  let sum = 0n;
  return rows.slice(0, LEVELS).map(([price, size]) => {
    const scaled = parse(size, qtyExponent);
    sum += scaled;
    return { price, size, sum: trim(show(sum, qtyExponent)), scaled, share: most ? Number((scaled * 1000n) / most) / 10 : 0 };
  });
}

export function largest(sides, qtyExponent) {
  return sides.flat().slice(0, 4 * LEVELS).reduce((most, [, size]) => { const value = parse(size, qtyExponent); return value > most ? value : most; }, 0n);
}

// Own open orders by side and price: {"buy 42.13": {qty, ahead}}. Pure.
export function ownByPrice(orders, symbol, listed) {
  const own = new Map();
  for (const order of orders) {
    if (order.symbol !== symbol || !order.limit_price || ["stop", "auction", "parent"].includes(order.waits)) continue; // in no book
    const key = `${order.side} ${order.limit_price}`;
    const left = parse(order.qty, listed.qty_exponent) - parse(order.filled_qty, listed.qty_exponent);
    const known = own.get(key) ?? { qty: 0n, ahead: parse(order.queue_ahead ?? "0", listed.qty_exponent) };
    own.set(key, { ...known, qty: known.qty + left });
  }
  return own;
}

function row(side) {
  // A pointer's short cut into the ticket; a keyboard has the price field itself.
  const price = h("span", { class: `num pr ${side === "sell" ? "down" : "up"}`, "data-side": side });
  const [mine, size, sum] = [h("span", { class: "you" }), h("span", { class: "num" }), h("span", { class: "num t3" })];
  const bar = h("span", { class: "bx" }, h("i"), h("u", { hidden: true }));
  const node = h("div", { class: "rw" }, mine, price, size, sum, bar);
  return Object.assign(node, { mine, price, size, sum, bar: bar.firstChild, notch: bar.lastChild });
}

function fill(node, level, own, qtyExponent) {
  text(node.price, grouped(level?.price));
  node.price.dataset.price = level?.price ?? "";
  text(node.size, grouped(level?.size));
  text(node.sum, grouped(level?.sum));
  text(node.mine, own ? grouped(trim(show(own.qty, qtyExponent))) : "");
  node.bar.style.width = `${level?.share ?? 0}%`;
  placeNotch(node.notch, level, own, "left");
}

function placeNotch(notch, level, own, edge) {
  const inside = own && level && level.scaled > 0n && own.ahead < level.scaled;
  notch.hidden = !own || !level;
  if (!notch.hidden) notch.style[edge] = `${inside ? level.share * (Number((own.ahead * 1000n) / level.scaled) / 1000) : level.share}%`;
}

export function showLadder(box, onPrice) {
  const head = h("div", { class: "hd" }, ...[t("Mine"), t("Price"), t("Shares"), t("Sum")].map((name, index) => h("span", { class: index ? "num" : "" }, name)), h("span"));
  const asks = Array.from({ length: LEVELS }, () => row("sell"));
  const bids = Array.from({ length: LEVELS }, () => row("buy"));
  const [gap, ticks, points] = [h("b", { class: "num" }), h("span", { class: "num" }), h("span", { class: "num" })];
  const spread = h("div", { class: "sprd" }, h("span", {}, t("Spread")), gap, ticks, points, h("span"));
  box.replaceChildren(head, ...asks, spread, ...bids);
  box.addEventListener("click", (event) => {
    const { price, side } = event.target.dataset;
    if (price) onPrice(price, side, event);
  });
  effect(() => {
    const [listed, book] = [instrument.value, depth.value];
    if (!listed) return;
    const now = book?.symbol === listed.symbol ? book : { bids: [], asks: [] };
    const own = ownByPrice(openOrders.value, listed.symbol, listed);
    const most = largest([now.bids.slice(0, LEVELS), now.asks.slice(0, LEVELS)], listed.qty_exponent);
    const up = levelsOf(now.asks, listed.qty_exponent, most);
    const down = levelsOf(now.bids, listed.qty_exponent, most);
    asks.forEach((node, index) => { const level = up[LEVELS - 1 - index]; fill(node, level, level && own.get(`sell ${level.price}`), listed.qty_exponent); });
    bids.forEach((node, index) => fill(node, down[index], down[index] && own.get(`buy ${down[index].price}`), listed.qty_exponent));
    showSpread(now, listed, gap, ticks, points);
  });
}

function showSpread(book, listed, gap, ticks, points) {
  if (!book.bids.length || !book.asks.length) return [gap, ticks, points].forEach((node) => text(node, ""));
  const exponent = listed.price_exponent;
  const [bid, ask] = [parse(book.bids[0][0], exponent), parse(book.asks[0][0], exponent)];
  const tick = parse(listed.tick, exponent);
  text(gap, grouped(show(ask - bid, exponent)));
  text(ticks, t(ask - bid === tick ? "{n} tick" : "{n} ticks", { n: grouped(String((ask - bid) / tick)) }));
  text(points, t("{n} bp", { n: bid + ask ? show(((ask - bid) * 200_000n + (bid + ask) / 2n) / (bid + ask), 1) : "" }));
}

export function showPhoneLadder(box) {
  const head = h("div", { class: "hd" }, h("span"), h("span", {}, t("Shares")), h("span", {}, t("Bid")), h("span"), h("span", {}, t("Ask")), h("span", {}, t("Shares")), h("span"));
  const rows = Array.from({ length: LEVELS }, () => {
    const cells = ["bb", "", "up", "", "down", "", "ab"].map((name) => h("span", { class: name }));
    cells[0].append(h("i"), h("u", { hidden: true }));
    cells[6].append(h("i"), h("u", { hidden: true }));
    return Object.assign(h("div", { class: "rw" }, ...cells), { cells });
  });
  box.replaceChildren(head, ...rows);
  effect(() => {
    const [listed, book] = [instrument.value, depth.value];
    if (!listed) return;
    const now = book?.symbol === selected.value ? book : { bids: [], asks: [] };
    const own = ownByPrice(openOrders.value, listed.symbol, listed);
    const most = largest([now.bids.slice(0, LEVELS), now.asks.slice(0, LEVELS)], listed.qty_exponent);
    const [bids, asks] = [levelsOf(now.bids, listed.qty_exponent, most), levelsOf(now.asks, listed.qty_exponent, most)];
    rows.forEach(({ cells }, index) => {
      const [bid, ask] = [bids[index], asks[index]];
      [[1, bid?.size], [2, bid?.price], [4, ask?.price], [5, ask?.size]].forEach(([cell, value]) => text(cells[cell], grouped(value)));
      cells[0].firstChild.style.width = `${bid?.share ?? 0}%`;
      cells[6].firstChild.style.width = `${ask?.share ?? 0}%`;
      placeNotch(cells[0].lastChild, bid, bid && own.get(`buy ${bid.price}`), "right");
      placeNotch(cells[6].lastChild, ask, ask && own.get(`sell ${ask.price}`), "left");
    });
  });
}
