/** The watch over the thread for TLS, in virtual time. */
import assert from "node:assert/strict";
import { TLS_STAT, tlsStatsMemory } from "../../../src/control/encrypted/stats.ts";
import { TlsWatch } from "../../../src/control/encrypted/watch.ts";

const HANGS = "has shown no life for 5 s";

function start(beats = 0) {
  const values = new Float64Array(tlsStatsMemory());
  // Those of the threads before count on.
  values[TLS_STAT.BEAT] = beats;
  const watch = new TlsWatch(values, 0);
  return { watch, beat: () => values[TLS_STAT.BEAT]!++ };
}

Deno.test("a thread for TLS has thirty seconds to start, and five once it has", () => {
  for (const beats of [0, 7]) {
    const { watch } = start(beats);
    for (let s = 1; s <= 30; s++) assert.equal(watch.check(s * 1000), null, `${s} s`);
    assert.equal(watch.check(31_000), "has not started within 30 s");
  }
  const { watch, beat } = start();
  for (let s = 1; s <= 20; s++) assert.equal(watch.check(s * 1000), null);
  beat();
  for (let s = 21; s <= 26; s++) assert.equal(watch.check(s * 1000), null, `${s} s`);
  assert.equal(watch.check(27_000), HANGS);
});

Deno.test("a control plane that is always late finds a thread for TLS that hangs all the same", () => {
  const { watch, beat } = start();
  beat();
  let looks = 0;
  let fault: string | null = null;
  for (; fault === null && looks < 20; looks++) fault = watch.check(looks * 2500);
  assert.equal(fault, HANGS);
  assert.ok(looks >= 6, `after ${looks} looks`);
});

Deno.test("a machine that was suspended does not make a thread for TLS hang", () => {
  const { watch, beat } = start();
  beat();
  assert.equal(watch.check(1000), null);
  assert.equal(watch.check(3_600_000), null);
  beat();
  assert.equal(watch.check(3_601_000), null);
});
