// The indicators that a player chose, as series of the chart: made, drawn anew and taken away.
import { lines } from "./indicators.js";

export const STUDIES = { sma: "Moving average, 20", ema: "Exponential average, 20", bands: "Bollinger bands, 20 and 2", rsi: "RSI, 14", macd: "MACD, 12 26 9" };

const KEPT = "simgame.studies";

export function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "[]").filter((name) => name in STUDIES);
  } catch {
    return [];
  }
}

export class Studies {
  #series = new Map(); // by line's id
  chosen = kept();

  // kinds: the chart library's HistogramSeries and LineSeries, so that a page can name studies without it.
  constructor(kinds, chart, colours) {
    Object.assign(this, { kinds, chart, colours });
  }

  toggle(name) {
    this.chosen = this.chosen.includes(name) ? this.chosen.filter((one) => one !== name) : [...this.chosen, name];
    localStorage.setItem(KEPT, JSON.stringify(this.chosen));
  }

  // bars: as drawn. Every line is set whole: some thousand points take a millisecond.
  draw(bars) {
    const wanted = lines(this.chosen, bars);
    const ids = new Set(wanted.map((line) => line.id));
    for (const [id, series] of this.#series) {
      if (ids.has(id)) continue;
      this.chart.removeSeries(series);
      this.#series.delete(id);
    }
    for (const line of wanted) {
      if (!this.#series.has(line.id)) this.#series.set(line.id, this.#add(line));
      this.#series.get(line.id).setData(line.points);
    }
    this.shown = wanted.filter((line) => line.words);
    const panes = this.chart.panes();
    if (panes.length > 1) panes.forEach((pane, index) => pane.setStretchFactor(index ? 1 : 4));
  }

  // The legend's words and values at a drawn time: [[words, number]].
  valuesAt(time) {
    return (this.shown ?? []).flatMap((line) => {
      const point = time ? line.points.find((one) => one.time === time) : line.points.at(-1);
      return point?.value === undefined ? [] : [[line.words, point.value, line.pane]];
    });
  }

  recolour(colours) {
    this.colours = colours;
    for (const [id, series] of this.#series) series.applyOptions({ color: this.#colour(id.includes("-") ? "band" : "line") });
  }

  #colour(kind) {
    return { line: this.colours.t2, band: this.colours.t3, bars: this.colours.bar }[kind];
  }

  #add(line) {
    const plain = { color: this.#colour(line.kind), lastValueVisible: false, priceLineVisible: false };
    if (line.kind === "bars") return this.chart.addSeries(this.kinds.HistogramSeries, plain, line.pane);
    const style = { ...plain, lineWidth: 1, lineStyle: line.kind === "band" ? 2 : 0, crosshairMarkerVisible: false };
    return this.chart.addSeries(this.kinds.LineSeries, line.pane ? style : { ...style, autoscaleInfoProvider: () => null }, line.pane);
  }
}
