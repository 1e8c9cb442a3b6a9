import assert from "node:assert/strict";
import type { ListenerConfig } from "../../src/config/types.ts";
import { COUNTER } from "../../src/engine/counters.ts";
import type { Traffic } from "../../src/engine/engine.ts";
import { shareFiles } from "../../src/io/file_shares.ts";
import { PortableDriver } from "../../src/io/portable/driver.ts";
import { freePort } from "../support/servers/ports.ts";

/** An engine with a query in flight, so that removed listeners stay open for a while. */
const BUSY = {
  nowMs: 0,
  nextDeadlineMs: Infinity,
  waiting: 1,
  streams: { size: 0, retire() {}, drain() {} },
  values: new Float64Array(Math.max(...Object.values(COUNTER)) + 1),
} as unknown as Traffic;

Deno.test({
  name: "portable: a removed listener returns, and all stop, while its last answers are awaited",
  // The removed listener's socket is closed after six seconds.
  sanitizeOps: false,
  fn() {
    const panics: unknown[] = [];
    const driver = new PortableDriver({
      files: shareFiles(Infinity),
      now: () => performance.now(),
      afterLoop() {},
      onPanic: (error) => panics.push(error),
    });
    const at = (port: number) => [{ address: "127.0.0.1", port } as ListenerConfig];
    driver.attach(BUSY);
    try {
      driver.listen(at(freePort()));
      for (const port of [0, freePort(), freePort()]) {
        let taken = false;
        driver.change({ listeners: at(port) }, () => taken = true);
        assert.ok(taken);
      }
      driver.retireAll();
    } finally {
      driver.stop();
    }
    assert.deepEqual(panics, []);
  },
});
