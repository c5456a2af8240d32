// Pages beside the desk that carry its top bar.
import * as feeds from "./feeds.js";
import { showBadge, showClock, showMoney } from "./header.js";
import { showRules } from "./rules.js";
import { clockTime, dateOf } from "./clock.js";
import { t } from "./phrases.js";
import { STATUS } from "./words.js";
import { world } from "./store.js";

showClock();
showMoney();
showBadge();
showRules();
feeds.followWorld();
feeds.followPortfolio();
feeds.start();

for (const node of document.querySelectorAll("time[data-time]")) node.textContent = clockTime(Date.parse(node.dateTime), world.timezone);

for (const node of document.querySelectorAll("time[data-when]")) {
  const at = Date.parse(node.dateTime);
  node.textContent = `${dateOf(at, world.timezone)} ${clockTime(at, world.timezone)}`;
}
for (const node of document.querySelectorAll("[data-status]")) node.textContent = t(STATUS[node.dataset.status] ?? node.dataset.status);

const find = document.getElementById("find");
find?.addEventListener("input", () => {
  const wanted = find.value.trim().toLocaleLowerCase();
  for (const row of document.querySelectorAll("#ranks tr")) {
    row.hidden = wanted !== "" && !row.querySelector(".nm")?.textContent.toLocaleLowerCase().includes(wanted);
  }
});
addEventListener("keydown", (event) => {
  if (event.key === "/" && find && document.activeElement !== find) {
    event.preventDefault();
    find.focus();
  }
});

