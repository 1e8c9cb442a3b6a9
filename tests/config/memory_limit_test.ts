import assert from "node:assert/strict";
import {
  cacheShareOf,
  hostsLimitFor,
  hostsShareOf,
  memoryShare,
  readMemoryLimit,
} from "../../src/config/memory_limit.ts";
import { loadConfig } from "../../src/loading/load.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import "../support/engine/all_plugins.ts";

const MI = 2 ** 20;
const GROUPS = "/proc/self/cgroup";
const V2 = "/sys/fs/cgroup";
const V1 = "/sys/fs/cgroup/memory";
const UNLIMITED = "9223372036854771712\n";

/** Files, and the limit in Mi. */
const LIMITS: [title: string, files: Record<string, string>, limit: number | null][] = [
  ["no control groups", {}, null],
  ["version 2, own limit", { [GROUPS]: "0::/\n", [`${V2}/memory.max`]: "134217728\n" }, 128],
  ["version 2, no limit", { [GROUPS]: "0::/a\n", [`${V2}/a/memory.max`]: "max\n" }, null],
  [
    "version 2, a lower limit above",
    {
      [GROUPS]: "0::/kubepods/pod1/nodens\n",
      [`${V2}/kubepods/pod1/nodens/memory.max`]: "max\n",
      [`${V2}/kubepods/pod1/memory.max`]: "268435456\n",
      [`${V2}/kubepods/memory.max`]: "1073741824\n",
    },
    256,
  ],
  [
    "version 2, a path outside the namespace",
    { [GROUPS]: "0::/../other\n", [`${V2}/memory.max`]: "134217728\n" },
    128,
  ],
  [
    "version 1",
    {
      [GROUPS]: "5:cpu,cpuacct:/a\n4:memory:/docker/abc\n0::/\n",
      [`${V1}/docker/abc/memory.limit_in_bytes`]: "201326592\n",
      [`${V1}/memory.limit_in_bytes`]: UNLIMITED,
    },
    192,
  ],
  [
    "version 1, no limit",
    { [GROUPS]: "4:memory:/\n", [`${V1}/memory.limit_in_bytes`]: UNLIMITED },
    null,
  ],
  ["malformed files", { [GROUPS]: "what\n0::/\n", [`${V2}/memory.max`]: "-3\n" }, null],
];

for (const [title, files, limit] of LIMITS) {
  Deno.test(`memory limit: ${title}: ${limit ?? "none"}`, () => {
    assert.equal(readMemoryLimit(fakeHost(files)), limit && limit * MI);
  });
}

/** Shares by memory limit, both in Mi. */
const SHARES: Record<string, { of: (limit: number) => number; shares: [number, number][] }> = {
  "a cache": { of: (limit) => cacheShareOf(limit, 1), shares: [[64, 4], [160, 32]] },
  "each of four caches": { of: (limit) => cacheShareOf(limit, 4), shares: [[160, 8]] },
  "clients' connections": {
    of: (limit) => memoryShare("streams", limit),
    shares: [[64, 16], [192, 16], [224, 16], [352, 32], [1120, 128]],
  },
  "hosts files": { of: hostsShareOf, shares: [[64, 2], [96, 2], [192, 18], [352, 48]] },
  "data in transit over TLS": {
    of: (limit) => memoryShare("tls", limit),
    shares: [[64, 12], [192, 12], [352, 32], [1120, 128]],
  },
  "hits in the kernel": {
    of: (limit) => memoryShare("kernel", limit),
    shares: [[64, 0.5], [192, 6], [352, 16]],
  },
};

for (const [name, { of, shares }] of Object.entries(SHARES)) {
  for (const [limit, share] of shares) {
    Deno.test(`memory limit: ${name} may use ${share} of ${limit} Mi`, () => {
      assert.equal(of(limit * MI), share * MI);
    });
  }
}

Deno.test("memory limit: the limit for hosts files is the inverse of their share", () => {
  for (const limit of [192, 352]) {
    assert.equal(hostsLimitFor(hostsShareOf(limit * MI)), limit * MI);
  }
});

Deno.test("memory limit: the program, caches, streams and two of each hosts table fit", () => {
  const limit = 352 * MI;
  const parts = cacheShareOf(limit, 1) + memoryShare("streams", limit) + 2 * hostsShareOf(limit);
  assert.equal(parts, limit - 96 * MI);
});

Deno.test("memory limit: capacity_bytes of the Corefile has precedence over the share", () => {
  const host = fakeHost({ [GROUPS]: "0::/\n", [`${V2}/memory.max`]: `${160 * MI}\n` });
  const text = "a.example.org {\n cache {\n capacity_bytes 2Mi\n }\n whoami\n}\n" +
    "b.example.org {\n cache\n whoami\n}\n";
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, host);
  const limits = config.blocks.map(({ plugins }) =>
    (plugins[0]!.options as { capacityBytes: number }).capacityBytes
  );
  assert.deepEqual(limits, [2 * MI, 16 * MI]);
  assert.equal(config.memoryBytes, 160 * MI);
  assert.equal(config.garbageBytes, 10 * MI);
});

Deno.test("memory limit: hits in the kernel take their share from all others", () => {
  const host = fakeHost({ [GROUPS]: "0::/\n", [`${V2}/memory.max`]: `${192 * MI}\n` });
  const source = { file: "Corefile", text: ". {\n forward . 192.0.2.1\n}\n", defaultPort: 53 };
  const { config } = loadConfig({ ...source, kernelHits: true }, host);
  assert.equal(config.kernelBytes, 6 * MI);
  assert.equal(config.memoryBytes, 186 * MI);
  const without = loadConfig(source, host).config;
  assert.equal(without.kernelBytes, undefined);
  assert.equal(without.memoryBytes, 192 * MI);
});
