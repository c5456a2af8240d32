// What is drawn over the candles: own orders as lines with words, own fills as triangles, the
// previous close dotted and named. A series primitive of lightweight-charts; no state of its own
// beyond what `show` was given.

const LABEL_GAP = 5; // pixels between a line and its words
const LABEL_HEIGHT = 16;
const EDGE = 12;
const TRIANGLE = 5;

// The first free place for each label: left, right, middle; above the line, then below.
// `taken` are rectangles {left, right, top, bottom} that are drawn already; pure, for tests.
export function placeLabels(labels, width, height, taken = []) {
  const used = [...taken];
  const free = (box) => box.top >= 0 && box.bottom <= height && !used.some((other) => overlap(box, other));
  return labels.map((label) => {
    const across = [EDGE, width - EDGE - label.width, (width - label.width) / 2];
    const tops = [label.y - LABEL_GAP - LABEL_HEIGHT + 3, label.y + LABEL_GAP - 1];
    const boxes = tops.flatMap((top) => across.map((left) => ({ left, right: left + label.width, top, bottom: top + LABEL_HEIGHT })));
    const box = boxes.find(free) ?? boxes[0];
    used.push(box);
    return { ...label, x: box.left, baseline: box.top + LABEL_HEIGHT - 4 };
  });
}

const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

export class Marks {
  #orders = [];
  #fills = [];
  #previous = null;
  #days = [];
  #boxes = () => [];
  #last = null;

  attached({ chart, series, requestUpdate }) {
    Object.assign(this, { chart, series, requestUpdate });
  }

  detached() {
    this.requestUpdate = null;
  }

  // orders: [{price, words, label, dashed}]; fills: [{time, at, side, qty}]; previous: {price, words} | null;
  // last: the price that the axis marks, or null; days: times at which a day begins; candleBoxes(): rectangles of the candles on screen; colours: of the theme.
  show({ orders, fills, previous, last, days, candleBoxes, colours }) {
    this.#last = last;
    this.#days = days;
    this.#orders = orders;
    this.#fills = fills;
    this.#previous = previous;
    this.#boxes = candleBoxes;
    this.colours = colours;
    this.requestUpdate?.();
  }

  updateAllViews() {}

  paneViews() {
    return [{ zOrder: () => "top", renderer: () => ({ draw: (target) => this.#draw(target) }) }];
  }

  priceAxisViews() {
    const colours = this.colours;
    return this.#orders.map((order) => ({
      coordinate: () => this.series.priceToCoordinate(order.price) ?? -100,
      visible: () => this.#y(this.#last) === null || Math.abs(this.#y(order.price) - this.#y(this.#last)) >= LABEL_HEIGHT, // the last price is read first; the line says its own
      text: () => order.label,
      textColor: () => colours.accent,
      backColor: () => colours.plane,
      tickVisible: () => false,
    }));
  }

  #y(price) {
    return price === null ? null : this.series.priceToCoordinate(price);
  }

  #draw(target) {
    if (!this.colours) return;
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      context.font = `500 12px ${this.colours.font}`;
      this.#drawDays(context, mediaSize.height);
      const lines = this.#lines(context).filter((line) => line.y !== null && line.y > 0 && line.y < mediaSize.height);
      for (const line of lines) stroke(context, line, mediaSize.width);
      const last = this.#y(this.#last);
      const lastLine = last === null ? [] : [{ left: 0, right: mediaSize.width, top: last - 1, bottom: last + 1 }];
      const placed = placeLabels(lines, mediaSize.width, mediaSize.height, [...this.#boxes(mediaSize.width), ...lastLine]);
      for (const label of placed) write(context, label, this.colours.plane);
      this.#drawFills(context);
    });
  }

  #lines(context) {
    const { accent, axis } = this.colours;
    const lines = this.#orders.map((order) => ({ price: order.price, words: order.words, colour: accent, dash: order.dashed ? [5, 4] : [] }));
    if (this.#previous) lines.push({ ...this.#previous, colour: axis, dash: [2, 3] });
    return lines.map((line) => ({ ...line, y: this.series.priceToCoordinate(line.price), width: context.measureText(line.words).width }));
  }

  #drawDays(context, height) {
    context.strokeStyle = this.colours.field;
    context.setLineDash([1, 3]);
    for (const time of this.#days) {
      const x = this.chart.timeScale().timeToCoordinate(time);
      if (x === null) continue;
      context.beginPath();
      context.moveTo(Math.round(x) - 0.5, 0);
      context.lineTo(Math.round(x) - 0.5, height);
      context.stroke();
    }
    context.setLineDash([]);
  }

  #drawFills(context) {
    const scale = this.chart.timeScale();
    for (const fill of this.#fills) {
      const x = scale.timeToCoordinate(fill.time);
      const y = this.series.priceToCoordinate(fill.at);
      if (x === null || y === null) continue;
      const down = fill.side === "sell";
      const tip = down ? y - 7 : y + 7;
      triangle(context, x, tip, down ? -1 : 1, this.colours);
      write(context, { words: fill.qty, x: x - context.measureText(fill.qty).width / 2, baseline: down ? tip - 13 : tip + 22, colour: this.colours.accent }, this.colours.plane);
    }
  }
}

function stroke(context, line, width) {
  context.strokeStyle = line.colour;
  context.lineWidth = 1;
  context.setLineDash(line.dash);
  context.beginPath();
  context.moveTo(0, Math.round(line.y) + 0.5);
  context.lineTo(width, Math.round(line.y) + 0.5);
  context.stroke();
  context.setLineDash([]);
}

function write(context, label, ground) {
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = ground;
  context.strokeText(label.words, label.x, label.baseline);
  context.fillStyle = label.colour;
  context.fillText(label.words, label.x, label.baseline);
}

// A buy points up from below its candle, a sell down from above.
function triangle(context, x, tip, way, colours) {
  context.beginPath();
  context.moveTo(x, tip);
  context.lineTo(x - TRIANGLE, tip + way * TRIANGLE * 1.8);
  context.lineTo(x + TRIANGLE, tip + way * TRIANGLE * 1.8);
  context.closePath();
  context.lineWidth = 3;
  context.strokeStyle = colours.plane;
  context.stroke();
  context.fillStyle = colours.accent;
  context.fill();
}
