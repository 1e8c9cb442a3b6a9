import assert from "node:assert/strict";
import { Compressor } from "../../src/dns/compress.ts";
import { FREE_READS, READS_PER_OCTET } from "../../src/dns/names/name_reader.ts";
import { MAX_RECORDS, ResponseScanner } from "../../src/dns/response_scan.ts";
import { Memory } from "../../src/engine/memory.ts";
import { Response } from "../../src/engine/response/response.ts";
import { ResponseRewriter } from "../../src/engine/response/rewriter.ts";
import { describeReply } from "../../src/upstream/message/reply.ts";
import type { LoadReply, SaveReply } from "../../src/plugins/cache/persist/requests.ts";
import { SNAPSHOT_START } from "../../src/plugins/cache/persist/requests.ts";
import { MAX_SLICE_SIZE } from "../../src/plugins/cache/persist/snapshot_file.ts";
import { assertCompressed } from "../support/messages/compressed.ts";
import { seeded } from "../support/run/random.ts";
import {
  buildReply,
  type Labels,
  labelsOf,
  type ReplyQuestion,
} from "../support/messages/reply_builder.ts";
import { viewOf } from "../support/messages/wire.ts";
import { frame, Simulation } from "../support/simulation/simulation.ts";
import {
  assertParses,
  expectedRecords,
  type ModelRecord,
  readMessage,
} from "../support/messages/wire_model.ts";
import { mutate } from "./engine.ts";

const NAMES: Labels[] = [
  labelsOf("www.example.org"),
  labelsOf("WWW.Example.Org"),
  labelsOf("a.very.deep.name.of.www.example.org"),
  [[0xc0, 0x41, 0xc0, 0x0c], ...labelsOf("example.org")],
  [...Array(40).fill([0xc0, 0x41, 0x01]), ...labelsOf("Example.org")],
  [Array(63).fill(0x41), Array(63).fill(0xc0), ...labelsOf("example.org")],
  [],
];
const TYPES = [1, 28, 5, 15, 16, 26, 30, 33, 35, 46, 48, 255, 65280];

/** Octets that one name may be read beyond the bound. */
const ONE_NAME = 1024;

function randomQuestion(dice: () => number): ReplyQuestion {
  return { name: NAMES[dice() % NAMES.length]!, type: TYPES[dice() % TYPES.length]! };
}

const withoutTtl = (records: readonly ModelRecord[]) =>
  records.map(({ owner, type, class: c, data }) => `${owner} ${type} ${c} ${data}`);

const recordsWithoutTtl = (message: Uint8Array) =>
  readMessage(message).sections.map((section) => withoutTtl(section));

/** A message with other TTLs and the question in the other case, as for another client. */
function resent(message: Uint8Array, { ttls, ttlCount }: ResponseScanner): Uint8Array {
  const bytes = message.slice();
  for (const at of ttls.subarray(0, ttlCount)) bytes.set([0xc0, 0xff, 0x01, 0xc0], at);
  for (let at = 12, end = at; bytes[end] !== 0; at++) {
    if (at === end) end += bytes[at]! + 1;
    else if ((bytes[at]! | 0x20) >= 0x61 && (bytes[at]! | 0x20) <= 0x7a) bytes[at]! ^= 0x20;
  }
  return bytes;
}

/**
 * Scans, compresses and strips replies, good and bad. Oracles: good replies are accepted; an
 * accepted reply and its copies parse with another codec and equal the model; reads are within the
 * bound; copies are compressed as far as possible, once; a forwarded reply never grows.
 */
export function fuzzScan(seed: number, iterations: number): { taken: number; refused: number } {
  const dice = seeded(seed);
  const scanner = new ResponseScanner();
  const again = new ResponseScanner();
  const stripper = new Compressor();
  const rewriter = new ResponseRewriter();
  const response = new Response(new Memory(8));
  const memory = new Memory(65_536 + 2 * MAX_RECORDS);
  const out = new Uint8Array(65_536);
  const counts = { taken: 0, refused: 0 };
  for (let i = 0; i < iterations; i++) {
    const where = `seed ${seed}, iteration ${i}`;
    const hostile = dice() % 3 !== 0;
    const question = randomQuestion(dice);
    const built = buildReply(question, { dice, hostile });
    const reply = hostile && dice() % 4 === 0 ? mutate(built, dice) : built;
    memory.bytes.fill(0xc0);
    memory.bytes.set(reply);
    const usable = scanner.scan(memory.bytes, memory.view, 0, reply.length);
    const bound = READS_PER_OCTET * reply.length + FREE_READS + ONE_NAME;
    assert.ok(scanner.octetsRead <= bound, `${where}: ${scanner.octetsRead} octets read`);
    if (!usable) {
      assert.ok(hostile, `${where}: a good reply was refused`);
      counts.refused++;
      continue;
    }
    if (scanner.truncated) continue;
    counts.taken++;
    const model = readMessage(reply);
    const wanted = expectedRecords(model, true);
    describeReply(response, scanner, memory);
    const kept = memory.bytes.slice(0, scanner.length);
    assertParses(kept);
    assert.deepEqual(readMessage(kept).sections, wanted, where);

    assert.deepEqual(recordsWithoutTtl(resent(kept, scanner)), recordsWithoutTtl(kept), where);

    const { length, ttlCount } = scanner;
    assert.ok(stripper.compress(kept, ttlCount, out), `${where}: not compressed`);
    assert.ok(stripper.octetsRead <= bound + 65_535, `${where}: ${stripper.octetsRead} read`);
    const compressed = out.slice(0, stripper.length);
    assertParses(compressed);
    assert.deepEqual(readMessage(compressed).sections, wanted, where);
    assertCompressed(compressed, where);
    assert.ok(stripper.compress(compressed, ttlCount, out), where);
    assert.deepEqual(out.subarray(0, stripper.length), compressed, where);

    const qnameLength = question.name.reduce((sum, label) => sum + label.length + 1, 1);
    rewriter.compress(response, qnameLength);
    // Pointers to the root, which would be shorter in full, are not replaced.
    const least = Math.min(length, compressed.length);
    assert.ok(response.length === least || response.length === length, where);
    assert.ok(response.length <= least + ttlCount, where);
    const { memory: taken, ttlsAt } = response;
    assert.deepEqual(readMessage(taken.bytes.slice(0, response.length)).sections, wanted, where);
    assert.ok(again.scan(taken.bytes, taken.view, 0, response.length), where);
    const table = Array.from(
      { length: ttlCount },
      (_, n) => taken.view.getUint16(ttlsAt + 2 * n, true),
    );
    assert.deepEqual([...again.ttls.subarray(0, again.ttlCount)], table, where);

    if (!stripper.strip(memory.bytes.subarray(0, length), ttlCount, out)) {
      assert.fail(`${where}: not stripped`);
    }
    const stripped = out.slice(0, stripper.length);
    assertParses(stripped);
    assertCompressed(stripped, where);
    const rest = expectedRecords({ ...model, qtype: model.qtype === 255 ? 0 : model.qtype }, false);
    assert.deepEqual(readMessage(stripped).sections, rest, where);
    assert.ok(scanner.scan(out, viewOf(out), 0, stripper.length), `${where}: the copy is refused`);
    assert.deepEqual(
      [...scanner.ttls.subarray(0, scanner.ttlCount)],
      [...stripper.ttls.subarray(0, stripper.ttlCount)],
      where,
    );
    stripper.strip(mutate(reply, dice).subarray(0, dice() % (reply.length + 1)), dice() % 40, out);
    assert.ok(stripper.length <= 65_535);
    assert.ok(stripper.octetsRead <= bound + 65_535, `${where}: ${stripper.octetsRead} read`);
  }
  return counts;
}

const CACHE = `. {\n cache {\n success 1024 3600\n }\n forward . 10.0.0.1\n}`;

/**
 * Asks a forwarding cache with replies of every kind; asks again, then asks a second cache filled
 * from its snapshot. Oracles: every answer parses with another codec and equals the model, or is a
 * failure; a good reply is never a failure; the snapshot is loaded whole.
 */
export function fuzzReplies(seed: number, questions: number): { good: number; failed: number } {
  const dice = seeded(seed);
  const first = new Simulation(CACHE, { seed });
  const second = new Simulation(CACHE, { seed: seed + 1 });
  const counts = { good: 0, failed: 0 };
  let asked: ReplyQuestion = { name: [], type: 1 };
  let reply = new Uint8Array();
  first.upstream("10.0.0.1:53", (query) => {
    const bytes = reply.slice();
    bytes[0] = query.id! >> 8;
    bytes[1] = query.id! & 255;
    return [{ bytes }];
  });
  for (let i = 0; i < questions; i++) {
    const where = `seed ${seed}, question ${i}`;
    const hostile = dice() % 2 === 0;
    const { name, type } = randomQuestion(dice);
    const fresh = name.length > 30 ? name.slice(0, -1) : name;
    asked = { name: [[0x66, 0x41 + i % 26, 0x30 + (i / 26) % 64], ...fresh], type };
    reply = buildReply(asked, { dice, hostile }) as Uint8Array<ArrayBuffer>;
    const model = hostile ? null : readMessage(reply);
    for (const simulation of [first, first, second]) {
      if (simulation === second) copyCache(first, second, where);
      const dnssecOk = dice() % 2 === 0;
      const stream = dice() % 2 === 0;
      const answer = askOne(simulation, { ...asked, dnssecOk, stream });
      if (answer === null) {
        assert.ok(simulation === second, `${where}: no answer`);
        continue;
      }
      assertParses(answer);
      const got = readMessage(answer);
      assert.equal(got.end, answer.length, where);
      if ((got.flags & 15) === 2) {
        assert.ok(hostile || simulation === second, `${where}: a good reply made SERVFAIL`);
        counts.failed++;
        continue;
      }
      counts.good++;
      const wanted = expectedRecords(model ?? readMessage(reply), dnssecOk);
      const records = expectedRecords(got, true);
      const all = withoutTtl(records.flat());
      const expected = withoutTtl(wanted.flat());
      // Over UDP the end may be missing; without TC only optional records.
      assert.deepEqual(all, stream ? expected : expected.slice(0, all.length), where);
      if ((got.flags & 0x0200) !== 0) continue;
      assert.equal(records[0]!.length, wanted[0]!.length, `${where}: answers cut without TC`);
      const needed = (list: readonly ModelRecord[]) => list.filter(({ type }) => type === 6).length;
      assert.equal(needed(records[1]!), needed(wanted[1]!), `${where}: SOA cut without TC`);
    }
  }
  assert.equal(first.count("coredns_cache_drops_total"), 0);
  assert.equal(first.counters.values[8], 0, `seed ${seed}: exceptions`);
  assert.equal(second.counters.values[8], 0, `seed ${seed}: exceptions`);
  return counts;
}

function askOne(
  simulation: Simulation,
  { name, type, dnssecOk, stream }: ReplyQuestion & { dnssecOk: boolean; stream: boolean },
): Uint8Array | null {
  const octets = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
  for (const label of name) octets.push(label.length, ...label);
  octets.push(0, type >> 8, type & 255, 0, 1);
  octets.push(0, 0, 41, 16, 0, 0, 0, dnssecOk ? 0x80 : 0, 0, 0, 0);
  const bytes = Uint8Array.from(octets);
  if (!stream) {
    const asked = simulation.ask(bytes);
    simulation.run(10_000);
    return asked.answers[0]?.bytes ?? null;
  }
  const client = simulation.openStream();
  client.send(frame(bytes));
  simulation.run(10_000);
  client.end();
  simulation.run(1000);
  return client.received[0] ?? null;
}

function copyCache(from: Simulation, to: Simulation, where: string): void {
  const memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
  for (let next: SaveReply["next"] = SNAPSHOT_START; next !== null;) {
    const saved = from.engine.blocks.ask(0, 0, { type: "save", memory, from: next }) as SaveReply;
    const { sizeBytes } = saved;
    const request = { type: "load", memory, sizeBytes, from: 0, most: 10_000, elapsedTenths: 0 };
    const loaded = to.engine.blocks.ask(0, 0, request) as LoadReply;
    assert.equal(loaded.malformed, 0, `${where}: the snapshot is malformed`);
    assert.equal(loaded.next, sizeBytes, where);
    next = saved.next;
  }
}
