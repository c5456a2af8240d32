// Small tools for a page whose figures change all the time: write only what changed.

// h("td", {class: "num"}, "42.18")
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "style") node.style.cssText = value; // as an attribute the CSP would refuse it
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function text(node, value) {
  const wanted = value ?? "";
  if (node && node.textContent !== wanted) node.textContent = wanted;
}

export function attribute(node, name, value) {
  const wanted = value === null || value === undefined || value === false ? null : String(value);
  if (node.getAttribute(name) === wanted) return;
  if (wanted === null) node.removeAttribute(name);
  else node.setAttribute(name, wanted);
}

export const WAYS = { 1: "up", 0: "flat", "-1": "down" };
export const mark = (way) => h("i", { class: `a ${WAYS[way]}`, "aria-hidden": "true" });

// A signed figure in its colour, with its mark when `triangle`.
export function figure(node, value, way, { triangle = false } = {}) {
  const name = WAYS[way];
  if (node.dataset.shown === `${name} ${value}`) return;
  node.dataset.shown = `${name} ${value}`;
  node.classList.remove("up", "down", "flat");
  node.classList.add(name);
  node.replaceChildren(...(triangle ? [mark(way)] : []), value);
}

const FLASH_MS = 500; // at most one per cell in this time; the animation (base.css) is over by then
const flashed = new WeakMap();

// The mark is taken off when it has faded, so that the next one begins anew without a forced layout.
export function flash(node, way) {
  const now = performance.now();
  if (!way || document.hidden || now - (flashed.get(node) ?? -FLASH_MS) < FLASH_MS) return;
  if (!flashed.has(node)) node.addEventListener("animationend", () => node.classList.remove("fl-up", "fl-down"));
  flashed.set(node, now);
  node.classList.toggle("fl-up", way > 0);
  node.classList.toggle("fl-down", way < 0);
}

// The page has nothing better to do; long work waits for it between its steps.
export const idle = (patienceMs = 1_000) => new Promise((resolve) => (globalThis.requestIdleCallback ? requestIdleCallback(resolve, { timeout: patienceMs }) : setTimeout(resolve)));

// What waits to be painted or clicked goes first.
export const breath = () => globalThis.scheduler?.yield?.() ?? new Promise((resolve) => setTimeout(resolve));

// Rows by key: made once, updated in place, moved only when the order changed.
export function keyed(parent, rows, keyOf, make, update) {
  const known = (parent.keyedRows ??= new Map());
  const wanted = new Set();
  let previous = null;
  for (const row of rows) {
    const key = keyOf(row);
    wanted.add(key);
    let node = known.get(key);
    if (!node) known.set(key, (node = make(row)));
    update(node, row);
    const place = previous ? previous.nextSibling : parent.firstChild;
    if (place !== node) parent.insertBefore(node, place);
    previous = node;
  }
  for (const [key, node] of known) {
    if (wanted.has(key)) continue;
    node.remove();
    known.delete(key);
  }
}

const SPARK = { width: 56, height: 18 };

// The path of a small line through `values` (numbers), and its base line at `base`.
export function sparkPath(values, base, { width, height } = SPARK) {
  if (values.length < 2) return { line: "", base: "" };
  const low = Math.min(...values, base ?? Infinity);
  const high = Math.max(...values, base ?? -Infinity);
  const y = (value) => (high === low ? height / 2 : height - ((value - low) / (high - low)) * height).toFixed(1);
  const step = width / (values.length - 1);
  const line = values.map((value, index) => `${index ? "L" : "M"}${(index * step).toFixed(1)} ${y(value)}`).join("");
  return { line, base: base === undefined || base === null ? "" : `M0 ${y(base)}H${width}` };
}

export function spark(width = SPARK.width, height = SPARK.height) {
  const holder = document.createElement("div");
  holder.innerHTML = `<svg class="spark" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true"><path class="base"/><path class="ink"/></svg>`;
  return holder.firstChild;
}

export function drawSpark(svg, values, base) {
  const paths = sparkPath(values, base, { width: Number(svg.getAttribute("width")), height: Number(svg.getAttribute("height")) });
  attribute(svg.firstChild, "d", paths.base);
  attribute(svg.lastChild, "d", paths.line);
}
