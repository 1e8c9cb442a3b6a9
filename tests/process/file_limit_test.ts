/** Few file descriptors, and clients that take as many as they can get. */
import assert from "node:assert/strict";
import { shareFiles } from "../../src/io/file_shares.ts";
import { askUdp, startUpstream } from "../support/processes/drivers.ts";
import { freePort } from "../support/servers/ports.ts";
import { a, decode, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { askMisses } from "../support/servers/misses.ts";
import { skipUnless, skipUnlessLinux } from "../support/run/require.ts";
import { folderWith, serving } from "../support/processes/serving.ts";

const MISSES = 200;

/** Connects as often as told; what the server closes is not opened again. */
async function hoard(port: number, count: number, text = ""): Promise<Deno.TcpConn[]> {
  const held: Deno.TcpConn[] = [];
  for (let i = 0; i < count; i++) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    if (text !== "") await conn.write(new TextEncoder().encode(text)).catch(() => {});
    held.push(conn);
  }
  return held;
}

for (const files of [256, 1024, 4096]) {
  Deno.test({
    name: `clients that hoard connections at ${files} descriptors leave others what they need`,
    ...skipUnlessLinux(),
    async fn() {
      const [port, http, upstreamPort] = [freePort(), freePort(), freePort()];
      const upstream = startUpstream(upstreamPort, (bytes) => {
        const query = decode(bytes);
        return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
      });
      const folder = folderWith({
        Corefile: `.:${port} {\n bind 127.0.0.1\n cache\n health 127.0.0.1:${http}\n` +
          ` prometheus 127.0.0.1:${http}\n forward . 127.0.0.1:${upstreamPort}\n}\n`,
      });
      const held: Deno.TcpConn[] = [];
      const { clientStreams } = shareFiles(files, { listeners: 2 });
      const get = async (path: string) => {
        const response = await fetch(`http://127.0.0.1:${http}${path}`);
        return { status: response.status, text: await response.text() };
      };
      try {
        const code = await serving(["-conf", `${folder}/Corefile`], async (out) => {
          held.push(...await hoard(port, clientStreams + 50));
          held.push(...await hoard(http, 200, "GET /metrics HTTP/1.1\r\n"));
          const rcodes = await askMisses({ port, count: MISSES });
          assert.deepEqual(rcodes, { NOERROR: MISSES });
          const hit = await askUdp(queryBytes({ name: "miss0.example.org" }), { port });
          assert.equal(decode(hit).rcode, "NOERROR");
          assert.equal((await get("/health")).status, 200);
          const { text } = await get("/metrics");
          const open = Number(/^process_open_fds (\d+)$/m.exec(text)![1]);
          assert.ok(open <= files, `${open} descriptors of ${files}`);
          assert.match(text, /^nodens_http_accept_failures_total 0$/m);
          assert.match(out(), new RegExp(`${files} file descriptors .* ${clientStreams} TCP`));
        }, { files });
        assert.equal(code, 0);
      } finally {
        for (const conn of held) conn.close();
        await upstream.close();
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

Deno.test({
  name: "a process that has no descriptor left goes on, and is whole again once it has some",
  ...skipUnless("prlimit"),
  async fn() {
    const [port, http, upstreamPort] = [freePort(), freePort(), freePort()];
    const upstream = startUpstream(upstreamPort, (bytes) => {
      const query = decode(bytes);
      return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
    });
    const folder = folderWith({
      Corefile: `.:${port} {\n bind 127.0.0.1\n cache\n health 127.0.0.1:${http}\n` +
        ` prometheus 127.0.0.1:${http}\n reload 2s\n forward . 127.0.0.1:${upstreamPort}\n}\n`,
    });
    const held: Deno.TcpConn[] = [];
    const ask = async (name: string) => decode(await askUdp(queryBytes({ name }), { port })).rcode;
    try {
      const code = await serving(["-conf", `${folder}/Corefile`], async (_out, { pid }) => {
        const limit = async (files: number) => {
          const args = ["--pid", String(pid), `--nofile=${files}:4096`];
          assert.ok((await new Deno.Command("prlimit", { args }).output()).success);
        };
        assert.equal(await ask("hit.example.org"), "NOERROR");
        // Below what is open already: nothing can be opened at all.
        await limit(10);
        held.push(...await hoard(http, 10, "GET /metrics HTTP/1.1\r\n"));
        held.push(...await hoard(port, 10));
        for (let i = 0; i < 20; i++) {
          assert.equal(await ask("hit.example.org"), "NOERROR");
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        await limit(4096);
        assert.deepEqual(await askMisses({ port, count: 100 }), { NOERROR: 100 });
        const scraped = await fetch(`http://127.0.0.1:${http}/metrics`);
        assert.match(await scraped.text(), /^nodens_http_accept_failures_total [1-9]/m);
        // What it last found out is good for a second.
        let health = 503;
        while (health !== 200) {
          const response = await fetch(`http://127.0.0.1:${http}/health`);
          await response.body?.cancel();
          health = response.status;
        }
      }, { files: 4096 });
      assert.equal(code, 0);
    } finally {
      for (const conn of held) conn.close();
      await upstream.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "portable: connections wait while no descriptor is left, and are answered afterwards",
  ...skipUnless("prlimit"),
  async fn() {
    const port = freePort();
    const folder = folderWith({ Corefile: `.:${port} {\n bind 127.0.0.1\n whoami\n}\n` });
    const held: Deno.TcpConn[] = [];
    const query = queryBytes({ name: "example.org" });
    try {
      const args = ["-io", "portable", "-conf", `${folder}/Corefile`];
      const code = await serving(args, async (_out, { pid }) => {
        const limit = async (files: number) => {
          const args = ["--pid", String(pid), `--nofile=${files}:4096`];
          assert.ok((await new Deno.Command("prlimit", { args }).output()).success);
        };
        await limit(10);
        held.push(...await hoard(port, 10));
        for (const conn of held) await conn.write(framed(query));
        for (let i = 0; i < 10; i++) {
          assert.equal(decode(await askUdp(query, { port })).rcode, "NOERROR");
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        await limit(4096);
        for (const conn of held) {
          const answer = new Uint8Array(512);
          const length = (await conn.read(answer))!;
          assert.equal(decode(answer.slice(2, length)).rcode, "NOERROR");
        }
      }, { files: 4096 });
      assert.equal(code, 0);
    } finally {
      for (const conn of held) conn.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

/** A message behind its length, as it goes over TCP. */
function framed(message: Uint8Array): Uint8Array {
  return Uint8Array.of(message.length >> 8, message.length, ...message);
}
