import assert from "node:assert/strict";
import { decode, queryBytes, responseBytes } from "../support/messages/messages.ts";
import {
  answerWith,
  askTcp,
  askUdp,
  startUpstream,
  withDataPlane,
  withServer,
} from "../support/processes/drivers.ts";
import { PATIENCE } from "../support/run/patience.ts";
import { driversHere } from "../support/run/require.ts";
import { until } from "../support/run/until.ts";
import { eventually } from "../support/run/eventually.ts";
import { freePort } from "../support/servers/ports.ts";
import { frame } from "../support/simulation/simulation.ts";

const SCAN_TIME = "nodens_forward_reply_scan_seconds";
const WHO = queryBytes({ name: "who.example.org" });

for (const driver of driversHere()) {
  const run = (title: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${driver}: ${title}`, fn });
  const serve = (directives: string, use: Parameters<typeof withServer>[1]) =>
    withServer({ driver, directives }, use);

  run("answers over UDP and TCP, with the client's address", () =>
    serve("whoami", async (port) => {
      const query = queryBytes({ name: "who.example.org", id: 5 });
      const udp = decode(await askUdp(query, { port }));
      assert.equal(udp.id, 5);
      assert.equal((udp.additionals![0] as { data: string }).data, "127.0.0.1");
      const [tcp] = await askTcp([frame(query)], { port });
      assert.equal(decode(tcp!).additionals![1]!.name, "_tcp.who.example.org");
    }));

  run("answers from the address that was asked on a wildcard socket", async () => {
    const port = freePort();
    await withDataPlane({ driver, corefile: `.:${port} {\n whoami\n}` }, async () => {
      // The runtime's sockets cannot choose their source address.
      const hosts = driver === "linux" ? ["127.0.0.1", "127.0.0.9", "::1"] : ["127.0.0.1", "::1"];
      for (const hostname of hosts) {
        assert.equal(decode(await askUdp(WHO, { hostname, port })).rcode, "NOERROR");
        assert.equal((await askTcp([frame(WHO)], { hostname, port })).length, 1);
      }
    });
  });

  run("disconnects a client that does not read its answers", () => {
    // A hundred addresses: 1.6 KB an answer, so that some thousands fill every buffer on the way.
    const addresses = Array.from({ length: 100 }, (_, i) => `192.0.2.${i} big.example.org`);
    const directives = `timeouts {\n read 24h\n write 1s\n idle 24h\n }\n` +
      ` hosts /dev/null {\n ${addresses.join("\n")}\n }`;
    return serve(directives, async (port) => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      const query = frame(queryBytes({ name: "big.example.org" }));
      const queries = new Uint8Array(10_000 * query.length);
      for (let at = 0; at < queries.length; at += query.length) queries.set(query, at);
      await assert.rejects(async () => {
        for (;;) await connection.write(queries);
      });
      connection.close();
      const [answer] = await askTcp([query], { port });
      assert.equal(decode(answer!).answers!.length, 100, "a client that reads");
    });
  });

  run("forwards over UDP from a fresh port each time, and caches", async () => {
    const upstreamPort = freePort();
    const upstream = startUpstream(upstreamPort, answerWith("192.0.2.7"));
    await serve(`cache\n forward . 127.0.0.1:${upstreamPort}`, async (port, plane) => {
      const ask = async (name: string, id: number) => {
        const answer = decode(await askUdp(queryBytes({ name, id }), { port }));
        assert.equal(answer.id, id);
        assert.equal((answer.answers?.[0] as { data: string } | undefined)?.data, "192.0.2.7");
      };
      // Emulated processors take longer for the first query than an upstream may.
      let tries = 0;
      await eventually(() => ask(`first${tries++}.example.org`, 1000));
      const { udp, ports } = upstream.counts;
      const { values, places } = plane;
      const { index, bounds } = places.find(({ name }) => name === SCAN_TIME)!;
      const size = bounds!.length + 1;
      const scanned = () => values.subarray(index, index + size).reduce((sum, one) => sum + one);
      const [portsBefore, scannedBefore] = [ports.size, scanned()];
      for (let i = 0; i < 40; i++) await ask(`n${i % 20}.example.org`, i);
      assert.equal(upstream.counts.udp - udp, 20);
      assert.equal(scanned() - scannedBefore, 20);
      assert.ok(values[index + size]! > 0 && values[index + size]! < 5, "its clock runs");
      const more = ports.size - portsBefore;
      assert.ok(more >= 18, `${more} more ports`);
    });
    await upstream.close();
  });

  run("repeats a query over TCP if the answer is truncated", async () => {
    const upstreamPort = freePort();
    const upstream = startUpstream(upstreamPort, (bytes, transport) => {
      const query = decode(bytes);
      if (transport === "udp") return responseBytes(query, { truncated: true });
      const record = { type: "TXT", name: "big.example.org", ttl: 60 } as const;
      const answers = Array.from(
        { length: 60 },
        (_, i) => ({ ...record, data: `${i}`.padEnd(100, "x") }),
      );
      return responseBytes(query, { answers });
    });
    await serve(`cache\n forward . 127.0.0.1:${upstreamPort}`, async (port) => {
      const query = queryBytes({ name: "big.example.org", type: "TXT" });
      const udp = await askUdp(query, { port });
      assert.ok(udp.length <= 512);
      assert.equal(decode(udp).flag_tc, true);
      // On a slow machine TCP may take too long for the answer to be cached at first.
      let cached = false;
      for (let i = 0; i < 100 * PATIENCE && !cached; i++) {
        const before = upstream.counts.tcp;
        const [tcp] = await askTcp([frame(query)], { port });
        const { answers, flag_tc: truncated } = decode(tcp!);
        cached = answers!.length === 60 && !truncated && before > 0 &&
          before === upstream.counts.tcp;
        if (!cached) await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.ok(cached, "the whole answer comes over TCP, and is cached");
    });
    await upstream.close();
  });

  run(
    "answers a thousand pipelined queries of one connection in order",
    () =>
      serve("whoami", async (port) => {
        const frames = Array.from(
          { length: 1000 },
          (_, id) => frame(queryBytes({ name: `n${id}.example.org`, id })),
        );
        const all = Uint8Array.from(frames.flatMap((one) => [...one]));
        const answers = await askTcp([all.slice(0, 7777), all.slice(7777)], { port });
        assert.deepEqual(answers.map((bytes) => decode(bytes).id), frames.map((_, id) => id));
      }),
  );

  run("logs why an upstream port on which nothing listens fails", () => {
    const directives = `errors\n forward . 127.0.0.1:${freePort()} {\n max_fails 0\n }`;
    return serve(directives, async (port, _plane, logs) => {
      for (
        const answer of [
          await askUdp(WHO, { port, limitMs: 4500 * PATIENCE }),
          (await askTcp([frame(WHO)], { port }))[0]!,
        ]
      ) {
        assert.equal(decode(answer).rcode, "SERVFAIL");
      }
      const why = driver === "linux" ? /:\d+: connection refused/ : /:\d+: i\/o timeout/;
      assert.match(logs.join("\n"), why);
    });
  });

  run("logs that a TCP connection was refused", () => {
    const options = "{\n force_tcp\n max_fails 0\n }";
    const directives = `errors\n forward . 127.0.0.1:${freePort()} ${options}`;
    return serve(directives, async (port, _plane, logs) => {
      assert.equal(decode(await askUdp(WHO, { port })).rcode, "SERVFAIL");
      await until(() => logs.length > 0, "a line in the log");
      assert.match(logs.join("\n"), /:\d+: connection refused/);
    });
  });

  run("listens on both families for bind ::, and recognizes IPv4 clients", async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind ::\n acl {\n block net 127.0.0.9\n }\n whoami\n}`;
    await withDataPlane({ driver, corefile }, async () => {
      for (const hostname of ["127.0.0.1", "::1"]) {
        const udp = decode(await askUdp(WHO, { hostname, port }));
        const [tcp] = await askTcp([frame(WHO)], { hostname, port });
        for (const answer of [udp, decode(tcp!)]) {
          const [record] = answer.additionals!;
          assert.equal(record!.type, hostname === "::1" ? "AAAA" : "A");
          assert.equal((record as { data: string }).data, hostname);
        }
      }
      // The Linux driver answers from the queried address.
      if (driver === "linux") await askUdp(WHO, { hostname: "127.0.0.5", port });
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.9", port: 0 });
      await socket.send(WHO, { transport: "udp", hostname: "127.0.0.1", port });
      const [answer] = await socket.receive();
      socket.close();
      assert.equal(decode(answer).rcode, "REFUSED");
    });
  });

  run(
    "disconnects a client that breaks the framing, and serves others",
    () =>
      serve("whoami", async (port) => {
        assert.deepEqual(await askTcp([new Uint8Array([0, 3, 1, 2, 3])], { port }), []);
        assert.equal((await askTcp([frame(WHO)], { port })).length, 1);
      }),
  );

  run("when it stops, answers the queries it has read and ends streams with FIN", async () => {
    const upstream = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const { port: upstreamPort } = upstream.addr as Deno.NetAddr;
    await serve(`forward . 127.0.0.1:${upstreamPort}`, async (port, plane) => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      const query = frame(queryBytes({ name: "www.example.org" }));
      await connection.write(query);
      const datagram = askUdp(queryBytes({ name: "udp.example.org" }), { port });
      // A health check or a repeated query may come in between.
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
      // A query that crosses the FIN does not cause a reset.
      await connection.write(query);
      assert.equal(await connection.read(buffer), null);
      connection.close();
      await drained;
    });
    upstream.close();
  });
}
