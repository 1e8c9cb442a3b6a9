import assert from "node:assert/strict";
import type { Config } from "../../src/config/types.ts";
import { Followers } from "../../src/control/followers.ts";
import type { Companion, Follower } from "../../src/plugins/companion.ts";

function configOf(file: string): Config {
  return { file, blocks: [], listeners: [], debug: false };
}

function companion(name: string, calls: string[]): Companion {
  const names = new Map<Follower, string>();
  return {
    follow({ file }, { previous }) {
      const before = previous === null ? "none" : names.get(previous);
      calls.push(`${name} follows ${file} after ${before}`);
      const follower: Follower = {
        prepare: () => Promise.resolve([{ block: 0, position: 0, data: `${name} ${file}` }]),
        start: () => void calls.push(`${name} starts ${file}`),
        stop: () => Promise.resolve(void calls.push(`${name} stops ${file}`)),
      };
      names.set(follower, `${name} ${file}`);
      return follower;
    },
  };
}

Deno.test("followers: each companion continues from its previous follower", async () => {
  const calls: string[] = [];
  const companions = [companion("one", calls), {}, companion("two", calls)];
  const deliver = () => {};
  const [a, b] = [configOf("a"), configOf("b")];
  const first = new Followers(a, { companions, deliver, previous: null });
  const second = new Followers(b, { companions, deliver, previous: first });
  assert.deepEqual((await second.prepare()).map(({ data }) => data), ["one b", "two b"]);
  assert.deepEqual(await second.again(), []);
  second.start();
  await first.stop();
  assert.deepEqual([second.areOf(b), second.areOf(a)], [true, false]);
  assert.deepEqual(calls, [
    "one follows a after none",
    "two follows a after none",
    "one follows b after one a",
    "two follows b after two a",
    "one starts b",
    "two starts b",
    "one stops a",
    "two stops a",
  ]);
});
