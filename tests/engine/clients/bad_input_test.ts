import assert from "node:assert/strict";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

const COREFILE = ". {\n whoami\n}";
const good = queryBytes({ name: "www.example.org", id: 9 });
const withEdns = queryBytes({ name: "www.example.org", id: 9, edns: 1232 });

function changed(bytes: Uint8Array, change: (copy: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice();
  change(copy);
  return copy;
}

function twoOpts(): Uint8Array {
  const opt = withEdns.slice(good.length);
  const bytes = Uint8Array.from([...withEdns, ...opt]);
  bytes[11] = 2;
  return bytes;
}

const CASES: [title: string, bytes: Uint8Array, rcode: string | null][] = [
  ["empty", new Uint8Array(), null],
  ["shorter than a header", good.slice(0, 11), null],
  ["a response", changed(good, (b) => b[2]! |= 0x80), null],
  ["opcode NOTIFY", changed(good, (b) => b[2] = 4 << 3), "NOTIMP"],
  ["opcode UPDATE", changed(good, (b) => b[2] = 5 << 3), "NOTIMP"],
  ["no question", changed(good, (b) => b[5] = 0), "FORMERR"],
  ["two questions", changed(good, (b) => b[5] = 2), "FORMERR"],
  ["a header alone", good.slice(0, 12), "FORMERR"],
  ["a name cut off", good.slice(0, 20), "FORMERR"],
  ["a type cut off", good.slice(0, -3), "FORMERR"],
  ["a pointer in the name", changed(good, (b) => b[12] = 0xc0), "FORMERR"],
  ["a label of 64", changed(good, (b) => b[12] = 64), "FORMERR"],
  ["an OPT count without OPT", changed(good, (b) => b[11] = 1), "FORMERR"],
  ["two OPT records", twoOpts(), "FORMERR"],
  ["AXFR", queryBytes({ name: "example.org", type: "AXFR" }), "REFUSED"],
  ["IXFR", queryBytes({ name: "example.org", type: "IXFR" }), "REFUSED"],
  ["class CH", changed(good, (b) => b[b.length - 1] = 3), "REFUSED"],
  ["a good query", good, "NOERROR"],
  ["a good query with OPT", withEdns, "NOERROR"],
];

for (const [title, bytes, rcode] of CASES) {
  Deno.test(`query: ${title}: ${rcode ?? "dropped"}`, () => {
    const simulation = new Simulation(COREFILE);
    const asked = simulation.ask(bytes);
    if (rcode === null) assert.equal(asked.answers.length, 0);
    else assert.equal(onlyAnswer(asked).rcode, rcode);
    assert.equal(simulation.engine.waiting, 0);
  });
}

Deno.test("EDNS version 1 is answered BADVERS with version 0", () => {
  const simulation = new Simulation(COREFILE);
  const bytes = changed(withEdns, (b) => b[good.length + 6] = 1);
  const answer = decode(simulation.ask(bytes).answers[0]!.bytes);
  const opt = answer.additionals![0] as unknown as { extendedRcode: number; ednsVersion: number };
  assert.equal(opt.extendedRcode, 1);
  assert.equal(opt.ednsVersion, 0);
  assert.equal(answer.rcode, "NOERROR");
});

Deno.test("a name outside all zones is refused", () => {
  const simulation = new Simulation("example.org {\n whoami\n}");
  const rcodes = {
    "example.com": "REFUSED",
    "EXAMPLE.org": "NOERROR",
    "notexample.org": "REFUSED",
  };
  for (const [name, rcode] of Object.entries(rcodes)) {
    assert.equal(onlyAnswer(simulation.ask(queryBytes({ name }))).rcode, rcode);
  }
});
