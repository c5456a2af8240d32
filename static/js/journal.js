// The journal on the desk: the last notes as a tab, and a sheet to write one, on an order or on today.
import { signal } from "@preact/signals-core";
import { get, post } from "./api.js";
import { clockTime, dateOf } from "./clock.js";
import { h } from "./dom.js";
import { t } from "./phrases.js";
import { openSheet } from "./rules.js";
import { world } from "./store.js";
import { tell } from "./toast.js";

const SHOWN = 50;
export const notes = signal(null); // null: not asked yet

export async function loadNotes() {
  const answer = await get(`/api/v1/journal?limit=${SHOWN}`).catch(() => null);
  if (answer) notes.value = answer.body.notes;
}

// order: {id, symbol} or null; the note is then of today.
export function writeNote(order = null) {
  const text = h("textarea", { id: "f-note", rows: "5", maxlength: "4000" });
  const wrong = h("p", { class: "err", role: "alert", hidden: true });
  const send = h("button", { type: "button", class: "btn quiet slim" }, t("Keep the note"));
  send.addEventListener("click", async () => {
    try {
      await post("/api/v1/journal", { text: text.value, ...(order ? { order_id: order.id } : {}) });
      document.getElementById("sheet").close();
      tell(t("The note is in your journal."));
      loadNotes();
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    }
  });
  text.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send.click());
  const title = order ? t("A note on your order in {symbol}", { symbol: order.symbol }) : t("A note on today");
  openSheet(h("h2", {}, title), h("label", { for: "f-note", class: "t2" }, t("Why, and what you would do again. #words become tags.")), text, wrong, send);
  text.focus();
}

const when = (at) => `${dateOf(Date.parse(at), world.timezone)} ${clockTime(Date.parse(at), world.timezone).slice(0, 5)}`;

export function notesTable({ openReceipt }) {
  const body = h("tbody");
  const columns = [t("Time"), t("On"), t("Note"), t("Tags"), ""].map((name, index) => h("th", { scope: "col", class: index === 3 ? "c-mid" : null }, name));
  const node = h("table", { class: "grid notes-t", id: "notes" }, h("thead", {}, h("tr", {}, ...columns)), body);
  return { node, fill: () => body.replaceChildren(...(notes.value ?? []).map((note) => row(note, openReceipt))) };
}

function row(note, openReceipt) {
  const receipt = note.order_id ? h("button", { type: "button", class: "act", onclick: () => openReceipt(note.order_id) }, t("Receipt")) : null;
  return h("tr", {}, h("td", { class: "t2" }, when(note.created_at)), h("td", { class: "b" }, note.symbol ?? note.day ?? ""), h("td", { class: "cut serif" }, note.text), h("td", { class: "t2 c-mid" }, note.tags.map((tag) => `#${tag}`).join(" ")), h("td", { class: "num" }, ...(receipt ? [receipt] : [])));
}
