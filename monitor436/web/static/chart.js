// One metric over time: the mean as a line, least and most as a band, and the same as a table behind it.

import { fill, h } from "./dom.js";
import { clock, number, value } from "./words.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A chart of windows {start, count, sum, min, max, last}; `width` seconds each. Gives {element, end, follow}. */
export function chart(label, windows, width) {
  const plot = h("div.plot", { role: "img" });
  const now = h("span.now");
  const body = h("tbody");
  const details = h("details", h("summary", "Table"), h("div.wide", { tabindex: "0", role: "region", "aria-label": `Values of ${label}` },
    h("table", h("caption.hidden", label), h("thead", h("tr", ["Time", "Mean", "Least", "Most", "Samples"].map((title, at) =>
      h(at ? "th.n" : "th", { scope: "col" }, title)))), body)));
  const element = h("div.chart", h("h3", h("span", label), now), plot, details);
  let drawing = null;
  let held = windows;

  function series() {
    const times = [];
    const columns = [[], [], []];
    let before = null;
    for (const each of held) {
      if (before !== null && each.start - before > width * 1.5) {
        times.push(before + width);
        for (const column of columns) column.push(null);
      }
      times.push(each.start);
      [each.sum / each.count, each.min, each.max].forEach((point, at) => columns[at].push(each.count ? point : null));
      before = each.start;
    }
    return [times, ...columns];
  }

  function draw() {
    drawing?.destroy();
    drawing = null;
    if (!plot.clientWidth || !held.length) return;
    const grid = { stroke: colour("--line"), width: 1 };
    const axis = { stroke: colour("--dim"), grid, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const last = held[held.length - 1].start;
    drawing = new window.uPlot({
      width: plot.clientWidth, height: plot.clientHeight, legend: { show: false }, padding: [8, 4, 0, 0],
      cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false } },
      scales: { x: { range: () => [last - (width === 60 ? 3600 : 86400), last + width / 4] },
        y: { range: (_, least, most) => spread(least, most) } },
      axes: [{ ...axis, size: 24, space: 60, values: (_, ticks) => ticks.map(short) }, { ...axis, size: 52, space: 28, values: (_, ticks) => ticks.map(value) }],
      bands: [{ series: [3, 2], fill: colour("--band") }],
      series: [{}, { stroke: colour("--accent"), width: 1.5, points: { size: 4 } },
        { stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } }],
      hooks: { setCursor: [(self) => tell(self.cursor.idx)] },
    }, series(), plot);
  }

  function tell(at) {
    const times = drawing?.data[0] ?? [];
    const found = at === null || at === undefined ? held[held.length - 1] : held.find((each) => each.start === times[at]);
    if (!found) return;
    fill(now, at === null || at === undefined ? value(found.last)
      : `${clock(found.start * 1000)}  ${value(found.sum / found.count)}  (${value(found.min)}–${value(found.max)})`);
  }

  function about() {
    const last = held[held.length - 1];
    if (!last) return `${label}: no values`;
    const least = Math.min(...held.map((each) => each.min));
    const most = Math.max(...held.map((each) => each.max));
    return `${label}: last ${value(last.last)}, from ${value(least)} to ${value(most)} over ${number(held.length)} ${width === 60 ? "minutes" : "hours"}; the table below has all`;
  }

  function fillTable() {
    if (!details.open) return;
    fill(body, [...held].reverse().map((each) => h("tr", h("th", { scope: "row" }, clock(each.start * 1000)),
      [each.sum / each.count, each.min, each.max].map((point) => h("td.n", value(point))), h("td.n", number(each.count)))));
  }

  const redraw = () => draw();
  const sized = new ResizeObserver(() => { if (!drawing) draw(); else drawing.setSize({ width: plot.clientWidth, height: plot.clientHeight }); });
  const follow = (next) => {
    held = next;
    plot.setAttribute("aria-label", about());
    if (drawing) drawing.setData(series()); else draw();
    tell(null);
    fillTable();
  };
  details.addEventListener("toggle", fillTable);
  addEventListener("theme", redraw);
  sized.observe(plot);
  plot.setAttribute("aria-label", about());
  tell(null);
  return {
    element, follow,
    end: () => { sized.disconnect(); removeEventListener("theme", redraw); drawing?.destroy(); drawing = null; },
  };
}

/** Time of day of an axis. */
function short(tick) {
  return clock(tick * 1000).slice(-8, -3);
}

function spread(least, most) {
  if (least === null || most === null) return [0, 1];
  if (least === most) return least === 0 ? [0, 1] : [Math.min(0, least * 1.2), Math.max(0, most * 1.2)];
  const room = (most - least) * 0.08;
  return [least >= 0 && least - room < 0 ? 0 : least - room, most + room];
}

/** The library, which comes beside the page. */
export function ready() {
  if (window.uPlot) return Promise.resolve();
  const script = document.getElementById("uplot");
  return new Promise((done, failed) => { script.addEventListener("load", done); script.addEventListener("error", failed); });
}
