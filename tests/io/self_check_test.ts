import assert from "node:assert/strict";
import { COUNTER } from "../../src/engine/counters.ts";
import { Timers } from "../../src/engine/timers.ts";
import { type CheckPlan, nextPause, VERDICT, VERDICTS } from "../../src/io/check_plan.ts";
import { SelfCheck } from "../../src/io/self_check.ts";

const BEAT_MS = 500;
const target = (address: string) => ({ address, port: 53, mark: 0x53 });

function plan(addresses: readonly string[], changes: Partial<CheckPlan> = {}): CheckPlan {
  return {
    targets: addresses.map(target),
    beats: addresses.map((entry, i) => ({ list: "nodens", entry, target: i })),
    leaveEntries: false,
    watchdog: null,
    peers: [],
    verdicts: new SharedArrayBuffer(8 * (VERDICTS.FIRST_TARGET + 2 * addresses.length)),
    ...changes,
  };
}

/** A check whose loop runs every millisecond, with listeners and lists in memory. */
class Thread {
  readonly timers = new Timers();
  nowMs = 1e6;
  readonly alive = new Set<string>();
  readonly written: string[] = [];
  readonly logs: string[] = [];
  readonly unwritable: string[] = [];
  /** Lists that refuse writes, by the order of opening. */
  readonly broken = new Set<number>();
  missing = false;
  mayMark = true;
  open = 0;
  #lists = 0;
  readonly check = new SelfCheck({
    timers: this.timers,
    nowMs: () => this.nowMs,
    openProbe: ({ address }) => {
      if (!this.mayMark) throw new Error("Cannot mark a socket");
      if (address === "unreachable") return null;
      this.open++;
      return { answered: () => this.alive.has(address), close: () => void this.open-- };
    },
    openList: (list) => {
      if (this.missing) throw new Error(`Cannot open "${list}" for writing`);
      const number = ++this.#lists;
      return {
        write: (text) => !this.broken.has(number) && this.written.push(`${list} ${text}`) > 0,
        close: () => void this.written.push(`${list} closed`),
      };
    },
    openManager: (name) => {
      if (this.missing) throw new Error(`Cannot open "${name}"`);
      return {
        write: (bytes) => this.written.push(`${name} ${new TextDecoder().decode(bytes)}`) > 0,
        close: () => void this.written.push(`${name} closed`),
      };
    },
    log: (level, line) => void this.logs.push(`${level}: ${line}`),
    onUnwritable: (list) => void this.unwritable.push(list),
  });

  static following(addresses: readonly string[], changes?: Partial<CheckPlan>): Thread {
    const thread = new Thread();
    for (const address of addresses) thread.alive.add(address);
    thread.check.follow(plan(addresses, changes));
    return thread;
  }

  pass(ms: number, eachMs: () => void = () => {}): string[] {
    const before = this.written.length;
    for (let i = 0; i < ms; i++) {
      this.nowMs++;
      eachMs();
      this.timers.run(this.nowMs);
    }
    return this.written.slice(before);
  }

  /** Moves the clock while the loop hangs. */
  hang(ms: number): string[] {
    const before = this.written.length;
    this.nowMs += ms;
    return this.written.slice(before);
  }
}

Deno.test("self-check: every answer renews its entry, and nothing else does", () => {
  const thread = Thread.following(["10.96.0.10", "fd00::a"]);
  assert.deepEqual(thread.pass(490), ["nodens +10.96.0.10", "nodens +fd00::a"]);
  thread.alive.delete("10.96.0.10");
  assert.deepEqual(thread.pass(2 * BEAT_MS), ["nodens +fd00::a", "nodens +fd00::a"]);
  thread.alive.add("10.96.0.10");
  assert.deepEqual(thread.pass(BEAT_MS), ["nodens +10.96.0.10", "nodens +fd00::a"]);
  assert.deepEqual(thread.logs, [
    "info: fail-open: 10.96.0.10 answers, and takes its queries",
    "info: fail-open: fd00::a answers, and takes its queries",
    "warning: fail-open: 10.96.0.10 does not answer; its queries go elsewhere until it does",
    "info: fail-open: 10.96.0.10 answers, and takes its queries",
  ]);
});

Deno.test("self-check: an unreachable address counts as silent", () => {
  const thread = new Thread();
  const verdicts = new SharedArrayBuffer(8 * 5);
  thread.check.follow(plan(["unreachable"], { verdicts }));
  assert.deepEqual(thread.pass(BEAT_MS), []);
  assert.match(thread.logs[0]!, /unreachable does not answer/);
  assert.equal(new Float64Array(verdicts)[VERDICTS.FIRST_TARGET], VERDICT.SILENT);
});

Deno.test("self-check: a loop that hangs renews nothing until it runs again", () => {
  const thread = Thread.following(["10.96.0.10"]);
  thread.pass(BEAT_MS);
  assert.deepEqual(thread.hang(60_000), []);
  assert.ok(thread.pass(10).includes("nodens +10.96.0.10"));
  assert.equal(thread.logs.length, 1, "it was never silent");
});

Deno.test("self-check: an answer that arrived during a hang counts", () => {
  const thread = new Thread();
  thread.check.follow(plan(["10.96.0.10"]));
  thread.hang(60_000);
  thread.alive.add("10.96.0.10");
  assert.deepEqual(thread.pass(1), ["nodens +10.96.0.10"]);
});

Deno.test("self-check: the loops of all data planes must run", () => {
  const peers = [0, 1].map(() => new SharedArrayBuffer(8 * 32));
  const turns = (i: number) => new Float64Array(peers[i]!)[COUNTER.HEARTBEAT]!++;
  const watchdog = { socket: "/run/x", everyMs: 400 };
  const thread = Thread.following(["10.96.0.10"], { peers, watchdog });
  let hung = false;
  const both = () => {
    if (thread.nowMs % 1000 === 0) turns(0);
    if (thread.nowMs % 1000 === 500 && !hung) turns(1);
  };
  const well = thread.pass(4000, both);
  assert.equal(well.filter((text) => text === "nodens +10.96.0.10").length, 8);
  assert.equal(well.filter((text) => text.startsWith("/run/x")).length, 10);
  hung = true;
  thread.pass(3000, both);
  assert.deepEqual(thread.pass(2000, both), []);
  thread.check.follow(plan(["10.96.0.10"], { peers, watchdog }));
  assert.deepEqual(thread.pass(2000, both), []);
  assert.match(thread.logs.join("\n"), /10\.96\.0\.10 does not answer/);
  assert.match(thread.logs.join("\n"), /a data plane does not answer: the watchdog gets no sign/);
  hung = false;
  assert.ok(thread.pass(4000, both).includes("nodens +10.96.0.10"));
});

Deno.test("self-check: the watchdog is notified while the loop runs", () => {
  const thread = new Thread();
  const watchdog = { socket: "/run/x", everyMs: 100 };
  thread.check.follow(plan([], { watchdog }));
  assert.deepEqual(thread.written, ["/run/x WATCHDOG=1\n"]);
  assert.equal(thread.pass(1000).length, 10);
  assert.deepEqual(thread.hang(10_000), []);
  thread.check.follow(plan([]));
  assert.deepEqual(thread.pass(1000), []);
});

Deno.test("self-check: opening the watchdog's socket is retried at the next notification", () => {
  const thread = new Thread();
  thread.missing = true;
  thread.check.follow(plan([], { watchdog: { socket: "/run/x", everyMs: 100 } }));
  assert.deepEqual(thread.pass(1000), []);
  assert.deepEqual(thread.logs, [
    'warning: the watchdog gets no sign of life: Cannot open "/run/x"',
  ]);
  thread.missing = false;
  assert.equal(thread.pass(1000).length, 10);
});

Deno.test("self-check: verdicts, rounds and durations are written to shared memory", () => {
  const thread = new Thread();
  const verdicts = new SharedArrayBuffer(8 * 5);
  const values = new Float64Array(verdicts);
  thread.alive.add("127.0.0.1");
  let rounds = 0;
  thread.check.follow(plan(["127.0.0.1", "::1"], { beats: [], verdicts }), () => rounds++);
  thread.pass(10);
  assert.deepEqual([...values], [0, 0, 0, VERDICT.ANSWERS, VERDICT.UNKNOWN]);
  assert.equal(rounds, 0);
  thread.pass(970);
  assert.deepEqual([values[VERDICTS.ROUNDS], rounds], [1, 1]);
  assert.ok(values[VERDICTS.DURATION_MS]! >= 900);
  assert.deepEqual([...values.subarray(VERDICTS.FIRST_TARGET)], [VERDICT.ANSWERS, VERDICT.SILENT]);
  thread.alive.add("::1");
  thread.pass(100);
  assert.deepEqual([...values.subarray(VERDICTS.FIRST_TARGET)], [VERDICT.ANSWERS, VERDICT.ANSWERS]);
  assert.ok(values[VERDICTS.DURATION_MS]! < 10);
});

Deno.test("self-check: when entries were renewed is written to shared memory", () => {
  const thread = new Thread();
  const first = plan(["10.96.0.10", "fd00::a"]);
  thread.alive.add("10.96.0.10");
  thread.check.follow(first);
  thread.pass(1900);
  const agesMs = ({ verdicts, targets }: CheckPlan) => {
    const values = new Float64Array(verdicts);
    return [...values.subarray(VERDICTS.FIRST_TARGET + targets.length)]
      .map((renewedMs) => renewedMs === 0 ? null : values[VERDICTS.ROUND_MS]! - renewedMs);
  };
  const [age, never] = agesMs(first);
  assert.ok(age! < BEAT_MS && never === null, `${age} ${never}`);
  thread.alive.clear();
  thread.pass(3000);
  assert.ok(agesMs(first)[0]! > 2000);
  // A new plan does not renew the kernel's entries.
  const second = plan(["fd00::b", "10.96.0.10"]);
  thread.check.follow(second);
  thread.pass(1000);
  assert.equal(agesMs(second)[0], null);
  assert.ok(agesMs(second)[1]! > 3000);
  // A dropped one is removed.
  thread.check.follow(plan([]));
  const third = plan(["10.96.0.10"]);
  thread.check.follow(third);
  thread.pass(1000);
  assert.deepEqual(agesMs(third), [null]);
});

Deno.test("self-check: an entry that the kernel does not take is not renewed", () => {
  const thread = new Thread();
  const checked = plan(["10.96.0.10"]);
  thread.alive.add("10.96.0.10");
  thread.missing = true;
  thread.check.follow(checked);
  thread.pass(2000);
  assert.equal(new Float64Array(checked.verdicts).at(-1), 0);
});

Deno.test("self-check: an answer is not logged if its entry cannot be renewed", () => {
  const thread = new Thread();
  const found: unknown[] = [];
  thread.missing = true;
  thread.alive.add("10.96.0.10");
  thread.check.follow(plan(["10.96.0.10"]), (faults) => found.push(faults));
  thread.pass(2 * BEAT_MS);
  assert.deepEqual(found.splice(0), [{ nodens: 'Cannot open "nodens" for writing' }]);
  assert.deepEqual(thread.logs, []);
  assert.deepEqual(thread.unwritable, ["nodens"], "reported once");
  thread.missing = false;
  assert.deepEqual(thread.pass(BEAT_MS), ["nodens +10.96.0.10"]);
  thread.check.follow(plan(["10.96.0.10"]), (faults) => found.push(faults));
  thread.pass(10);
  assert.deepEqual(found, [{}]);
});

Deno.test("self-check: faults of lists are reported for each round", () => {
  const thread = new Thread();
  const found: unknown[] = [];
  const follow = () => thread.check.follow(plan(["10.96.0.10"]), (faults) => found.push(faults));
  thread.missing = true;
  thread.alive.add("10.96.0.10");
  follow();
  thread.pass(BEAT_MS);
  thread.missing = false;
  thread.alive.clear();
  follow();
  thread.pass(BEAT_MS);
  assert.deepEqual(found, [{ nodens: 'Cannot open "nodens" for writing' }, {}]);
});

Deno.test("self-check: a list that was removed and recreated is opened again", () => {
  const thread = Thread.following(["10.96.0.10"]);
  thread.pass(10);
  thread.broken.add(1);
  assert.deepEqual(thread.pass(BEAT_MS), ["nodens closed", "nodens +10.96.0.10"]);
  assert.deepEqual(thread.unwritable, []);
});

Deno.test("self-check: entries missing in a plan are removed, unless another process renews them", () => {
  const thread = Thread.following(["10.96.0.10", "169.254.20.10"]);
  thread.pass(10);
  thread.check.follow(plan(["169.254.20.10"]));
  assert.deepEqual(thread.written.slice(2), ["nodens -10.96.0.10"]);
  assert.deepEqual(thread.pass(10), ["nodens +169.254.20.10"]);
  const before = thread.written.length;
  thread.check.follow(plan([], { leaveEntries: true }));
  assert.deepEqual(thread.written.slice(before), ["nodens closed"]);
  thread.check.follow(plan(["10.96.0.10"]));
  thread.check.follow(plan([]));
  assert.deepEqual(thread.written.slice(before + 1), ["nodens -10.96.0.10", "nodens closed"]);
  assert.deepEqual(thread.pass(2000), []);
  assert.equal(thread.open, 0);
});

Deno.test("self-check: a process that cannot send probes reports a fault", () => {
  const thread = new Thread();
  thread.mayMark = false;
  const found: unknown[] = [];
  thread.check.follow(plan(["10.96.0.10"]), (faults) => found.push(faults));
  assert.deepEqual(found, [{ nodens: "Cannot mark a socket" }]);
  assert.deepEqual([thread.written, thread.logs], [[], []]);
});

Deno.test("self-check: stopping closes everything, and entries expire", () => {
  const watchdog = { socket: "/run/x", everyMs: 100 };
  const thread = Thread.following(["10.96.0.10"], { watchdog });
  thread.pass(10);
  thread.check.follow(plan(["::1"], { watchdog }));
  const before = thread.written.length;
  thread.check.end();
  assert.deepEqual(thread.written.slice(before), ["nodens closed", "/run/x closed"]);
  assert.deepEqual(thread.pass(2000), []);
  assert.equal(thread.open, 0);
});

Deno.test("self-check: pauses between polls of a probe double up to a bound", () => {
  const pauses: number[] = [];
  for (let pauseMs = 0; pauses.length < 8;) pauses.push(pauseMs = nextPause(pauseMs));
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 32, 32]);
});
