import assert from "node:assert/strict";
import { formatName, parseName } from "../../src/dns/name.ts";
import { expandZone, normalizeZone } from "../../src/dns/zone.ts";

const bytes = (...parts: (string | number)[]) =>
  Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "number" ? [part] : [...part].map((c) => c.charCodeAt(0))
    ),
  );

const NAMES: [text: string, wire: Uint8Array, formatted?: string][] = [
  [".", bytes(0)],
  ["example.org.", bytes(7, "example", 3, "org", 0)],
  ["Example.org", bytes(7, "Example", 3, "org", 0), "Example.org."],
  ["a\\.b.c.", bytes(3, "a.b", 1, "c", 0)],
  ["\\097.", bytes(1, "a", 0), "a."],
  ["\\000\\255.", bytes(2, 0, 255, 0)],
  ["\\a.", bytes(1, "a", 0), "a."],
  ["\\\\.", bytes(1, "\\", 0)],
  ["a b.", bytes(3, "a b", 0), "a\\032b."],
  ["*._tcp.", bytes(1, "*", 4, "_tcp", 0)],
  ["ü.", bytes(2, 0xc3, 0xbc, 0), "\\195\\188."],
  [`${"a".repeat(63)}.`, bytes(63, "a".repeat(63), 0)],
];

Deno.test("names: text and wire form are converted both ways", () => {
  for (const [text, wire, formatted = text] of NAMES) {
    assert.deepEqual(parseName(text), wire, text);
    assert.equal(formatName(wire), formatted);
    assert.deepEqual(parseName(formatName(wire)), wire);
  }
  assert.equal(formatName(bytes(9, 9, 1, "a", 0, 7), 2), "a.");
});

const longest = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.`;

Deno.test("names: the limits of labels and names are enforced", () => {
  assert.equal(parseName(`${longest}${"d".repeat(61)}.`).length, 255);
  const wrong: [string, new () => Error, RegExp][] = [
    ["", SyntaxError, /empty name/],
    ["..", SyntaxError, /empty label/],
    [".a", SyntaxError, /empty label/],
    ["a..b", SyntaxError, /empty label/],
    ["a\\", SyntaxError, /last backslash/],
    ["\\256", SyntaxError, /not an octet/],
    ["a".repeat(64), RangeError, /label is longer than 63 octets/],
    [`${longest}${"d".repeat(62)}.`, RangeError, /longer than 255 octets/],
    ["a.".repeat(10_000), RangeError, /longer than 255 octets/],
  ];
  for (const [text, kind, message] of wrong) {
    assert.throws(
      () => parseName(text),
      (error) => error instanceof kind && message.test(error.message),
    );
  }
});

Deno.test("names: a name without an end is not formatted", () => {
  for (const wire of [bytes(), bytes(1), bytes(1, "a"), bytes(3, "ab", 0), bytes(64, 0)]) {
    assert.throws(() => formatName(wire), RangeError);
  }
});

Deno.test("names: zones are normalized", () => {
  assert.equal(normalizeZone("EXAMPLE.Org"), "example.org.");
  assert.equal(normalizeZone("\\065.\\."), "a.\\..");
  assert.equal(normalizeZone("."), ".");
});

Deno.test("names: networks are expanded to reverse zones", () => {
  assert.deepEqual(expandZone("10.1.2.3/32"), ["3.2.1.10.in-addr.arpa."]);
  assert.deepEqual(expandZone("10.1.2.3/16"), ["1.10.in-addr.arpa."]);
  assert.deepEqual(expandZone("10.1.254.0/23"), [
    "254.1.10.in-addr.arpa.",
    "255.1.10.in-addr.arpa.",
  ]);
  assert.equal(expandZone("10.0.0.0/25").length, 128);
  assert.deepEqual(expandZone("2001:db8::/32"), ["8.b.d.0.1.0.0.2.ip6.arpa."]);
  assert.deepEqual(expandZone("2001:db8::/31"), [
    "8.b.d.0.1.0.0.2.ip6.arpa.",
    "9.b.d.0.1.0.0.2.ip6.arpa.",
  ]);
  assert.deepEqual(expandZone("0/25.2.0.192.in-addr.arpa"), ["0/25.2.0.192.in-addr.arpa."]);
  for (const text of ["10.0.0.0/33", "10/8", "::/129", "10.0.0.256/24"]) {
    assert.throws(() => expandZone(text), /is not a network/);
  }
});
