import assert from "node:assert/strict";

const ROOT = new URL("../../src/", import.meta.url).pathname;

function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* sources(`${folder}${name}/`);
    else if (name.endsWith(".ts")) yield `${folder}${name}`;
  }
}

Deno.test("every exported item says what it is", () => {
  const missing: string[] = [];
  for (const path of sources(ROOT)) {
    const lines = Deno.readTextFileSync(path).split("\n");
    lines.forEach((line, i) => {
      const item =
        /^export (?:abstract |async |declare )*(?:const|function|class|interface|type) (\w+)/
          .exec(line);
      if (item === null || lines[i - 1]?.trimEnd().endsWith("*/")) return;
      // Overloads and their implementation share the first one's comment.
      if (lines[i - 1]?.startsWith(`export function ${item[1]}(`)) return;
      missing.push(`${path.slice(ROOT.length)}:${i + 1}: ${item[1]}`);
    });
  }
  assert.deepEqual(missing, []);
});

Deno.test("nothing is left half done", () => {
  const marker = /\b(?:TODO|FIXME|XXX|HACK)\b/;
  for (const path of sources(ROOT)) {
    assert.equal(marker.exec(Deno.readTextFileSync(path))?.[0], undefined, path);
  }
});
