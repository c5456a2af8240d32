// One instrument: its chart with the player's orders and fills, its day, live.
import "./frame.js";
import { makeChart } from "./picture.js";
import * as feeds from "./feeds.js";
import { showInstrument } from "./instrument.js";
import * as store from "./store.js";

const buttons = document.getElementById("intervals");
let [interval, chart] = ["1d", null];

showInstrument(document.getElementById("instrument"));

function choose(value) {
  interval = value;
  for (const button of buttons.children) button.setAttribute("aria-pressed", String(button.value === value));
  store.bars.value = [];
  chart?.reset(value);
  feeds.followInstrument(store.selected.peek(), value === "1w" ? "1d" : value, { book: false });
}

buttons.addEventListener("click", (event) => event.target.value && choose(event.target.value));
choose(interval);
makeChart(document.getElementById("chart"), { interval, layers: { orders: true, fills: true, vwap: false } }).then((made) => {
  chart = made;
  chart?.reset(interval);
});
