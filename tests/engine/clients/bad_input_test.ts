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

const rows: { title: string; bytes: Uint8Array; rcode: string | null }[] = [
  { title: "empty", bytes: new Uint8Array(), rcode: null },
  { title: "shorter than a header", bytes: good.slice(0, 11), rcode: null },
  { title: "a response", bytes: changed(good, (b) => b[2]! |= 0x80), rcode: null },
  { title: "opcode NOTIFY", bytes: changed(good, (b) => b[2] = 4 << 3), rcode: "NOTIMP" },
  { title: "opcode UPDATE", bytes: changed(good, (b) => b[2] = 5 << 3), rcode: "NOTIMP" },
  { title: "no question", bytes: changed(good, (b) => b[5] = 0), rcode: "FORMERR" },
  { title: "two questions", bytes: changed(good, (b) => b[5] = 2), rcode: "FORMERR" },
  { title: "a header alone", bytes: good.slice(0, 12), rcode: "FORMERR" },
  { title: "a name cut off", bytes: good.slice(0, 20), rcode: "FORMERR" },
  { title: "a type cut off", bytes: good.slice(0, -3), rcode: "FORMERR" },
  { title: "a pointer in the name", bytes: changed(good, (b) => b[12] = 0xc0), rcode: "FORMERR" },
  { title: "a label of 64", bytes: changed(good, (b) => b[12] = 64), rcode: "FORMERR" },
  { title: "an OPT count without OPT", bytes: changed(good, (b) => b[11] = 1), rcode: "FORMERR" },
  { title: "two OPT records", bytes: twoOpts(), rcode: "FORMERR" },
  { title: "AXFR", bytes: queryBytes({ name: "example.org", type: "AXFR" }), rcode: "REFUSED" },
  { title: "IXFR", bytes: queryBytes({ name: "example.org", type: "IXFR" }), rcode: "REFUSED" },
  { title: "class CH", bytes: changed(good, (b) => b[b.length - 1] = 3), rcode: "REFUSED" },
  { title: "a good query", bytes: good, rcode: "NOERROR" },
  { title: "a good query with OPT", bytes: withEdns, rcode: "NOERROR" },
];

for (const { title, bytes, rcode } of rows) {
  Deno.test(`query: ${title}: ${rcode ?? "dropped"}`, () => {
    const simulation = new Simulation(COREFILE);
    const asked = simulation.ask(bytes);
    if (rcode === null) {
      assert.equal(asked.answers.length, 0);
    } else {
      assert.equal(onlyAnswer(asked).rcode, rcode);
    }
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
  assert.equal(onlyAnswer(simulation.ask(queryBytes({ name: "example.com" }))).rcode, "REFUSED");
  assert.equal(onlyAnswer(simulation.ask(queryBytes({ name: "EXAMPLE.org" }))).rcode, "NOERROR");
  assert.equal(onlyAnswer(simulation.ask(queryBytes({ name: "notexample.org" }))).rcode, "REFUSED");
});
