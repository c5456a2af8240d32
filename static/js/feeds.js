// Ties the store to the stream: which topics the page follows, and what polling asks instead.
import { get, speakFor } from "./api.js";
import * as store from "./store.js";
import { Stream } from "./stream.js";

const slug = store.world.slug;
const socketUrl = () => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/v1`;

let deskTag = null;
if (store.desk.peek()) speakFor(store.desk.peek().portfolio.id);

export const stream = new Stream({
  open: () => new WebSocket(socketUrl()),
  poll,
  onState: (state) => {
    const known = store.link.peek();
    if (known.state !== state.state || state.state !== "live" || known.roundTripMs !== state.roundTripMs) store.link.value = state;
  },
});

let quotesTag = null;

async function poll() {
  const asked = [pollQuotes(), ...(store.desk.peek() ? [pollDesk()] : []), ...(showing ? [pollInstrument(showing)] : [])];
  await Promise.all(asked);
}

async function pollQuotes() {
  const symbols = [...store.instruments.keys()].join(",");
  const answer = await get(`/api/v1/quotes?world=${slug}&symbols=${encodeURIComponent(symbols)}`, known(quotesTag));
  quotesTag = answer.headers.get("etag");
  if (answer.body) store.soon(() => store.applyBoard(bySymbol(answer.body.quotes ?? answer.body)));
}

const known = (tag) => ({ headers: tag ? { "If-None-Match": tag } : {} });

const bySymbol = (rows) => (Array.isArray(rows) ? Object.fromEntries(rows.map((row) => [row.symbol, row])) : rows);

async function pollDesk() {
  const mine = store.desk.peek();
  const since = `${mine.epoch}.${mine.version}`;
  const answer = await get(`/api/v1/desk?portfolio=${mine.portfolio.id}&since=${mine.version}&epoch=${encodeURIComponent(mine.epoch)}`, known(deskTag));
  deskTag = answer.headers.get("etag");
  const fresh = answer.body;
  if (!fresh || `${fresh.epoch}.${fresh.version}` === since) return;
  if (!stream.moved(`portfolio:${fresh.portfolio.id}`, fresh.epoch, fresh.version)) return; // a message was quicker
  store.soon(() => {
    store.applyDesk(fresh, { snapshot: true });
    if (fresh.phase) store.applyPhase(fresh.phase);
  });
}

// The margin terms anew: something is held that was not when the desk was read.
export async function askDesk() {
  const answer = await get(`/api/v1/desk?portfolio=${store.desk.peek().portfolio.id}`);
  const { margin } = answer.body.portfolio;
  store.soon(() => {
    const known = store.desk.peek();
    store.desk.value = { ...known, portfolio: { ...known.portfolio, margin } };
  });
}

const FIRST_BARS = 300;

// Depth, trades and the last bars of what is shown.
async function pollInstrument({ symbol, interval, book }) {
  const name = encodeURIComponent(symbol);
  const limit = store.bars.peek().length ? 3 : FIRST_BARS;
  const asked = [get(`/api/v1/bars/${name}?world=${slug}&interval=${interval}&limit=${limit}`)];
  if (book) asked.push(get(`/api/v1/depth/${name}?world=${slug}`), get(`/api/v1/trades/${name}?world=${slug}`));
  const [bars, depth, trades] = await Promise.all(asked);
  if (showing?.symbol !== symbol || showing.interval !== interval) return;
  store.soon(() => {
    store.bars.value = store.mergeBars(store.bars.peek(), bars.body.bars);
    if (depth) store.depth.value = depth.body;
    if (trades) store.applyTrades(trades.body, true);
  });
}

export function followWorld() {
  stream.want(`phase:${slug}`, (data) => store.soon(() => store.applyPhase(data)));
  stream.want(`halts:${slug}`, (data) => store.soon(() => (store.halts.value = data.halts)));
  stream.want(`board:${slug}`, (data) => store.soon(() => store.applyBoard(data)));
}

export function followPortfolio() {
  const known = store.desk.peek();
  if (!known) return;
  const apply = (data, position) => store.soon(() => store.applyDesk(data, position));
  stream.want(`portfolio:${known.portfolio.id}`, apply, { epoch: known.epoch, offset: known.version });
}

let followed = [];
let showing = null; // {symbol, interval, book} that the page shows

// The selected instrument's depth, trades and bars; the former one's are dropped.
export function followInstrument(symbol, interval, { book = true } = {}) {
  showing = { symbol, interval, book };
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
