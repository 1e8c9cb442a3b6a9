import assert from "node:assert/strict";
import {
  a,
  errorCodes,
  optionsOf,
  queryBytes,
  responseBytes,
  soa,
} from "../../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

function extendedError(code: number, text = "why") {
  const data = Uint8Array.of(code >> 8, code & 255, ...new TextEncoder().encode(text));
  return { code: 15, data };
}

const kinds: Readonly<Record<string, Parameters<typeof responseBytes>[1]>> = {
  answer: { answers: [a("www.example.org", "192.0.2.7")] },
  NXDOMAIN: { rcode: 3, authorities: [soa("example.org")] },
  SERVFAIL: { rcode: 2 },
  REFUSED: { rcode: 5 },
};

function replying(options: Parameters<typeof responseBytes>[1]): Behaviour {
  return (query) => [{ bytes: responseBytes(query, options) }];
}

function start(behaviour: Behaviour, options = ""): Simulation {
  const simulation = new Simulation(`. {\n cache {\n ${options}\n }\n forward . 10.0.0.1\n}`);
  simulation.upstream("10.0.0.1:53", behaviour);
  return simulation;
}

function codes(simulation: Simulation, options: Partial<Parameters<typeof queryBytes>[0]> = {}) {
  const query = { name: "www.example.org", edns: 1232, ...options };
  const asked = simulation.ask(queryBytes(query));
  simulation.run(100);
  return errorCodes(onlyAnswer(asked));
}

for (const [kind, options] of Object.entries(kinds)) {
  Deno.test(`the upstream's extended error is forwarded and cached with ${kind}`, () => {
    const failure = kind === "SERVFAIL" || kind === "REFUSED";
    const simulation = start(replying({ ...options, options: [extendedError(6)] }));
    assert.deepEqual(codes(simulation), [6]);
    const lookups = simulation.count("nodens_forward_lookups_total");
    assert.deepEqual(codes(simulation), failure ? [13, 6] : [6]);
    assert.equal(simulation.count("nodens_forward_lookups_total"), lookups);
  });
}

Deno.test("clients without OPT get neither an extended error nor OPT", () => {
  const simulation = start(replying({ ...kinds["answer"]!, options: [extendedError(18)] }));
  for (let i = 0; i < 2; i++) {
    const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
    simulation.run(100);
    assert.equal(onlyAnswer(asked).additionals!.length, 0);
  }
  assert.deepEqual(codes(simulation), [18]);
});

Deno.test("the first of several errors is forwarded; an error without a code is ignored", () => {
  const several = [extendedError(9), extendedError(10)];
  assert.deepEqual(codes(start(replying({ ...kinds["answer"]!, options: several }))), [9]);
  const short = [{ code: 15, data: Uint8Array.of(9) }];
  assert.deepEqual(codes(start(replying({ ...kinds["answer"]!, options: short }))), []);
  const largest = [extendedError(65535)];
  const simulation = start(replying({ ...kinds["answer"]!, options: largest }));
  assert.deepEqual([codes(simulation), codes(simulation)], [[65535], [65535]]);
});

Deno.test("one entry's error is not sent with another", () => {
  const simulation = start((query) =>
    replying({
      answers: [a(query.questions![0]!.name, "192.0.2.7")],
      options: query.questions![0]!.name.startsWith("bad") ? [extendedError(15)] : [],
    })(query, "udp")
  );
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(codes(simulation, { name: "bad.example.org" }), [15]);
    assert.deepEqual(codes(simulation, { name: "good.example.org" }), []);
  }
});

Deno.test("an error expires with its entry", () => {
  let options = [extendedError(15)];
  const simulation = start((query) =>
    replying({ answers: [a("www.example.org", "192.0.2.7", 20)], options })(query, "udp")
  );
  assert.deepEqual(codes(simulation), [15]);
  options = [];
  simulation.run(21_000);
  assert.deepEqual([codes(simulation), codes(simulation)], [[], []]);
});

Deno.test("a stale answer has its own error and nodens', each once", () => {
  for (const code of [15, 3]) {
    let dead = false;
    const simulation = start(
      (query) =>
        dead ? [] : replying({ ...kinds["answer"]!, options: [extendedError(code)] })(query, "udp"),
      "success 9984 10\n serve_stale 1h immediate",
    );
    codes(simulation);
    dead = true;
    simulation.run(11_000);
    assert.deepEqual(codes(simulation), code === 3 ? [3] : [3, code]);
  }
});

Deno.test("all clients that wait for one answer get its error", () => {
  const simulation = start(replying({ ...kinds["answer"]!, options: [extendedError(17)] }));
  const asked = [1, 2, 3].map(() =>
    simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }))
  );
  simulation.run(100);
  assert.deepEqual(asked.map((one) => errorCodes(onlyAnswer(one))), [[17], [17], [17]]);
});

Deno.test("a failure forwarded after other upstreams were silent keeps its error", () => {
  const simulation = new Simulation(
    ". {\n forward . 10.0.0.1 10.0.0.2 {\n policy sequential\n }\n}",
  );
  simulation.upstream("10.0.0.1:53", replying({ rcode: 5, options: [extendedError(18)] }));
  simulation.upstream("10.0.0.2:53", () => []);
  const asked = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
  simulation.run(6000);
  assert.equal(onlyAnswer(asked).rcode, "REFUSED");
  assert.deepEqual(errorCodes(onlyAnswer(asked)), [18]);
});

function texts(simulation: Simulation, options: Partial<Parameters<typeof queryBytes>[0]> = {}) {
  const query = { name: "www.example.org", edns: 1232, ...options };
  const asked = simulation.ask(queryBytes(query));
  simulation.run(100);
  return optionsOf(onlyAnswer(asked)).filter(({ code }) => code === 15)
    .map(({ data }) => new TextDecoder().decode(data.subarray(2)));
}

for (const [kind, options] of Object.entries(kinds)) {
  Deno.test(`the text of the upstream's error is forwarded and cached with ${kind}`, () => {
    const text = "blocked by policy, see RFC 8914";
    const simulation = start(replying({ ...options, options: [extendedError(15, text)] }));
    const failure = kind === "SERVFAIL" || kind === "REFUSED";
    assert.deepEqual(texts(simulation), [text]);
    assert.deepEqual(texts(simulation), failure ? ["", text] : [text]);
    assert.deepEqual(texts(simulation, { name: "WWW.example.org" }), failure ? ["", text] : [text]);
  });
}

Deno.test("an error's text is not sent with another", () => {
  const simulation = start((query) => {
    const { name } = query.questions![0]!;
    const options = name.startsWith("bad")
      ? [extendedError(15, `no ${name}`)]
      : [extendedError(9, "")];
    return [{ bytes: responseBytes(query, { answers: [a(name, "192.0.2.7")], options }) }];
  });
  for (let round = 0; round < 2; round++) {
    for (const name of ["bad1.example.org", "good.example.org", "bad2.example.org"]) {
      assert.deepEqual(texts(simulation, { name }), [name.startsWith("bad") ? `no ${name}` : ""]);
    }
  }
});

Deno.test("a text that does not fit is dropped before any record", () => {
  const answers = Array.from({ length: 28 }, (_, i) => a("www.example.org", `192.0.2.${i}`));
  const text = "x".repeat(64);
  const simulation = start(replying({ answers, options: [extendedError(15, text)] }));
  for (const [edns, expected] of [[1232, text], [512, ""], [1232, text]] as const) {
    const asked = simulation.ask(queryBytes({ name: "www.example.org", edns }));
    simulation.run(100);
    const answer = onlyAnswer(asked);
    assert.equal(answer.answers!.length, 28);
    assert.ok(!answer.flag_tc);
    const [option] = optionsOf(answer);
    assert.equal(new TextDecoder().decode(option!.data.subarray(2)), expected);
    assert.ok(asked.answers[0]!.bytes.length <= edns);
  }
});
