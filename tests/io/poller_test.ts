import assert from "node:assert/strict";
import { Poller } from "../../src/io/linux/poller.ts";
import { EFD_NONBLOCK, EPOLL } from "../../src/sys/constants.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

/** Descriptors that are ready, each counting how often it is told so. */
function watch(poller: Poller, count: number): { told: number[]; close: () => void } {
  const libc = openLibc();
  const fds = Array.from({ length: count }, () => libc.eventfd(1, EFD_NONBLOCK));
  const told = fds.map(() => 0);
  fds.forEach((fd, i) => poller.add(fd, EPOLL.IN, { ready: () => void told[i]!++ }));
  return { told, close: () => fds.forEach((fd) => libc.close(fd)) };
}

const skip = skipUnlessLinux();

Deno.test({
  name: "a few events are taken at a time, and a round ends once all have had their turn",
  ...skip,
  fn() {
    for (const { ready, waits } of [{ ready: 5, waits: 1 }, { ready: 31, waits: 1 }]) {
      const poller = new Poller(openLibc());
      const { told, close } = watch(poller, ready);
      assert.equal(poller.wait(0), ready);
      for (let i = 0; i < ready; i++) poller.dispatch(i);
      assert.deepEqual(told, told.map(() => waits));
      assert.ok(poller.roundOver);
      poller.close();
      close();
    }
  },
});

Deno.test({
  name: "where very much is ready, each has its turn, and rounds end all the same",
  ...skip,
  fn() {
    const poller = new Poller(openLibc());
    const { told, close } = watch(poller, 200);
    const rounds: boolean[] = [];
    for (let turn = 0; turn < 16; turn++) {
      const count = poller.wait(0);
      assert.ok(count > 0 && count < 64);
      for (let i = 0; i < count; i++) poller.dispatch(i);
      rounds.push(poller.roundOver);
      // Before a round is over everybody has been told.
      if (poller.roundOver) assert.ok(told.every((times) => times > 0));
    }
    assert.deepEqual(rounds.map((over, i) => over === (i % 8 === 7)), rounds.map(() => true));
    poller.close();
    close();
  },
});
