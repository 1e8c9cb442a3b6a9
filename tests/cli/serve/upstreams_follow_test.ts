import assert from "node:assert/strict";
import type { DecodedPacket } from "dns-packet";
import { askUdp } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { until } from "../../support/run/until.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { ScriptedServer } from "../../support/simulation/scripted_server.ts";
import { dataOf, serve } from "./scene.ts";
import { rootReasons, skipFor } from "../../support/run/require.ts";

/** An upstream that answers A queries with `data`, every second one late. */
function startSlowUpstream(
  hostname: string,
  data: string,
): { seen: () => number; close: () => Promise<void> } {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 53 });
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let seen = 0;
  const serve = async () => {
    for await (const [bytes, from] of socket) {
      const query = decode(bytes);
      const { name } = query.questions![0]!;
      seen++;
      const timer = setTimeout(() => {
        timers.delete(timer);
        const answer = { answers: [a(name, data)], edns: false };
        socket.send(responseBytes(query, answer), from).catch(() => {});
      }, seen % 2 * 100);
      timers.add(timer);
    }
  };
  const served = serve();
  return {
    seen: () => seen,
    async close() {
      timers.forEach(clearTimeout);
      socket.close();
      await served;
    },
  };
}

/** Info code of the extended DNS error in OPT (option 15, RFC 8914); 14 means not ready. */
function extendedError({ additionals }: DecodedPacket): number | undefined {
  const opt = additionals![0] as { options: { code: number; data: Uint8Array }[] };
  const data = opt.options.find(({ code }) => code === 15)?.data;
  return data && (data[0]! << 8) | data[1]!;
}

/** resolv.conf has no ports, so the upstreams need port 53. */
const asRoot = skipFor(
  rootReasons(),
);

Deno.test({
  name: "no query is lost while resolv.conf changes its upstream",
  ...asRoot,
  async fn() {
    const [x, y] = crypto.getRandomValues(new Uint8Array(2));
    const addresses = [`127.71.${x}.${y}`, `127.72.${x}.${y}`];
    const upstreams = addresses.map((address, i) => startSlowUpstream(address, `192.0.2.${i}`));
    const port = freePort();
    const files = { "resolv.conf": `nameserver ${addresses[0]}\n` };
    const corefile = `.:${port} {\n bind 127.0.0.1\n errors\n forward . FOLDER/resolv.conf\n}\n`;
    await serve(corefile, async (out, folder) => {
      const asked: Promise<DecodedPacket>[] = [];
      let going = true;
      const asking = (async () => {
        while (going) {
          const name = `n${asked.length}.example.org`;
          asked.push(askUdp(queryBytes({ name }), { port, limitMs: 10_000 }).then(decode));
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      })();
      try {
        await until(() => upstreams[0]!.seen() > 20);
        for (let turn = 1; turn <= 4; turn++) {
          const to = turn % 2;
          Deno.writeTextFileSync(`${folder}/new`, `nameserver ${addresses[to]}\n`);
          Deno.renameSync(`${folder}/new`, `${folder}/resolv.conf`);
          const before = upstreams[to]!.seen();
          await until(() => upstreams[to]!.seen() > before + 20, `turn ${turn}`);
          const were = `upstreams were ${addresses[1 - to]}:53, are ${addresses[to]}:53`;
          await until(() => out().split(were).length > Math.ceil(turn / 2), "a line in the log");
        }
      } finally {
        going = false;
        await asking;
      }
      const answers = await Promise.all(asked);
      const codes = new Set(answers.map((answer) => (answer as { rcode?: string }).rcode));
      assert.deepEqual([...codes], ["NOERROR"], out());
      assert.ok(answers.every((answer) => answer.answers!.length === 1));
      const idle = upstreams[1]!.seen();
      for (let i = 0; i < 20; i++) await askUdp(queryBytes({ name: `last${i}.test` }), { port });
      assert.equal(upstreams[1]!.seen(), idle);
    }, { files });
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  },
});

Deno.test({
  name: "a resolv.conf that is missing at start is used once it exists",
  ...asRoot,
  async fn() {
    const [x, y] = crypto.getRandomValues(new Uint8Array(2));
    const address = `127.73.${x}.${y}`;
    const upstream = startSlowUpstream(address, "192.0.2.7");
    const port = freePort();
    const readyPort = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n errors\n cache {\n serve_stale\n }\n` +
      ` hosts /dev/null {\n 192.0.2.1 here.example.org\n fallthrough\n }\n` +
      ` ready 127.0.0.1:${readyPort}\n forward . FOLDER/run/resolv.conf\n}\n`;
    await serve(corefile, async (out, folder) => {
      const ask = async (name: string) =>
        decode(await askUdp(queryBytes({ name, edns: 1232 }), { port }));
      const ready = async () => {
        const response = await fetch(`http://127.0.0.1:${readyPort}/ready`);
        return [response.status, await response.text()];
      };
      assert.equal((await ask("here.example.org")).answers!.length, 1);
      const refused = await ask("first.test");
      assert.equal(refused.rcode, "SERVFAIL");
      assert.equal(extendedError(refused), 14);
      assert.deepEqual(await ready(), [503, "forward\n"]);
      Deno.mkdirSync(`${folder}/run`);
      Deno.writeTextFileSync(`${folder}/run/resolv.conf`, `nameserver ${address}\n`);
      await until(
        () => out().includes(`upstreams were none, are ${address}:53`),
        "a line in the log",
      );
      let answer = await ask("first.test");
      for (let i = 0; i < 100 && answer.rcode !== "NOERROR"; i++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        answer = await ask("first.test");
      }
      assert.equal(dataOf(answer), "192.0.2.7");
      assert.deepEqual(await ready(), [200, "OK"]);
    });
    await upstream.close();
  },
});

Deno.test("queries get SERVFAIL until the upstream's name is resolved", async () => {
  const port = freePort();
  let resolves = false;
  const resolver = await ScriptedServer.start((bytes) => {
    const query = decode(bytes);
    const { name, type } = query.questions![0]!;
    const answers = resolves && type === "A" ? [a(name, "127.0.0.1")] : [];
    return [responseBytes(query, { answers, rcode: resolves ? 0 : 3 })];
  });
  const upstream = await ScriptedServer.start((bytes) => {
    const query = decode(bytes);
    return [responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] })];
  });
  const corefile = `.:${port} {\n bind 127.0.0.1\n` +
    ` forward . dns.example.org:${upstream.port} {\n resolver 127.0.0.1:${resolver.port}\n }\n}\n`;
  await serve(corefile, async (out) => {
    const ask = async (name: string) =>
      decode(await askUdp(queryBytes({ name, edns: 1232 }), { port }));
    const first = await ask("first.test");
    assert.equal(first.rcode, "SERVFAIL");
    assert.equal(extendedError(first), 14);
    await until(() => out().includes('[WARNING] plugin/forward: Cannot resolve "dns.example.org"'));
    resolves = true;
    await until(() => out().includes("are 127.0.0.1:"), "a line in the log");
    let answer = await ask("second.test");
    for (let i = 0; i < 100 && answer.rcode !== "NOERROR"; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      answer = await ask(`again${i}.test`);
    }
    assert.equal(answer.rcode, "NOERROR");
    assert.equal(dataOf(answer), "192.0.2.7");
  });
  await Promise.all([resolver.stop(), upstream.stop()]);
});
