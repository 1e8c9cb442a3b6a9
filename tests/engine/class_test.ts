import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { COUNTER } from "../../src/engine/counters.ts";
import { probeQuery } from "../../src/engine/question/probe.ts";
import { ask as askOnce } from "../support/engine/scenario.ts";
import { a, type Decoded, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { type Behaviour, frame, onlyAnswer, Simulation } from "../support/simulation/simulation.ts";

const CH = 3;

/** Answers with the class of the question as text. */
const telling: Behaviour = (query) => {
  const { name, class: asked } = query.questions![0]!;
  const txt = { type: "TXT", name, ttl: 300, class: asked, data: String(asked) } as codec.Answer;
  return [{ bytes: responseBytes(query, { answers: [txt] }) }];
};

function start(corefile = ". {\n cache\n forward . 10.0.0.1\n}", behaviour = telling): Simulation {
  const simulation = new Simulation(corefile);
  simulation.upstream("10.0.0.1:53", behaviour);
  return simulation;
}

const ask = (simulation: Simulation, query: Partial<Parameters<typeof queryBytes>[0]>) =>
  askOnce(simulation, { name: "version.bind", type: "TXT", ...query });

function textOf(answer: Decoded): string {
  const record = answer.answers![0] as { data: Uint8Array[] } | undefined;
  return record === undefined ? answer.rcode : new TextDecoder().decode(record.data[0]);
}

Deno.test("every class is forwarded and cached separately", () => {
  const simulation = start();
  for (const round of [1, 2]) {
    assert.equal(textOf(ask(simulation, {})), "IN", `round ${round}`);
    assert.equal(textOf(ask(simulation, { qclass: CH })), "CH", `round ${round}`);
    assert.equal(textOf(ask(simulation, { qclass: 4 })), "HS", `round ${round}`);
    assert.equal(simulation.seen.length, 3, `round ${round}`);
  }
  assert.equal(simulation.count("coredns_cache_entries"), 3);
});

Deno.test("classes NONE and ANY are forwarded", () => {
  for (const qclass of [0, 254, 255, 65535]) {
    const simulation = start(undefined, (query) => [{ bytes: responseBytes(query, { rcode: 4 }) }]);
    const asked = simulation.ask(queryBytes({ name: "example.org", qclass }));
    simulation.run(100);
    // The tests' codec cannot repeat a class without a name.
    if (qclass === 255) assert.equal(onlyAnswer(asked).rcode, "NOTIMP");
    assert.ok(simulation.seen.length > 0, `class ${qclass}`);
  }
});

Deno.test("questions of two classes in flight do not share an answer", () => {
  const simulation = start(undefined, (...args) => {
    const sent = telling(...args) as Exclude<ReturnType<Behaviour>, "refuse">;
    return sent.map((one) => ({ ...one, delayMs: 50 }));
  });
  const both = [1, CH, 1, CH].map((qclass) =>
    simulation.ask(queryBytes({ name: "id.server", type: "TXT", qclass }))
  );
  simulation.run(100);
  assert.deepEqual(both.map((asked) => textOf(onlyAnswer(asked))), ["IN", "CH", "IN", "CH"]);
  assert.equal(simulation.seen.length, 2);
});

Deno.test("an answer of another class than the question's is not used", () => {
  const simulation = start(undefined, (query) => {
    const question = { ...query.questions![0]!, class: "CH" as const };
    return [{
      bytes: responseBytes(query, { question, answers: [a(question.name, "192.0.2.1")] }),
    }];
  });
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(6000);
  assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  assert.ok(simulation.count("nodens_forward_mismatched_replies_total") > 0);
});

Deno.test("stale entries, refreshes and verifications respect the class", () => {
  for (const mode of ["immediate", "verify 500ms"]) {
    const simulation = start(
      `. {\n cache {\n success 9984 10\n serve_stale 1h ${mode}\n }\n forward . 10.0.0.1\n}`,
    );
    for (const qclass of [1, CH]) ask(simulation, { qclass });
    simulation.run(15_000);
    for (const qclass of [1, CH]) {
      assert.equal(textOf(ask(simulation, { qclass })), qclass === 1 ? "IN" : "CH", mode);
    }
    assert.equal(simulation.seen.length, 4, mode);
  }
});

Deno.test("plugins with local data answer class IN only", () => {
  const simulation = start(`. {
  hosts {
    192.0.2.1 host.test
  }
  forward . 10.0.0.1
}`);
  assert.equal(ask(simulation, { name: "host.test", type: "A" }).answers!.length, 1);
  assert.equal(simulation.seen.length, 0);
  assert.equal(textOf(ask(simulation, { name: "host.test", qclass: CH })), "CH");
  assert.equal(simulation.seen.length, 1);
});

Deno.test("any answers in the class of the question", () => {
  const simulation = start(". {\n any\n forward . 10.0.0.1\n}");
  for (const [qclass, text] of [[1, "IN"], [CH, "CH"]] as const) {
    const [record] = ask(simulation, { type: "ANY", qclass }).answers!;
    assert.equal((record as { class: string }).class, text);
  }
});

for (
  const [title, corefile] of Object.entries({
    whoami: ". {\n whoami\n}",
    "cache alone": ". {\n cache\n}",
    "a block beside one that forwards": "bind {\n whoami\n}\n. {\n forward . 10.0.0.1\n}",
  })
) {
  Deno.test(`a block that does not forward refuses other classes: ${title}`, () => {
    const simulation = start(corefile);
    for (const qclass of [CH, 4, 254, 255]) {
      assert.equal(ask(simulation, { qclass }).rcode, "REFUSED");
    }
    assert.equal(simulation.seen.length, 0);
  });
}

Deno.test("the health probe is never forwarded", () => {
  const simulation = start();
  for (const name of ["health.nodens", "Health.Nodens"]) {
    assert.equal(ask(simulation, { name, qclass: CH }).rcode, "REFUSED");
  }
  assert.equal(simulation.seen.length, 0);
  const { values } = simulation.counters;
  assert.deepEqual([values[COUNTER.PROBES], values[COUNTER.PROBES_TCP]], [2, 0]);
  simulation.openStream().send(frame(probeQuery(1)));
  assert.deepEqual([values[COUNTER.PROBES], values[COUNTER.PROBES_TCP]], [2, 1]);
  assert.deepEqual([values[COUNTER.UDP_QUERIES], values[COUNTER.TCP_QUERIES]], [2, 1]);
  assert.equal(textOf(ask(simulation, { name: "health.nodens", qclass: 1 })), "IN");
});
