// The pointer on the chart: a click is a price for the ticket, an own order's line can be taken and
// put down at another price. A keyboard has the price field and "Change" in the table of orders.

const GRIP = 6; // pixels around a line
const STILL = 4; // a pointer that moved less than so many pixels clicked

// The nearest order within the grip: {order, y}; null. Pure.
export function grabbed(orders, y, coordinate) {
  const near = orders.map((order) => ({ order, away: Math.abs((coordinate(order.price) ?? Infinity) - y) })).filter((one) => one.away <= GRIP);
  return near.length ? near.reduce((best, one) => (one.away < best.away ? one : best)).order : null;
}

// A price as a decimal string on the tick. Pure.
export function onTick(price, tick, exponent) {
  const step = Number(tick);
  return (Math.round(price / step) * step).toFixed(exponent);
}

// tools: {orders() → [{id, price, movable}], listed(), toPrice(y), toY(price), hold(on), ghost(price|null), onPrice(text), onMove(id, text)}
export function handle(canvas, tools) {
  let [taken, began, moved] = [null, null, false];
  const where = (event) => event.clientY - canvas.getBoundingClientRect().top;
  const inPlot = (event) => event.clientX - canvas.getBoundingClientRect().left < canvas.clientWidth - tools.axisWidth();
  const textAt = (y) => {
    const [price, listed] = [tools.toPrice(y), tools.listed()];
    return price > 0 && listed ? onTick(price, listed.tick, listed.price_exponent) : null;
  };
  const grab = (event) => inPlot(event) && grabbed(tools.orders().filter((order) => order.movable), where(event), tools.toY);

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    [began, moved] = [{ x: event.clientX, y: event.clientY }, false];
    taken = grab(event) || null;
    if (!taken) return;
    tools.hold(true); // the chart stays where it is
    canvas.setPointerCapture?.(event.pointerId);
  }, { capture: true });

  canvas.addEventListener("pointermove", (event) => {
    if (!began) canvas.classList.toggle("grip", Boolean(grab(event)));
    if (began && Math.hypot(event.clientX - began.x, event.clientY - began.y) > STILL) moved = true;
    if (taken && moved) tools.ghost(textAt(where(event)), taken);
  }, { capture: true });

  const end = (event) => {
    const [order, text] = [taken, textAt(where(event))];
    const clicked = began && !moved && event.type === "pointerup";
    [taken, began] = [null, null];
    if (order) {
      tools.hold(false);
      tools.ghost(null);
      if (moved && text && event.type === "pointerup" && text !== order.label) tools.onMove(order.id, text);
    } else if (clicked && text && inPlot(event)) tools.onPrice(text);
  };
  canvas.addEventListener("pointerup", end, { capture: true });
  canvas.addEventListener("pointercancel", end, { capture: true });
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !taken) return;
    [taken, began] = [null, null];
    tools.hold(false);
    tools.ghost(null);
  });
}
