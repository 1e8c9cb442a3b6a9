import assert from "node:assert/strict";
import { CHECK_MS, ThreadWatch } from "../../src/control/thread_watch.ts";
import { COUNTER } from "../../src/engine/counters.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

const HANG = "has not answered for 5 s";

class Thread {
  readonly values = new Float64Array(64);
  readonly clock = new VirtualClock({ nowMs: 1e6 });
  readonly watch = new ThreadWatch(this.values, this.clock);

  constructor({ started }: { started: boolean }) {
    this.watch.begin(started);
  }

  beat(): void {
    this.values[COUNTER.HEARTBEAT]!++;
  }

  async pass(seconds: number, { beats = false } = {}): Promise<string | null> {
    let fault: string | null = null;
    for (let i = 0; i < seconds && fault === null; i++) {
      if (beats) this.beat();
      fault = await this.check(CHECK_MS);
    }
    return fault;
  }

  async check(pauseMs: number): Promise<string | null> {
    await this.clock.advance(pauseMs);
    return this.watch.check();
  }
}

Deno.test("thread watch: a thread may start slowly, and has the full limit afterwards", async () => {
  const thread = new Thread({ started: false });
  assert.equal(await thread.pass(29), null);
  assert.equal(thread.watch.ageMs, 29_000);
  thread.watch.begin(true);
  assert.equal(thread.watch.ageMs, 0);
  assert.equal(await thread.pass(5), null);
  assert.equal(await thread.pass(1), HANG);
});

Deno.test("thread watch: a thread that never starts counts as dead after 30 s", async () => {
  const thread = new Thread({ started: false });
  assert.equal(await thread.pass(30), null);
  assert.equal(await thread.pass(1), "has not started within 30 s");
});

Deno.test("thread watch: a thread is alive while it sends heartbeats", async () => {
  const thread = new Thread({ started: true });
  assert.equal(await thread.pass(100, { beats: true }), null);
  assert.equal(await thread.pass(5), null);
  assert.equal(await thread.pass(1, { beats: true }), null);
  assert.equal(await thread.pass(5), null);
  assert.equal(await thread.pass(1), HANG);
});

Deno.test("thread watch: the replacement of a hung thread may start slowly", async () => {
  const thread = new Thread({ started: true });
  assert.equal(await thread.pass(6), HANG);
  thread.watch.begin(false);
  assert.equal(await thread.pass(30), null);
});

Deno.test("thread watch: no thread counts as dead because the machine was suspended", async () => {
  for (const started of [false, true]) {
    const thread = new Thread({ started });
    assert.equal(await thread.check(3_600_000), null);
    assert.equal(await thread.pass(4), null);
    thread.beat();
    assert.equal(await thread.pass(5), null);
  }
});

Deno.test("thread watch: a slow control plane does not report a thread with heartbeats", async () => {
  const thread = new Thread({ started: true });
  for (let i = 0; i < 50; i++) {
    if (i % 3 === 0) thread.beat();
    assert.equal(await thread.check(7000), null, `check ${i}`);
  }
});

Deno.test("thread watch: a slow control plane reports a dead thread", async () => {
  for (const pauseMs of [2500, 7000]) {
    const thread = new Thread({ started: true });
    const faults: (string | null)[] = [];
    for (let i = 0; i < 6; i++) faults.push(await thread.check(pauseMs));
    assert.deepEqual(faults, [null, null, null, null, null, HANG]);
  }
});
