// HTTP to our own server: JSON in and out, a refusal as an exception that carries the problem.
import { reason } from "./reasons.js";

export class Refused extends Error {
  constructor(status, problem) {
    const code = problem.reason || problem.code;
    super(reason(code, problem.detail || problem.message || `HTTP ${status}`));
    Object.assign(this, { status, problem, code, outcome: problem.outcome ?? "unknown" });
  }
}

let portfolio = null;

// Whoever signs out leaves: what a tick makes the page ask meanwhile would be refused as a stranger's.
let leaving = new AbortController();
globalThis.addEventListener?.("submit", ({ target }) => {
  if (target.getAttribute("action") === "/logout/") leaving.abort();
});
globalThis.addEventListener?.("pageshow", () => {
  leaving = new AbortController(); // back by the browser's own button
});

// Every request from now on is of this portfolio: a player may have several.
export function speakFor(id) {
  portfolio = id;
}

const csrf = () => /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";

// Resolves to {status, body, headers}; status 304 has no body. Rejects with Refused, or with
// TypeError / TimeoutError / AbortError when nobody answered.
export async function call(method, path, body, { timeoutMs = 8_000, headers = {} } = {}) {
  const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), leaving.signal]);
  const options = { method, headers: { Accept: "application/json", ...headers }, signal, cache: "no-store" };
  if (portfolio !== null) options.headers["X-Portfolio"] = String(portfolio);
  if (method !== "GET") options.headers["X-CSRFToken"] = csrf();
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const text = await response.text();
  const answer = text && (response.headers.get("content-type") ?? "").includes("json") ? JSON.parse(text) : null;
  if (!response.ok && response.status !== 304) throw new Refused(response.status, answer ?? { detail: `HTTP ${response.status}` });
  return { status: response.status, body: answer, headers: response.headers };
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body, options) => call("POST", path, body, options);
