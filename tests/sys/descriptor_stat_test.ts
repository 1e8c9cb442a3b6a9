import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync } from "node:fs";
import { statDescriptor } from "../../src/sys/descriptor_stat.ts";

for (const path of [import.meta.filename!, "/dev/null", "/proc/self/status", "/tmp"]) {
  Deno.test(`statDescriptor: agrees with fstat on ${path.replace(/^.*tests/, "tests")}`, async () => {
    const descriptor = openSync(path, "r");
    try {
      const expected = fstatSync(descriptor, { bigint: true });
      assert.deepEqual(await statDescriptor(descriptor), {
        isFile: expected.isFile(),
        device: expected.dev,
        inode: expected.ino,
      });
    } finally {
      closeSync(descriptor);
    }
  });
}

Deno.test("statDescriptor: a closed descriptor gives null", async () => {
  assert.equal(await statDescriptor(900_000), null);
});
