// What is held, what is watched; a search over all instruments of the world.
import { computed, effect, signal } from "@preact/signals-core";
import { attribute, drawSpark, figure, flash, h, keyed, spark, text } from "./dom.js";
import { direction, grouped, parse, percent, signed } from "./money.js";
import { locale, t } from "./phrases.js";
import { lists, shownList } from "./lists.js";
import { found } from "./symbols.js";
import { desk, instruments, page, quote, selected } from "./store.js";

const wanted = signal("");
export const nameOf = (listed) => (locale.startsWith("zh") && listed.name_zh) || listed.name;

// The change against the previous close: {change, percent, way}, null while either is unknown. Pure.
export function dayChange(row, listed) {
  if (!row?.last || !row.previous_close) return null;
  const last = parse(row.last, listed.price_exponent);
  const before = parse(row.previous_close, listed.price_exponent);
  return { delta: last - before, percent: percent(last - before, before), way: direction(last - before) };
}

const held = computed(() => (desk.value?.positions ?? []).filter((row) => /[1-9]/.test(row.qty)).map((row) => row.symbol));
const sections = computed(() => {
  const search = wanted.value.trim().toLocaleLowerCase();
  const all = [...instruments.values()];
  if (search) {
    return [{ name: "Found", symbols: found(all, search) }];
  }
  const mine = held.value.filter((symbol) => instruments.has(symbol));
  const own = (shownList.value?.symbols ?? []).filter((symbol) => instruments.has(symbol) && !mine.includes(symbol));
  const rest = all.map((row) => row.symbol).filter((symbol) => !own.includes(symbol) && !mine.includes(symbol));
  const watched = { name: shownList.value?.name ?? "", symbols: own };
  return [{ name: "Held", symbols: mine }, watched, { name: lists.value.length ? "Others" : "Watching", symbols: rest }].filter((section) => section.symbols.length);
});

function makeRow(symbol, choose) {
  const listed = instruments.get(symbol);
  const [price, percentNode] = [h("span", { class: "p num" }), h("span", { class: "c num" })];
  const line = spark();
  const node = h("button", { type: "button", class: "wl", "data-symbol": symbol, onclick: () => choose(symbol) },
    h("span", {}, h("span", { class: "s" }, symbol), h("span", { class: "n" }, nameOf(listed))), line, h("span", {}, price, percentNode));
  let before = null;
  node.stop = effect(() => {
    const row = quote(symbol).value;
    text(price, grouped(row?.last ?? row?.previous_close));
    const day = row && dayChange(row, listed);
    if (day) figure(percentNode, `${signed(day.percent)}%`, day.way, { triangle: true });
    if (before && row?.last && row.last !== before) flash(price, direction(parse(row.last, listed.price_exponent) - parse(before, listed.price_exponent)));
    before = row?.last ?? before;
    const closes = [...(page.sparks?.[symbol] ?? []), row?.last].filter(Boolean).map(Number);
    drawSpark(line, closes, row?.previous_close ? Number(row.previous_close) : null);
  });
  effect(() => attribute(node, "aria-current", selected.value === symbol ? "true" : null));
  return node;
}

const OURS = ["Found", "Held", "Watching", "Others"]; // every other name is the player's

export function showWatchlist(box, search, choose) {
  const blocks = new Map();
  const block = (name) => {
    if (!blocks.has(name)) {
      const [count, list] = [h("span"), h("div")];
      blocks.set(name, Object.assign(h("section", {}, h("h2", { class: "wl-h" }, OURS.includes(name) ? t(name) : name, count), list), { count, list }));
    }
    return blocks.get(name);
  };
  const none = h("p", { class: "wl-none say" }, t("Nothing here has this name."));
  effect(() => {
    const shown = sections.value.filter((section) => section.symbols.length);
    box.replaceChildren(...(shown.length ? shown.map((section) => block(section.name)) : [none]));
    for (const section of shown) {
      const { count, list } = block(section.name);
      text(count, String(section.symbols.length));
      keyed(list, section.symbols, (symbol) => symbol, (symbol) => makeRow(symbol, choose), () => {});
    }
  });
  search.addEventListener("input", () => (wanted.value = search.value));
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") box.querySelector(".wl")?.click();
    if (event.key === "Enter" || event.key === "Escape") {
      wanted.value = search.value = "";
      search.blur();
    }
  });
}

// The next or the former symbol of the list as it is shown.
export function neighbour(step) {
  const all = sections.value.flatMap((section) => section.symbols);
  return all[(all.indexOf(selected.peek()) + step + all.length) % all.length];
}
