import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as codec from "dns-packet";
import { Compressor } from "../../src/dns/compress.ts";
import { MAX_POINTERS } from "../../src/dns/names/name_reader.ts";
import { ResponseScanner } from "../../src/dns/response_scan.ts";
import {
  name,
  pointer,
  record as typedRecord,
  response,
  viewOf,
} from "../support/messages/wire.ts";

/** The question is at 12 (its labels at 12, 16, 24); records start at 33. */
const QUESTION = [...name("www.example.org"), 0, 1, 0, 1];
const RECORDS_AT = 12 + QUESTION.length;
const OPAQUE = 65280;
const QNAME = pointer(12);
const DATA_AT = RECORDS_AT + 2 + 10;

const record = (owner: number[], data: number[] = [], type = OPAQUE) =>
  typedRecord(owner, type, data);
const labels = (count: number) => Array(count).fill([1, 97]).flat() as number[];
const chain = (length: number) =>
  Array.from({ length }, (_, i) => pointer(i === 0 ? 12 : DATA_AT + 2 * (i - 1))).flat();
/** A name whose end is read first; it has `count` labels more. */
const overKnownEnd = (count: number) => [
  record(QNAME, [...labels(59), ...pointer(12), ...labels(count), ...pointer(DATA_AT)]),
  record(pointer(DATA_AT)),
  record(pointer(DATA_AT + 120)),
];

type Case = [title: string, records: number[][], question?: number[]];

const GOOD: Case[] = [
  ["the qname", [record(QNAME)]],
  ["a name behind the qname", [record([1, 97, ...pointer(16)])]],
  ["the root of the question", [record(pointer(28))]],
  ["a name in opaque data", [record(QNAME, name("a.example")), record(pointer(DATA_AT))]],
  ["a pointer to a pointer", [record(QNAME), record(pointer(RECORDS_AT))]],
  [
    "a name that ends where the name that points at it begins",
    [record(QNAME, [...name("a"), ...pointer(DATA_AT)], 14)],
  ],
  ["127 labels", [record([...labels(127), 0])]],
  ["255 octets over two chunks", [record([...labels(119), ...pointer(12)])]],
  ["255 octets with a known end", overKnownEnd(60)],
  [
    "the maximum number of pointers",
    [
      record(QNAME, chain(MAX_POINTERS - 1)),
      record(pointer(DATA_AT + 2 * (MAX_POINTERS - 2))),
    ],
  ],
  ["opaque data that looks like a pointer", [record(QNAME, [0xc0, 0xff, 0xff])]],
  ["TXT without a string", [record(QNAME, [], 16)]],
];

const BAD: Case[] = [
  ["itself", [record(pointer(RECORDS_AT))]],
  ["its own label", [record([1, 97, ...pointer(RECORDS_AT)])]],
  ["forward", [record(pointer(DATA_AT)), record(QNAME)]],
  ["the header", [record(pointer(4))]],
  ["the middle of a label of the question", [record(pointer(13))]],
  [
    "a label of the question that is a pointer in upper case only",
    [record(pointer(13))],
    [2, 0xc0, 0x41, ...name("x".repeat(60) + ".example.org"), 0, 1, 0, 1],
  ],
  ["the type of the question", [record(pointer(29))]],
  ["the TTL of the previous record", [record(QNAME), record(pointer(RECORDS_AT + 2 + 4))]],
  // The data's length, two octets, begins with the root.
  ["the fields of its own record", [record(QNAME, pointer(RECORDS_AT + 2 + 8), 5)]],
  [
    "a label that covers the fields of the next record",
    [record(QNAME, [11 + 2]), record(QNAME, [0]), record(pointer(DATA_AT))],
  ],
  [
    "a name that runs into the name that points at it",
    [
      record(QNAME, [0, 4, 97, 97, ...pointer(DATA_AT + 1), 97, 0]),
      record(QNAME),
      record(pointer(DATA_AT + 4)),
    ],
  ],
  [
    // At 0: a label of three and the root. At 2: a label over that root, and a pointer to 0.
    "a chunk that ends within the chunk that points at it",
    [record(QNAME, [3, 97, 2, 97, 0, ...pointer(DATA_AT)]), record(pointer(DATA_AT + 2))],
  ],
  [
    "a name that runs into the name that points at it, with a known end",
    [
      record(QNAME, [3, 97, 2, 97, 0, ...pointer(DATA_AT)]),
      record(pointer(DATA_AT)),
      record(pointer(DATA_AT + 2)),
    ],
  ],
  [
    "a known label that is valid alone, but not after the preceding labels",
    [
      // At 8: a pointer to 2, with a name that ends at 5. At 0: a label of 7, followed by 8.
      record(QNAME, [7, 97, 1, 97, 0, 97, 97, 97, ...pointer(DATA_AT + 2)]),
      record(pointer(DATA_AT + 8)),
      record(pointer(DATA_AT)),
    ],
  ],
  ["128 labels", [record([...labels(128), 0])]],
  ["257 octets over two chunks", [record([...labels(120), ...pointer(12)])]],
  ["257 octets with a known end", overKnownEnd(61)],
  [
    "one pointer too many",
    [record(QNAME, chain(MAX_POINTERS)), record(pointer(DATA_AT + 2 * (MAX_POINTERS - 1)))],
  ],
  [
    "one pointer too many, in a known chain",
    [
      record(QNAME, chain(MAX_POINTERS + 4)),
      record(pointer(DATA_AT + 2 * (MAX_POINTERS - 2))),
      record(pointer(DATA_AT + 2 * (MAX_POINTERS + 3))),
    ],
  ],
  ["an unknown kind of label", [record([0x41, 97, 0])]],
  ["a pointer that is cut off", [record(QNAME), [0xc0]]],
  ["OPT among the answers", [record([0], [], 41)]],
  ["TXT with a string beyond its end", [record(QNAME, [2, 97], 16)]],
  ["NAPTR with a string beyond its end", [record(QNAME, [0, 1, 0, 1, 0, 0, 9, 97, 0], 35)]],
  ["a bitmap of types that is cut off", [record(QNAME, [...name("a.example"), 0, 2, 64], 47)]],
];

const scans = (bytes: Uint8Array, scanner = new ResponseScanner()) =>
  scanner.scan(bytes, viewOf(bytes), 0, bytes.length);

for (const [title, records, question = QUESTION] of GOOD) {
  Deno.test(`names in replies, valid: ${title}`, () => {
    const bytes = response(question, records);
    assert.ok(scans(bytes));
    codec.decode(Buffer.from(bytes));
    const out = new Uint8Array(65_536);
    const stripper = new Compressor();
    assert.ok(stripper.strip(bytes, records.length, out));
    codec.decode(Buffer.from(out.subarray(0, stripper.length)));
  });
}

for (const [title, records, question = QUESTION] of BAD) {
  Deno.test(`names in replies, invalid: ${title}`, () => {
    assert.ok(!scans(response(question, records)));
  });
}

Deno.test("names in replies: earlier messages have no influence", () => {
  const far = (octet: number) =>
    response(QUESTION, [
      record(QNAME, [...Array(200).fill(0), octet, 97, 0]),
      record(pointer(DATA_AT + 200)),
    ]);
  const short = response(QUESTION, [record(pointer(16))]);
  for (const count of [0, 1, 2, 600]) {
    const scanner = new ResponseScanner();
    assert.ok(scans(far(1), scanner));
    for (let i = 0; i < count; i++) assert.ok(scans(short, scanner));
    assert.ok(!scans(far(0x41), scanner), `${count} messages between`);
  }
});

Deno.test("names in replies: the stripper terminates for any input", () => {
  const out = new Uint8Array(65_536);
  const stripper = new Compressor();
  for (const [title, records, question = QUESTION] of [...GOOD, ...BAD]) {
    const bytes = response(question, records);
    for (let count = 0; count < 2 * records.length; count++) {
      const done = stripper.strip(bytes, count, out);
      assert.ok(!done || count <= records.length, title);
      assert.ok(stripper.octetsRead < 2000, `${title}: ${stripper.octetsRead} octets read`);
    }
  }
  // A TTL written over a valid name made it a pointer to itself.
  const looping = response(QUESTION, [record(QNAME), record(pointer(RECORDS_AT + 12))]);
  assert.equal(stripper.strip(looping, 2, out), false);
});
