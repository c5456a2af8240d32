// The player's watchlists: which one is shown, and a sheet to name, order and empty them.
import { computed, signal } from "@preact/signals-core";
import { call, post } from "./api.js";
import { attribute, h } from "./dom.js";
import { t } from "./phrases.js";
import { openSheet } from "./rules.js";
import { instruments, page, selected } from "./store.js";
import { moved } from "./symbols.js";
import { tell } from "./toast.js";

const SHOWN = "simgame.list";
const WATCHING = "Watching";
export const lists = signal(page.watchlists ?? []);
const chosen = signal(localStorage.getItem(SHOWN) ?? "");
export const shownList = computed(() => lists.value.find((one) => one.id === chosen.value) ?? lists.value[0] ?? null);

export function choose(id) {
  chosen.value = id;
  localStorage.setItem(SHOWN, id);
}

const put = (row) => (lists.value = lists.value.some((one) => one.id === row.id) ? lists.value.map((one) => (one.id === row.id ? row : one)) : [...lists.value, row]);

async function ask(promise) {
  try {
    const { body } = await promise;
    if (body) put(body);
    return body ?? true;
  } catch (error) {
    tell(error.message);
    return null;
  }
}

const change = (id, changes) => ask(call("PUT", `/api/v1/watchlists/${id}`, changes));

// The selected instrument goes into the shown list, or out of it; a list is made where there is none.
export async function toggleWatched() {
  const [symbol, list] = [selected.peek(), shownList.peek()];
  if (!list) return ask(post("/api/v1/watchlists", { name: t(WATCHING), symbols: [symbol] }));
  const symbols = list.symbols.includes(symbol) ? list.symbols.filter((one) => one !== symbol) : [...list.symbols, symbol];
  return change(list.id, { symbols });
}

export const isWatched = computed(() => Boolean(shownList.value?.symbols.includes(selected.value)));

function entry(symbol, move) {
  const act = (words, does) => h("button", { type: "button", class: "lnk", "aria-label": `${words} ${symbol}`, onclick: does }, words);
  return h("li", {}, h("span", { class: "b" }, symbol), h("span", { class: "t2" }, instruments.get(symbol)?.name ?? ""), h("span", {}, act(t("Up"), () => move(symbol, -1)), act(t("Down"), () => move(symbol, 1)), act(t("Remove"), () => move(symbol, 0))));
}

export function editLists() {
  const name = h("input", { id: "f-list", autocomplete: "off", maxlength: "64" });
  const entries = h("ul", { class: "alerts" });
  const draw = () => {
    const list = shownList.peek();
    name.value = list?.name ?? "";
    const move = async (symbol, step) => { await change(list.id, { symbols: moved(shownList.peek().symbols, symbol, step) }); draw(); };
    entries.replaceChildren(...(list?.symbols.length ? list.symbols.map((symbol) => entry(symbol, move)) : [h("li", { class: "say" }, t("Nothing is in it yet: W adds the instrument that is shown."))]));
    attribute(remove, "hidden", list ? null : "");
  };
  const button = (words, does) => h("button", { type: "button", class: "lnk", onclick: does }, words);
  const remove = button(t("Delete this list"), async () => {
    const { id } = shownList.peek();
    if (await ask(call("DELETE", `/api/v1/watchlists/${id}`))) lists.value = lists.value.filter((one) => one.id !== id);
    draw();
  });
  const rename = button(t("Rename"), async () => { await change(shownList.peek().id, { name: name.value }); draw(); });
  const add = button(t("New list of this name"), async () => { const made = await ask(post("/api/v1/watchlists", { name: name.value })); if (made) choose(made.id); draw(); });
  draw();
  openSheet(h("h2", {}, t("Watchlist")), h("div", { class: "fld" }, h("label", { for: "f-list" }, t("Name")), name, h("span", { class: "un" }, rename)), h("p", { class: "acts-l" }, add, remove), entries);
}
