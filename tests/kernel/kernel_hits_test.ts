import assert from "node:assert/strict";
import { KernelHits } from "../../src/kernel/kernel_hits.ts";
import type { KernelOperations } from "../../src/kernel/operations.ts";
import { REASONS } from "../../src/kernel/refusal.ts";
import { hasOwnAddress, missingCapabilities } from "../../src/kernel/requirements.ts";
import { SeriesBook } from "../../src/metrics/series.ts";
import { BpfError } from "../../src/sys/bpf/bpf.ts";
import { CAPABILITY } from "../../src/sys/capabilities.ts";
import { FakeInterfaces } from "../support/doubles/fake_interfaces.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

const ALL = (1n << 41n) - 1n;

interface SceneOptions {
  driver?: string;
  workers?: number;
  capabilities?: bigint | null;
  limitBytes?: number;
  operations?: Partial<KernelOperations>;
}

class Scene {
  readonly interfaces = new FakeInterfaces();
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly opened: (string | null)[] = [];
  /** Descriptors that are open. */
  readonly open = new Set<number>();
  outcomes = [7, 1, 2, 3, 4, 5, 6, 8];
  readonly hits: KernelHits;

  constructor(options: SceneOptions = {}) {
    const { driver = "linux", workers = 1, capabilities = ALL, limitBytes } = options;
    let next = 100;
    const descriptor = () => {
      this.open.add(++next);
      return next;
    };
    this.interfaces.addLo();
    this.hits = new KernelHits({
      selection: "auto",
      process: { driver, workers, capabilities },
      cachedAnswers: 0,
      limitBytes,
      plane: {
        openKernel: (maps) => this.opened.push(maps && Object.keys(maps).sort().join(" ")),
      },
      isBeside: () => false,
      log: (level, line) => this.log.push(`${level}: ${line}`),
      clock: this.clock,
      operations: {
        attachKind: () => "tcx",
        createMaps() {
          const make = (entries: number) => ({ fd: descriptor(), valueSize: 8, entries });
          const maps = { conf: make(1), buckets: make(2), small: make(3), large: make(4) };
          return { ...maps, outcomes: make(1) };
        },
        load: () => Promise.resolve(descriptor()),
        openInterfaces: () => this.interfaces,
        readOutcomes: () => this.outcomes,
        close: (fd) => assert.ok(this.open.delete(fd), `${fd} is closed twice`),
        ...options.operations,
      },
    });
  }
}

function series(hits: KernelHits): Record<string, number> {
  const book = new SeriesBook();
  hits.addMetrics(book);
  const names = ["answers_total", "passes_total", "interfaces", "hits_bytes", "hits_refusals"];
  return Object.fromEntries(
    names.flatMap((name) =>
      book.of(`nodens_kernel_${name}`).map(({ labels: { reason = "" }, value }) =>
        [`${name} ${reason}`.trim(), value] as const
      )
    ).filter(([name, value]) => value !== 0 || !name.startsWith("hits_refusals")),
  );
}

const FAILS = (errno: number, log = "") => () => {
  throw new BpfError("do it", errno, log);
};
const REJECTS = (errno: number, log = "") => () =>
  Promise.reject(new BpfError("do it", errno, log));

const REFUSALS: { what: string; options: SceneOptions; reason: string; text: RegExp }[] = [
  {
    what: "the portable driver",
    options: { driver: "portable", capabilities: null },
    reason: "driver",
    text: /the driver is portable \(use -io linux, which needs glibc\); nodens itself answers/,
  },
  {
    what: "several data planes",
    options: { workers: 2 },
    reason: "workers",
    text: /there are 2 data planes \(use -workers 1\)/,
  },
  {
    what: "no capabilities",
    options: { capabilities: 0n },
    reason: "capability",
    text: /this process lacks BPF, PERFMON, NET_ADMIN \(give nodens BPF, PERFMON and NET_ADMIN/,
  },
  {
    what: "a seccomp profile",
    options: { operations: { attachKind: FAILS(1) } },
    reason: "capability",
    text: /Cannot do it: operation not permitted/,
  },
  {
    what: "a kernel without BPF",
    options: { operations: { attachKind: FAILS(38) } },
    reason: "kernel",
    text: /use Linux 5\.10 or later/,
  },
  {
    what: "an old kernel",
    options: { operations: { createMaps: FAILS(22) } },
    reason: "kernel",
    text: /Linux 5\.10/,
  },
  {
    what: "no memory",
    options: { operations: { createMaps: FAILS(12) } },
    reason: "memory",
    text: /raise the memory limit/,
  },
  {
    what: "a small memory limit",
    options: { limitBytes: 1000 },
    reason: "memory",
    text: /the memory limit leaves 1 KiB for the maps/,
  },
  {
    what: "the verifier",
    options: { operations: { load: REJECTS(13, "R1 invalid mem access") } },
    reason: "verifier",
    text: /R1 invalid mem access.*report this kernel's version/,
  },
  {
    what: "a verifier without PERFMON",
    options: { operations: { load: REJECTS(13, "pointer arithmetic prohibited for !root") } },
    reason: "capability",
    text: /it needs the capability PERFMON/,
  },
  {
    what: "a slow verifier",
    options: { operations: { load: REJECTS(110) } },
    reason: "timeout",
    text: /connection timed out|do it/,
  },
];

for (const { what, options, reason, text } of REFUSALS) {
  Deno.test(`kernel hits: refused for ${what}, with one warning, and nothing stays open`, async () => {
    const { hits, log, open, opened, clock } = new Scene(options);
    await hits.start();
    await clock.advance(10_000);
    assert.equal(log.length, 1);
    assert.match(log[0]!, /^warning: kernel hits: /);
    assert.match(log[0]!, text);
    const status = hits.describe();
    assert.equal(status.state, "refused");
    assert.deepEqual(status.refusals.map(({ reason }) => reason), [reason]);
    assert.equal(series(hits)[`hits_refusals ${reason}`], 1);
    assert.deepEqual([...open], []);
    assert.deepEqual(opened, []);
    assert.equal(clock.timers, 0);
    hits.stop();
  });
}

Deno.test("kernel hits: the data plane has the maps while an interface is served", async () => {
  const { hits, interfaces, opened, log, clock, open } = new Scene();
  assert.equal(hits.describe().state, "starting");
  await hits.start();
  await clock.advance(100);
  assert.deepEqual(opened, ["buckets conf large small"]);
  assert.equal(hits.describe().state, "on");
  interfaces.delete(1);
  await clock.advance(2000);
  assert.equal(hits.describe().state, "waiting");
  assert.deepEqual(opened, ["buckets conf large small", null]);
  interfaces.addLo();
  await clock.advance(4000);
  assert.equal(opened.length, 3);
  assert.deepEqual(log, [
    "info: kernel hits: the program is attached (tcx); its answers bypass iptables, NetworkPolicy" +
    " and CNIs that read DNS (docs/kernel-path.md)",
    "info: kernel hits: the program is attached again",
  ]);
  hits.retire();
  assert.equal(interfaces.served, "");
  assert.equal(opened.at(-1), null);
  assert.equal(hits.describe().state, "off");
  assert.ok(open.size > 0, "the data plane may still read");
  hits.stop();
  assert.deepEqual([...open], []);
  assert.ok(interfaces.closed);
  assert.equal(clock.timers, 0);
});

Deno.test("kernel hits: a stop during the load leaves nothing open", async () => {
  const load = Promise.withResolvers<number>();
  const { hits, open, opened, log } = new Scene({ operations: { load: () => load.promise } });
  const starting = hits.start();
  hits.retire();
  open.add(1);
  load.resolve(1);
  await starting;
  hits.stop();
  assert.deepEqual([...open], []);
  assert.deepEqual([opened, log], [[], []]);
});

Deno.test("kernel hits: a stop while the load fails is not a refusal", async () => {
  const load = Promise.withResolvers<number>();
  const { hits, open, log } = new Scene({ operations: { load: () => load.promise } });
  const starting = hits.start();
  hits.stop();
  load.reject(new BpfError("load", 13, "no"));
  await starting;
  assert.deepEqual([[...open], log], [[], []]);
});

Deno.test("kernel hits: metrics have outcomes by reason, interfaces, memory and refusals", async () => {
  const scene = new Scene();
  await scene.hits.start();
  await scene.clock.advance(100);
  const bytes = scene.hits.describe().bytes;
  assert.ok(bytes > 300_000);
  assert.deepEqual(series(scene.hits), {
    "answers_total": 7,
    "passes_total absent": 1,
    "passes_total expired": 2,
    "passes_total due": 3,
    "passes_total form": 4,
    "passes_total size": 5,
    "passes_total stopped": 6,
    "passes_total failed": 8,
    "interfaces": 1,
    "hits_bytes": bytes,
  });
  const book = new SeriesBook();
  scene.hits.addMetrics(book);
  const reasons = book.of("nodens_kernel_hits_refusals").map(({ labels }) => labels.reason);
  assert.deepEqual(reasons, REASONS);
  scene.hits.stop();
  scene.outcomes = [];
  assert.equal(series(scene.hits)["answers_total"], 7, "counters never go back");
  assert.equal(series(scene.hits)["hits_bytes"], 0);
});

Deno.test("kernel hits: a listener on all addresses is not one that the kernel serves", () => {
  const has = (...addresses: string[]) => hasOwnAddress(addresses.map((address) => ({ address })));
  assert.ok(has("", "127.0.0.1"));
  assert.ok(has("fd00::10"));
  assert.ok(!has("", "0.0.0.0", "::"));
  assert.ok(!has());
});

const CAPABILITIES: [has: (keyof typeof CAPABILITY)[], lacks: string][] = [
  [["BPF", "PERFMON", "NET_ADMIN"], ""],
  [["SYS_ADMIN", "NET_ADMIN"], ""],
  [["BPF", "NET_ADMIN"], "PERFMON"],
  [["PERFMON", "NET_ADMIN"], "BPF"],
  [["SYS_ADMIN"], "NET_ADMIN"],
  [["NET_RAW"], "BPF PERFMON NET_ADMIN"],
];

for (const [has, lacks] of CAPABILITIES) {
  Deno.test(`kernel hits: with ${has.join(", ")}, ${lacks || "nothing"} is missing`, () => {
    const effective = has.reduce((bits, name) => bits | 1n << CAPABILITY[name], 0n);
    assert.equal(missingCapabilities(effective).join(" "), lacks);
  });
}
