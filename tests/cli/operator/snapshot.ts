import type { TopSnapshot } from "../../../src/control/observe/top_snapshot.ts";

const count = (queries: number, uncertain = 0) => ({
  queries,
  uncertain,
  perSecond: queries / 80,
});

/** A snapshot with so many entries in each list. */
export function snapshotWith(
  entries: number,
  { upstreams = 1, sampledEvery = 1, ...rest }: Partial<Omit<TopSnapshot, "upstreams">> & {
    upstreams?: number;
    sampledEvery?: number;
  } = {},
): TopSnapshot {
  const each = <T>(entry: (i: number) => T) => Array.from({ length: entries }, (_, i) => entry(i));
  return {
    version: "1.2.3",
    pid: 4711,
    uptimeSeconds: 90,
    at: "2026-01-02T03:04:05.678Z",
    dataPlanes: { running: 2, answered: 2 },
    rates: {
      seconds: 1.02,
      answers: 1234.5,
      bySource: [{ source: "cache", perSecond: 1200 }, { source: "upstream", perSecond: 34.5 }],
      byRcode: [{ rcode: "NOERROR", perSecond: 1200.4 }, { rcode: "NXDOMAIN", perSecond: 34.06 }],
      hitRatio: 0.972,
    },
    latency: {
      seconds: 80,
      all: { p50: 0, p95: 0, p99: 12.34 },
      waited: { p50: 3.21, p95: 20, p99: 123.4 },
    },
    caches: [{
      zones: ["."],
      success: { entries: 5000, capacity: 9984 },
      denial: { entries: 200, capacity: 9984 },
      bytes: 3.5 * 2 ** 20,
      capacityBytes: null,
    }],
    upstreams: Array.from({ length: upstreams }, (_, i) => ({
      to: `10.0.0.${i + 1}:53`,
      state: i === 1 ? "down" : "up",
      rttMs: i === 1 ? null : 1.24,
      repliesPerSecond: i,
      failuresPerSecond: i === 1 ? 2.5 : 0,
    })),
    lists: {
      span: "minute",
      seconds: 80,
      sampledEvery,
      names: each((i) => ({ name: `www${i}.example.org.`, type: "AAAA", ...count(900 - i, i) })),
      clients: each((i) => ({
        address: `192.0.2.${i}`,
        name: i === 0 ? "shop/cart-1" : null,
        ...count(500 - i),
      })),
      zones: each((i) => ({ zone: `${"z".repeat(60)}.zone${i}.example.org.`, ...count(300 - i) })),
      failures: each((i) => ({
        name: `bad${i}.example.org.`,
        type: "A",
        rcode: "SERVFAIL",
        reason: "10.0.0.1:53: connection refused",
        ...count(9),
      })),
      slow: each((i) => ({
        name: `slow${i}.example.org.`,
        type: "A",
        waitedMs: 1900 - i,
        client: "192.0.2.7",
        clientName: null,
        rcode: "NOERROR",
        source: "upstream",
        upstream: "10.0.0.1:53",
      })),
    },
    ...rest,
  };
}
