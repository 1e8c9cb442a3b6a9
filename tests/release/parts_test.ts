import assert from "node:assert/strict";
import { mustRun, runCommand } from "../../release/command.ts";
import { compareEmbedded, parseListing } from "../../release/compile.ts";
import { follow, type Graph, type Info } from "../../release/graph.ts";
import { readOrigin } from "../../release/origin.ts";
import { billOfMaterials, noticeText, type PackageFacts } from "../../release/sbom.ts";
import { reduceManifest } from "../../release/staging.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipUnless } from "../support/run/require.ts";

const BASE = "file:///nodens/";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";

function info(imports: Record<string, string[]>): Info {
  const modules = Object.entries(imports).map(([path, names]) => ({
    specifier: BASE + path,
    dependencies: names.map((name) =>
      name.startsWith("type ") ? {} : { code: { specifier: /:/.test(name) ? name : BASE + name } }
    ),
  }));
  const npm = (id: string) => ({ specifier: `npm:/${id}`, npmPackage: id });
  const at = (name: string, version: string, ...dependencies: string[]) => ({
    ...{ name, version, dependencies },
    localPath: `/cache/${name}/${version}`,
  });
  return {
    modules: [...modules, npm("one@1.0.0"), npm("types@3.0.0")],
    redirects: { "npm:one@1": "npm:/one@1.0.0" },
    npmPackages: {
      "one@1.0.0": at("one", "1.0.0", "two@2.0.0"),
      "two@2.0.0": at("two", "2.0.0"),
      "types@3.0.0": at("types", "3.0.0"),
    },
  };
}

const GRAPH: Graph = follow([
  info({
    "main.ts": ["src/a.ts", "node:crypto", "npm:one@1", "type src/types.ts"],
    "src/a.ts": ["src/b.ts", "main.ts"],
    "src/b.ts": [],
    "src/types.ts": [],
    "tests/never.ts": [],
  }),
  info({ "src/control/plane/worker.ts": ["src/b.ts"], "src/b.ts": [] }),
  info({ "src/plugins/hosts/companion/worker.ts": ["src/b.ts"], "src/b.ts": [] }),
  info({ "src/control/encrypted/worker.ts": ["src/b.ts"], "src/b.ts": [] }),
], BASE);

Deno.test("module graph: has modules and packages of all threads, and no types", () => {
  assert.deepEqual(GRAPH.modules, [
    "main.ts",
    "src/a.ts",
    "src/b.ts",
    "src/control/encrypted/worker.ts",
    "src/control/plane/worker.ts",
    "src/plugins/hosts/companion/worker.ts",
  ]);
  assert.deepEqual(GRAPH.imported, ["one@1.0.0"]);
  assert.deepEqual(GRAPH.packages.map(({ name }) => name), ["one", "two"]);
  assert.throws(
    () => follow([info({ "main.ts": ["https://example.org/x.ts"] })], BASE),
    new Error("Cannot find the module https://example.org/x.ts"),
  );
});

Deno.test("module graph: a module that Deno cannot load is reported with the reason", () => {
  const broken = (specifier: string, error: string): Info => {
    const all = info({ "main.ts": [specifier] });
    return { ...all, modules: [...all.modules, { specifier, error }] };
  };
  assert.throws(
    () => follow([broken(`${BASE}src/a.ts`, "Module not found")], BASE),
    new Error(`Cannot load ${BASE}src/a.ts: Module not found`),
  );
  assert.throws(
    () => follow([broken("npm:two@2.0.0", "Failed caching npm package")], BASE),
    new Error(
      "Cannot load npm:two@2.0.0: Failed caching npm package (can the package registry be reached?)",
    ),
  );
});

Deno.test("embedded files: are parsed from Deno's listing", () => {
  const listing = parseListing(`
Embedded Files

nodens
├─┬ .deno_compile_node_modules (1.01MB - 998.71KB unique)
│ └─┬ localhost (1.01MB - 998.71KB unique)
│   ├── one/1.0.0/* (17.62KB)
│   └── two/2.0.0/* (893.34KB - 857.36KB unique)
├── deno.json (1.84KB)
├── main.ts (3.44KB)
└─┬ src (2.11MB)
  ├── a.ts (1KB)
  ├── b.ts (1KB)
  ├─┬ control (4KB)
  │ ├─┬ encrypted (2KB)
  │ │ └── worker.ts (2KB)
  │ └─┬ plane (2KB)
  │   └── worker.ts (2KB)
  └─┬ plugins (2KB)
    └─┬ hosts (2KB)
      └─┬ companion (2KB)
        └── worker.ts (2KB)

Files: 3.12MB
`);
  assert.deepEqual(listing, [
    ".deno_compile_node_modules/localhost/one/1.0.0/*",
    ".deno_compile_node_modules/localhost/two/2.0.0/*",
    "deno.json",
    "main.ts",
    "src/a.ts",
    "src/b.ts",
    "src/control/encrypted/worker.ts",
    "src/control/plane/worker.ts",
    "src/plugins/hosts/companion/worker.ts",
  ]);
  assert.deepEqual(compareEmbedded(listing, GRAPH), []);
  const folded = [...listing.filter((path) => !path.startsWith("src/")), "src/*"];
  assert.deepEqual(compareEmbedded(folded, GRAPH), []);
  assert.deepEqual(
    compareEmbedded([...listing.slice(0, -1), "tests/never.ts"], GRAPH),
    ["not embedded: src/plugins/hosts/companion/worker.ts", "embedded in vain: tests/never.ts"],
  );
  assert.equal(compareEmbedded([], GRAPH).length, 9);
});

Deno.test("manifest and lock file: contain only the packages of nodens", () => {
  const { manifest, lock } = reduceManifest(
    {
      version: "1.2.3",
      tasks: { test: "deno test" },
      imports: {
        one: "npm:one@1.0.0",
        "one/part": "npm:one@1.0.0/part.js",
        test: "npm:test@1.0.0",
      },
    },
    {
      version: "5",
      specifiers: { "npm:one@1.0.0": "1.0.0", "npm:test@1.0.0": "1.0.0" },
      npm: { "one@1.0.0": { integrity: "a" }, "two@2.0.0": {}, "test@1.0.0": {} },
      workspace: { dependencies: ["npm:one@1.0.0", "npm:test@1.0.0"] },
    },
    GRAPH,
  );
  assert.deepEqual(manifest, {
    version: "1.2.3",
    imports: { one: "npm:one@1.0.0", "one/part": "npm:one@1.0.0/part.js" },
  });
  assert.deepEqual(lock, {
    version: "5",
    specifiers: { "npm:one@1.0.0": "1.0.0" },
    npm: { "one@1.0.0": { integrity: "a" }, "two@2.0.0": {} },
    workspace: { dependencies: ["npm:one@1.0.0"] },
  });
});

Deno.test({
  name: "commit: comes from the environment, else from git, else it is unknown",
  ...skipUnless("git"),
  async fn() {
    await withFolder(async (folder) => {
      const root = `${folder}/`;
      const none = () => undefined;
      const unknown = { commit: "unknown", epochSeconds: 315_532_800 };
      assert.deepEqual(await readOrigin(root, none), unknown);
      const given = { NODENS_COMMIT: COMMIT, SOURCE_DATE_EPOCH: "1700000000" };
      const env = (values: Record<string, string>) => (name: string) => values[name];
      const said = { commit: "0123456789ab", epochSeconds: 1_700_000_000 };
      assert.deepEqual(await readOrigin(root, env(given)), said);
      // A container engine passes the default of a build argument.
      assert.deepEqual(await readOrigin(root, env({ NODENS_COMMIT: "unknown" })), unknown);
      await assert.rejects(
        readOrigin(root, env({ NODENS_COMMIT: "main" })),
        new Error('Cannot use NODENS_COMMIT "main": it is not a commit (git rev-parse HEAD)'),
      );
      await assert.rejects(
        readOrigin(root, env({ SOURCE_DATE_EPOCH: "now" })),
        new Error('Cannot use SOURCE_DATE_EPOCH "now": it is not a number of seconds'),
      );

      const git = (...args: string[]) =>
        mustRun("git", ["-c", "user.name=n", "-c", "user.email=n@example.org", ...args], {
          cwd: folder,
          env: { GIT_COMMITTER_DATE: "2020-01-02T03:04:05Z" },
        });
      await git("init", "--quiet");
      Deno.mkdirSync(`${folder}/below`);
      Deno.writeTextFileSync(`${folder}/below/file`, "1");
      await git("add", ".");
      await git("commit", "--quiet", "--message", "First");
      const head = (await git("rev-parse", "HEAD")).slice(0, 12);
      const epochSeconds = Date.UTC(2020, 0, 2, 3, 4, 5) / 1000;
      assert.deepEqual(await readOrigin(root, none), { commit: head, epochSeconds });
      Deno.writeTextFileSync(`${folder}/below/file`, "2");
      assert.deepEqual(await readOrigin(root, none), { commit: `${head}-dirty`, epochSeconds });
      assert.deepEqual(await readOrigin(`${folder}/below/`, none), unknown, "another's checkout");
    });
  },
});

Deno.test("commands: a missing program is named", async () => {
  const why = new Error('Cannot run "no-such-program": it is not installed');
  await assert.rejects(runCommand("no-such-program", []), why);
});

const PACKAGES: PackageFacts[] = [
  {
    ...{ name: "@scope/one", version: "1.0.0", needs: ["two@2.0.0"], license: "MIT" },
    ...{ licenseText: "Do what you like.", sha512: "ab".repeat(64), homepage: undefined },
  },
  {
    ...{ name: "two", version: "2.0.0", needs: [], license: "Apache-2.0" },
    ...{ licenseText: "Apache.\n", sha512: "cd".repeat(64), homepage: "https://two.example.org/" },
  },
];

Deno.test("bill of materials: lists packages, runtime and dependencies", () => {
  const materials = {
    version: "1.2.3",
    origin: { commit: "0123456789ab", epochSeconds: 1_700_000_000 },
    packages: PACKAGES,
    imported: ["@scope/one@1.0.0"],
    runtime: { deno: "2.9.6", v8: "15.0" },
  };
  const text = billOfMaterials(materials);
  assert.equal(billOfMaterials(materials), text, "the same again");
  const bom = JSON.parse(text);
  assert.equal(`${bom.bomFormat} ${bom.specVersion}`, "CycloneDX 1.6");
  assert.match(
    bom.serialNumber,
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-/,
  );
  assert.equal(bom.metadata.timestamp, "2023-11-14T22:13:20.000Z");
  assert.equal(bom.metadata.component["bom-ref"], "pkg:generic/nodens@1.2.3");
  assert.equal(bom.metadata.component.licenses[0].license.id, "Apache-2.0");
  assert.deepEqual(bom.metadata.component.properties, [
    { name: "nodens:commit", value: "0123456789ab" },
  ]);
  // deno-lint-ignore no-explicit-any
  const components: any[] = bom.components;
  assert.deepEqual(components.map(({ purl }) => purl).sort(), [
    "pkg:generic/v8@15.0",
    "pkg:github/denoland/deno@v2.9.6",
    "pkg:npm/%40scope/one@1.0.0",
    "pkg:npm/two@2.0.0",
  ]);
  const one = components.find(({ name }) => name === "one");
  assert.equal(one.group, "@scope");
  assert.deepEqual(one.hashes, [{ alg: "SHA-512", content: "ab".repeat(64) }]);
  // deno-lint-ignore no-explicit-any
  const needs = Object.fromEntries(bom.dependencies.map((row: any) => [row.ref, row.dependsOn]));
  assert.deepEqual(needs, {
    "pkg:generic/nodens@1.2.3": ["pkg:github/denoland/deno@v2.9.6", "pkg:npm/%40scope/one@1.0.0"],
    "pkg:github/denoland/deno@v2.9.6": ["pkg:generic/v8@15.0"],
    "pkg:generic/v8@15.0": undefined,
    "pkg:npm/%40scope/one@1.0.0": ["pkg:npm/two@2.0.0"],
    "pkg:npm/two@2.0.0": undefined,
  });
  const other = billOfMaterials({ ...materials, version: "1.2.4" });
  assert.notEqual(JSON.parse(other).serialNumber, bom.serialNumber);
});

Deno.test("notice: has the full licence of each package", () => {
  const text = noticeText(PACKAGES);
  assert.match(text, /^nodens contains these packages/);
  assert.match(text, /\n@scope\/one 1\.0\.0 \(MIT\)\n\nDo what you like\.\n/);
  assert.match(text, /\ntwo 2\.0\.0 \(Apache-2\.0\)\n\nApache\.\n$/);
});
