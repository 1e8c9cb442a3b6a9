import assert from "node:assert/strict";
import type { DataPlane } from "../../src/control/plane/data_plane.ts";
import { decode, queryBytes, responseBytes } from "../support/messages/messages.ts";
import {
  askTcp,
  askUdp,
  readFrames,
  startUpstream,
  withServer,
} from "../support/processes/drivers.ts";
import { driversHere } from "../support/run/require.ts";
import { until } from "../support/run/until.ts";
import { freePort } from "../support/servers/ports.ts";
import { frame } from "../support/simulation/simulation.ts";

const MI = 2 ** 20;

function bigAnswers(timeouts = ""): string {
  const addresses = Array.from({ length: 100 }, (_, i) => `192.0.2.${i} big.example.org`);
  return `timeouts {\n idle 24h\n ${timeouts}\n }\n` +
    ` hosts /dev/null {\n ${addresses.join("\n")}\n }`;
}

function pipeline(count: number): Uint8Array<ArrayBuffer> {
  const one = frame(queryBytes({ name: "big.example.org" }));
  const all = new Uint8Array(count * one.length);
  for (let id = 0; id < count; id++) {
    all.set(one, id * one.length);
    new DataView(all.buffer).setUint16(id * one.length + 2, id);
  }
  return all;
}

function value(plane: DataPlane, name: string, reason?: string): number {
  return plane.places.filter((place) =>
    place.name === name && (reason === undefined || place.labels.reason === reason)
  ).reduce((sum, { index }) => sum + plane.values[index]!, 0);
}

const noStreams = (plane: DataPlane) =>
  until(() => value(plane, "nodens_streams") === 0, "the end of all streams");

for (const driver of driversHere()) {
  const run = (title: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${driver}: ${title}`, fn });
  const serve = (directives: string, use: Parameters<typeof withServer>[1]) =>
    withServer({ driver, directives }, use);

  run(
    "clients that disappear without reading leave nothing behind",
    () =>
      serve(bigAnswers(), async (port, plane) => {
        const queries = pipeline(200);
        for (let i = 0; i < 100; i++) {
          const connection = await Deno.connect({ hostname: "127.0.0.1", port });
          await connection.write(queries);
          // Unread answers make the kernel send a reset.
          await connection.read(new Uint8Array(1));
          connection.close();
        }
        await noStreams(plane);
        assert.equal(value(plane, "nodens_stream_bytes"), 0);
        assert.ok(value(plane, "nodens_streams_closed_total", "broken") > 0);
      }),
  );

  run("answers for a client that has disappeared are not queued", async () => {
    const upstreamPort = freePort();
    let last = Promise.resolve();
    const upstream = startUpstream(upstreamPort, async (bytes) => {
      // By then the client is gone: the first answer detects that, the others come one by one.
      last = last.then(() => new Promise((resolve) => setTimeout(resolve, 10)));
      await last;
      return responseBytes(decode(bytes));
    });
    const options = "{\n max_fails 0\n prefer_udp\n }";
    await serve(`forward . 127.0.0.1:${upstreamPort} ${options}`, async (port, plane) => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      for (let id = 0; id < 20; id++) {
        await connection.write(frame(queryBytes({ name: `n${id}.example.org`, id })));
      }
      await until(() => upstream.counts.udp > 0, "a query to the upstream");
      connection.close();
      await noStreams(plane);
      assert.equal(value(plane, "nodens_stream_bytes"), 0);
    });
    await upstream.close();
  });

  run("clients that do not read stay within the budget, and others are served", () => {
    const directives = bigAnswers("write 24h");
    return withServer({ driver, directives, memoryBytes: 64 * MI }, async (port, plane) => {
      const queries = pipeline(1000);
      const connections: Deno.TcpConn[] = [];
      for (let i = 0; i < 200; i++) {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        await connection.write(queries);
        connections.push(connection);
        assert.ok(value(plane, "nodens_stream_bytes") <= 16 * MI);
        if (i % 20 === 0) {
          const query = queryBytes({ name: "big.example.org", id: i });
          assert.equal(decode(await askUdp(query, { port })).id, i);
          assert.equal(decode((await askTcp([frame(query)], { port }))[0]!).answers!.length, 100);
        }
      }
      // The portable driver cannot see the kernel's buffers, so it counts little.
      if (driver === "linux") {
        const closed = () => value(plane, "nodens_streams_closed_total", "budget");
        await until(() => closed() > 0, "closing for the budget");
        const streams = () => value(plane, "nodens_streams");
        await until(() => streams() === 200 - closed(), "closing no others");
      }
      for (const connection of connections) connection.close();
      await noStreams(plane);
      assert.equal(value(plane, "nodens_stream_bytes"), 0);
    });
  });

  run(
    "a client that pauses gets megabytes of answers whole and in order before FIN",
    () =>
      serve(bigAnswers(), async (port, plane) => {
        const count = 2000;
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        const sending = (async () => {
          const all = pipeline(count);
          for (let at = 0; at < all.length;) at += await connection.write(all.subarray(at));
          await connection.closeWrite();
        })();
        const ids: number[] = [];
        for await (const answer of readFrames(connection)) {
          ids.push(new DataView(answer.buffer).getUint16(0));
          if (ids.length % 200 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await sending;
        connection.close();
        assert.deepEqual(ids, Array.from({ length: count }, (_, id) => id));
        await noStreams(plane);
        assert.equal(value(plane, "nodens_streams_closed_total"), 0);
      }),
  );

  run(
    "a process that stops answers the queries it has read, sends FIN and waits for the client's",
    () =>
      serve(bigAnswers(), async (port, plane) => {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        await connection.write(pipeline(40));
        await until(() => value(plane, "nodens_streams") === 1, "a stream");
        await plane.retire(5000);
        const drained = plane.drain(10_000);
        const sizes: number[] = [];
        for await (const { length } of readFrames(connection)) sizes.push(2 + length);
        const read = sizes.reduce((sum, size) => sum + size, 0);
        assert.equal(read % 40, 0);
        assert.ok(read > 40 * 1600, `${read} bytes`);
        // Too late, but not the client's fault; on a slow machine the stream may be closed by now.
        await connection.write(pipeline(1)).catch(() => {});
        connection.close();
        await drained;
        assert.equal(value(plane, "nodens_streams"), 0);
        assert.equal(value(plane, "nodens_streams_closed_total"), 0);
      }),
  );

  run("an upstream that closes the connection during a query is asked again", async () => {
    const upstreamPort = freePort();
    let asked = 0;
    const upstream = startUpstream(upstreamPort, (bytes, transport) => {
      if (transport === "udp") return responseBytes(decode(bytes), { truncated: true });
      if (++asked === 1) throw new Error("closes");
      return responseBytes(decode(bytes));
    });
    const options = "{\n max_fails 0\n }";
    await serve(`forward . 127.0.0.1:${upstreamPort} ${options}`, async (port) => {
      for (let id = 1; id <= 3; id++) {
        const query = queryBytes({ name: `n${id}.example.org`, id });
        const [answer] = await askTcp([frame(query)], { port });
        assert.equal(decode(answer!).rcode, "NOERROR");
      }
    });
    await upstream.close();
  });
}
