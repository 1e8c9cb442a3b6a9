import assert from "node:assert/strict";
import { queryBytes } from "../../support/messages/messages.ts";
import { labelsOf } from "../../support/messages/reply_builder.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

const COREFILE = ". {\n cache\n forward . 10.0.0.1\n}";
const NAME = ["a".repeat(63), "b".repeat(63), "c".repeat(36), "evil"].join(".");
const QUESTION = [...labelsOf(NAME).flatMap((label) => [label.length, ...label]), 0];
const QNAME = [0xc0, 12];
const OPT = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];

function record(owner: number[], type: number, data: number[] = []): number[] {
  return [...owner, type >> 8, type & 255, 0, 1, 0, 0, 0, 60, 0, data.length, ...data];
}

/** Data at 199 (the question ends at 187): a label of 56 octets that ends at 256. */
const BAIT = record(QNAME, 65280, [56, ...Array(32).fill(97)]);

const CASES: { title: string; type: number; records: number[][] }[] = [
  {
    // The table of TTLs is written over OPT, which would make the name a pointer to itself.
    title: "a name that continues into the OPT record behind it",
    type: 1,
    records: [BAIT, record(QNAME, 46), record([0xc0, 199], 65280)],
  },
  {
    title: "a name that continues into the OPT record, for an unknown type",
    type: 65280,
    records: [BAIT, record([0xc0, 199], 65280)],
  },
  {
    title: "an owner that ends in the TTL of the record before",
    type: 65280,
    records: [record(QNAME, 65280), record([0xc0, 187 + 6], 65280)],
  },
];

for (const { title, type, records } of CASES) {
  Deno.test(`a hostile reply is rejected, and nothing of it is cached: ${title}`, () => {
    const simulation = new Simulation(COREFILE);
    simulation.upstream("10.0.0.1:53", (query) => [{
      bytes: Uint8Array.from([
        ...[query.id! >> 8, query.id! & 255, 0x81, 0x80, 0, 1, 0, records.length, 0, 0, 0, 1],
        ...[...QUESTION, type >> 8, type & 255, 0, 1],
        ...records.flat(),
        ...OPT,
      ]),
    }]);
    for (const times of [1, 2]) {
      const name = type === 1 ? "A" : `UNKNOWN_${type}`;
      const asked = simulation.ask(queryBytes({ name: NAME, type: name, edns: 1232 }));
      simulation.run(6000);
      const answer = onlyAnswer(asked);
      assert.equal(answer.rcode, "SERVFAIL");
      assert.equal(answer.answers!.length, 0);
      assert.ok(simulation.count("nodens_forward_malformed_replies_total") >= times);
    }
    assert.equal(simulation.engine.waiting, 0);
  });
}
