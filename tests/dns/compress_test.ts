import assert from "node:assert/strict";
import { Compressor } from "../../src/dns/compress.ts";
import { FREE_READS, READS_PER_OCTET } from "../../src/dns/names/name_reader.ts";
import { ResponseScanner } from "../../src/dns/response_scan.ts";
import { assertCompressed } from "../support/messages/compressed.ts";
import { labelsOf } from "../support/messages/reply_builder.ts";
import { assertParses, readMessage } from "../support/messages/wire_model.ts";

const HEADLESS = "my-headless-service.my-namespace.svc.cluster.local";

const name = (text: string) => [...labelsOf(text).flatMap((label) => [label.length, ...label]), 0];
const to = (offset: number) => [0xc0 | (offset >> 8), offset & 255];
const zeros = (count: number): number[] => Array(count).fill(0);

interface Row {
  owner: string | number[];
  type?: number;
  data?: number[];
}

/** A response to `qname` with these answers, names as they are given. */
function message(qname: string, rows: readonly Row[]): Uint8Array {
  const octets = [0, 1, 0x81, 0x80, 0, 1, rows.length >> 8, rows.length & 255, 0, 0, 0, 0];
  octets.push(...name(qname), 0, 1, 0, 1);
  for (const { owner, type = 1, data = [192, 0, 2, 1] } of rows) {
    octets.push(...(typeof owner === "string" ? name(owner) : owner));
    octets.push(type >> 8, type & 255, 0, 1, 0, 0, 0, 30, data.length >> 8, data.length & 255);
    octets.push(...data);
  }
  return Uint8Array.from(octets);
}

function compress(compressor: Compressor, bytes: Uint8Array, records: number): Uint8Array {
  const out = new Uint8Array(65_536);
  assert.ok(compressor.compress(bytes, records, out));
  return out.slice(0, compressor.length);
}

const withNames = (qname: string, type: number, data: number[]): Row[] => [
  { owner: qname, type, data },
  { owner: qname, type, data },
];

const CASES: { title: string; qname: string; rows: Row[]; saved: number }[] = [
  {
    title: "twenty addresses of a headless Service",
    qname: HEADLESS,
    rows: Array.from({ length: 20 }, () => ({ owner: HEADLESS })),
    saved: 20 * (HEADLESS.length + 2 - 2),
  },
  {
    title: "the question in another case",
    qname: "www.example.org",
    rows: [{ owner: "WWW.eXample.ORG" }],
    saved: 15,
  },
  {
    title: "names that are compressed already",
    qname: "www.example.org",
    rows: [{ owner: to(12), type: 5, data: [1, 97, ...to(16)] }, { owner: to(45) }],
    saved: 0,
  },
  {
    title: "a pointer to a pointer, which leads to the question",
    qname: "www.example.org",
    rows: [{ owner: to(12) }, { owner: to(33) }],
    saved: 0,
  },
  {
    title: "aliases of names that end like the question",
    qname: "www.example.org",
    rows: [
      { owner: "www.example.org", type: 5, data: name("a.cdn.example.org") },
      { owner: "a.cdn.example.org", type: 5, data: name("b.cdn.example.org") },
      { owner: "b.cdn.example.org" },
    ],
    // Owners: 15 + 17 + 17. Data: a.cdn + pointer, b + pointer.
    saved: 15 + 17 + 17 + (19 - 8) + (19 - 4),
  },
  {
    title: "a denial's SOA",
    qname: "nothing.example.org",
    rows: [{
      owner: "example.org",
      type: 6,
      data: [...name("ns1.example.org"), ...name("admin.example.org"), ...zeros(20)],
    }],
    saved: 11 + 11 + 11,
  },
  {
    title: "names of which only the last label is known",
    qname: "a.test",
    rows: [{ owner: "b.test" }, { owner: "test" }, { owner: "" }],
    saved: 4 + 4,
  },
  { title: "the root", qname: "", rows: [{ owner: "" }, { owner: "a" }, { owner: "a" }], saved: 1 },
  {
    title: "targets of SRV in full, and their owners not by them",
    qname: "_http._tcp.example.org",
    rows: [
      { owner: "_http._tcp.example.org", type: 33, data: [...zeros(6), ...name("p1.other.test")] },
      { owner: "_http._tcp.example.org", type: 33, data: [...zeros(6), ...name("p2.other.test")] },
      { owner: "p1.other.test" },
      { owner: "p2.other.test" },
    ],
    // The first address's owner stands in full, for the second one to end like it.
    saved: 22 + 22 + 10,
  },
  {
    title: "targets of SRV that were compressed, and an owner that pointed at one",
    qname: "_http._tcp.example.org",
    rows: [
      { owner: to(12), type: 33, data: [...zeros(6), 2, 112, 49, ...to(23)] },
      { owner: to(58) },
    ],
    saved: -(11 + 3),
  },
  ...[2, 3, 4, 5, 7, 8, 9, 12].map((type) => ({
    title: `data of type ${type}, a name`,
    qname: "example.org",
    rows: withNames("example.org", type, name("n.example.org")),
    saved: 11 + 11 + 11 + 13,
  })),
  {
    title: "data of MX",
    qname: "example.org",
    rows: withNames("example.org", 15, [0, 10, ...name("mx.example.org")]),
    saved: 11 + 11 + 11 + 14,
  },
  {
    title: "data of MINFO",
    qname: "example.org",
    rows: withNames("example.org", 14, [...name("a.example.org"), ...name("example.org")]),
    saved: 11 + 11 + 11 + 11 + 13 + 11,
  },
  ...([
    ["RP", 17, [...name("a.example.org"), ...name("example.org")]],
    ["AFSDB", 18, [0, 1, ...name("a.example.org")]],
    ["NAPTR", 35, [...zeros(7), ...name("a.example.org")]],
    ["KX", 36, [0, 1, ...name("a.example.org")]],
    ["DNAME", 39, name("a.example.org")],
    ["RRSIG", 46, [...zeros(18), ...name("example.org"), 1, 2, 3]],
    ["NSEC", 47, [...name("a.example.org"), 0, 1, 64]],
    ["SVCB", 64, [0, 1, ...name("a.example.org")]],
    ["an unknown type", 65280, name("a.example.org")],
  ] as [string, number, number[]][]).map(([title, type, data]) => ({
    title: `data of ${title}, which stays as it is`,
    qname: "example.org",
    rows: withNames("example.org", type, data),
    saved: 11 + 11,
  })),
  {
    title: "names beyond what a pointer reaches",
    qname: "example.org",
    rows: [
      { owner: to(12), type: 65280, data: zeros(0x4000) },
      { owner: "far.test" },
      { owner: "far.test" },
    ],
    saved: 0,
  },
  {
    title: "a name that begins within reach and ends beyond",
    qname: "example.org",
    rows: [
      { owner: to(12), type: 65280, data: zeros(0x4000 - 29 - 12 - 4) },
      { owner: "far.test" },
      { owner: "far.test" },
      { owner: "a.far.test" },
    ],
    saved: 0,
  },
];

for (const { title, qname, rows, saved } of CASES) {
  Deno.test(`compression: ${title}`, () => {
    const bytes = message(qname, rows);
    const compressor = new Compressor();
    const out = compress(compressor, bytes, rows.length);
    assert.equal(bytes.length - out.length, saved);
    assertParses(out);
    assert.deepEqual(readMessage(out).sections, readMessage(bytes).sections);
    assertCompressed(out);
    const scanner = new ResponseScanner();
    assert.ok(scanner.scan(out, new DataView(out.buffer), 0, out.length));
    const { ttls, ttlCount } = compressor;
    assert.deepEqual(ttls.slice(0, ttlCount), scanner.ttls.slice(0, scanner.ttlCount));
    assert.deepEqual(compress(compressor, out, rows.length), out);
  });
}

Deno.test("compression: names in the question stay as they are, owners take its letters", () => {
  const out = compress(
    new Compressor(),
    message("wWw.example.org", [{ owner: "www.example.org" }]),
    1,
  );
  assert.deepEqual([...out.subarray(12, 29)], name("wWw.example.org"));
  assert.deepEqual([...out.subarray(33, 35)], to(12));
});

Deno.test("compression: letters of the question do not get into names that stand in full", () => {
  const data = [...zeros(6), 1, 65, ...to(16)];
  const out = compress(
    new Compressor(),
    message("wwW.eXample.org", [{ owner: to(12), type: 33, data }]),
    1,
  );
  assert.deepEqual([...out.subarray(-15)], [1, 65, ...name("example.org")]);
});

Deno.test("compression: nothing is left over from the messages before", () => {
  const compressor = new Compressor();
  const other = message("www.other.test", [{ owner: "a.other.test" }, { owner: "a.other.test" }]);
  const own = message("example.org", [{ owner: "a.other.test" }, { owner: "a.other.test" }]);
  const wanted = compress(new Compressor(), own, 2);
  const out = new Uint8Array(65_536);
  // What is remembered has sixteen bits to tell one message from another.
  for (let count = 0; count < 0x10004; count++) compressor.compress(other, 2, out);
  assert.deepEqual(compress(compressor, own, 2), wanted);
});

Deno.test("compression: a message is refused that does not fit, ends early or has bad names", () => {
  const compressor = new Compressor();
  const out = new Uint8Array(65_536);
  const good = message("www.example.org", [{
    owner: "www.example.org",
    type: 15,
    data: [0, 1, 0],
  }]);
  for (let length = 0; length < good.length; length++) {
    assert.equal(compressor.compress(good.subarray(0, length), 1, out), false, `${length}`);
  }
  assert.ok(compressor.compress(good, 1, out));
  assert.equal(compressor.compress(good, 2, out), false);
  // Names that must stand in full, each a pointer to a long one.
  const long = "x".repeat(63);
  const rows: Row[] = Array.from(
    { length: 2000 },
    () => ({ owner: to(12), type: 39, data: to(12) }),
  );
  assert.equal(compressor.compress(message(`${long}.${long}`, rows), 2000, out), false);
  for (const owner of [to(4), to(33), to(35), to(0x3fff), [64, 1]]) {
    const bad = message("www.example.org", [{ owner }]);
    assert.equal(compressor.compress(bad, 1, out), false, `${owner}`);
  }
});

const deep = (first: string) => `${first}.${Array(118).fill("a").join(".")}.test`;
const numbered = (i: number) => `${i}`.padStart(4, "0");

/** Labels of one text and size whose hashes collide in whatever follows them. */
function colliding(count: number): string[] {
  const hash = (text: string) => {
    let state = Math.imul(0x811c9dc5, 0x01000193);
    for (const octet of [text.length, ...labelsOf(text)[0]!]) {
      state = Math.imul(state ^ octet, 0x01000193);
    }
    return (state ^ (state >>> 15)) & 2047;
  };
  const found: string[] = [];
  for (let i = 0; found.length < count; i++) {
    const text = i.toString(36).padStart(6, "0");
    if (hash(text) === 7) found.push(text);
  }
  return found;
}

/** Where the first record begins, and its data, if its owner is "a" and the question is usual. */
const RECORDS_AT = 33;
const DATA_AT = RECORDS_AT + 3 + 10;

/** A record with a chain of pointers in its data, from the question's name on. */
const chain = (length: number): Row => ({
  owner: "a",
  type: 65280,
  data: Array.from({ length }, (_, i) => to(i === 0 ? 12 : DATA_AT + 2 * (i - 1))).flat(),
});
const chainEnd = to(DATA_AT + 2 * 124);

const HOSTILE: { title: string; qname?: string; rows: Row[] }[] = [
  {
    title: "4,096 short names, all different",
    rows: Array.from({ length: 4096 }, (_, i) => ({
      owner: (i + 36 ** 2).toString(36),
      type: 65280,
      data: [],
    })),
  },
  {
    title: "4,000 long names that differ in their first label",
    qname: deep("b"),
    rows: Array.from({ length: 4000 }, (_, i) => ({
      owner: [3, 97, 1 + (i >> 8), i & 255, ...to(12)],
      type: 65280,
      data: [],
    })),
  },
  {
    title: "long names, all different",
    rows: Array.from({ length: 240 }, (_, i) => ({ owner: deep(numbered(i)) })),
  },
  {
    title: "long names that differ in their last label",
    rows: Array.from({ length: 240 }, (_, i) => ({ owner: `${deep("b")}${numbered(i)}` })),
  },
  {
    title: "4,000 pointers to a long name beyond the question",
    rows: [
      { owner: deep("b"), type: 65280, data: [] },
      ...Array.from({ length: 4000 }, () => ({ owner: to(RECORDS_AT), type: 65280, data: [] })),
    ],
  },
  {
    title: "owners of 125 pointers",
    rows: [
      chain(125),
      ...Array.from({ length: 3900 }, () => ({ owner: chainEnd, type: 65280, data: [] })),
    ],
  },
  {
    title: "names that must stand in full, of 125 pointers",
    rows: [
      chain(125),
      ...Array.from({ length: 3900 }, () => ({ owner: to(12), type: 39, data: chainEnd })),
    ],
  },
];

for (const { title, qname = "www.example.org", rows } of HOSTILE) {
  Deno.test(`cost of compression: ${title}`, () => {
    const bytes = message(qname, rows);
    assert.ok(bytes.length <= 65_535, `${bytes.length} octets`);
    const compressor = new Compressor();
    const out = new Uint8Array(65_536);
    const usable = compressor.compress(bytes, rows.length, out);
    const bound = READS_PER_OCTET * bytes.length + FREE_READS + 65_535 + 1024;
    assert.ok(compressor.octetsRead <= bound, `${compressor.octetsRead} octets read`);
    if (!usable) return;
    const written = out.slice(0, compressor.length);
    assert.ok(compressor.length <= bytes.length);
    assert.deepEqual(readMessage(written).sections, readMessage(bytes).sections);
  });
}

Deno.test("cost of compression: few are remembered of labels whose hashes collide", () => {
  const labels = colliding(200);
  const bytes = message("www.example.org", [...labels, ...labels].map((owner) => ({ owner })));
  const compressor = new Compressor();
  const out = compress(compressor, bytes, 400);
  // Sixteen labels of six letters, each of which becomes a pointer once.
  assert.equal(bytes.length - out.length, 16 * 6);
  assert.ok(compressor.octetsRead < 5 * bytes.length, `${compressor.octetsRead} octets read`);
});

Deno.test("cost of compression: one read of each label for names that are compressed already", () => {
  const rows = Array.from({ length: 4000 }, () => ({ owner: to(12) }));
  const compressor = new Compressor();
  const bytes = message(deep("b"), rows);
  assert.deepEqual(compress(compressor, bytes, rows.length), bytes);
  assert.ok(compressor.octetsRead < 3 * rows.length + 500, `${compressor.octetsRead}`);
});
