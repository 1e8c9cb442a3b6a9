import assert from "node:assert/strict";
import { reserveDescriptors } from "../../src/sys/descriptor_table.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { skipFor } from "../support/net_require.ts";

Deno.test({
  name: "the table of descriptors grows once, and nothing stays open; too many are no error",
  ...skipFor(Deno.build.os === "linux" ? [] : ["this is not Linux"]),
  async fn() {
    const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const size = () =>
      Number(/^FDSize:\s+(\d+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
    const [before, wanted] = [open(), 4 * size()];
    await reserveDescriptors(openLibc(), wanted);
    assert.ok(size() >= wanted, `${size()} of ${wanted}`);
    await reserveDescriptors(openLibc(), 2 ** 31 - 1);
    // The runtime may have closed some of its own meanwhile.
    assert.ok(open() <= before, `${open()} of ${before}`);
  },
});
