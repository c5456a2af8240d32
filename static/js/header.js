// The top bar: world clock and phase, today and equity, and the badge that says how well we hear.
import { effect } from "@preact/signals-core";
import { clockTime, nextWords, phaseName, shareOfDay, worldNow } from "./clock.js";
import { attribute, figure, text } from "./dom.js";
import { amount, change, direction, percent, signed } from "./money.js";
import { t } from "./phrases.js";
import { figures, link, phase, priced, second, world } from "./store.js";

const all = (selector) => [...document.querySelectorAll(selector)];
const BADGE = { connecting: "connecting", live: "live", slow: "slow", polling: "polling", stale: "stale", lost: "lost" };

export function showClock() {
  const box = document.getElementById("clock");
  if (!box) return;
  const part = (name) => box.querySelector(`[data-clock="${name}"]`);
  const line = box.querySelector(".day-line u");
  effect(() => {
    second.value;
    const row = phase.value;
    if (!row) return;
    const now = worldNow(row, row.heardAt);
    text(part("time"), clockTime(now, world.timezone));
    text(part("phase"), phaseName(row));
    if (part("next")) text(part("next"), nextWords(row, now));
    if (line) {
      line.hidden = false;
      const share = `${(shareOfDay(now, world.timezone) * 100).toFixed(2)}%`;
      line.style.left = share;
      line.previousElementSibling.style.width = share;
    }
  });
}

export function showMoney() {
  const [today, equity] = [all("[data-today]"), all("[data-equity]")];
  if (!equity.length) return;
  effect(() => {
    const sums = figures.value;
    if (!sums || !priced.value) return;
    const before = sums.equity - sums.today;
    const words = `${change(sums.today, sums.exponent)}  ${signed(percent(sums.today, before) ?? "0.00")}%`;
    equity.forEach((node) => text(node, amount(sums.equity, sums.exponent)));
    all("[data-holdings]").forEach((node) => text(node, amount(sums.value, sums.exponent)));
    today.forEach((node) => figure(node, words, direction(sums.today), { triangle: true }));
  });
}

export function showBadge() {
  const badge = document.getElementById("badge");
  if (!badge) return;
  const [word, detail] = [badge.querySelector("b"), badge.querySelector("span")];
  effect(() => {
    const { state, roundTripMs, forMs } = link.value;
    attribute(badge, "data-state", state);
    const seconds = Math.floor(forMs / 1000);
    const waits = state === "lost" || state === "stale";
    text(word, t(BADGE[state]) + (waits ? "," : ""));
    if (waits) text(detail, t("{n} s", { n: seconds }));
    else text(detail, roundTripMs === null || state === "polling" ? "" : `${roundTripMs} ms`);
  });
}
