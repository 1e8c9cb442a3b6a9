import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { sourcesIn } from "./sources.ts";

const LIST = "lazy_modules.ts";

/** Modules as `lazy_modules.ts` names them; the runtime has its own. */
function importedOnDemand(): string[] {
  const main = Deno.readTextFileSync(new URL("../../main.ts", import.meta.url));
  const sources = sourcesIn("src").map(({ path, text }) => ({ path: `src/${path}`, text }));
  sources.push({ path: "main.ts", text: main });
  const found = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/\bimport\(\s*"([^"]+)"/g)].map(([, to]) =>
      to!.startsWith(".") ? join(dirname(path), to!).replace(/^src/, ".") : to!
    )
  );
  return [...new Set(found)].filter((one) => !one.startsWith("node:")).sort();
}

Deno.test("lazy_modules.ts lists exactly the modules that are imported on demand", () => {
  const { text } = sourcesIn("src").find(({ path }) => path === LIST)!;
  const listed = [...text.matchAll(/^import "([^"]+)";$/gm)].map(([, module]) => module);
  assert.deepEqual(listed.sort(), importedOnDemand());
});
