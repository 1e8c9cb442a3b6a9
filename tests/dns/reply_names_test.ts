import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as codec from "dns-packet";
import { Compressor } from "../../src/dns/compress.ts";
import { MAX_POINTERS } from "../../src/dns/names/name_reader.ts";
import { ResponseScanner } from "../../src/dns/response_scan.ts";

/** Messages here: a header, the question at 12 (its labels at 12, 16, 24), records from 33 on. */
const QUESTION = [...name("www.example.org"), 0, 1, 0, 1];
const RECORDS_AT = 12 + QUESTION.length;
/** Octets of the fixed fields of a record. */
const FIELDS = 10;
const OPAQUE = 65280;

function name(text: string): number[] {
  return [...text.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]), 0];
}

function pointer(target: number): number[] {
  return [0xc0 | (target >> 8), target & 255];
}

function record(owner: number[], data: number[] = [], type = OPAQUE): number[] {
  return [...owner, type >> 8, type & 255, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 255]
    .concat(data);
}

function message(records: number[][], question = QUESTION): Uint8Array {
  const header = [0, 1, 0x81, 0x80, 0, 1, records.length >> 8, records.length & 255, 0, 0, 0, 0];
  return Uint8Array.from([...header, ...question, ...records.flat()]);
}

function scan(bytes: Uint8Array): ResponseScanner | null {
  const scanner = new ResponseScanner();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return scanner.scan(bytes, view, 0, bytes.length) ? scanner : null;
}

const QNAME = pointer(12);
/** Where the data of the first record begins, if its owner is the qname. */
const DATA_AT = RECORDS_AT + 2 + FIELDS;
const labels = (count: number) => Array(count).fill([1, 97]).flat() as number[];
const chain = (from: number, length: number) =>
  Array.from({ length }, (_, i) => pointer(i === 0 ? 12 : from + 2 * (i - 1))).flat();

const CASES: { title: string; good: boolean; records: number[][]; question?: number[] }[] = [
  { title: "the qname", good: true, records: [record(QNAME)] },
  { title: "a name behind the qname", good: true, records: [record([1, 97, ...pointer(16)])] },
  { title: "the root of the question", good: true, records: [record(pointer(28))] },
  {
    title: "a name in opaque data",
    good: true,
    records: [
      record(QNAME, name("a.example")),
      record(pointer(DATA_AT)),
    ],
  },
  {
    title: "a pointer to a pointer",
    good: true,
    records: [
      record(QNAME),
      record(pointer(RECORDS_AT)),
    ],
  },
  { title: "itself", good: false, records: [record(pointer(RECORDS_AT))] },
  { title: "its own label", good: false, records: [record([1, 97, ...pointer(RECORDS_AT)])] },
  {
    title: "forward",
    good: false,
    records: [
      record(pointer(RECORDS_AT + 2 + FIELDS)),
      record(QNAME),
    ],
  },
  { title: "the header", good: false, records: [record(pointer(4))] },
  { title: "the middle of a label of the question", good: false, records: [record(pointer(13))] },
  {
    title: "a label of the question that is a pointer in one case, another in the other",
    good: false,
    question: [2, 0xc0, 0x41, ...name("x".repeat(60) + ".example.org"), 0, 1, 0, 1],
    records: [record(pointer(13))],
  },
  { title: "the type of the question", good: false, records: [record(pointer(29))] },
  {
    title: "the TTL of a record before",
    good: false,
    records: [
      record(QNAME),
      record(pointer(RECORDS_AT + 2 + 4)),
    ],
  },
  {
    title: "the fields of its own record",
    good: false,
    records: [
      // The length of the data, two octets, begins with the root.
      record(QNAME, pointer(RECORDS_AT + 2 + 8), 5),
    ],
  },
  {
    title: "a label that covers the fields of the next record",
    good: false,
    records: [
      record(QNAME, [11 + 2]),
      record(QNAME, [0]),
      record(pointer(DATA_AT)),
    ],
  },
  {
    title: "a name that ends where the one that points at it begins",
    good: true,
    records: [
      record(QNAME, [...name("a"), ...pointer(DATA_AT)], 14),
    ],
  },
  {
    title: "a name that runs into the one that points at it",
    good: false,
    records: [
      record(QNAME, [0, 4, 97, 97, ...pointer(DATA_AT + 1), 97, 0], OPAQUE),
      record(QNAME),
      // Its chunk is a label over its own pointer.
      record(pointer(DATA_AT + 4)),
    ],
  },
  {
    // At 0: a label of three and the root. At 2: a label over that root, and a pointer to 0.
    title: "a chunk that ends within the one that points at it",
    good: false,
    records: [
      record(QNAME, [3, 97, 2, 97, 0, ...pointer(DATA_AT)]),
      record(pointer(DATA_AT + 2)),
    ],
  },
  {
    title: "the same, where its end is known already",
    good: false,
    records: [
      record(QNAME, [3, 97, 2, 97, 0, ...pointer(DATA_AT)]),
      record(pointer(DATA_AT)),
      record(pointer(DATA_AT + 2)),
    ],
  },
  {
    title: "a known label that is good alone, not behind what comes before it here",
    good: false,
    records: [
      // At 8: a pointer to 2, where a name ends at 5. At 0: a label of 7, then what lies at 8.
      record(QNAME, [7, 97, 1, 97, 0, 97, 97, 97, ...pointer(DATA_AT + 2)]),
      record(pointer(DATA_AT + 8)),
      record(pointer(DATA_AT)),
    ],
  },
  { title: "127 labels", good: true, records: [record([...labels(127), 0])] },
  { title: "128 labels", good: false, records: [record([...labels(128), 0])] },
  {
    title: "255 octets over two chunks",
    good: true,
    records: [
      record([...labels(119), ...pointer(12)]),
    ],
  },
  {
    title: "257 octets over two chunks",
    good: false,
    records: [
      record([...labels(120), ...pointer(12)]),
    ],
  },
  {
    title: "255 octets, of which the end is known",
    good: true,
    records: [
      record(QNAME, [...labels(59), ...pointer(12), ...labels(60), ...pointer(DATA_AT)]),
      record(pointer(DATA_AT)),
      record(pointer(DATA_AT + 120)),
    ],
  },
  {
    title: "257 octets, of which the end is known",
    good: false,
    records: [
      record(QNAME, [...labels(59), ...pointer(12), ...labels(61), ...pointer(DATA_AT)]),
      record(pointer(DATA_AT)),
      record(pointer(DATA_AT + 120)),
    ],
  },
  {
    title: "as many pointers as may be",
    good: true,
    records: [
      record(QNAME, chain(DATA_AT, MAX_POINTERS - 1)),
      record(pointer(DATA_AT + 2 * (MAX_POINTERS - 2))),
    ],
  },
  {
    title: "a pointer more",
    good: false,
    records: [
      record(QNAME, chain(DATA_AT, MAX_POINTERS)),
      record(pointer(DATA_AT + 2 * (MAX_POINTERS - 1))),
    ],
  },
  {
    title: "a pointer more, of a chain that is known",
    good: false,
    records: [
      record(QNAME, chain(DATA_AT, MAX_POINTERS + 4)),
      record(pointer(DATA_AT + 2 * (MAX_POINTERS - 2))),
      record(pointer(DATA_AT + 2 * (MAX_POINTERS + 3))),
    ],
  },
  { title: "a label of a kind that there is not", good: false, records: [record([0x41, 97, 0])] },
  { title: "a pointer that is cut off", good: false, records: [record(QNAME), [0xc0]] },
  {
    title: "opaque data that looks like a pointer",
    good: true,
    records: [
      record(QNAME, [0xc0, 0xff, 0xff]),
    ],
  },
  { title: "OPT among the answers", good: false, records: [record([0], [], 41)] },
  { title: "TXT without a string", good: true, records: [record(QNAME, [], 16)] },
  { title: "TXT that runs on", good: false, records: [record(QNAME, [2, 97], 16)] },
  {
    title: "NAPTR of which a string runs on",
    good: false,
    records: [
      record(QNAME, [0, 1, 0, 1, 0, 0, 9, 97, 0], 35),
    ],
  },
  {
    title: "a bitmap of types that is cut off",
    good: false,
    records: [
      record(QNAME, [...name("a.example"), 0, 2, 64], 47),
    ],
  },
];

for (const { title, good, records, question } of CASES) {
  Deno.test(`names in replies, ${good ? "good" : "bad"}: ${title}`, () => {
    const bytes = message(records, question);
    assert.equal(scan(bytes) !== null, good);
    if (!good) return;
    codec.decode(Buffer.from(bytes));
    const out = new Uint8Array(65_536);
    const stripper = new Compressor();
    assert.ok(stripper.strip(bytes, records.length, out));
    codec.decode(Buffer.from(out.subarray(0, stripper.length)));
  });
}

Deno.test("names in replies: nothing is left over from the messages before", () => {
  const far = (octet: number) =>
    message([record(QNAME, [...Array(200).fill(0), octet, 97, 0]), record(pointer(DATA_AT + 200))]);
  const view = (bytes: Uint8Array) => new DataView(bytes.buffer);
  const [before, between, after] = [far(1), message([record(pointer(16))]), far(0x41)];
  // What is remembered has nine bits to tell one message from another.
  for (let count = 0; count < 1100; count += count > 500 && count < 520 ? 1 : 10) {
    const scanner = new ResponseScanner();
    assert.ok(scanner.scan(before, view(before), 0, before.length));
    for (let i = 0; i < count; i++) {
      assert.ok(scanner.scan(between, view(between), 0, between.length));
    }
    assert.ok(!scanner.scan(after, view(after), 0, after.length), `${count} messages between`);
  }
});

Deno.test("the stripper comes to an end by itself, whatever it is given", () => {
  const out = new Uint8Array(65_536);
  const stripper = new Compressor();
  for (const { title, records, question } of CASES) {
    const bytes = message(records, question);
    for (let count = 0; count < 2 * records.length; count++) {
      const done = stripper.strip(bytes, count, out);
      assert.ok(!done || count <= records.length, title);
      assert.ok(stripper.octetsRead < 2000, `${title}: ${stripper.octetsRead} octets read`);
    }
  }
  // What a table of TTLs made of a name that had been good: a pointer to itself.
  const looping = message([record(QNAME), record(pointer(RECORDS_AT + 12))]);
  assert.equal(stripper.strip(looping, 2, out), false);
});
