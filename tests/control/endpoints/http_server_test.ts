import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { Address } from "../../../src/dns/address.ts";
import { HttpAddressServer } from "../../../src/control/endpoints/http/address.ts";
import { countHttp } from "../../../src/control/endpoints/http/counts.ts";
import { HTTP_LIMITS, type HttpLimits } from "../../../src/control/endpoints/http/limits.ts";
import { type HttpReply, textReply } from "../../../src/control/endpoints/http/message.ts";
import { HttpScheduler } from "../../../src/control/endpoints/http/scheduler.ts";
import { type HttpRoute, HttpServers } from "../../../src/control/endpoints/http_server.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { SeriesBook } from "../../../src/metrics/series.ts";
import { expose } from "../../../src/metrics/exposition.ts";
import { freePort } from "../../support/servers/ports.ts";
import { boundKernelBuffers } from "../../../src/control/endpoints/http/kernel_buffers.ts";
import { SO, SOL } from "../../../src/sys/constants.ts";
import { type Libc, openLibc } from "../../../src/sys/libc.ts";
import { readSockaddr, SOCKADDR_SIZE } from "../../../src/sys/sockaddr.ts";
import { RawHttp } from "./http_raw.ts";
import { skipUnlessLinux } from "../../support/run/require.ts";
import { until } from "../../support/run/until.ts";

const route = (host: string, port: number): HttpRoute => ({
  host,
  port,
  path: "/metrics",
  handler: () => textReply(200, "here"),
});

/** Servers with what they log and count. */
function make(limits: Partial<HttpLimits> = {}, maxConnections?: number) {
  const registry = new MetricRegistry();
  const lines: string[] = [];
  const servers = new HttpServers({
    registry,
    log: (_level, line) => lines.push(line),
    limits: { ...HTTP_LIMITS, ...limits },
    ...maxConnections !== undefined && { maxConnections },
  });
  const metric = (name: string): number => {
    const book = new SeriesBook();
    registry.collect(book);
    const line = expose(book, "text").split("\n").find((one) => one.startsWith(`${name} `));
    return Number(line?.split(" ")[1]);
  };
  return { registry, servers, lines, metric };
}

const closed = (reason: string) => `nodens_http_connections_closed_total{reason="${reason}"}`;

/** Reads it; a connection that waits at a server that closes is reset, and made again. */
async function read(port: number): Promise<string> {
  for (let attempt = 1;; attempt++) {
    try {
      return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
}

Deno.test("an address may be widened to all of its port, and narrowed again", async () => {
  const { servers } = make();
  const port = freePort();
  try {
    servers.apply([route("127.0.0.1", port)]);
    for (const host of ["", "127.0.0.1"]) {
      servers.apply([route(host, port)]);
      assert.equal(await read(port), "here");
    }
  } finally {
    await servers.stop(1000);
  }
});

Deno.test("an address that has just been given up can be had again", async () => {
  const { servers } = make();
  const port = freePort();
  try {
    servers.apply([route("127.0.0.1", port)]);
    assert.equal(await read(port), "here");
    servers.apply([]);
    servers.apply([route("127.0.0.1", port)]);
    assert.equal(await read(port), "here");
  } finally {
    await servers.stop(1000);
  }
});

Deno.test("a stranger's server on the port is no reason to share it, also where another port is ours", async () => {
  const { servers } = make();
  const [own, taken] = [freePort(), freePort()];
  const stranger = Deno.listen({ hostname: "127.0.0.1", port: taken });
  try {
    servers.apply([route("127.0.0.1", own)]);
    assert.throws(
      () => servers.apply([route("127.0.0.1", own), route("127.0.0.1", taken)]),
      /address already in use/,
    );
    assert.equal(await read(own), "here");
  } finally {
    stranger.close();
    await servers.stop(1000);
  }
});

const host = "Host: localhost\r\n";
const REQUESTS: { title: string; sent: string; status: number; closes: boolean; has?: RegExp }[] = [
  { title: "GET", sent: `GET /metrics HTTP/1.1\r\n${host}\r\n`, status: 200, closes: false },
  {
    title: "a query",
    sent: `GET /metrics?a=b HTTP/1.1\r\n${host}\r\n`,
    status: 200,
    closes: false,
  },
  {
    title: "an absolute URL",
    sent: `GET http://localhost:1/metrics HTTP/1.1\r\n${host}\r\n`,
    status: 200,
    closes: false,
  },
  { title: "lines without CR", sent: "GET /metrics HTTP/1.0\n\n", status: 200, closes: true },
  { title: "HTTP/1.0", sent: "GET /metrics HTTP/1.0\r\n\r\n", status: 200, closes: true },
  {
    title: "Connection: close",
    sent: `GET /metrics HTTP/1.1\r\n${host}Connection: x, Close\r\n\r\n`,
    status: 200,
    closes: true,
  },
  {
    title: "a body, which is ignored",
    sent: `GET /metrics HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`,
    status: 200,
    closes: true,
  },
  {
    title: "an upgrade to HTTP/2, which is ignored",
    sent: `GET /metrics HTTP/1.1\r\n${host}Connection: Upgrade, HTTP2-Settings\r\n` +
      "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
    status: 200,
    closes: false,
  },
  {
    title: "another path",
    sent: `GET /secret HTTP/1.1\r\n${host}\r\n`,
    status: 404,
    closes: false,
    has: /not found; try \/metrics \/fails\n$/,
  },
  {
    title: "POST",
    sent: `POST /metrics HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`,
    status: 405,
    closes: true,
    has: /^allow: GET, HEAD\r$/m,
  },
  { title: "no Host", sent: "GET /metrics HTTP/1.1\r\n\r\n", status: 400, closes: true },
  {
    title: "two Hosts",
    sent: `GET /metrics HTTP/1.1\r\n${host}${host}\r\n`,
    status: 400,
    closes: true,
  },
  {
    title: "a Host that is none",
    sent: "GET /metrics HTTP/1.1\r\nHost: a b[\r\n\r\n",
    status: 400,
    closes: true,
  },
  {
    title: "an IPv6 Host",
    sent: "GET /metrics HTTP/1.1\r\nHost: [::1]:9153\r\n\r\n",
    status: 200,
    closes: false,
  },
  {
    title: "an empty Host",
    sent: "GET /metrics HTTP/1.1\r\nHost:\r\n\r\n",
    status: 200,
    closes: false,
  },
  {
    title: "the preface of HTTP/2",
    sent: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    status: 505,
    closes: true,
  },
  { title: "noise", sent: "\x16\x03\x01\x02\x00\x01\r\n\r\n", status: 400, closes: true },
  { title: "a word", sent: "hello\r\n\r\n", status: 400, closes: true },
  {
    title: "a target that is no path",
    sent: `GET * HTTP/1.1\r\n${host}\r\n`,
    status: 400,
    closes: true,
  },
  {
    title: "a folded header",
    sent: `GET /metrics HTTP/1.1\r\n${host}A: b\r\n c\r\n\r\n`,
    status: 400,
    closes: true,
  },
  {
    title: "a header above 8 KiB",
    sent: `GET /metrics HTTP/1.1\r\n${host}A: ${"x".repeat(9000)}\r\n\r\n`,
    status: 431,
    closes: true,
  },
  {
    title: "a handler that fails",
    sent: `GET /fails HTTP/1.1\r\n${host}\r\n`,
    status: 500,
    closes: false,
    has: /log says more\n$/,
  },
];

Deno.test("requests of every kind get an answer, and never one that quotes them", async () => {
  const { servers, lines } = make();
  const port = freePort();
  const fails = () => Promise.reject(new Error("words of a file"));
  const failing = { ...route("127.0.0.1", port), path: "/fails", handler: fails };
  try {
    servers.apply([route("127.0.0.1", port), { ...failing, localOnly: true }]);
    for (const { title, sent, status, closes, has } of REQUESTS) {
      const client = await RawHttp.open(port);
      await client.send(sent);
      const response = await client.response();
      assert.match(response, new RegExp(`^HTTP/1\\.1 ${status} `), title);
      assert.equal(/^connection: close\r$/m.test(response), closes, title);
      if (status === 200) assert.ok(response.endsWith("\r\n\r\nhere"), title);
      if (has !== undefined) assert.match(response, has, title);
      assert.ok(!/secret|words|hello/.test(response), response);
      if (closes) {
        assert.equal(await client.rest(), "", title);
      } else {
        await client.send(`HEAD /metrics HTTP/1.1\r\n${host}\r\n`);
        await client.send(`GET /metrics HTTP/1.0\r\n\r\n`);
        const both = await client.rest();
        assert.match(
          both,
          /^HTTP\/1\.1 200 OK\r\n[^]*content-length: 4\r\n[^]*\r\n\r\nHTTP\/1/,
          title,
        );
        assert.ok(both.endsWith("\r\n\r\nhere"), both);
      }
      client.close();
    }
    assert.deepEqual(lines, ["an HTTP request failed: words of a file"]);
  } finally {
    await servers.stop(1000);
  }
});

Deno.test("what is for the loopback interface alone is not there for others", async () => {
  const { servers } = make();
  const port = freePort();
  const outside = Deno.networkInterfaces().find(({ family, address, name }) =>
    family === "IPv4" && name !== "lo" && !address.startsWith("127.")
  )?.address;
  const status: HttpRoute = { ...route("", port), path: "/status", localOnly: true };
  try {
    servers.apply([route("", port), status]);
    for (const hostname of ["127.0.0.1", "::1", ...outside === undefined ? [] : [outside]]) {
      const client = await RawHttp.open(port, hostname);
      await client.send(`GET /status HTTP/1.0\r\n\r\n`);
      const response = await client.rest();
      client.close();
      if (hostname !== outside) assert.match(response, /^HTTP\/1\.1 200 /, hostname);
      else assert.match(response, /^HTTP\/1\.1 404 [^]*not found; try \/metrics\n$/, hostname);
    }
  } finally {
    await servers.stop(1000);
  }
});

Deno.test("whoever hoards connections keeps nobody out", async () => {
  const { servers, metric } = make();
  const port = freePort();
  const held: RawHttp[] = [];
  try {
    servers.apply([route("127.0.0.1", port)]);
    for (let i = 0; i < 200; i++) {
      const client = await RawHttp.open(port);
      await client.send("GET /metrics HTTP/1.1\r\n");
      held.push(client);
      if (i % 20 === 0) assert.equal(await read(port), "here");
    }
    await until(() => metric("nodens_http_connections_total") >= 201);
    assert.ok(metric("nodens_http_connections") <= 64);
    assert.ok(metric(closed("full")) >= 200 - 64);
    // The oldest had to go.
    assert.equal(await held[0]!.response(), "");
  } finally {
    for (const client of held) client.close();
    await servers.stop(1000);
  }
});

Deno.test("an accept that fails is tried again", async () => {
  const { registry, lines, metric } = make();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let failures = 3;
  const failing = {
    accept: () =>
      failures-- > 0 ? Promise.reject(new Error("Too many open files")) : listener.accept(),
    close: () => listener.close(),
  } as Deno.TcpListener;
  const server = new HttpAddressServer(failing, {
    limits: { ...HTTP_LIMITS, acceptPauseMs: 10 },
    counts: countHttp({ registry, log: (_level, line) => lines.push(line), clock: systemClock }),
    scheduler: new HttpScheduler(HTTP_LIMITS, systemClock),
    clock: systemClock,
  });
  server.targets = new Map([["/metrics", { handler: () => textReply(200, "here") }]]);
  try {
    assert.equal(await read((listener.addr as Deno.NetAddr).port), "here");
    assert.equal(metric("nodens_http_accept_failures_total"), 3);
    assert.equal(lines.length, 1);
  } finally {
    await server.stop();
  }
});

Deno.test("connections over all addresses stay within their share of descriptors", async () => {
  const { servers, metric } = make({}, 16);
  const ports = [freePort(), freePort()];
  const held: RawHttp[] = [];
  try {
    servers.apply(ports.map((port) => route("127.0.0.1", port)));
    for (let i = 0; i < 40; i++) held.push(await RawHttp.open(ports[i % 2]!));
    await until(() => metric("nodens_http_connections_total") === 40);
    assert.equal(metric("nodens_http_connections"), 16);
  } finally {
    for (const client of held) client.close();
    await servers.stop(1000);
  }
});

Deno.test("of requests sent ahead of the answers one is answered", async () => {
  const { servers } = make();
  const port = freePort();
  let answers = 0;
  const handler = () => {
    answers++;
    return textReply(200, "here");
  };
  try {
    servers.apply([{ ...route("127.0.0.1", port), handler }]);
    const client = await RawHttp.open(port);
    await client.send(`GET /metrics HTTP/1.1\r\n${host}\r\n`.repeat(150));
    assert.match(await client.response(), /^connection: close$[^]*here$/im);
    assert.equal(await client.response(), "");
    client.close();
    assert.equal(answers, 1);
  } finally {
    await servers.stop(1000);
  }
});

Deno.test("a connection that is closed while it waits for its turn leaves the queue", async () => {
  const { servers, metric } = make({ pagesInARow: 1, pagesASecond: 1, answerMs: 50 });
  const port = freePort();
  let answers = 0;
  const handler = () => textReply(200, `${++answers}`);
  const probe = { ...route("127.0.0.1", port), path: "/health", probe: true, handler };
  const clients: RawHttp[] = [];
  try {
    servers.apply([{ ...route("127.0.0.1", port), handler }, probe]);
    for (let i = 0; i < 5; i++) {
      const client = await RawHttp.open(port);
      await client.send("GET /metrics HTTP/1.0\r\n\r\n");
      clients.push(client);
    }
    await until(() => metric(closed("slow_answer")) === 4);
    assert.equal(answers, 1);
    // A probe waits for no page.
    const client = await RawHttp.open(port);
    clients.push(client);
    await client.send("HEAD /health?full HTTP/1.0\r\n\r\n");
    assert.match(await client.rest(), /^HTTP\/1\.1 200 /);
  } finally {
    for (const client of clients) client.close();
    await servers.stop(1000);
  }
});

Deno.test("half a header and idle connections end by themselves", async () => {
  const { servers, metric } = make({ headMs: 50, idleMs: 50 });
  const port = freePort();
  try {
    servers.apply([route("127.0.0.1", port)]);
    const silent = await RawHttp.open(port);
    const half = await RawHttp.open(port);
    const idle = await RawHttp.open(port);
    const late = await RawHttp.open(port);
    await half.send("GET /metr");
    for (const client of [idle, late]) {
      await client.send(`GET /metrics HTTP/1.1\r\n${host}\r\n`);
      assert.match(await client.response(), /^HTTP\/1\.1 200 /);
    }
    await late.send("G");
    for (const client of [silent, half, idle, late]) {
      assert.equal(await client.rest(), "");
      client.close();
    }
    // The idle one has had its time; the others have not said what they wanted.
    assert.equal(metric(closed("slow_header")), 3);
    await until(() => metric("nodens_http_connections") === 0);
  } finally {
    await servers.stop(1000);
  }
});

Deno.test("answers that nobody reads are bounded in time and in memory", async () => {
  const { servers, metric } = make({ answerMs: 1000, queuedBytes: 40 * 2 ** 20 });
  const port = freePort();
  const large: HttpReply = { status: 200, body: new Uint8Array(16 * 2 ** 20) };
  const clients: RawHttp[] = [];
  try {
    servers.apply([{ ...route("127.0.0.1", port), path: "/large", handler: () => large }]);
    for (let i = 0; i < 5; i++) {
      const client = await RawHttp.open(port);
      await client.send("GET /large HTTP/1.0\r\n\r\n");
      clients.push(client);
    }
    await until(() => metric(closed("memory")) >= 2);
    await until(() => metric(closed("memory")) + metric(closed("slow_answer")) === 5);
    await until(() => metric("nodens_http_connections") === 0);
  } finally {
    for (const client of clients) client.close();
    await servers.stop(1000);
  }
});

Deno.test("stopping waits for the answer that is under way, and not for idle connections", async () => {
  const { servers, metric } = make();
  const port = freePort();
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<HttpReply>();
  const handler = () => {
    asked.resolve();
    return go.promise;
  };
  servers.apply([{ ...route("127.0.0.1", port), handler }]);
  const idle = await RawHttp.open(port);
  const busy = await RawHttp.open(port);
  await busy.send(`GET /metrics HTTP/1.1\r\n${host}\r\n`);
  await asked.promise;
  await until(() => metric("nodens_http_connections_total") === 2);
  const stopped = servers.stop(60_000);
  assert.equal(await idle.rest(), "");
  go.resolve(textReply(200, "last"));
  assert.match(await busy.rest(), /^HTTP\/1\.1 200 [^]*connection: close\r\n[^]*last$/);
  idle.close();
  busy.close();
  await stopped;
});

Deno.test("the kernel keeps little for a client that does not read", {
  ...skipUnlessLinux(),
}, () => {
  const port = 0;
  const libc = openLibc();
  const addressOf = (one: Deno.Listener) => one.addr as Deno.NetAddr;
  const [listener, v6, other] = ["127.0.0.1", "::1", "127.0.0.1"].map((hostname) =>
    Deno.listen({ hostname, port })
  );
  // Another server at the same port keeps what it has.
  const neighbour = Deno.listen({ hostname: "127.0.0.2", port: addressOf(listener!).port });
  const all = [listener!, v6!, other!, neighbour];
  try {
    const before = all.map((one) => sendBuffer(libc, addressOf(one)));
    assert.equal(boundKernelBuffers(libc, addressOf(listener!)), true);
    assert.equal(boundKernelBuffers(libc, addressOf(v6!)), true);
    // The kernel doubles the number, for what it needs beside.
    const after = all.map((one) => sendBuffer(libc, addressOf(one)));
    assert.deepEqual(after, [32_768, 32_768, before[2], before[3]]);
    assert.equal(boundKernelBuffers(libc, addressOf(listener!)), false);
  } finally {
    for (const one of all) one.close();
  }
});

/** SO_SNDBUF of the listening socket at an address. */
function sendBuffer(libc: Libc, { hostname, port }: Deno.NetAddr): number {
  const name = new Uint8Array(SOCKADDR_SIZE);
  const address = new Address();
  const value = new Int32Array(1);
  const size = new Uint32Array(1);
  const read = (fd: number, option: number) => {
    size[0] = 4;
    return libc.getsockopt(fd, SOL.SOCKET, option, value, size) === 0 ? value[0]! : -1;
  };
  for (let fd = 0; fd < 65_536; fd++) {
    if (read(fd, SO.ACCEPTCONN) !== 1) continue;
    size[0] = SOCKADDR_SIZE;
    if (libc.getsockname(fd, name, size) !== 0) continue;
    readSockaddr(new DataView(name.buffer), 0, address);
    if (address.port === port && address.hostname() === hostname) return read(fd, SO.SNDBUF);
  }
  throw new Error(`no socket listens at ${hostname}:${port}`);
}
