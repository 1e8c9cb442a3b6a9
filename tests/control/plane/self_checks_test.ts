import assert from "node:assert/strict";
import type { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { SelfChecks } from "../../../src/control/plane/self_checks.ts";
import { type CheckPlan, VERDICT, VERDICTS } from "../../../src/io/check_plan.ts";

const target = (address: string) => ({ address, port: 53, mark: 0 });
const marked = (address: string) => ({ address, port: 53, mark: 0x53 });

function make(workers = 1) {
  const plans: CheckPlan[] = [];
  const planes = Array.from({ length: workers }, () => ({
    values: new Float64Array(new SharedArrayBuffer(8)),
    check: (plan: CheckPlan) => Promise.resolve(plans.push(plan)).then(() => ({})),
    onUnwritable: (_list: string) => {},
    heartbeatAgeMs: 0,
  }));
  const checks = new SelfChecks(planes as unknown as DataPlane[]);
  const find = (...verdicts: number[]) => {
    const values = new Float64Array(plans.at(-1)!.verdicts);
    values[VERDICTS.ROUNDS]!++;
    values.set(verdicts, VERDICTS.FIRST_TARGET);
  };
  return { checks, plans, planes, find };
}

Deno.test("self-checks: each listener is one target, and those of /health come first", async () => {
  const { checks, plans } = make();
  const entry = (address: string) => ({ list: "nodens", entry: address, target: marked(address) });
  await checks.keepEntries([entry("10.96.0.10"), entry("169.254.20.10")]);
  await checks.watchListeners([
    target("127.0.0.1"),
    target("127.0.0.1"),
    marked("169.254.20.10"),
    target("127.0.0.1"),
  ]);
  await checks.watch({ socket: "/run/x", everyMs: 100 });
  const { targets, beats, watchdog, leaveEntries, verdicts } = plans.at(-1)!;
  assert.deepEqual(targets, [target("127.0.0.1"), marked("169.254.20.10"), marked("10.96.0.10")]);
  assert.deepEqual(beats.map((beat) => [beat.entry, beat.target]), [
    ["10.96.0.10", 2],
    ["169.254.20.10", 1],
  ]);
  assert.deepEqual([watchdog, leaveEntries], [{ socket: "/run/x", everyMs: 100 }, false]);
  assert.equal(verdicts.byteLength, 8 * (VERDICTS.FIRST_TARGET + 3 + 2));
  await checks.keepEntries([], { leave: true });
  assert.deepEqual(plans.at(-1)!.beats, []);
  assert.equal(plans.at(-1)!.leaveEntries, true);
});

Deno.test("self-checks: the first data plane runs them, and watches the others", async () => {
  const { checks, plans, planes } = make(3);
  await checks.watchListeners([target("::1")]);
  assert.equal(plans.length, 1);
  assert.deepEqual(plans[0]!.peers, planes.slice(1).map(({ values }) => values.buffer));
  const told: string[] = [];
  checks.onUnwritable = (list) => void told.push(list);
  planes[0]!.onUnwritable("nodens");
  assert.deepEqual(told, ["nodens"]);
});

Deno.test("self-checks: verdicts survive new entries, but not new listeners", async () => {
  const { checks, find } = make();
  const silent = () => checks.verdicts.silent?.address ?? null;
  assert.equal(silent(), null);
  await checks.watchListeners([target("127.0.0.1"), target("::1")]);
  assert.equal(silent(), "127.0.0.1", "not known yet");
  find(VERDICT.ANSWERS, VERDICT.ANSWERS);
  assert.deepEqual(checks.verdicts, { rounds: 1, durationMs: 0, silent: null });
  await checks.keepEntries([{ list: "nodens", entry: "10.96.0.10", target: target("10.96.0.10") }]);
  assert.deepEqual(checks.verdicts, { rounds: 1, durationMs: 0, silent: null });
  find(VERDICT.ANSWERS, VERDICT.SILENT, VERDICT.SILENT);
  assert.equal(silent(), "::1");
  await checks.watchListeners([target("127.0.0.1")]);
  assert.equal(silent(), "127.0.0.1", "probed again");
});

Deno.test("self-checks: entries age until they are renewed, over new plans and hung data planes", async () => {
  const { checks, plans, planes } = make();
  const entry = (address: string) => ({ list: "nodens", entry: address, target: marked(address) });
  const ages = () => checks.entryAges.map(({ entry: { entry }, ageMs }) => [entry, ageMs]);
  assert.deepEqual(ages(), []);
  await checks.watchListeners([target("127.0.0.1")]);
  await checks.keepEntries([entry("10.96.0.10"), entry("fd00::a")]);
  assert.deepEqual(ages(), [["10.96.0.10", Infinity], ["fd00::a", Infinity]]);
  const renewed = (roundMs: number, ...renewedMs: number[]) => {
    const values = new Float64Array(plans.at(-1)!.verdicts);
    values[VERDICTS.ROUND_MS] = roundMs;
    values.set(renewedMs, values.length - renewedMs.length);
  };
  renewed(5000, 4900, 1000);
  assert.deepEqual(ages(), [["10.96.0.10", 100], ["fd00::a", 4000]]);
  planes[0]!.heartbeatAgeMs = 3000;
  assert.deepEqual(ages(), [["10.96.0.10", 3100], ["fd00::a", 7000]]);
  planes[0]!.heartbeatAgeMs = 0;
  // Before the first round of the new plan.
  await checks.keepEntries([entry("10.96.0.11"), entry("10.96.0.10")]);
  assert.deepEqual(ages(), [["10.96.0.11", Infinity], ["10.96.0.10", 100]]);
  await checks.watchListeners([]);
  assert.deepEqual(ages(), [["10.96.0.11", Infinity], ["10.96.0.10", 100]]);
  await checks.keepEntries([]);
  assert.deepEqual(ages(), []);
});
