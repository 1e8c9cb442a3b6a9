import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import { HostsBuilder } from "../../../src/plugins/hosts/companion/builder.ts";
import { HostsFiles } from "../../../src/plugins/hosts/companion/files.ts";
import { parseName } from "../../../src/dns/name.ts";
import { chooseFormat, expose } from "../../../src/metrics/exposition.ts";
import { SeriesBook } from "../../../src/metrics/series.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { V4 } from "../../../src/plugins/hosts/layout.ts";
import { HostsLookup } from "../../../src/plugins/hosts/lookup.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { until } from "../../support/run/until.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import "../../support/engine/all_plugins.ts";

const OLD = "192.0.2.1 www.example.org\n";
const NEW = "192.0.2.2 www.example.org\n";
/** Old enough that the times of a file identify its content. */
const LONG_AGO = new Date("2026-01-01T00:00:00Z");

interface Following {
  hosts: HostsFiles;
  folder: string;
  log: string[];
  tables: ArrayBuffer[];
  metrics: () => string;
  /** Waits until every file has been checked once more. */
  check: () => Promise<void>;
}

/** Follows hosts files as a server does; `memoryBytes` is the limit of the process. */
async function following(
  files: Readonly<Record<string, string>>,
  use: (following: Following) => Promise<void>,
  { memoryBytes, inline = "" }: { memoryBytes?: number; inline?: string } = {},
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const names = Object.keys(files);
  for (const name of names) Deno.writeTextFileSync(`${folder}/${name}`, files[name]!);
  const text = names.map((name) =>
    `${name}.example {\n hosts ${folder}/${name} . {\n reload 1s\n ${inline}\n }\n}\n`
  ).join("");
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
  if (memoryBytes !== undefined) config.memoryBytes = memoryBytes;
  const log: string[] = [];
  const tables: ArrayBuffer[] = [];
  const registry = new MetricRegistry();
  const clock = new VirtualClock({ wallMs: Date.now() });
  const hosts = new HostsFiles(config, {
    deliver: (_block, _position, data) => void tables.push(data as ArrayBuffer),
    copies: 1,
    builder: new HostsBuilder(),
    registry,
    previous: null,
    log: (level, line) => log.push(`${level} ${line.replaceAll(folder, "")}`),
    clock,
  });
  const metrics = () => {
    const book = new SeriesBook();
    registry.collect(book);
    return expose(book, chooseFormat(null));
  };
  const check = async () => {
    await clock.advance(1000);
    await until(() => clock.timers === names.length);
  };
  try {
    await use({ hosts, folder, log, tables, metrics, check });
  } finally {
    hosts.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

function replace(path: string, text: string, time?: Date): void {
  Deno.writeTextFileSync(`${path}.new`, text);
  if (time !== undefined) Deno.utimeSync(`${path}.new`, time, time);
  Deno.renameSync(`${path}.new`, path);
}

const CHANGES: { what: string; old: boolean; change: (path: string) => void }[] = [
  {
    what: "a file replaced by one of equal time and size",
    old: true,
    change: (path) => replace(path, NEW, LONG_AGO),
  },
  {
    what: "a file overwritten with equal time and size",
    old: true,
    change(path) {
      Deno.writeTextFileSync(path, NEW);
      Deno.utimeSync(path, LONG_AGO, LONG_AGO);
    },
  },
  {
    what: "a new file overwritten at once with equal size",
    old: false,
    change: (path) => Deno.writeTextFileSync(path, NEW),
  },
  { what: "an unchanged old file", old: true, change: () => {} },
  { what: "an unchanged new file", old: false, change: () => {} },
];

for (const { what, old, change } of CHANGES) {
  const count = what.includes("unchanged") ? 0 : 1;
  Deno.test(`hosts: ${what} is delivered ${count === 0 ? "only at the start" : "once"}`, async () => {
    await following({ list: OLD }, async ({ hosts, folder, tables, check }) => {
      if (old) Deno.utimeSync(`${folder}/list`, LONG_AGO, LONG_AGO);
      assert.equal((await hosts.prepare()).length, 1);
      hosts.start();
      change(`${folder}/list`);
      for (let i = 0; i < 5; i++) await check();
      assert.equal(tables.length, count);
    });
  });
}

function blockList(names: number): string {
  return Array.from({ length: names }, (_, i) => `0.0.0.0 n${i}.blocked.example\n`).join("");
}

function holds(table: unknown, name: string): boolean {
  const lookup = new HostsLookup(table as ArrayBuffer);
  const wire = parseName(name);
  return lookup.first(lookup.find(wire, wire.length), V4) !== 0;
}

Deno.test("hosts: a large file is read in another thread, followed by the Corefile's entries", async () => {
  const list = blockList(20_000);
  await following({ large: list }, async ({ hosts, log, metrics }) => {
    const [delivery] = await hosts.prepare();
    hosts.start();
    const table = delivery!.data as ArrayBuffer;
    assert.ok(holds(table, "n19999.blocked.example"));
    assert.ok(holds(table, "inline.example"));
    // The address of the block list has no reverse name, the other one has.
    assert.equal(new HostsLookup(table).items, 20_002);
    assert.ok(table.byteLength < 1.5 * list.length, `${table.byteLength} bytes`);
    assert.match(metrics(), /nodens_hosts_table_bytes{hostsfile=".*large"} [1-9]/);
    assert.deepEqual(log, []);
  }, { inline: "192.0.2.1 inline.example" });
});

Deno.test("hosts: tables lost with a data plane are built again", async () => {
  await following({ small: OLD, large: blockList(5000) }, async ({ hosts }) => {
    const first = await hosts.prepare();
    for (const { data } of first) structuredClone(null, { transfer: [data as ArrayBuffer] });
    const again = await hosts.again();
    assert.deepEqual(again.map(({ block, position }) => [block, position]), [[0, 0], [1, 0]]);
    assert.ok(holds(again[0]!.data, "www.example.org"));
    assert.ok(holds(again[1]!.data, "n4999.blocked.example"));
  });
});

Deno.test("hosts: a file that outgrows the memory limit is refused, and the old table stays", async () => {
  // The share of all tables is 2 MiB at least, at any limit.
  await following({ list: blockList(10_000) }, async (following) => {
    const { hosts, folder, log, metrics, tables, check } = following;
    assert.equal((await hosts.prepare()).length, 1);
    hosts.start();
    replace(`${folder}/list`, blockList(100_000));
    await check();
    assert.match(
      log[0]!,
      /^error plugin\/hosts: Cannot load "\/list" \(100000 lines, [0-9.]+ MiB\): only about the first [0-9]+ lines fit into 2\.0 MiB, what the memory limit of 96 MiB leaves for it; its previous content is served \(raise the limit to about [0-9]+ MiB, or shorten the list\)$/,
    );
    assert.match(metrics(), /nodens_hosts_refused_total{hostsfile=".*list"} 1\n/);
    replace(`${folder}/list`, blockList(9_000));
    await check();
    assert.ok(holds(tables[0], "n8999.blocked.example"));
    assert.equal(log.length, 1);
  }, { memoryBytes: 96 * 2 ** 20 });
});

Deno.test("hosts: the memory limit applies to the tables of all files together", async () => {
  const both = { one: blockList(30_000), two: blockList(30_000) };
  await following(both, async ({ hosts, log }) => {
    assert.deepEqual((await hosts.prepare()).map(({ block }) => block), [0]);
    assert.match(
      log.join("\n"),
      /^error plugin\/hosts: Cannot load "\/two" .*; none of it is served/,
    );
  }, { memoryBytes: 96 * 2 ** 20 });
});

Deno.test("hosts: skipped parts are counted and logged in one line", async () => {
  const text = "192.0.2.1 good.example\nnonsense\n192.0.2.2\n192.0.2.3 a..b fine.example\n";
  await following({ list: text.repeat(100) }, async ({ hosts, log, metrics }) => {
    const [delivery] = await hosts.prepare();
    hosts.start();
    assert.ok(holds(delivery!.data, "fine.example"));
    assert.deepEqual(log, [
      'warning plugin/hosts: "/list": skipped 200 of 400 lines without an address or a name, ' +
      "100 invalid names (the first in line 2)",
    ]);
    assert.match(metrics(), /nodens_hosts_skipped{hostsfile=".*list"} 300\n/);
  });
});

Deno.test("hosts: a file system that hangs does not delay other files, and at most two reads wait", async () => {
  const clock = new VirtualClock();
  const builder = new HostsBuilder(clock);
  const { stat } = Deno;
  const hanging: PromiseWithResolvers<Deno.FileInfo>[] = [];
  Deno.stat = (path) => {
    if (path !== "/hangs") return stat(path);
    hanging.push(Promise.withResolvers());
    return hanging.at(-1)!.promise;
  };
  const rejects = async (why: RegExp) => {
    const rejected = assert.rejects(builder.stat("/hangs"), why);
    await clock.advance(30_000);
    await rejected;
  };
  try {
    const silent = /reading it made no progress for 30 s/;
    for (const why of [silent, silent, /2 earlier reads of it still hang/]) await rejects(why);
    assert.equal(hanging.length, 2);
    assert.ok((await builder.stat("/dev/null")).size === 0);
    // Once an abandoned read returns, the file is checked again.
    hanging[0]!.reject(new Error("stale file handle"));
    await clock.advance(0);
    await rejects(silent);
    assert.equal(hanging.length, 3);
  } finally {
    Deno.stat = stat;
  }
});
