import assert from "node:assert/strict";
import { Faults } from "../../src/corefile/error.ts";
import { splitWords } from "../../src/corefile/lexer.ts";

interface Case {
  name: string;
  text: string;
  /** `line:word`, with `>` before the first word of a line and quotes around quoted words. */
  words: string[];
  faults?: string[];
}

const CASES: Case[] = [
  { name: "an empty text", text: "", words: [] },
  { name: "white space only", text: " \t\r\n \u00a0\u3000", words: [] },
  { name: "words", text: "a b\tc\u00a0d", words: [">1:a", "1:b", "1:c", "1:d"] },
  { name: "lines", text: "a\n\n b c", words: [">1:a", ">3:b", "3:c"] },
  { name: "CR is skipped", text: "a\r\nb\rc\n", words: [">1:a", ">2:bc"] },
  { name: "byte order mark", text: "\ufeffa", words: [">1:a"] },
  { name: "byte order mark elsewhere", text: "a \ufeff", words: [">1:a", "1:\ufeff"] },
  { name: "comment", text: "a # b c\nd", words: [">1:a", ">2:d"] },
  { name: "comment alone", text: "# b\n#\n", words: [] },
  { name: "comment in a word", text: "a#b c\nd", words: [">1:a", ">2:d"] },
  { name: "# in quotes is text", text: '"a # b"', words: ['>1:"a # b"'] },
  { name: "empty quotes", text: '"" x', words: ['>1:""', "1:x"] },
  { name: "escaped quote", text: '"a \\" b"', words: ['>1:"a " b"'] },
  {
    name: "other backslashes are literal",
    text: '"\\d \\\\" \\d',
    words: ['>1:"\\d \\\\"', "1:\\d"],
  },
  { name: "a closing quote ends a word", text: '"a"b"c"', words: ['>1:"a"', '1:b"c"'] },
  { name: "quotes over lines", text: '"a\nb" c\nd', words: ['>1:"a\nb"', "2:c", ">3:d"] },
  { name: "braces are words", text: "a {\n}", words: [">1:a", "1:{", ">2:}"] },
  { name: "braces within words", text: "a{ }b {}", words: [">1:a{", "1:}b", "1:{}"] },
  {
    name: "quote never closed",
    text: 'a "b c\nd',
    words: [">1:a", '1:"b c"', ">2:d"],
    faults: ['Corefile:1: the quote is never closed (add another ")'],
  },
];

for (const { name, text, words, faults = [] } of CASES) {
  Deno.test(`words: ${name}`, () => {
    const reported = new Faults();
    const tokens = splitWords(text, "Corefile", reported);
    const shown = tokens.map(({ line, text, quoted, first }) =>
      `${first ? ">" : ""}${line}:${quoted ? `"${text}"` : text}`
    );
    assert.deepEqual(shown, words);
    assert.deepEqual(reported.toErrors().errors.map(({ message }) => message), faults);
  });
}
