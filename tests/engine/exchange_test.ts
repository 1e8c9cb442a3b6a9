import assert from "node:assert/strict";
import { Exchange, TCP, UDP } from "../../src/engine/exchange/exchange.ts";
import { INTERNAL } from "../../src/engine/exchange/origin.ts";
import { ExchangePool } from "../../src/engine/exchange/pool.ts";
import { parseQuery } from "../../src/engine/exchange/query_parser.ts";
import { Memory } from "../../src/engine/memory.ts";
import { HashKey } from "../../src/engine/question/keyed_hash.ts";
import { queryBytes } from "../support/messages/messages.ts";

const KEY = new HashKey(1, 2);

function receive(name: string): Exchange {
  const bytes = queryBytes({ name, edns: 1232, dnssecOk: true });
  const memory = new Memory(bytes.length + 80);
  memory.bytes.set(bytes, 64);
  const exchange = new Exchange(memory);
  exchange.offset = 64;
  exchange.length = bytes.length;
  exchange.origin = { kind: "slot", id: 3 };
  exchange.receivedMs = 1000;
  exchange.begin();
  assert.equal(parseQuery(exchange, KEY), 0);
  return exchange;
}

function keyOf(exchange: Exchange): unknown[] {
  const { memory, offset, qnameLength, qtype, hash, dnssecOk } = exchange;
  const name = memory.bytes.slice(offset + 12, offset + 12 + qnameLength);
  return [String.fromCharCode(...name), qtype, hash, dnssecOk];
}

Deno.test("exchange: a parked exchange keeps its question when the receive slot is reused", () => {
  const exchange = receive("Example.org");
  const { memory: slot } = exchange;
  const key = keyOf(exchange);
  exchange.keep(7);
  exchange.park();
  slot.bytes.fill(0xff);
  assert.deepEqual(keyOf(exchange), key);
  assert.deepEqual(exchange.origin, { kind: "kept", id: 7 });
  assert.equal(exchange.optionsLength, 0);
  assert.equal(exchange.transport, UDP);
});

Deno.test("exchange: an internal query has the key of its source only", () => {
  const from = receive("example.org");
  from.error = "it failed";
  from.extendedError = 3;
  from.position = 2;
  from.flags |= 0x0020;
  const own = new Exchange(new Memory(0));
  own.beginInternal(from, 1);
  assert.deepEqual(keyOf(own), keyOf(from));
  assert.notEqual(own.memory, from.memory);
  assert.equal(own.origin, INTERNAL);
  assert.deepEqual([own.flags, own.top, own.error, own.extendedError], [0x0100, 1, "", -1]);
  assert.deepEqual([from.origin.kind, from.parked, from.error], ["slot", false, "it failed"]);
  from.memory.bytes.fill(0);
  assert.equal(keyOf(own)[0], "\x07example\x03org\0");
});

Deno.test("exchange: a reused exchange has no state of an earlier query", () => {
  const pool = new ExchangePool(4);
  const first = pool.fresh();
  first.beginInternal(receive("a.example.org"), 5);
  assert.ok(pool.admit(0));
  first.client = 0;
  first.nsid = Uint8Array.of(1);
  first.only = {};
  first.intoLoops = true;
  Object.assign(first, { stale: true, upstream: "192.0.2.53:53", asks: 2, hedged: true });
  first.errorQueries = 0;
  first.nextWaiter = first;
  pool.release(first);
  assert.deepEqual([pool.used, pool.size], [0, 1]);
  const second = pool.fresh();
  assert.equal(second, first);
  const { memory, offset, length } = receive("b.example.org");
  Object.assign(second, {
    memory,
    offset,
    length,
    receivedMs: 2000,
    origin: { kind: "slot", id: 0 },
  });
  second.begin();
  assert.equal(parseQuery(second, KEY), 0);
  second.answeredBy = -1;
  const fresh = new Exchange(memory);
  Object.assign(fresh, { offset, length, receivedMs: 2000, origin: { kind: "slot", id: 0 } });
  fresh.begin();
  parseQuery(fresh, KEY);
  assert.deepEqual(stateOf(second), stateOf(fresh));
});

Deno.test("exchange: the origin determines the transport", () => {
  const exchange = receive("example.org");
  assert.deepEqual([exchange.transport, exchange.internal], [UDP, false]);
  const stream = { id: 1, listener: 0, family: 4, outstanding: 0, gone: false } as const;
  exchange.origin = { kind: "stream", ...stream, outstanding: 0, answer() {}, update() {} };
  assert.deepEqual([exchange.transport, exchange.internal], [TCP, false]);
  exchange.origin = INTERNAL;
  assert.deepEqual([exchange.transport, exchange.internal], [UDP, true]);
});

/** All fields except those set before each use. */
function stateOf(exchange: Exchange): Record<string, unknown> {
  const { position: _position, ecsAt: _ecsAt, optionsAt: _at, memory: _memory, ...rest } = {
    ...exchange,
  };
  return rest;
}
