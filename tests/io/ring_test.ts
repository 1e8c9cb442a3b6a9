import assert from "node:assert/strict";
import { ringMemory, RingReader, RingWriter } from "../../src/io/ring.ts";
import { seeded } from "../support/run/random.ts";

const SIZE = 256;

function makeRing(seen = 0) {
  const memory = ringMemory(SIZE);
  const marks = new Int32Array(memory);
  marks[0] = seen;
  marks[16] = seen;
  return { writer: new RingWriter(memory), reader: new RingReader(memory) };
}

function payload(reader: RingReader): number[] {
  const bytes = new Uint8Array(reader.length);
  reader.copy(bytes);
  return [...bytes];
}

Deno.test("ring: records are read as written, across its end and the wrap of its counters", () => {
  const dice = seeded(7);
  // The counters of octets pass 2^32 on the way.
  const { writer, reader } = makeRing(-SIZE * 8);
  const expected: { kind: number; stream: number; bytes: number[] }[] = [];
  let read = 0;
  for (let i = 0; i < 5000; i++) {
    const bytes = Uint8Array.from({ length: dice() % 90 }, () => dice());
    const record = { kind: 1 + dice() % 200, stream: dice() >>> 1, bytes: [...bytes] };
    const fits = bytes.length <= writer.room;
    assert.equal(writer.write(record.kind, record.stream, bytes), fits);
    if (fits) expected.push(record);
    if (dice() % 3 === 0) writer.publish();
    if (dice() % 4 !== 0) continue;
    while (dice() % 5 !== 0 && reader.next()) {
      const { kind, stream, bytes } = expected[read++]!;
      assert.deepEqual([reader.kind, reader.stream, payload(reader)], [kind, stream, bytes]);
    }
    reader.release();
  }
  assert.ok(read > 1500, `${read} records`);
});

Deno.test("ring: publish makes records visible, and release frees them", () => {
  const { writer, reader } = makeRing();
  assert.equal(writer.room, SIZE - 8);
  assert.equal(writer.write(1, 2, new Uint8Array(SIZE)), false);
  assert.equal(writer.write(1, 2, new Uint8Array(SIZE - 8)), true);
  assert.equal(writer.write(1, 2), false);
  assert.equal(reader.next(), false);
  writer.publish();
  assert.equal(reader.next(), true);
  assert.equal(writer.room, -8);
  reader.release();
  assert.equal(writer.room, SIZE - 8);
});

Deno.test("ring: part of a payload can be copied, also across the end", () => {
  const { writer, reader } = makeRing(SIZE - 32);
  writer.write(1, 1, Uint8Array.from({ length: 100 }, (_, i) => i));
  writer.publish();
  reader.next();
  const part = new Uint8Array(30);
  reader.copy(part, 10, 40);
  assert.deepEqual([...part], Array.from({ length: 30 }, (_, i) => 10 + i));
});

Deno.test("ring: the reader is woken once until it reads, and the writer when it waits", () => {
  const { writer, reader } = makeRing();
  assert.equal(writer.publish(), false);
  writer.write(1, 1);
  assert.equal(writer.publish(), true);
  writer.write(1, 1);
  assert.equal(writer.publish(), false);
  reader.begin();
  while (reader.next());
  assert.equal(reader.release(), false);
  writer.write(1, 1, new Uint8Array(SIZE - 8));
  assert.equal(writer.publish(), true);
  assert.equal(writer.waitForRoom(8), false);
  reader.begin();
  reader.next();
  assert.equal(reader.release(), true);
  assert.equal(reader.release(), false);
  assert.equal(writer.waitForRoom(8), true);
});
