// Bars of the wire as numbers for drawing, and what is reckoned from them. Pure.

// Bars with times shifted to the market's wall clock: the chart library knows UTC only.
export function drawn(bars, shiftMs) {
  return bars.map((bar) => ({
    time: bar.t + Math.round(shiftMs(bar.t * 1000) / 1000),
    open: Number(bar.o),
    high: Number(bar.h),
    low: Number(bar.l),
    close: Number(bar.c),
    volume: Number(bar.v),
  }));
}

// The usual chart VWAP: typical price weighted by volume, from each day's start. `last` marks a
// day's last point: no line leads from there into the next day.
export function vwap(bars) {
  let day = null;
  let [money, volume] = [0, 0];
  const line = [];
  for (const bar of bars) {
    const itsDay = dayOf(bar);
    if (itsDay !== day) {
      if (line.length) line.at(-1).last = true;
      [day, money, volume] = [itsDay, 0, 0];
    }
    money += ((bar.high + bar.low + bar.close) / 3) * bar.volume;
    volume += bar.volume;
    line.push(volume ? { time: bar.time, value: money / volume } : { time: bar.time });
  }
  return line;
}

const dayOf = (bar) => Math.floor(bar.time / 86_400);

// The times at which a new day begins among bars that are shorter than a day.
export function dayBreaks(bars) {
  const breaks = bars.filter((bar, index) => index && dayOf(bar) !== dayOf(bars[index - 1])).map((bar) => bar.time);
  return breaks.length < bars.length / 3 ? breaks : [];
}

// The start (drawn time) of the bar that an instant (drawn time, seconds) falls into; null before the first.
export function barOf(bars, time) {
  let [low, high] = [0, bars.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars[middle].time <= time) low = middle + 1;
    else high = middle;
  }
  return low ? bars[low - 1] : null;
}

// Fills of one bar and side become one mark: {time, side, qty (BigInt), at}: `at` is the candle's edge.
export function fillMarks(fills, bars, toDrawn, parseQty) {
  const marks = new Map();
  for (const fill of fills) {
    const bar = barOf(bars, toDrawn(Date.parse(fill.at)));
    if (!bar) continue;
    const key = `${bar.time} ${fill.side}`;
    const mark = marks.get(key) ?? { time: bar.time, side: fill.side, qty: 0n, at: fill.side === "buy" ? bar.low : bar.high };
    mark.qty += parseQty(fill.qty);
    marks.set(key, mark);
  }
  return [...marks.values()];
}

// How many of `rows` came before `first`, which was the newest; `most` when it is not there.
export function newOnes(rows, first, most) {
  const at = rows.indexOf(first);
  return at < 0 ? most : Math.min(at, most);
}
