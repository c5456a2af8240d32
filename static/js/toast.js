// A sentence about what was just done, with a button that takes it back while that is possible.
import { h } from "./dom.js";
import { t } from "./phrases.js";

const SHOWN_MS = 8_000; // long enough to read and to reach for the button (WCAG 2.2.1: nothing else depends on it)
let timer = null;

// undo: a function, or null. The box is a live region: it is read out once.
export function tell(words, undo = null) {
  const box = document.getElementById("toast");
  if (!box) return;
  clearTimeout(timer);
  const close = () => box.replaceChildren();
  const button = undo && h("button", { type: "button", class: "you", onclick: () => { close(); undo(); } }, t("Undo"), h("kbd", { "aria-hidden": "true" }, "Z"));
  box.replaceChildren(h("p", {}, words), ...(button ? [button] : []));
  box.undo = button ? () => button.click() : null;
  timer = setTimeout(() => { box.undo = null; close(); }, SHOWN_MS);
}

// Takes back what was told last; nothing when that is past.
export function undoLast() {
  const box = document.getElementById("toast");
  box?.undo?.();
  if (box) box.undo = null;
}
