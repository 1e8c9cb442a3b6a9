import assert from "node:assert/strict";
import { Address } from "../../src/dns/address.ts";
import { Memory } from "../../src/engine/memory.ts";
import type { Endpoint, StreamHandler } from "../../src/engine/io.ts";
import { Lane, LANE_TURN, MAX_LANE_QUEUED } from "../../src/io/lane.ts";
import { COMMAND, EVENT, makeLink } from "../../src/io/lane_link.ts";
import { RingReader, RingWriter } from "../../src/io/ring.ts";

const TLS = { serverName: "", certFile: null, keyFile: null, caFile: null, http: null };
const ENDPOINT: Endpoint = { address: new Address(), scope: "", source: null, tls: TLS };

class Heard implements StreamHandler {
  bytes = 0;
  pieces = 0;
  connects = 0;
  why: string | null = null;
  onClosed: () => void = () => {};

  connected(): void {
    this.connects++;
  }

  data(_memory: Memory, _offset: number, length: number): void {
    this.bytes += length;
    this.pieces++;
  }

  ended(): void {}

  closed(why?: string): void {
    this.why = why ?? "";
    this.onClosed();
  }
}

const LIMIT = 10;

interface Ends {
  lane: Lane;
  commands: RingReader;
  events: RingWriter;
}

/** A test of a lane with at most `limit` streams, and the thread's ends of its rings. */
function test(name: string, use: (ends: Ends) => void, limit = LIMIT): void {
  Deno.test(`lane: ${name}`, () => {
    const { plane, thread } = makeLink();
    const lane = new Lane(limit);
    lane.attach(plane, "");
    const [commands, events] = [new RingReader(thread.commands), new RingWriter(thread.events)];
    use({ lane, commands, events });
    lane.attach(null, "closed");
    thread.port.close();
  });
}

test("1 MiB is received in bounded turns", ({ lane, events }) => {
  const heard = new Heard();
  const stream = lane.connect(ENDPOINT, heard);
  const pieces = [60_000, 16_384, 1];
  let sent = 0;
  let turns = 0;
  while (heard.bytes < 2 ** 20) {
    for (let i = 0; sent < 2 ** 20; i++) {
      const size = Math.min(pieces[i % pieces.length]!, 2 ** 20 - sent);
      if (!events.write(EVENT.DATA, stream, new Uint8Array(size))) break;
      sent += size;
    }
    events.publish();
    const before = heard.bytes;
    const more = lane.receive();
    // The last record of a turn may exceed the limit.
    assert.ok(heard.bytes - before < LANE_TURN.bytes + 60_000);
    assert.ok(more || heard.bytes === sent);
    turns++;
  }
  assert.ok(turns >= 9, `${turns} turns`);
});

test("a turn handles a bounded number of events", ({ lane, events }) => {
  const heard = new Heard();
  const stream = lane.connect(ENDPOINT, heard);
  for (let i = 0; i < 1000; i++) events.write(EVENT.DATA, stream, new Uint8Array(1));
  events.publish();
  assert.equal(lane.receive(), true);
  assert.equal(heard.pieces, LANE_TURN.events);
});

test("events for a closed stream are dropped", ({ lane, commands, events }) => {
  const heard = new Heard();
  const stream = lane.connect(ENDPOINT, heard);
  lane.close(stream);
  lane.flush();
  events.write(EVENT.DATA, stream, new Uint8Array(9));
  events.write(EVENT.CLOSED, stream, new Uint8Array(1));
  events.publish();
  lane.receive();
  assert.deepEqual([heard.bytes, heard.why], [0, null]);
  const kinds = [];
  while (commands.next()) kinds.push(commands.kind);
  assert.deepEqual(kinds, [COMMAND.OPEN, COMMAND.CLOSE]);
});

test("a stream that exceeds its queue is closed", ({ lane }) => {
  const first = new Heard();
  const slow = lane.connect(ENDPOINT, first);
  const memory = new Memory(MAX_LANE_QUEUED + 8);
  lane.write(slow, memory, 0, MAX_LANE_QUEUED + 1);
  assert.equal(first.why, null, "called during a turn");
  lane.flush();
  assert.equal(first.why, "the upstream does not read what it is sent");
});

test("while the thread reads nothing, streams stay open and cannot send", ({ lane, commands }) => {
  const heard = Array.from({ length: 4 }, () => new Heard());
  const streams = heard.map((one) => lane.connect(ENDPOINT, one));
  const memory = new Memory(64);
  let sent = 0;
  for (let i = 0; i < 5000; i++) {
    const stream = streams[i % 4]!;
    if (!lane.hasRoom(stream, 60)) continue;
    lane.write(stream, memory, 0, 60);
    sent++;
  }
  lane.flush();
  assert.ok(sent < 5000, "the ring is not full");
  assert.deepEqual(heard.map(({ why }) => why), [null, null, null, null]);
  commands.begin();
  while (commands.next());
  assert.equal(commands.release(), false, "the writer does not wait");
  assert.ok(streams.every((stream) => lane.hasRoom(stream, 60)));
});

test("streams opened and closed while the ring is full wait in a bounded backlog", ({ lane, commands }) => {
  const early = Array.from({ length: LIMIT }, () => lane.connect(ENDPOINT, new Heard()));
  const memory = new Memory(64);
  while (lane.hasRoom(early[0]!, 60)) lane.write(early[0]!, memory, 0, 60);
  lane.flush();
  for (const stream of early) lane.close(stream);
  // Streams that the thread never sees leave no commands behind.
  for (let i = 0; i < 1000; i++) {
    const stream = lane.connect(ENDPOINT, new Heard());
    assert.equal(lane.hasRoom(stream, 60), false);
    lane.flush();
    assert.equal(lane.unfinished, false);
    lane.close(stream, i % 2 === 0);
  }
  const heard = new Heard();
  const last = lane.connect(ENDPOINT, heard);
  lane.flush();
  assert.deepEqual([lane.unfinished, heard.why], [false, null]);
  const take = () => {
    const seen: string[] = [];
    commands.begin();
    while (commands.next()) {
      if (commands.kind !== COMMAND.WRITE) seen.push(`${commands.kind} ${commands.stream}`);
    }
    return seen;
  };
  take();
  assert.equal(commands.release(), true, "the data plane is not woken");
  lane.flush();
  assert.deepEqual(take(), [
    ...early.map((stream) => `${COMMAND.CLOSE} ${stream}`),
    `${COMMAND.OPEN} ${last}`,
  ]);
  commands.release();
  assert.equal(lane.hasRoom(last, 60), true);
});

Deno.test("lane: without a thread, streams fail with the reason, one per turn", () => {
  const lane = new Lane(10);
  let told = 0;
  const heard = new Heard();
  // Reconnects at once, as the engine may.
  heard.onClosed = () => {
    told++;
    lane.connect(ENDPOINT, heard);
  };
  lane.attach(null, "the thread for TLS has failed");
  lane.connect(ENDPOINT, heard);
  for (let turn = 1; turn <= 3; turn++) {
    lane.flush();
    assert.deepEqual([told, heard.why, lane.unfinished], [
      turn,
      "the thread for TLS has failed",
      true,
    ]);
  }
});

test("a new link closes the old one's streams and serves new ones", ({ lane }) => {
  const heard = new Heard();
  assert.ok(lane.connect(ENDPOINT, heard) > 0);
  assert.equal(lane.connect(ENDPOINT, new Heard()), -1);
  const { plane, thread } = makeLink();
  lane.attach(plane, "started again");
  assert.equal(heard.why, "started again");
  const next = new Heard();
  const stream = lane.connect(ENDPOINT, next);
  const events = new RingWriter(thread.events);
  events.write(EVENT.CONNECTED, stream);
  events.publish();
  lane.receive();
  assert.equal(next.connects, 1);
  thread.port.close();
}, 1);
