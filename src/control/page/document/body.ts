/** Column; "n" aligns numbers. */
type Column = string | readonly [name: string, kind: "n"];

const CACHES = table("caches", "Cache fill", [
  "Zones",
  ["Answers", "n"],
  ["Denials", "n"],
  ["Memory", "n"],
  ["Full", "n"],
]);
const UPSTREAMS = table("upstreams", "Upstreams", [
  "Server",
  "State",
  ["Round trip", "n"],
  ["Replies/s", "n"],
  ["Failures/s", "n"],
]);
const RCODES = table("rcodes", "Answers by code", ["Code", ["Per second", "n"]]);
const NAMES = table("names", "Top names", ["Name", "Type", ["Per second", "n"], ["Queries", "n"]]);
const CLIENTS = table("clients", "Top clients", [
  "Address",
  "Name",
  ["Per second", "n"],
  ["Queries", "n"],
]);
const ZONES = table("zones", "Top zones", ["Zone", ["Per second", "n"], ["Queries", "n"]]);
const FAILURES = table("failures", "Failures", [
  "Name",
  "Type",
  "Code",
  "Last reason",
  ["Queries", "n"],
]);
const SLOW = table("slow", "Slow queries", [
  "Name",
  "Type",
  ["Waited", "n"],
  "Client",
  "Code",
  "Upstream",
]);

/** Body without values: its script fills them in. */
export const BODY = `
<a class="skip" href="#main">Skip to the content</a>
<header>
<h1>nodens</h1>
<p id="about"></p>
<p id="state" role="status">Connecting</p>
<button id="pause" type="button" aria-pressed="false">Pause</button>
</header>
<main id="main" tabindex="-1">
<noscript><p>This page needs JavaScript. In a terminal: <code>nodens top</code>.</p></noscript>
<section aria-labelledby="now">
<h2 id="now">Now</h2>
<dl class="tiles">
${tile("answers", "Answers a second")}
${tile("ratio", "Hit ratio")}
${tile("p50", "Latency p50")}
${tile("p95", "Latency p95")}
${tile("p99", "Latency p99")}
${tile("waited", "p99 of those that wait")}
${tile("fill", "Fullest cache")}
${tile("up", "Upstreams up")}
${tile("planes", "Data planes answering")}
</dl>
<p class="note" id="notop" hidden>Latencies, names and clients are not gathered: nodens runs with
<code>-top off</code>.</p>
</section>
<section aria-labelledby="history">
<h2 id="history">Last five minutes</h2>
<div class="charts">
${chart("sources", "Answers a second by source")}
${chart("latency", "Latency, over a minute")}
${chart("hits", "Hit ratio")}
</div>
</section>
<section aria-labelledby="parts">
<h2 id="parts">Caches and upstreams</h2>
<div class="tables">
${UPSTREAMS}
${CACHES}
${RCODES}
</div>
</section>
<section aria-labelledby="who">
<h2 id="who">Queries</h2>
<p class="note" id="span"></p>
<p class="note" id="withheld" hidden>Names, clients and the Corefile are shown to root and to the
user that nodens runs as. Reach this page as one of them (kubectl port-forward does), or serve with
<code>-page local</code>, which shows them to every user of this host.</p>
<div class="tables" id="lists">
${NAMES}
${CLIENTS}
${ZONES}
${FAILURES}
${SLOW}
</div>
</section>
<section aria-labelledby="config">
<h2 id="config">Configuration</h2>
<p id="reload"></p>
<ul id="faults"></ul>
<details id="corefile" hidden>
<summary>The Corefile in force: <span id="file"></span></summary>
<pre id="text" tabindex="0" role="region" aria-label="Corefile"></pre>
</details>
</section>
</main>
`;

function tile(id: string, name: string): string {
  return `<div><dt>${name}</dt><dd id="${id}">–</dd></div>`;
}

function chart(id: string, name: string): string {
  return `<figure id="${id}"><figcaption id="${id}-caption">${name} <span></span></figcaption>
<svg class="chart" viewBox="0 0 300 100" preserveAspectRatio="none" role="img" aria-labelledby="${id}-caption">
<path class="grid" d="M0 25H300M0 50H300M0 75H300"/><g></g></svg>
<ul class="legend"></ul></figure>`;
}

function table(id: string, caption: string, columns: readonly Column[]): string {
  const heads = columns.map((column) =>
    typeof column === "string"
      ? `<th scope="col">${column}</th>`
      : `<th scope="col" class="n">${column[0]}</th>`
  );
  return `<div class="scroll" role="region" aria-labelledby="${id}-caption">
<table id="${id}"><caption id="${id}-caption">${caption}</caption>
<thead><tr>${heads.join("")}</tr></thead><tbody></tbody></table></div>`;
}
