import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import manifest from "../../deno.json" with { type: "json" };
import { mustRun, runCommand } from "../../release/command.ts";
import { compile, ROOT, TARGETS } from "../../release/compile.ts";
import { readGraph } from "../../release/graph.ts";
import { PERMISSIONS } from "../../release/permissions.ts";
import { stage } from "../../release/staging.ts";
import { EmptyCache } from "../support/containers/empty_cache.ts";
import { withFolder } from "../support/run/folder.ts";

const ORIGIN = { commit: "0123456789ab", epochSeconds: 1_700_000_000 };

Deno.test("release: the same sources give the same executable in any folder at any time", async () => {
  await withFolder(async (folder) => {
    const graph = await readGraph(ROOT);
    assert.ok(graph.modules.length > 200 && graph.packages.length >= 4);
    const digests: string[] = [];
    // The last one has another commit and machine.
    for (const [i, place] of ["here", "in/another/place", "third"].entries()) {
      const origin = i === 2 ? { ...ORIGIN, commit: "ba9876543210" } : ORIGIN;
      const staging = await stage(`${folder}/${place}`, { root: ROOT, graph, origin });
      const target = TARGETS[i === 2 ? 1 : 0]!;
      const output = `${folder}/${i}/nodens`;
      await compile(staging, { graph, target, output });
      assert.ok(Deno.statSync(output).size > 1_000_000);
      digests.push(createHash("sha256").update(Deno.readFileSync(output)).digest("hex"));
      Deno.removeSync(output);
    }
    assert.equal(digests[0], digests[1]);
    assert.notEqual(digests[0], digests[2]);
  });
});

Deno.test("release: the executable has limited permissions, and callers cannot add any", () => {
  assert.ok(PERMISSIONS.includes("--no-prompt"));
  assert.ok(PERMISSIONS.includes("--deny-import"));
  for (const right of PERMISSIONS) assert.doesNotMatch(right, /-A|allow-all|allow-import/, right);
});

Deno.test("release: with an empty cache, is complete or reports missing parts", async () => {
  await withFolder(async (folder) => {
    const cache = new EmptyCache();
    const { DENO_DIR, HOME, NO_COLOR } = cache.env;
    const args = ["task", "release", "--output", `${folder}/dist`];
    const { ok, stdout, text } = await runCommand(Deno.execPath(), args, {
      cwd: ROOT,
      env: { DENO_DIR, HOME, NO_COLOR },
    });
    cache.remove();
    assert.ok(ok, text);
    const name = `nodens-${manifest.version}`;
    const found = [...Deno.readDirSync(`${folder}/dist`)].map((entry) => entry.name).sort();
    const archives = TARGETS.flatMap(({ machine, debian }) => [
      `${name}-linux-${machine}.tar.gz`,
      `nodens_${manifest.version}_${debian}.deb`,
    ]);
    if (/^NOT MADE: /m.test(stdout)) {
      assert.deepEqual(found, [`${name}.cdx.json`]);
      for (const archive of archives) assert.ok(stdout.includes(archive), stdout);
      assert.match(stdout, /^Not checked: that the executables start and answer\.$/m);
    } else {
      assert.deepEqual(found, ["SHA256SUMS", `${name}.cdx.json`, ...archives].sort());
      await mustRun("sha256sum", ["--check", "SHA256SUMS"], { cwd: `${folder}/dist` });
    }
    const bom = JSON.parse(Deno.readTextFileSync(`${folder}/dist/${name}.cdx.json`));
    const lock = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.lock`));
    // deno-lint-ignore no-explicit-any
    const packages = bom.components.filter((one: any) => one.purl.startsWith("pkg:npm/"));
    const graph = await readGraph(ROOT);
    assert.equal(packages.length, graph.packages.length);
    for (const { group, name, version, hashes, licenses } of packages) {
      const id = `${group === undefined ? "" : `${group}/`}${name}@${version}`;
      const digest = Uint8Array.fromHex(hashes[0].content);
      assert.equal(lock.npm[id].integrity, `sha512-${digest.toBase64()}`, id);
      assert.match(licenses[0].license.id, /^(?:MIT|ISC|Apache-2\.0|BSD-3-Clause)$/, id);
    }
  });
});

Deno.test("release: wrong arguments print the usage", async () => {
  const { ok, stdout } = await runCommand(Deno.execPath(), ["task", "release", "--ouptut"], {
    cwd: ROOT,
  });
  assert.equal(ok, false);
  assert.match(stdout, /^Usage: deno task release \[--output FOLDER\]$/m);
});
