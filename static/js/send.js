// Sending, cancelling and replacing orders so that none is ever placed twice: the client order id
// is made before sending and kept; when no answer comes, the server is asked about that id.
import { Refused, call, get, post } from "./api.js";

const KEPT = "simgame.unanswered";
const ASK_TIMES = 6;
const ASK_AFTER_MS = 1_000;

export const newClientOrderId = () => `web-${crypto.randomUUID()}`;

const store = () => globalThis.localStorage;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function remember(order) {
  store()?.setItem(KEPT, JSON.stringify({ ...order, sent_at: Date.now() }));
}

export function forget() {
  store()?.removeItem(KEPT);
}

export function unanswered() {
  try {
    return JSON.parse(store()?.getItem(KEPT) ?? "null");
  } catch {
    return null;
  }
}

// Resolves to {order} when the exchange decided (a rejected order too), or to {unknown: true} when
// nobody can say. Rejects with Refused when nothing was done.
export async function place(order) {
  remember(order);
  try {
    const answer = await post("/v2/orders", order);
    forget();
    return { order: answer.body };
  } catch (error) {
    if (error instanceof Refused && error.outcome !== "unknown" && error.status < 500) {
      forget();
      throw error;
    }
    if (error instanceof Refused && error.outcome === "not_executed") {
      forget();
      throw error;
    }
    return askAbout(order.client_order_id);
  }
}

// What became of an order whose answer never came.
export async function askAbout(clientOrderId, times = ASK_TIMES) {
  for (let attempt = 0; attempt < times; attempt += 1) {
    try {
      const answer = await get(`/v2/orders:by_client_order_id?client_order_id=${encodeURIComponent(clientOrderId)}`);
      forget();
      return { order: answer.body };
    } catch (error) {
      if (error instanceof Refused && error.status === 404 && attempt > 1) {
        forget();
        return { missing: true };
      }
      await wait(ASK_AFTER_MS * (attempt + 1));
    }
  }
  return { unknown: true };
}

const ifMatch = (order) => ({ headers: { "If-Match": `"${order.version}"` } });

// Sells that share (percent) of a holding at the market. Resolves to the order.
export async function closePosition(symbol, share) {
  const key = { headers: { "Idempotency-Key": newClientOrderId() } };
  const answer = await call("DELETE", `/v2/positions/${encodeURIComponent(symbol)}?percentage=${share}`, undefined, key);
  return answer.body;
}

export const cancel = (order) => call("DELETE", `/v2/orders/${order.id}`);
export const replace = (order, changes) => call("PATCH", `/v2/orders/${order.id}`, changes, ifMatch(order));
