/** deno.lock has the packages of nodens; dev.lock also has those of tests, types and releases. */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { readGraph } from "../../release/graph.ts";
import { ROOT } from "./sources.ts";

interface Lock {
  npm: Record<string, { integrity: string }>;
}

const REMEDY =
  "run `git checkout deno.lock`, and give Deno --lock=dev.lock for anything but nodens";

function readLock(name: string): Lock {
  return JSON.parse(Deno.readTextFileSync(ROOT + name));
}

Deno.test("deno.lock contains exactly the packages of nodens", async () => {
  const { packages } = await readGraph(ROOT);
  const wanted = packages.map(({ name, version }) => `${name}@${version}`).sort();
  // `deno task` fetches all of them before any task starts.
  assert.deepEqual(Object.keys(readLock("deno.lock").npm).sort(), wanted, REMEDY);
});

Deno.test("dev.lock contains the packages of deno.lock and deno.json", () => {
  const all = readLock("dev.lock").npm;
  for (const [id, entry] of Object.entries(readLock("deno.lock").npm)) {
    assert.deepEqual(all[id], entry, id);
  }
  const maps = [manifest.imports, ...Object.values(manifest.scopes)];
  for (const specifier of maps.flatMap((map) => Object.values<string>(map))) {
    const id = /^npm:(@?[^@]+@[^/]+)/.exec(specifier)![1]!;
    assert.ok(Object.keys(all).some((one) => one === id || one.startsWith(`${id}_`)), id);
  }
});

Deno.test("tests, checks and releases use dev.lock, frozen", () => {
  const runner = Deno.readTextFileSync(`${ROOT}tests/main.ts`);
  assert.match(runner, /"--lock=dev\.lock", "--frozen"/);
  for (const [name, task] of Object.entries(manifest.tasks)) {
    const command = typeof task === "string" ? task : task.command;
    assert.doesNotMatch(command, /deno test/, `${name}: tests/main.ts does that`);
    if (!/deno check|release\/main\.ts/.test(command)) continue;
    assert.match(command, / --lock=dev\.lock --frozen /, name);
  }
});
