import assert from "node:assert/strict";
import { Address } from "../../src/dns/address.ts";
import { COUNTER } from "../../src/engine/counters.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { ClientDatagrams } from "../../src/io/linux/datagrams.ts";
import type { Poller, PollTarget } from "../../src/io/linux/poller.ts";
import { UpstreamSockets } from "../../src/io/linux/upstream_sockets.ts";
import type { BoundSocket } from "../../src/io/sockets.ts";
import { EPOLL, MMSGHDR } from "../../src/sys/constants.ts";
import type { Libc } from "../../src/sys/libc.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

const onLinux = skipUnlessLinux();

Deno.test("responses that the kernel refuses are counted, and the others are sent", onLinux, () => {
  let queries = 3;
  let sent = 0;
  const libc = {
    recvmmsg() {
      const count = queries;
      queries = 0;
      return count;
    },
    sendmmsg(_fd: number, _headers: Uint8Array, count: number) {
      if (count === 2) return -1;
      sent++;
      return 1;
    },
  } as unknown as Libc;
  const values = new Float64Array(32);
  const engine = { values, datagram: () => 12 } as unknown as Engine;
  const socket = { fd: 5, listener: 0, kind: "udp", family: 4, wildcard: false };
  new ClientDatagrams(libc, () => engine).drain(socket as unknown as BoundSocket);
  assert.equal(values[COUNTER.SENDS_LOST], 1);
  assert.equal(sent, 2);
});

Deno.test("after an exception the next datagrams have room for their addresses", onLinux, () => {
  const { size, nameLength } = MMSGHDR;
  const rooms: number[][] = [];
  const libc = {
    recvmmsg(_fd: number, headers: Uint8Array) {
      const view = new DataView(headers.buffer);
      const rows = [0, 1, 2].map((row) => row * size + nameLength);
      rooms.push(rows.map((at) => view.getUint32(at, true)));
      for (const at of rows) view.setUint32(at, 16, true);
      return rooms.length === 1 ? 3 : 0;
    },
    sendmmsg: (_fd: number, _headers: Uint8Array, count: number) => count,
  } as unknown as Libc;
  const engine = {
    values: new Float64Array(32),
    datagram(_listener: number, slot: number) {
      if (slot === 1) throw new Error("a panic");
      return 0;
    },
  } as unknown as Engine;
  const socket = { fd: 5, listener: 0, kind: "udp", family: 4, wildcard: false };
  const datagrams = new ClientDatagrams(libc, () => engine);
  assert.throws(() => datagrams.drain(socket as unknown as BoundSocket), /a panic/);
  datagrams.drain(socket as unknown as BoundSocket);
  assert.deepEqual(rooms[1], rooms[0]);
});

Deno.test("datagrams to a released socket are counted as late", onLinux, () => {
  const left = [40, 40];
  const libc = { socket: () => 7, connect: () => 0, recv: () => left.pop() ?? -1 };
  const targets: PollTarget[] = [];
  const add = (_fd: number, _events: number, target: PollTarget) => targets.push(target);
  const sockets = new UpstreamSockets(
    libc as unknown as Libc,
    { add } as unknown as Poller,
    4,
  );
  const endpoint = { address: new Address(), scope: "", source: null, tls: null };
  const unexpected = () => assert.fail("the query is over");
  sockets.release(sockets.open(endpoint, { reply: unexpected, failed: unexpected }));
  targets[0]!.ready(EPOLL.IN);
  assert.equal(sockets.late, 2);
});
