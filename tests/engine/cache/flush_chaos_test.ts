import assert from "node:assert/strict";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { seeded } from "../../support/run/random.ts";
import { CacheVerbs } from "../../support/simulation/cache_verbs.ts";
import { Simulation } from "../../support/simulation/simulation.ts";

const NAMES = ["a.example.org", "b.example.org", "c.example.net"];
const STEPS = 3000;

/** Flushes, and the names that they forget. */
const FLUSHES = [
  ...NAMES.map((name) => ({ parameters: { name }, forgotten: [name] })),
  { parameters: { zone: "example.org" }, forgotten: NAMES.slice(0, 2) },
  { parameters: { all: "true" }, forgotten: NAMES },
  { parameters: { name: "d.example.org" }, forgotten: [] },
] as { parameters: Record<string, string>; forgotten: string[] }[];

for (
  const options of [
    "",
    "prefetch 1 1m 90%",
    "serve_stale 1h",
    "serve_stale 1h verify",
    "serve_stale 1h verify 30ms 5s 10s",
    "serve_stale 1h immediate 5s 10s\nprefetch 1 1m 90%",
  ]
) {
  Deno.test(`no answer asked for before a flush is served after it: ${options}`, async () => {
    const random = seeded(7);
    const below = (most: number) => random() % most;
    const corefile = `. {\n cache {\n success 9984 10 1\n ${options}\n }\n forward . 10.0.0.1\n}\n`;
    const simulation = new Simulation(corefile, { seed: 7 });
    const verbs = new CacheVerbs(simulation);
    // An answer's address is the number of questions asked so far.
    let asked = 0;
    simulation.upstream("10.0.0.1:53", (query) => {
      const number = ++asked;
      const { name } = query.questions![0]!;
      const address = `192.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
      const answers = [a(name, address, 1 + below(8))];
      return [{ bytes: responseBytes(query, { answers }), delayMs: 1 + below(400) }];
    });
    const flushedAt = new Map(NAMES.map((name) => [name, 0]));
    let fromCache = 0;
    for (let step = 0; step < STEPS; step++) {
      if (below(20) === 0) {
        const { parameters, forgotten } = FLUSHES[below(FLUSHES.length)]!;
        await verbs.flush(parameters);
        for (const name of forgotten) flushedAt.set(name, asked);
      }
      const name = NAMES[below(NAMES.length)]!;
      const { answers } = simulation.ask(queryBytes({ name }));
      if (answers.length > 0) {
        fromCache++;
        const [record] = decode(answers[0]!.bytes).answers as { data: string }[];
        const [, ...octets] = record!.data.split(".").map(Number);
        const number = (octets[0]! << 16) | (octets[1]! << 8) | octets[2]!;
        assert.ok(number > flushedAt.get(name)!, `${name}: ${number} after ${flushedAt.get(name)}`);
      }
      simulation.run(below(200));
    }
    assert.ok(fromCache > STEPS / 10, `${fromCache} answers from the cache`);
  });
}
