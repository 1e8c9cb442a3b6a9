import assert from "node:assert/strict";
import { joinTurns, type TakingTurns } from "../../src/cli/serve_takeover.ts";
import type { TakeoverHooks } from "../../src/control/takeover.ts";

type Parts = Parameters<typeof joinTurns>[1];

/** The hooks as a takeover gets them, and what they do to the rest, in order. */
async function hooksOf(roleDown: Promise<void>) {
  const done: string[] = [];
  let hooks!: TakeoverHooks;
  const takeover = {
    release: () => {},
    serve: (its: TakeoverHooks) => Promise.resolve(hooks = its),
  };
  const note = (what: string) => () => void done.push(what);
  const parts = {
    server: {
      planes: [],
      takeBack: note("server serves"),
      standDown: () => Promise.resolve(note("server stands down")()),
    },
    reloader: {},
    role: {
      takeBack: note("role keeps"),
      standDown: () => roleDown.then(note("role stands down")),
    },
  };
  await joinTurns({ takeover, taken: null } as unknown as TakingTurns, parts as unknown as Parts);
  return { hooks, done };
}

Deno.test("standing down: the rules of the node first, then the queries; and back", async () => {
  const { hooks, done } = await hooksOf(Promise.resolve());
  await hooks.standDown();
  await hooks.takeBack();
  const both = ["role stands down", "server stands down", "server serves", "role keeps"];
  assert.deepEqual(done, both);
});

Deno.test("one that is to serve again while it stands down serves in the end, and keeps its node", async () => {
  const role = Promise.withResolvers<void>();
  const { hooks, done } = await hooksOf(role.promise);
  const down = hooks.standDown();
  const back = hooks.takeBack();
  role.resolve();
  await Promise.all([down, back]);
  assert.deepEqual(done, ["server serves", "role stands down", "role keeps"]);
});
