import assert from "node:assert/strict";
import type { BpfArray } from "../../src/sys/bpf/bpf.ts";
import { frameOf, messageAt, queryMessage } from "../support/kernel/packets.ts";
import { kernelReasons, ProgramRig, VERDICT } from "../support/kernel/program_rig.ts";
import type { Replacing } from "../support/kernel/replacing_worker.ts";
import { skipFor } from "../support/run/require.ts";
import { viewOf } from "../support/messages/wire.ts";

const WORKER = new URL("../support/kernel/replacing_worker.ts", import.meta.url);
const NAME = "www.example.org";
/** They rest for a second: all of them are written, then all are written again, and so on. */
const SMALL_SLOTS = 4096;
const REPLACEMENTS = 3 * SMALL_SLOTS;
/** Many times what a slow machine needs. */
const MAX_RUNS = 50_000_000;

Deno.test({
  name: "an answer is whole while its entry is replaced in another thread",
  ...skipFor(kernelReasons()),
  async fn() {
    const rig = await ProgramRig.load(undefined, SMALL_SLOTS);
    // Memory that nobody has used.
    rig.set("GENERATION", 0);
    const worker = new Worker(WORKER, { type: "module" });
    try {
      const shared = new SharedArrayBuffer(8);
      const words = new Int32Array(shared);
      const map = (name: string): BpfArray => rig.maps.get(name)!;
      const [conf, buckets] = [map("conf"), map("buckets")];
      const maps = { conf, buckets, small: map("small"), large: map("large") };
      worker.postMessage({ maps, name: NAME, shared } satisfies Replacing);
      const frame = frameOf({ message: queryMessage({ name: NAME }) });
      const versions = new Set<number>();
      let answered = 0;
      for (let i = 0; Atomics.load(words, 1) < REPLACEMENTS && i < MAX_RUNS; i++) {
        const { verdict, packet } = rig.run(frame);
        if (verdict !== VERDICT.redirect) continue;
        answered++;
        const message = packet.subarray(messageAt(4));
        const body = message.subarray(frame.length - messageAt(4));
        const version = body[12]!;
        versions.add(version);
        const count = viewOf(message).getUint16(6);
        assert.deepEqual([count, body.length], [version % 5 + 1, count * 20], body.toHex());
        for (let k = 0; k < body.length; k++) {
          if (k % 20 >= 12) assert.equal(body[k], version, body.toHex());
        }
      }
      assert.ok(Atomics.load(words, 1) >= REPLACEMENTS, "entries were replaced");
      // How many depends on the processors that both threads get.
      assert.ok(answered > 1000 && versions.size > 1, `${answered}, ${versions.size} versions`);
      Atomics.store(words, 0, 1);
    } finally {
      worker.terminate();
      rig.close();
    }
  },
});
