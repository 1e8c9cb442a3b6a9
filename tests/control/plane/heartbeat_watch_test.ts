/** When a data plane is taken for dead, in virtual time. */
import assert from "node:assert/strict";
import { CHECK_MS, HeartbeatWatch } from "../../../src/control/plane/heartbeat_watch.ts";
import { COUNTER } from "../../../src/engine/counters.ts";

const HANG = "the data plane has not answered for 5 s";

/** A thread whose loop comes round when it is told to. */
class Thread {
  readonly values = new Float64Array(64);
  readonly watch = new HeartbeatWatch(this.values);
  nowMs = 1e6;

  constructor() {
    this.watch.begin(this.nowMs);
  }

  ready(): void {
    this.watch.ready(this.nowMs);
  }

  /** Lets seconds pass with a look at the end of each; returns what the last one found. */
  pass(seconds: number, { beats = false } = {}): string | null {
    let found: string | null = null;
    for (let i = 0; i < seconds && found === null; i++) {
      this.nowMs += CHECK_MS;
      if (beats) this.values[COUNTER.HEARTBEAT]!++;
      found = this.watch.check(this.nowMs);
    }
    return found;
  }
}

Deno.test("a thread that is slow to start is not dead, and has all the time from then on", () => {
  const thread = new Thread();
  assert.equal(thread.pass(29), null);
  assert.equal(thread.watch.ageMs(thread.nowMs), 29_000);
  thread.ready();
  assert.equal(thread.watch.ageMs(thread.nowMs), 0);
  assert.equal(thread.pass(5), null);
  assert.equal(thread.pass(1), HANG);
});

Deno.test("a thread that never starts is dead", () => {
  const thread = new Thread();
  assert.equal(thread.pass(30), null);
  assert.equal(thread.pass(1), "the data plane has not started within 30 s");
});

Deno.test("a loop that comes round is well, and one that stops is dead", () => {
  const thread = new Thread();
  thread.ready();
  assert.equal(thread.pass(100, { beats: true }), null);
  assert.equal(thread.pass(5), null);
  assert.equal(thread.pass(1, { beats: true }), null);
  assert.equal(thread.pass(5), null);
  assert.equal(thread.pass(1), HANG);
});

Deno.test("a thread that takes the place of one that hung may be slow to start as well", () => {
  const thread = new Thread();
  thread.ready();
  assert.equal(thread.pass(6), HANG);
  thread.watch.begin(thread.nowMs);
  assert.equal(thread.pass(30), null);
});

Deno.test("a machine that was suspended costs no thread its life", () => {
  for (const ready of [false, true]) {
    const thread = new Thread();
    if (ready) thread.ready();
    thread.nowMs += 3_600_000;
    assert.equal(thread.watch.check(thread.nowMs), null);
    assert.equal(thread.pass(4), null);
  }
});

Deno.test("a control plane that is late again and again blames nobody who comes round", () => {
  const thread = new Thread();
  thread.ready();
  for (let i = 0; i < 50; i++) {
    thread.nowMs += 7_000;
    if (i % 3 === 0) thread.values[COUNTER.HEARTBEAT]!++;
    assert.equal(thread.watch.check(thread.nowMs), null, `look ${i}`);
  }
});

Deno.test("a control plane that is always late finds a dead data plane out all the same", () => {
  const thread = new Thread();
  thread.ready();
  const found: (string | null)[] = [];
  for (let i = 0; i < 6; i++) {
    thread.nowMs += 7_000;
    found.push(thread.watch.check(thread.nowMs));
  }
  assert.deepEqual(found, [null, null, null, null, null, HANG]);
});
