import assert from "node:assert/strict";
import { Poller } from "../../src/io/linux/poller.ts";
import { EFD_NONBLOCK, EPOLL } from "../../src/sys/constants.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

function withReady(count: number, use: (poller: Poller, calls: number[]) => void): void {
  const libc = openLibc();
  const poller = new Poller(libc);
  const fds = Array.from({ length: count }, () => libc.eventfd(1, EFD_NONBLOCK));
  const calls = fds.map(() => 0);
  fds.forEach((fd, i) => poller.add(fd, EPOLL.IN, { ready: () => void calls[i]!++ }));
  use(poller, calls);
  poller.close();
  for (const fd of fds) libc.close(fd);
}

const skip = skipUnlessLinux();

Deno.test("poller: a round ends after one wait if few descriptors are ready", skip, () => {
  for (const ready of [5, 31]) {
    withReady(ready, (poller, calls) => {
      assert.equal(poller.wait(0), ready);
      for (let i = 0; i < ready; i++) poller.dispatch(i);
      assert.deepEqual(calls, calls.map(() => 1));
      assert.ok(poller.roundOver);
    });
  }
});

Deno.test("poller: many ready descriptors are all dispatched, in bounded rounds", skip, () => {
  withReady(200, (poller, calls) => {
    const rounds: boolean[] = [];
    for (let turn = 0; turn < 16; turn++) {
      const count = poller.wait(0);
      assert.ok(count > 0 && count < 64);
      for (let i = 0; i < count; i++) poller.dispatch(i);
      rounds.push(poller.roundOver);
      if (poller.roundOver) assert.ok(calls.every((times) => times > 0));
    }
    assert.deepEqual(rounds, rounds.map((_, i) => i % 8 === 7));
  });
});
