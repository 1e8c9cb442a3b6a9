import assert from "node:assert/strict";
import { NodeRole, type NodeRoleOptions } from "../../src/node/node_role.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

/** A role whose parts record their calls. */
function notedRole(
  options: Partial<NodeRoleOptions> & { adopted?: boolean; trouble?: () => string | null } = {},
) {
  const { adopted = false, trouble = () => null, ...rest } = options;
  const clock = new VirtualClock();
  const done: string[] = [];
  const limits: number[] = [];
  const logs: string[] = [];
  const counted: string[] = [];
  let notice = () => {};
  let yielded = false;
  const rulesIn = Promise.withResolvers<void>();
  const role = new NodeRole({
    makeInterface: () => ({
      ensure() {
        const fault = trouble();
        if (fault !== null) throw new Error(fault);
        done.push("interface");
        return { kind: "dummy", adopted, changes: adopted ? [] : ["made the link"] };
      },
      watch: (onNotice) => void (notice = onNotice),
      yieldSource: () => yielded = done.push("source yielded") > 0,
      reclaimSource: () => void (yielded && done.push("source reclaimed")),
      remove: () => [`${done.push("interface removed")}`],
      close: () => void done.push("interface closed"),
    }),
    makeRules: () => ({
      ensure: () => {
        done.push("rules");
        rulesIn.resolve();
        return Promise.resolve([]);
      },
      stop: ({ handedOver = false } = {}) => {
        done.push(handedOver ? "rules handed over" : "rules left");
        return Promise.resolve();
      },
      turnAway: (limitMs) => {
        limits.push(limitMs!);
        return Promise.resolve(void done.push("queries turned away"));
      },
      remove: (limitMs) => {
        limits.push(limitMs!);
        return Promise.resolve(done.push("rules removed") > 0);
      },
    }),
    answers: () => Promise.resolve(true),
    syncIntervalMs: 60_000,
    clock,
    skipTeardown: false,
    log: (level, line) => logs.push(`${level}: ${line}`),
    count: (error) => counted.push(error),
    ...rest,
  });
  const start = () => {
    role.prepare();
    role.engage();
    return rulesIn.promise;
  };
  /** Releases, and waits for answers in flight. */
  const release = () => Promise.all([role.release(), clock.advance(500)]);
  return { role, clock, done, limits, logs, counted, start, release, notice: () => notice() };
}

Deno.test("NodeRole: makes the interface first at start, and removes it last at stop", async () => {
  const { role, done, limits, start, release } = notedRole();
  await start();
  await role.turnAway();
  assert.deepEqual(done, ["interface", "rules", "queries turned away", "source yielded"]);
  await release();
  await role.release();
  assert.deepEqual(done.slice(4), ["rules removed", "interface removed", "interface closed"]);
  assert.deepEqual(limits, [2000, 9000]);
});

Deno.test("NodeRole: installs no rules before the first answer or after the end", async () => {
  const answer = Promise.withResolvers<boolean>();
  const { role, done, start, release } = notedRole({ answers: () => answer.promise });
  void start();
  await role.turnAway();
  answer.resolve(true);
  await answer.promise;
  await release();
  assert.deepEqual(done.slice(0, 2), ["interface", "source yielded"]);
  assert.deepEqual(done.slice(2), ["interface removed", "interface closed"]);
});

Deno.test("NodeRole: with -skipteardown, everything stays", async () => {
  const { role, done, start } = notedRole({ skipTeardown: true });
  await start();
  await role.turnAway();
  await role.release();
  assert.deepEqual(done, ["interface", "rules", "rules left", "interface closed"]);
});

Deno.test("NodeRole: removes nothing if another process has taken over", async () => {
  const { role, done, start } = notedRole();
  await start();
  await role.leave();
  assert.deepEqual(done.slice(2), ["rules handed over", "interface closed"]);
});

Deno.test("NodeRole: restores everything for a process that starts while it stops", async () => {
  const { role, done, start } = notedRole();
  await start();
  await role.turnAway();
  await role.leave();
  assert.deepEqual(done.slice(4), ["rules handed over", "source reclaimed", "interface closed"]);
});

Deno.test("NodeRole: warns once if no address answers within five seconds", async () => {
  const { role, clock, logs, start } = notedRole({ answers: () => Promise.resolve(false) });
  void start();
  await clock.advance(20_000);
  assert.deepEqual(logs, [
    "warning: iptables: no rules yet: none of the local addresses answers queries",
  ]);
  await role.leave();
});

Deno.test("NodeRole: a failed start removes only its own changes", async () => {
  const made = notedRole();
  made.role.prepare();
  await made.role.abandon();
  assert.deepEqual(made.done, ["interface", "interface removed", "interface closed"]);
  const shared = notedRole();
  shared.role.prepare();
  await shared.role.abandon({ shared: true });
  assert.deepEqual(shared.done, ["interface", "interface closed"]);
  const found = notedRole({ adopted: true });
  found.role.prepare();
  await found.role.abandon();
  assert.deepEqual(found.done, ["interface", "interface closed"]);
  const refused = notedRole({ trouble: () => "a veth has that name" });
  assert.throws(() => refused.role.prepare(), /a veth has that name/);
  await refused.role.abandon();
  assert.deepEqual(refused.done, ["interface closed"]);
  assert.deepEqual(refused.counted, ["interface_add"]);
});

Deno.test("NodeRole: counts, reports and retries a failed repair of the interface", async () => {
  let fault: string | null = null;
  const { role, logs, counted, notice, done } = notedRole({ trouble: () => fault });
  role.prepare();
  fault = "no memory";
  notice();
  assert.deepEqual({ logs, counted }, { logs: ["error: no memory"], counted: ["interface_check"] });
  fault = null;
  notice();
  assert.deepEqual(done, ["interface", "interface"]);
  await role.release();
});
