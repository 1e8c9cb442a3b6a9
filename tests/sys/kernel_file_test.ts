import assert from "node:assert/strict";
import { readKernelFile } from "../../src/sys/kernel_file.ts";

const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "a file of the kernel's is read as Deno reads it with every right",
  ignore,
  fn: () => {
    for (const path of ["/proc/version", "/proc/self/cgroup"]) {
      assert.equal(readKernelFile(path), Deno.readTextFileSync(path));
    }
  },
});

Deno.test({
  name: "a file of the kernel's that is not there is an error with its name",
  ignore,
  fn: () => assert.throws(() => readKernelFile("/proc/nothing"), /"\/proc\/nothing"/),
});
