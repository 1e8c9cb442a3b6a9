import assert from "node:assert/strict";
import { HttpServers } from "../../src/control/http_server.ts";
import { freePort } from "../support/drivers.ts";

const route = (host: string, port: number) => ({
  host,
  port,
  path: "/metrics",
  handler: () => new Response("here"),
});

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
  const servers = new HttpServers();
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
  const servers = new HttpServers();
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
  const servers = new HttpServers();
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
