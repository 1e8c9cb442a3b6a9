import assert from "node:assert/strict";
import { SCREEN_LISTS, topText } from "../../../src/cli/operator/top_text.ts";
import { TOP_LISTS } from "../../../src/control/observe/top_snapshot.ts";
import { snapshotWith } from "./snapshot.ts";

Deno.test("top: a snapshot as text", () => {
  assert.deepEqual(topText(snapshotWith(2), { lists: TOP_LISTS, size: null }), [
    "nodens 1.2.3, process 4711, 2026-01-02 03:04:05 UTC",
    "Answers: 1235/s over 1 s: cache 97.2 %, upstream 2.8 %",
    "Rcodes/s: NOERROR 1200, NXDOMAIN 34.1",
    "Cache: hits 97.2 %, 5200 entries, 3.5 MiB",
    "Latency (80 s): p50 0 ms, p95 0 ms, p99 12.3 ms",
    "  of those that waited: p50 3.2 ms, p95 20.0 ms, p99 123 ms",
    "",
    "REPLIES/S  FAILED/S     RTT  STATE  UPSTREAM",
    "        0         0  1.2 ms  up     10.0.0.1:53",
    "",
    "QUERIES    /S  NAME (80 s)",
    "    900  11.3  AAAA  www0.example.org.",
    "   899+  11.2  AAAA  www1.example.org.",
    "",
    "QUERIES   /S  CLIENT (80 s)",
    "    500  6.3  192.0.2.0 shop/cart-1",
    "    499  6.2  192.0.2.1",
    "",
    "QUERIES   /S  ZONE (80 s)",
    `    300  3.8  ${"z".repeat(60)}.zone0.example.org.`,
    `    299  3.7  ${"z".repeat(60)}.zone1.example.org.`,
    "",
    "QUERIES   /S  FAILURE (80 s)",
    "      9  0.1  SERVFAIL A bad0.example.org.: 10.0.0.1:53: connection refused",
    "      9  0.1  SERVFAIL A bad1.example.org.: 10.0.0.1:53: connection refused",
    "",
    " WAITED  SLOW (80 s)",
    "1900 ms  NOERROR A slow0.example.org. for 192.0.2.7 from 10.0.0.1:53",
    "1899 ms  NOERROR A slow1.example.org. for 192.0.2.7 from 10.0.0.1:53",
  ]);
});

for (
  const [what, size, entries, upstreams] of [
    ["80x24", { columns: 80, rows: 24 }, 100, 1],
    ["80x24 and many upstreams", { columns: 80, rows: 24 }, 100, 50],
    ["a tall one", { columns: 132, rows: 70 }, 100, 3],
    ["a tiny one", { columns: 20, rows: 5 }, 100, 9],
    ["80x24 and nothing to show", { columns: 80, rows: 24 }, 0, 0],
  ] as const
) {
  Deno.test(`top: a screen fits on ${what}`, () => {
    const snapshot = snapshotWith(entries, { upstreams, sampledEvery: 20 });
    for (const lists of [SCREEN_LISTS, ...TOP_LISTS.map((one) => [one])]) {
      const lines = topText(snapshot, { lists, size });
      assert.ok(lines.length <= size.rows, `${lines.length} lines`);
      for (const line of lines) assert.ok(line.length < size.columns, line);
      if (size.rows < 24) continue;
      const heads = lines.filter((line) => /^ *(QUERIES|WAITED) /.test(line));
      assert.equal(heads.length, lists.length, `the screen shows ${lists}`);
    }
  });
}

Deno.test("top: names and clients share a screen, and one takes what the other leaves", () => {
  const size = { columns: 80, rows: 40 };
  const snapshot = snapshotWith(100);
  const rowsOf = (lines: string[], pattern: RegExp) => lines.filter((line) => pattern.test(line));
  const full = topText(snapshot, { lists: SCREEN_LISTS, size });
  const names = rowsOf(full, /www/).length;
  const clients = rowsOf(full, / 192\.0\.2\./).length;
  assert.ok(names >= 10 && Math.abs(names - clients) <= 1, `${names} names, ${clients} clients`);
  snapshot.lists!.clients = snapshot.lists!.clients.slice(0, 1);
  const other = topText(snapshot, { lists: SCREEN_LISTS, size });
  assert.equal(rowsOf(other, /www/).length, names + clients - 1);
});

Deno.test("top: what is missing is said", () => {
  const text = (rest: Parameters<typeof snapshotWith>[1]) =>
    topText(snapshotWith(0, rest), { lists: SCREEN_LISTS, size: null }).join("\n");
  assert.match(text({ lists: null, latency: null }), /started with -top off/);
  assert.match(text({ dataPlanes: { running: 3, answered: 1 } }), /2 OF 3 DATA PLANES DO NOT/);
  assert.match(text({ sampledEvery: 20 }), /^Lists: one query of 20 is counted/m);
  assert.doesNotMatch(text({ upstreams: 0 }), /UPSTREAM/);
});
