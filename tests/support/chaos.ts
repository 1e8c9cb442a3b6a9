import assert from "node:assert/strict";
import { a, decode, queryBytes, responseBytes, soa } from "./messages.ts";
import { seeded } from "./random.ts";
import { type Asked, type Behaviour, Simulation } from "./simulation.ts";

const NAMES = 40;
const UPSTREAMS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
/** Longest time that a client may wait: all attempts within five seconds, and the last timer. */
const BOUND_MS = 5100;

/** The address that every honest upstream gives for a name. */
function truth(name: string): string {
  let sum = 0;
  for (const letter of name.toLowerCase()) sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  return `192.0.${sum >>> 8 & 255}.${sum & 255}`;
}

/**
 * One run of clients, upstreams that hang, die, truncate and lie, and a network that loses,
 * duplicates, reorders and forges, all from one seed. Throws where an invariant does not hold.
 *
 * Invariants: every query gets exactly one answer, in time, to its own question and true; an
 * upstream is asked once at a time for a question; everything is let go in the end.
 */
export function runChaos(seed: number): { queries: number; upstream: number } {
  const dice = seeded(seed ^ 0x5eed);
  const options = ["force_tcp", "prefer_udp", "policy round_robin", "max_fails 0", "expire 1s"]
    .filter(() => dice() % 3 === 0).join("\n");
  const simulation = new Simulation(
    `. {\n cache {\n success ${8 + dice() % 40}\n prefetch ${dice() % 4}\n }\n` +
      `forward . ${UPSTREAMS.join(" ")} {\n${options}\n}\n}`,
    { seed },
  );
  simulation.lossPerMille = dice() % 100;
  for (const address of UPSTREAMS) simulation.upstream(`${address}:53`, unreliable(dice));

  const all: { asked: Asked; name: string; id: number }[] = [];
  const count = 200 + dice() % 200;
  for (let i = 0; i < count; i++) {
    const number = Math.floor((dice() % 1000) ** 2 / 1e6 * NAMES);
    const name = dice() % 2 === 0 ? `n${number}.example.org` : `N${number}.Example.ORG`;
    const id = dice() & 0xffff;
    const edns = dice() % 2 === 0 ? 1232 : undefined;
    const bytes = queryBytes(edns === undefined ? { name, id } : { name, id, edns });
    all.push({ asked: simulation.ask(bytes), name, id });
    if (dice() % 3 === 0) simulation.run(dice() % 400);
  }
  simulation.run(60_000);

  for (const { asked, name, id } of all) {
    assert.equal(asked.answers.length, 1, `seed ${seed}: ${asked.answers.length} answers`);
    const { bytes, atMs } = asked.answers[0]!;
    assert.ok(atMs - asked.atMs <= BOUND_MS, `seed ${seed}: waited ${atMs - asked.atMs} ms`);
    const answer = decode(bytes);
    assert.equal(answer.id, id, `seed ${seed}`);
    assert.equal(answer.questions![0]!.name, name, `seed ${seed}`);
    for (const record of answer.answers ?? []) {
      assert.equal((record as { data: string }).data, truth(name), `seed ${seed}: a lie`);
    }
  }
  assert.equal(simulation.engine.waiting, 0, `seed ${seed}: exchanges left`);
  assert.equal(simulation.keptCount, 0, `seed ${seed}: return addresses left`);
  // Health checks of an upstream that never answers go on; they hold one socket each.
  assert.ok(simulation.openUpstream <= UPSTREAMS.length, `seed ${seed}: sockets left`);
  return { queries: all.length, upstream: simulation.seen.length };
}

function unreliable(dice: () => number): Behaviour {
  const mood = dice() % 4;
  return (query, transport) => {
    const { name } = query.questions![0]!;
    const right = responseBytes(query, { answers: [a(name, truth(name), 1 + dice() % 60)] });
    const delayMs = 1 + dice() % 40;
    switch (mood === 0 ? 0 : dice() % 12) {
      case 1:
        return [];
      case 2:
        return "refuse";
      case 3:
        return transport === "udp"
          ? [{ bytes: responseBytes(query, { truncated: true }), delayMs }]
          : [{ bytes: right, delayMs, close: true }];
      case 4:
        return [{ bytes: responseBytes(query, { rcode: 2 }), delayMs }];
      case 5:
        return [{
          bytes: responseBytes(query, { rcode: 3, authorities: [soa("example.org", 5)] }),
          delayMs,
        }];
      case 6: {
        // Forged: every id but the right one, the question of another name, half a message.
        const forged = responseBytes({ ...query, id: query.id! ^ 1 }, {
          answers: [a(name, "203.0.113.66")],
        });
        const other = responseBytes(query, {
          question: { name: "other.test", type: "A", class: "IN" },
          answers: [a("other.test", "203.0.113.66")],
        });
        return [
          { bytes: forged, delayMs: 1 },
          { bytes: other, delayMs: 1 },
          { bytes: right, delayMs: delayMs + 1 },
        ];
      }
      case 7:
        return [{ bytes: right, delayMs }, { bytes: right, delayMs: delayMs + 3 }];
      case 8:
        return [{ bytes: right.slice(0, 12 + dice() % (right.length - 12)), delayMs }];
      case 9:
        return [{ bytes: right, delayMs: 1500 + dice() % 2000 }];
      default:
        return [{ bytes: right, delayMs }];
    }
  };
}
