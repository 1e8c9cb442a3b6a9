import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as codec from "dns-packet";
import { Compressor } from "../../src/dns/compress.ts";
import { isDnssecType } from "../../src/dns/constants.ts";
import { ResponseScanner } from "../../src/dns/response_scan.ts";
import { responseBytes } from "../support/messages/messages.ts";
import { name as nameOctets, pointer, record, response, viewOf } from "../support/messages/wire.ts";
import { seeded } from "../support/run/random.ts";
import { mutate } from "../fuzz/engine.ts";

const NUMBERS: Record<string, number> = { RRSIG: 46, NSEC: 47, DNSKEY: 48, DS: 43 };

function randomRecord(dice: () => number): codec.Answer {
  const owner = ["www.example.org", "example.org", "a.b.www.example.org", "other.example"];
  const name = owner[dice() % owner.length]!;
  const other = owner[dice() % owner.length]!;
  const base = { name, ttl: dice() % 1000, class: "IN" };
  const kinds: object[] = [
    { type: "A", data: "192.0.2.1" },
    { type: "CNAME", data: other },
    { type: "MX", data: { preference: 1, exchange: other } },
    { type: "SRV", data: { priority: 1, weight: 2, port: 3, target: other } },
    { type: "TXT", data: [Buffer.from("text")] },
    {
      type: "SOA",
      data: { mname: other, rname: name, serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 },
    },
    { type: "DS", data: { keyTag: 1, algorithm: 2, digestType: 3, digest: Buffer.alloc(20, 1) } },
    { type: "DNSKEY", data: { flags: 257, algorithm: 13, key: Buffer.alloc(32, 2) } },
    { type: "NSEC", data: { nextDomain: other, rrtypes: ["A", "MX"] } },
    {
      type: "RRSIG",
      data: {
        typeCovered: "A",
        algorithm: 13,
        labels: 2,
        originalTTL: 60,
        expiration: 2,
        inception: 1,
        keyTag: 7,
        signersName: other,
        signature: Buffer.alloc(30, 3),
      },
    },
  ];
  return { ...base, ...kinds[dice() % kinds.length]! } as codec.Answer;
}

/** Compresses the first owner if it ends like the question. */
function compress(bytes: Uint8Array): Uint8Array {
  const suffix = Buffer.from("\x07example\x03org\x00", "latin1");
  const buffer = Buffer.from(bytes);
  const questionEnd = buffer.indexOf(0, 12) + 5;
  const at = buffer.indexOf(suffix, questionEnd);
  if (at < 0 || at > questionEnd + 4) return bytes;
  return Uint8Array.from([
    ...buffer.subarray(0, at),
    ...pointer(12 + 4),
    ...buffer.subarray(at + suffix.length),
  ]);
}

const records = (
  message: codec.DecodedPacket,
) => [message.answers!, message.authorities!, message.additionals!];

Deno.test("stripping: all other records are unchanged, according to another codec", () => {
  const scanner = new ResponseScanner();
  const stripper = new Compressor();
  const out = new Uint8Array(65_536);
  let stripped = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const dice = seeded(seed);
    const type = ["A", "DS", "RRSIG", "MX"][dice() % 4] as codec.RecordType;
    const question = { name: "www.example.org", type, class: "IN" as const };
    const list = () => Array.from({ length: dice() % 4 }, () => randomRecord(dice));
    const plain = responseBytes({ id: seed, questions: [question] } as codec.DecodedPacket, {
      answers: list(),
      authorities: list(),
      edns: false,
    });
    const bytes = compress(plain);
    assert.ok(scanner.scan(bytes, viewOf(bytes), 0, bytes.length), `seed ${seed}`);
    const { length, ttlCount } = scanner;
    assert.ok(stripper.strip(bytes.subarray(0, length), ttlCount, out), `seed ${seed}`);
    const before = codec.decode(Buffer.from(bytes));
    const after = codec.decode(Buffer.from(out.slice(0, stripper.length)));
    const wanted = records(before).map((section) =>
      section.filter(({ type: t }) => t === type || !isDnssecType(NUMBERS[t] ?? 1))
    );
    assert.deepEqual(records(after), wanted, `seed ${seed}`);
    assert.deepEqual(after.questions, before.questions);
    stripped += records(before).flat().length - records(after).flat().length;
    assert.ok(scanner.scan(out, viewOf(out), 0, stripper.length));
    assert.deepEqual(
      [...scanner.ttls.subarray(0, scanner.ttlCount)],
      [...stripper.ttls.subarray(0, stripper.ttlCount)],
    );
  }
  assert.ok(stripped > 500, `${stripped} records`);
});

Deno.test("stripping: names that point into a stripped record are written in full", () => {
  // The signer is ns.example.org at 63; then 10 mail.ns.example.org.
  const signature = [...new Array(18).fill(0), 2, 110, 115, ...pointer(16)];
  const bytes = response([...nameOctets("www.example.org"), 0, 15, 0, 1], [
    record(pointer(12), 46, signature),
    record(pointer(12), 15, [0, 10, 4, 109, 97, 105, 108, ...pointer(63)]),
  ]);
  const scanner = new ResponseScanner();
  assert.ok(scanner.scan(bytes, viewOf(bytes), 0, bytes.length));
  const stripper = new Compressor();
  const out = new Uint8Array(65_536);
  assert.ok(stripper.strip(bytes, 2, out));
  const { answers } = codec.decode(Buffer.from(out.slice(0, stripper.length)));
  assert.deepEqual(answers!.map((record) => (record as { data: unknown }).data), [
    { preference: 10, exchange: "mail.ns.example.org" },
  ]);
});

Deno.test("stripping: damaged messages that pass a scan give valid messages without an exception", () => {
  const scanner = new ResponseScanner();
  const stripper = new Compressor();
  const out = new Uint8Array(65_536);
  let scanned = 0;
  for (let seed = 1; seed <= 4000; seed++) {
    const dice = seeded(seed);
    const question = { name: "www.example.org", type: "A" as const, class: "IN" as const };
    const whole = responseBytes({ id: seed, questions: [question] } as codec.DecodedPacket, {
      answers: Array.from({ length: 1 + dice() % 4 }, () => randomRecord(dice)),
    });
    const bytes = mutate(whole, dice);
    if (!scanner.scan(bytes, viewOf(bytes), 0, bytes.length)) continue;
    scanned++;
    if (!stripper.strip(bytes.subarray(0, scanner.length), scanner.ttlCount, out)) continue;
    assert.ok(stripper.length <= 65_535);
    if (scanner.truncated) continue;
    assert.ok(scanner.scan(out, viewOf(out), 0, stripper.length), `seed ${seed}`);
  }
  assert.ok(scanned > 500, `${scanned} messages`);
});
