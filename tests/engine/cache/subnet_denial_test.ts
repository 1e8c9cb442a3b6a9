/** Answers and denials for one name side by side, each for other clients (`ecs pass`). */
import assert from "node:assert/strict";
import { a, queryBytes, responseBytes, soa } from "../../support/messages/messages.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";
import { CLIENT_SUBNET, scoped, subnet, subnetIn } from "../../support/simulation/subnets.ts";

/** What an upstream says once: to whom (a client's subnet, or null) and with which scope. */
interface Word {
  to: string | null;
  says: "answer" | "denial";
  scope: number;
}

const HERE = "10.0.2.0/24";
const NEAR = "10.0.3.0/24";
const FAR = "10.9.9.0/24";

for (
  const { title, first, then, expected } of [
    {
      title: "a denial for one network leaves the answer for everybody to others",
      first: { to: FAR, says: "answer", scope: 0 },
      then: { to: HERE, says: "denial", scope: 24 },
      expected: [[HERE, "denial"], [NEAR, "answer"], [FAR, "answer"], [null, "answer"]],
    },
    {
      title: "a denial for one network leaves the answer for a wider one to others",
      first: { to: NEAR, says: "answer", scope: 16 },
      then: { to: HERE, says: "denial", scope: 24 },
      expected: [[HERE, "denial"], [NEAR, "answer"], ["10.0.9.0/24", "answer"]],
    },
    {
      title: "an answer for one network leaves the denial for everybody to others",
      first: { to: FAR, says: "denial", scope: 0 },
      then: { to: HERE, says: "answer", scope: 24 },
      expected: [[HERE, "answer"], [NEAR, "denial"], [FAR, "denial"], [null, "denial"]],
    },
    {
      title: "a denial for clients without a subnet leaves the answer for everybody to others",
      first: { to: FAR, says: "answer", scope: 0 },
      then: { to: null, says: "denial", scope: 0 },
      expected: [[null, "denial"], [HERE, "answer"], [FAR, "answer"]],
    },
    {
      title: "a denial takes the place of the answer for the same network",
      first: { to: HERE, says: "answer", scope: 24 },
      then: { to: HERE, says: "denial", scope: 24 },
      expected: [[HERE, "denial"], ["10.0.2.128/25", "denial"]],
    },
    {
      title: "a denial takes the place of the answer for a narrower network of its client",
      first: { to: HERE, says: "answer", scope: 24 },
      then: { to: HERE, says: "denial", scope: 16 },
      expected: [[HERE, "denial"], [NEAR, "denial"]],
    },
    {
      title: "an answer takes the place of the denial for a narrower network of its client",
      first: { to: HERE, says: "denial", scope: 24 },
      then: { to: HERE, says: "answer", scope: 0 },
      expected: [[HERE, "answer"], [NEAR, "answer"], [null, "answer"]],
    },
  ] as { title: string; first: Word; then: Word; expected: [string | null, string][] }[]
) {
  for (const stale of ["", "serve_stale 1h verify 1s"]) {
    Deno.test(`ecs pass: ${title} ${stale}`, () => {
      // A hit after a minute starts a refresh, so the second word comes while the first one is good.
      const simulation = new Simulation(
        `. {\ncache {\nprefetch 1 1m 90%\n${stale}\n}\nforward . 10.0.0.1 {\necs pass\n}\n}`,
      );
      let word: Word | null = first;
      simulation.upstream("10.0.0.1:53", (query) => {
        if (word === null) return [];
        const data = subnetIn(query);
        const { name } = query.questions![0]!;
        const options = data === null
          ? []
          : [{ code: CLIENT_SUBNET, data: scoped(word.scope)(data)! }];
        const said = word.says === "answer"
          ? { answers: [a(name, "192.0.2.1", 300)] }
          : { rcode: 3, authorities: [soa("example.org", 300)] };
        return [{ bytes: responseBytes(query, { ...said, options }), delayMs: 5 }];
      });
      const ask = (from: string | null) => {
        const ednsOptions = from === null ? [] : [{ code: CLIENT_SUBNET, data: subnet(from) }];
        const bytes = queryBytes({ name: "www.example.org", edns: 1232, ednsOptions });
        const asked = simulation.ask(bytes);
        simulation.run(100);
        return onlyAnswer(asked).rcode === "NOERROR" ? "answer" : "denial";
      };
      assert.equal(ask(first.to), first.says);
      simulation.run(60_000);
      word = then;
      ask(then.to);
      // From now on there is the cache alone.
      word = null;
      for (const [from, says] of expected) assert.equal(ask(from), says, `${from}`);
    });
  }
}
