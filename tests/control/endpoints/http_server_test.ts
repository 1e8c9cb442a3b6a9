import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { Address } from "../../../src/dns/address.ts";
import { HttpAddressServer } from "../../../src/control/endpoints/http/address.ts";
import { countHttp } from "../../../src/control/endpoints/http/counts.ts";
import { HTTP_LIMITS, type HttpLimits } from "../../../src/control/endpoints/http/limits.ts";
import { type HttpReply, textReply } from "../../../src/control/endpoints/http/message.ts";
import { makeScheduler } from "../../../src/control/endpoints/http/scheduler.ts";
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

/**
 * Servers on a free port of 127.0.0.1, their logs and counts, and clients that are closed at the
 * end.
 */
interface Scene {
  servers: HttpServers;
  registry: MetricRegistry;
  lines: string[];
  port: number;
  /** Serves "here" at /metrics, or these routes. */
  apply(...routes: Partial<HttpRoute>[]): void;
  metric(name: string): number;
  client(sent?: string, at?: { port?: number; hostname?: string }): Promise<RawHttp>;
}

function test(
  name: string,
  use: (scene: Scene) => Promise<void>,
  { limits = {}, maxConnections }: { limits?: Partial<HttpLimits>; maxConnections?: number } = {},
): void {
  Deno.test(`HTTP: ${name}`, async () => {
    const registry = new MetricRegistry();
    const lines: string[] = [];
    const clients: RawHttp[] = [];
    const port = freePort();
    const servers = new HttpServers({
      clock: systemClock,
      registry,
      log: (_level, line) => lines.push(line),
      limits: { ...HTTP_LIMITS, ...limits },
      ...maxConnections !== undefined && { maxConnections },
    });
    try {
      await use({
        servers,
        registry,
        lines,
        port,
        apply: (...routes) =>
          servers.apply(routes.map((one) => ({ ...route("127.0.0.1", port), ...one }))),
        metric(name) {
          const book = new SeriesBook();
          registry.collect(book);
          const line = expose(book, "text").split("\n").find((one) => one.startsWith(`${name} `));
          return Number(line?.split(" ")[1]);
        },
        async client(sent = "", at = {}) {
          const client = await RawHttp.open(at.port ?? port, at.hostname);
          clients.push(client);
          await client.send(sent);
          return client;
        },
      });
    } finally {
      for (const client of clients) client.close();
      await servers.stop(1000);
    }
  });
}

const closed = (reason: string) => `nodens_http_connections_closed_total{reason="${reason}"}`;

async function read(port: number): Promise<string> {
  for (let attempt = 1;; attempt++) {
    try {
      return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
}

test("an address can be widened to all addresses, and narrowed again", async ({ apply, port }) => {
  apply({});
  for (const host of ["", "127.0.0.1"]) {
    apply({ host });
    assert.equal(await read(port), "here");
  }
});

test("a target with a host counts, and not the header Host", async ({ apply, port, client }) => {
  apply({ localOnly: true });
  const get = async (target: string, host: string) => {
    const one = await client(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    return (await one.response()).slice(9, 12);
  };
  const own = `127.0.0.1:${port}`;
  assert.equal(await get(`http://${own}/metrics`, own), "200");
  assert.equal(await get("http://example.org/metrics", own), "403");
  assert.equal(await get(`http://${own}@example.org/metrics`, own), "400");
});

test("a stream to a client that sends without end is closed", async ({ apply, client, port }) => {
  let gone = false;
  async function* silence(signal: AbortSignal): AsyncGenerator<string> {
    yield "first";
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    gone = true;
  }
  apply({ handler: (_, connection) => ({ status: 200, chunks: silence(connection.gone) }) });
  const endless = await client(`GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  // The last ones may come when it has closed.
  await endless.send("x".repeat(4 * HTTP_LIMITS.discardedBytes)).catch(() => {});
  await until(() => gone);
});

test(
  "a crowd that does not read its answers ends no stream, but streams do not fill an address",
  async (scene) => {
    const { apply, client, metric, port } = scene;
    const open = new Set<string>();
    async function* silence(name: string, signal: AbortSignal): AsyncGenerator<string> {
      open.add(name);
      yield "first";
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      open.delete(name);
    }
    const stream: HttpRoute["handler"] = ({ query }, { gone }) => ({
      status: 200,
      chunks: silence(query.get("name")!, gone),
    });
    const large = textReply(200, "x".repeat(16 * 2 ** 20));
    apply({ path: "/stream", handler: stream }, { handler: () => large });
    const host = `Host: 127.0.0.1:${port}\r\n\r\n`;
    const watch = async (name: string) => {
      await client(`GET /stream?name=${name} HTTP/1.1\r\n${host}`);
      await until(() => open.has(name));
    };
    await watch("first");
    const before = metric("nodens_http_connections_total");
    for (let i = 0; i < 12; i++) await client(`GET /metrics HTTP/1.1\r\n${host}`);
    await until(() => metric("nodens_http_connections_total") === before + 12);
    assert.deepEqual([...open], ["first"]);
    for (let i = 0; i < 8; i++) await watch(`s${i}`);
    assert.ok(!open.has("first"), "the oldest of too many");
  },
  { limits: { connections: 8, queuedBytes: 2 ** 30 } },
);

test("paths for the own site only refuse other sites", async ({ apply, client, port }) => {
  apply({ ownSiteOnly: true });
  for (const [site, status] of [["cross-site", "403"], ["same-site", "403"], ["none", "200"]]) {
    const head = `Host: 127.0.0.1:${port}\r\nSec-Fetch-Site: ${site}`;
    const one = await client(`GET /metrics HTTP/1.1\r\n${head}\r\n\r\n`);
    assert.equal((await one.response()).slice(9, 12), status);
  }
});

test("an address that was just closed can be opened again", async ({ apply, port }) => {
  apply({});
  assert.equal(await read(port), "here");
  apply();
  apply({});
  assert.equal(await read(port), "here");
});

test("the port of a foreign server is not shared, even beside another of nodens", async (scene) => {
  const { apply, port } = scene;
  const taken = freePort();
  using _foreign = Deno.listen({ hostname: "127.0.0.1", port: taken });
  apply({});
  assert.throws(() => apply({}, { port: taken }), /address already in use/);
  assert.equal(await read(port), "here");
});

const host = "Host: localhost\r\n";
const get = (path: string, headers = "") => `GET ${path} HTTP/1.1\r\n${host}${headers}\r\n`;
const UPGRADE = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
  "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n";
const NOT_FOUND = /not found; try \/metrics \/fails\n$/;
/** A request, the status of its answer, and text in the answer. The server keeps the connection. */
const KEPT: [title: string, sent: string, status: number, has?: RegExp][] = [
  ["GET", get("/metrics"), 200],
  ["a query", get("/metrics?a=b"), 200],
  ["an absolute URL", get("http://localhost:1/metrics"), 200],
  ["an upgrade to HTTP/2, which is ignored", get("/metrics", UPGRADE), 200],
  ["an IPv6 Host", "GET /metrics HTTP/1.1\r\nHost: [::1]:9153\r\n\r\n", 200],
  ["an empty Host", "GET /metrics HTTP/1.1\r\nHost:\r\n\r\n", 200],
  ["another path", get("/secret"), 404, NOT_FOUND],
  ["a handler that fails", get("/fails"), 500, /log says more\n$/],
];
const POST = `POST /metrics HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`;
const CLOSED: typeof KEPT = [
  ["lines without CR", "GET /metrics HTTP/1.0\n\n", 200],
  ["HTTP/1.0", "GET /metrics HTTP/1.0\r\n\r\n", 200],
  ["Connection: close", get("/metrics", "Connection: x, Close\r\n"), 200],
  ["a body, which is ignored", `${get("/metrics", "Content-Length: 3\r\n")}abc`, 200],
  ["POST", POST, 405, /^allow: GET, HEAD\r$/m],
  ["no Host", "GET /metrics HTTP/1.1\r\n\r\n", 400],
  ["two Hosts", get("/metrics", host), 400],
  ["an invalid Host", "GET /metrics HTTP/1.1\r\nHost: a b[\r\n\r\n", 400],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ["noise", "\x16\x03\x01\x02\x00\x01\r\n\r\n", 400],
  ["a word", "hello\r\n\r\n", 400],
  ["a target that is not a path", get("*"), 400],
  ["a folded header", get("/metrics", "A: b\r\n c\r\n"), 400],
  ["a header above 8 KiB", get("/metrics", `A: ${"x".repeat(9000)}\r\n`), 431],
];

test("every request gets an answer that does not quote it", async ({ apply, client, lines }) => {
  const fails = () => Promise.reject(new Error("words of a file"));
  apply({}, { path: "/fails", handler: fails, localOnly: true });
  for (const table of [KEPT, CLOSED]) {
    for (const [title, sent, status, has] of table) {
      const closes = table === CLOSED;
      const one = await client(sent);
      const response = await one.response();
      assert.match(response, new RegExp(`^HTTP/1\\.1 ${status} `), title);
      assert.equal(/^connection: close\r$/m.test(response), closes, title);
      if (status === 200) assert.ok(response.endsWith("\r\n\r\nhere"), title);
      if (has !== undefined) assert.match(response, has, title);
      assert.ok(!/secret|words|hello/.test(response), response);
      if (!closes) {
        await one.send(`HEAD /metrics HTTP/1.1\r\n${host}\r\n`);
        await one.send(`GET /metrics HTTP/1.0\r\n\r\n`);
      }
      const more = await one.rest();
      if (closes) assert.equal(more, "", title);
      else {
        const head = /^HTTP\/1\.1 200 OK\r\n[^]*content-length: 4\r\n[^]*\r\n\r\nHTTP\/1/;
        assert.match(more, head, title);
        assert.ok(more.endsWith("\r\n\r\nhere"), more);
      }
    }
  }
  assert.deepEqual(lines, ["an HTTP request failed: words of a file"]);
});

test("routes for the loopback interface are hidden from others", async ({ apply, client }) => {
  const outside = Deno.networkInterfaces().find(({ family, address, name }) =>
    family === "IPv4" && name !== "lo" && !address.startsWith("127.")
  )?.address;
  apply({ host: "" }, { host: "", path: "/status", localOnly: true });
  for (const hostname of ["127.0.0.1", "::1", ...outside === undefined ? [] : [outside]]) {
    const response = await (await client("GET /status HTTP/1.0\r\n\r\n", { hostname })).rest();
    if (hostname !== outside) assert.match(response, /^HTTP\/1\.1 200 /, hostname);
    else assert.match(response, /^HTTP\/1\.1 404 [^]*not found; try \/metrics\n$/, hostname);
  }
});

test("a client that hoards connections does not exclude others", async (scene) => {
  const { apply, client, metric, port } = scene;
  apply({});
  const first = await client("GET /metrics HTTP/1.1\r\n");
  for (let i = 1; i < 200; i++) {
    await client("GET /metrics HTTP/1.1\r\n");
    if (i % 20 === 1) assert.equal(await read(port), "here");
  }
  await until(() => metric("nodens_http_connections_total") >= 201);
  assert.ok(metric("nodens_http_connections") <= 64);
  assert.ok(metric(closed("full")) >= 200 - 64);
  assert.equal(await first.response(), "", "the oldest is closed");
});

test("a failed accept is retried", async ({ registry, lines, metric }) => {
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
    scheduler: makeScheduler(HTTP_LIMITS, systemClock),
    clock: systemClock,
  });
  server.targets = new Map([["/metrics", { handler: () => textReply(200, "here") }]]);
  try {
    assert.equal(await read(listener.addr.port), "here");
    assert.equal(metric("nodens_http_accept_failures_total"), 3);
    assert.equal(lines.length, 1);
  } finally {
    await server.stop();
  }
});

test("the addresses share the limit of connections", async ({ apply, client, metric, port }) => {
  const ports = [port, freePort()];
  apply(...ports.map((port) => ({ port })));
  for (let i = 0; i < 40; i++) await client("", { port: ports[i % 2]! });
  await until(() => metric("nodens_http_connections_total") === 40);
  assert.equal(metric("nodens_http_connections"), 16);
}, { maxConnections: 16 });

test("only the first of pipelined requests is answered", async ({ apply, client }) => {
  let answers = 0;
  apply({ handler: () => textReply(200, `here${++answers}`) });
  const one = await client(get("/metrics").repeat(150));
  assert.match(await one.response(), /^connection: close$[^]*here1$/im);
  assert.equal(await one.response(), "");
  assert.equal(answers, 1);
});

test("a connection that is closed while it waits leaves the queue", async (scene) => {
  const { apply, client, metric } = scene;
  let answers = 0;
  const handler = () => textReply(200, `${++answers}`);
  apply({ handler }, { path: "/health", probe: true, handler });
  for (let i = 0; i < 5; i++) await client("GET /metrics HTTP/1.0\r\n\r\n");
  await until(() => metric(closed("slow_answer")) === 4);
  assert.equal(answers, 1);
  const probe = await client("HEAD /health?full HTTP/1.0\r\n\r\n");
  assert.match(await probe.rest(), /^HTTP\/1\.1 200 /, "a probe does not wait for pages");
}, { limits: { pagesInARow: 1, pagesASecond: 1, answerMs: 50 } });

test("half a header and idle connections time out", async ({ apply, client, metric }) => {
  apply({});
  const [silent, half, idle, late] = [
    await client(),
    await client("GET /metr"),
    await client(get("/metrics")),
    await client(get("/metrics")),
  ];
  for (const one of [idle, late]) assert.match(await one.response(), /^HTTP\/1\.1 200 /);
  await late.send("G");
  for (const one of [silent, half, idle, late]) assert.equal(await one.rest(), "");
  assert.equal(metric(closed("slow_header")), 3, "all but the idle one");
  await until(() => metric("nodens_http_connections") === 0);
}, { limits: { headMs: 50, idleMs: 50 } });

test("unread answers are bounded in time and memory", async ({ apply, client, metric }) => {
  const large: HttpReply = { status: 200, body: new Uint8Array(16 * 2 ** 20) };
  apply({ path: "/large", handler: () => large });
  for (let i = 0; i < 5; i++) await client("GET /large HTTP/1.0\r\n\r\n");
  await until(() => metric(closed("memory")) >= 2);
  await until(() => metric(closed("memory")) + metric(closed("slow_answer")) === 5);
  await until(() => metric("nodens_http_connections") === 0);
}, { limits: { answerMs: 1000, queuedBytes: 40 * 2 ** 20 } });

test("stopping waits for the current answer, not for idle connections", async (scene) => {
  const { servers, apply, client, metric } = scene;
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<HttpReply>();
  apply({
    handler: () => {
      asked.resolve();
      return go.promise;
    },
  });
  const [idle, busy] = [await client(), await client(get("/metrics"))];
  await asked.promise;
  await until(() => metric("nodens_http_connections_total") === 2);
  const stopped = servers.stop(60_000);
  assert.equal(await idle.rest(), "");
  go.resolve(textReply(200, "last"));
  assert.match(await busy.rest(), /^HTTP\/1\.1 200 [^]*connection: close\r\n[^]*last$/);
  for (const client of [idle, busy]) client.close();
  await stopped;
});

Deno.test("HTTP: the kernel buffers little for a client that does not read", {
  ...skipUnlessLinux(),
}, () => {
  const port = 0;
  const libc = openLibc();
  const addressOf = (one: Deno.Listener) => one.addr as Deno.NetAddr;
  const [listener, v6, other] = ["127.0.0.1", "::1", "127.0.0.1"].map((hostname) =>
    Deno.listen({ hostname, port })
  );
  const neighbour = Deno.listen({ hostname: "127.0.0.2", port: addressOf(listener!).port });
  const all = [listener!, v6!, other!, neighbour];
  try {
    const before = all.map((one) => sendBuffer(libc, addressOf(one)));
    assert.equal(boundKernelBuffers(libc, addressOf(listener!)), true);
    assert.equal(boundKernelBuffers(libc, addressOf(v6!)), true);
    // The kernel doubles the number.
    const after = all.map((one) => sendBuffer(libc, addressOf(one)));
    assert.deepEqual(after, [32_768, 32_768, before[2], before[3]]);
    assert.equal(boundKernelBuffers(libc, addressOf(listener!)), false);
  } finally {
    for (const one of all) one.close();
  }
});

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
