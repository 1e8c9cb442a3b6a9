/** What belongs to a plugin lies in its folder: the rest of the program does not know its name. */
import assert from "node:assert/strict";
import { SETUPS } from "../../src/plugins/setups.ts";

const ROOT = new URL("../../src/", import.meta.url).pathname;

/** Folders that may name plugins. */
const MAY: Record<string, string> = {
  "plugins/": "here they are",
  "manifest/corefile.ts": "writes a Corefile",
};
const NAMES = [...SETUPS.keys()].join("|");
const PATTERNS: { what: string; pattern: RegExp }[] = [
  { what: "imports from the folder of a plugin", pattern: new RegExp(`plugins/(${NAMES})/`, "g") },
  {
    what: "compares with the name of a plugin",
    pattern: new RegExp(
      `(?:\\b(?:name|plugin|directive) [!=]== |\\.(?:includes|has|get)\\()"(${NAMES})"`,
      "g",
    ),
  },
];

/** Every use of a plugin's name; endpoints, which have a `kind`, may be named alike. */
function find(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  return PATTERNS.flatMap(({ what, pattern }) =>
    [...code.matchAll(pattern)].map(([match]) => `${what}: ${match}`)
  );
}

function* files(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(ROOT + folder)) {
    const path = `${folder}${name}`;
    if (isDirectory) yield* files(`${path}/`);
    else if (name.endsWith(".ts")) yield path;
  }
}

Deno.test("a plugin's name is found where it is used", () => {
  for (
    const text of [
      'if (name !== "forward") continue;',
      'plugins.some((plugin) => plugin.name === "errors")',
      'names.includes("prometheus")',
      'import type { CacheOptions } from "../plugins/cache/options.ts";',
      'const { Upstreams } = await import("../../plugins/forward/companion/upstreams.ts");',
    ]
  ) assert.equal(find(text).length, 1, text);
  for (
    const text of [
      'if (endpoint.kind === "health") return;',
      '// if (name === "cache")',
      'import { COMPANIONS } from "../plugins/companions.ts";',
      'log.level === "debug"',
    ]
  ) assert.deepEqual(find(text), [], text);
});

Deno.test("only its own folder and the lists of plugins know a plugin's name", () => {
  for (const path of files("")) {
    if (Object.keys(MAY).some((start) => path.startsWith(start))) continue;
    assert.deepEqual(find(Deno.readTextFileSync(ROOT + path)), [], path);
  }
});
