import assert from "node:assert/strict";
import fc from "fast-check";
import { showMessage } from "../../../src/control/explain/message.ts";
import { explainQuery } from "../../../src/engine/explain/explain.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { type Asking, explainIn, requestFor, stepOf } from "../../support/engine/explained.ts";
import { answering } from "../../support/simulation/cache_world.ts";
import { Simulation } from "../../support/simulation/simulation.ts";

const ZONES = `.:53 {
 bind 192.0.2.53 2001:db8::53
 whoami
}
example.org:53 sub.example.org:53 {
 bind 192.0.2.53
 whoami
}
`;

for (
  const [name, query, listener, zone, place, refusal] of [
    ["the longest zone", { name: "a.sub.example.org" }, "192.0.2.53:53", "sub.example.org.", 5],
    ["the root", { name: "example.com" }, "192.0.2.53:53", ".", 1],
    [
      "the parent for DS",
      { name: "sub.example.org", type: "DS" },
      "192.0.2.53:53",
      "example.org.",
      5,
    ],
    ["the listener of the client's family", { from: "2001:db8::7" }, "[2001:db8::53]:53", ".", 1],
    [
      "the named listener",
      { listener: "[2001:DB8:0::53]:53", from: "10.0.0.7" },
      ...["[2001:db8::53]:53", "."],
      1,
    ],
    ["none for a transfer", { type: "AXFR" }, "192.0.2.53:53", "example.org.", 5, "REFUSED"],
    ["none for another class", { class: "CH" }, "192.0.2.53:53", "example.org.", 5, "REFUSED"],
    [
      "none for the name of listener checks",
      { name: "health.nodens", type: "TXT", class: "CH" },
      ...["192.0.2.53:53", "."],
      ...[1, "REFUSED"],
    ],
  ] as [string, Asking, string, string, number, string?][]
) {
  Deno.test(`explain: a query gets to ${name}`, () => {
    const reply = explainIn(new Simulation(ZONES), query);
    assert.equal(reply.listener, listener);
    assert.equal(reply.block?.zone, zone);
    assert.equal(reply.block.place, `Corefile:${place}`);
    assert.equal(reply.refusal?.rcode, refusal);
    assert.equal(reply.steps.length, refusal === undefined ? 1 : 0);
  });
}

Deno.test("explain: without a zone, the zones that are served are named", () => {
  const simulation = new Simulation("example.org example.net {\nwhoami\n}");
  const reply = explainIn(simulation, { name: "example.com" });
  assert.equal(reply.block, null);
  assert.deepEqual(reply.refusal, {
    rcode: "REFUSED",
    reason: "no zone of this listener holds the name (its zones: example.org. example.net.)",
  });
});

Deno.test("explain: of several listeners, the one with a zone for the name is taken", () => {
  const simulation = new Simulation("example.org:53 {\nwhoami\n}\n.:5353 {\nwhoami\n}");
  assert.equal(explainIn(simulation, { name: "example.com" }).listener, ":5353");
  const missing = explainIn(simulation, { listener: "192.0.2.1:54" });
  assert.deepEqual([missing.listener, missing.otherListeners], [null, [":53", ":5353"]]);
  const any = explainIn(simulation, { listener: "192.0.2.1:5353" });
  assert.equal(any.listener, ":5353");
});

Deno.test("explain: an IPv4 address in IPv6 form is the IPv4 client", () => {
  const simulation = new Simulation(". {\nacl {\nblock net 10.0.0.0/8\n}\nwhoami\n}");
  const reply = explainIn(simulation, { from: "::ffff:10.0.0.7" });
  assert.equal(reply.client, "10.0.0.7");
  assert.equal(stepOf(reply, "acl").verdict, "refuses");
});

Deno.test("explain: plugins below an answer are not reached, except those for all answers", () => {
  const simulation = new Simulation(
    ". {\ncache\nheader {\nresponse set aa\n}\nminimal\nloadbalance\nlocal\nforward . 10.0.0.1\n}",
  );
  const verdicts = explainIn(simulation, { name: "localhost" }).steps
    .map(({ plugin, verdict }) => `${plugin} ${verdict}`);
  assert.deepEqual(verdicts, [
    ...["local answers", "loadbalance acts", "cache not reached", "header acts"],
    ...["minimal not reached", "forward not reached"],
  ]);
});

Deno.test("explain: an answer is shown as the client gets it", () => {
  const simulation = new Simulation(
    ". {\nrewrite name a.example.com b.example.com\nhosts {\n192.0.2.1 b.example.com\n}\n}",
  );
  const { answer } = stepOf(explainIn(simulation, { name: "A.example.com" }), "hosts");
  const { rcode, answer: records } = showMessage(answer!);
  assert.deepEqual([rcode, records], ["NOERROR", ["b.example.com. 3600 IN A 192.0.2.1"]]);
});

Deno.test("explain: a stale entry's refresh goes on below it", () => {
  const simulation = new Simulation(". {\ncache {\nserve_stale\n}\nforward . 10.0.0.1\n}");
  simulation.upstream("10.0.0.1:53", answering());
  simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(400_000);
  const { steps, refusal } = explainIn(simulation);
  assert.deepEqual(
    steps.map(({ plugin, verdict, refresh }) => [plugin, verdict, refresh]),
    [["cache", "answers", false], ["forward", "asks", true]],
  );
  assert.equal(refusal, null);
  const stale = showMessage(stepOf(explainIn(simulation), "cache").answer!);
  assert.deepEqual(stale.errors, [{ code: 3, text: "" }]);
});

Deno.test("explain: after a reload, places are those of the new file", () => {
  const simulation = new Simulation(". {\nany\nwhoami\n}");
  assert.equal(stepOf(explainIn(simulation), "whoami").place, "Corefile:3");
  simulation.reload("# a line\n. {\nany\n\nwhoami\n}");
  const reply = explainIn(simulation);
  assert.equal(reply.block!.place, "Corefile:2");
  assert.equal(stepOf(reply, "whoami").place, "Corefile:5");
});

Deno.test("explain: any name gives printable text, and no exception", () => {
  const simulation = new Simulation(
    ". {\nacl {\nblock net 10.0.0.0/8\n}\nrewrite name suffix .org .com\nhosts {\nfallthrough\n}\n" +
      "cache\nlog\nforward . 10.0.0.1\n}",
  );
  const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
  fc.assert(fc.property(fc.array(label, { maxLength: 3 }), fc.integer({ max: 0xffff, min: 0 }), (
    labels,
    type,
  ) => {
    const escaped = labels.map((octets) =>
      Array.from(octets, (octet) => `\\${String(octet).padStart(3, "0")}`).join("")
    ).join(".");
    const name = `${escaped}.`;
    const reply = explainIn(simulation, { name, type: `TYPE${type}` });
    const texts = reply.steps.flatMap(({ reason, notes }) => [reason, ...notes]);
    for (const text of texts) assert.match(text, /^[\x20-\x7e]*$/);
  }));
});

Deno.test("explain: a message that is not a query is refused", () => {
  const simulation = new Simulation(". {\nwhoami\n}");
  for (const size of [0, 5, 12, 20]) {
    const request = { ...requestFor(), message: new ArrayBuffer(size) };
    const reply = explainQuery(simulation.engine, request);
    assert.deepEqual(reply.refusal, { rcode: "FORMERR", reason: "the message is malformed" });
  }
});
