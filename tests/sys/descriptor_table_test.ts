import assert from "node:assert/strict";
import { reserveDescriptors } from "../../src/sys/descriptor_table.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { skipUnlessLinux } from "../support/net_require.ts";

Deno.test({
  name: "the table of descriptors grows once, and nothing stays open; too many are no error",
  ...skipUnlessLinux(),
  async fn() {
    const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const size = () =>
      Number(/^FDSize:\s+(\d+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
    const [before, wanted] = [open(), 4 * size()];
    await reserveDescriptors(openLibc(), wanted);
    assert.ok(size() >= wanted, `${size()} of ${wanted}`);
    await reserveDescriptors(openLibc(), 2 ** 31 - 1);
    assert.equal(open(), before);
  },
});
