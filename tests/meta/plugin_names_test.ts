import assert from "node:assert/strict";
import { SETUPS } from "../../src/plugins/setups.ts";
import { sourcesIn } from "./sources.ts";

/** Files that may name plugins: they write and compare Corefiles, or list modules. */
const MAY = ["plugins/", "manifest/corefile.ts", "inherit/", "lazy_modules.ts"];
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

/** Uses of a plugin's name; endpoints, which have a `kind`, may have the same name. */
function find(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  return PATTERNS.flatMap(({ what, pattern }) =>
    [...code.matchAll(pattern)].map(([match]) => `${what}: ${match}`)
  );
}

Deno.test("uses of a plugin's name are found", () => {
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

Deno.test("a plugin's name is used only in its folder and the lists of plugins", () => {
  for (const { path, text } of sourcesIn("src")) {
    if (!MAY.some((start) => path.startsWith(start))) assert.deepEqual(find(text), [], path);
  }
});
