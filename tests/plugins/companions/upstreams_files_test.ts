import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import { denoHost } from "../../../src/control/host_deno.ts";
import { Upstreams } from "../../../src/plugins/forward/companion.ts";
import type { UpstreamsUpdate } from "../../../src/plugins/forward/options.ts";
import { advanceUntil, type Delivery, following } from "../../support/doubles/followed.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

const OLD = "nameserver 192.0.2.1\n";
const NEW = "nameserver 192.0.2.2\n";

const clock = new VirtualClock();
const until = (condition: () => boolean) => advanceUntil(clock, condition);

function folder(): string {
  return Deno.makeTempDirSync({ prefix: "nodens_test_" });
}

/** Follows `resolv.conf` of a new folder, which `prepare` can change. */
async function withFile(
  use: (context: {
    path: string;
    folder: string;
    deliveries: Delivery[];
    logs: string[];
    warnings: () => string[];
  }) => Promise<void>,
  options: { prepare?: (folder: string) => void; corefile?: (path: string) => string } = {},
): Promise<void> {
  const own = folder();
  const path = `${own}/resolv.conf`;
  if (options.prepare === undefined) Deno.writeTextFileSync(path, OLD);
  else options.prepare(own);
  const corefile = (options.corefile ?? ((path) => `. {\n forward . ${path}\n}\n`))(path);
  await following(corefile, { clock }, async ({ deliveries, logs }) => {
    // Writes before the first check are not changes; the first change shows that it is over.
    Deno.writeTextFileSync(path, "nameserver 192.0.2.77\n");
    const directives = corefile.split(path).length - 1;
    await until(() => deliveries.length === directives);
    Deno.writeTextFileSync(path, OLD);
    await until(() => deliveries.length === 2 * directives);
    deliveries.length = 0;
    logs.length = 0;
    const warnings = () => logs.filter((line) => line.startsWith("warning: "));
    await use({ path, folder: own, deliveries, logs, warnings });
  });
  Deno.removeSync(own, { recursive: true });
}

const CHANGES: {
  what: string;
  prepare?: (folder: string) => void;
  change: (path: string, folder: string) => void;
}[] = [
  { what: "in place", change: (path) => Deno.writeTextFileSync(path, NEW) },
  {
    what: "in place, with unchanged times",
    change(path) {
      const { mtime } = Deno.statSync(path);
      Deno.writeTextFileSync(path, NEW);
      Deno.utimeSync(path, mtime!, mtime!);
    },
  },
  {
    what: "by a rename over it",
    change(path) {
      Deno.writeTextFileSync(`${path}.new`, NEW);
      Deno.renameSync(`${path}.new`, path);
    },
  },
  {
    what: "by removing and recreating it",
    change(path) {
      Deno.removeSync(path);
      Deno.writeTextFileSync(path, NEW);
    },
  },
  {
    what: "by replacing a symbolic link in its path, like Kubernetes volumes",
    prepare(folder) {
      for (const [name, text] of [["one", OLD], ["two", NEW]]) {
        Deno.mkdirSync(`${folder}/${name}`);
        Deno.writeTextFileSync(`${folder}/${name}/resolv.conf`, text!);
      }
      Deno.symlinkSync("one", `${folder}/data`);
      Deno.symlinkSync("data/resolv.conf", `${folder}/resolv.conf`);
    },
    change(_, folder) {
      Deno.symlinkSync("two", `${folder}/data.new`);
      Deno.renameSync(`${folder}/data.new`, `${folder}/data`);
    },
  },
];

for (const { what, prepare, change } of CHANGES) {
  Deno.test(`resolv.conf: a change ${what} is delivered`, async () => {
    await withFile(async ({ path, folder, deliveries, logs }) => {
      change(path, folder);
      await until(() => deliveries.length > 0);
      assert.deepEqual(deliveries, [{
        block: 0,
        position: 0,
        servers: ["192.0.2.2:53"],
        update: {
          upstreams: [{ address: "192.0.2.2", port: 53, transport: "dns", serverName: "" }],
          readTimeoutMs: 2000,
          maxConnectAttempts: null,
          policy: "random",
        },
      }]);
      assert.deepEqual(logs, [
        `info: plugin/forward: Corefile:2: forward .: ${path} changed: ` +
        "upstreams were 192.0.2.1:53, are 192.0.2.2:53",
      ]);
    }, prepare === undefined ? {} : { prepare });
  });
}

const SPELLS: {
  what: string;
  spoil: (path: string) => void;
  why: RegExp;
  worse?: (path: string) => void;
}[] = [
  { what: "removed", spoil: (path) => Deno.removeSync(path), why: /there is no such file/ },
  {
    what: "removed, then empty",
    spoil: (path) => Deno.removeSync(path),
    why: /there is no such file/,
    worse: (path) => Deno.writeTextFileSync(path, ""),
  },
  {
    what: "emptied",
    spoil: (path) => Deno.writeTextFileSync(path, ""),
    why: /it names no server/,
  },
  {
    what: "filled with something else",
    spoil: (path) => Deno.writeFileSync(path, Uint8Array.from({ length: 4096 }, (_, i) => i & 255)),
    why: /it names no server/,
  },
  {
    what: "far too large",
    spoil: (path) => Deno.truncateSync(path, 1024 * 1024 + 1),
    why: /it is larger than 1048576 bytes/,
  },
  {
    what: "replaced by a folder",
    spoil(path) {
      Deno.removeSync(path);
      Deno.mkdirSync(path);
    },
    why: /it is a directory, not a regular file/,
  },
];

for (const { what, spoil, why, worse } of SPELLS) {
  Deno.test(`resolv.conf is ${what}: one warning, and the servers are kept until there are others`, async () => {
    // Another file, checked as often, shows that time passes.
    const other = `${folder()}/other`;
    Deno.writeTextFileSync(other, "nameserver 198.51.100.0\n");
    const corefile = (path: string) => `. {\n forward a. ${path}\n forward . ${other}\n}\n`;
    await withFile(async ({ path, deliveries, logs, warnings }) => {
      const of = (position: number) => deliveries.filter((one) => one.position === position);
      for (let spell = 1; spell <= 2; spell++) {
        spoil(path);
        await until(() => warnings().length === spell);
        worse?.(path);
        for (let i = 1; i <= 3; i++) {
          const count = of(1).length;
          Deno.writeTextFileSync(other, `nameserver 198.51.100.${10 * spell + i}\n`);
          await until(() => of(1).length > count);
        }
        assert.equal(warnings().length, spell, logs.join("\n"));
        assert.equal(of(0).length, spell - 1);
        if (what !== "removed") Deno.removeSync(path, { recursive: true });
        Deno.writeTextFileSync(path, `nameserver 192.0.2.${1 + spell}\n`);
        await until(() => of(0).length === spell);
        assert.deepEqual(of(0).at(-1)!.servers, [`192.0.2.${1 + spell}:53`]);
      }
      const [first] = warnings();
      assert.match(
        first!,
        new RegExp(`^warning: plugin/forward: Cannot use ${path}: .*; its servers`),
      );
      assert.match(first!, why);
    }, {
      prepare: (folder) => Deno.writeTextFileSync(`${folder}/resolv.conf`, OLD),
      corefile,
    }).finally(() => Deno.removeSync(other.slice(0, -6), { recursive: true }));
  });
}

Deno.test("resolv.conf: changed options and servers are delivered, changed comments are not", async () => {
  await withFile(async ({ path, deliveries, logs }) => {
    Deno.writeTextFileSync(path, `# said\n${OLD}options timeout:5 attempts:3 rotate\n`);
    await until(() => deliveries.length === 1);
    assert.deepEqual(deliveries[0]!.update, {
      upstreams: [{ address: "192.0.2.1", port: 53, transport: "dns", serverName: "" }],
      readTimeoutMs: 5000,
      maxConnectAttempts: 3,
      policy: "round_robin",
    });
    assert.match(
      logs[0]!,
      /changed: read_timeout was 2000ms, is 5000ms; max_connect_attempts was unset, is 3; policy was/,
    );
    Deno.writeTextFileSync(path, `# more\n${OLD}nameserver 192.0.2.3\n`);
    await until(() => deliveries.length === 2);
    assert.equal(deliveries[1]!.update.readTimeoutMs, 2000);
    assert.equal(deliveries[1]!.update.maxConnectAttempts, null);
    assert.deepEqual(deliveries[1]!.servers, ["192.0.2.1:53", "192.0.2.3:53"]);
    assert.equal(logs.length, 2);
  });
});

Deno.test("resolv.conf: a line without an address is logged once per change", async () => {
  await withFile(async ({ path, deliveries, warnings }) => {
    Deno.writeTextFileSync(path, `nameserver dns\nnameserver 192.0.2.300\n${NEW}`);
    await until(() => deliveries.length === 1);
    assert.deepEqual(warnings(), [
      `warning: plugin/forward: ${path}: "dns" is not an IP address; the line is ignored`,
    ]);
  });
});

Deno.test("resolv.conf: a file of two directives in two blocks updates each of them", async () => {
  const corefile = (path: string) =>
    `a.example {\n forward . ${path}\n}\n` +
    `. {\n errors\n forward b.example 192.0.2.9 ${path} {\n policy sequential\n }\n` +
    ` forward . 192.0.2.7\n}\n`;
  await withFile(async ({ path, deliveries }) => {
    Deno.writeTextFileSync(path, NEW);
    await until(() => deliveries.length === 2);
    assert.deepEqual(
      deliveries.map(({ block, position, servers, update }) => ({
        block,
        position,
        servers,
        policy: update.policy,
      })),
      [
        { block: 0, position: 0, servers: ["192.0.2.2:53"], policy: "random" },
        {
          block: 1,
          position: 1,
          servers: ["192.0.2.9:53", "192.0.2.2:53"],
          policy: "sequential",
        },
      ],
    );
  }, { prepare: (folder) => Deno.writeTextFileSync(`${folder}/resolv.conf`, OLD), corefile });
});

const LOOPS = [
  { what: "loopback", corefile: ".:5399 {\n forward . 127.0.0.53:5399\n}", loops: true },
  {
    what: "its bound address",
    corefile: ".:5399 {\n bind ::1\n forward . [::1]:5399\n}",
    loops: true,
  },
  { what: "another port", corefile: ".:5399 {\n forward . 127.0.0.1:5398\n}", loops: false },
  { what: "another address", corefile: ".:5399 {\n forward . 192.0.2.1:5399\n}", loops: false },
  {
    what: "an address that is not bound",
    corefile: ".:5399 {\n bind 127.0.0.1\n forward . 127.0.0.2:5399\n}",
    loops: false,
  },
  {
    what: "another block",
    corefile: ".:5399 {\n forward . 127.0.0.1:5398\n}\n.:5398 {\n forward . 192.0.2.1\n}",
    loops: false,
  },
];

for (const { what, corefile, loops } of LOOPS) {
  Deno.test(`a block that forwards to ${what} ${loops ? "causes a warning" : "does not loop"}`, async () => {
    await following(corefile, { clock }, ({ logs }) => {
      assert.equal(logs.length, loops ? 1 : 0, logs.join("\n"));
      if (loops) assert.match(logs[0]!, /^warning: .*:5399 is this server block itself/);
      return Promise.resolve();
    });
  });
}

Deno.test("resolv.conf: this server's address is left out, and the previous servers are kept", async () => {
  const corefile = (path: string) => `. {\n forward . ${path}\n}\n`;
  await withFile(async ({ path, deliveries, logs, warnings }) => {
    const leftOut = (addresses: string, rest = "") =>
      `warning: plugin/forward: Corefile:2: forward .: ${path} names ${addresses}, where nodens ` +
      `itself listens: left out, since what is forwarded there would come back${rest}`;
    Deno.writeTextFileSync(path, "nameserver 127.0.0.1\n");
    await until(() => warnings().length === 1);
    assert.deepEqual(logs, [leftOut("127.0.0.1", "; the servers that it named before stay")]);
    assert.equal(deliveries.length, 0);
    Deno.writeTextFileSync(path, `nameserver 127.0.0.1\nnameserver ::1\n${NEW}`);
    await until(() => deliveries.length === 1);
    assert.deepEqual(deliveries[0]!.servers, ["192.0.2.2:53"]);
    assert.equal(warnings()[1], leftOut("127.0.0.1, ::1"));
    Deno.writeTextFileSync(path, "nameserver 192.0.2.3\n");
    await until(() => deliveries.length === 2);
    assert.equal(warnings().length, 2);
  }, { prepare: (folder) => Deno.writeTextFileSync(`${folder}/resolv.conf`, OLD), corefile });
});

Deno.test("resolv.conf: two blocks whose files name each other both leave that server out", async () => {
  const own = folder();
  Deno.writeTextFileSync(`${own}/a`, "nameserver 127.0.0.2\n");
  Deno.writeTextFileSync(`${own}/b`, "nameserver 192.0.2.1\n");
  const corefile = `. {\n bind 127.0.0.1\n forward . ${own}/a 192.0.2.9\n}\n` +
    `. {\n bind 127.0.0.2\n forward . ${own}/b\n}\n`;
  await following(corefile, { clock }, async ({ deliveries, logs }) => {
    assert.equal(logs.length, 0, logs.join("\n"));
    Deno.writeTextFileSync(`${own}/b`, `nameserver 127.0.0.1\n${NEW}`);
    await until(() => deliveries.length === 2);
    const servers = deliveries.map(({ block, servers }) => [block, servers]);
    assert.deepEqual(servers, [[0, ["192.0.2.9:53"]], [1, ["192.0.2.2:53"]]]);
    assert.equal(logs.filter((line) => line.startsWith("warning: ")).length, 2);
  });
  Deno.removeSync(own, { recursive: true });
});

for (
  const { what, text } of [{ what: "absent", text: null }, { what: "empty", text: "# none\n" }]
) {
  Deno.test(`resolv.conf is ${what} at the start: its servers are used once it has some`, async () => {
    const own = folder();
    const path = `${own}/later/resolv.conf`;
    const other = `${own}/other`;
    Deno.writeTextFileSync(other, "nameserver 198.51.100.0\n");
    if (text !== null) {
      Deno.mkdirSync(`${own}/later`);
      Deno.writeTextFileSync(path, text);
    }
    const corefile = `. {\n forward a. ${path}\n forward . ${path} ${other}\n}\n`;
    await following(corefile, { clock }, async ({ deliveries, logs }) => {
      const of = (position: number) => deliveries.filter((one) => one.position === position);
      for (let i = 1; i <= 3; i++) {
        Deno.writeTextFileSync(other, `nameserver 198.51.100.${i}\n`);
        await until(() => of(1).length === i);
        assert.deepEqual(of(1).at(-1)!.servers, [`198.51.100.${i}:53`]);
      }
      assert.equal(of(0).length, 0);
      assert.deepEqual(logs.filter((line) => line.startsWith("warning: ")), []);
      Deno.mkdirSync(`${own}/later`, { recursive: true });
      Deno.writeTextFileSync(path, OLD);
      await until(() => of(0).length === 1 && of(1).length === 4);
      assert.deepEqual(of(0)[0]!.servers, ["192.0.2.1:53"]);
      assert.deepEqual(of(1)[3]!.servers, ["192.0.2.1:53", "198.51.100.3:53"]);
      assert.match(
        logs.at(-1)!,
        /resolv\.conf changed: upstreams were 198\.51\.100\.3:53, are 192\.0/,
      );
      Deno.removeSync(path);
      await until(() => logs.at(-1)!.startsWith("warning: "));
      assert.match(logs.at(-1)!, /there is no such file; its servers stay$/);
    });
    Deno.removeSync(own, { recursive: true });
  });
}

const RELOADS = [
  { what: "gone", text: null, listens: "192.0.2.77", servers: ["192.0.2.1"] },
  { what: "empty", text: "", listens: "192.0.2.77", servers: ["192.0.2.1"] },
  { what: "its own", text: "nameserver 192.0.2.77", listens: "192.0.2.77", servers: ["192.0.2.1"] },
  {
    what: "missing, and nodens listens on its previous servers",
    text: null,
    listens: "192.0.2.1",
    servers: [],
  },
  { what: "another", text: NEW, listens: "192.0.2.77", servers: ["192.0.2.2"] },
];

for (const { what, text, listens, servers } of RELOADS) {
  Deno.test(`a reload while resolv.conf is ${what} keeps the previous servers if there are no others`, async () => {
    const own = folder();
    const path = `${own}/resolv.conf`;
    Deno.writeTextFileSync(path, OLD);
    const load = (text: string) =>
      loadConfig({ file: "Corefile", text, defaultPort: 53 }, denoHost).config;
    const interfaces = () => ["127.0.0.1"];
    const deliver = () => {};
    const logs: string[] = [];
    const log = (level: string, line: string) => logs.push(`${level}: ${line}`);
    const config = load(`. {\n forward . ${path}\n}\n`);
    const first = new Upstreams(config, { deliver, log, interfaces, clock });
    first.start();
    let second: Upstreams | null = null;
    try {
      if (text === null) Deno.removeSync(path);
      else Deno.writeTextFileSync(path, text);
      const next = load(`. {\n bind ${listens}\n errors\n forward . ${path}\n}\n`);
      second = new Upstreams(next, { deliver, log, interfaces, clock, previous: first });
      const [delivery] = await second.prepare();
      const { upstreams } = delivery!.data as UpstreamsUpdate;
      assert.deepEqual(upstreams.map(({ address }) => address), servers);
      assert.equal(logs.length, what === "its own" ? 1 : 0, logs.join("\n"));
    } finally {
      await Promise.all([first.stop(), second?.stop()]);
      Deno.removeSync(own, { recursive: true });
    }
  });
}

Deno.test("a block that keeps its handlers gets its file's servers again after a reload", async () => {
  const own = folder();
  const path = `${own}/resolv.conf`;
  Deno.writeTextFileSync(path, OLD);
  const { config } = loadConfig(
    { file: "Corefile", text: `. {\n forward . ${path}\n}\n`, defaultPort: 53 },
    denoHost,
  );
  const options = { deliver: () => {}, log: () => {}, interfaces: () => [], clock };
  const previous = new Upstreams(config, options);
  const upstreams = new Upstreams(config, { ...options, previous });
  try {
    const deliveries = await upstreams.prepare();
    assert.equal(deliveries.length, 1);
    const { block, position, data } = deliveries[0]!;
    const { upstreams: given } = data as UpstreamsUpdate;
    assert.deepEqual([block, position], [0, 0]);
    assert.deepEqual(given.map(({ address }) => address), ["192.0.2.1"]);
  } finally {
    await upstreams.stop();
    Deno.removeSync(own, { recursive: true });
  }
});
