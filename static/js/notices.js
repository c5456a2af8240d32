// What an operator or an issuer did to one's books: shown until it is put away, also to who was away.
import { effect, signal } from "@preact/signals-core";
import { h } from "./dom.js";
import { t } from "./phrases.js";
import { desk, notices } from "./store.js";

const SHOWN_MAX = 3;
const KEPT_MS = 7 * 86_400_000;
const SEEN = "simgame.notices";

const WORDS = {
  TRADE_BUSTED: (facts) => t("Trades of yours in {symbol} were taken back ({reason}): {qty} shares, {cash} cash.", facts),
  TRADE_REINSTATED: (facts) => t("Trades of yours in {symbol} count again ({reason}): {qty} shares, {cash} cash.", facts),
  ACTION_REVERSED: (facts) => t("A corporate action on {symbol} was taken back ({reason}): {qty} shares, {cash} cash.", facts),
  ACTION_DIVIDEND: (facts) => t("{symbol} pays a dividend: {cash} for your holding.", facts),
  ACTION_SPLIT: (facts) => t("{symbol} was split: your {before} shares are {after} now.", facts),
  ACTION_BONUS: (facts) => t("{symbol} gives bonus shares: your {before} shares are {after} now.", facts),
  ACTION_RIGHTS: (facts) => t("{symbol} offers new shares at {price}: you have {rights} rights.", facts),
  ACTION_UNUSED: (facts) => t("{unused} rights of {symbol} that you did not use are over: you received {cash}.", facts),
  ACTION_RENAME: (facts) => t("{symbol} is called {into} from now on: your {before} shares are {after} of it.", facts),
  ACTION_DELISTING: (facts) => t("{symbol} was delisted: you received {cash} for {before} shares.", facts),
  RIGHTS_EXERCISED: (facts) => t("You subscribed for {after} new shares of {symbol} and paid {cash}.", facts),
  MARGIN_CALL_MET: () => t("The margin call is met."),
  EXPIRED: (facts) => t("{symbol} has expired: your position was settled in cash.", facts),
  HALTED: (facts) => t("Trading in {symbol} is halted. {reason}", { ...facts, reason: stated(facts.reason) }),
  RESUMED: (facts) => t("Trading in {symbol} goes on. {reason}", facts),
};
// The venue's own reason has a translation; an operator's stands as it was written.
const VOLATILITY_HALT = "Volatility halt: the price moved too far too fast.";
export const stated = (reason) => (reason === VOLATILITY_HALT ? t("Volatility halt: the price moved too far too fast.") : reason);
const settled = (facts) => (facts.settled_qty ? ` ${t("{settled_qty} shares were settled at {settled_price}, the fair price, because they were gone.", facts)}` : "");

// The sentence of a notice in the page's language; what has none of its own comes as it was sent.
export const sentence = ({ code, text, facts = {} }) => (WORDS[code] ? WORDS[code](facts) + settled(facts) : text);

// Those that are not put away yet, newest first. `seen` and `at` are RFC 3339; live ones have no `at`.
export function unseen(stored, live, seen, nowMs) {
  const late = stored.filter((one) => WORDS[one.code] && one.at > (seen ?? "") && nowMs - Date.parse(one.at) < KEPT_MS);
  const same = new Set(live.map((one) => JSON.stringify(one.facts)));
  return [...live, ...late.filter((one) => !same.has(JSON.stringify(one.facts)))].slice(0, SHOWN_MAX);
}

export function showNotices(box) {
  const live = signal([]);
  const seen = signal(localStorage.getItem(SEEN));
  effect(() => {
    const fresh = notices.value.filter((one) => WORDS[one.code]);
    if (fresh.length) live.value = [...fresh, ...live.peek()].slice(0, SHOWN_MAX);
  });
  const close = () => {
    seen.value = new Date().toISOString();
    localStorage.setItem(SEEN, seen.value);
    live.value = [];
  };
  effect(() => {
    const rows = unseen(desk.value?.notices ?? [], live.value, seen.value, Date.now());
    box.hidden = !rows.length;
    box.replaceChildren(...rows.map((one) => h("p", {}, sentence(one))), h("button", { type: "button", onclick: close }, t("Put away")));
  });
}
