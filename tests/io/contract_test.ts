import { PATIENCE } from "../support/run/patience.ts";
import assert from "node:assert/strict";
import { askTcp, askUdp, startUpstream, withDataPlane } from "../support/processes/drivers.ts";
import { freePort } from "../support/servers/ports.ts";
import { until } from "../support/run/until.ts";
import { a, decode, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { frame } from "../support/simulation/simulation.ts";
import { driversHere } from "../support/run/require.ts";

const SCAN_TIME = "nodens_forward_reply_scan_seconds";

for (const driver of driversHere()) {
  const run = (title: string, work: () => Promise<void>) =>
    Deno.test({ name: `${driver}: ${title}`, fn: work });

  run("answers over UDP and TCP, with the client's address", async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}`;
    await withDataPlane({ driver, corefile }, async () => {
      const query = queryBytes({ name: "who.example.org", id: 5 });
      const udp = decode(await askUdp(query, { port }));
      assert.equal(udp.id, 5);
      assert.equal((udp.additionals![0] as { data: string }).data, "127.0.0.1");
      const [tcp] = await askTcp([frame(query)], { port });
      assert.equal(decode(tcp!).additionals![1]!.name, "_tcp.who.example.org");
    });
  });

  run("answers from the address that was asked on a wildcard socket", async () => {
    const port = freePort();
    await withDataPlane({ driver, corefile: `.:${port} {\n whoami\n}` }, async () => {
      const query = queryBytes({ name: "who.example.org" });
      // The runtime's own sockets cannot choose their source; the linux driver can.
      const hosts = driver === "linux" ? ["127.0.0.1", "127.0.0.9", "::1"] : ["127.0.0.1", "::1"];
      for (const hostname of hosts) {
        assert.equal(decode(await askUdp(query, { hostname, port })).rcode, "NOERROR");
        assert.equal((await askTcp([frame(query)], { hostname, port })).length, 1);
      }
    });
  });

  run("cuts off a client that takes nothing of its answers", async () => {
    const port = freePort();
    // A hundred addresses: 1.6 KB an answer, so that some thousands fill every buffer on the way.
    const addresses = Array.from({ length: 100 }, (_, i) => `192.0.2.${i} big.example.org`);
    const corefile = `.:${port} {\n bind 127.0.0.1\n` +
      ` timeouts {\n read 24h\n write 1s\n idle 24h\n }\n` +
      ` hosts /dev/null {\n ${addresses.join("\n")}\n }\n}`;
    await withDataPlane({ driver, corefile }, async () => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      const query = frame(queryBytes({ name: "big.example.org" }));
      const queries = new Uint8Array(10_000 * query.length);
      for (let at = 0; at < queries.length; at += query.length) queries.set(query, at);
      // Ends with an error when nodens closes; until then there is always more to send.
      await assert.rejects(async () => {
        for (;;) await connection.write(queries);
      });
      connection.close();
      // A client that reads is served as before.
      const [answer] = await askTcp([query], { port });
      assert.equal(decode(answer!).answers!.length, 100);
    });
  });

  run("forwards over UDP from a fresh port each time, and caches", async () => {
    const port = freePort();
    const upstreamPort = freePort();
    const upstream = startUpstream(upstreamPort, (bytes) => {
      const query = decode(bytes);
      return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
    });
    const corefile =
      `.:${port} {\n bind 127.0.0.1\n cache\n forward . 127.0.0.1:${upstreamPort}\n}`;
    await withDataPlane({ driver, corefile }, async ({ values, places }) => {
      for (let i = 0; i < 40; i++) {
        const query = queryBytes({ name: `n${i % 20}.example.org`, id: i });
        const answer = decode(await askUdp(query, { port }));
        assert.equal(answer.id, i);
        assert.equal((answer.answers![0] as { data: string }).data, "192.0.2.7");
      }
      assert.equal(upstream.counts.udp, 20);
      const { index, bounds } = places.find(({ name }) => name === SCAN_TIME)!;
      const size = bounds!.length + 1;
      const buckets = values.subarray(index, index + size);
      assert.equal(buckets.reduce((sum, count) => sum + count), 20);
      assert.ok(values[index + size]! > 0 && values[index + size]! < 5, "its clock runs");
      assert.ok(upstream.counts.ports.size >= 19, `${upstream.counts.ports.size} ports`);
    });
    await upstream.close();
  });

  run("asks again over TCP when the answer is truncated", async () => {
    const port = freePort();
    const upstreamPort = freePort();
    const upstream = startUpstream(upstreamPort, (bytes, transport) => {
      const query = decode(bytes);
      const text = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(100, "x"));
      const answers = text.map((data) => ({
        type: "TXT" as const,
        name: "big.example.org",
        ttl: 60,
        data,
      }));
      return transport === "udp"
        ? responseBytes(query, { truncated: true })
        : responseBytes(query, { answers });
    });
    const corefile =
      `.:${port} {\n bind 127.0.0.1\n cache\n forward . 127.0.0.1:${upstreamPort}\n}`;
    await withDataPlane({ driver, corefile }, async () => {
      const query = queryBytes({ name: "big.example.org", type: "TXT" });
      const udp = await askUdp(query, { port });
      assert.ok(udp.length <= 512);
      assert.equal(decode(udp).flag_tc, true);
      // On a slow machine TCP may take too long for the answer to be kept at first.
      let kept = false;
      for (let i = 0; i < 100 * PATIENCE && !kept; i++) {
        const before = upstream.counts.tcp;
        const [tcp] = await askTcp([frame(query)], { port });
        const { answers, flag_tc: truncated } = decode(tcp!);
        kept = answers!.length === 60 && !truncated && before > 0 && before === upstream.counts.tcp;
        if (!kept) await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.ok(kept, "the whole answer is had over TCP, and kept");
    });
    await upstream.close();
  });

  run("answers a thousand pipelined queries of one connection", async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}`;
    await withDataPlane({ driver, corefile }, async () => {
      const frames = Array.from(
        { length: 1000 },
        (_, id) => frame(queryBytes({ name: `n${id}.example.org`, id })),
      );
      const all = Uint8Array.from(frames.flatMap((one) => [...one]));
      const answers = await askTcp([all.slice(0, 7777), all.slice(7777)], { port });
      assert.deepEqual(answers.map((bytes) => decode(bytes).id), frames.map((_, id) => id));
    });
  });

  run("a port where nothing listens is a failure, and the log says why", async () => {
    const port = freePort();
    const nobody = freePort();
    const corefile =
      `.:${port} {\n bind 127.0.0.1\n errors\n forward . 127.0.0.1:${nobody} {\n max_fails 0\n }\n}`;
    await withDataPlane({ driver, corefile }, async (_plane, logs) => {
      const query = queryBytes({ name: "www.example.org" });
      for (
        const answer of [
          await askUdp(query, { port, limitMs: 4500 * PATIENCE }),
          (await askTcp([frame(query)], { port }))[0]!,
        ]
      ) {
        assert.equal(decode(answer).rcode, "SERVFAIL");
      }
      // The last attempt is by UDP, of whose refusals the runtime's own sockets do not tell.
      const why = driver === "linux" ? /:\d+: connection refused/ : /:\d+: i\/o timeout/;
      assert.match(logs.join("\n"), why);
    });
  });

  run("a connection that is refused says so", async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n errors\n` +
      ` forward . 127.0.0.1:${freePort()} {\n force_tcp\n max_fails 0\n }\n}`;
    await withDataPlane({ driver, corefile }, async (_plane, logs) => {
      const answer = await askUdp(queryBytes({ name: "www.example.org" }), { port });
      assert.equal(decode(answer).rcode, "SERVFAIL");
      await until(() => logs.length > 0, "a line in the log");
      assert.match(logs.join("\n"), /:\d+: connection refused/);
    });
  });

  run("listens on both families for bind ::, and sees clients of IPv4 as such", async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind ::\n acl {\n block net 127.0.0.9\n }\n whoami\n}`;
    await withDataPlane({ driver, corefile }, async () => {
      const query = queryBytes({ name: "who.example.org" });
      for (const hostname of ["127.0.0.1", "::1"]) {
        const udp = decode(await askUdp(query, { hostname, port }));
        const [tcp] = await askTcp([frame(query)], { hostname, port });
        for (const answer of [udp, decode(tcp!)]) {
          const [record] = answer.additionals!;
          assert.equal(record!.type, hostname === "::1" ? "AAAA" : "A");
          assert.equal((record as { data: string }).data, hostname);
        }
      }
      // The linux driver answers from the address that was asked.
      if (driver === "linux") await askUdp(query, { hostname: "127.0.0.5", port });
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.9", port: 0 });
      await socket.send(query, { transport: "udp", hostname: "127.0.0.1", port });
      const [answer] = await socket.receive();
      socket.close();
      assert.equal(decode(answer).rcode, "REFUSED");
    });
  });

  run("a client that breaks the framing is cut off, others are served", async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}`;
    await withDataPlane({ driver, corefile }, async () => {
      assert.deepEqual(await askTcp([new Uint8Array([0, 3, 1, 2, 3])], { port }), []);
      const query = queryBytes({ name: "www.example.org" });
      assert.equal((await askTcp([frame(query)], { port })).length, 1);
    });
  });

  run("a data plane that stops answers what it has read, and ends streams with FIN", async () => {
    const port = freePort();
    const upstreamPort = freePort();
    const upstream = Deno.listenDatagram({
      transport: "udp",
      hostname: "127.0.0.1",
      port: upstreamPort,
    });
    const corefile = `.:${port} {\n bind 127.0.0.1\n forward . 127.0.0.1:${upstreamPort}\n}`;
    try {
      await withDataPlane({ driver, corefile }, async (plane) => {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        const query = frame(queryBytes({ name: "www.example.org" }));
        await connection.write(query);
        const datagram = askUdp(queryBytes({ name: "udp.example.org" }), { port });
        // A check of the upstream's health, or a query sent again, may come in between.
        const asked = new Map<string, [Uint8Array, Deno.Addr]>();
        while (!asked.has("www.example.org") || !asked.has("udp.example.org")) {
          const [bytes, from] = await upstream.receive();
          asked.set(decode(bytes).questions![0]!.name, [bytes, from]);
        }
        await plane.retire(5000);
        if (driver === "linux") await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }));
        const drained = plane.drain(5000);
        for (const [bytes, from] of asked.values()) {
          await upstream.send(responseBytes(decode(bytes), {}), from);
        }
        const buffer = new Uint8Array(1000);
        assert.ok((await connection.read(buffer))! > 12);
        assert.equal(decode(await datagram).rcode, "NOERROR");
        assert.equal(await connection.read(buffer), null);
        // Something that crosses the FIN is no reason for a reset.
        await connection.write(query);
        assert.equal(await connection.read(buffer), null);
        connection.close();
        await drained;
      });
    } finally {
      upstream.close();
    }
  });
}
