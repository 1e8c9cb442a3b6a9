import assert from "node:assert/strict";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../src/engine/io.ts";
import { Memory } from "../../src/engine/memory.ts";
import { Poller } from "../../src/io/linux/poller.ts";
import { UpstreamSockets } from "../../src/io/linux/upstream_sockets.ts";
import { EFD_NONBLOCK } from "../../src/sys/constants.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { parseSocketAddress } from "../../src/sys/sockaddr.ts";
import { changedLibc } from "../support/doubles/changed_libc.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

const onLinux = skipUnlessLinux();
const nobody: DatagramHandler = { reply() {}, failed() {} };
const packet = new Memory(64);

function endpointOf(host: string, port: number, from: string | null = null): Endpoint {
  const address = parseSocketAddress(openLibc(), host, port)!;
  const source = from === null ? null : parseSocketAddress(openLibc(), from, 0);
  return { address, scope: "", source, tls: null };
}

interface Rig {
  sockets: UpstreamSockets;
  server: Deno.DatagramConn;
  endpoint: Endpoint;
  /** Two rounds of the poller, after which released sockets can be reused. */
  rest(): void;
  poller: Poller;
  poll(): void;
}

function test(name: string, limit: number, use: (rig: Rig) => Promise<void> | void): void {
  Deno.test(name, onLinux, async () => {
    const libc = openLibc();
    const poller = new Poller(libc);
    const sockets = new UpstreamSockets(libc, poller, limit);
    const server = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const endpoint = endpointOf("127.0.0.1", (server.addr as Deno.NetAddr).port);
    const rest = () => {
      sockets.endRound(0);
      sockets.endRound(0);
    };
    const poll = () => {
      for (let i = poller.wait(20) - 1; i >= 0; i--) poller.dispatch(i);
    };
    try {
      await use({ sockets, server, endpoint, rest, poller, poll });
    } finally {
      server.close();
      sockets.close();
      poller.close();
    }
  });
}

test("free sockets of one address family are closed to open others", 4, ({ sockets, rest }) => {
  const four = endpointOf("127.0.0.1", 9);
  const open = [1, 2, 3, 4].map(() => sockets.open(four, nobody));
  assert.equal(sockets.open(four, nobody), NO_SOCKET);
  for (const index of open) sockets.release(index);
  rest();
  assert.ok(sockets.open(endpointOf("::1", 9), nobody) >= 0, "no socket is in use");
});

test(
  "datagrams for one query are not delivered to the next one on the same socket",
  4,
  async (rig) => {
    const { sockets, server, endpoint, poll } = rig;
    const got: string[] = [];
    const socket = sockets.open(endpoint, {
      reply(memory) {
        got.push(`first ${memory.bytes[0]}`);
        sockets.release(socket);
        // Like a retry, or the next query in the same turn of the loop.
        sockets.open(endpoint, {
          reply: (memory) => got.push(`second ${memory.bytes[0]}`),
          failed() {},
        });
      },
      failed() {},
    });
    sockets.send(socket, packet, 0, 20);
    const [, from] = await server.receive();
    for (let i = 1; i <= 4; i++) await server.send(Uint8Array.of(i, 0, 0, 0), from);
    poll();
    assert.deepEqual(got, ["first 1"]);
  },
);

test(
  "an ICMP error for one query does not fail the next one on the same socket",
  1,
  ({ sockets, endpoint, rest, poller, poll }) => {
    const gone = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const dead = endpointOf("127.0.0.1", (gone.addr as Deno.NetAddr).port);
    gone.close();
    const socket = sockets.open(dead, nobody);
    assert.ok(sockets.send(socket, packet, 0, 20));
    assert.equal(poller.wait(1000), 1, "the error");
    // The reply of another upstream ends the query before this socket's event is dispatched.
    sockets.release(socket);
    assert.equal(sockets.open(dead, nobody), NO_SOCKET, "it rests");
    poll();
    rest();
    let failed = false;
    const next = sockets.open(endpoint, { reply() {}, failed: () => failed = true });
    const sent = sockets.send(next, packet, 0, 20);
    poll();
    assert.deepEqual({ sent, failed }, { sent: true, failed: false });
  },
);

test("a socket bound to a source address has a fresh port for each query", 4, async (rig) => {
  const { sockets, server, endpoint: { address }, rest } = rig;
  const endpoint = endpointOf("127.0.0.1", address.port, "127.0.0.5");
  const seen = new Set<string>();
  for (let i = 0; i < 10; i++) {
    const socket = sockets.open(endpoint, nobody);
    assert.ok(socket >= 0);
    sockets.send(socket, packet, 0, 20);
    const [, from] = await server.receive();
    seen.add(`${(from as Deno.NetAddr).hostname} ${(from as Deno.NetAddr).port}`);
    sockets.release(socket);
    rest();
  }
  assert.ok(seen.size >= 9, [...seen].join(", "));
  assert.ok([...seen].every((text) => text.startsWith("127.0.0.5 ")), [...seen].join(", "));
});

test("free sockets of a burst are closed gradually, and used ones stay open", 500, (rig) => {
  const { sockets, rest } = rig;
  const four = endpointOf("127.0.0.1", 9);
  const burst = Array.from({ length: 400 }, () => sockets.open(four, nobody));
  assert.equal(sockets.size, 400);
  const [busy, ...done] = burst;
  for (const index of done) sockets.release(index);
  rest();
  // As many each second as take no time; the sockets that a second's traffic needs stay.
  const sizes: number[] = [];
  for (let second = 1; second <= 10; second++) {
    const used = Array.from({ length: 30 }, () => sockets.open(four, nobody));
    for (const index of used) sockets.release(index);
    rest();
    sockets.endRound(second * 1000);
    sizes.push(sockets.size);
  }
  assert.deepEqual(sizes, [400, 336, 272, 208, 144, 95, 95, 95, 95, 95]);
  assert.equal(sockets.open(four, nobody) === busy, false);
  const again = Array.from({ length: 200 }, () => sockets.open(four, nobody));
  assert.ok(Math.max(...again) < 400);
  assert.equal(new Set([busy, ...again]).size, 201);
});

test("sockets of an unused source address are closed, others stay open", 500, (rig) => {
  const { sockets, rest } = rig;
  const [old, now] = ["127.0.0.5", "127.0.0.6"].map((from) => endpointOf("127.0.0.1", 9, from));
  const use = (endpoint: Endpoint, count: number) => {
    const used = Array.from({ length: count }, () => sockets.open(endpoint, nobody));
    for (const index of used) sockets.release(index);
    rest();
  };
  use(old!, 70);
  use(now!, 70);
  for (let second = 1; second <= 62; second++) {
    if (second % 30 === 0) use(now!, 1);
    sockets.endRound(second * 1000);
    assert.ok(sockets.size >= 64);
  }
  assert.equal(sockets.size, 64, "those of the address that is used");
  use(old!, 1);
  assert.equal(sockets.size, 65, "an address that is used again");
});

test("an unreachable upstream does not count as a lack of ports", 4, ({ sockets }) => {
  // Connecting to it requires SO_BROADCAST.
  assert.equal(sockets.open(endpointOf("255.255.255.255", 53), nobody), -1);
  assert.equal(sockets.open(endpointOf("127.0.0.1", 9), nobody) >= 0, true);
  assert.equal(sockets.open(endpointOf("127.0.0.1", 9, "192.0.2.1"), nobody), -1);
});

Deno.test("a query that does not fit into the kernel's buffer counts as lost", onLinux, () => {
  const libc = openLibc();
  const poller = new Poller(libc);
  const fd = libc.eventfd(0, EFD_NONBLOCK);
  // These calls set errno: an empty eventfd to EAGAIN, an invalid descriptor to EBADF.
  for (const [where, expected] of [[fd, [true, 1]], [-1, [false, 0]]] as const) {
    const send = () => libc.read(where, new Uint8Array(8), 8);
    const sockets = new UpstreamSockets(changedLibc({ send }), poller, 4);
    const socket = sockets.open(endpointOf("127.0.0.1", 9), nobody);
    assert.deepEqual([sockets.send(socket, packet, 0, 20), sockets.lost], expected);
    sockets.close();
  }
  poller.close();
  libc.close(fd);
});
