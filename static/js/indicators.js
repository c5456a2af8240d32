// What is reckoned from bars for the chart: averages, bands, oscillators. Pure; each returns points
// {time, value}, without a value where there are too few bars yet.

const closes = (bars) => bars.map((bar) => bar.close);
const points = (bars, values) => bars.map((bar, index) => (values[index] === null ? { time: bar.time } : { time: bar.time, value: values[index] }));

export function sma(values, length) {
  let sum = 0;
  return values.map((value, index) => {
    sum += value - (index >= length ? values[index - length] : 0);
    return index >= length - 1 ? sum / length : null;
  });
}

// Begins with the plain average of its first `length` values; nulls at the beginning are passed over.
export function ema(values, length) {
  const first = values.findIndex((value) => value !== null);
  let last = null;
  return values.map((value, index) => {
    if (first < 0 || index < first + length - 1) return null;
    if (last === null) last = values.slice(first, first + length).reduce((sum, one) => sum + one, 0) / length;
    else last += ((value - last) * 2) / (length + 1);
    return last;
  });
}

// Middle, upper and lower band: the average and so many deviations (of the whole) around it.
export function bollinger(values, length = 20, width = 2) {
  const middle = sma(values, length);
  const spread = middle.map((mean, index) => (mean === null ? null : width * Math.sqrt(values.slice(index - length + 1, index + 1).reduce((sum, one) => sum + (one - mean) ** 2, 0) / length)));
  const band = (sign) => middle.map((mean, index) => (mean === null ? null : mean + sign * spread[index]));
  return { middle, upper: band(1), lower: band(-1) };
}

// Wilder's relative strength index: 0 to 100.
export function rsi(values, length = 14) {
  let [up, down] = [0, 0];
  return values.map((value, index) => {
    if (!index) return null;
    const [rise, fall] = [Math.max(0, value - values[index - 1]), Math.max(0, values[index - 1] - value)];
    const weight = index <= length ? index : length; // the plain average until there are enough
    [up, down] = [up + (rise - up) / weight, down + (fall - down) / weight];
    if (index < length) return null;
    return up + down ? (100 * up) / (up + down) : 50;
  });
}

// The fast average less the slow one, the average of that, and what is between them.
export function macd(values, fast = 12, slow = 26, signal = 9) {
  const [quick, calm] = [ema(values, fast), ema(values, slow)];
  const line = quick.map((value, index) => (value === null || calm[index] === null ? null : value - calm[index]));
  const mean = ema(line, signal);
  return { line, signal: mean, rest: line.map((value, index) => (mean[index] === null ? null : value - mean[index])) };
}

// Days as weeks: each begins with its first day there is, from Monday on.
export function weeks(bars) {
  const folded = [];
  let current = null;
  for (const bar of bars) {
    const week = Math.floor((bar.time / 86_400 + 3) / 7); // the first of January 1970 was a Thursday
    if (week !== current) folded.push({ ...bar });
    else {
      const last = folded.at(-1);
      Object.assign(last, { high: Math.max(last.high, bar.high), low: Math.min(last.low, bar.low), close: bar.close, volume: last.volume + bar.volume });
    }
    current = week;
  }
  return folded;
}

// The lines of what is chosen: [{id, pane, kind, words, points}]; pane 0 is the chart of the prices.
export function lines(chosen, bars) {
  const values = closes(bars);
  const line = (id, pane, words, numbers, kind = "line") => ({ id, pane, kind, words, points: points(bars, numbers) });
  const made = {
    sma: () => [line("sma", 0, "MA 20", sma(values, 20))],
    ema: () => [line("ema", 0, "EMA 20", ema(values, 20))],
    bands: () => {
      const { middle, upper, lower } = bollinger(values);
      return [line("bands-u", 0, "BB 20 · 2", upper, "band"), line("bands-m", 0, "", middle, "band"), line("bands-l", 0, "", lower, "band")];
    },
    rsi: () => [line("rsi", 1, "RSI 14", rsi(values))],
    macd: () => {
      const { line: one, signal, rest } = macd(values);
      return [line("macd-r", 1, "", rest, "bars"), line("macd", 1, "MACD 12 26 9", one), line("macd-s", 1, "", signal, "band")];
    },
  };
  return chosen.flatMap((name) => made[name]?.() ?? []);
}
