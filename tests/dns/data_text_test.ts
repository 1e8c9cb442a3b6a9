import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
// @ts-types="@types/dns-packet"
import { type Answer, encode } from "dns-packet";
import { typeNumber } from "../../src/dns/mnemonics.ts";
import { rdataText } from "../../src/dns/record_text/data_text.ts";
import { formatShort } from "../../src/cli/query/print.ts";
import { WireReader } from "../../src/dns/wire_reader.ts";

const KEY = Buffer.from("0301".repeat(30), "hex");
const KEY_TEXT = KEY.toString("base64");

/** Data for dns-packet's encoder, and the text that dig prints. */
const CASES: [type: string, data: unknown, text: string][] = [
  ["A", "192.0.2.1", "192.0.2.1"],
  ["AAAA", "2001:db8:0:0:0:0:0:1", "2001:db8::1"],
  ["PTR", "host.example.org", "host.example.org."],
  ["NS", ".", "."],
  ["MX", { preference: 10, exchange: "mx.example.org" }, "10 mx.example.org."],
  [
    "SOA",
    {
      ...{ mname: "ns.example.org", rname: "a\\.b.example.org", serial: 1 },
      ...{ refresh: 2, retry: 3, expire: 4, minimum: 5 },
    },
    "ns.example.org. a\\.b.example.org. 1 2 3 4 5",
  ],
  [
    "TXT",
    [Buffer.from('say "hi" \\'), Buffer.from([0x80, 0x0a, 0x7f]), Buffer.from("é;")],
    '"say \\"hi\\" \\\\" "\\128\\010\\127" "\\195\\169;"',
  ],
  ["SRV", { priority: 1, weight: 2, port: 53, target: "ns.example.org" }, "1 2 53 ns.example.org."],
  ["CAA", { flags: 128, tag: "issue", value: "ca.example; x=1" }, '128 issue "ca.example; x=1"'],
  [
    "NAPTR",
    { order: 1, preference: 2, flags: "u", services: "s", regexp: "!a!b!", replacement: "." },
    '1 2 "u" "s" "!a!b!" .',
  ],
  ["HINFO", { cpu: "a b", os: "c" }, '"a b" "c"'],
  ["RP", { mbox: "a\\.b.example.org", txt: "t.example.org" }, "a\\.b.example.org. t.example.org."],
  ["SSHFP", { algorithm: 4, hash: 1, fingerprint: "ab".repeat(20) }, `4 1 ${"AB".repeat(20)}`],
  [
    "DS",
    { keyTag: 1, algorithm: 8, digestType: 2, digest: Buffer.from("ab".repeat(32), "hex") },
    `1 8 2 ${"AB".repeat(28)} ABABABAB`,
  ],
  [
    "DNSKEY",
    { flags: 257, algorithm: 8, key: KEY },
    `257 3 8 ${KEY_TEXT.slice(0, 56)} ${KEY_TEXT.slice(56)}`,
  ],
  [
    "RRSIG",
    {
      ...{ typeCovered: "UNKNOWN_65", algorithm: 8, labels: 2, originalTTL: 300, keyTag: 12345 },
      ...{ expiration: 1767225600, inception: 1735689600, signersName: "example.org" },
      signature: Buffer.from([1, 2, 3]),
    },
    "HTTPS 8 2 300 20260101000000 20250101000000 12345 example.org. AQID",
  ],
  [
    "NSEC",
    { nextDomain: "b.example.org", rrtypes: ["A", "UNKNOWN_1234"] },
    "b.example.org. A TYPE1234",
  ],
  [
    "NSEC3",
    {
      ...{ algorithm: 1, flags: 0, iterations: 0, salt: Buffer.alloc(0) },
      ...{ nextDomain: Buffer.from("foobar"), rrtypes: ["A"] },
    },
    "1 0 0 - CPNMUOJ1E8 A",
  ],
  [
    "TLSA",
    { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.from([0xab]) },
    "3 1 1 AB",
  ],
];

/** Data in hexadecimal, for types and faults that dns-packet cannot encode. */
const HEX_CASES: [type: string, hex: string, text: string | RegExp][] = [
  [
    "HTTPS",
    "0001 00 0001 0006 02 6832 02 6833 0003 0002 01bb 0004 0004 c0000201 029a 0001 61",
    '1 . alpn="h2,h3" port=443 ipv4hint=192.0.2.1 key666="a"',
  ],
  ["HTTPS", "0001 00 0001 00ff", "\\# 7 000100000100FF"],
  ["HTTPS", "0001 00 0008 0000", "1 . ohttp"],
  ["HTTPS", "0001 00 0008 0001 61", "\\# 8 0001000008000161"],
  ["TYPE65280", "01ff", "\\# 2 01FF"],
  ["TYPE65280", "", "\\# 0"],
  ["NSEC", "00 0000", /^window 0 of 0 octets$/],
  ["NSEC", `00 0021 ${"ff".repeat(33)}`, /^window 0 of 33 octets$/],
  ["NSEC", "00 0001 40 0001 40", /^window 0 of 1 octets$/],
  ["NSEC", "00 0001 40 0101 40", ". A CAA"],
  ["MX", "000a", /^bad name at byte 2$/],
  ["A", "c0000201 00", /^1 bytes behind data at byte 0$/],
  ["PTR", "08 61206222 3b402fe9 00", 'a\\032b\\"\\;\\@/\\233.'],
];

for (const [type, data, text] of CASES) {
  Deno.test(`query prints ${type} ${text.slice(0, 30)}`, () => {
    const answers = [{ type, name: "example.org", data } as Answer];
    assert.equal(formatShort(encode({ type: "response", answers })), `${text}\n`);
  });
}

for (const [type, hex, text] of HEX_CASES) {
  Deno.test(`query prints ${type} ${hex.slice(0, 30)}`, () => {
    const bytes = Uint8Array.fromHex(hex.replaceAll(" ", ""));
    const print = () => rdataText(typeNumber(type)!, new WireReader(bytes, 0));
    if (typeof text === "string") assert.equal(print(), text);
    else assert.throws(print, { name: "RangeError", message: text });
  });
}

Deno.test("query: a compressed name ends or is rejected", () => {
  const name = (hex: string, at: number) => new WireReader(Uint8Array.fromHex(hex), at).name();
  assert.equal(name("03777777000161c000", 5), "a.www.");
  for (const hex of ["c000", "0161c000", "0161c004c002", "4061", "03777777"]) {
    assert.throws(() => name(hex, 0), { name: "RangeError", message: "bad name at byte 0" });
  }
});
