import assert from "node:assert/strict";
import {
  readRegularFile,
  readRegularText,
  readRegularTextSync,
} from "../../src/sys/regular_file.ts";
import { specialFile, SPECIALS } from "../support/doubles/special_files.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

const onLinux = skipUnlessLinux();

for (const special of SPECIALS) {
  Deno.test(`${special} is not read, directly or through a link`, onLinux, async () => {
    await withFolder(async (folder) => {
      using made = specialFile(special, folder);
      const { path, what } = made;
      Deno.symlinkSync(path, `${folder}/link`);
      const expected = { message: `it is ${what}, not a regular file` };
      for (const name of [path, `${folder}/link`]) {
        assert.throws(() => readRegularTextSync(name, 100), expected);
        await assert.rejects(readRegularText(name, 100), expected);
        await assert.rejects(readRegularFile(name, 100), expected);
      }
    });
  });
}

Deno.test("a file may have the maximum size, but not one octet more", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/file`;
    const text = `${"x".repeat(65_535)}ä${"y".repeat(100_000)}`;
    Deno.writeTextFileSync(path, text);
    const { size } = Deno.statSync(path);
    assert.equal(readRegularTextSync(path, size), text);
    assert.equal(await readRegularText(path, size), text);
    const expected = { message: `it is larger than ${size - 1} bytes` };
    assert.throws(() => readRegularTextSync(path, size - 1), expected);
    await assert.rejects(readRegularText(path, size - 1), expected);
  });
});

Deno.test(
  "kernel files, whose declared size is 0, are bounded too",
  onLinux,
  async () => {
    const { length } = Deno.readTextFileSync("/proc/cpuinfo");
    assert.ok(length > 100);
    assert.equal(Deno.statSync("/proc/cpuinfo").size, 0);
    assert.match(readRegularTextSync("/proc/cpuinfo", 1 << 20), /processor/);
    assert.throws(() => readRegularTextSync("/proc/cpuinfo", 100), /larger than 100 bytes/);
    await assert.rejects(readRegularText("/proc/cpuinfo", 100), /larger than 100 bytes/);
  },
);

Deno.test("/dev/null is an empty file, also through a link", onLinux, async () => {
  await withFolder(async (folder) => {
    Deno.symlinkSync("/dev/null", `${folder}/link`);
    for (const path of ["/dev/null", `${folder}/link`]) {
      assert.equal(readRegularTextSync(path, 10), "");
      assert.equal(await readRegularText(path, 10), "");
    }
  });
});
