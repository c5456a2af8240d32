// What a page asks its own server, and that it asks nothing more once its player has signed out.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

const page = new EventTarget();
globalThis.addEventListener = page.addEventListener.bind(page);
const { get, Refused } = await import("../../static/js/api.js");

const held = [];
const server = createServer((request, response) => {
  const answer = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  if (request.url === "/held") held.push(() => answer(401, { code: "UNAUTHENTICATED", detail: "Sign in." }));
  else answer(request.url === "/here" ? 200 : 404, request.url === "/here" ? { n: 1 } : { code: "NOT_FOUND", detail: "Nothing." });
});
let url = "";
before(() => new Promise((ready) => server.listen(0, "127.0.0.1", ready)).then(() => (url = `http://127.0.0.1:${server.address().port}`)));
after(() => server.closeAllConnections() ?? server.close());

function submit(action) {
  const event = new Event("submit");
  Object.defineProperty(event, "target", { value: { getAttribute: () => action } });
  page.dispatchEvent(event);
}

test("an answer is its status and body, a refusal is thrown", async () => {
  const { status, body } = await get(`${url}/here`);
  assert.deepEqual([status, body], [200, { n: 1 }]);
  await assert.rejects(get(`${url}/nowhere`), (error) => error instanceof Refused && error.status === 404);
});

test("what is under way when she signs out is dropped, and nothing more is asked", async () => {
  const asked = get(`${url}/held`);
  while (!held.length) await new Promise(setImmediate);
  submit("/filter/");
  submit("/logout/");
  held[0]();
  await assert.rejects(asked, { name: "AbortError" });
  await assert.rejects(get(`${url}/here`), { name: "AbortError" });
});

test("a page that is shown again asks again", async () => {
  page.dispatchEvent(new Event("pageshow"));
  assert.equal((await get(`${url}/here`)).status, 200);
});
