import assert from "node:assert/strict";
import { KernelFile, readKernelFile } from "../../src/sys/kernel_file.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

const onLinux = skipUnlessLinux();

Deno.test({
  name: "a kernel file has the same content as with Deno and all permissions",
  ...onLinux,
  fn: () => {
    for (const path of ["/proc/version", "/proc/self/cgroup"]) {
      assert.equal(readKernelFile(path), Deno.readTextFileSync(path));
    }
  },
});

Deno.test({
  name: "a missing kernel file is an error with its path",
  ...onLinux,
  fn: () => assert.throws(() => readKernelFile("/proc/nothing"), /"\/proc\/nothing"/),
});

Deno.test({
  name: "an open kernel file reports refused writes",
  ...onLinux,
  fn: () => {
    for (const [path, taken] of [["/dev/null", true], ["/dev/full", false]] as const) {
      const file = new KernelFile(path);
      assert.equal(file.write("+192.0.2.1"), taken);
      file.close();
    }
    assert.throws(() => new KernelFile("/proc/nothing"), /"\/proc\/nothing" for writing/);
  },
});
