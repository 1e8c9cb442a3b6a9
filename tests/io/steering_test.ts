import type { BoundSocket } from "../../src/io/sockets.ts";
import assert from "node:assert/strict";
import { bindListener, closeAll } from "../../src/io/linux/listen.ts";
import { dropSyns, steerAway } from "../../src/io/linux/steering.ts";
import { SOCK } from "../../src/sys/constants.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { SOCKADDR_SIZE } from "../../src/sys/sockaddr.ts";
import { freePort, haveIpv6 } from "../support/servers/ports.ts";
import { isLinux, skipFor, skipUnlessLinux } from "../support/run/require.ts";

const onLinux = skipUnlessLinux();

/** Listening sockets at one address; for the kernel they may belong to several processes. */
function listening(address: string, port: number, count: number): BoundSocket[] {
  return Array.from({ length: count }, () => bindListener(openLibc(), { address, port, index: 0 }))
    .flat();
}

/** Accepts and closes the connections waiting at each socket; returns their numbers. */
function accepted(sockets: readonly BoundSocket[]): number[] {
  const libc = openLibc();
  return sockets.filter(({ kind }) => kind === "tcp").map(({ fd }) => {
    for (let count = 0;; count++) {
      const name = new Uint8Array(SOCKADDR_SIZE);
      const size = new Uint32Array([SOCKADDR_SIZE]);
      const connection = libc.accept4(fd, name, size, SOCK.CLOEXEC);
      if (connection < 0) return count;
      libc.close(connection);
    }
  });
}

async function connect(hostname: string, port: number, times: number): Promise<void> {
  for (let i = 0; i < times; i++) (await Deno.connect({ hostname, port })).close();
}

function takesFilters(): boolean {
  if (!isLinux()) return false;
  const libc = openLibc();
  const sockets = listening("127.0.0.1", freePort(), 1);
  const taken = dropSyns(libc, tcpOf(sockets));
  closeAll(libc, sockets);
  return taken;
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
const tcpOf = (sockets: readonly BoundSocket[]) => sockets.find(({ kind }) => kind === "tcp")!.fd;

for (const [own, others] of [[1, 1], [1, 3], [3, 1], [2, 2], [4, 3]] as const) {
  for (const address of ["127.0.0.1", ...haveIpv6() ? ["::1"] : []]) {
    Deno.test({
      name:
        `steering: of ${own} and ${others} sockets at ${address}, the others get all connections`,
      ...onLinux,
      fn: async () => {
        const libc = openLibc();
        const port = freePort();
        const mine = listening(address, port, own);
        const theirs = listening(address, port, others);
        try {
          await connect(address, port, 50);
          assert.equal(sum(accepted([...mine, ...theirs])), 50);
          const fd = tcpOf(mine);
          assert.equal(steerAway(libc, fd, { own, others }), true);
          await connect(address, port, 50);
          assert.equal(sum(accepted(mine)), 0);
          assert.equal(sum(accepted(theirs)), 50);
          closeAll(libc, mine.splice(0));
          await connect(address, port, 200);
          const counts = accepted(theirs);
          assert.equal(sum(counts), 200);
          // The program no longer chooses, so each gets a share.
          assert.ok(counts.every((count) => count > 0), counts.join(" "));
        } finally {
          closeAll(libc, [...mine, ...theirs]);
        }
      },
    });
  }
}

Deno.test({
  name: "steering: in another order, a connection waits until the socket is closed",
  ...skipFor(
    takesFilters() ? [] : ["the kernel requires NET_ADMIN for a filter at a TCP socket"],
  ),
  fn: async () => {
    const libc = openLibc();
    const port = freePort();
    const theirs = listening("127.0.0.1", port, 1);
    const mine = listening("127.0.0.1", port, 1);
    try {
      const fd = tcpOf(mine);
      steerAway(libc, fd, { own: 1, others: 1 });
      dropSyns(libc, fd);
      const connecting = connect("127.0.0.1", port, 1);
      assert.deepEqual(accepted([...mine, ...theirs]), [0, 0]);
      closeAll(libc, mine.splice(0));
      await connecting;
      assert.deepEqual(accepted(theirs), [1]);
    } finally {
      closeAll(libc, [...mine, ...theirs]);
    }
  },
});
