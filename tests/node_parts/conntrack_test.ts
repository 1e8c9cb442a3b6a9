import assert from "node:assert/strict";
import { conntrackCheck } from "../../src/node/conntrack.ts";

Deno.test("conntrackCheck: reports a full table once, and its recovery", () => {
  const logs: string[] = [];
  let [count, max] = ["100\n", "1000\n"];
  const read = (path: string) => path.endsWith("_max") ? max : count;
  const check = conntrackCheck({ read, log: (level, line) => logs.push(`${level} ${line}`) });
  check();
  assert.deepEqual(logs, []);
  count = "950\n";
  for (let look = 0; look < 2; look++) check();
  assert.equal(logs.length, 1);
  assert.match(
    logs[0]!,
    /^warning conntrack: .* \(\/proc\/sys\/net\/netfilter\/nf_conntrack_count: 950 of 1000\).* raise /,
  );
  count = "920\n";
  check();
  assert.equal(logs.length, 1, "not yet");
  count = "100\n";
  check();
  assert.match(logs[1]!, /^info .*room again \(100 of 1000\)/);
  for (const [next, limit] of [["9", "0"], ["", ""], ["9", "-1"], ["x", "1"], ["1", "1e0"]]) {
    [count, max] = [next!, limit!];
    check();
  }
  assert.equal(logs.length, 2);
});

Deno.test("conntrackCheck: reports nothing without connection tracking", () => {
  const check = conntrackCheck({
    read: (path) => {
      throw new Error(`Cannot open "${path}"`);
    },
    log: (_level, line) => assert.fail(line),
  });
  check();
});
