// The chart of the selected instrument; picture.js fetches it.
import { computed, effect } from "@preact/signals-core";
import { CandlestickSeries, HistogramSeries, LineSeries, createChart } from "lightweight-charts";
import { get } from "./api.js";
import { clockTime, dateOf, dayName, hourMinute, zoneShift } from "./clock.js";
import { h, idle, text } from "./dom.js";
import { Marks } from "./chart_marks.js";
import { grouped, parse, rough, show } from "./money.js";
import { t } from "./phrases.js";
import { handle } from "./chart_hand.js";
import { weeks } from "./indicators.js";
import { barOf, dayBreaks, drawn, fillMarks, vwap } from "./series.js";
import { Studies } from "./studies.js";
import { isArmed, linePrice, priceWords } from "./words.js";
import * as store from "./store.js";

const NEAR = 0.6; // own orders are brought into view when they are no further off than this share of the candles’ range
const HISTORY = 500; // bars asked at a time
const TABLE_ROWS = 20; // of the table behind the canvas
const TABLE_EVERY_MS = 10_000;
const DRAW_EVERY_MS = 200; // on the desk
// Alone, so that not every quote moves the marks.
const previousClose = computed(() => (store.instrument.value && store.quote(store.instrument.value.symbol).value?.previous_close) ?? null);
const zone = store.world.timezone ?? "UTC";

const shifts = new Map(); // by hour: Intl is slow, offsets change on the hour
function shiftMs(ms) {
  const hour = Math.floor(ms / 3_600_000);
  if (!shifts.has(hour)) shifts.set(hour, zoneShift(hour * 3_600_000, zone));
  return shifts.get(hour);
}

function colours() {
  const probe = document.body.appendChild(h("i", { hidden: true }));
  const style = getComputedStyle(document.documentElement);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["plane", "line", "field", "t1", "t2", "t3", "accent", "up", "down", "bar"];
  const found = Object.fromEntries(names.map((name) => [name, read(name)]));
  probe.remove();
  return { ...found, axis: found.t3, font: style.getPropertyValue("--sans").trim() || "sans-serif" };
}

// verbs: {onPrice(text), onMove(orderId, text), alerts() → [{price, words}]}; none on a page that only shows.
// Step by step, so that none holds the page up.
export async function drawChart(section, options) {
  const found = colours();
  const chart = createChart(section.querySelector(".canvas"), chartOptions(found));
  await idle();
  const made = new Chart(section, chart, found, options);
  await idle();
  made.listen();
  return made;
}

function chartOptions({ plane, line, t2, t3, font }) {
  const local = (time) => time * 1000; // drawn times carry the zone already: format them as UTC
  return {
    autoSize: true,
    layout: { panes: { separatorColor: line, separatorHoverColor: line, enableResize: false }, background: { color: plane }, textColor: t3, fontFamily: font, fontSize: 12, attributionLogo: false },
    grid: { vertLines: { visible: false }, horzLines: { color: line } },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.1, bottom: 0.2 } },
    timeScale: {
      borderColor: line, timeVisible: true, secondsVisible: false, rightOffset: 4, barSpacing: 9, minBarSpacing: 2,
      tickMarkFormatter: (time, kind) => (kind < 3 ? (kind < 2 ? dateOf : dayName)(local(time), "UTC") : hourMinute(local(time), "UTC")),
    },
    localization: { timeFormatter: (time) => `${dateOf(local(time), "UTC")} ${clockTime(local(time), "UTC").slice(0, 5)}`, locale: document.documentElement.lang },
    crosshair: { mode: 0, vertLine: { color: t3, width: 1, style: 3, labelBackgroundColor: t2 }, horzLine: { color: t3, width: 1, style: 3, labelBackgroundColor: t2 } },
    handleScale: { axisPressedMouseMove: { price: true, time: true } },
  };
}

class Chart {
  #bars = [];
  #older = null; // the request for older bars, or "none"
  #tabledAt = 0;
  #drawnAt = 0;
  #drawing = 0; // timer of the bars that were heard and not drawn yet
  #first = null; // t of the first bar drawn
  #words = []; // the rectangle of open, high, low, close

  constructor(section, chart, found, { interval, layers, mine = true, verbs = null, everyMs = DRAW_EVERY_MS }) {
    Object.assign(this, { section, chart, interval, layers, mine, verbs, everyMs, colours: found, shape: localStorage.getItem("simgame.shape") ?? "candles" });
    this.canvas = section.querySelector(".canvas");
    this.legend = section.querySelector(".ohlc");
    this.candles = this.chart.addSeries(CandlestickSeries, { ...this.#candleOptions(), autoscaleInfoProvider: (own) => this.#inView(own()) });
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false, color: this.colours.bar });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
    this.average = this.chart.addSeries(LineSeries, { color: this.colours.t3, lineWidth: 1, lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false, autoscaleInfoProvider: () => null });
    this.line = this.chart.addSeries(LineSeries, { color: this.colours.t1, lineWidth: 1, lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false, autoscaleInfoProvider: () => null, visible: false });
    this.studies = new Studies({ HistogramSeries, LineSeries }, this.chart, this.colours);
    this.setShape(this.shape);
    this.marks = new Marks();
    this.candles.attachPrimitive(this.marks);
    this.table = section.appendChild(h("table", { class: "sr" }));
    this.note = section.appendChild(h("p", { class: "note say", hidden: true }));
    new ResizeObserver(([{ target, contentRect }]) => {
      const [left, top] = [target.offsetLeft, target.offsetTop]; // layout is done here: nothing is forced
      this.#words = [{ left, top, right: left + contentRect.width, bottom: top + contentRect.height }];
    }).observe(this.legend);
    if (verbs) this.#take();
  }

  // Candles, or a line through the closes.
  setShape(shape) {
    this.shape = shape;
    localStorage.setItem("simgame.shape", shape);
    const clear = "rgba(0, 0, 0, 0)";
    this.candles.applyOptions(shape === "line" ? { upColor: clear, borderUpColor: clear, wickUpColor: clear, downColor: clear, borderDownColor: clear, wickDownColor: clear } : this.#candleOptions());
    this.line.applyOptions({ visible: shape === "line" });
  }

  toggleStudy(name) {
    this.studies.toggle(name);
    this.studies.draw(this.#bars);
    this.#legend(null);
  }

  #take() {
    handle(this.canvas, {
      orders: () => this.shownOrders ?? [],
      listed: () => store.instrument.peek(),
      toPrice: (y) => this.candles.coordinateToPrice(y) ?? 0,
      toY: (price) => this.candles.priceToCoordinate(price),
      axisWidth: () => this.chart.priceScale("right").width(),
      hold: (on) => this.chart.applyOptions({ handleScroll: !on, handleScale: on ? false : { axisPressedMouseMove: { price: true, time: true } } }),
      ghost: (text, order) => { this.ghost = text && { price: Number(text), label: grouped(text), words: t("{what} to {price}", { what: order.verb, price: grouped(text) }), dashed: true }; this.#newMarks(); },
      onPrice: this.verbs.onPrice,
      onMove: this.verbs.onMove,
    });
  }

  #candleOptions() {
    const { up, down, plane, t1 } = this.colours;
    return { upColor: plane, borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down, priceLineColor: t1, priceLineStyle: 1, priceLineWidth: 1, lastValueVisible: true, priceLineSource: 0 };
  }

  // From now on it shows what the store holds.
  listen() {
    effect(() => this.#heardBars(store.bars.value));
    effect(() => this.#newMarks());
    this.chart.subscribeCrosshairMove((at) => this.#legend(at.time ? barOf(this.#bars, at.time) : null));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => range && range.from < 20 && this.#loadOlder());
    addEventListener("themechange", () => this.#recolour());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#recolour());
  }

  // Another symbol or interval: nothing of the former one stays on screen.
  reset(interval) {
    this.interval = interval;
    this.#older = null;
    this.fresh = true;
  }

  toggle(layer, on) {
    this.layers[layer] = on;
    this.average.applyOptions({ visible: this.layers.vwap });
    this.#newMarks();
  }

  // A bar that forms is drawn a few times a second: the eye sees no more, and every time costs a whole canvas.
  #heardBars(bars) {
    clearTimeout(this.#drawing);
    const sameBars = bars.length && this.#bars.length && bars[0].t === this.#first && !this.fresh;
    const wait = sameBars ? this.#drawnAt + this.everyMs - performance.now() : 0;
    if (wait > 0) this.#drawing = setTimeout(() => this.#newBars(bars), wait);
    else this.#newBars(bars);
  }

  #newBars(bars) {
    [this.#drawnAt, this.#first] = [performance.now(), bars[0]?.t];
    const next = this.interval === "1w" ? weeks(drawn(bars, shiftMs)) : drawn(bars, shiftMs);
    const one = next.length && this.#bars.length && next.length - this.#bars.length <= 1 && next[0].time === this.#bars[0].time && !this.fresh;
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const grown = next.length && this.#bars.length && !this.fresh ? next.findIndex((bar) => bar.time === this.#bars[0].time) : 0;
    this.#bars = next;
    this.note.hidden = bars.length > 0;
    if (!bars.length) text(this.note, store.link.value.state === "live" ? t("No bars yet: the first one forms with the first trade.") : "");
    const averages = vwap(next).map(({ last, ...point }) => (last ? { ...point, color: "transparent" } : point));
    if (one && !averages.at(-2)?.color) {
      this.candles.update(next.at(-1));
      this.volume.update({ time: next.at(-1).time, value: next.at(-1).volume });
      this.average.update(averages.at(-1));
      this.line.update({ time: next.at(-1).time, value: next.at(-1).close });
    } else {
      this.#precision();
      this.candles.setData(next);
      this.volume.setData(next.map((bar) => ({ time: bar.time, value: bar.volume })));
      this.average.setData(averages);
      this.line.setData(next.map((bar) => ({ time: bar.time, value: bar.close })));
      if (this.fresh && next.length) this.chart.timeScale().scrollToRealTime();
      else if (grown > 0 && range) this.chart.timeScale().setVisibleLogicalRange({ from: range.from + grown, to: range.to + grown });
      if (next.length) this.fresh = false;
    }
    if (this.studies.chosen.length || this.studies.shown?.length) this.studies.draw(next);
    this.#legend(null);
    this.#newMarks();
    this.#tabulate();
  }

  // The range of prices on screen, widened so that the lines of own orders nearby are in it.
  #inView(info) {
    if (!info?.priceRange || !this.shownOrders?.length) return info;
    const { minValue, maxValue } = info.priceRange;
    const room = (maxValue - minValue) * NEAR;
    const near = this.shownOrders.map((order) => order.price).filter((price) => price >= minValue - room && price <= maxValue + room);
    return { ...info, priceRange: { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) } };
  }

  #precision() {
    const listed = store.instrument.peek();
    if (!listed) return;
    this.candles.applyOptions({ priceFormat: { type: "price", precision: listed.price_exponent, minMove: Number(listed.tick) } });
  }

  #legend(bar) {
    const shown = bar ?? this.#bars.at(-1);
    const listed = store.instrument.peek();
    if (!shown || !listed) return this.legend.replaceChildren();
    const price = (value) => grouped(value.toFixed(listed.price_exponent));
    const average = vwap(this.#bars.filter((one) => one.time <= shown.time)).at(-1)?.value;
    const parts = [[t("O"), price(shown.open)], [t("H"), price(shown.high)], [t("L"), price(shown.low)], [t("C"), price(shown.close)], [t("Volume"), rough(String(Math.round(shown.volume)))]];
    if (average && this.layers.vwap) parts.push(["VWAP", price(average)]);
    for (const [name, value, pane] of this.studies.valuesAt(bar?.time)) parts.push([name, pane ? value.toFixed(2) : price(value)]);
    this.legend.replaceChildren(...parts.map(([name, value]) => h("span", {}, name, " ", h("b", {}, value))));
  }

  #newMarks() {
    const listed = store.instrument.value;
    const desk = store.desk.value;
    const close = previousClose.value;
    if (!listed) return;
    const own = (rows) => (this.mine && desk ? rows(desk).filter((row) => row.symbol === listed.symbol) : []);
    const orders = this.layers.orders ? own(() => store.openOrders.value).filter((order) => linePrice(order) && order.waits !== "parent") : [];
    const fills = this.layers.fills ? own((books) => books.fills) : [];
    const parseQty = (qty) => parse(qty, listed.qty_exponent);
    const marks = fillMarks(fills, this.#bars, (ms) => (ms + shiftMs(ms)) / 1000, parseQty);
    this.shownOrders = orders.map((order) => ({ id: order.id, price: Number(linePrice(order)), label: linePrice(order), words: orderWords(order, listed), dashed: isArmed(order), movable: order.type !== "trailing_stop" || !isArmed(order), verb: t(order.side === "buy" ? "Buy" : "Sell") }));
    this.section.dataset.lines = this.shownOrders.map((order) => Math.round(this.candles.priceToCoordinate(order.price) ?? -1)).join(" ");
    const alerts = this.verbs?.alerts(listed.symbol) ?? [];
    this.marks.show({
      orders: [...this.shownOrders.map((order) => ({ ...order, label: grouped(order.label) })), ...alerts.map((alert) => ({ price: Number(alert.price), label: grouped(alert.price), words: t("alert"), dashed: true })), ...(this.ghost ? [this.ghost] : [])],
      fills: marks.map((mark) => ({ ...mark, qty: grouped(show(mark.qty, listed.qty_exponent).replace(/\.0+$/, "")) })),
      last: this.#bars.at(-1)?.close ?? null,
      previous: close ? { price: Number(close), words: t("previous close") } : null,
      days: dayBreaks(this.#bars),
      candleBoxes: (width) => this.#boxes(width),
      colours: this.colours,
    });
  }

  // Rectangles of the candles on screen, and of the words over them: labels keep off these.
  #boxes() {
    const scale = this.chart.timeScale();
    const half = Math.max(2, scale.options().barSpacing / 2);
    const range = scale.getVisibleLogicalRange();
    if (!range) return this.#words;
    const candles = this.#bars.slice(Math.max(0, Math.floor(range.from)), Math.ceil(range.to) + 1).flatMap((bar) => {
      const x = scale.timeToCoordinate(bar.time);
      const [top, bottom] = [this.candles.priceToCoordinate(bar.high), this.candles.priceToCoordinate(bar.low)];
      return x === null || top === null ? [] : [{ left: x - half, right: x + half, top, bottom }];
    });
    return [...candles, ...this.#words];
  }

  #recolour() {
    this.colours = colours();
    this.chart.applyOptions(chartOptions(this.colours));
    this.setShape(this.shape);
    this.line.applyOptions({ color: this.colours.t1 });
    this.studies.recolour(this.colours);
    this.volume.applyOptions({ color: this.colours.bar });
    this.average.applyOptions({ color: this.colours.t3 });
    this.#newMarks();
  }

  async #loadOlder() {
    if (this.#older || !this.#bars.length || !store.bars.peek().length) return;
    const [symbol, interval] = [store.selected.peek(), this.interval];
    this.#older = "asked";
    const before = new Date(store.bars.peek()[0].t * 1000).toISOString();
    const path = `/api/v1/bars/${encodeURIComponent(symbol)}?world=${store.world.slug}&interval=${interval === "1w" ? "1d" : interval}&before=${before}&limit=${HISTORY}`;
    const answer = await get(path).catch(() => null);
    if (symbol !== store.selected.peek() || interval !== this.interval) return;
    const rows = answer?.body?.bars ?? [];
    this.#older = rows.length ? null : "none";
    if (rows.length) store.soon(() => (store.bars.value = store.mergeBars(store.bars.peek(), rows)));
  }

  // Screen readers get the last bars as a table, rewritten at most every few seconds.
  #tabulate() {
    if (performance.now() - this.#tabledAt < TABLE_EVERY_MS && !this.fresh && this.#tabledAt) return;
    this.#tabledAt = performance.now();
    const head = h("tr", {}, ...[t("Time"), t("Open"), t("High"), t("Low"), t("Close"), t("Volume")].map((name) => h("th", { scope: "col" }, name)));
    const rows = store.bars.peek().slice(-TABLE_ROWS).reverse().map((bar) =>
      h("tr", {}, ...[`${dateOf(bar.t * 1000, zone)} ${hourMinute(bar.t * 1000, zone)}`, bar.o, bar.h, bar.l, bar.c, bar.v].map((cell) => h("td", {}, cell.includes?.(":") ? cell : grouped(cell)))));
    this.table.replaceChildren(h("caption", {}, t("{symbol}, the last bars of {interval}", { symbol: store.selected.peek(), interval: this.interval })), h("thead", {}, head), h("tbody", {}, ...rows));
  }
}

function orderWords(order, listed) {
  const left = parse(order.qty, listed.qty_exponent) - parse(order.filled_qty, listed.qty_exponent);
  const qty = grouped(show(left, listed.qty_exponent).replace(/\.0+$/, ""));
  const facts = { qty, price: grouped(order.limit_price), ahead: grouped(order.queue_ahead) };
  const ahead = /[1-9]/.test(order.queue_ahead ?? "0");
  if (isArmed(order)) return t(order.side === "buy" ? "Buy {qty}, {words}" : "Sell {qty}, {words}", { qty, words: priceWords(order) });
  if (order.side === "buy") return ahead ? t("Buy {qty} at {price}, {ahead} ahead", facts) : t("Buy {qty} at {price}", facts);
  return ahead ? t("Sell {qty} at {price}, {ahead} ahead", facts) : t("Sell {qty} at {price}", facts);
}
