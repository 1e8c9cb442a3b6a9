import assert from "node:assert/strict";
import { Address } from "../../src/dns/address.ts";
import { BufferPool } from "../../src/engine/buffer_pool.ts";
import type { Engine } from "../../src/engine/engine.ts";
import type { StreamHandler } from "../../src/engine/io.ts";
import { Memory } from "../../src/engine/memory.ts";
import { Timers } from "../../src/engine/timers.ts";
import { bindListener, closeAll } from "../../src/io/linux/listen.ts";
import { Poller, type PollTarget } from "../../src/io/linux/poller.ts";
import type { Stream } from "../../src/io/linux/stream.ts";
import { Streams } from "../../src/io/linux/streams.ts";
import { EPOLL, ERRNO } from "../../src/sys/constants.ts";
import { parseSocketAddress } from "../../src/sys/sockaddr.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { type ChangedLibc, changedLibc } from "../support/doubles/changed_libc.ts";
import { skipUnlessLinux } from "../support/run/require.ts";
import { until } from "../support/run/until.ts";
import { freePort } from "../support/servers/ports.ts";

interface Rig {
  /** The C library of the streams; its functions can be replaced. */
  libc: ChangedLibc;
  timers: Timers;
  streams: Streams;
  listener: PollTarget;
  accepted(): number;
  buffers: BufferPool;
  stream: Stream;
  client: Deno.TcpConn;
  told: string[];
  /** Dispatches events until `holds`. */
  loop(holds: () => boolean): Promise<void>;
}

async function withStream(use: (rig: Rig) => Promise<void>): Promise<void> {
  const libc = changedLibc();
  const poller = new Poller(libc);
  const buffers = new BufferPool(1 << 20);
  const timers = new Timers();
  const told: string[] = [];
  const handler: StreamHandler = {
    data: (_memory, _offset, length) => told.push(`data ${length}`),
    ended: () => told.push("ended"),
    closed: (why) => told.push(why === undefined ? "closed" : `closed: ${why}`),
    drained: () => told.push("drained"),
  };
  const accepted: number[] = [];
  const accept = (_listener: number, id: number) => {
    accepted.push(id);
    return handler;
  };
  const engine = { nowMs: 0, timers, buffers, streams: { accept } } as unknown as Engine;
  const streams = new Streams(libc, poller, () => engine, { mark: 0, maxUpstreams: 64 });
  const port = freePort();
  const sockets = bindListener(libc, { address: "127.0.0.1", port, index: 0 });
  const socket = sockets.find(({ kind }) => kind === "tcp")!;
  const listener = streams.target(socket);
  poller.add(socket.fd, EPOLL.IN, listener);
  const loop = (holds: () => boolean) =>
    until(() => {
      if (holds()) return true;
      const count = poller.wait(0);
      for (let n = 0; n < count; n++) poller.dispatch(n);
      return holds();
    });
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await loop(() => accepted.length > 0);
    await use({
      ...{ libc, timers, streams, listener, buffers, client, told, loop },
      accepted: () => accepted.length,
      stream: streams.get(accepted[0]!)!,
    });
  } finally {
    streams.close();
    poller.close();
    closeAll(libc, sockets);
    try {
      client.close();
    } catch {
      // The test has closed it.
    }
  }
}

const onLinux = skipUnlessLinux();
const run = (name: string, use: (rig: Rig) => Promise<void>) =>
  Deno.test({ name, ...onLinux, fn: () => withStream(use) });

const chunk = new Memory(32 * 1024);
/** Reason after a client's reset: it depends on the call that detects it. */
const GONE = /^closed: (connection reset by peer|broken pipe)$/;

const SOL_TCP = 6;
const TCP_INFO = 11;
const TCP_CLOSE = 7;

/** Linux 5.10 counts unacknowledged octets even after a reset, so the queue does not tell. */
function stateOf(fd: number): number {
  const info = new Uint8Array(8);
  const size = new Uint8Array(new Uint32Array([info.length]).buffer);
  assert.equal(openLibc().getsockopt(fd, SOL_TCP, TCP_INFO, info, size), 0);
  return info[0]!;
}

function fill(stream: Stream): number {
  let written = 0;
  while (stream.queued === 0) {
    stream.write(chunk, 0, chunk.bytes.length);
    written += chunk.bytes.length;
    assert.ok(written <= 64 << 20, "the kernel takes everything");
  }
  return written;
}

run(
  "unread answers fill the kernel up to a bound, then the queue",
  async (rig) => {
    const { stream, loop, told, client, buffers } = rig;
    let written = fill(stream);
    // The client's kernel may just have received the rest; its buffer is bounded as well.
    while (stream.inKernel === 0) {
      await loop(() => told.includes("drained"));
      told.length = 0;
      written += fill(stream);
    }
    assert.ok(stream.inKernel <= 160 * 1024, `${stream.inKernel} bytes`);
    assert.ok(stream.queueSize >= stream.queued && stream.queued <= chunk.bytes.length);
    const buffer = new Uint8Array(written);
    let read = 0;
    const reading = (async () => {
      while (read < written) read += (await client.read(buffer))!;
    })();
    await loop(() => told.includes("drained"));
    await reading;
    assert.equal(stream.queueSize, 0);
    assert.ok(buffers.bytes > 0, "the buffer is returned");
    assert.deepEqual(told, ["drained"]);
  },
);

run(
  "data for a client that is gone is not queued",
  async ({ stream, loop, told, client }) => {
    // Unread data makes the kernel send a reset.
    stream.write(chunk, 0, 1000);
    client.close();
    await until(() => {
      stream.write(chunk, 0, chunk.bytes.length);
      return stream.inKernel === 0;
    });
    stream.write(chunk, 0, chunk.bytes.length);
    assert.deepEqual([stream.queued, stream.queueSize, stream.inKernel], [0, 0, 0]);
    await loop(() => told.length > 0);
    assert.match(told.join(), GONE);
  },
);

run(
  "the queue of a client that disappears is freed",
  async ({ stream, loop, told, client, buffers }) => {
    fill(stream);
    const { queueSize } = stream;
    client.close();
    await loop(() => told.length > 0);
    assert.match(told.join(), GONE);
    assert.equal(stream.queueSize, 0);
    assert.equal(buffers.bytes, queueSize);
  },
);

run("a write after FIN ends the stream and is not queued", async (rig) => {
  const { streams, stream, told, loop } = rig;
  stream.finish();
  stream.write(chunk, 0, 1000);
  assert.deepEqual([stream.queued, stream.inKernel], [0, 0]);
  await loop(() => told.length > 0);
  assert.deepEqual(told, ["closed: broken pipe"]);
  assert.equal(streams.get(stream.id), null);
});

run("a reset between two writes of one answer ends the stream", async (rig) => {
  const { stream, told, loop, client, buffers } = rig;
  fill(stream);
  // Unread data makes the kernel send a reset.
  client.close();
  // The kernel has received the reset, and epoll has not reported it yet.
  await until(() => stateOf(stream.fd) === TCP_CLOSE, "the reset");
  stream.write(chunk, 0, chunk.bytes.length);
  await loop(() => told.length > 0);
  assert.match(told.join(), GONE);
  assert.equal(stream.queueSize, 0);
  assert.ok(buffers.bytes > 0, "the buffer is returned");
});

run("a connection that another process accepted does not pause accepting", async (rig) => {
  rig.listener.ready(EPOLL.IN);
  const { hostname, port } = rig.client.remoteAddr as Deno.NetAddr;
  const next = await Deno.connect({ hostname, port });
  // The clock does not move, so a pause would never end.
  await rig.loop(() => rig.accepted() === 2);
  next.close();
});

run(
  "a connection to an upstream that fails at once reports the reason",
  async ({ streams, loop }) => {
    const address = parseSocketAddress(openLibc(), "255.255.255.255", 53)!;
    const told: string[] = [];
    const endpoint = { address, scope: "", source: null, tls: null };
    streams.connect(endpoint, {
      data() {},
      ended() {},
      closed: (why) => told.push(`closed: ${why}`),
    });
    await loop(() => told.length > 0);
    assert.deepEqual(told, ["closed: network is unreachable"]);
  },
);

run("the address of a client is known after it has gone", async ({ streams, stream, client }) => {
  const { port } = client.localAddr as Deno.NetAddr;
  stream.write(chunk, 0, 1000);
  client.close();
  await until(() => stateOf(stream.fd) === TCP_CLOSE, "the reset");
  const address = new Address();
  address.bytes.fill(9);
  streams.address(stream.id, "client", address);
  assert.equal(address.hostname(), "127.0.0.1");
  assert.equal(address.port, port);
});

run("one read of a client takes 2 KiB", async ({ loop, told, client }) => {
  await client.write(new Uint8Array(5000));
  await loop(() => told.length >= 3);
  assert.deepEqual(told, ["data 2048", "data 2048", "data 904"]);
});

run("closing abruptly discards the kernel's data", async ({ stream, client }) => {
  fill(stream);
  stream.close(true);
  const buffer = new Uint8Array(1 << 20);
  await assert.rejects(async () => {
    for (let n: number | null = 1; n !== null;) n = await client.read(buffer);
  }, /reset/i);
});

/** Number of bytes until the end; rejects for a reset. */
async function readAll(client: Deno.TcpConn): Promise<number> {
  const buffer = new Uint8Array(1 << 16);
  let read = 0;
  for (let n = await client.read(buffer); n !== null; n = await client.read(buffer)) read += n;
  return read;
}

run("FIN follows the queue, and reading continues", async (rig) => {
  const { stream, client, told, loop } = rig;
  const written = fill(stream);
  stream.finish();
  const reading = readAll(client);
  await loop(() => told.includes("drained"));
  assert.equal(await reading, written);
  await client.write(new Uint8Array(3));
  await loop(() => told.includes("data 3"));
  client.close();
  await loop(() => told.includes("closed"));
  assert.deepEqual(told, ["drained", "data 3", "ended", "closed"]);
});

run("data before the client's FIN is read after our own", async (rig) => {
  const { streams, stream, client, told, loop } = rig;
  stream.write(chunk, 0, 1000);
  stream.finish();
  await client.write(new Uint8Array(5000));
  await client.closeWrite();
  await loop(() => told.includes("closed"));
  assert.deepEqual(told, ["data 2048", "data 2048", "data 904", "ended", "closed"]);
  assert.equal(streams.get(stream.id), null);
  assert.equal(await readAll(client), 1000);
});

run("a stream that is closed after FIN is forgotten", async ({ streams, stream, client, told }) => {
  stream.finish();
  assert.equal(await readAll(client), 0);
  stream.close(false);
  assert.equal(streams.get(stream.id), null);
  assert.deepEqual(told, []);
});

/** A call that fails because the kernel has no memory. */
function noMemory(): number {
  setErrno(ERRNO.NOBUFS);
  return -1;
}

/** Sets this thread's errno, which must be read at once. */
function setErrno(value: number): void {
  const symbols = { __errno_location: { parameters: [], result: "pointer" } } as const;
  errno ??= new Int32Array(
    Deno.UnsafePointerView.getArrayBuffer(
      Deno.dlopen("libc.so.6", symbols).symbols.__errno_location()!,
      4,
    ),
  );
  errno[0] = value;
}
let errno: Int32Array | null = null;

run(
  "a stream survives a lack of kernel memory, and tries again after a pause",
  async (rig) => {
    const { libc, timers, stream, client, told, loop } = rig;
    const { send } = libc;
    let tries = 0;
    libc.send = () => {
      tries++;
      return noMemory();
    };
    stream.write(chunk, 0, 1000);
    stream.write(chunk, 0, 500);
    assert.equal(stream.queued, 1500);
    // epoll must not report it as writable meanwhile.
    await client.write(new Uint8Array(3));
    await loop(() => told.includes("data 3"));
    assert.equal(tries, 1);
    timers.run(1000);
    await loop(() => tries === 2);
    libc.send = send;
    timers.run(2000);
    await loop(() => told.includes("drained"));
    stream.finish();
    assert.equal(await readAll(client), 1500);
    assert.deepEqual(told, ["data 3", "drained"]);
  },
);

run(
  "a connection for which the kernel has no memory is not opened",
  ({ libc, streams }) => {
    const closed: number[] = [];
    const { close } = libc;
    libc.connect = noMemory;
    libc.close = (fd) => {
      closed.push(fd);
      return close(fd);
    };
    const endpoint = { address: new Address(), scope: "", source: null, tls: null };
    const nobody = { data() {}, ended() {}, closed: () => assert.fail("it was never open") };
    assert.equal(streams.connect(endpoint, nobody), -1);
    assert.equal(closed.length, 1);
    return Promise.resolve();
  },
);
