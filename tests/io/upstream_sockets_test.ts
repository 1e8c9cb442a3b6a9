import assert from "node:assert/strict";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../src/engine/io.ts";
import { EFD_NONBLOCK } from "../../src/sys/constants.ts";
import { type Libc, openLibc } from "../../src/sys/libc.ts";
import { Poller } from "../../src/io/linux/poller.ts";
import { UpstreamSockets } from "../../src/io/linux/upstream_sockets.ts";
import { Address, parseAddress } from "../../src/dns/address.ts";
import { Memory } from "../../src/engine/memory.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

const onLinux = skipUnlessLinux();

function endpointOf(text: string, port: number, source: string | null = null): Endpoint {
  const address = new Address();
  const bytes = parseAddress(text)!;
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.port = port;
  let from: Address | null = null;
  if (source !== null) {
    from = new Address();
    from.family = 4;
    from.bytes.set(parseAddress(source)!);
  }
  return { address, scope: "", source: from, tls: null };
}

/** As after two rounds of the poller. */
function rest(sockets: UpstreamSockets): void {
  sockets.settle(0);
  sockets.settle(0);
}

const nobody: DatagramHandler = { reply() {}, failed() {} };

Deno.test(
  "sockets of one address family do not use up the places of the other for ever",
  onLinux,
  () => {
    const libc = openLibc();
    const poller = new Poller(libc);
    const sockets = new UpstreamSockets(libc, poller, 4);
    const four = endpointOf("127.0.0.1", 9);
    const six = endpointOf("::1", 9);
    const open = [1, 2, 3, 4].map(() => sockets.open(four, nobody));
    assert.equal(sockets.open(four, nobody), NO_SOCKET);
    for (const index of open) sockets.release(index);
    rest(sockets);
    try {
      assert.ok(
        sockets.open(six, nobody) >= 0,
        "no socket for IPv6, although none at all is in use",
      );
    } finally {
      sockets.close();
      poller.close();
    }
  },
);

Deno.test(
  "datagrams that came for one query do not reach the next one on the same socket",
  onLinux,
  async () => {
    const libc = openLibc();
    const poller = new Poller(libc);
    const sockets = new UpstreamSockets(libc, poller, 4);
    const server = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const endpoint = endpointOf("127.0.0.1", (server.addr as Deno.NetAddr).port);
    const packet = new Memory(64);
    const got: string[] = [];
    const first: DatagramHandler = {
      reply(memory) {
        got.push(`first ${memory.bytes[0]}`);
        sockets.release(socket);
        // As a lookup does that asks again, or the next query of the same turn of the loop.
        sockets.open(endpoint, {
          reply: (memory) => got.push(`second ${memory.bytes[0]}`),
          failed() {},
        });
      },
      failed() {},
    };
    const socket = sockets.open(endpoint, first);
    sockets.send(socket, packet, 0, 20);
    const [, from] = await server.receive();
    for (let i = 1; i <= 4; i++) await server.send(Uint8Array.of(i, 0, 0, 0), from);
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let i = poller.wait(0) - 1; i >= 0; i--) poller.dispatch(i);
    try {
      assert.deepEqual(got, ["first 1"]);
    } finally {
      server.close();
      sockets.close();
      poller.close();
    }
  },
);

Deno.test(
  "an ICMP error for one query does not fail the next one on the same socket",
  onLinux,
  async () => {
    const libc = openLibc();
    const poller = new Poller(libc);
    const sockets = new UpstreamSockets(libc, poller, 1);
    const server = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const well = endpointOf("127.0.0.1", (server.addr as Deno.NetAddr).port);
    const gone = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const dead = endpointOf("127.0.0.1", (gone.addr as Deno.NetAddr).port);
    gone.close();
    const packet = new Memory(64);
    const socket = sockets.open(dead, nobody);
    assert.ok(sockets.send(socket, packet, 0, 20));
    await new Promise((resolve) => setTimeout(resolve, 20));
    // The reply of another upstream ends the lookup before this socket's event is looked at.
    sockets.release(socket);
    assert.equal(sockets.open(dead, nobody), NO_SOCKET, "it rests");
    for (let i = poller.wait(0) - 1; i >= 0; i--) poller.dispatch(i);
    rest(sockets);
    let failed = false;
    const next = sockets.open(well, { reply() {}, failed: () => failed = true });
    const sent = sockets.send(next, packet, 0, 20);
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let i = poller.wait(0) - 1; i >= 0; i--) poller.dispatch(i);
    try {
      assert.deepEqual({ sent, failed }, { sent: true, failed: false });
    } finally {
      server.close();
      sockets.close();
      poller.close();
    }
  },
);

Deno.test(
  "a socket bound to a source address has a fresh port for each query",
  onLinux,
  async () => {
    const libc = openLibc();
    const poller = new Poller(libc);
    const sockets = new UpstreamSockets(libc, poller, 4);
    const server = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const endpoint = endpointOf("127.0.0.1", (server.addr as Deno.NetAddr).port, "127.0.0.5");
    const packet = new Memory(64);
    const ports = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const socket = sockets.open(endpoint, nobody);
      assert.ok(socket >= 0);
      sockets.send(socket, packet, 0, 20);
      const [, from] = await server.receive();
      ports.add(`${(from as Deno.NetAddr).hostname} ${(from as Deno.NetAddr).port}`);
      sockets.release(socket);
      rest(sockets);
    }
    try {
      assert.ok(ports.size >= 9, [...ports].join(", "));
      assert.ok([...ports].every((text) => text.startsWith("127.0.0.5 ")), [...ports].join(", "));
    } finally {
      server.close();
      sockets.close();
      poller.close();
    }
  },
);

Deno.test("sockets that a burst has opened are closed again, those in use are not", onLinux, () => {
  const libc = openLibc();
  const poller = new Poller(libc);
  const sockets = new UpstreamSockets(libc, poller, 500);
  const four = endpointOf("127.0.0.1", 9);
  try {
    const burst = Array.from({ length: 400 }, () => sockets.open(four, nobody));
    assert.equal(sockets.size, 400);
    const [busy, ...done] = burst;
    for (const index of done) sockets.release(index);
    rest(sockets);
    // Each second as many as take no time; what a second's traffic needs stays.
    const sizes: number[] = [];
    for (let second = 1; second <= 10; second++) {
      const used = Array.from({ length: 30 }, () => sockets.open(four, nobody));
      for (const index of used) sockets.release(index);
      rest(sockets);
      sockets.settle(second * 1000);
      sizes.push(sockets.size);
    }
    assert.deepEqual(sizes, [400, 336, 272, 208, 144, 95, 95, 95, 95, 95]);
    assert.equal(sockets.open(four, { reply() {}, failed() {} }) === busy, false);
    // Numbers are given out again.
    const again = Array.from({ length: 200 }, () => sockets.open(four, nobody));
    assert.ok(Math.max(...again) < 400);
    assert.equal(new Set([busy, ...again]).size, 201);
  } finally {
    sockets.close();
    poller.close();
  }
});

Deno.test(
  "a kind of socket that nobody needs any more keeps none, others keep theirs",
  onLinux,
  () => {
    const libc = openLibc();
    const poller = new Poller(libc);
    const sockets = new UpstreamSockets(libc, poller, 500);
    // Before and after a reload that changed source_address.
    const [old, now] = ["127.0.0.5", "127.0.0.6"].map((source) =>
      endpointOf("127.0.0.1", 9, source)
    );
    const use = (endpoint: Endpoint, count: number) => {
      const used = Array.from({ length: count }, () => sockets.open(endpoint, nobody));
      for (const index of used) sockets.release(index);
      rest(sockets);
    };
    try {
      use(old!, 70);
      use(now!, 70);
      for (let second = 1; second <= 62; second++) {
        // A server that is asked once in a while goes on having sockets.
        if (second % 30 === 0) use(now!, 1);
        sockets.settle(second * 1000);
        assert.ok(sockets.size >= 64);
      }
      assert.equal(sockets.size, 64, "those of the address that is used");
      use(old!, 1);
      assert.equal(sockets.size, 65, "an address that comes back has sockets again");
    } finally {
      sockets.close();
      poller.close();
    }
  },
);

Deno.test("an upstream without a route is not taken for a want of ports", onLinux, () => {
  const libc = openLibc();
  const poller = new Poller(libc);
  const sockets = new UpstreamSockets(libc, poller, 4);
  try {
    // The kernel lets nobody connect there who has not asked for broadcasts.
    assert.equal(sockets.open(endpointOf("255.255.255.255", 53), nobody), -1);
    assert.equal(sockets.open(endpointOf("127.0.0.1", 9), nobody) >= 0, true);
    // No address of this machine.
    assert.equal(sockets.open(endpointOf("127.0.0.1", 9, "192.0.2.1"), nobody), -1);
  } finally {
    sockets.close();
    poller.close();
  }
});

Deno.test(
  "a query that the kernel has no room for is lost on the way, and nobody to blame",
  onLinux,
  () => {
    const libc = openLibc();
    const poller = new Poller(libc);
    const fd = libc.eventfd(0, EFD_NONBLOCK);
    // What is wanted of these calls is errno: an empty eventfd says EAGAIN, no descriptor EBADF.
    const failing = { full: fd, broken: -1 };
    for (const [kind, where] of Object.entries(failing)) {
      const send = () => libc.read(where, new Uint8Array(8), 8);
      const sockets = new UpstreamSockets({ ...libc, send } as Libc, poller, 4);
      const socket = sockets.open(endpointOf("127.0.0.1", 9), nobody);
      const sent = sockets.send(socket, new Memory(64), 0, 20);
      assert.deepEqual([sent, sockets.lost], kind === "full" ? [true, 1] : [false, 0], kind);
      sockets.close();
    }
    poller.close();
    libc.close(fd);
  },
);
