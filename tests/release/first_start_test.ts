/** The first commands on a machine with an empty cache. */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { runCommand } from "../../release/command.ts";
import { compareEmbedded, parseListing } from "../../release/compile.ts";
import { readGraph } from "../../release/graph.ts";
import { EmptyCache } from "../support/containers/empty_cache.ts";
import { withFolder } from "../support/run/folder.ts";
import { freePort } from "../support/servers/ports.ts";
import { startProcess } from "../support/processes/process.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const STARTED = /^nodens \d+\.\d+\.\d+, deno /m;

async function withCache(use: (cache: EmptyCache) => Promise<void>): Promise<void> {
  const cache = new EmptyCache();
  try {
    await use(cache);
  } finally {
    cache.remove();
  }
}

async function needed(): Promise<string[]> {
  const { packages } = await readGraph(ROOT);
  return packages.map(({ name, version }) => `${name}@${version}`).sort();
}

Deno.test("deno task compile: fetches and embeds only the modules that run", async () => {
  await withFolder(async (folder) => {
    await withCache(async (cache) => {
      const command = manifest.tasks.compile.command.replace("dist/nodens", `${folder}/nodens`);
      const { ok, text } = await runCommand(Deno.execPath(), ["task", "--eval", command], {
        cwd: ROOT,
        env: cache.env,
      });
      assert.ok(ok, text);
      assert.deepEqual(compareEmbedded(parseListing(text), await readGraph(ROOT)), []);
      assert.deepEqual(cache.packages(), await needed());
    });
  });
});

Deno.test("deno task compile, release and start: report an unreachable registry", async () => {
  await withCache(async (cache) => {
    const env = { ...cache.env, NPM_CONFIG_REGISTRY: `http://127.0.0.1:${freePort()}/` };
    for (const task of ["compile", "release", "start"]) {
      const { ok, text } = await runCommand(Deno.execPath(), ["task", task], { cwd: ROOT, env });
      assert.equal(ok, false, text);
      assert.match(text, /^error: Failed (?:loading|caching) .*package/m);
      assert.match(text, /error sending request for url \(http:\/\/127\.0\.0\.1:/);
    }
  });
});

Deno.test("deno task start: fetches only the modules that run, and serves", async () => {
  await withFolder(async (folder) => {
    await withCache(async (cache) => {
      const { command } = manifest.tasks.start;
      assert.match(command, /^DENO_NO_UPDATE_CHECK=1 deno run /);
      const corefile = Deno.readTextFileSync(`${ROOT}Corefile.example`)
        .replaceAll("1053", String(freePort()))
        .replace("/etc/resolv.conf", `${folder}/resolv.conf`);
      Deno.writeTextFileSync(`${folder}/Corefile`, corefile);
      Deno.writeTextFileSync(`${folder}/resolv.conf`, "nameserver 127.0.0.1\n");
      const nodens = await startProcess(Deno.execPath(), {
        args: ["task", "--eval", command.replace("Corefile.example", `${folder}/Corefile`)],
        cwd: ROOT,
        env: cache.env,
        ready: (output) => STARTED.test(output),
        readyWithinMs: 60_000,
      });
      const packages = cache.packages();
      await nodens.stop();
      assert.deepEqual(packages, await needed());
    });
  });
});
