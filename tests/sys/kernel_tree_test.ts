import assert from "node:assert/strict";
import { KernelTree } from "../../src/sys/kernel_file.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

Deno.test({
  name: "kernel files, folders and links are read",
  ...skipUnlessLinux(),
  fn() {
    const tree = new KernelTree();
    assert.match(tree.read("/proc/self/status")!, new RegExp(`^Pid:\\s+${Deno.pid}$`, "m"));
    assert.ok(tree.list("/proc").includes(String(Deno.pid)));
    assert.ok(tree.list("/proc/self/fd").length >= 3);
    assert.equal(tree.readLink("/proc/self"), String(Deno.pid));
    // More than one chunk, with a character across their boundary.
    const file = Deno.makeTempFileSync({ prefix: "nodens_tree_" });
    try {
      const text = `x${"ä".repeat(100_000)}`;
      Deno.writeTextFileSync(file, text);
      assert.equal(tree.read(file), text);
    } finally {
      Deno.removeSync(file);
    }
    assert.equal(tree.read(file), null);
    assert.deepEqual(tree.list(file), []);
    assert.equal(tree.readLink("/proc"), null);
  },
});
