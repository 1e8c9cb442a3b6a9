import { createSocket } from "node:dgram";

const RETRY_MS = 1;
const LIMIT_MS = 10_000;
const ID = 0x6e64;

/** `probe.example.org A` with RD set. */
const QUERY = (() => {
  const labels = ["probe", "example", "org"];
  const qname = labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  return new Uint8Array([ID >> 8, ID & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...qname, 0, 0, 1, 0, 1]);
})();

/**
 * Asks the server on 127.0.0.1 over UDP every millisecond until it answers correctly.
 *
 * @returns the time of the answer (by `performance.now`), or null if `gone` reports the server's
 * exit or ten seconds have passed
 */
export async function probe(port: number, gone: () => boolean): Promise<number | null> {
  const socket = createSocket("udp4");
  let answeredMs: number | null = null;
  socket.on("message", (bytes: Uint8Array) => {
    if (answeredMs === null && isAnswer(bytes)) answeredMs = performance.now();
  });
  // Some systems report a missing listener as a socket error.
  socket.on("error", () => {});
  const limitMs = performance.now() + LIMIT_MS;
  while (answeredMs === null && !gone() && performance.now() < limitMs) {
    socket.send(QUERY, port, "127.0.0.1");
    await new Promise((wake) => setTimeout(wake, RETRY_MS));
  }
  socket.close();
  return answeredMs;
}

function isAnswer(bytes: Uint8Array): boolean {
  return bytes.length > QUERY.length && (bytes[0]! << 8 | bytes[1]!) === ID &&
    (bytes[2]! & 0x80) !== 0 && (bytes[3]! & 0x0f) === 0 && (bytes[6]! << 8 | bytes[7]!) > 0;
}
