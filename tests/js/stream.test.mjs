import assert from "node:assert/strict";
import { test } from "node:test";
import { CEILING_MS, delayMs } from "../../static/js/backoff.js";
import { SILENT_MS, Stream } from "../../static/js/stream.js";

// A server at the other end that the test speaks for, on a clock that the test moves.
function street({ poll = async () => {}, random = 0.5 } = {}) {
  const sockets = [];
  const states = [];
  let time = 1_000_000;
  const open = () => {
    const socket = { readyState: 1, sent: [], send: (text) => socket.sent.push(JSON.parse(text)), close: (code) => { socket.readyState = 3; socket.closed = code; } };
    sockets.push(socket);
    return socket;
  };
  const stream = new Stream({ open, poll, onState: (state) => states.push(state), now: () => time, random: () => random });
  const got = [];
  const apply = (topic) => (data, position) => got.push([topic, position.snapshot ? "snapshot" : "message", position.offset, data]);
  const at = {
    stream, sockets, states, got, apply,
    get socket() { return sockets.at(-1); },
    said: (op) => sockets.at(-1).sent.filter((command) => command.op === op),
    hears: (message) => sockets.at(-1).onmessage({ data: JSON.stringify(message) }),
    later: (ms) => { time += ms; stream.tick(); },
    state: () => states.at(-1).state,
    answers: (results) => at.hears({ id: at.said("subscribe").at(-1).id, ok: true, results }),
    drops: (code) => { at.socket.readyState = 3; at.socket.onclose({ code }); },
  };
  return at;
}

function opened(options) {
  const at = street(options);
  at.stream.want("portfolio:7", at.apply("portfolio:7"), { epoch: "e1", offset: 4 });
  at.stream.want("quote:w:NLB", at.apply("quote:w:NLB"));
  at.stream.start();
  at.hears({ type: "hello", v: 1 });
  return at;
}

const snapshots = [
  { topic: "portfolio:7", epoch: "e1", offset: 4, recovered: true, messages: [] },
  { topic: "quote:w:NLB", epoch: "f1", offset: 9, recovered: false, snapshot: { last: "42.18" } },
];

test("after hello it asks for everything at once, from where the page stands", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  assert.deepEqual(at.said("subscribe").map((command) => command.topics), [[{ topic: "portfolio:7", since: { epoch: "e1", offset: 4 } }, { topic: "quote:w:NLB" }]]);
  at.answers(snapshots);
  assert.deepEqual(at.got, [["quote:w:NLB", "snapshot", 9, { last: "42.18" }]]);
  at.later(100);
  assert.equal(at.state(), "live");
});

test("what is not newer is dropped", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  at.answers(snapshots);
  at.hears([{ topic: "portfolio:7", epoch: "e1", offset: 4, data: "old" }, { topic: "portfolio:7", epoch: "e1", offset: 5, data: "new" }, { topic: "portfolio:7", epoch: "e1", offset: 5, data: "twice" }]);
  assert.deepEqual(at.got.slice(1), [["portfolio:7", "message", 5, "new"]]);
});

test("a gap in a private topic is asked for once, then the whole is taken", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  at.answers(snapshots);
  at.hears({ topic: "portfolio:7", epoch: "e1", offset: 7, data: "too early" });
  assert.deepEqual(at.said("subscribe").at(-1).topics, [{ topic: "portfolio:7", since: { epoch: "e1", offset: 4 } }]);
  at.hears({ topic: "portfolio:7", epoch: "e1", offset: 8, data: "still too early" });
  assert.deepEqual(at.said("subscribe").at(-1).topics, [{ topic: "portfolio:7" }]);
  at.answers([{ topic: "portfolio:7", epoch: "e1", offset: 8, recovered: false, snapshot: "whole" }]);
  assert.deepEqual(at.got.slice(1), [["portfolio:7", "snapshot", 8, "whole"]]);
});

test("missed messages are applied in order", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  at.answers([{ topic: "portfolio:7", epoch: "e1", offset: 6, recovered: true, messages: [{ epoch: "e1", offset: 5, data: "a" }, { epoch: "e1", offset: 6, data: "b" }] }]);
  assert.deepEqual(at.got.map((row) => row[3]), ["a", "b"]);
});

test("a latest-wins topic may jump", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  at.answers(snapshots);
  at.hears({ topic: "quote:w:NLB", epoch: "f1", offset: 40, data: "newest" });
  assert.equal(at.got.at(-1)[3], "newest");
  assert.equal(at.said("subscribe").length, 1);
});

test("a new epoch means a new numbering: the whole is taken", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  at.answers(snapshots);
  at.hears({ topic: "quote:w:NLB", epoch: "f2", offset: 1, data: "other life" });
  assert.deepEqual(at.said("subscribe").at(-1).topics, [{ topic: "quote:w:NLB" }]);
  assert.equal(at.got.length, 1);
});

test("it answers the server's ping", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  at.hears({ type: "ping" });
  assert.equal(at.said("pong").length, 1);
});

test("a closed socket comes back with its positions, and meanwhile the rows are polled", async (context) => {
  let polls = 0;
  const at = opened({ poll: async () => { polls += 1; } });
  context.after(() => at.stream.stop());
  at.answers(snapshots);
  at.hears({ topic: "portfolio:7", epoch: "e1", offset: 5, data: "x" });
  at.drops(4001);
  at.later(100);
  assert.equal(at.sockets.length, 1, "it does not hammer");
  at.later(2_000);
  await new Promise(setImmediate);
  assert.equal(polls, 1);
  at.later(100);
  assert.equal(at.state(), "polling");
  assert.equal(at.sockets.length, 2);
  at.hears({ type: "hello", v: 1 });
  assert.deepEqual(at.said("subscribe")[0].topics, [{ topic: "portfolio:7", since: { epoch: "e1", offset: 5 } }, { topic: "quote:w:NLB", since: { epoch: "f1", offset: 9 } }]);
  at.answers([]);
  at.later(100);
  assert.equal(at.state(), "live");
});

test("when neither socket nor polling works it says lost, and for how long", async (context) => {
  const at = opened({ poll: async () => { throw new Error("no network"); } });
  context.after(() => at.stream.stop());
  at.answers(snapshots);
  at.drops(1006);
  for (let n = 0; n < 24; n += 1) {
    at.later(500);
    await new Promise(setImmediate);
  }
  assert.equal(at.state(), "lost");
  assert.equal(at.states.at(-1).forMs, 12_000);
});

test("a socket that is silent for 15 s is not believed", async (context) => {
  let polls = 0;
  const at = opened({ poll: async () => { polls += 1; } });
  context.after(() => at.stream.stop());
  at.answers(snapshots);
  at.later(SILENT_MS + 1);
  await new Promise(setImmediate);
  assert.equal(polls, 1);
});

test("without a network it waits for one, and comes back at once", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  at.answers(snapshots);
  at.stream.network(false);
  at.later(60_000);
  assert.equal(at.sockets.length, 1);
  at.stream.network(true);
  assert.equal(at.sockets.length, 2);
});

test("closed with 4500 or more it stays away", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  at.drops(4507);
  at.later(60_000);
  assert.equal(at.sockets.length, 1);
});

test("a snapshot that polling brought counts: older pushes are dropped", (context) => {
  const at = opened();
  context.after(() => at.stream.stop());
  at.answers(snapshots);
  at.stream.moved("portfolio:7", "e1", 9);
  at.hears({ topic: "portfolio:7", epoch: "e1", offset: 8, data: "old news" });
  assert.equal(at.got.length, 1);
});

test("back-off has full jitter and a ceiling", () => {
  assert.equal(delayMs(0, 0), 0);
  assert.equal(delayMs(3, 0.5), 2_000);
  assert.equal(delayMs(40, 0.999), Math.floor(CEILING_MS * 0.999));
});
