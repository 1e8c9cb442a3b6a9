import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { CLASS, TYPE } from "../../src/dns/constants.ts";
import { queryBytes, responseBytes } from "../support/messages/messages.ts";
import { seeded } from "../support/run/random.ts";
import { frame, Simulation } from "../support/simulation/simulation.ts";
import { assertParses, readMessage } from "../support/messages/wire_model.ts";

const TYPES = ["A", "AAAA", "TXT", "MX", "SRV", "SOA", "PTR", "NS", "CNAME"];

const CACHES = [
  "",
  "serve_stale 1h immediate\n success 1024 20 0",
  "serve_stale 1h verify 20ms 30s 1s\n success 1024 20 0\n capacity_bytes 1Mi",
  "serve_stale 1m verify\n serve_stale_policy prefer_positive\n success 1024 10 0",
  "serve_stale 1m verify 30ms\n servfail 0\n success 1024 5 0\n denial 1024 5 0",
];

function randomQuery(dice: () => number): Uint8Array {
  const labels = Array.from({ length: dice() % 5 }, () => "abcXYZ-_09".slice(dice() % 9));
  const edns = dice() % 2 === 0 ? dice() % 65536 : undefined;
  const base = {
    name: [...labels, "example.org"].join("."),
    type: TYPES[dice() % TYPES.length]!,
    qclass: dice() % 4 === 0 ? CLASS.CH : CLASS.IN,
    id: dice() & 0xffff,
    flags: dice() % 4 === 0 ? dice() & 0x7fff : 0x0100,
  };
  const bytes = queryBytes(edns === undefined ? base : { ...base, edns });
  return mutate(bytes, dice);
}

/** Flips, cuts, repeats or appends bytes. */
export function mutate(bytes: Uint8Array, dice: () => number): Uint8Array {
  let result = bytes.slice();
  for (let times = dice() % 4; times > 0; times--) {
    switch (dice() % 4) {
      case 0:
        if (result.length > 0) result[dice() % result.length] = dice() & 255;
        break;
      case 1:
        result = result.slice(0, dice() % (result.length + 1));
        break;
      case 2:
        result = Uint8Array.from([...result, ...result.slice(dice() % (result.length + 1))]);
        break;
      default:
        result = Uint8Array.from([...result, dice() & 255, dice() & 255]);
    }
  }
  return result.slice(0, 4000);
}

/**
 * Feeds queries and upstream replies, whole and damaged, to the engine. Oracles: nothing throws;
 * only queries are answered; every answer parses with another codec, repeats id, question, RD and
 * CD, and is within bounds; classes are separate; nothing is left at the end.
 */
export function fuzzEngine(seed: number, iterations: number): void {
  const dice = seeded(seed);
  const simulation = new Simulation(
    `. {\n errors\n cache {\n prefetch 2\n ${
      CACHES[seed % CACHES.length]
    }\n }\n forward . 10.0.0.1 10.0.0.2 {\n max_fails 1\n }\n}`,
    { seed },
  );
  const honest = seed % 2 === 0;
  for (const address of ["10.0.0.1:53", "10.0.0.2:53"]) {
    simulation.upstream(address, (query) => {
      const { name, type, class: asked } = query.questions![0]!;
      const data = `192.0.2.${asked === "CH" ? CLASS.CH : CLASS.IN}`;
      const record = { type: "A", name, class: asked, ttl: dice() % 100, data } as codec.Answer;
      const whole = responseBytes(query, {
        answers: type === "A" ? [record] : [],
        truncated: dice() % 20 === 0,
        rcode: dice() % 10 === 0 ? dice() % 7 : 0,
        options: dice() % 4 === 0 ? [{ code: 15, data: Uint8Array.of(dice(), dice()) }] : [],
      });
      const bytes = !honest && dice() % 2 === 0 ? mutate(whole, dice) : whole;
      return [{ bytes, delayMs: dice() % 50 }];
    });
  }
  for (let i = 0; i < iterations; i++) {
    const bytes = randomQuery(dice);
    const where = `seed ${seed}, iteration ${i}`;
    if (dice() % 5 === 0) {
      const stream = simulation.openStream();
      stream.send(mutate(frame(bytes), dice));
      stream.end();
      simulation.run(dice() % 100);
      continue;
    }
    const asked = simulation.ask(bytes);
    if (dice() % 3 === 0) simulation.run(dice() % 3000);
    for (const { bytes: answer } of asked.answers) {
      checkAnswer(bytes, answer, where);
      if (honest) checkClass(answer, where);
    }
  }
  simulation.run(60_000);
  assert.equal(simulation.engine.waiting, 0, `seed ${seed}: exchanges left`);
  assert.equal(simulation.keptCount, 0, `seed ${seed}: return addresses left`);
  assert.equal(simulation.engine.streams.size, 0, `seed ${seed}: streams left`);
  assert.equal(simulation.engine.streams.bytes, 0, `seed ${seed}: memory of streams left`);
  assert.equal(simulation.counters.values[8], 0, `seed ${seed}: exceptions`);
}

function checkAnswer(query: Uint8Array, answer: Uint8Array, where: string): void {
  assert.ok(
    query.length >= 12 && (query[2]! & 0x80) === 0,
    `${where}: answered a message that is not a query`,
  );
  assert.ok(answer.length >= 12 && answer.length <= 4096, `${where}: ${answer.length} bytes`);
  assert.equal(answer[0], query[0], where);
  assert.equal(answer[1], query[1], where);
  assert.ok((answer[2]! & 0x80) !== 0, `${where}: QR is not set`);
  assert.equal((answer[2]! ^ query[2]!) & 0x01, 0, `${where}: RD is not the query's`);
  assert.equal((answer[3]! ^ query[3]!) & 0x10, 0, `${where}: CD is not the query's`);
  assertParses(answer);
  const question = questionOf(answer);
  assert.deepEqual(question, query.slice(12, 12 + question.length), `${where}: another question`);
}

function checkClass(answer: Uint8Array, where: string): void {
  const question = questionOf(answer);
  if (question.length === 0) return;
  const qclass = question[question.length - 1] === CLASS.CH ? CLASS.CH : CLASS.IN;
  for (const { type, data } of readMessage(answer).sections[0]!) {
    if (type !== TYPE.A) continue;
    assert.equal(parseInt(data.slice(-2), 16), qclass, `${where}: data of another class`);
  }
}

function questionOf(message: Uint8Array): Uint8Array {
  if (message[5] === 0) return new Uint8Array();
  let at = 12;
  while (message[at] !== 0) at += message[at]! + 1;
  return message.slice(12, at + 5);
}
