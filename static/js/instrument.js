// The heading of the selected instrument: name, last price, the day's figures, and how old they are.
import { effect } from "@preact/signals-core";
import { attribute, figure, flash, text } from "./dom.js";
import { change, direction, grouped, parse, rough, signed } from "./money.js";
import { t } from "./phrases.js";
import { stated } from "./notices.js";
import { halts, instrument, link, phase, quote, second } from "./store.js";
import { dayChange, nameOf } from "./watchlist.js";

export function showInstrument(box) {
  const part = (name) => box.querySelector(`[data-i="${name}"]`);
  let [shown, before] = [null, null];
  effect(() => {
    const listed = instrument.value;
    if (!listed) return;
    const row = quote(listed.symbol).value ?? {};
    text(part("symbol"), listed.symbol);
    if (part("page")) part("page").href = `/instruments/${encodeURIComponent(listed.symbol)}/`;
    text(part("name"), nameOf(listed));
    text(part("last"), grouped(row.last ?? row.previous_close));
    const day = dayChange(row, listed);
    for (const [name, words] of [["change", day && change(day.delta, listed.price_exponent)], ["percent", day && `${signed(day.percent)}%`]]) {
      if (part(name)) figure(part(name), words ?? "", day?.way ?? 0, { triangle: Boolean(day) && name === (part("change") ? "change" : "percent") });
    }
    if (shown === listed.symbol && before && row.last && row.last !== before) {
      flash(part("last"), direction(parse(row.last, listed.price_exponent) - parse(before, listed.price_exponent)));
    }
    [shown, before] = [listed.symbol, row.last];
    showDay(part, row);
  });
  if (part("age")) effect(() => showAge(part("age")));
}

function showDay(part, row) {
  if (!part("open")) return;
  for (const name of ["open", "high", "low"]) text(part(name), grouped(row[name]));
  text(part("volume"), rough(row.volume));
  text(part("turnover"), rough(row.turnover));
  part("limits-box").hidden = !row.limit_low;
  text(part("limits"), row.limit_low ? `${grouped(row.limit_low)} – ${grouped(row.limit_high)}` : "");
}

function showAge(node) {
  second.value;
  const listed = instrument.value;
  if (!listed) return;
  const halt = halts.value[listed.symbol];
  if (halt !== undefined) return text(node, halt ? t("Trading is halted: {reason}", { reason: stated(halt) }) : t("Trading is halted"));
  if (!listed.tradable) return text(node, t("Not traded here"));
  const { state, forMs } = link.value;
  const counts = state === "lost" || state === "stale";
  attribute(node, "aria-live", counts ? "off" : "polite"); // nobody is told each second; the badge says it once
  if (counts) return text(node, t("{n} s old", { n: Math.floor(forMs / 1000) }));
  text(node, phase.value?.phase === "closed" ? t("Market closed") : phase.value?.paused ? t("Paused by the operator") : "");
}

