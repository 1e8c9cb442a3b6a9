import assert from "node:assert/strict";
import { PERMISSIONS } from "../../release/permissions.ts";
import { V8_FLAGS } from "../../release/v8_flags.ts";
import { GarbageWatch, RestCollector } from "../../src/sys/garbage.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

Deno.test("garbage watch: each limit of allocation causes a collection, every eighth a full one", () => {
  const collections: string[] = [];
  const watch = new GarbageWatch(100, ({ type }) => collections.push(type));
  for (let bytes = 0; bytes <= 850; bytes += 50) watch.look(bytes);
  assert.deepEqual(collections, [...Array(7).fill("minor"), "major"]);
  watch.look(5000);
  watch.look(5099);
  assert.equal(collections.length, 9);
});

Deno.test("garbage watch: a changed limit applies at once", () => {
  let collections = 0;
  const watch = new GarbageWatch(1000, () => collections++);
  watch.look(500);
  watch.limitBytes = 400;
  watch.look(500);
  assert.equal(collections, 1);
});

Deno.test("garbage watch: a heap that has grown by megabytes is collected once", () => {
  const MIB = 2 ** 20;
  let sizeBytes = 10 * MIB;
  let collections = 0;
  const collector = new RestCollector(() => sizeBytes, () => {
    collections++;
    sizeBytes = Math.min(sizeBytes, 7 * MIB);
  });
  const counts = [10, 10, 10.5, 11, 11, 8].map((size) => {
    sizeBytes = size * MIB;
    collector.look();
    return collections;
  });
  assert.deepEqual(counts, [1, 1, 1, 2, 3, 3]);
});

const BOUND_MB = 48;

for (const flags of [[], [V8_FLAGS]]) {
  Deno.test({
    name: `400 MiB of dropped buffers take at most ${BOUND_MB} MB, ${
      flags[0] ?? "without V8 flags"
    }`,
    ...skipUnlessLinux(),
    async fn() {
      const path = new URL("./garbage_child.ts", import.meta.url).pathname;
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", ...PERMISSIONS, "--quiet", "--no-check", ...flags, path],
      }).output();
      const grownMb = Number(new TextDecoder().decode(stdout));
      assert.ok(grownMb > 0 && grownMb < BOUND_MB, new TextDecoder().decode(stderr) + grownMb);
    },
  });
}
