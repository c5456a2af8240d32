// The front page: the same live rows as the desk, for anybody.
import { effect } from "@preact/signals-core";
import { makeChart } from "./picture.js";
import { drawSpark, figure, flash, h, spark, text } from "./dom.js";
import * as feeds from "./feeds.js";
import { showBadge, showClock } from "./header.js";
import { showInstrument } from "./instrument.js";
import { change, direction, grouped, parse, signed } from "./money.js";
import * as store from "./store.js";
import { dayChange, nameOf } from "./watchlist.js";

const INTERVAL = "5m";

function row(listed) {
  const names = ["last", "change", "percent", "low", "high", "volume"];
  const cells = Object.fromEntries(names.map((name) => [name, h("span")]));
  const [range, line] = [h("span", { class: "rng", hidden: true }, h("u")), spark(72, 20)];
  const node = h("tr", {}, h("td", { class: "b" }, listed.symbol), h("td", { class: "t2 l-n" }, nameOf(listed)), h("td", { class: "num m" }, cells.last), h("td", { class: "num l-c" }, cells.change), h("td", { class: "num" }, cells.percent),
    h("td", { class: "num l-r" }, cells.low), h("td", { class: "c l-r" }, range), h("td", { class: "l-r" }, cells.high), h("td", { class: "num t2 l-v" }, cells.volume), h("td", { class: "num l-s" }, line));
  let before = null;
  effect(() => {
    const quote = store.quote(listed.symbol).value;
    if (!quote) return;
    text(cells.last, grouped(quote.last ?? quote.previous_close));
    const day = dayChange(quote, listed);
    if (day) {
      text(cells.change, change(day.delta, listed.price_exponent));
      figure(cells.percent, `${signed(day.percent)}%`, day.way, { triangle: true });
    }
    for (const name of ["low", "high", "volume"]) text(cells[name], grouped(quote[name]));
    place(range, quote);
    if (before && quote.last && quote.last !== before) flash(cells.last, direction(parse(quote.last, listed.price_exponent) - parse(before, listed.price_exponent)));
    before = quote.last;
    drawSpark(line, [...(store.page.sparks?.[listed.symbol] ?? []), quote.last].filter(Boolean).map(Number), quote.previous_close ? Number(quote.previous_close) : null);
  });
  return node;
}

// Where the last price stands between the day's low and high.
function place(range, quote) {
  const [low, high, last] = [quote.low, quote.high, quote.last].map(Number);
  range.hidden = !(quote.low && quote.high && quote.last && high > low);
  if (!range.hidden) range.firstChild.style.left = `${(((last - low) / (high - low)) * 100).toFixed(1)}%`;
}

document.querySelector("#board tbody").append(...[...store.instruments.values()].map(row));
showClock();
showBadge();
showInstrument(document.getElementById("picture"));
feeds.followWorld();
feeds.followInstrument(store.selected.peek(), INTERVAL, { book: false });
feeds.start();
makeChart(document.querySelector("#picture .chart"), { interval: INTERVAL, layers: { orders: false, fills: false, vwap: true }, mine: false, everyMs: 1_000 }).then((chart) => chart?.reset(INTERVAL));
