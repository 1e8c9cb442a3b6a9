/** Wording that readers stumble over stays out of comments, messages and pages. */
import assert from "node:assert/strict";
import { ROOT, sourcesIn } from "./sources.ts";

/** Patterns, each with what to write instead. */
const PATTERNS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/(?<!\bthere )\bis no (?!longer\b|more\b|one\b|such\b|need\b)[a-z]/i, "is not a"],
  [
    /\bwhere (?:it|that|there|nothing|they|nobody|none) (?:\w+ )?(?:is|are|was|were|can|cannot|has|have|does|do)\b/i,
    "if or when",
  ],
  [/\bof hand\b|\bby and by\b|\bstopped to \w+|\bis told of\b/i, "a plain verb"],
  [/\b(?:may|can|cannot|to) be had\b/i, "is available"],
  [/\banew\b/i, "again"],
  [/\b(?:is|are|was) let go\b|\blet go of\b/i, "released or removed"],
  [/^\s*(?:\*|\/\/) (?:What|Who) /, "a noun: Options of, Result of"],
];

/** Lines of a source that people read: comments, and lines with texts. */
function wordsOf({ path, text }: { path: string; text: string }): [place: string, line: string][] {
  return text.split("\n").flatMap((line, i): [string, string][] => {
    const isRead = !path.endsWith(".ts") || /^\s*(?:\/?\*|\/\/)|\s\/\/\s|["`]/.test(line);
    return isRead ? [[`${path}:${i + 1}`, line]] : [];
  });
}

const FOLDERS = ["src", "tests", "bench", "release", "docs"];
const FILES = FOLDERS.flatMap((folder) =>
  sourcesIn(folder, /\.(?:ts|md)$/).map(({ path, text }) => ({ path: `${folder}/${path}`, text }))
).filter(({ path }) => path !== "tests/meta/plain_english_test.ts");

const CLUMSY = [
  "* This is no answer.",
  "// the thread where it is longest",
  "/** The rest is told of. */",
  "* No more can be had.",
  "* It is written anew.",
  "* Then the socket is let go of.",
  " * What nodens needs.",
];
const PLAIN = "* It is no longer used, there is no answer, and clients wait where others wait.";

Deno.test("clumsy wording is found, and plain wording is not", () => {
  CLUMSY.forEach((line, i) => assert.match(line, PATTERNS[i]![0]));
  for (const [pattern] of PATTERNS) assert.doesNotMatch(PLAIN, pattern);
});

for (const [pattern, instead] of PATTERNS) {
  Deno.test(`English: no ${pattern.source.replace(/\(\?<?[:!]|\\b/g, "").slice(0, 30)}`, () => {
    assert.ok(FILES.length > 800);
    const found = FILES.flatMap(wordsOf).filter(([, line]) => pattern.test(line))
      .map(([place, line]) => `${place}: ${line.trim()}`);
    assert.deepEqual(found, [], `write ${instead}`);
  });
}

Deno.test("English: README and CHANGELOG follow the same patterns", () => {
  for (const page of ["README.md", "CHANGELOG.md"]) {
    const text = Deno.readTextFileSync(ROOT + page);
    for (const [pattern, instead] of PATTERNS) assert.doesNotMatch(text, pattern, instead);
  }
});
