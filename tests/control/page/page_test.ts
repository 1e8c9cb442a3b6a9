import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { HTTP_LIMITS } from "../../../src/control/endpoints/http/limits.ts";
import { type HttpRoute, HttpServers } from "../../../src/control/endpoints/http_server.ts";
import type { TopSnapshot } from "../../../src/control/observe/top_snapshot.ts";
import { mayTrust, Page, type PageAudience } from "../../../src/control/page/page.ts";
import { MAX_VIEWERS } from "../../../src/control/page/viewers.ts";
import { expose } from "../../../src/metrics/exposition.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { SeriesBook } from "../../../src/metrics/series.ts";
import { isLinux, missing, rootReasons, skipFor } from "../../support/run/require.ts";
import { until } from "../../support/run/until.ts";
import { freePort } from "../../support/servers/ports.ts";
import { RawHttp } from "../endpoints/http_raw.ts";
import { snapshot } from "./snapshot.ts";

const SLOW = 'nodens_http_connections_closed_total{reason="slow_answer"}';

/** A page at a port, with what is shown. */
interface Scene {
  port: number;
  shown: { top: TopSnapshot; corefile: string };
  url: string;
  servers: HttpServers;
  routes: HttpRoute[];
  metric(name: string): number;
  /** Opens a stream and asks for it. */
  watch(headers?: string): Promise<RawHttp>;
}

function test(
  name: string,
  use: (scene: Scene) => Promise<void>,
  { audience = "own", answerMs = HTTP_LIMITS.answerMs, ignore = false }: {
    audience?: PageAudience;
    answerMs?: number;
    ignore?: boolean;
  } = {},
): void {
  Deno.test(`page: ${name}`, { ignore }, async () => {
    const registry = new MetricRegistry();
    const port = freePort();
    const shown = { top: snapshot(), corefile: ". {\n}\n" };
    const limits = { ...HTTP_LIMITS, answerMs };
    const servers = new HttpServers({ registry, log: () => {}, limits, clock: systemClock });
    const page = new Page({
      audience,
      ffi: isLinux(),
      clock: systemClock,
      onFailure: servers.context.counts.handlerFailed,
      snapshot: () => Promise.resolve(shown.top),
      reload: () => null,
      corefile: () => ({ file: "Corefile", text: shown.corefile }),
    });
    const at = { host: "127.0.0.1", port, localOnly: true };
    const routes: HttpRoute[] = [
      { ...at, path: "/", handler: () => page.document() },
      { ...at, path: "/events", handler: (_, connection) => page.events(connection) },
    ];
    servers.apply(routes);
    const clients: RawHttp[] = [];
    try {
      await use({
        ...{ port, shown, servers, routes },
        url: `http://127.0.0.1:${port}`,
        metric(name) {
          const book = new SeriesBook();
          registry.collect(book);
          const line = expose(book, "text").split("\n").find((one) => one.startsWith(`${name} `));
          return Number(line?.split(" ")[1]);
        },
        async watch(headers = "") {
          const client = await RawHttp.open(port);
          clients.push(client);
          await client.send(`GET /events HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
          return client;
        },
      });
    } finally {
      for (const client of clients) client.close();
      await servers.stop(1000);
    }
  });
}

/** Reads events until one has this name; its data. */
async function eventOf(body: ReadableStream<Uint8Array>, wanted: string): Promise<unknown> {
  let text = "";
  for await (const part of body.pipeThrough(new TextDecoderStream())) {
    text += part;
    const data = new RegExp(`^event: ${wanted}\ndata: (.*)\n\n`, "m").exec(text)?.[1];
    if (data !== undefined) return JSON.parse(data);
  }
  throw new Error(`The stream ends without "${wanted}": ${text}`);
}

test("the document is HTML that no other site may use", async ({ url }) => {
  const response = await fetch(url);
  assert.match(await response.text(), /^<!doctype html>/);
  assert.deepEqual(
    ["content-type", "cache-control", "x-content-type-options", "referrer-policy"]
      .map((name) => response.headers.get(name)),
    ["text/html; charset=utf-8", "no-store", "nosniff", "no-referrer"],
  );
  for (const name of ["cross-origin-resource-policy", "cross-origin-opener-policy"]) {
    assert.equal(response.headers.get(name), "same-origin", name);
  }
  assert.match(response.headers.get("content-security-policy")!, /frame-ancestors 'none'/);
  assert.equal(response.headers.get("access-control-allow-origin"), null);
});

const FOREIGN: { title: string; headers: Record<string, string> }[] = [
  { title: "a rebound name", headers: { host: "rebound.example.org" } },
  { title: "a request of another site", headers: { "sec-fetch-site": "cross-site" } },
  { title: "another origin", headers: { origin: "http://rebound.example.org" } },
];

for (const { title, headers } of FOREIGN) {
  test(`${title} gets neither document nor events`, async ({ port }) => {
    for (const path of ["/", "/events"]) {
      const all = Object.entries({ host: "localhost", ...headers });
      const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const client = await RawHttp.open(port);
      await client.send(`GET ${path} HTTP/1.1\r\n${lines}\r\n`);
      const response = await client.response();
      client.close();
      assert.match(response, /^HTTP\/1\.1 403 /, path);
      assert.match(response, /^content-security-policy: default-src 'none'/m, path);
      assert.doesNotMatch(response, /example\.org|doctype/, path);
    }
  });
}

test("the stream sends views, and the Corefile when it has changed", async ({ url, shown }) => {
  const response = await fetch(`${url}/events`);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const [one, two] = response.body!.tee();
  const [view, corefile] = await Promise.all([eventOf(one, "view"), eventOf(two, "corefile")]);
  assert.deepEqual(view, { top: shown.top, reload: null, withheld: false });
  assert.deepEqual(corefile, { file: "Corefile", text: shown.corefile });
}, { audience: "local" });

test("one viewer more than allowed is told so, until another leaves", async ({ watch }) => {
  const viewers = await Promise.all(Array.from({ length: MAX_VIEWERS }, () => watch()));
  for (const viewer of viewers) assert.match(await viewer.response(), /^HTTP\/1\.1 200 /);
  assert.match(await (await watch()).response(), /^HTTP\/1\.1 503 [^]*close one\n$/);
  viewers[0]!.close();
  let answer = "";
  while (!answer.startsWith("HTTP/1.1 200 ")) answer = await (await watch()).response();
});

test("a viewer that does not read is cut, and gives back its place", async (scene) => {
  const { shown, watch, metric } = scene;
  const name = { name: "x".repeat(1000), type: "A", queries: 1, perSecond: 1, uncertain: 0 };
  // More than the kernel buffers.
  shown.top.lists!.names = Array.from({ length: 20_000 }, () => name);
  await watch();
  await until(() => metric(SLOW) === 1, "cutting a slow viewer");
  shown.top = snapshot();
  const viewers = await Promise.all(Array.from({ length: MAX_VIEWERS }, () => watch()));
  for (const viewer of viewers) assert.match(await viewer.response(), /^HTTP\/1\.1 200 /);
}, { audience: "local", answerMs: 1500 });

test("HEAD of the stream opens none", async ({ port, metric }) => {
  for (let i = 0; i < 2 * MAX_VIEWERS; i++) {
    const client = await RawHttp.open(port);
    await client.send("HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.match(await client.rest(), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
    client.close();
  }
  await until(() => metric("nodens_http_connections") === 0);
});

test("a stream ends when the server stops", async ({ watch, servers }) => {
  const viewer = await watch();
  await viewer.response();
  await servers.stop(1000);
  await viewer.rest();
});

test("a stream goes on over a reload, and ends with its address", async (scene) => {
  const { watch, servers, routes, shown } = scene;
  const viewer = await watch();
  await viewer.response();
  shown.corefile = "# changed\n. {\n}\n";
  servers.apply(routes.map((route) => ({ ...route })));
  const read = await readUntil(viewer, "# changed");
  assert.match(read, /event: corefile\ndata: [^\n]*# changed/);
  servers.apply([]);
  await viewer.rest();
}, { audience: "local" });

test("another user of the host sees no names, clients or Corefile", async ({ port }) => {
  const curl = async (...prefix: string[]) => {
    const [command, ...args] = [...prefix, "curl", "-sN", `http://127.0.0.1:${port}/events`];
    const child = new Deno.Command(command!, { args, stdout: "piped", stderr: "null" }).spawn();
    let text = "";
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (text.split("event: view").length > 2) break;
    }
    child.kill("SIGKILL");
    await child.status;
    return text;
  };
  const others = await curl("setpriv", "--reuid=65534", "--clear-groups");
  assert.match(others, /"withheld":true/);
  assert.doesNotMatch(others, /event: corefile|www\.example\.org|shop/);
  const own = await curl();
  assert.match(own, /"withheld":false/);
  assert.match(own, /event: corefile/);
}, skipFor([...rootReasons(), ...missing(["setpriv", "curl"])]));

/** Reads a stream until it contains a text. */
async function readUntil(viewer: RawHttp, wanted: string): Promise<string> {
  const buffer = new Uint8Array(65536);
  for (let text = "";;) {
    const count = await viewer.conn.read(buffer);
    if (count === null) throw new Error(`The stream ends without "${wanted}"`);
    text += new TextDecoder().decode(buffer.subarray(0, count));
    if (text.includes(wanted)) return text;
  }
}

for (
  const [user, own, trusted] of [
    [0, 0, true],
    [0, 1000, true],
    [1000, 1000, true],
    [1001, 1000, false],
    [65_534, 0, false],
    // Also everybody whom the user namespace does not have.
    [65_534, 65_534, false],
    [0, 65_534, true],
    [null, 0, false],
  ] as const
) {
  Deno.test(`page: user ${user} ${trusted ? "sees" : "does not see"} all of user ${own}'s`, () => {
    assert.equal(mayTrust(user, own), trusted);
  });
}
