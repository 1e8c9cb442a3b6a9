import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import { makeStatus, type PlaneFacts, type Status } from "../../../src/control/endpoints/status.ts";
import { handlerKey } from "../../../src/control/plane/deliveries.ts";
import { COUNTER, CounterBook } from "../../../src/engine/counters.ts";
import type { ServerState } from "../../../src/upstream/options.ts";
import { KERNEL_HITS_OFF } from "../../../src/kernel/status.ts";
import { statusText } from "../../../src/cli/status/text.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import "../../support/engine/all_plugins.ts";

const COREFILE = `.:1053 {
  bind 127.0.0.1 ::1
  cache 30 {
    success 2048
    denial 1024
    capacity_bytes 67108864
  }
  forward . 192.0.2.53 192.0.2.54
}
example.org {
  cache
  forward internal.example.org tls://192.0.2.55 {
    tls_servername dns.example.org
  }
}
example.net {
  whoami
}
`;

const config = loadConfig({ file: "Corefile", text: COREFILE, defaultPort: 53 }, fakeHost()).config;

function keyOf(block: number): string {
  const { plugins } = config.blocks[block]!;
  return handlerKey({ block, position: plugins.findIndex(({ name }) => name === "forward") });
}

function plane(
  counters: [string, Record<string, string>, number][],
  answers: Map<string, ServerState[]> | null,
  changes: Partial<PlaneFacts> = {},
): PlaneFacts {
  const book = new CounterBook(new SharedArrayBuffer(8 * 256));
  for (const [name, labels, value] of counters) book.values[book.counter(name, labels)] = value;
  // Those of clients are 100 and 7.
  book.values[COUNTER.UDP_QUERIES] = 130;
  book.values[COUNTER.PROBES] = 30;
  book.values[COUNTER.TCP_QUERIES] = 9;
  book.values[COUNTER.PROBES_TCP] = 2;
  book.values[COUNTER.LOG_DROPPED] = 3;
  const { values, places } = book;
  return { values, places, heartbeatAgeMs: 412.3, restarts: 0, answers, ...changes };
}

const to = (label: string) => ({ to: label });
const V4 = { server: "dns://127.0.0.1:1053", zones: ".", view: "" };
const V6 = { server: "dns://[::1]:1053", zones: ".", view: "" };
const COUNTERS: [string, Record<string, string>, number][] = [
  ["coredns_cache_requests_total", V4, 70],
  ["coredns_cache_requests_total", V6, 20],
  ["coredns_cache_hits_total", { ...V4, type: "success" }, 50],
  ["coredns_cache_hits_total", { type: "denial", ...V6 }, 10],
  ["coredns_cache_entries", { ...V4, type: "success" }, 40],
  ["coredns_cache_entries", { ...V6, type: "success" }, 40],
  ["coredns_cache_entries", { ...V4, type: "denial" }, 5],
  ["coredns_cache_served_stale_total", V6, 2],
  ["nodens_cache_bytes", { server: `${V4.server},${V6.server}`, zones: "." }, 3_145_728],
  ["nodens_upstream_replies_total", to("192.0.2.53:53"), 30],
  ["nodens_upstream_failures_total", to("192.0.2.54:53"), 4],
];

function statusOf(planes: PlaneFacts[], changes: Partial<Parameters<typeof makeStatus>[0]> = {}) {
  return makeStatus({
    version: "1.2.3",
    pid: 42,
    driver: "linux",
    startedMs: Date.UTC(2026, 0, 2),
    nowMs: Date.UTC(2026, 0, 2) + 93_784_999,
    config,
    planes,
    droppedLogLines: 1,
    reload: null,
    kernelHits: KERNEL_HITS_OFF,
    ...changes,
  });
}

const ONE = plane(
  COUNTERS,
  new Map([
    [keyOf(0), [
      { to: "192.0.2.53:53", state: "up", rttMs: 2, forced: null },
      { to: "192.0.2.54:53", state: "down", rttMs: null, forced: null },
    ]],
    [keyOf(1), [{
      to: "tls://192.0.2.55%dns.example.org:853",
      state: "suspect",
      rttMs: 12.34,
      forced: null,
    }]],
  ]),
);

Deno.test("status: listeners, zones and their figures are listed", () => {
  const status = statusOf([ONE]);
  assert.deepEqual(JSON.parse(JSON.stringify(status)), status);
  const { blocks, listeners, ...rest } = status;
  assert.deepEqual(rest, {
    version: "1.2.3",
    pid: 42,
    driver: "linux",
    corefile: "Corefile",
    startedAt: "2026-01-02T00:00:00.000Z",
    uptimeSeconds: 93_784,
    dataPlanes: [{ answers: true, heartbeatAgeMs: 412, restarts: 0 }],
    panics: 0,
    queries: { udp: 100, tcp: 7, refused: 0, dropped: 0, shed: 0 },
    log: { droppedLines: 4 },
    reload: null,
    kernelHits: KERNEL_HITS_OFF,
  });
  assert.deepEqual(listeners[0], { address: "127.0.0.1", port: 1053, zones: ["."] });
  assert.deepEqual(listeners.map(({ port }) => port), [1053, 1053, 53]);
  assert.deepEqual(blocks.map(({ place }) => place), ["Corefile:1", "Corefile:10", "Corefile:16"]);
  assert.deepEqual(blocks[0]!.cache, {
    zones: ["."],
    success: { entries: 40, capacity: 2048 },
    denial: { entries: 5, capacity: 1024 },
    bytes: 3_145_728,
    capacityBytes: 64 * 2 ** 20,
    requests: 90,
    hits: 60,
    hitRatio: 60 / 90,
    servedStale: 2,
    prefetches: 0,
    evictions: 0,
  });
  assert.deepEqual(blocks[0]!.forwards, [{
    from: ".",
    upstreams: [
      { to: "192.0.2.53:53", state: "up", rttMs: 2, forced: null, replies: 30, failures: 0 },
      { to: "192.0.2.54:53", state: "down", rttMs: null, forced: null, replies: 0, failures: 4 },
    ],
  }]);
  assert.equal(blocks[1]!.cache!.hitRatio, null);
  assert.deepEqual(blocks[2], {
    place: "Corefile:16",
    zones: ["example.net."],
    cache: null,
    forwards: [],
  });
});

Deno.test("status: several data planes show their sums, worst state and mean time", () => {
  const other = plane(
    COUNTERS,
    new Map([[keyOf(0), [
      { to: "192.0.2.53:53", state: "suspect" as const, rttMs: 4, forced: null },
      { to: "192.0.2.54:53", state: "up" as const, rttMs: 9, forced: null },
    ]]]),
  );
  const hung = plane(COUNTERS, null, { heartbeatAgeMs: 4000, restarts: 2 });
  const status = statusOf([ONE, other, hung]);
  assert.equal(status.queries.udp, 300);
  assert.equal(status.blocks[0]!.cache!.success.entries, 120);
  assert.deepEqual(status.blocks[0]!.forwards[0]!.upstreams, [
    { to: "192.0.2.53:53", state: "suspect", rttMs: 3, forced: null, replies: 90, failures: 0 },
    { to: "192.0.2.54:53", state: "down", rttMs: 9, forced: null, replies: 0, failures: 12 },
  ]);
  assert.deepEqual(status.dataPlanes[2], { answers: false, heartbeatAgeMs: 4000, restarts: 2 });
});

Deno.test("status: text output consists of tables", () => {
  assert.equal(
    statusText(statusOf([ONE])),
    `nodens 1.2.3, process 42, up for 1d 2h, driver linux, Corefile
Data plane: answers (last seen 0.4 s ago)
Queries: 100 UDP, 7 TCP; refused 0, shed 0, no queries 0
Log: 4 lines dropped (nobody read fast enough)
Last reload: none

LISTENER        ZONES
127.0.0.1:1053  .
[::1]:1053      .
*:53            example.org. example.net.

CACHE            ANSWERS    DENIALS               MEMORY  QUERIES    HITS  STALE  EVICTED
.             40 of 2048  5 of 1024  3.0 MiB of 64.0 MiB       90  66.7 %      2        0
example.org.   0 of 9984  0 of 9984                  0 B        0       -      0        0

FORWARD                UPSTREAM                              STATE        RTT  REPLIES  FAILURES
.                      192.0.2.53:53                         up        2.0 ms       30         0
.                      192.0.2.54:53                         down           -        0         4
internal.example.org.  tls://192.0.2.55%dns.example.org:853  suspect  12.3 ms        0         0
`,
  );
});

const TEXTS: { title: string; changes: (status: Status) => void; has: RegExp }[] = [
  {
    title: "a refused reload with its faults",
    changes: (status) => {
      status.reload = { at: "2026-01-02T00:00:00.000Z", ok: false, faults: ["Corefile:1: no"] };
    },
    has: /^Last reload: 2026-01-02T00:00:00\.000Z, REFUSED; .*\n {2}Corefile:1: no\n/m,
  },
  {
    title: "a reload",
    changes: (status) => {
      status.reload = { at: "2026-01-02T00:00:00.000Z", ok: true, faults: [] };
    },
    has: /^Last reload: 2026-01-02T00:00:00\.000Z, taken over$/m,
  },
  {
    title: "a data plane that hangs",
    changes: (status) => {
      status.dataPlanes = [{ answers: false, heartbeatAgeMs: 4321, restarts: 1 }];
    },
    has: /^Data plane: DOES NOT ANSWER \(last seen 4\.3 s ago\), restarted 1 times$/m,
  },
  {
    title: "exceptions",
    changes: (status) => status.panics = 2,
    has: /^Exceptions survived: 2 /m,
  },
  {
    title: "a forward without upstreams",
    changes: (status) => status.blocks[0]!.forwards[0]!.upstreams = [],
    has: /^\. +\(none known\) +- +- +- +-$/m,
  },
  {
    title: "the first seconds",
    changes: (status) => status.uptimeSeconds = 0,
    has: /up for 0s,/,
  },
  {
    title: "upstreams that are set by hand",
    changes: (status) => status.blocks[0]!.forwards[0]!.upstreams[1]!.forced = "down",
    has: / 192\.0\.2\.54:53 +down \(down by hand\) +-/,
  },
  {
    title: "hits in the kernel",
    changes: (status) => {
      const on = { state: "on", attach: "tcx", interfaces: ["lo", "cni0"], answers: 12 } as const;
      status.kernelHits = { ...KERNEL_HITS_OFF, ...on };
    },
    has: /^Last reload: none\nKernel hits: on \(tcx: lo, cni0\), 12 answers\n\nLISTENER/m,
  },
  {
    title: "why the kernel does not answer",
    changes: (status) => {
      const refusals = [{ reason: "workers" as const, text: "there are 2 data planes" }];
      status.kernelHits = { ...KERNEL_HITS_OFF, state: "refused", refusals };
    },
    has: /^Kernel hits: refused\n {2}workers: there are 2 data planes\n\n/m,
  },
];

for (const { title, changes, has } of TEXTS) {
  Deno.test(`status: shows ${title}`, () => {
    const status = statusOf([ONE]);
    changes(status);
    assert.match(statusText(status), has);
  });
}
