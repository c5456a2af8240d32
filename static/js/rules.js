// The footer's rules: each opens its text and its source.
import { h } from "./dom.js";
import { t } from "./phrases.js";
import { page } from "./store.js";

export function openSheet(...content) {
  const sheet = document.getElementById("sheet");
  const close = h("form", { method: "dialog" }, h("button", {}, t("Close")));
  sheet.replaceChildren(...content, close);
  sheet.showModal();
}

export function showRules() {
  const rules = page.desk?.rules ?? page.rules ?? [];
  for (const button of document.querySelectorAll("[data-rule]")) {
    const rule = rules[Number(button.dataset.rule)];
    if (!rule) continue;
    button.addEventListener("click", () =>
      openSheet(h("h2", {}, rule.text), h("p", { class: "prose" }, rule.source || ""), h("p", { class: "t3" }, `${rule.name}: ${rule.value}`)),
    );
  }
}
