import assert from "node:assert/strict";
import { loadConfig } from "../../src/config/load.ts";
import { denoHost } from "../../src/control/host_deno.ts";
import { HostsFiles } from "../../src/control/hosts_files.ts";
import { until } from "../support/followed.ts";

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
  const plane = {
    deliver(block: number) {
      if (block === 0) seen.tables++;
      else tick();
    },
  };
  const tick = () => {
    seen.ticks++;
    Deno.writeTextFileSync(clock, `192.0.2.1 n${seen.ticks}.clock.example\n`);
  };
  tick();
  const hosts = new HostsFiles(config, { planes: [plane], log: () => {} });
  assert.equal(hosts.read().length, 2);
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
