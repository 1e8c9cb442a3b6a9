import assert from "node:assert/strict";
import { ErrorText, MAX_ERROR_TEXT } from "../../src/dns/error_text.ts";

const utf8 = (text: string) => [...new TextEncoder().encode(text)];

/** What becomes of a text that lies somewhere in a message. */
function taken(octets: readonly number[]): string {
  const text = new ErrorText();
  text.copy(Uint8Array.of(0x7a), 0, 1);
  text.set(Uint8Array.from([0xff, ...octets, 0x41]), 1, octets.length);
  return new TextDecoder("utf-8", { fatal: true }).decode(text.bytes.subarray(0, text.length));
}

for (
  const { title, octets, text } of [
    { title: "plain", octets: utf8("blocked: see policy 7"), text: "blocked: see policy 7" },
    { title: "none", octets: [], text: "" },
    { title: "two, three and four octets", octets: utf8("né 日本 😀"), text: "né 日本 😀" },
    { title: "null-terminated", octets: [...utf8("why"), 0, 0], text: "why" },
    { title: "nothing but nulls", octets: [0, 0], text: "" },
    { title: "a null inside", octets: [0x61, 0, 0x62], text: "" },
    { title: "a line feed", octets: utf8("a\nb"), text: "" },
    { title: "an escape sequence", octets: utf8("a\x1b[2Jb"), text: "" },
    { title: "DEL", octets: [0x7f], text: "" },
    { title: "a C1 control character", octets: utf8("\u009b31m"), text: "" },
    { title: "right-to-left override", octets: utf8("a\u202eb"), text: "" },
    { title: "a zero-width space", octets: utf8("a\u200bb"), text: "" },
    {
      title: "an Arabic letter mark, which changes the direction",
      octets: utf8("a\u061cb"),
      text: "",
    },
    { title: "a Mongolian vowel separator", octets: utf8("a\u180eb"), text: "" },
    { title: "a soft hyphen", octets: utf8("a\u00adb"), text: "" },
    { title: "a line separator", octets: utf8("a\u2028b"), text: "" },
    { title: "a byte order mark", octets: utf8("\ufeffa"), text: "" },
    { title: "tags", octets: utf8("a\u{e0041}"), text: "" },
    { title: "Latin-1", octets: [0x61, 0xe9, 0x62], text: "" },
    { title: "an overlong slash", octets: [0xc0, 0xaf], text: "" },
    { title: "an overlong slash of three octets", octets: [0xe0, 0x80, 0xaf], text: "" },
    { title: "half of a pair of surrogates", octets: [0xed, 0xa0, 0x80], text: "" },
    { title: "beyond Unicode", octets: [0xf4, 0x90, 0x80, 0x80], text: "" },
    { title: "cut off within a character", octets: [0x61, 0xe6, 0x97], text: "" },
    { title: "as long as may be", octets: utf8("x".repeat(64)), text: "x".repeat(64) },
    { title: "too long", octets: utf8("x".repeat(500)), text: "x".repeat(64) },
    {
      title: "too long, cut between characters",
      octets: utf8("xé".repeat(40)),
      text: "xé".repeat(21) + "x",
    },
    { title: "too long, and bad behind", octets: [...utf8("x".repeat(80)), 7], text: "" },
  ]
) {
  Deno.test(`text of an extended error: ${title}`, () => {
    assert.equal(taken(octets), text);
    assert.ok(utf8(text).length <= MAX_ERROR_TEXT);
  });
}

Deno.test("text of an extended error: any two octets in front of a letter are refused or come out as they are", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const octets = [first, second, 0x61];
      const got = taken(octets);
      if (got !== "") assert.equal(got, strict.decode(Uint8Array.from(octets)));
    }
  }
});

Deno.test("text of an extended error: what Unicode says does not show or changes the order is refused", () => {
  const hidden =
    /[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Cc}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/u;
  const encoder = new TextEncoder();
  const octets = new Uint8Array(4);
  const text = new ErrorText();
  for (let code = 0xa0; code < 0xe0000; code++) {
    // Surrogates are no characters, and annotations are refused besides.
    if ((code >= 0xd800 && code <= 0xdfff) || (code >= 0xfff9 && code <= 0xfffd)) continue;
    const character = String.fromCodePoint(code);
    const { written } = encoder.encodeInto(character, octets);
    text.set(octets, 0, written);
    const expected = hidden.test(character) ? 0 : written;
    if (text.length !== expected) assert.fail(`U+${code.toString(16)}: ${text.length}`);
  }
});
