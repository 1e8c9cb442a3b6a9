import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import { denoHost } from "../../../src/control/host_deno.ts";
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

const OLD = "192.0.2.1 www.example.org\n";
const NEW = "192.0.2.2 www.example.org\n";
/** Long enough ago that times alone tell one content from the next. */
const LONG_AGO = new Date("2026-01-01T00:00:00Z");

/** Follows a hosts file that holds `OLD` for the length of `use`. */
async function followingHosts(
  { settled }: { settled: boolean },
  use: (path: string, seen: { tables: number; looks: () => number }) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const path = `${folder}/hosts`;
  Deno.writeTextFileSync(path, OLD);
  if (settled) Deno.utimeSync(path, LONG_AGO, LONG_AGO);
  // A second file that changes all the time shows how often they were looked at.
  const clock = `${folder}/clock`;
  const text = `. {\n hosts ${path} {\n reload 20ms\n }\n}\nclock.example {\n hosts ${clock} {\n` +
    " reload 20ms\n }\n}\n";
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, denoHost);
  const seen = { tables: 0, ticks: 0, looks: () => seen.ticks };
  const deliver = (block: number) => {
    if (block === 0) seen.tables++;
    else tick();
  };
  const tick = () => {
    seen.ticks++;
    Deno.writeTextFileSync(clock, `192.0.2.1 n${seen.ticks}.clock.example\n`);
  };
  tick();
  const builder = new HostsBuilder();
  const hosts = new HostsFiles(config, { deliver, builder, log: () => {} });
  assert.equal((await hosts.prepare()).length, 2);
  hosts.start();
  try {
    tick();
    await use(path, seen);
  } finally {
    hosts.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

const CHANGES: { what: string; settled: boolean; change: (path: string) => void }[] = [
  {
    what: "replaced by one of equal time and size",
    settled: true,
    change(path) {
      Deno.writeTextFileSync(`${path}.new`, NEW);
      Deno.utimeSync(`${path}.new`, LONG_AGO, LONG_AGO);
      Deno.renameSync(`${path}.new`, path);
    },
  },
  {
    what: "written in place, with equal time and size",
    settled: true,
    change(path) {
      Deno.writeTextFileSync(path, NEW);
      Deno.utimeSync(path, LONG_AGO, LONG_AGO);
    },
  },
  {
    what: "written again at once, with equal size",
    settled: false,
    change: (path) => Deno.writeTextFileSync(path, NEW),
  },
];

for (const { what, settled, change } of CHANGES) {
  Deno.test(`hosts: a file that is ${what} is read anew, once`, async () => {
    await followingHosts({ settled }, async (path, seen) => {
      change(path);
      await until(() => seen.tables === 1);
      const looks = seen.looks();
      await until(() => seen.looks() > looks + 3);
      assert.equal(seen.tables, 1);
    });
  });
}

for (const settled of [true, false]) {
  Deno.test(`hosts: a file that stays as it is makes no table (${settled ? "old" : "new"})`, async () => {
    await followingHosts({ settled }, async (_, seen) => {
      await until(() => seen.looks() > 5);
      assert.equal(seen.tables, 0);
    });
  });
}

/** Lines of a block list. */
function blockList(names: number, sink = "0.0.0.0"): string {
  return Array.from({ length: names }, (_, i) => `${sink} n${i}.blocked.example\n`).join("");
}

/** Puts another file in a file's place, in one step. */
function replace(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}.new`, text);
  Deno.renameSync(`${path}.new`, path);
}

/** Reads hosts files as a server does; `memoryBytes` is the limit of the process. */
async function readHosts(
  files: Readonly<Record<string, string>>,
  use: (hosts: {
    files: HostsFiles;
    folder: string;
    log: string[];
    registry: MetricRegistry;
    /** Tables that came after the first reading. */
    tables: ArrayBuffer[];
  }) => Promise<void>,
  { memoryBytes, inline = "" }: { memoryBytes?: number; inline?: string } = {},
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  for (const [name, text] of Object.entries(files)) {
    Deno.writeTextFileSync(`${folder}/${name}`, text);
  }
  const text = Object.keys(files).map((name) =>
    `${name}.example {\n hosts ${folder}/${name} . {\n reload 20ms\n ${inline}\n }\n}\n`
  ).join("");
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
  if (memoryBytes !== undefined) config.memoryBytes = memoryBytes;
  const log: string[] = [];
  const tables: ArrayBuffer[] = [];
  const registry = new MetricRegistry();
  const hosts = new HostsFiles(config, {
    deliver: (_block, _position, data) => void tables.push(data as ArrayBuffer),
    builder: new HostsBuilder(),
    registry,
    log: (level, line) => log.push(`${level} ${line.replaceAll(folder, "")}`),
  });
  try {
    await use({ files: hosts, folder, log, registry, tables });
  } finally {
    hosts.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

function exposition(registry: MetricRegistry): string {
  const book = new SeriesBook();
  registry.collect(book);
  return expose(book, chooseFormat(null));
}

/** Whether a table has an IPv4 address for the name. */
function holds(table: unknown, name: string): boolean {
  const lookup = new HostsLookup(table as ArrayBuffer);
  const wire = parseName(name);
  return lookup.first(lookup.find(wire, wire.length), V4) !== 0;
}

Deno.test("hosts: a large file is read by another thread, with the Corefile's entries behind it", async () => {
  const list = blockList(20_000);
  await readHosts({ large: list }, async ({ files, log, registry }) => {
    const [delivery] = await files.prepare();
    files.start();
    const table = delivery!.data as ArrayBuffer;
    assert.ok(holds(table, "n19999.blocked.example"));
    assert.ok(holds(table, "inline.example"));
    // The address of the block list has no reverse name, the other one has.
    assert.equal(new HostsLookup(table).items, 20_002);
    assert.ok(table.byteLength < 1.5 * list.length, `${table.byteLength} bytes`);
    assert.match(exposition(registry), /nodens_hosts_table_bytes{hostsfile=".*large"} [1-9]/);
    assert.deepEqual(log, []);
  }, { inline: "192.0.2.1 inline.example" });
});

Deno.test("hosts: what a data plane has lost is made once more", async () => {
  await readHosts({ small: OLD, large: blockList(5000) }, async ({ files }) => {
    const first = await files.prepare();
    for (const { data } of first) structuredClone(null, { transfer: [data as ArrayBuffer] });
    const again = await files.again();
    assert.deepEqual(again.map(({ block, position }) => [block, position]), [[0, 0], [1, 0]]);
    assert.ok(holds(again[0]!.data, "www.example.org"));
    assert.ok(holds(again[1]!.data, "n4999.blocked.example"));
  });
});

Deno.test("hosts: a file that outgrows the memory limit is refused in words, and the table stays", async () => {
  // The share of all tables is 2 MiB at least, at any limit.
  await readHosts({ list: blockList(10_000) }, async ({ files, folder, log, registry, tables }) => {
    assert.equal((await files.prepare()).length, 1);
    files.start();
    replace(`${folder}/list`, blockList(100_000));
    await until(() => log.length > 0);
    assert.match(
      log[0]!,
      /^error plugin\/hosts: Cannot hold "\/list" \(100000 lines, [0-9.]+ MiB\): only about the first [0-9]+ lines fit into 2\.0 MiB, what the memory limit of 96 MiB leaves for it; what was read before is served \(raise the limit to about [0-9]+ MiB, or shorten the list\)$/,
    );
    assert.match(exposition(registry), /nodens_hosts_refused_total{hostsfile=".*list"} 1\n/);
    replace(`${folder}/list`, blockList(9_000));
    await until(() => tables.length > 0);
    assert.ok(holds(tables[0], "n8999.blocked.example"));
    assert.equal(log.length, 1);
  }, { memoryBytes: 96 * 2 ** 20 });
});

Deno.test("hosts: the limit is for the tables of all files", async () => {
  const both = { one: blockList(30_000), two: blockList(30_000) };
  await readHosts(both, async ({ files, log }) => {
    assert.deepEqual((await files.prepare()).map(({ block }) => block), [0]);
    assert.match(
      log.join("\n"),
      /^error plugin\/hosts: Cannot hold "\/two" .*; none of it is served/,
    );
  }, { memoryBytes: 96 * 2 ** 20 });
});

Deno.test("hosts: what is skipped is counted and told in one line", async () => {
  const text = "192.0.2.1 good.example\nnonsense\n192.0.2.2\n192.0.2.3 a..b fine.example\n";
  await readHosts({ list: text.repeat(100) }, async ({ files, log, registry }) => {
    const [delivery] = await files.prepare();
    files.start();
    assert.ok(holds(delivery!.data, "fine.example"));
    assert.deepEqual(log, [
      'warning plugin/hosts: "/list": skipped 200 of 400 lines without an address or a name, ' +
      "100 names that cannot be read (the first in line 2)",
    ]);
    assert.match(exposition(registry), /nodens_hosts_skipped{hostsfile=".*list"} 300\n/);
  });
});

Deno.test("hosts: a file system that hangs holds up no other file, and two reads wait for it", async () => {
  const builder = new HostsBuilder({ limitMs: 20 });
  const { stat } = Deno;
  const hanging: PromiseWithResolvers<Deno.FileInfo>[] = [];
  Deno.stat = (path) => {
    if (path !== "/hangs") return stat(path);
    hanging.push(Promise.withResolvers());
    return hanging.at(-1)!.promise;
  };
  try {
    const silent = /nothing has come of it for 0\.02 s/;
    for (const why of [silent, silent, /2 reads of it hang/]) {
      await assert.rejects(builder.stat("/hangs"), why);
    }
    assert.equal(hanging.length, 2);
    assert.ok((await builder.stat("/dev/null")).size === 0);
    // It goes on: what was given up ends, however late, and the file is looked at again.
    hanging[0]!.reject(new Error("stale file handle"));
    await new Promise((next) => setTimeout(next, 0));
    await assert.rejects(builder.stat("/hangs"), silent);
    assert.equal(hanging.length, 3);
  } finally {
    Deno.stat = stat;
  }
});
