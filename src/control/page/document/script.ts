import { CHARTS } from "./charts.ts";
import { TABLES } from "./tables.ts";

/** Script part: the stream of views. */
const STREAM = String.raw`
/** A view comes each second. */
const STALE_MS = 4000;
const RETRY_MS = { first: 1000, most: 15000 };
const STATES = { up: "good", suspect: "doubt", down: "bad" };
let source = null;
let retryMs = RETRY_MS.first;
let heardAt = null;
let heardClock = "";
let paused = false;
let shown = null;

function connect() {
  source = new EventSource("/events");
  source.addEventListener("view", ({ data }) => {
    const view = JSON.parse(data);
    heardAt = performance.now();
    heardClock = new Date().toLocaleTimeString();
    retryMs = RETRY_MS.first;
    remember(view.top);
    shown = view;
    if (!paused) render();
    tell();
  });
  source.addEventListener("corefile", ({ data }) => {
    const { file, text } = JSON.parse(data);
    setText(byId("file"), file);
    setText(byId("text"), text);
    byId("corefile").hidden = false;
  });
  source.addEventListener("error", () => {
    tell();
    // The browser itself connects again only after some failures.
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(connect, retryMs * (0.75 + Math.random() / 2));
    retryMs = Math.min(2 * retryMs, RETRY_MS.most);
  });
}

/** Tells whether what is shown is current: a screen reader announces each change. */
function tell() {
  const lost = source.readyState !== EventSource.OPEN;
  const late = lost || heardAt === null || performance.now() - heardAt > STALE_MS;
  document.body.className = late && heardAt !== null ? "stale" : paused ? "paused" : "";
  let text = paused ? "Paused" : "Live";
  if (heardAt === null) text = lost ? "Connecting" : "Waiting for the first values";
  else if (late) text = "Stale: last values of " + heardClock + (lost ? ", connecting again" : "");
  if (heardAt === null && retryMs > RETRY_MS.first) {
    text = "No values: nodens does not answer, or too many pages are open; trying again";
  }
  setText(byId("state"), text);
}

function render() {
  const { top, reload, withheld } = shown;
  const { rates, latency, lists } = top;
  setText(byId("about"), top.version + ", process " + top.pid + ", up for " +
    duration(top.uptimeSeconds));
  setText(byId("answers"), rate(rates.answers));
  setText(byId("ratio"), percent(rates.hitRatio));
  for (const key of ["p50", "p95", "p99"]) {
    setText(byId(key), milliseconds(latency === null ? null : latency.all[key]));
  }
  setText(byId("waited"), milliseconds(latency === null ? null : latency.waited.p99));
  const fills = top.caches.map(fillOf);
  setText(byId("fill"), fills.length === 0 ? NOTHING : percent(Math.max(...fills)));
  const up = top.upstreams.filter(({ state }) => state === "up").length;
  setText(byId("up"), top.upstreams.length === 0 ? NOTHING : up + " of " + top.upstreams.length);
  const { answered, running } = top.dataPlanes;
  setText(byId("planes"), answered + " of " + running);
  byId("planes").className = answered < running ? "bad" : "";
  byId("notop").hidden = lists !== null || withheld;
  byId("withheld").hidden = !withheld;
  fill("upstreams", top.upstreams.map((one) => [
    one.to, [one.state, STATES[one.state] || "doubt"], milliseconds(one.rttMs),
    rate(one.repliesPerSecond), rate(one.failuresPerSecond),
  ]));
  fill("caches", top.caches.map((one) => [
    one.zones.join(" "), count(one.success.entries), count(one.denial.entries),
    bytes(one.bytes), percent(fillOf(one)),
  ]));
  fill("rcodes", (rates.byRcode || []).map((one) => [one.rcode, rate(one.perSecond)]));
  byId("lists").hidden = lists === null;
  setText(byId("span"), lists === null ? "" : "Of the last " + duration(lists.seconds) +
    (lists.sampledEvery > 1 ? ", one query of " + lists.sampledEvery + " counted." : "."));
  if (lists !== null) renderLists(lists);
  renderReload(reload);
  drawCharts();
  markScrolling();
}

function renderLists(lists) {
  const ends = (one) => [rate(one.perSecond), count(one.queries)];
  fill("names", lists.names.map((one) => [one.name, one.type, ...ends(one)]));
  fill("clients", lists.clients.map((one) => [one.address, one.name || NOTHING, ...ends(one)]));
  fill("zones", lists.zones.map((one) => [one.zone, ...ends(one)]));
  fill("failures", lists.failures.map((one) =>
    [one.name, one.type, one.rcode, one.reason || NOTHING, count(one.queries)]));
  fill("slow", lists.slow.map((one) => [
    one.name, one.type, milliseconds(one.waitedMs), one.clientName || one.client, one.rcode,
    one.upstream || one.source,
  ]));
}

function renderReload(reload) {
  const node = byId("reload");
  const when = reload === null ? "" : new Date(reload.at).toLocaleString();
  const text = reload === null
    ? "No reload yet."
    : reload.ok
    ? "Last reload: " + when + ", taken over."
    : "Last reload: " + when + ", refused. The configuration before it is in force.";
  setText(node, text);
  node.className = reload !== null && !reload.ok ? "bad" : "";
  const faults = reload === null ? [] : reload.faults;
  const list = byId("faults");
  fit(list, faults.length, () => document.createElement("li"));
  faults.forEach((fault, i) => setText(list.children[i], fault));
  list.hidden = faults.length === 0;
}

/** The fullest of a cache's bounds. */
function fillOf({ success, denial, bytes, capacityBytes }) {
  return Math.max(...[success, denial].map(({ entries, capacity }) =>
    capacity > 0 ? entries / capacity : 0), capacityBytes === null ? 0 : bytes / capacityBytes);
}

byId("pause").addEventListener("click", ({ target }) => {
  paused = !paused;
  setAttributes(target, { "aria-pressed": String(paused) });
  if (!paused && shown !== null) render();
  tell();
});
addEventListener("resize", markScrolling);
// Another page of the history must not keep a place among the viewers.
addEventListener("pagehide", () => source.close());
addEventListener("pageshow", ({ persisted }) => { if (persisted) connect(); });
setInterval(tell, 1000);
connect();
`;

/** The page's script. */
export const SCRIPT = `"use strict";
(() => {${TABLES}${CHARTS}${STREAM}})();
`;
