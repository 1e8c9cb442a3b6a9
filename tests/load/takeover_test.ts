/** Hand-overs while queries come as fast as that is still worth a test: none is lost. */
import assert from "node:assert/strict";
import { until } from "../support/followed.ts";
import { skipUnless } from "../support/net_require.ts";
import { runDnsperf } from "../support/rig/dnsperf.ts";
import { house, NAMES, standsBy } from "../support/taking_turns.ts";

Deno.test({
  name: "ten hand-overs in a row under load lose no query, and the caches go along",
  ...skipUnless("dnsperf"),
  fn: async () => {
    const { port, upstream, start, end } = house();
    const done = Promise.withResolvers<void>();
    try {
      let serving = await start();
      const load = { server: "127.0.0.1", port, names: NAMES, timeoutSeconds: 5, clients: 4 };
      await runDnsperf({ ...load, qps: 1000, seconds: 1 });
      const before = upstream.counts.udp + upstream.counts.tcp;
      const runs = Promise.all([
        runDnsperf({ ...load, qps: 10_000, seconds: 60 }, done.promise),
        runDnsperf({ ...load, qps: 10_000, seconds: 60, tcp: true }, done.promise),
      ]);
      for (let turn = 0; turn < 10; turn++) {
        const next = await start();
        await until(() => standsBy(serving), "standing by");
        const status = await serving.stop();
        assert.equal(status.code, 0, serving.output);
        assert.doesNotMatch(serving.output, /\[(WARNING|ERROR)\]/);
        serving = next;
      }
      done.resolve();
      for (const { lost, sent, completed, rcodes, text } of await runs) {
        assert.ok(sent > 30_000, text);
        assert.equal(lost, 0, text);
        assert.deepEqual(rcodes, { NOERROR: completed }, text);
      }
      assert.equal(upstream.counts.udp + upstream.counts.tcp, before);
    } finally {
      done.resolve();
      await end();
    }
  },
});
