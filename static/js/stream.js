// The client of /ws/v1: subscribes, resumes, drops what is not newer, and says how well it hears.
// It knows topics, not orders. Everything from outside (socket, clock, chance, polling) comes in.
import { delayMs } from "./backoff.js";

export const SILENT_MS = 15_000; // nothing heard for so long: the figures are stale
export const SLOW_MS = 1_500; // a round trip longer than this
const PROBE_MS = 5_000; // how often the round trip is measured
const GRACE_MS = 1_500; // so long a closed socket goes unmentioned
const STAY_AWAY = 4500; // close codes from here on mean: do not come back
const EVERY = new Set(["trades", "bars", "portfolio"]); // kinds where a gap is a loss

const kindOf = (topic) => topic.slice(0, topic.indexOf(":"));

export class Stream {
  #topics = new Map(); // topic → {apply, epoch, offset, asked}
  #socket = null;
  #failures = 0;
  #ids = 0;
  #pending = new Map(); // id → what to do with the reply
  #heardAt = 0;
  #downSince = 0;
  #pollAt = 0;
  #polledAt = 0;
  #probe = null;
  #probedAt = 0;
  #roundTrip = null;
  #away = false;
  #timer = null;
  #retryAt = 0;
  #polling = false;
  #offline = false; // the browser says that there is no network

  // open(): a WebSocket. poll(): a promise that applies the same rows and resolves, or rejects.
  // onState({state, roundTripMs, forMs}): connecting, live, slow, polling, stale or lost.
  constructor({ open, poll, onState, now = () => Date.now(), random = Math.random, intervalMs = 250, pollEveryMs = 2_000 }) {
    Object.assign(this, { open, poll, onState, now, random, intervalMs, pollEveryMs });
  }

  start() {
    this.#downSince = this.#heardAt = this.now();
    this.#connect();
    this.#timer = setInterval(() => this.tick(), 500);
  }

  stop() {
    clearInterval(this.#timer);
    this.#away = true;
    this.#socket?.close(1000);
  }

  // Follow a topic. apply(data, {snapshot, epoch, offset}) gets whole snapshots and messages.
  // `since` {epoch, offset} is the position that the page's own first snapshot stands at.
  want(topic, apply, since = null) {
    this.#topics.set(topic, { apply, epoch: since?.epoch ?? null, offset: since?.offset ?? 0, asked: false });
    if (this.#isOpen()) this.#subscribe([topic]);
  }

  drop(topic) {
    if (this.#topics.delete(topic) && this.#isOpen()) this.#say({ id: ++this.#ids, op: "unsubscribe", topics: [topic] });
  }

  // A snapshot that came another way (polling): the stream goes on from its position. False: it is older
  // than what was applied already, and must not be shown.
  moved(topic, epoch, offset) {
    const known = this.#topics.get(topic);
    if (known?.epoch === epoch && offset < known.offset) return false;
    if (known) Object.assign(known, { epoch, offset });
    return true;
  }

  // The browser says that the network went or came.
  network(online) {
    this.#offline = !online;
    if (!online) {
      this.#socket?.close(4000);
      this.#fail();
    } else if (!this.#socket) {
      this.#failures = 0;
      this.#retryAt = this.now();
      this.tick();
    }
  }

  tick() {
    const now = this.now();
    if (!this.#socket && !this.#away && !this.#offline && now >= this.#retryAt) this.#connect();
    if (this.#isOpen() && now - this.#probedAt >= PROBE_MS) this.#measure(now);
    if (this.#needsPoll(now)) this.#pollOnce();
    this.#report(now);
  }

  #isOpen() {
    return this.#socket?.readyState === 1 && this.#socket.greeted;
  }

  #connect() {
    const socket = this.open();
    this.#socket = socket;
    socket.onmessage = (event) => this.#socket === socket && this.#heard(event.data);
    socket.onclose = (event) => this.#socket === socket && this.#fail(event.code);
    socket.onerror = () => {}; // a close follows
  }

  #fail(code = 0) {
    this.#socket = null;
    this.#pending.clear();
    this.#probe = null;
    if (!this.#downSince) this.#downSince = this.now();
    if (code >= STAY_AWAY && code < 5000) this.#away = true;
    this.#retryAt = this.now() + delayMs(this.#failures++, this.random());
    this.#report(this.now());
  }

  #heard(text) {
    this.#heardAt = this.now();
    const frame = JSON.parse(text);
    for (const message of Array.isArray(frame) ? frame : [frame]) this.#take(message);
  }

  #take(message) {
    if (message.type === "hello") this.#greet();
    else if (message.type === "ping") this.#say({ op: "pong" });
    else if (message.topic) this.#push(message);
    else if ("id" in message) this.#reply(message);
  }

  #greet() {
    this.#socket.greeted = true;
    this.#failures = 0;
    this.#probedAt = 0;
    if (this.#topics.size) this.#subscribe([...this.#topics.keys()]);
    else this.#downSince = 0;
  }

  #subscribe(names, fresh = false) {
    const topics = names.map((topic) => {
      const { epoch, offset } = this.#topics.get(topic);
      return epoch === null || fresh ? { topic } : { topic, since: { epoch, offset } };
    });
    this.#ask({ op: "subscribe", topics, interval_ms: this.intervalMs }, (reply) => {
      if (!reply.ok) return;
      this.#downSince = 0;
      for (const result of reply.results) this.#result(result);
    });
  }

  #result(result) {
    const known = this.#topics.get(result.topic);
    if (!known || result.ok === false || result.error) return;
    known.asked = false;
    if (result.recovered) {
      for (const message of result.messages ?? []) this.#push({ topic: result.topic, ...message });
      return;
    }
    if (known.epoch === result.epoch && result.offset < known.offset) return; // polling was quicker
    Object.assign(known, { epoch: result.epoch, offset: result.offset });
    known.apply(result.snapshot, { snapshot: true, epoch: result.epoch, offset: result.offset });
  }

  #push({ topic, epoch, offset, data }) {
    const known = this.#topics.get(topic);
    if (!known) return;
    if (known.epoch !== null && epoch !== undefined && epoch !== known.epoch) return this.#again(topic, known, true);
    if (known.epoch !== null && offset <= known.offset) return;
    if (known.epoch !== null && offset > known.offset + 1 && EVERY.has(kindOf(topic))) {
      return this.#again(topic, known, known.asked);
    }
    Object.assign(known, { epoch: epoch ?? known.epoch, offset, asked: false });
    known.apply(data, { snapshot: false, epoch: known.epoch, offset });
  }

  // A gap: ask once for what is missing, then for the whole.
  #again(topic, known, fresh) {
    if (known.asked === "whole") return;
    known.asked = fresh ? "whole" : true;
    this.#subscribe([topic], fresh);
  }

  #reply(reply) {
    const then = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    then?.(reply);
  }

  #measure(now) {
    this.#probedAt = this.#probe = now;
    this.#ask({ op: "ping" }, () => {
      this.#roundTrip = this.now() - this.#probe;
      this.#probe = null;
    });
  }

  #ask(command, then) {
    const id = ++this.#ids;
    this.#pending.set(id, then);
    this.#say({ id, ...command });
  }

  #say(command) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(command));
  }

  #deaf(now) {
    if (this.#downSince) return now - this.#downSince > GRACE_MS;
    return now - this.#heardAt > SILENT_MS;
  }

  #needsPoll(now) {
    return this.#deaf(now) && !this.#polling && now - this.#pollAt >= this.pollEveryMs;
  }

  async #pollOnce() {
    this.#polling = true;
    this.#pollAt = this.now();
    try {
      await this.poll();
      this.#polledAt = this.now();
    } catch {
      // Not even that works: the badge says how long already.
    } finally {
      this.#polling = false;
    }
  }

  #report(now) {
    const heardAt = Math.max(this.#heardAt, this.#polledAt);
    this.onState({ state: this.#stateAt(now), roundTripMs: this.#roundTrip, forMs: now - heardAt });
  }

  #stateAt(now) {
    if (this.#deaf(now)) {
      if (now - this.#polledAt < this.pollEveryMs * 2 + GRACE_MS) return "polling";
      return this.#downSince ? "lost" : "stale";
    }
    if (this.#downSince) return "connecting";
    const waited = this.#probe === null ? this.#roundTrip : Math.max(this.#roundTrip ?? 0, now - this.#probe);
    return waited > SLOW_MS ? "slow" : "live";
  }
}
