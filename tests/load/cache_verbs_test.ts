/** Commands about the cache under load. */
import assert from "node:assert/strict";
import { SnapshotWriter } from "../../src/plugins/cache/companion/snapshot_files.ts";
import { request } from "../control/operator/scene.ts";
import { runDnsperf } from "../support/namespaces/rig/dnsperf.ts";
import { makeCache, put, saveAll } from "../support/messages/snapshots.ts";
import { startNodens } from "../support/processes/nodens.ts";
import { skipUnless } from "../support/run/require.ts";
import { withFolder } from "../support/run/folder.ts";
import { until } from "../support/run/until.ts";

const ENTRIES = 200_000;
const ZONES = 20;
const QPS = 20_000;
const nameOf = (i: number) => `n${i}.z${i % ZONES}.example.org`;
/** Of the first zone, which is not flushed. */
const NAMES = Array.from({ length: 1000 }, (_, i) => nameOf(i * ZONES));

/** Writes a cache's file with names of many zones. */
async function writeCache(path: string): Promise<void> {
  const cache = makeCache({ seed: 1, capacity: ENTRIES });
  for (let i = 0; i < ENTRIES; i++) put(cache, { name: nameOf(i), ttlSeconds: 3600 });
  const writer = await SnapshotWriter.open(path, Date.now());
  for (const { bytes, entries } of saveAll(cache)) {
    await writer.add(bytes, { sizeBytes: bytes.length, entries, timeMs: Date.now() });
  }
  await writer.finish();
}

Deno.test({
  name: "flushes and dumps of a large cache under load lose no query",
  ...skipUnless("dnsperf"),
  fn: () =>
    withFolder(async (folder) => {
      await writeCache(`${folder}/cache`);
      const control = `${folder}/control.sock`;
      const nodens = await startNodens({
        corefile: (port) =>
          `.:${port} {
            bind 127.0.0.1
            cache {
              success 250000
              persist ${folder}/cache
            }
            whoami
          }\n`,
        args: ["-control", control],
      });
      const finished = Promise.withResolvers<void>();
      try {
        await until(() => nodens.output.includes(`restored ${ENTRIES} entries`));
        const load = { server: "127.0.0.1", port: nodens.port, names: NAMES, timeoutSeconds: 5 };
        const running = runDnsperf(
          { ...load, qps: QPS, seconds: 60, clients: 4 },
          finished.promise,
        );
        const dump = request(control, "/v1/dump");
        for (let zone = 1; zone < ZONES; zone++) {
          const target = `/v1/flush?zone=z${zone}.example.org`;
          const { answers } = JSON.parse((await request(control, target, { method: "POST" })).text);
          assert.equal(answers, ENTRIES / ZONES);
        }
        const dumped = (await dump).text.trimEnd().split("\n");
        // Entries that are flushed before the dump reaches them are missing.
        assert.ok(dumped.length >= ENTRIES / ZONES && dumped.length <= ENTRIES, `${dumped.length}`);
        finished.resolve();
        const { lost, sent, completed, rcodes, text } = await running;
        assert.ok(sent > QPS, text);
        assert.equal(lost, 0, text);
        assert.deepEqual(rcodes, { NOERROR: completed }, text);
      } finally {
        finished.resolve();
        await nodens.stop();
      }
    }),
});
