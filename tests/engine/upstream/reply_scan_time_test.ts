import assert from "node:assert/strict";
import { Memory } from "../../../src/engine/memory.ts";
import type { Io } from "../../../src/engine/io.ts";
import { Inquiry } from "../../../src/upstream/message/inquiry.ts";
import { Reply } from "../../../src/upstream/message/reply.ts";
import { fakeEngine } from "../../support/engine/fake_engine.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";

const NAME = "nodens_forward_reply_scan_seconds";
const reply = responseBytes(decode(queryBytes({ name: "www.example.org" })), {
  answers: [a("www.example.org", "192.0.2.1")],
});

/** Scans the reply, complete or cut, with a clock that returns these two times. */
function scanAt(times: number[], cut = 0): { usable: boolean; counts: number[] } {
  const engine = fakeEngine();
  engine.io.nanoseconds = () => times.shift()!;
  const memory = new Memory(reply.length + 64);
  memory.bytes.set(reply);
  const index = engine.histogram(NAME, { from: "." }, []);
  const usable = new Reply(engine, { from: "." }).read(memory, reply.length - cut, new Inquiry());
  return { usable, counts: [...engine.values.subarray(index, index + 10)] };
}

const CASES: { title: string; times: number[]; bucket: number; seconds: number }[] = [
  { title: "a microsecond", times: [5000, 6000], bucket: 0, seconds: 1e-6 },
  { title: "seventy microseconds", times: [0, 70_000], bucket: 4, seconds: 70e-6 },
  { title: "longer than all buckets", times: [0, 20e6], bucket: 8, seconds: 0.02 },
  { title: "a clock that wraps", times: [0x7fffffff, -0x7ffffff7 | 0], bucket: 0, seconds: 10e-9 },
];

for (const { title, times, bucket, seconds } of CASES) {
  Deno.test(`time of a scan: ${title}`, () => {
    const { usable, counts } = scanAt(times);
    assert.ok(usable);
    assert.deepEqual(counts.slice(0, 9), Array.from({ length: 9 }, (_, i) => i === bucket ? 1 : 0));
    assert.ok(Math.abs(counts[9]! - seconds) < 1e-9, `${counts[9]}`);
  });
}

Deno.test("time of a scan: unusable replies are measured too", () => {
  const { usable, counts } = scanAt([0, 5000], 15);
  assert.ok(!usable);
  assert.equal(counts[2], 1);
});

Deno.test("time of a scan: without a clock every scan takes no time", () => {
  const engine = fakeEngine();
  assert.equal((engine.io as Io).nanoseconds, undefined);
  const memory = new Memory(reply.length + 64);
  memory.bytes.set(reply);
  assert.ok(new Reply(engine, { from: "." }).read(memory, reply.length, new Inquiry()));
  assert.equal(engine.value(NAME), 1);
});
