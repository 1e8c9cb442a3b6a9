import assert from "node:assert/strict";
import { Compressor } from "../../src/dns/compress.ts";
import { FREE_READS, READS_PER_OCTET } from "../../src/dns/names/name_reader.ts";
import { ResponseScanner } from "../../src/dns/response_scan.ts";
import { assertCompressed } from "../support/messages/compressed.ts";
import { name, pointer, record, response, viewOf } from "../support/messages/wire.ts";
import { assertParses, readMessage } from "../support/messages/wire_model.ts";

const HEADLESS = "my-headless-service.my-namespace.svc.cluster.local";

const zeros = (count: number): number[] => Array(count).fill(0);

type Row = [owner: string | number[], type?: number, data?: number[]];

function message(qname: string, rows: readonly Row[]): Uint8Array {
  return response(
    [...name(qname), 0, 1, 0, 1],
    rows.map(([owner, type = 1, data = [192, 0, 2, 1]]) =>
      record(typeof owner === "string" ? name(owner) : owner, type, data, 30)
    ),
  );
}

function compress(compressor: Compressor, bytes: Uint8Array, records: number): Uint8Array {
  const out = new Uint8Array(65_536);
  assert.ok(compressor.compress(bytes, records, out));
  return out.slice(0, compressor.length);
}

const times = (count: number, row: Row): Row[] => Array(count).fill(row);

const CASES: [title: string, qname: string, rows: Row[], savedOctets: number][] = [
  [
    "twenty addresses of a headless Service",
    HEADLESS,
    times(20, [HEADLESS]),
    20 * (HEADLESS.length + 2 - 2),
  ],
  ["the question in another case", "www.example.org", [["WWW.eXample.ORG"]], 15],
  [
    "names that are compressed already",
    "www.example.org",
    [[pointer(12), 5, [1, 97, ...pointer(16)]], [pointer(45)]],
    0,
  ],
  [
    "a pointer to a pointer to the question",
    "www.example.org",
    [[pointer(12)], [pointer(33)]],
    0,
  ],
  [
    "aliases of names that end like the question",
    "www.example.org",
    [
      ["www.example.org", 5, name("a.cdn.example.org")],
      ["a.cdn.example.org", 5, name("b.cdn.example.org")],
      ["b.cdn.example.org"],
    ],
    15 + 17 + 17 + (19 - 8) + (19 - 4),
  ],
  [
    "a denial's SOA",
    "nothing.example.org",
    [["example.org", 6, [
      ...name("ns1.example.org"),
      ...name("admin.example.org"),
      ...zeros(20),
    ]]],
    11 + 11 + 11,
  ],
  ["names whose last label alone is known", "a.test", [["b.test"], ["test"], [""]], 4 + 4],
  ["the root", "", [[""], ["a"], ["a"]], 1],
  [
    "targets of SRV in full, and their owners not by them",
    "_http._tcp.example.org",
    [
      ["_http._tcp.example.org", 33, [...zeros(6), ...name("p1.other.test")]],
      ["_http._tcp.example.org", 33, [...zeros(6), ...name("p2.other.test")]],
      ["p1.other.test"],
      ["p2.other.test"],
    ],
    // The first address has its owner in full, so that the second can point to its end.
    22 + 22 + 10,
  ],
  [
    "targets of SRV that were compressed, and an owner that pointed at one",
    "_http._tcp.example.org",
    [[pointer(12), 33, [...zeros(6), 2, 112, 49, ...pointer(23)]], [pointer(58)]],
    -(11 + 3),
  ],
  ...([
    ...[2, 3, 4, 5, 7, 8, 9, 12].map((type) => [type, name("n.example.org"), 11 + 13]),
    [15, [0, 10, ...name("mx.example.org")], 11 + 14],
    [14, [...name("a.example.org"), ...name("example.org")], 11 + 11 + 13 + 11],
    // Later types keep their data: RP, AFSDB, NAPTR, KX, DNAME, RRSIG, NSEC, SVCB, unknown.
    [17, [...name("a.example.org"), ...name("example.org")], 0],
    [18, [0, 1, ...name("a.example.org")], 0],
    [35, [...zeros(7), ...name("a.example.org")], 0],
    [36, [0, 1, ...name("a.example.org")], 0],
    [39, name("a.example.org"), 0],
    [46, [...zeros(18), ...name("example.org"), 1, 2, 3], 0],
    [47, [...name("a.example.org"), 0, 1, 64], 0],
    [64, [0, 1, ...name("a.example.org")], 0],
    [65280, name("a.example.org"), 0],
  ] as [number, number[], number][]).map(([type, data, saved]): typeof CASES[number] => [
    `data of type ${type}`,
    "example.org",
    times(2, ["example.org", type, data]),
    11 + 11 + saved,
  ]),
  [
    "names beyond what a pointer reaches",
    "example.org",
    [[pointer(12), 65280, zeros(0x4000)], ["far.test"], ["far.test"]],
    0,
  ],
  [
    "a name that begins within reach and ends beyond",
    "example.org",
    [
      [pointer(12), 65280, zeros(0x4000 - 29 - 12 - 4)],
      ...[["far.test"], ["far.test"], ["a.far.test"]] as Row[],
    ],
    0,
  ],
];

for (const [title, qname, rows, saved] of CASES) {
  Deno.test(`compression: ${title}`, () => {
    const bytes = message(qname, rows);
    const compressor = new Compressor();
    const out = compress(compressor, bytes, rows.length);
    assert.equal(bytes.length - out.length, saved);
    assertParses(out);
    assert.deepEqual(readMessage(out).sections, readMessage(bytes).sections);
    assertCompressed(out);
    const scanner = new ResponseScanner();
    assert.ok(scanner.scan(out, viewOf(out), 0, out.length));
    const { ttls, ttlCount } = compressor;
    assert.deepEqual(ttls.slice(0, ttlCount), scanner.ttls.slice(0, scanner.ttlCount));
    assert.deepEqual(compress(compressor, out, rows.length), out);
  });
}

Deno.test("compression: the question keeps its case, and owners get the same", () => {
  const out = compress(new Compressor(), message("wWw.example.org", [["www.example.org"]]), 1);
  assert.deepEqual([...out.subarray(12, 29)], name("wWw.example.org"));
  assert.deepEqual([...out.subarray(33, 35)], pointer(12));
});

Deno.test("compression: uncompressed names keep their own case", () => {
  const data = [...zeros(6), 1, 65, ...pointer(16)];
  const bytes = message("wwW.eXample.org", [[pointer(12), 33, data]]);
  const out = compress(new Compressor(), bytes, 1);
  assert.deepEqual([...out.subarray(-15)], [1, 65, ...name("example.org")]);
});

Deno.test("compression: earlier messages have no influence", () => {
  const compressor = new Compressor();
  const other = message("www.other.test", [["a.other.test"], ["a.other.test"]]);
  const own = message("example.org", [["a.other.test"], ["a.other.test"]]);
  const wanted = compress(new Compressor(), own, 2);
  for (let count = 0; count < 3; count++) {
    compress(compressor, other, 2);
    assert.deepEqual(compress(compressor, own, 2), wanted);
  }
});

Deno.test("compression: a message that does not fit, ends early or has bad names is refused", () => {
  const compressor = new Compressor();
  const out = new Uint8Array(65_536);
  const good = message("www.example.org", [["www.example.org", 15, [0, 1, 0]]]);
  for (let length = 0; length < good.length; length++) {
    assert.equal(compressor.compress(good.subarray(0, length), 1, out), false, `${length}`);
  }
  assert.ok(compressor.compress(good, 1, out));
  assert.equal(compressor.compress(good, 2, out), false);
  const long = "x".repeat(63);
  const rows = times(2000, [pointer(12), 39, pointer(12)]);
  assert.equal(compressor.compress(message(`${long}.${long}`, rows), 2000, out), false);
  for (const owner of [pointer(4), pointer(33), pointer(35), pointer(0x3fff), [64, 1]]) {
    const bad = message("www.example.org", [[owner]]);
    assert.equal(compressor.compress(bad, 1, out), false, `${owner}`);
  }
});

const deep = (first: string) => `${first}.${Array(118).fill("a").join(".")}.test`;
const numbered = (i: number) => `${i}`.padStart(4, "0");

/** Labels of six letters whose hashes collide, whatever follows. */
function colliding(count: number): string[] {
  const hash = (text: string) => {
    let state = Math.imul(0x811c9dc5, 0x01000193);
    for (const octet of name(text).slice(0, -1)) {
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

/** Position of the first record, and of its data if its owner is "a". */
const RECORDS_AT = 33;
const DATA_AT = RECORDS_AT + 3 + 10;

/** 125 pointers in a record's data, each to the previous one, the first to the question. */
const CHAIN: Row = [
  "a",
  65280,
  Array.from({ length: 125 }, (_, i) => pointer(i === 0 ? 12 : DATA_AT + 2 * (i - 1))).flat(),
];
const CHAIN_END = pointer(DATA_AT + 2 * 124);

const HOSTILE: [title: string, rows: Row[], qname?: string][] = [
  [
    "4,096 different short names",
    Array.from({ length: 4096 }, (_, i) => [(i + 36 ** 2).toString(36), 65280, []]),
  ],
  [
    "4,000 long names that differ in their first label",
    Array.from(
      { length: 4000 },
      (_, i) => [[3, 97, 1 + (i >> 8), i & 255, ...pointer(12)], 65280, []],
    ),
    deep("b"),
  ],
  ["different long names", Array.from({ length: 240 }, (_, i) => [deep(numbered(i))])],
  [
    "long names that differ in their last label",
    Array.from({ length: 240 }, (_, i) => [`${deep("b")}${numbered(i)}`]),
  ],
  [
    "4,000 pointers to a long name beyond the question",
    [[deep("b"), 65280, []], ...times(4000, [pointer(RECORDS_AT), 65280, []])],
  ],
  ["owners of 125 pointers", [CHAIN, ...times(3900, [CHAIN_END, 65280, []])]],
  [
    "names that must be in full, of 125 pointers",
    [CHAIN, ...times(3900, [pointer(12), 39, CHAIN_END])],
  ],
];

for (const [title, rows, qname = "www.example.org"] of HOSTILE) {
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

Deno.test("cost of compression: few labels with colliding hashes are stored", () => {
  const labels = colliding(200);
  const bytes = message("www.example.org", [...labels, ...labels].map((owner): Row => [owner]));
  const compressor = new Compressor();
  const out = compress(compressor, bytes, 400);
  assert.equal(bytes.length - out.length, 16 * 6);
  assert.ok(compressor.octetsRead < 5 * bytes.length, `${compressor.octetsRead} octets read`);
});

Deno.test("cost of compression: labels of already compressed names are read once", () => {
  const rows = times(4000, [pointer(12)]);
  const compressor = new Compressor();
  const bytes = message(deep("b"), rows);
  assert.deepEqual(compress(compressor, bytes, rows.length), bytes);
  assert.ok(compressor.octetsRead < 3 * rows.length + 500, `${compressor.octetsRead}`);
});
