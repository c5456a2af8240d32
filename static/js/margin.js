// What a margin portfolio must own at the marks of this moment, and the banner of a margin call. Amounts
// are BigInt minor units of the portfolio's currency.
import { computed, effect } from "@preact/signals-core";
import { dateOf, clockTime, worldNow } from "./clock.js";
import { h, text } from "./dom.js";
import { amount } from "./money.js";
import { t } from "./phrases.js";
import { desk, figures, instruments, phase, quote, second, world } from "./store.js";
import { marginAsked } from "./worth.js";

const asked = computed(() => desk.value && marginAsked(desk.value, (symbol) => quote(symbol).value, (symbol) => instruments.get(symbol)));

// The money that new positions may ask for; less than nothing when the market took it.
export const available = computed(() => (asked.value && figures.value ? figures.value.equity - asked.value.initial - figures.value.reserved : null));

// `refresh`: asks the desk anew, for the rates of something that was not held when it was read.
export function showMargin(line, banner, refresh) {
  const names = { initial: t("Margin"), maintenance: t("Kept at"), available: t("Available"), leverage: t("Leverage") };
  const cells = Object.fromEntries(Object.keys(names).map((name) => [name, h("b")]));
  line.replaceChildren(...Object.entries(names).map(([name, words]) => h("span", {}, h("span", { class: "t3" }, words), " ", cells[name])));
  let waiting = "";
  effect(() => {
    const [terms, sums] = [desk.value?.portfolio.margin, figures.value];
    line.hidden = !terms || !sums;
    if (line.hidden) return;
    text(cells.leverage, `${terms.leverage}×`);
    for (const name of ["initial", "maintenance"]) text(cells[name], asked.value ? amount(asked.value[name], sums.exponent) : "–");
    text(cells.available, available.value === null ? "–" : amount(available.value, sums.exponent));
    cells.available.className = available.value !== null && available.value < 0n ? "warn" : "";
    const unknown = desk.value.positions.filter((row) => /[1-9]/.test(row.qty) && !terms.rates[row.symbol]).map((row) => row.symbol).join();
    if (unknown && unknown !== waiting) refresh();
    waiting = unknown;
  });
  const [head, say, left] = [h("b", {}, t("Margin call")), h("span"), h("span", { class: "num" })];
  banner.replaceChildren(head, say, left);
  effect(() => {
    const until = desk.value?.portfolio.margin_call_until;
    banner.hidden = !until;
    if (!until) return;
    const [ms, zone, sums] = [Date.parse(until), world.timezone, figures.value];
    const lacks = asked.value && sums && asked.value.maintenance - sums.equity;
    const when = { time: `${dateOf(ms, zone)} ${clockTime(ms, zone)}`, amount: lacks > 0n ? amount(lacks, sums.exponent) : "", currency: desk.value.portfolio.currency };
    text(say, lacks > 0n ? t("{amount} {currency} are missing. Close positions or bring money by {time}, or the exchange closes them.", when) : t("Close positions or bring money by {time}, or the exchange closes them.", when));
  });
  effect(() => {
    second.value;
    const [until, row] = [desk.value?.portfolio.margin_call_until, phase.value];
    if (!until || !row) return;
    const seconds = Math.max(0, Math.round((Date.parse(until) - worldNow(row, row.heardAt)) / 1000));
    text(left, `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
  });
}
