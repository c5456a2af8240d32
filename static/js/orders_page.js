// The list of orders and fills: each row's receipt opens beside it, and has an address of its own.
import { openReceipt, showDrawer } from "./receipt.js";

showDrawer(document.getElementById("drawer"), document.querySelector(".page"));
document.addEventListener("click", (event) => {
  const { receipt } = event.target.dataset ?? {};
  if (receipt) openReceipt(receipt);
});
addEventListener("keydown", (event) => event.key === "Escape" && document.querySelector("#drawer:not([hidden]) .dr-k button:last-child")?.click());

const asked = new URLSearchParams(location.search).get("receipt");
if (asked) openReceipt(asked);
