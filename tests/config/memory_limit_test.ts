import assert from "node:assert/strict";
import { loadConfig } from "../../src/loading/load.ts";
import {
  hostsLimitFor,
  hostsTableShareOf,
  memoryShare,
  readMemoryLimit,
  shareOf,
} from "../../src/config/memory_limit.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";

const MI = 2 ** 20;

for (
  const { title, files, expected } of [
    { title: "no control groups", files: {}, expected: null },
    {
      title: "version 2, own limit",
      files: { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "134217728\n" },
      expected: 128 * MI,
    },
    {
      title: "version 2, no limit",
      files: { "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n" },
      expected: null,
    },
    {
      title: "version 2, a lower limit above",
      files: {
        "/proc/self/cgroup": "0::/kubepods/pod1/nodens\n",
        "/sys/fs/cgroup/kubepods/pod1/nodens/memory.max": "max\n",
        "/sys/fs/cgroup/kubepods/pod1/memory.max": "268435456\n",
        "/sys/fs/cgroup/kubepods/memory.max": "1073741824\n",
      },
      expected: 256 * MI,
    },
    {
      title: "version 2, a path out of sight",
      files: {
        "/proc/self/cgroup": "0::/../other\n",
        "/sys/fs/cgroup/memory.max": "134217728\n",
      },
      expected: 128 * MI,
    },
    {
      title: "version 1",
      files: {
        "/proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/docker/abc\n0::/\n",
        "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "201326592\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      },
      expected: 192 * MI,
    },
    {
      title: "version 1, no limit",
      files: {
        "/proc/self/cgroup": "4:memory:/\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      },
      expected: null,
    },
    {
      title: "nonsense",
      files: { "/proc/self/cgroup": "what\n0::/\n", "/sys/fs/cgroup/memory.max": "-3\n" },
      expected: null,
    },
  ] as { title: string; files: Record<string, string>; expected: number | null }[]
) {
  Deno.test(`memory limit: ${title}`, () => {
    assert.equal(readMemoryLimit(fakeHost(files)), expected);
  });
}

for (
  const { limit, caches, expected } of [
    { limit: 160 * MI, caches: 1, expected: 32 * MI },
    { limit: 160 * MI, caches: 4, expected: 8 * MI },
    { limit: 64 * MI, caches: 1, expected: 4 * MI },
  ]
) {
  Deno.test(`memory limit: of ${limit / MI} Mi, each of ${caches} gets ${expected / MI} Mi`, () => {
    assert.equal(shareOf(limit, caches), expected);
  });
}

for (const [limit, expected] of [[64, 16], [192, 16], [224, 16], [352, 32], [1120, 128]] as const) {
  Deno.test(`memory limit: of ${limit} Mi, streams get ${expected} Mi`, () => {
    assert.equal(memoryShare("streams", limit * MI), expected * MI);
  });
}

for (const [limit, expected] of [[64, 2], [96, 2], [192, 18], [352, 48]] as const) {
  Deno.test(`memory limit: of ${limit} Mi, tables of hosts files get ${expected} Mi`, () => {
    assert.equal(hostsTableShareOf(limit * MI), expected * MI);
    if (expected > 2) assert.equal(hostsLimitFor(expected * MI), limit * MI);
  });
}

Deno.test("memory limit: caches, streams and two of each hosts table fit beside the program", () => {
  const limit = 352 * MI;
  const parts = shareOf(limit, 1) + memoryShare("streams", limit) + 2 * hostsTableShareOf(limit);
  assert.equal(parts, limit - 96 * MI);
});

for (const [limit, expected] of [[64, 12], [192, 12], [352, 32], [1120, 128]] as const) {
  Deno.test(`memory limit: of ${limit} Mi, what is under way over TLS gets ${expected} Mi`, () => {
    assert.equal(memoryShare("tls", limit * MI), expected * MI);
  });
}

Deno.test("memory limit: capacity_bytes of the Corefile stands, others get their share", () => {
  const host = fakeHost({
    "/proc/self/cgroup": "0::/\n",
    "/sys/fs/cgroup/memory.max": `${160 * MI}\n`,
  });
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
