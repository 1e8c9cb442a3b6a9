import assert from "node:assert/strict";
import { ErrorText, MAX_ERROR_TEXT } from "../../src/dns/error_text.ts";

const utf8 = (text: string) => [...new TextEncoder().encode(text)];

function taken(octets: readonly number[]): string {
  const text = new ErrorText();
  text.copy(Uint8Array.of(0x7a), 0, 1);
  text.set(Uint8Array.from([0xff, ...octets, 0x41]), 1, octets.length);
  return new TextDecoder("utf-8", { fatal: true }).decode(text.bytes.subarray(0, text.length));
}

const CASES: [title: string, octets: number[], text?: string][] = [
  ["plain", utf8("blocked: see policy 7"), "blocked: see policy 7"],
  ["none", []],
  ["two, three and four octets", utf8("né 日本 😀"), "né 日本 😀"],
  ["null-terminated", [...utf8("why"), 0, 0], "why"],
  ["only nulls", [0, 0]],
  ["a null inside", [0x61, 0, 0x62]],
  ["a line feed", utf8("a\nb")],
  ["an escape sequence", utf8("a\x1b[2Jb")],
  ["DEL", [0x7f]],
  ["a C1 control character", utf8("\u009b31m")],
  ["right-to-left override", utf8("a\u202eb")],
  ["a zero-width space", utf8("a\u200bb")],
  ["an Arabic letter mark, which changes the direction", utf8("a\u061cb")],
  ["a Mongolian vowel separator", utf8("a\u180eb")],
  ["a soft hyphen", utf8("a\u00adb")],
  ["a line separator", utf8("a\u2028b")],
  ["a byte order mark", utf8("\ufeffa")],
  ["tags", utf8("a\u{e0041}")],
  ["Latin-1", [0x61, 0xe9, 0x62]],
  ["an overlong slash", [0xc0, 0xaf]],
  ["an overlong slash of three octets", [0xe0, 0x80, 0xaf]],
  ["half of a surrogate pair", [0xed, 0xa0, 0x80]],
  ["beyond Unicode", [0xf4, 0x90, 0x80, 0x80]],
  ["cut off within a character", [0x61, 0xe6, 0x97]],
  ["the maximum length", utf8("x".repeat(64)), "x".repeat(64)],
  ["too long", utf8("x".repeat(500)), "x".repeat(64)],
  ["too long, cut between characters", utf8("xé".repeat(40)), "xé".repeat(21) + "x"],
  ["too long, with a bad rest", [...utf8("x".repeat(80)), 7]],
];

for (const [title, octets, expected = ""] of CASES) {
  Deno.test(`text of an extended error: ${title}`, () => {
    assert.equal(taken(octets), expected);
    assert.ok(utf8(expected).length <= MAX_ERROR_TEXT);
  });
}

Deno.test("text of an extended error: any two octets before a letter are refused or unchanged", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const octets = [first, second, 0x61];
      const got = taken(octets);
      if (got !== "") assert.equal(got, strict.decode(Uint8Array.from(octets)));
    }
  }
});

Deno.test("text of an extended error: invisible and reordering characters are refused", () => {
  const hidden =
    /[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Cc}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/u;
  const encoder = new TextEncoder();
  const octets = new Uint8Array(4);
  const text = new ErrorText();
  for (let code = 0xa0; code < 0xe0000; code++) {
    // Surrogates are not characters; annotations are refused too.
    if ((code >= 0xd800 && code <= 0xdfff) || (code >= 0xfff9 && code <= 0xfffd)) continue;
    const character = String.fromCodePoint(code);
    const { written } = encoder.encodeInto(character, octets);
    text.set(octets, 0, written);
    const expected = hidden.test(character) ? 0 : written;
    if (text.length !== expected) assert.fail(`U+${code.toString(16)}: ${text.length}`);
  }
});
