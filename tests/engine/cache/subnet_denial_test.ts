/** Answers and denials of one name for different clients (`ecs pass`). */
import assert from "node:assert/strict";
import { a, soa } from "../../support/messages/messages.ts";
import {
  askFrom,
  CacheWorld,
  NAME,
  replying,
  replyOptions,
  silent,
} from "../../support/simulation/cache_world.ts";
import { scoped } from "../../support/simulation/subnets.ts";

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
      title: "a denial replaces the answer for the same network",
      first: { to: HERE, says: "answer", scope: 24 },
      then: { to: HERE, says: "denial", scope: 24 },
      expected: [[HERE, "denial"], ["10.0.2.128/25", "denial"]],
    },
    {
      title: "a denial replaces the answer for a narrower network of its client",
      first: { to: HERE, says: "answer", scope: 24 },
      then: { to: HERE, says: "denial", scope: 16 },
      expected: [[HERE, "denial"], [NEAR, "denial"]],
    },
    {
      title: "an answer replaces the denial for a narrower network of its client",
      first: { to: HERE, says: "denial", scope: 24 },
      then: { to: HERE, says: "answer", scope: 0 },
      expected: [[HERE, "answer"], [NEAR, "answer"], [null, "answer"]],
    },
  ] as { title: string; first: Word; then: Word; expected: [string | null, string][] }[]
) {
  for (const stale of ["", "serve_stale 1h verify 1s"]) {
    Deno.test(`ecs pass: ${title} ${stale}`, () => {
      // A hit after a minute starts a refresh, so the second reply arrives while the entry is
      // fresh.
      let word = first;
      const world = new CacheWorld(
        (query, ...rest) =>
          replying({
            ...word.says === "answer"
              ? { answers: [a(NAME, "192.0.2.1", 300)] }
              : { rcode: 3, authorities: [soa("example.org", 300)] },
            options: replyOptions(query, scoped(word.scope)),
          }, 5)(query, ...rest),
        `prefetch 1 1m 90%\n${stale}`,
        { forward: "ecs pass" },
      );
      const ask = (from: string | null) =>
        askFrom(world, from).rcode === "NOERROR" ? "answer" : "denial";
      assert.equal(ask(first.to), first.says);
      world.run(60_000);
      word = then;
      ask(then.to);
      world.behaviour = silent;
      for (const [from, says] of expected) assert.equal(ask(from), says, `${from}`);
    });
  }
}
