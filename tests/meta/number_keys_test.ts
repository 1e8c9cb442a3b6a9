import assert from "node:assert/strict";

const ROOT = new URL("../../src/", import.meta.url).pathname;
/** Folders whose code runs in the data plane or on what peers send. */
const FOLDERS = ["dns", "engine", "upstream", "plugins", "io"];
/** Where a map has numbers for keys, and why nobody outside can choose them. */
const HARMLESS: Readonly<Record<string, string>> = {
  "dns/record_layout.ts": "a constant table",
  "dns/record_text/data.ts": "a constant table",
  "dns/record_text/service_parameters.ts":
    "a handful of keys, in a record that the operator writes",
  "engine/subqueries.ts": "ids are counted here",
  "plugins/rewrite/edns.ts": "codes that the operator names",
  "plugins/rewrite/values.ts": "a constant table",
  "plugins/template/handler.ts": "ids are counted here",
  "upstream/transport/connection.ts": "ids are drawn here; a reply's id is only looked up",
  "plugins/acl/setup.ts": "types that the operator names",
  "io/lane.ts": "streams are numbered here",
  "io/linux/driver.ts": "descriptors of listeners",
};

function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(ROOT + folder)) {
    if (isDirectory) yield* sources(`${folder}/${name}`);
    else if (name.endsWith(".ts")) yield `${folder}/${name}`;
  }
}

// V8 hashes integers without a seed, so whoever chooses the keys of such a map makes it a list.
Deno.test("no map of the data plane has numbers for keys that a peer can choose", () => {
  const found = FOLDERS.flatMap((folder) => [...sources(folder)]).filter((path) =>
    /\b(?:Map|Set)<number\b/.test(Deno.readTextFileSync(ROOT + path))
  );
  for (const path of found) assert.ok(path in HARMLESS, `${path}: say in this test why it is safe`);
});
