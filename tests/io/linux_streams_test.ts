/** Clients' streams of the Linux driver, without an engine. */
import assert from "node:assert/strict";
import { Address, parseAddress } from "../../src/dns/address.ts";
import { BufferPool } from "../../src/engine/buffer_pool.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Memory } from "../../src/engine/memory.ts";
import { Timers } from "../../src/engine/timers.ts";
import type { StreamHandler } from "../../src/engine/io.ts";
import { Poller, type PollTarget } from "../../src/io/linux/poller.ts";
import type { Stream } from "../../src/io/linux/stream.ts";
import { Streams } from "../../src/io/linux/streams.ts";
import { AF, EPOLL, ERRNO, SOCK } from "../../src/sys/constants.ts";
import { type Libc, openLibc } from "../../src/sys/libc.ts";
import { readSockaddr, SOCKADDR_SIZE, writeSockaddr } from "../../src/sys/sockaddr.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

/** One accepted connection, and its client. */
interface Rig {
  /** The C library of the streams; its calls may be replaced. */
  libc: { -readonly [Call in keyof Libc]: Libc[Call] };
  timers: Timers;
  streams: Streams;
  listener: PollTarget;
  /** Connections accepted so far. */
  accepted(): number;
  buffers: BufferPool;
  stream: Stream;
  client: Deno.TcpConn;
  /** What the stream's handler was told. */
  told: string[];
  /** Dispatches what epoll reports, until `holds`; throws where it does not come. */
  loop(holds: () => boolean): Promise<void>;
}

async function withStream(use: (rig: Rig) => Promise<void>): Promise<void> {
  const libc = { ...openLibc() };
  const poller = new Poller(libc);
  const buffers = new BufferPool(1 << 20);
  const told: string[] = [];
  const handler: StreamHandler = {
    data: (_memory, _offset, length) => told.push(`data ${length}`),
    ended: () => told.push("ended"),
    closed: (why) => told.push(why === undefined ? "closed" : `closed: ${why}`),
    drained: () => told.push("drained"),
  };
  let accepted = -1;
  let count = 0;
  const timers = new Timers();
  const engine = {
    nowMs: 0,
    timers,
    buffers,
    accept(_listener: number, id: number) {
      accepted = id;
      count++;
      return handler;
    },
  } as unknown as Engine;
  const streams = new Streams(libc, poller, () => engine, { mark: 0, mostUpstreams: 64 });
  const fd = libc.socket(AF.INET, SOCK.STREAM | SOCK.NONBLOCK, 0);
  const name = new Uint8Array(SOCKADDR_SIZE);
  const address = new Address();
  address.bytes.set(parseAddress("127.0.0.1")!);
  assert.equal(libc.bind(fd, name, writeSockaddr(address, name)), 0);
  assert.equal(libc.listen(fd, 8), 0);
  libc.getsockname(fd, name, new Uint32Array([SOCKADDR_SIZE]));
  readSockaddr(new DataView(name.buffer), 0, address);
  const { port } = address;
  const socket = { fd, kind: "tcp", listener: 0, port, family: 4, wildcard: false } as const;
  const listener = streams.listener(socket);
  poller.add(fd, EPOLL.IN, listener);
  const loop = async (holds: () => boolean) => {
    for (let i = 0; i < 500 && !holds(); i++) {
      const count = poller.wait(0);
      for (let n = 0; n < count; n++) poller.dispatch(n);
      if (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(holds(), "it does not come");
  };
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await loop(() => accepted >= 0);
    const stream = streams.get(accepted)!;
    await use({
      libc,
      timers,
      streams,
      listener,
      accepted: () => count,
      buffers,
      stream,
      client,
      told,
      loop,
    });
  } finally {
    streams.close();
    poller.close();
    libc.close(fd);
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
/** What the handler is told of a client's reset: which call meets it first is the kernel's affair. */
const GONE = /^closed: (connection reset by peer|broken pipe)$/;

/** Writes until something has to be queued; returns how much was written. */
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
  "what a client does not read lies in the kernel up to a bound, then in the queue",
  async (rig) => {
    const { stream, loop, told, client, buffers } = rig;
    let written = fill(stream);
    // The client's kernel may just have taken the rest; its room is bounded as well.
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
    assert.ok(buffers.bytes > 0, "the buffer is not kept");
    assert.deepEqual(told, ["drained"]);
  },
);

run(
  "what is written to a client that is gone is not queued",
  async ({ stream, loop, told, client }) => {
    // Something unread makes the kernel send a reset.
    stream.write(chunk, 0, 1000);
    client.close();
    for (let i = 0; i < 500 && stream.inKernel > 0; i++) {
      stream.write(chunk, 0, chunk.bytes.length);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    stream.write(chunk, 0, chunk.bytes.length);
    assert.deepEqual([stream.queued, stream.queueSize, stream.inKernel], [0, 0, 0]);
    await loop(() => told.length > 0);
    assert.match(told.join(), GONE);
  },
);

run(
  "what was queued for a client that goes is given back",
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

run("what is written behind one's own FIN ends the stream and is not queued", async (rig) => {
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
  // Unread octets make the close a reset.
  client.close();
  // The kernel has seen the reset, and epoll has not told of it yet.
  for (let i = 0; i < 500 && stream.inKernel > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  stream.write(chunk, 0, chunk.bytes.length);
  await loop(() => told.length > 0);
  assert.match(told.join(), GONE);
  assert.equal(stream.queueSize, 0);
  assert.ok(buffers.bytes > 0, "the buffer is not kept");
});

run("a connection that another process has accepted is no want of descriptors", async (rig) => {
  rig.listener.ready(EPOLL.IN);
  const { hostname, port } = rig.client.remoteAddr as Deno.NetAddr;
  const next = await Deno.connect({ hostname, port });
  // Time stands still here, so a pause would never end.
  await rig.loop(() => rig.accepted() === 2);
  next.close();
});

run("a connection to an upstream that fails at once says why", async ({ streams, loop }) => {
  const address = new Address();
  address.bytes.set(parseAddress("255.255.255.255")!);
  address.port = 53;
  const told: string[] = [];
  const endpoint = { address, scope: "", source: null, tls: null };
  streams.connect(endpoint, {
    data() {},
    ended() {},
    closed: (why) => told.push(`closed: ${why}`),
  });
  await loop(() => told.length > 0);
  assert.deepEqual(told, ["closed: network is unreachable"]);
});

run("the address of a client that is gone is still known", async ({ streams, stream, client }) => {
  const { port } = client.localAddr as Deno.NetAddr;
  stream.write(chunk, 0, 1000);
  client.close();
  await new Promise((resolve) => setTimeout(resolve, 10));
  const address = new Address();
  address.bytes.fill(9);
  streams.address(stream.id, "client", address);
  assert.equal(address.hostname(), "127.0.0.1");
  assert.equal(address.port, port);
});

run("a turn reads no more than forty queries or so", async ({ loop, told, client }) => {
  await client.write(new Uint8Array(5000));
  await loop(() => told.length >= 3);
  assert.deepEqual(told, ["data 2048", "data 2048", "data 904"]);
});

run("a stream that is closed at once leaves nothing in the kernel", async ({ stream, client }) => {
  fill(stream);
  stream.close(true);
  const buffer = new Uint8Array(1 << 20);
  await assert.rejects(async () => {
    for (let n: number | null = 1; n !== null;) n = await client.read(buffer);
  }, /reset/i);
});

/** Reads all that comes before the end; rejects where that is a reset. */
async function readAll(client: Deno.TcpConn): Promise<number> {
  const buffer = new Uint8Array(1 << 16);
  let read = 0;
  for (let n = await client.read(buffer); n !== null; n = await client.read(buffer)) read += n;
  return read;
}

run("FIN comes behind what was queued, and reading goes on", async (rig) => {
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

run("what came before the client's FIN is read behind one's own", async (rig) => {
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

run("a stream that is closed after FIN is gone", async ({ streams, stream, client, told }) => {
  stream.finish();
  assert.equal(await readAll(client), 0);
  stream.close(false);
  assert.equal(streams.get(stream.id), null);
  assert.deepEqual(told, []);
});

/** Fails as a call does for which the kernel has no memory. */
function noMemory(): number {
  setErrno(ERRNO.NOBUFS);
  return -1;
}

/** Sets this thread's errno, which nothing may touch until it is read. */
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
  "a stream outlives a want of memory in the kernel, and asks again after a pause",
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
    // epoll must not report it again and again, since it could be written to.
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
  "a connection that the kernel has no memory for is none, and no server's fault",
  ({ libc, streams }) => {
    const closed: number[] = [];
    const { close } = libc;
    libc.connect = noMemory;
    libc.close = (fd) => {
      closed.push(fd);
      return close(fd);
    };
    const endpoint = { address: new Address(), scope: "", source: null, tls: null };
    const nobody = { data() {}, ended() {}, closed: () => assert.fail("it was never there") };
    assert.equal(streams.connect(endpoint, nobody), -1);
    assert.equal(closed.length, 1);
    return Promise.resolve();
  },
);
