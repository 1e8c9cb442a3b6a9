import assert from "node:assert/strict";
import { showMessage } from "../../../src/control/explain/message.ts";
import { COUNTER } from "../../../src/engine/counters.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { askIn } from "../../support/engine/explained.ts";
import { answering, silent } from "../../support/simulation/cache_world.ts";
import { Simulation } from "../../support/simulation/simulation.ts";

const BLOCK = `. {
 prometheus
 acl {
  drop net 10.0.0.0/8
 }
 cache {
  serve_stale
 }
 forward . 10.0.0.1
}`;

function start(corefile = BLOCK, behaviour = answering({ delayMs: 7 })): Simulation {
  const simulation = new Simulation(corefile);
  simulation.upstream("10.0.0.1:53", behaviour);
  return simulation;
}

/** Nothing waits, and no exchange is made for each. */
function assertAtRest({ engine, keptCount }: Simulation, exchanges = 3): void {
  assert.equal(engine.waiting, 0);
  assert.equal(keptCount, 0);
  assert.ok(engine.exchanges <= exchanges, `${engine.exchanges} exchanges`);
}

Deno.test("ask: an upstream's answer comes with times and the way through the chain", () => {
  const simulation = start();
  const replies = askIn(simulation);
  assert.equal(replies.length, 0, "it waits for the upstream");
  simulation.run(100);
  const [reply] = replies;
  assert.ok(reply);
  assert.equal(reply.ms, 7);
  assert.deepEqual([reply.answeredBy, reply.cached, reply.error], ["forward", false, ""]);
  assert.deepEqual([reply.upstream, reply.asks, reply.hedged], ["10.0.0.1:53", 1, false]);
  assert.deepEqual(showMessage(reply.answer!).answer, ["www.example.org. 300 IN A 192.0.2.7"]);
  assert.deepEqual(
    reply.steps.map(({ plugin, did, atMs }) => `${plugin} ${did} ${atMs}`),
    ["acl passed 0", "cache passed 0", "forward waited 0", "cache saw the answer 7"],
  );
  assertAtRest(simulation);
});

Deno.test("ask: the cache answers the second time; metrics of clients count none", () => {
  const simulation = start();
  for (let i = 0; i < 20; i++) {
    const replies = askIn(simulation);
    simulation.run(100);
    assert.equal(replies.length, 1);
    assert.equal(replies[0]!.cached, i > 0);
    assert.equal(replies[0]!.answeredBy, i > 0 ? "cache" : "forward");
  }
  assert.equal(simulation.count("coredns_dns_requests_total"), 0);
  assert.equal(simulation.counters.values[COUNTER.UDP_QUERIES], 0);
  assert.equal(simulation.count("coredns_cache_entries"), 1);
  assert.equal(simulation.seen.length, 1);
  assertAtRest(simulation);
});

Deno.test("ask: clients and operators share one question to the upstream", () => {
  const simulation = start();
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
  const replies = askIn(simulation);
  simulation.run(100);
  assert.equal(asked.answers.length, 1);
  assert.equal(replies.length, 1);
  assert.equal(simulation.seen.length, 1);
  assertAtRest(simulation);
});

Deno.test("ask: a stale answer is told from a fresh one, with its refresh", () => {
  const simulation = start();
  askIn(simulation);
  simulation.run(400_000);
  const [reply] = askIn(simulation);
  assert.ok(reply);
  assert.deepEqual([reply.stale, reply.answeredBy], [true, "cache"]);
  assert.deepEqual(showMessage(reply.answer!).errors, [{ code: 3, text: "" }]);
  assert.deepEqual(
    reply.steps.map(({ plugin, did, own }) => `${plugin} ${did}${own ? " own" : ""}`),
    ["acl passed", "cache answered", "forward waited own"],
  );
  simulation.run(100);
  assertAtRest(simulation);
});

Deno.test("ask: a client that acl drops gets no answer", () => {
  const simulation = start();
  const [reply] = askIn(simulation, { from: "10.0.0.7" });
  assert.deepEqual([reply!.answer, reply!.answeredBy], [null, "acl"]);
  assertAtRest(simulation);
});

Deno.test("ask: a silent upstream ends with its error within the bound", () => {
  const simulation = start(BLOCK, silent);
  const replies = askIn(simulation);
  simulation.run(6000);
  const [reply] = replies;
  assert.ok(reply);
  assert.match(reply.error, /10\.0\.0\.1:53: i\/o timeout/);
  assert.equal(showMessage(reply.answer!).rcode, "SERVFAIL");
  assert.ok(reply.ms <= 5000, `${reply.ms} ms`);
  assertAtRest(simulation);
});

Deno.test("ask: a reload that removes the block does not lose the answer", () => {
  const simulation = start();
  const replies = askIn(simulation);
  simulation.reload("example.net:5353 {\nwhoami\n}");
  simulation.run(100);
  assert.equal(showMessage(replies[0]!.answer!).rcode, "NOERROR");
  assertAtRest(simulation);
});

Deno.test("ask: an alias of template is followed below it", () => {
  const simulation = start(
    '. {\ntemplate IN A example.org {\nanswer "{{ .Name }} 60 IN CNAME t.example.com."\n}\n' +
      "forward . 10.0.0.1\n}",
  );
  const replies = askIn(simulation);
  simulation.run(100);
  assert.deepEqual(showMessage(replies[0]!.answer!).answer, [
    "www.example.org. 60 IN CNAME t.example.com.",
    "t.example.com. 300 IN A 192.0.2.7",
  ]);
  assert.deepEqual(
    replies[0]!.steps.map(({ plugin, did, own }) => `${plugin} ${did}${own ? " own" : ""}`),
    ["template waited", "forward waited own", "template saw the answer own"],
  );
  assertAtRest(simulation);
});

Deno.test("ask: refused if too many queries wait, and if no block takes it", () => {
  const simulation = new Simulation(BLOCK, { maxExchanges: 2 });
  simulation.upstream("10.0.0.1:53", silent);
  simulation.ask(queryBytes({ name: "one.example.org" }), 0, "192.0.2.1");
  simulation.ask(queryBytes({ name: "two.example.org" }), 0, "192.0.2.2");
  assert.deepEqual(askIn(simulation), [null]);
  const none = new Simulation("example.net {\nwhoami\n}");
  assert.deepEqual(askIn(none), [null]);
  assertAtRest(none);
});

Deno.test("ask: the answer over UDP has the client's limit, over TCP all", () => {
  const text = "x".repeat(200);
  const records = Array.from({ length: 8 }, (_, i) => `192.0.2.${i + 1} a.example.org`).join("\n");
  const simulation = new Simulation(
    `. {\nbufsize 512\nhosts {\n${records}\n}\ntemplate IN TXT example.org {\n${
      Array.from({ length: 4 }, (_, i) => `answer "{{ .Name }} 60 IN TXT ${i}${text}"`).join("\n")
    }\n}\n}`,
  );
  const sizeOf = (tcp: string) =>
    showMessage(askIn(simulation, { name: "t.example.org", type: "TXT", tcp })[0]!.answer!);
  assert.ok(sizeOf("off").flags.includes("tc"));
  assert.ok(sizeOf("off").sizeBytes <= 512);
  assert.equal(sizeOf("on").answer.length, 4);
});
