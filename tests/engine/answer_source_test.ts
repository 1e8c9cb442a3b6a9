import assert from "node:assert/strict";
import { answerSource } from "../../src/engine/exchange/answer_source.ts";
import { exchangeFor } from "../support/engine/fake_engine.ts";
import { queryBytes } from "../support/messages/messages.ts";
import type { Simulation } from "../support/simulation/simulation.ts";
import { Scene } from "./observe/scene.ts";

/** Answers by source. */
function answers({ counters }: Simulation): Record<string, number> {
  return Object.fromEntries(
    counters.places.filter(({ name }) => name === "nodens_answers_total")
      .map(({ labels, index }) => [labels.source!, counters.values[index]!]),
  );
}

const NONE = { stale: 0, nodens: 0, cache: 0, upstream: 0, template: 0, acl: 0 };

for (
  const [what, names, counted] of [
    ["an upstream's answer and hits", ["www.example.org", "www.example.org"], {
      upstream: 1,
      cache: 1,
    }],
    ["a plugin's answer", ["www.local.test"], { template: 1 }],
    ["a refusal before any plugin", ["www.other.test"], { nodens: 1 }],
    ["an upstream's failure", ["bad.example.org"], { upstream: 1 }],
    ["a query that is dropped", ["www.drop.test"], {}],
  ] as const
) {
  for (const observes of [true, false]) {
    Deno.test(`answers by source: ${what}, -top ${observes ? "on" : "off"}`, () => {
      const scene = new Scene({ observes });
      assert.deepEqual(answers(scene), NONE);
      for (const name of names) scene.query(name);
      assert.deepEqual(answers(scene), { ...NONE, ...counted });
    });
  }
}

Deno.test("answers by source: an answer that nobody can get is not counted", () => {
  const scene = new Scene();
  const stream = scene.openStream();
  const bytes = queryBytes({ name: "slow.example.org" });
  stream.send(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff, ...bytes));
  scene.run(10);
  stream.reset();
  scene.run(200);
  assert.deepEqual(answers(scene), NONE);
});

Deno.test("answers by source: the counters outlive a reload", () => {
  const scene = new Scene();
  scene.query("www.local.test");
  scene.reload('. {\n template IN A {\n answer "{{ .Name }} 60 IN A 192.0.2.1"\n }\n whoami\n}');
  scene.query("www.local.test");
  assert.deepEqual(answers(scene), { ...NONE, template: 2, whoami: 0 });
});

Deno.test("answers by source: an expired entry is stale, whoever was asked before", () => {
  const exchange = exchangeFor({ name: "www.example.org" });
  const sources = ["nodens", "cache", "upstream"];
  Object.assign(exchange, { chain: { ...exchange.chain, sources }, answeredBy: 1 });
  assert.equal(answerSource(exchange), "upstream");
  exchange.stale = true;
  assert.equal(answerSource(exchange), "stale");
});
