import assert from "node:assert/strict";
import { sourcesIn } from "./sources.ts";

Deno.test("every exported item has a comment", () => {
  const missing: string[] = [];
  for (const { path, text } of sourcesIn("src")) {
    const lines = text.split("\n");
    lines.forEach((line, i) => {
      const item =
        /^export (?:abstract |async |declare )*(?:const|function|class|interface|type) (\w+)/
          .exec(line);
      if (item === null || lines[i - 1]?.trimEnd().endsWith("*/")) return;
      // Overloads and their implementation share the first one's comment.
      if (lines[i - 1]?.startsWith(`export function ${item[1]}(`)) return;
      missing.push(`${path}:${i + 1}: ${item[1]}`);
    });
  }
  assert.deepEqual(missing, []);
});

Deno.test("the sources contain no notes of work to do", () => {
  const marker = /\b(?:TODO|FIXME|XXX|HACK)\b/;
  for (const { path, text } of sourcesIn("src")) assert.doesNotMatch(text, marker, path);
});
