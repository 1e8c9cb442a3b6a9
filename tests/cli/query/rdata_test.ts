import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { rdataText } from "../../../src/cli/query/rdata.ts";
import { mailboxText, nameText, quoted } from "../../../src/cli/query/text.ts";

const KEY = Buffer.from("0301".repeat(30), "hex");

/** What dns-packet decodes, and what dig prints for it. */
const CASES = [
  { type: "A", data: "192.0.2.1", text: "192.0.2.1" },
  { type: "AAAA", data: "2001:db8:0:0:0:0:0:1", text: "2001:db8::1" },
  { type: "PTR", data: "host.example.org", text: "host.example.org." },
  { type: "NS", data: ".", text: "." },
  { type: "MX", data: { preference: 10, exchange: "mx.example.org" }, text: "10 mx.example.org." },
  {
    type: "SOA",
    data: {
      mname: "ns.example.org",
      rname: "a\\.b.example.org",
      serial: 1,
      refresh: 2,
      retry: 3,
      expire: 4,
      minimum: 5,
    },
    text: "ns.example.org. a\\.b.example.org. 1 2 3 4 5",
  },
  {
    type: "TXT",
    data: [Buffer.from('say "hi" \\'), Buffer.from([0x80, 0x0a, 0x7f])],
    text: '"say \\"hi\\" \\\\" "\\128\\010\\127"',
  },
  {
    type: "SRV",
    data: { priority: 1, weight: 2, port: 53, target: "ns.example.org" },
    text: "1 2 53 ns.example.org.",
  },
  {
    type: "CAA",
    data: { flags: 128, tag: "issue", value: "ca.example; x=1" },
    text: '128 issue "ca.example; x=1"',
  },
  {
    type: "NAPTR",
    data: { order: 1, preference: 2, flags: "u", services: "s", regexp: "!a!b!", replacement: "." },
    text: '1 2 "u" "s" "!a!b!" .',
  },
  { type: "HINFO", data: { cpu: "a b", os: "c" }, text: '"a b" "c"' },
  {
    type: "DS",
    data: { keyTag: 1, algorithm: 8, digestType: 2, digest: Buffer.from("ab".repeat(32), "hex") },
    text: `1 8 2 ${"AB".repeat(28)} ABABABAB`,
  },
  {
    type: "DNSKEY",
    data: { flags: 257, algorithm: 8, key: KEY },
    text: `257 3 8 ${KEY.toString("base64").slice(0, 56)} ${KEY.toString("base64").slice(56)}`,
  },
  {
    type: "RRSIG",
    data: {
      typeCovered: "UNKNOWN_65",
      algorithm: 8,
      labels: 2,
      originalTTL: 300,
      expiration: 1767225600,
      inception: 1735689600,
      keyTag: 12345,
      signersName: "example.org",
      signature: Buffer.from([1, 2, 3]),
    },
    text: "HTTPS 8 2 300 20260101000000 20250101000000 12345 example.org. AQID",
  },
  {
    type: "NSEC",
    data: { nextDomain: "b.example.org", rrtypes: ["A", "UNKNOWN_1234"] },
    text: "b.example.org. A TYPE1234",
  },
  {
    type: "NSEC3",
    data: {
      algorithm: 1,
      flags: 0,
      iterations: 0,
      salt: Buffer.alloc(0),
      nextDomain: Buffer.from("foobar"),
      rrtypes: ["A"],
    },
    text: "1 0 0 - CPNMUOJ1E8 A",
  },
  {
    type: "TLSA",
    data: { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.from([0xab]) },
    text: "3 1 1 AB",
  },
  {
    type: "HTTPS",
    data: Buffer.from(
      "0001" + "00" + "0001" + "0006" + "026832" + "026833" + "0003" + "0002" + "01bb" +
        "0004" + "0004" + "c0000201" + "029a" + "0001" + "61",
      "hex",
    ),
    text: '1 . alpn="h2,h3" port=443 ipv4hint=192.0.2.1 key666="a"',
  },
  { type: "HTTPS", data: Buffer.from("000100000100ff", "hex"), text: "\\# 7 000100000100FF" },
  { type: "TYPE65280", data: Buffer.from([1, 255]), text: "\\# 2 01FF" },
  { type: "TYPE65280", data: Buffer.alloc(0), text: "\\# 0" },
];

for (const { type, data, text } of CASES) {
  Deno.test(`query prints ${type} ${text.slice(0, 30)}`, () => {
    assert.equal(rdataText(type, data), text);
  });
}

Deno.test("query escapes what is special in names and strings", () => {
  assert.equal(nameText('a b";@$é.example'), 'a\\032b\\"\\;\\@\\$\\195\\169.example.');
  assert.equal(mailboxText("a\\.b.example.org"), "a\\.b.example.org.");
  assert.equal(quoted("é;"), '"\\195\\169;"');
});
