/** Script part: charts of five minutes. */
export const CHARTS = String.raw`
const KEPT_MS = 300000;
/** A longer pause between two values leaves a gap. */
const GAP_MS = 3500;
const SVG = "http://www.w3.org/2000/svg";
const OTHERS = "others";
/** Each source keeps its color; those beyond the colors are added up. */
const colors = new Map([["cache", 0], ["stale", 1], ["upstream", 2], ["nodens", 3]]);
let points = [];

function colorOf(source) {
  if (!colors.has(source) && colors.size < 6) colors.set(source, colors.size);
  return colors.has(source) ? source : OTHERS;
}

function classOf(source) {
  return "f" + (colors.has(source) ? colors.get(source) : 6);
}

function remember(top) {
  const at = performance.now();
  const sources = new Map();
  for (const { source, perSecond } of top.rates.bySource) {
    const name = colorOf(source);
    sources.set(name, (sources.get(name) || 0) + perSecond);
  }
  const { p50, p95, p99 } = top.latency === null ? {} : top.latency.all;
  points.push({ at, sources, p50, p95, p99, ratio: top.rates.hitRatio });
  points = points.filter((point) => at - point.at <= KEPT_MS);
}

/** Runs of points without a gap and without missing values. */
function runsOf(valueOf) {
  const runs = [];
  let last = null;
  for (const point of points) {
    const value = valueOf(point);
    if (typeof value !== "number") { last = null; continue; }
    if (last === null || point.at - last > GAP_MS) runs.push([]);
    runs[runs.length - 1].push([point, value]);
    last = point.at;
  }
  return runs;
}

function drawCharts() {
  const now = performance.now();
  const x = (point) => (300 - (now - point.at) / KEPT_MS * 300).toFixed(1);
  drawSources(x);
  const lines = ["p50", "p95", "p99"];
  const slowest = scale(Math.max(0, ...points.map(({ p99 }) => p99 || 0)));
  drawLines("latency", x, lines.map((key) => ({
    name: key, valueOf: (point) => point[key], text: milliseconds,
  })), slowest, milliseconds(slowest));
  drawLines("hits", x, [
    { name: "cache and stale", valueOf: ({ ratio }) => ratio, text: percent },
  ], 1, "100 %");
}

function drawSources(x) {
  const names = [...colors.keys(), OTHERS].filter((name) =>
    points.some(({ sources }) => sources.get(name) > 0));
  const sum = (sources, upTo) =>
    names.slice(0, upTo).reduce((all, name) => all + (sources.get(name) || 0), 0);
  const most = scale(Math.max(0, ...points.map(({ sources }) => sum(sources, names.length))));
  const y = (value) => (100 - value / most * 100).toFixed(1);
  const paths = names.map((name, i) => {
    const areas = runsOf(({ sources }) => sum(sources, i + 1)).map((run) => {
      const upper = run.map(([point, value]) => x(point) + " " + y(value));
      const lower = run.map(([point]) => x(point) + " " + y(sum(point.sources, i))).reverse();
      return "M" + upper.concat(lower).join("L") + "Z";
    });
    return ["area " + classOf(name), areas.join("")];
  });
  const now = points.length > 0 ? points[points.length - 1].sources : new Map();
  const legend = names.map((name) =>
    [classOf(name), "M0 0H20V12H0Z", name + " " + rate(now.get(name) || 0)]);
  draw("sources", paths, legend, "up to " + rate(most) + "/s");
}

function drawLines(id, x, lines, most, upTo) {
  const y = (value) => (99 - value / most * 98).toFixed(1);
  const kindOf = (i) => "trace s" + i + " d" + i;
  const paths = lines.map(({ valueOf }, i) => [kindOf(i), runsOf(valueOf).map((run) =>
    "M" + run.map(([point, value]) => x(point) + " " + y(value)).join("L")).join("")]);
  const last = points[points.length - 1];
  const legend = lines.map(({ name, valueOf, text }, i) =>
    [kindOf(i), "M0 6H20", name + " " + text(last === undefined ? null : valueOf(last))]);
  draw(id, paths, legend, "up to " + upTo);
}

function draw(id, paths, legend, upTo) {
  const figure = byId(id);
  setText(figure.querySelector("figcaption span"), upTo);
  const group = figure.querySelector(".chart g");
  fit(group, paths.length, () => document.createElementNS(SVG, "path"));
  paths.forEach(([kind, d], i) => setAttributes(group.children[i], { class: kind, d }));
  const list = figure.querySelector(".legend");
  fit(list, legend.length, () => {
    const item = document.createElement("li");
    const sign = document.createElementNS(SVG, "svg");
    setAttributes(sign, { viewBox: "0 0 20 12", "aria-hidden": "true" });
    sign.append(document.createElementNS(SVG, "path"));
    item.append(sign, document.createElement("span"));
    return item;
  });
  legend.forEach(([kind, d, text], i) => {
    const item = list.children[i];
    setAttributes(item.querySelector("path"), { class: kind, d });
    setText(item.lastChild, text);
  });
}

/** The next round number, so that the axis seldom changes. */
function scale(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.1)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) || 10 * power;
}
`;
