import assert from "node:assert/strict";
import { corefile, KernelWorld, shaped } from "../../support/kernel/kernel_world.ts";
import { replying } from "../../support/simulation/cache_world.ts";
import { soa } from "../../support/messages/messages.ts";
import { SNAPSHOT_START } from "../../../src/plugins/cache/persist/requests.ts";
import { MAX_SLICE_SIZE } from "../../../src/plugins/cache/persist/snapshot_file.ts";

const PREFERS = corefile({ cache: "serve_stale 1h\n serve_stale_policy prefer_positive" });

/** Asks the handler of `cache`, like the control plane. */
function askCache({ simulation: { engine: { blocks } } }: KernelWorld, request: unknown): unknown {
  const position = blocks.config.blocks[0]!.plugins.findIndex(({ name }) => name === "cache");
  return blocks.ask(0, position, request);
}

Deno.test("kernel hits: a positive answer from a file replaces a published denial", () => {
  const denied = replying({ rcode: 3, authorities: [soa("example.org", 300)] });
  const before = new KernelWorld(PREFERS, { behaviour: shaped });
  const after = new KernelWorld(PREFERS, { behaviour: denied });
  before.publish({});
  after.publish({});
  assert.notEqual(after.kernel({}), null);
  const memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
  const saved = askCache(before, { type: "save", memory, from: SNAPSHOT_START });
  const { sizeBytes } = saved as { sizeBytes: number };
  const slice = { sizeBytes, from: 0, most: 100, elapsedTenths: 0 };
  const loaded = askCache(after, { type: "load", memory, ...slice });
  assert.equal((loaded as { taken: number }).taken, 1);
  assert.equal(after.kernel({}), null);
  after.publish({});
  assert.deepEqual(after.kernel({}), after.ask({}));
});
