import assert from "node:assert/strict";
import type { Decoded } from "../../support/messages/messages.ts";
import { a, decode, ns, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";
import { lame } from "../../support/simulation/upstream_kinds.ts";

const RD = 0x0100;
const CD = 0x0010;
const AA = 0x0400;

const authoritative: Behaviour = (query) => {
  const answers = [a(query.questions![0]!.name, "192.0.2.7")];
  return [{ bytes: responseBytes(query, { flags: AA, answers }) }];
};

function bitsOf({ flag_rd, flag_ra, flag_cd }: Decoded): string {
  return [flag_rd && "rd", flag_ra && "ra", flag_cd && "cd"].filter(Boolean).join(" ");
}

function start(corefile: string, behaviour: Behaviour = authoritative): Simulation {
  const simulation = new Simulation(corefile);
  simulation.upstream("10.0.0.1:53", behaviour);
  return simulation;
}

function ask(simulation: Simulation, bytes: Uint8Array): Decoded {
  const asked = simulation.ask(bytes);
  simulation.run(6000);
  return onlyAnswer(asked);
}

const FORWARDING = `. {
  any
  acl {
    block type HINFO
    filter type MX
  }
  cache
  hosts {
    192.0.2.1 host.test
    fallthrough
  }
  forward . 10.0.0.1 {
    except nowhere.test
    max_concurrent 1
  }
}`;

type Query = Parameters<typeof queryBytes>[0];

const OWN: [title: string, Query, edit?: (b: Uint8Array) => void][] = [
  ["hosts", { name: "host.test" }],
  ["hosts, NODATA", { name: "host.test", type: "AAAA" }],
  ["any", { name: "x.test", type: "ANY" }],
  ["acl block", { name: "x.test", type: "HINFO" }],
  ["acl filter", { name: "x.test", type: "MX" }],
  ["no plugin answers", { name: "a.nowhere.test" }],
  ["AXFR", { name: "x.test", type: "AXFR" }],
  ["EDNS version 1", { name: "x.test", edns: 1232 }, (b) => b[b.length - 5]! = 1],
  ["two answers in the query", { name: "x.test" }, (b) => b[7] = 2],
];

Deno.test("RA is set if the block forwards, whichever plugin answers", async (t) => {
  for (const [title, query, edit] of OWN) {
    for (const flags of [0, RD, CD, RD | CD]) {
      const told = [(flags & RD) !== 0 && "rd", "ra", (flags & CD) !== 0 && "cd"]
        .filter(Boolean).join(" ");
      await t.step(`flags of an answer: ${title}: ${told}`, () => {
        const bytes = queryBytes({ ...query, flags });
        edit?.(bytes);
        const simulation = start(FORWARDING);
        const before = simulation.seen.length;
        const answer = decode(simulation.ask(bytes).answers[0]!.bytes);
        assert.equal(bitsOf(answer), told);
        assert.equal(simulation.seen.length, before, "no upstream was asked");
      });
    }
  }
});

Deno.test("RA is set in fresh, cached and failed answers of an upstream without recursion", () => {
  const simulation = start(FORWARDING);
  assert.equal(bitsOf(ask(simulation, queryBytes({ name: "www.test" }))), "rd ra");
  assert.equal(bitsOf(ask(simulation, queryBytes({ name: "www.test" }))), "rd ra");
  assert.equal(simulation.seen.length, 1);
  simulation.upstream("10.0.0.1:53", () => "refuse");
  const failed = ask(simulation, queryBytes({ name: "failed.test", flags: RD | CD }));
  assert.equal(failed.rcode, "SERVFAIL");
  assert.equal(bitsOf(failed), "rd ra cd");
});

Deno.test("RA is set in a refusal because of too many queries", () => {
  const simulation = start(FORWARDING, () => []);
  simulation.ask(queryBytes({ name: "slow.test" }));
  const refused = onlyAnswer(simulation.ask(queryBytes({ name: "more.test" })));
  assert.equal(refused.rcode, "REFUSED");
  assert.equal(bitsOf(refused), "rd ra");
});

Deno.test("RA is clear if the question could not be read", () => {
  const bytes = queryBytes({ name: "x.test" });
  bytes[2]! |= 4 << 3;
  assert.equal(bitsOf(ask(start(FORWARDING), bytes)), "rd");
});

Deno.test("RA is clear if no block forwards", () => {
  const simulation = start("test {\n hosts {\n 192.0.2.1 host.test\n }\n}\n");
  for (const name of ["host.test", "absent.test", "elsewhere.example"]) {
    assert.equal(bitsOf(ask(simulation, queryBytes({ name, flags: RD | CD }))), "rd cd", name);
  }
});

Deno.test("RA is clear for a name of a block that does not forward", () => {
  const simulation = start("test {\n whoami\n}\norg {\n forward . 10.0.0.1\n}");
  assert.equal(bitsOf(ask(simulation, queryBytes({ name: "www.test" }))), "rd");
  assert.equal(bitsOf(ask(simulation, queryBytes({ name: "www.org" }))), "rd ra");
  assert.equal(bitsOf(ask(simulation, queryBytes({ name: "www.com" }))), "rd");
});

Deno.test("RA is clear in the lame answer of the only server, so that clients try others", () => {
  for (const kind of ["referral", "empty"] as const) {
    const simulation = start(". {\n cache\n forward . 10.0.0.1\n}", lame(kind));
    for (let i = 0; i < 2; i++) {
      assert.equal(bitsOf(ask(simulation, queryBytes({ name: "www.test" }))), "rd", kind);
    }
  }
  const recursive: Behaviour = (query) => [{
    bytes: responseBytes(query, { authorities: [ns("test")] }),
  }];
  const simulation = start(". {\n cache\n forward . 10.0.0.1\n}", recursive);
  assert.equal(bitsOf(ask(simulation, queryBytes({ name: "www.test" }))), "rd ra");
});
