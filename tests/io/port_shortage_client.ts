/**
 * A client and an upstream of a nodens, to be run in its network namespace, where there are few
 * ports. Writes how the client's queries went, as JSON.
 *
 * Arguments: port of nodens, port of the upstream, queries, milliseconds that the upstream takes.
 */
import * as codec from "dns-packet";
import { Buffer } from "node:buffer";
import { a, responseBytes } from "../support/messages/messages.ts";
import { askMisses } from "../support/servers/misses.ts";

const [port, upstreamPort, count, delayMs] = Deno.args.map(Number) as [
  number,
  number,
  number,
  number,
];

function answer(bytes: Uint8Array): Uint8Array {
  const query = codec.decode(Buffer.from(bytes));
  return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
}

const pause = () => new Promise((resolve) => setTimeout(resolve, delayMs));
const transports = { udp: 0, tcp: 0 };
const socket = Deno.listenDatagram({
  transport: "udp",
  hostname: "127.0.0.1",
  port: upstreamPort,
});
void (async () => {
  for await (const [bytes, from] of socket) {
    transports.udp++;
    void pause().then(() => socket.send(answer(bytes), from));
  }
})();
void (async () => {
  for await (const conn of Deno.listen({ hostname: "127.0.0.1", port: upstreamPort })) {
    void serve(conn);
  }
})();

async function serve(conn: Deno.TcpConn): Promise<void> {
  const reader = conn.readable.getReader();
  let held = new Uint8Array();
  for (;;) {
    const { value } = await reader.read();
    if (value === undefined) return;
    held = Uint8Array.from([...held, ...value]);
    while (held.length >= 2) {
      const size = (held[0]! << 8) | held[1]!;
      if (held.length < 2 + size) break;
      const reply = answer(held.slice(2, 2 + size));
      held = held.slice(2 + size);
      transports.tcp++;
      const framed = Uint8Array.from([reply.length >> 8, reply.length & 255, ...reply]);
      void pause().then(() => conn.write(framed)).catch(() => {});
    }
  }
}

// Below the few ports, so that it takes none of them.
const rcodes = await askMisses({ port, count, from: 20_000 });
Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify({ rcodes, transports })}\n`));
Deno.exit(0);
