import assert from "node:assert/strict";
import { visibleJson, visibleText } from "../../src/base/visible.ts";

for (
  const [what, text, shown] of [
    ["plain text, lines and tabs", "a b\n\tü €", "a b\n\tü €"],
    ["an escape sequence", "\x1b[2J", "\\u001b[2J"],
    ["a carriage return", "a\rb", "a\\u000db"],
    ["DEL and a control of eight bits", "\x7f\x9b31m", "\\u007f\\u009b31m"],
    ["a bidi mark", "\u202egro", "\\u202egro"],
    ["a separator of lines", "a\u2028b", "a\\u2028b"],
    ["a character that needs two units", "\u{e0041}", "\\udb40\\udc41"],
    ["half of a pair", "\ud800x", "\\ud800x"],
  ] as const
) {
  Deno.test(`visible text: ${what}`, () => assert.equal(visibleText(text), shown));
}

Deno.test("visible JSON means the same and has no control", () => {
  const value = { a: '\x1b\x9b\u202e\u{e0041}\ud800\n\t"\\ü', "\x9d": [null, 1, true] };
  const text = visibleJson(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.match(text, /^[\x20-\x7eü]*$/);
});
