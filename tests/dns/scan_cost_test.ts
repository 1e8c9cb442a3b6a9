import assert from "node:assert/strict";
import { Compressor } from "../../src/dns/compress.ts";
import { FREE_READS, READS_PER_OCTET } from "../../src/dns/names/name_reader.ts";
import { KIND, ResponseScanner } from "../../src/dns/response_scan.ts";
import { name, pointer, record } from "../support/messages/wire.ts";

class Message {
  readonly bytes = new Uint8Array(65_535);
  at = 12;
  records = 0;

  constructor(qname: string) {
    this.bytes.set([0, 1, 0x81, 0x80, 0, 1]);
    this.put([...name(qname), 0, 1, 0, 1]);
  }

  put(octets: number[]): void {
    this.bytes.set(octets, this.at);
    this.at += octets.length;
  }

  answer(owner: number[], type: number, data: number[]): boolean {
    if (this.at + owner.length + 10 + data.length > this.bytes.length) return false;
    this.put(record(owner, type, data, 3600));
    this.records++;
    this.bytes.set([this.records >> 8, this.records & 255], 6);
    return this.records < 4096;
  }

  dataAt(ownerSize: number): number {
    return this.at + ownerSize + 10;
  }
}

const deep = (first: string) => `${first}.${Array(118).fill("a").join(".")}.evil.test`;

/** Aliases of long names, and as many addresses at their end as fit. */
function aliasesAndAddresses(compressed: boolean): Message {
  const message = new Message("x1.evil.test");
  let owner = pointer(12);
  for (const first of "bcdefghi") {
    const next = message.dataAt(owner.length);
    message.answer(owner, 5, name(deep(first)));
    owner = compressed ? pointer(next) : name(deep(first));
  }
  while (message.answer(owner, 1, [10, 0, 0, message.records & 255]));
  return message;
}

/**
 * Aliases of uncompressed names that differ in their second last label, and addresses of `owner`.
 */
function chainOfLongNames(aliases: number, owner = aliases - 1): Message {
  const message = new Message(deep("b"));
  const of = (i: number) => name(deep("b").replace(/evil/, `e${100 + i}`));
  for (let i = 0; i < aliases; i++) message.answer(i === 0 ? pointer(12) : of(i - 1), 5, of(i));
  while (message.at < 48 * 1024 && message.answer(of(owner), 1, [10, 0, 0, 1]));
  return message;
}

/** A chain of pointers in opaque data, and owners that begin at its far end. */
function pointerChain(length: number): Message {
  const message = new Message("www.example.org");
  const at = message.dataAt(2);
  const chain = Array.from({ length }, (_, i) => pointer(i === 0 ? 12 : at + 2 * (i - 1)));
  message.answer(pointer(12), 65280, chain.flat());
  while (message.answer(pointer(at + 2 * (length - 1)), 1, [10, 0, 0, 1]));
  return message;
}

/** Labels in opaque data, and owners that begin at each octet of it. */
function everyOctet(): Message {
  const message = new Message("www.example.org");
  const at = message.dataAt(2);
  message.answer(pointer(12), 65280, [...Array(8000).fill([1, 1]).flat(), 0, 0]);
  for (let i = 0; message.answer(pointer(at + 16_000 - (i * 7) % 250), 1, [10, 0, 0, 1]); i++);
  return message;
}

/** Addresses whose owners differ from the end of the chain only in their last labels. */
function nearlyTheSame(): Message {
  const message = new Message(deep("b"));
  const at = message.dataAt(2);
  message.answer(pointer(12), 65280, name(deep("b").replace("evil", "good")));
  while (message.answer(pointer(at), 1, [10, 0, 0, 1]));
  return message;
}

/** Name servers of a zone with a deep name, compressed as well as possible. */
function honestDelegation(): Message {
  const message = new Message(deep("b"));
  for (let i = 0; message.answer(pointer(12 + 2 * (i % 100)), 2, [1, 97, ...pointer(12)]); i++);
  return message;
}

const CASES: [title: string, Message, { usable: boolean; kind?: number; most?: number }][] = [
  [
    "8 aliases of 120 labels, 3,890 addresses, compressed",
    aliasesAndAddresses(true),
    { usable: true, kind: KIND.SUCCESS },
  ],
  [
    "8 aliases of 120 labels, addresses, in full",
    aliasesAndAddresses(false),
    { usable: true, kind: KIND.SUCCESS },
  ],
  [
    "48 KiB of names that differ at their ends, 32 aliases",
    chainOfLongNames(32),
    { usable: true, kind: KIND.SUCCESS },
  ],
  [
    "names that differ at their ends, 32 aliases, and addresses of a name within the chain",
    chainOfLongNames(32, 99),
    { usable: true, kind: KIND.OTHER, most: 3 },
  ],
  ["48 KiB of names that differ at their ends, 60 aliases", chainOfLongNames(60), {
    usable: true,
    kind: KIND.FAILURE,
  }],
  ["125 pointers to every owner", pointerChain(125), { usable: true }],
  ["126 pointers to every owner", pointerChain(126), { usable: false }],
  ["8,000 pointers", pointerChain(8000), { usable: false }],
  ["owners that nearly match", nearlyTheSame(), { usable: false, most: 5 }],
  ["names that begin at every octet", everyOctet(), { usable: true }],
  ["3,600 name servers of a deep zone", honestDelegation(), { usable: true }],
];

for (const [title, { bytes, at: length, records }, { usable, kind, most = 2 }] of CASES) {
  Deno.test(`cost of a scan: ${title}`, () => {
    const scanner = new ResponseScanner();
    assert.equal(scanner.scan(bytes, new DataView(bytes.buffer), 0, length), usable);
    if (kind !== undefined) assert.equal(scanner.kind, kind);
    const { octetsRead } = scanner;
    assert.ok(octetsRead <= most * length, `${octetsRead} octets read of ${length}`);

    const stripper = new Compressor();
    stripper.strip(bytes.subarray(0, length), records, new Uint8Array(65_536));
    const bound = READS_PER_OCTET * length + FREE_READS + 65_535 + 1024;
    assert.ok(stripper.octetsRead <= bound, `${stripper.octetsRead} octets read to strip`);
  });
}

Deno.test("cost of a scan: pointers to the qname are free", () => {
  const message = new Message("www.example.org");
  while (message.answer(pointer(12), 1, [10, 0, 0, 1]));
  const scanner = new ResponseScanner();
  assert.ok(scanner.scan(message.bytes, new DataView(message.bytes.buffer), 0, message.at));
  assert.ok(scanner.octetsRead < 20, `${scanner.octetsRead}`);
});
