import assert from "node:assert/strict";
import { Compressor } from "../../src/dns/compress.ts";
import { FREE_READS, READS_PER_OCTET } from "../../src/dns/names/name_reader.ts";
import { KIND, ResponseScanner } from "../../src/dns/response_scan.ts";

/** Octets read for the names of a message, for each of its octets, that these may cost. */
const MOST = 2;

class Message {
  readonly bytes = new Uint8Array(65_535);
  at = 12;
  records = 0;

  constructor(qname: string, type = 1) {
    this.bytes.set([0, 1, 0x81, 0x80, 0, 1]);
    this.put(name(qname), [0, type, 0, 1]);
  }

  put(...parts: number[][]): void {
    for (const part of parts) {
      this.bytes.set(part, this.at);
      this.at += part.length;
    }
  }

  /** Adds an answer where there is room for it. */
  answer(owner: number[], type: number, data: number[]): boolean {
    if (this.at + owner.length + 10 + data.length > this.bytes.length) return false;
    this.put(owner, [type >> 8, type & 255, 0, 1, 0, 0, 14, 16]);
    this.put([data.length >> 8, data.length & 255], data);
    this.records++;
    this.bytes.set([this.records >> 8, this.records & 255], 6);
    return this.records < 4096;
  }

  /** Offset of the data of the record that comes next, behind an owner of this size. */
  dataAt(ownerSize: number): number {
    return this.at + ownerSize + 10;
  }
}

const name = (text: string): number[] => [
  ...text.split(".").flatMap((label) => [label.length, ...[...label].map((c) => c.charCodeAt(0))]),
  0,
];
const to = (offset: number): number[] => [0xc0 | (offset >> 8), offset & 255];
const deep = (first: string) => `${first}.${Array(118).fill("a").join(".")}.evil.test`;

/** Aliases of long names, and addresses at the end of them as long as there is room. */
function aliasesAndAddresses(compressed: boolean): Message {
  const message = new Message("x1.evil.test");
  let owner = to(12);
  for (let i = 0; i < 8; i++) {
    const next = message.dataAt(owner.length);
    message.answer(owner, 5, name(deep(String.fromCharCode(98 + i))));
    owner = compressed ? to(next) : name(deep(String.fromCharCode(98 + i)));
  }
  while (message.answer(owner, 1, [10, 0, 0, message.records & 255]));
  return message;
}

/** Aliases of names that differ in their last but one label, in full, and addresses of `owner`. */
function chainOfLongNames(aliases: number, owner = aliases - 1): Message {
  const message = new Message(deep("b"));
  const of = (i: number) => name(deep("b").replace(/evil/, `e${100 + i}`));
  for (let i = 0; i < aliases; i++) {
    message.answer(i === 0 ? to(12) : of(i - 1), 5, of(i));
  }
  while (message.at < 48 * 1024 && message.answer(of(owner), 1, [10, 0, 0, 1]));
  return message;
}

/** A chain of pointers in opaque data, and as many owners as fit that begin at its far end. */
function pointerChain(length: number): Message {
  const message = new Message("www.example.org");
  const at = message.dataAt(2);
  message.answer(
    to(12),
    65280,
    Array.from({ length }, (_, i) => to(i === 0 ? 12 : at + 2 * (i - 1))).flat(),
  );
  while (message.answer(to(at + 2 * (length - 1)), 1, [10, 0, 0, 1]));
  return message;
}

/** Labels in opaque data, each octet of which may begin a name, and owners that begin at each. */
function everyOctet(): Message {
  const message = new Message("www.example.org");
  const at = message.dataAt(2);
  message.answer(to(12), 65280, [...Array(8000).fill([1, 1]).flat(), 0, 0]);
  for (let i = 0; message.answer(to(at + 16_000 - (i * 7) % 250), 1, [10, 0, 0, 1]); i++);
  return message;
}

/** Addresses whose owners differ from the end of the chain only where they end themselves. */
function nearlyTheSame(): Message {
  const message = new Message(deep("b"));
  const at = message.dataAt(2);
  message.answer(to(12), 65280, name(deep("b").replace("evil", "good")));
  while (message.answer(to(at), 1, [10, 0, 0, 1]));
  return message;
}

/** Name servers of a zone with a deep name, compressed as well as can be. */
function honestDelegation(): Message {
  const message = new Message(deep("b"));
  for (let i = 0; message.answer(to(12 + 2 * (i % 100)), 2, [1, 97, ...to(12)]); i++);
  return message;
}

const CASES: { title: string; message: Message; usable: boolean; kind?: number; most?: number }[] =
  [
    {
      title: "8 aliases of 120 labels, 3,890 addresses, compressed",
      message: aliasesAndAddresses(true),
      usable: true,
      kind: KIND.SUCCESS,
    },
    {
      title: "8 aliases of 120 labels, addresses, in full",
      message: aliasesAndAddresses(false),
      usable: true,
      kind: KIND.SUCCESS,
    },
    {
      title: "48 KiB of names that differ at their ends, 32 aliases",
      message: chainOfLongNames(32),
      usable: true,
      kind: KIND.SUCCESS,
    },
    {
      title: "the same, and addresses of a name that is not at the end of the chain",
      message: chainOfLongNames(32, 99),
      usable: true,
      kind: KIND.OTHER,
      most: 3,
    },
    {
      title: "the same, 60 aliases",
      message: chainOfLongNames(60),
      usable: true,
      kind: KIND.FAILURE,
    },
    { title: "125 pointers to every owner", message: pointerChain(125), usable: true },
    { title: "126 pointers to every owner", message: pointerChain(126), usable: false },
    { title: "8,000 pointers", message: pointerChain(8000), usable: false },
    { title: "owners that nearly match", message: nearlyTheSame(), usable: false, most: 5 },
    { title: "names that begin at every octet", message: everyOctet(), usable: true },
    { title: "3,600 name servers of a deep zone", message: honestDelegation(), usable: true },
  ];

for (const { title, message, usable, kind, most = MOST } of CASES) {
  Deno.test(`cost of a scan: ${title}`, () => {
    const { bytes, at: length } = message;
    const scanner = new ResponseScanner();
    const view = new DataView(bytes.buffer);
    assert.equal(scanner.scan(bytes, view, 0, length), usable);
    if (kind !== undefined) assert.equal(scanner.kind, kind);
    const { octetsRead } = scanner;
    assert.ok(octetsRead <= most * length, `${octetsRead} octets read of ${length}`);

    const stripper = new Compressor();
    stripper.strip(bytes.subarray(0, length), message.records, new Uint8Array(65_536));
    const bound = READS_PER_OCTET * length + FREE_READS + 65_535 + 1024;
    assert.ok(stripper.octetsRead <= bound, `${stripper.octetsRead} octets read to strip`);
  });
}

Deno.test("cost of a scan: nothing for names that are the qname, whatever their number", () => {
  const message = new Message("www.example.org");
  while (message.answer(to(12), 1, [10, 0, 0, 1]));
  const scanner = new ResponseScanner();
  assert.ok(scanner.scan(message.bytes, new DataView(message.bytes.buffer), 0, message.at));
  assert.ok(scanner.octetsRead < 20, `${scanner.octetsRead}`);
});
