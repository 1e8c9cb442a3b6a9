import assert from "node:assert/strict";
import { visible, visibleLines, visibleTexts } from "../../../src/control/page/visible.ts";

const TEXTS: { title: string; text: string; shown: string }[] = [
  { title: "plain text", text: "www.example.org. <b>", shown: "www.example.org. <b>" },
  { title: "letters of other scripts", text: "אבג Zürich 東京", shown: "אבג Zürich 東京" },
  { title: "bidi marks", text: "a\u202Eb\u2066c\u200F", shown: "a\\u{202E}b\\u{2066}c\\u{200F}" },
  { title: "controls", text: "\0\x1b[31m\x7f\x9b", shown: "\\u{0}\\u{1B}[31m\\u{7F}\\u{9B}" },
  { title: "line ends", text: "a\nb\r\u2028\u2029", shown: "a\\u{A}b\\u{D}\\u{2028}\\u{2029}" },
  { title: "invisible characters", text: "\u200B\uFEFF\u00AD", shown: "\\u{200B}\\u{FEFF}\\u{AD}" },
  { title: "tags", text: "\u{E0041}", shown: "\\u{E0041}" },
  { title: "half a pair", text: "\ud83d", shown: "\\u{D83D}" },
];

for (const { title, text, shown } of TEXTS) {
  Deno.test(`visible: shows ${title}`, () => assert.equal(visible(text), shown));
}

Deno.test("visible: long text is cut", () => {
  assert.equal(visible("x".repeat(100_000)).length, 1101);
});

Deno.test("visible: lines and tabs of a Corefile stay, bidi marks do not", () => {
  assert.equal(visibleLines("a {\n\tb # \u202E\r\n}"), "a {\n\tb # \\u{202E}\\u{D}\n}");
});

Deno.test("visible: all texts of plain data are reached", () => {
  assert.deepEqual(
    visibleTexts({ a: ["\u202E", 1, null], b: { c: "\n", d: true } }),
    { a: ["\\u{202E}", 1, null], b: { c: "\\u{A}", d: true } },
  );
});
