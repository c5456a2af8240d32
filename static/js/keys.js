// Everything a player can do, a keyboard can do. `?` lists the keys.
import { h } from "./dom.js";
import { t } from "./phrases.js";
import { openSheet } from "./rules.js";

const typing = () => ["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement?.tagName);

export function showKeys(list) {
  const rows = list.filter((one) => one.words).flatMap(({ shown, words }) => [h("dt", {}, h("kbd", {}, shown)), h("dd", {}, t(words))]);
  openSheet(h("h2", {}, t("Keys")), h("dl", {}, ...rows));
}

const LETTER = /^[a-z]$/; // of these Shift means another key; of `?` and `/` it depends on the keyboard

// list: [{key, shown, words, does, ctrl?, shift?, always?}]; `always` works while typing too.
export function bindKeys(list) {
  addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || document.querySelector("dialog[open]")) return;
    const ctrl = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const found = list.find((one) => one.key === key && Boolean(one.ctrl) === ctrl && (!LETTER.test(key) || Boolean(one.shift) === event.shiftKey) && (one.always || !typing()));
    if (!found) return;
    event.preventDefault();
    found.does(event);
  });
}
