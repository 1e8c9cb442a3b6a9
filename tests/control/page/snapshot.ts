import type { TopSnapshot } from "../../../src/control/observe/top_snapshot.ts";

/** A snapshot with something in each part. */
export function snapshot(changes: Partial<TopSnapshot> = {}): TopSnapshot {
  const count = { queries: 7, perSecond: 0.1, uncertain: 0 };
  const quantiles = { p50: 0, p95: 2, p99: 3 };
  const name = "www.example.org.";
  return {
    version: "1.2.3",
    pid: 42,
    uptimeSeconds: 60,
    at: "2026-01-02T00:00:00.000Z",
    dataPlanes: { running: 1, answered: 1 },
    rates: {
      seconds: 1,
      answers: 5,
      bySource: [{ source: "cache", perSecond: 5 }],
      byRcode: [{ rcode: "NOERROR", perSecond: 5 }],
      hitRatio: 1,
    },
    latency: { seconds: 60, all: quantiles, waited: quantiles },
    caches: [{
      zones: ["."],
      success: { entries: 1, capacity: 10 },
      denial: { entries: 0, capacity: 10 },
      bytes: 1024,
      capacityBytes: null,
    }],
    upstreams: [{
      ...{ to: "192.0.2.53:53", state: "up", rttMs: 2 },
      ...{ repliesPerSecond: 0, failuresPerSecond: 0 },
    }],
    lists: {
      ...{ span: "minute", seconds: 60, sampledEvery: 1 },
      names: [{ ...count, name, type: "A" }],
      clients: [{ ...count, address: "192.0.2.1", name: "shop/cart" }],
      zones: [{ ...count, zone: "example.org." }],
      failures: [{ ...count, name, type: "A", rcode: "SERVFAIL", reason: "timeout" }],
      slow: [{
        ...{ name, type: "A", waitedMs: 900, client: "192.0.2.1", clientName: null },
        ...{ rcode: "NOERROR", source: "upstream", upstream: "192.0.2.53:53" },
      }],
    },
    ...changes,
  };
}
