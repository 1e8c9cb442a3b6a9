import { PATIENCE } from "../support/run/patience.ts";
import assert from "node:assert/strict";
import { AF, EFD_NONBLOCK, ERRNO, SOCK } from "../../src/sys/constants.ts";
import { cString, lastErrno, openLibc } from "../../src/sys/libc.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

const ROUNDS = Math.ceil(2000 / PATIENCE);
const BAD_DESCRIPTOR = 9;
const INVALID = 22;

/** Calls that fail in three ways while V8 collects garbage; returns wrong error numbers. */
function misread(): string[] {
  const libc = openLibc();
  const fd = libc.eventfd(0, EFD_NONBLOCK);
  const word = new Uint8Array(8);
  const wrong: string[] = [];
  const expect = (result: number, errno: number, got: number) => {
    if (result !== -1 || errno !== got) wrong.push(`${result}: ${got} for ${errno}`);
  };
  let garbage: unknown[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    expect(libc.read(fd, word, 8), ERRNO.AGAIN, lastErrno());
    expect(libc.read(-1, word, 8), BAD_DESCRIPTOR, lastErrno());
    expect(libc.socket(AF.INET, SOCK.STREAM, 0x7fff), INVALID, lastErrno());
    for (let n = 0; n < 100; n++) garbage.push({ n, text: `${n}`, bytes: new Uint8Array(100) });
    if (garbage.length > 10_000) garbage = [];
  }
  libc.close(fd);
  return wrong;
}

Deno.test({
  name: "a function of glibc is opened when it is first used, and once",
  ...skipUnlessLinux(),
  fn() {
    const libc = openLibc();
    assert.ok(!Object.hasOwn(libc, "if_nametoindex"));
    const opened = libc.if_nametoindex;
    assert.ok(Object.hasOwn(libc, "if_nametoindex"));
    assert.equal(libc.if_nametoindex, opened);
    assert.ok(opened(cString("lo")) > 0);
  },
});

Deno.test({
  name: "errno belongs to the previous call, whatever V8 does meanwhile",
  ...skipUnlessLinux(),
  fn: () => assert.deepEqual(misread(), []),
});

Deno.test({
  name: "errno belongs to the thread, from its first call on",
  ...skipUnlessLinux(),
  async fn() {
    const path = new URL("./errno_worker.ts", import.meta.url);
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(path, { type: "module" });
      const read = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
      worker.terminate();
      assert.deepEqual(read, [BAD_DESCRIPTOR, ERRNO.AGAIN, BAD_DESCRIPTOR, ERRNO.AGAIN]);
    }
  },
});
