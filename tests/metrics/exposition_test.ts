import assert from "node:assert/strict";
import { parseStat } from "../../src/control/endpoints/process_metrics.ts";
import { bucketOf, SIZE_BUCKETS, TIME_BUCKETS } from "../../src/engine/buckets.ts";
import { METRICS } from "../../src/metrics/catalog.ts";
import { acceptsGzip, chooseFormat, expose } from "../../src/metrics/exposition.ts";
import { MetricRegistry } from "../../src/metrics/registry.ts";
import { SeriesBook } from "../../src/metrics/series.ts";

/** Of Prometheus 2.42. */
const PROMETHEUS = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;" +
  "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const FORMATS: [accept: string | null, format: string][] = [
  [null, "text"],
  ["*/*", "text"],
  ["text/html, */*;q=0.1", "text"],
  ["application/openmetrics-text", "openmetrics"],
  ["application/openmetrics-text; version=2.0.0", "text"],
  ["application/openmetrics-text;q=0.3,text/plain;q=0.5", "text"],
  ["text/plain;q=0.5, application/openmetrics-text;q=0.3", "text"],
  ["application/openmetrics-text;q=0", "text"],
  [PROMETHEUS, "openmetrics"],
];

for (const [accept, format] of FORMATS) {
  Deno.test(`exposition: Accept: ${accept} returns ${format}`, () =>
    assert.equal(chooseFormat(accept), format));
}

Deno.test("exposition: gzip requires the client's consent", () => {
  for (const header of ["gzip", "deflate, gzip;q=1.0", "GZIP"]) {
    assert.ok(acceptsGzip(header), header);
  }
  for (const header of [null, "", "br", "gzip;q=0", "x-gzip"]) assert.ok(!acceptsGzip(header));
});

Deno.test("exposition: labels are escaped, in the catalog's order", () => {
  const book = new SeriesBook();
  book.add("nodens_cache_bytes", { zones: 'a"b\\c\nd', server: "dns://:53" }, 12);
  const [help, type, line] = expose(book, "text").split("\n");
  assert.match(help!, /^# HELP nodens_cache_bytes \S/);
  assert.equal(type, "# TYPE nodens_cache_bytes gauge");
  assert.equal(line, 'nodens_cache_bytes{server="dns://:53",zones="a\\"b\\\\c\\nd"} 12');
});

Deno.test("exposition: a histogram's buckets are cumulative, and summed over data planes", () => {
  const book = new SeriesBook();
  const bounds = [1, 2.5];
  for (const values of [[1, 2, 3, 40.5], [10, 0, 0, 5]]) {
    book.addSeries([{ name: "nodens_loop_lag_seconds", labels: {}, bounds, index: 0 }], values);
  }
  assert.deepEqual(expose(book, "text").split("\n").slice(2), [
    'nodens_loop_lag_seconds_bucket{le="1"} 11',
    'nodens_loop_lag_seconds_bucket{le="2.5"} 13',
    'nodens_loop_lag_seconds_bucket{le="+Inf"} 16',
    "nodens_loop_lag_seconds_sum 45.5",
    "nodens_loop_lag_seconds_count 16",
    "",
  ]);
  assert.match(expose(book, "openmetrics"), /bucket\{le="1\.0"\} 11\n[^]*# EOF\n$/);
});

Deno.test("exposition: in OpenMetrics, a counter's family has no suffix", () => {
  const book = new SeriesBook();
  book.add("coredns_panics_total", {}, 3);
  const lines = expose(book, "openmetrics").split("\n");
  assert.equal(lines[1], "# TYPE coredns_panics counter");
  assert.equal(lines[2], "coredns_panics_total 3");
});

Deno.test("exposition: gauges of data planes are combined by sum, minimum or maximum", () => {
  const book = new SeriesBook();
  for (const [up, rtt, count] of [[1, 0.2, 5], [0, 0.1, 6], [NaN, NaN, NaN]]) {
    book.add("nodens_upstream_up", { to: "a" }, up!);
    book.add("nodens_upstream_rtt_seconds", { to: "a" }, rtt!);
    book.add("nodens_upstream_replies_total", { to: "a" }, count!);
  }
  assert.equal(book.of("nodens_upstream_up")[0]!.value, 0);
  assert.equal(book.of("nodens_upstream_rtt_seconds")[0]!.value, 0.2);
  assert.equal(book.of("nodens_upstream_replies_total")[0]!.value, 11);
});

Deno.test("exposition: series without a value and metrics outside the catalog are omitted", () => {
  const book = new SeriesBook();
  book.add("nodens_upstream_up", { to: "a" }, NaN);
  book.add("nodens_of_nobody", {}, 1);
  assert.equal(expose(book, "text"), "\n");
});

Deno.test("registry: supports counters, gauges and histograms, and removes series", () => {
  const registry = new MetricRegistry();
  const failed = registry.counter("coredns_reload_failed_total");
  failed.add();
  registry.counter("coredns_reload_failed_total").add(2);
  registry.gauge("coredns_reload_version_info", { hash: "sha512", value: "a" }).set(1);
  registry.reset("coredns_reload_version_info");
  registry.gauge("coredns_reload_version_info", { hash: "sha512", value: "b" }).set(1);
  registry.gauge("coredns_hosts_reload_timestamp_seconds");
  registry.histogram("coredns_health_request_duration_seconds", [0.1, 1]).observe(0.5);
  registry.onScrape((book) => book.add("process_open_fds", {}, 7));
  const book = new SeriesBook();
  registry.collect(book);
  assert.deepEqual(expose(book, "text").split("\n").filter((line) => !line.startsWith("#")), [
    'coredns_health_request_duration_seconds_bucket{le="0.1"} 0',
    'coredns_health_request_duration_seconds_bucket{le="1"} 1',
    'coredns_health_request_duration_seconds_bucket{le="+Inf"} 1',
    "coredns_health_request_duration_seconds_sum 0.5",
    "coredns_health_request_duration_seconds_count 1",
    "coredns_reload_failed_total 3",
    'coredns_reload_version_info{hash="sha512",value="b"} 1',
    "process_open_fds 7",
    "",
  ]);
  assert.throws(() => registry.counter("nodens_of_nobody"), /the catalog has no such counter/);
  assert.throws(() => registry.gauge("coredns_reload_failed_total"), /no such gauge/);
});

Deno.test("catalog: names and help texts follow Prometheus's conventions", () => {
  const names = new Set<string>();
  for (const { name, type, help, labels } of METRICS.values()) {
    assert.ok(!names.has(name), name);
    names.add(name);
    assert.match(name, /^(coredns|nodens|process)_[a-z0-9_]+$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.match(help, /^\S.*\.$/, name);
    assert.equal(new Set(labels).size, labels.length, name);
  }
});

Deno.test("histogram: a value is in the first bucket whose bound is not below it", () => {
  const search = (bounds: readonly number[], value: number) => {
    const found = bounds.findIndex((bound) => value <= bound);
    return found < 0 ? bounds.length : found;
  };
  for (let size = 0; size < 65536; size++) {
    assert.equal(bucketOf(SIZE_BUCKETS, size), search(SIZE_BUCKETS, size));
  }
  for (const bound of TIME_BUCKETS) {
    for (const factor of [0.501, 0.999, 1, 1.001, 1.999]) {
      const seconds = bound * factor;
      assert.equal(bucketOf(TIME_BUCKETS, seconds), search(TIME_BUCKETS, seconds), `${seconds} s`);
    }
  }
  assert.equal(bucketOf(TIME_BUCKETS, 0), 0);
  assert.equal(bucketOf(TIME_BUCKETS, -1), 0);
});

Deno.test("process metrics: a process name with spaces and brackets is parsed", () => {
  const rest =
    "S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 12345 20480 3 18446744073709551615";
  assert.deepEqual(parseStat(`4242 (a ) b) ${rest}`), {
    process_cpu_seconds_total: 3,
    process_virtual_memory_bytes: 20480,
    process_resident_memory_bytes: 12288,
  });
});
