/** The data plane's end of the lane, beside a thread that these tests play. */
import assert from "node:assert/strict";
import { Address } from "../../src/dns/address.ts";
import { Memory } from "../../src/engine/memory.ts";
import type { Endpoint, StreamHandler } from "../../src/io/contract.ts";
import { Lane, LANE_TURN, MAX_LANE_QUEUED } from "../../src/io/lane.ts";
import { COMMAND, EVENT, makeLink } from "../../src/io/lane_link.ts";
import { RingReader, RingWriter } from "../../src/io/ring.ts";

const TLS = { serverName: "", certFile: null, keyFile: null, caFile: null, http: null };
const ENDPOINT: Endpoint = { address: new Address(), scope: "", source: null, tls: TLS };

/** What a stream was told. */
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

function makeLane(most = 10) {
  const { plane, thread } = makeLink();
  const lane = new Lane(most);
  lane.attach(plane, "");
  const commands = new RingReader(thread.commands);
  const events = new RingWriter(thread.events);
  const close = () => {
    lane.attach(null, "closed");
    thread.port.close();
  };
  return { lane, commands, events, close };
}

Deno.test("lane: 1 MiB comes in over turns of a bounded size, whatever was sent", () => {
  const { lane, events, close } = makeLane();
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
    // The last record of a turn may go beyond.
    assert.ok(heard.bytes - before < LANE_TURN.bytes + 60_000);
    assert.ok(more || heard.bytes === sent);
    turns++;
  }
  assert.ok(turns >= 9, `${turns} turns`);
  close();
});

Deno.test("lane: a turn takes no more events than its bound", () => {
  const { lane, events, close } = makeLane();
  const heard = new Heard();
  const stream = lane.connect(ENDPOINT, heard);
  for (let i = 0; i < 1000; i++) events.write(EVENT.DATA, stream, new Uint8Array(1));
  events.publish();
  assert.equal(lane.receive(), true);
  assert.equal(heard.pieces, LANE_TURN.events);
  close();
});

Deno.test("lane: what is for a stream that is closed reaches nobody", () => {
  const { lane, commands, events, close } = makeLane();
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
  close();
});

Deno.test("lane: a stream with too much under way is closed, and so is one that finds no room", () => {
  const { lane, close } = makeLane();
  const [first, second] = [new Heard(), new Heard()];
  const slow = lane.connect(ENDPOINT, first);
  const memory = new Memory(MAX_LANE_QUEUED + 8);
  lane.write(slow, memory, 0, MAX_LANE_QUEUED + 1);
  assert.equal(first.why, null, "told amid a turn");
  lane.flush();
  assert.equal(first.why, "the upstream does not read what it is sent");
  // The ring is full: the thread takes nothing.
  const other = lane.connect(ENDPOINT, new Heard());
  lane.write(other, memory, 0, 200_000);
  const late = lane.connect(ENDPOINT, second);
  lane.write(late, memory, 0, 100_000);
  lane.flush();
  assert.equal(second.why, "the upstream does not read what it is sent");
  assert.equal(lane.queued(other), 200_000);
  close();
});

Deno.test("lane: without a thread streams fail with the reason, in turns that end", () => {
  const lane = new Lane(10);
  let told = 0;
  const heard = new Heard();
  // Asks again at once, as the engine may.
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

Deno.test("lane: another link closes the streams of the one before, and serves new ones", () => {
  const { lane, close } = makeLane(1);
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
  close();
});
