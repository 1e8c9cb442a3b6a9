/**
 * Forwards DNS to port TO on 127.0.0.1, over UDP and TCP; `delay MS` on standard input delays
 * answers.
 *
 *   deno run -A bench/failures/proxy.ts ADDRESS PORT TO
 *
 * Replaces `tc netem`, which some kernels lack.
 */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";

const [address = "", port = "", to = ""] = Deno.args;
let delayMs = 0;

const clients = createSocket("udp4");
const upstream = createSocket("udp4");
/** Client and its id, by forwarded id. */
const asked = new Array<{ port: number; address: string; id: number } | undefined>(65536);
let nextId = 0;

clients.on("message", (message: Buffer, { address, port }: { address: string; port: number }) => {
  asked[nextId] = { address, port, id: message.readUInt16BE(0) };
  message.writeUInt16BE(nextId, 0);
  nextId = (nextId + 1) & 0xffff;
  upstream.send(message, Number(to), "127.0.0.1");
});
upstream.on("message", (message: Buffer) => {
  const client = asked[message.readUInt16BE(0)];
  if (client === undefined) return;
  message.writeUInt16BE(client.id, 0);
  setTimeout(() => clients.send(message, client.port, client.address), delayMs);
});
clients.bind(Number(port), address);

createServer((client) => {
  const server = connect(Number(to), "127.0.0.1");
  client.pipe(server);
  server.on("data", (chunk: Buffer) => setTimeout(() => client.write(chunk), delayMs));
  for (const [one, other] of [[client, server], [server, client]] as const) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}).listen(Number(port), address, () => {
  Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));
});

for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const milliseconds = /^delay (\d+)$/m.exec(text)?.[1];
  if (milliseconds !== undefined) delayMs = Number(milliseconds);
}
