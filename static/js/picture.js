// The chart comes last: it is half of all script, and prices, depth and orders do without. It is fetched when
// its box is in view and the page has nothing better to do; when that fails, the page says so and still trades.
import { h, idle } from "./dom.js";
import { t } from "./phrases.js";

// section, options: as `drawChart` of chart.js takes them. → the chart, or null.
export async function makeChart(section, options) {
  await inView(section);
  await idle();
  try {
    const { drawChart } = await import("./chart.js");
    await document.fonts?.ready;
    await idle();
    return await drawChart(section, options);
  } catch (error) {
    console.warn("The chart did not load:", error.message);
    section.append(h("p", { class: "note say" }, t("Chart unavailable. Prices, depth and orders work without it.")));
    return null;
  }
}

const inView = (section) =>
  new Promise((resolve) => {
    const watch = new IntersectionObserver((seen) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      watch.disconnect();
      resolve();
    });
    watch.observe(section);
  });
