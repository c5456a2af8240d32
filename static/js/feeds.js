// Ties the store to the stream: which topics the page follows, and what polling asks instead.
import { get } from "./api.js";
import * as store from "./store.js";
import { Stream } from "./stream.js";

const slug = store.world.slug;
const socketUrl = () => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/v1`;

let deskTag = null;

export const stream = new Stream({
  open: () => new WebSocket(socketUrl()),
  poll,
  onState: (state) => {
    const known = store.link.peek();
    if (known.state !== state.state || state.state !== "live" || known.roundTripMs !== state.roundTripMs) store.link.value = state;
  },
});

async function poll() {
  const symbols = [...store.instruments.keys()].join(",");
  const asked = [get(`/api/v1/quotes?world=${slug}&symbols=${encodeURIComponent(symbols)}`)];
  if (store.desk.peek()) asked.push(pollDesk());
  if (store.selected.peek() && store.page.desk) asked.push(pollDepth(store.selected.peek()));
  const [answer] = await Promise.all(asked);
  if (answer.body) store.soon(() => store.applyQuotes(bySymbol(answer.body.quotes ?? answer.body)));
}

const bySymbol = (rows) => (Array.isArray(rows) ? Object.fromEntries(rows.map((row) => [row.symbol, row])) : rows);

async function pollDesk() {
  const known = store.desk.peek();
  const since = `${known.epoch}.${known.version}`;
  const answer = await get(`/api/v1/desk?portfolio=${known.portfolio.id}&since=${known.version}`, { headers: deskTag ? { "If-None-Match": deskTag } : {} });
  deskTag = answer.headers.get("etag");
  const fresh = answer.body;
  if (!fresh || `${fresh.epoch}.${fresh.version}` === since) return;
  if (fresh.epoch === known.epoch && fresh.version < store.desk.peek().version) return;
  store.soon(() => {
    store.applyDesk(fresh, { snapshot: true });
    if (fresh.phase) store.applyPhase(fresh.phase);
  });
  stream.moved(`portfolio:${fresh.portfolio.id}`, fresh.epoch, fresh.version);
}

async function pollDepth(symbol) {
  const answer = await get(`/api/v1/depth/${encodeURIComponent(symbol)}?world=${slug}`);
  if (answer.body && store.selected.peek() === symbol) store.soon(() => (store.depth.value = answer.body));
}

export function followWorld() {
  stream.want(`phase:${slug}`, (data) => store.soon(() => store.applyPhase(data)));
  stream.want(`board:${slug}`, (data) => store.soon(() => store.applyQuotes(data)));
}

export function followPortfolio() {
  const known = store.desk.peek();
  if (!known) return;
  const apply = (data, position) => store.soon(() => store.applyDesk(data, position));
  stream.want(`portfolio:${known.portfolio.id}`, apply, { epoch: known.epoch, offset: known.version });
}

let followed = [];

// The selected instrument's depth, trades and bars; the former one's are dropped.
export function followInstrument(symbol, interval, { book = true } = {}) {
  const wanted = [`bars:${slug}:${symbol}:${interval}`];
  if (book) wanted.unshift(`depth:${slug}:${symbol}`, `trades:${slug}:${symbol}`);
  const mine = (apply) => (data, position) => store.soon(() => store.selected.peek() === symbol && apply(data, position.snapshot));
  const applies = {
    depth: mine((data) => (store.depth.value = data)),
    trades: mine((data, snapshot) => store.applyTrades(data, snapshot)),
    bars: mine((data) => followed.includes(wanted.at(-1)) && store.applyBars(data)),
  };
  const gone = followed.filter((topic) => !wanted.includes(topic));
  const fresh = wanted.filter((topic) => !followed.includes(topic));
  followed = wanted;
  gone.forEach((topic) => stream.drop(topic));
  fresh.forEach((topic) => stream.want(topic, applies[topic.slice(0, topic.indexOf(":"))]));
}

export function start() {
  addEventListener("online", () => stream.network(true));
  addEventListener("offline", () => stream.network(false));
  addEventListener("pagehide", () => stream.stop());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  setInterval(() => (store.second.value += 1), 1_000);
  stream.start();
}
